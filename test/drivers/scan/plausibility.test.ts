import fc from "fast-check";
import { expect, test } from "vitest";
import type { BusRead, BusReply } from "../../../core/ports.ts";
import { remembering } from "../../../drivers/scan/memory.ts";
import { judge, missingWeight, scoreOf } from "../../../drivers/scan/plausibility.ts";
import { isMain, type Snapshot, snapshotOf } from "../../../drivers/scan/snapshot.ts";
import { register } from "../devices.ts";

function snapshot(values: Readonly<Record<string, number>>, more: Partial<Snapshot> = {}): Snapshot {
  const map = new Map(Object.entries(values));
  return { values: map, read: new Set(map.keys()), nonsense: new Set(), missing: new Set(), ...more };
}

const SOUND = {
  ...{ voltage_l1: 230, voltage_l2: 231, voltage_l3: 229, frequency: 50 },
  ...{ voltage_l1_l2: 399, voltage_l2_l3: 398, voltage_l3_l1: 400 },
  ...{ current_l1: 10, current_l2: 11, current_l3: 9 },
  ...{ power_factor_l1: 0.9, power_factor_l2: 0.9, power_factor_l3: 0.9 },
  ...{ active_power_l1: 2070, active_power_l2: 2287, active_power_l3: 1855, active_power_total: 6212 },
  active_energy_import_total: 12_345,
};

const misfits = (values: Readonly<Record<string, number>>, second?: Readonly<Record<string, number>>) =>
  judge(snapshot(values), second === undefined ? null : snapshot(second))
    .filter(({ fits }) => !fits)
    .map(({ what }) => what);

test("values that belong together fit, each by itself and with each other", () => {
  expect(misfits(SOUND)).toEqual([]);
  expect(judge(snapshot(SOUND)).map(({ what }) => what)).toEqual(
    expect.arrayContaining(["frequency", "voltages agree", "line voltage", "power l1", "power total"]),
  );
});

test("a value out of range, tiny as words of another type are, or no number does not fit", () => {
  expect(misfits({ frequency: 5001 })).toEqual(["frequency"]);
  expect(misfits({ voltage_l1: 3.4e29 })).toEqual(["voltage_l1"]);
  expect(misfits({ current_l1: 2.4e-41 })).toEqual(["current_l1"]);
  expect(judge(snapshot({}, { nonsense: new Set(["frequency"]) }))).toMatchObject([{ what: "frequency", fits: false }]);
});

test("relations that do not hold are found", () => {
  expect(misfits({ ...SOUND, voltage_l2: 120 })).toContain("voltages agree");
  expect(misfits({ ...SOUND, active_power_l1: 20_700 })).toEqual(["power l1", "power total"]);
});

test("a second look finds what does not hold still", () => {
  expect(misfits(SOUND, SOUND)).toEqual([]);
  expect(misfits(SOUND, { ...SOUND, frequency: 47 })).toEqual(["frequency"]);
  expect(misfits(SOUND, { ...SOUND, active_energy_import_total: 12_344 })).toEqual(["active_energy_import_total"]);
});

test("zero tells nothing, and zero volts count as missing", () => {
  expect(judge(snapshot({ frequency: 0, voltage_l1: 0, current_l1: 0, active_energy_import_total: 0 }))).toEqual([]);
  expect(missingWeight(snapshot({ frequency: 0, current_l1: 0 }))).toBe(1.5);
  expect(missingWeight(snapshot({}, { missing: new Set(["voltage_l1", "serial_number"]) }))).toBe(1);
});

test("law: confidence lies within 0…0.9, grows with what fits and falls with what does not", () => {
  const verdict = (fits: boolean) =>
    fc.record({
      what: fc.constant("x"),
      fits: fc.constant(fits),
      weight: fc.double({ min: 0.3, max: 3, noNaN: true }),
      saw: fc.constant("x"),
      strong: fc.boolean(),
    });
  fc.assert(
    fc.property(
      fc.array(verdict(true)),
      fc.array(verdict(false)),
      verdict(true),
      verdict(false),
      fc.double({ min: 0, max: 20, noNaN: true }),
      (pro, contra, more, less, missing) => {
        const { confidence } = scoreOf([...pro, ...contra], missing);
        expect(confidence).toBeGreaterThanOrEqual(0);
        expect(confidence).toBeLessThanOrEqual(0.9);
        expect(scoreOf([...pro, ...contra, more], missing).confidence).toBeGreaterThanOrEqual(confidence);
        expect(scoreOf([...pro, ...contra, less], missing).confidence).toBeLessThanOrEqual(confidence);
      },
    ),
  );
});

test("alternative encodings, texts and other units are left aside", () => {
  const volts = register({ name: "voltage_l1", quantity: "voltage_l1", type: "f32", unit: "V" });
  expect(isMain(volts)).toBe(true);
  expect(isMain({ ...volts, name: "voltage_l1_float" })).toBe(true);
  expect(isMain({ ...volts, name: "voltage_l1_v1" })).toBe(false);
  expect(isMain({ ...volts, type: "str" })).toBe(false);
  expect(isMain({ ...volts, unit: "A" })).toBe(false);
  const said = snapshotOf({ registers: [volts] }, [{ register: volts, value: null, why: "sentinel" }]);
  expect([said.read.size, said.values.size, said.nonsense.size, said.missing.size]).toEqual([1, 0, 0, 0]);
});

test("a pass asks for no word twice, remembers refusals and not lost replies", async () => {
  const asked: string[] = [];
  const replies: BusReply[] = [
    { kind: "words", words: Uint16Array.of(1, 2, 3) },
    { kind: "exception", code: 2 },
    { kind: "timeout" },
    { kind: "words", words: Uint16Array.of(9) },
  ];
  const bus = remembering({
    async read({ fc: code, address, count }) {
      asked.push(`${code}/${address}/${count}`);
      return replies[asked.length - 1]!;
    },
    close: async () => {},
  });
  const read = (address: number, count: number): Promise<BusReply> => {
    const request: BusRead = { unit: 1, fc: 3, address, count, timeout_ms: 100 };
    return bus.read(request);
  };
  await read(10, 3);
  expect(await read(11, 2)).toEqual({ kind: "words", words: Uint16Array.of(2, 3) });
  expect(await read(50, 1)).toEqual({ kind: "exception", code: 2 });
  expect(await read(50, 1)).toEqual({ kind: "exception", code: 2 });
  expect(await read(60, 1)).toEqual({ kind: "timeout" });
  expect(await read(60, 1)).toEqual({ kind: "words", words: Uint16Array.of(9) });
  expect(asked).toEqual(["3/10/3", "3/50/1", "3/60/1", "3/60/1"]);
});
