import { expect, test } from "vitest";
import type { Register } from "../../../core/model/meterModel.ts";
import type { QuantityId } from "../../../core/units/quantities.ts";
import { decodeRegister } from "../../../drivers/modbus/decode.ts";
import { wiring } from "../../../drivers/wiring.ts";
import type { FaultSpec, FaultWhat } from "../../../hw-sim/faults/catalogue.ts";
import { FAULTS } from "../../../hw-sim/faults/catalogue.ts";
import { rollingQuantity } from "../../../hw-sim/faults/eras.ts";
import { faultBook } from "../../../hw-sim/faults/faultBook.ts";
import { type FaultyMeter, faultyMeter } from "../../../hw-sim/faults/meterFaults.ts";
import type { SimMeter } from "../../../hw-sim/meters/simMeter.ts";
import { faultOf } from "../../contract/bus.ts";
import { local, MODELS, meterOf, registerOf } from "../fixture.ts";

const DAY = { shape: "continuous", peak_W: 400_000 } as const;
const pm5000 = (load: Parameters<typeof meterOf>[0]["load"] = DAY) =>
  meterOf({ model: "schneider-pm5000", load, start: 1000 });
const AT_ms = local("2026-03-02T10:00");
const HOUR_ms = 3_600_000;
const LINES = [{ units: new Set([1]), hasConnections: true }];

function faulty(meter: SimMeter, ...faults: readonly FaultSpec[]): FaultyMeter {
  const book = faultBook({ seed: 1, lines: LINES }, faults);
  return faultyMeter(meter, () => book.ofMeter(0, 1));
}

const at = (what: FaultWhat, at_ms: number, more: Partial<FaultSpec> = {}) =>
  faultOf(what, 1, { from: { kind: "at", at_ms }, ...more });

function raw(meter: FaultyMeter, name: string, at_ms: number): number | bigint | string {
  const register = registerOf(meter.meter, name);
  const words = meter.read(register.fc, meter.meter.base + register.address, register.words, at_ms);
  if (!(words instanceof Uint16Array)) throw new Error(`exception ${words.exception}`);
  return decodeRegister(register, words, 0);
}

const number = (meter: FaultyMeter, name: string, at_ms: number) => Number(raw(meter, name, at_ms));
const IMPORT = "active_energy_import_total";
const EXPORT = "active_energy_export_total";

/** Exact Wh of a truth. */
const wh = (truth: ReturnType<FaultyMeter["shown"]>, quantity: QuantityId = IMPORT) => Number(truth![quantity]!.value);

test("without faults a meter shows itself", () => {
  const meter = pm5000();
  const same = faulty(meter);
  expect(same.shown(AT_ms)).toBeNull();
  expect(raw(same, IMPORT, AT_ms)).toEqual(raw({ ...same, read: meter.read }, IMPORT, AT_ms));
});

test("after a reset counters start at zero and count the true energy; before it nothing has changed", () => {
  const meter = pm5000();
  const broken = faulty(meter, at({ kind: "register-reset" }, AT_ms));
  expect(raw(broken, IMPORT, AT_ms - 1)).toEqual(raw(faulty(meter), IMPORT, AT_ms - 1));
  expect(number(broken, IMPORT, AT_ms)).toBe(0);
  const counted = meter.ticks(IMPORT, AT_ms + HOUR_ms) - meter.ticks(IMPORT, AT_ms);
  expect(number(broken, IMPORT, AT_ms + HOUR_ms)).toBe(Number(counted / 3_600_000n));
  expect(wh(broken.shown(AT_ms + HOUR_ms))).toBeCloseTo(Number(counted) / 3.6e6, 5);
  expect(meter.truth(AT_ms + HOUR_ms)).toEqual(broken.meter.truth(AT_ms + HOUR_ms));
});

test("what a reset did is told to the tick across its instant", () => {
  const meter = pm5000();
  const broken = faulty(meter, at({ kind: "register-reset" }, AT_ms));
  const { before, after } = broken.crossing(AT_ms);
  expect(before).toEqual(meter.truth(AT_ms));
  expect(wh(after)).toBe(0);
});

test("a replaced meter has another serial number, starts where it says, and counts on from there", () => {
  const meter = meterOf({ model: "eastron-sdm630", load: DAY, start: 1000 });
  const serial = (of: FaultyMeter, at_ms: number) => number(of, "serial_number", at_ms);
  const told = faulty(meter, at({ kind: "meter-replaced", serial: 4711, start: 12 }, AT_ms));
  expect(number(told, IMPORT, AT_ms)).toBe(12);
  expect(serial(told, AT_ms)).toBe(4711);
  expect(serial(told, AT_ms - 1)).toBe(serial(faulty(meter), AT_ms));
  const unsaid = faulty(meter, at({ kind: "meter-replaced", serial: null, start: 0 }, AT_ms));
  expect(serial(unsaid, AT_ms)).not.toBe(serial(unsaid, AT_ms - 1));
  const counted = meter.ticks(IMPORT, AT_ms + HOUR_ms) - meter.ticks(IMPORT, AT_ms);
  expect(wh(told.shown(AT_ms + HOUR_ms)) - 12_000).toBeCloseTo(Number(counted) / 3.6e6, 5);
});

/** Where a model's serial number stands: a register of its own, or one of those that say who it is. */
function serialPlace(meter: SimMeter): Pick<Register, "fc" | "address" | "words" | "type" | "word_order"> | null {
  const own = meter.model.registers.find(({ name }) => name === "serial_number");
  if (own !== undefined) return own;
  const read = meter.model.identify.find(({ meaning }) => meaning === "serial number");
  if (read === undefined) return null;
  const { fc, address, type, length: words = 2, word_order = "big" } = read;
  return { fc, address, words, type, word_order };
}

const NUMBERED = [...MODELS.values()].flatMap((model) => {
  const meter = meterOf({
    model: model.id,
    load: model.measures.includes("electricity") ? DAY : { formula: "20", unit: "m3/h" },
    m3_per_count: 0.1,
  });
  const place = serialPlace(meter);
  return place === null ? [] : [[model.id, meter, place] as const];
});

test.each(NUMBERED)("a replaced %s shows its new serial number where the model has it", (_id, meter, place) => {
  const broken = faulty(meter, at({ kind: "meter-replaced", serial: 4711, start: 0 }, AT_ms));
  const serial = (at_ms: number) => {
    const words = broken.read(place.fc, place.address, place.words, at_ms);
    if (!(words instanceof Uint16Array)) throw new Error(`exception ${words.exception}`);
    return String(decodeRegister(place, words, 0)).replaceAll("\0", "");
  };
  expect(serial(AT_ms)).toBe("4711");
  expect(serial(AT_ms - 1)).toBe(String(meter.serial).slice(0, 2 * place.words * (place.type === "str" ? 1 : 8)));
});

test("serial numbers of registers and of identities are both looked at", () => {
  expect(NUMBERED.length).toBeGreaterThanOrEqual(11);
});

test("two things that happen one after another both leave their mark, in whatever order they were given", () => {
  const meter = meterOf({ model: "eastron-sdm630", load: DAY, start: 1000 });
  const first = at({ kind: "register-reset" }, AT_ms);
  const second = at({ kind: "meter-replaced", serial: 7, start: 3 }, AT_ms + HOUR_ms);
  for (const order of [
    [first, second],
    [second, first],
  ]) {
    const broken = faulty(meter, ...order);
    expect(number(broken, IMPORT, AT_ms)).toBe(0);
    expect(number(broken, IMPORT, AT_ms + HOUR_ms)).toBe(3);
    expect(number(broken, "serial_number", AT_ms + HOUR_ms)).toBe(7);
  }
});

test("a counter that rolls over passes its end at that instant, without a step before it", () => {
  const meter = meterOf({ model: "acrel-adl400", load: DAY });
  const quantity = rollingQuantity(meter)!;
  const register = meter.model.registers.find((one) => one.quantity === quantity && one.type !== "f32")!;
  const broken = faulty(meter, at({ kind: "rollover", quantity: null }, AT_ms));
  const counts = (at_ms: number) => number(broken, register.name, at_ms);
  const range = register.rollover_raw ?? 2 ** (16 * register.words);
  expect(counts(AT_ms - 60_000)).toBeGreaterThan(range - 1e6);
  expect(counts(AT_ms - 1)).toBe(range - 1);
  expect(counts(AT_ms)).toBe(0);
  // An hour before and after are as far apart as the true energy, counted round the end.
  const true_ticks = meter.ticks(quantity, AT_ms + HOUR_ms) - meter.ticks(quantity, AT_ms - HOUR_ms);
  const step = Number(meter.rangeTicks(quantity)!) / range;
  const seen = counts(AT_ms + HOUR_ms) - counts(AT_ms - HOUR_ms) + range;
  expect(Math.abs(seen - Number(true_ticks) / step)).toBeLessThanOrEqual(1);
});

test("a float register passes the end with its integer twin", () => {
  const broken = faulty(pm5000(), at({ kind: "rollover", quantity: IMPORT }, AT_ms));
  const both = (at_ms: number) =>
    [number(broken, IMPORT, at_ms) / 1000, number(broken, `${IMPORT}_f32`, at_ms)] as const;
  for (const at_ms of [AT_ms - HOUR_ms, AT_ms, AT_ms + 1, AT_ms + HOUR_ms]) {
    const [integer, float] = both(at_ms);
    // The integer shows whole watt-hours, the float the nearest of its own.
    expect(Math.abs(float - integer)).toBeLessThanOrEqual(0.001 + integer * 2 ** -24);
  }
  expect(both(AT_ms + HOUR_ms)[1]).toBeLessThan(1000);
});

test("a meter whose counters are floats has none that rolls over", () => {
  expect(rollingQuantity(meterOf({ model: "eastron-sdm630", load: DAY }))).toBeNull();
});

test("a reversed transformer shows negative power, counts import as export, and both go on from there when it is put right", () => {
  const meter = pm5000();
  const broken = faulty(meter, at({ kind: "ct-reversed" }, AT_ms, { for_ms: HOUR_ms }));
  const power = (at_ms: number) => number(broken, "active_power_total", at_ms);
  expect(power(AT_ms + 1)).toBeLessThan(0);
  expect(power(AT_ms + 1)).toBe(-number(faulty(meter), "active_power_total", AT_ms + 1));
  expect(power(AT_ms + HOUR_ms)).toBeGreaterThan(0);
  const drawn = Number(meter.ticks(IMPORT, AT_ms + HOUR_ms) - meter.ticks(IMPORT, AT_ms)) / 3.6e6;
  const [begin, end] = [broken.shown(AT_ms), broken.shown(AT_ms + HOUR_ms)];
  expect(wh(begin)).toBe(Number(meter.truth(AT_ms)[IMPORT]!.value));
  expect(wh(end)).toBe(wh(begin));
  expect(wh(end, EXPORT) - wh(begin, EXPORT)).toBeCloseTo(drawn, 5);
  const later = broken.shown(AT_ms + 2 * HOUR_ms);
  expect(wh(later, EXPORT)).toBe(wh(end, EXPORT));
  expect(wh(later) - wh(end)).toBeCloseTo(
    Number(meter.ticks(IMPORT, AT_ms + 2 * HOUR_ms) - meter.ticks(IMPORT, AT_ms + HOUR_ms)) / 3.6e6,
    5,
  );
});

test("one reversed transformer turns its phase, totals count what is left, and the wiring check finds it", () => {
  const meter = meterOf({ model: "eastron-sdm630", load: DAY });
  const broken = faulty(meter, at({ kind: "ct-reversed", phase: 2 }, AT_ms));
  const power = (of: FaultyMeter, phase: string) => number(of, `active_power_${phase}`, AT_ms + 1);
  const well = faulty(meter);
  expect(power(broken, "l2")).toBe(-power(well, "l2"));
  expect(power(broken, "l1")).toBe(power(well, "l1"));
  expect(power(broken, "total")).toBeCloseTo(power(well, "l1") - power(well, "l2") + power(well, "l3"), 1);
  const counted = (quantity: QuantityId) => meter.ticks(quantity, AT_ms + HOUR_ms) - meter.ticks(quantity, AT_ms);
  const l2 = counted("active_energy_import_l2");
  const shown = (quantity: QuantityId) =>
    Math.round((wh(broken.shown(AT_ms + HOUR_ms), quantity) - wh(broken.shown(AT_ms), quantity)) * 1000);
  expect(shown(IMPORT)).toBe(Math.round(Number(counted(IMPORT) - 2n * l2) / 3600));
  expect(shown("active_energy_export_l2")).toBe(Math.round(Number(l2) / 3600));
  expect(shown("active_energy_import_l2")).toBe(0);
  expect(shown("active_energy_import_l1")).toBe(Math.round(Number(counted("active_energy_import_l1")) / 3600));
  const live = new Map(
    meter.model.registers.flatMap(({ name, kind }) =>
      /^(voltage_l\d|current_l\d|active_power_(l\d|total)|reactive_power_l\d)$/.test(name) && kind === "gauge"
        ? [[name, number(broken, name, AT_ms + 1)] as const]
        : [],
    ),
  );
  expect(wiring([live, live, live])).toMatchObject([{ fault: "reversed-ct", certainty: "certain", phases: ["l2"] }]);
});

test("a meter that starts up reads zero, then as before", () => {
  const meter = pm5000();
  const broken = faulty(meter, at({ kind: "reboot", silent_ms: 0 }, AT_ms, { for_ms: 5000 }));
  expect(number(broken, IMPORT, AT_ms)).toBe(0);
  expect(number(broken, "frequency", AT_ms + 4999)).toBe(0);
  expect(raw(broken, IMPORT, AT_ms + 5000)).toEqual(raw(faulty(meter), IMPORT, AT_ms + 5000));
  expect(broken.read(3, 60_000, 1, AT_ms)).toEqual({ exception: 2 });
});

test("frozen registers keep their values and then jump to the truth", () => {
  const meter = pm5000();
  const broken = faulty(meter, at({ kind: "frozen" }, AT_ms, { for_ms: HOUR_ms }));
  const whole = (at_ms: number) => broken.read(3, registerOf(meter, IMPORT).address, 4, at_ms);
  expect(whole(AT_ms + HOUR_ms - 1)).toEqual(whole(AT_ms));
  expect(whole(AT_ms + HOUR_ms)).toEqual(meter.read(3, registerOf(meter, IMPORT).address, 4, AT_ms + HOUR_ms));
});

test("no value is NaN in floats and the sentinel in integers whose model has one; of one quantity only, if it is named", () => {
  const meter = pm5000();
  const all = faulty(meter, at({ kind: "no-value", quantity: null }, AT_ms));
  expect(raw(all, "frequency", AT_ms)).toBeNaN();
  expect(raw(all, "voltage_l1", AT_ms)).toBeNaN();
  // 0 would be a reading.
  expect(raw(all, IMPORT, AT_ms)).toEqual(raw(faulty(meter), IMPORT, AT_ms));
  const one = faulty(meter, at({ kind: "no-value", quantity: "frequency" }, AT_ms));
  expect(raw(one, "frequency", AT_ms)).toBeNaN();
  expect(raw(one, "voltage_l1", AT_ms)).not.toBeNaN();
  const inverter = meterOf({ model: "sunspec-inverter-101-103", load: { shape: "solar", peak_W: 50_000 } });
  const empty = faulty(inverter, at({ kind: "no-value", quantity: "frequency" }, AT_ms));
  expect(number(empty, "frequency", AT_ms)).toBe(0xffff);
});

test("with the word order swapped every value of several words is the other way round", () => {
  const meter = meterOf({ model: "eastron-sdm630", load: DAY });
  const broken = faulty(meter, at({ kind: "word-order" }, AT_ms));
  const sound = meter.read(4, 0, 6, AT_ms) as Uint16Array;
  const swapped = [1, 0, 3, 2, 5, 4].map((i) => sound[i]);
  expect([...(broken.read(4, 0, 6, AT_ms) as Uint16Array)]).toEqual(swapped);
});

test("every fault of registers has a test of its own here", async () => {
  const { readFileSync } = await import("node:fs");
  const text = readFileSync(new URL(import.meta.url), "utf8");
  for (const [kind, { scope }] of Object.entries(FAULTS)) {
    if (scope === "meter" || scope === "view") expect(text).toContain(`kind: "${kind}"`);
  }
});
