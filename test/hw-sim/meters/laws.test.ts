import { expect, test } from "vitest";
import type { MeterModel, Register } from "../../../core/model/meterModel.ts";
import type { SimMeter } from "../../../hw-sim/meters/simMeter.ts";
import type { LoadSpec } from "../../../hw-sim/simConfig.ts";
import { local, MODELS, meterOf, rawOf, shown } from "../fixture.ts";

/**
 * The physics of every model of the library, seen through its registers alone: an hour of a load, read every minute as a gateway
 * would. What counters moved by is what the gauges beside them add up to, and the gauges of one instant agree with each other.
 */
const SINCE = "2026-03-02";
const FROM = local(`${SINCE}T09:00`);
const MINUTE_ms = 60_000;
const INSTANTS = Array.from({ length: 60 }, (_, minute) => FROM + minute * MINUTE_ms + 30_000);

const ELECTRIC: Readonly<Record<string, LoadSpec>> = {
  "a lagging load": { formula: "60e3 + 9e3 * noise", power_factor: 0.9 },
  "a leading load": { formula: "60e3 + 9e3 * noise", power_factor: { leading: 0.8 } },
  "what feeds back": { formula: "-60e3 - 9e3 * noise", power_factor: 0.9 },
  "a load that turns round": { formula: "if(hour < 9.5, 60e3, -40e3)", power_factor: 0.9 },
};
const FLOW: Readonly<Record<string, LoadSpec>> = { "a flow": { formula: "900 + 90 * noise", unit: "m3/h" } };

const isGenerator = ({ measures }: MeterModel) => measures.includes("pv") || measures.includes("genset");
const CASES = [...MODELS.values()].flatMap((model) =>
  Object.entries(model.measures.includes("electricity") ? ELECTRIC : FLOW).map(
    ([name, load]) => [model.id, name, model, load] as const,
  ),
);

const meterWith = (model: MeterModel, load: LoadSpec) =>
  meterOf({ model: model.id, load, since: SINCE, m3_per_count: 0.1, rated_power_W: 80_000 });

/** What a device shows as numbers; one of SunSpec's integer models has none of its float registers. */
function measured({ discovery, registers }: MeterModel): readonly Register[] {
  return registers.filter(
    ({ kind, name }) =>
      ["gauge", "counter", "daily_counter"].includes(kind) && !(discovery !== undefined && name.endsWith("_float")),
  );
}

/** An optional power sensor of an inverter, without which these are empty (quirks of the Huawei model; Sungrow alike). */
const isOfSensor = ({ name }: Register) => name.startsWith("grid_");

interface Shown {
  /** W, var, VA, m3/h, V, A; kWh, kvarh, kVAh, m3, L, s. */
  readonly value: number;
  /** The register's resolution there, in the same unit. */
  readonly step: number;
}

const IN_UNITS: Readonly<Record<string, number>> = {
  kW: 1000,
  MWh: 1000,
  Mvarh: 1000,
  MVAh: 1000,
  count: 0.1,
  "l/s": 3.6,
};

/** A register without a sign goes on from its end below zero (quirks of Growatt and Sungrow). */
function signed({ type, scale }: Register, value: number): number {
  const range = type === "u16" ? 2 ** 16 : type === "u32" ? 2 ** 32 : Infinity;
  return value > (range * scale) / 2 ? value - range * scale : value;
}

/** As the register shows it; where the model has none, as it is. */
function look(meter: SimMeter, name: string, at_ms: number): Shown {
  const register = meter.model.registers.find((one) => one.name === name);
  if (register === undefined) return { value: Number(meter.gauges(at_ms)[name]), step: 0 };
  const per = IN_UNITS[register.unit] ?? 1;
  const plain = shown(meter, name, at_ms);
  const value = signed(register, plain);
  if (register.type === "f32" || register.type === "f64")
    return { value: value * per, step: Math.abs(value * per) / 2 ** 22 };
  const raw = Number(rawOf(meter, name, at_ms));
  return { value: value * per, step: (raw === 0 ? register.scale : Math.abs(plain / raw)) * per };
}

type Read = (name: string) => number;

const plus = (value: number) => Math.max(0, value);

/** What a counter moves by in an hour, in its unit, from the gauges of the meter; null = no law is known here. */
function rateOf(model: MeterModel, name: string): ((read: Read) => number) | null {
  const phase = /_(l[123])(_|$)/.exec(name)?.[1] ?? "total";
  const p = (read: Read) => read(`active_power_${phase}`) / 1000;
  const q = (read: Read) => read("reactive_power_total") / 1000;
  const s = (read: Read) => read("apparent_power_total") / 1000;
  const drawn = (read: Read) => (isGenerator(model) ? -p(read) : p(read));
  const laws: readonly [RegExp, (read: Read) => number][] = [
    [/_tariff2|_mode2|_error_|^engine_starts/, () => 0],
    [/^active_energy_import/, (read) => plus(drawn(read))],
    [/^active_energy_export/, (read) => plus(-drawn(read))],
    [/^active_energy_net/, p],
    [/^active_energy_(total|sum)/, (read) => Math.abs(p(read))],
    [/^reactive_energy_(import|inductive)/, (read) => plus(q(read))],
    [/^reactive_energy_(export|capacitive)/, (read) => plus(-q(read))],
    [/^reactive_energy_total/, (read) => Math.abs(q(read))],
    [/^reactive_energy_q1/, (read) => (p(read) > 0 ? plus(q(read)) : 0)],
    [/^reactive_energy_q2/, (read) => (p(read) < 0 ? plus(q(read)) : 0)],
    [/^reactive_energy_q3/, (read) => (p(read) < 0 ? plus(-q(read)) : 0)],
    [/^reactive_energy_q4/, (read) => (p(read) > 0 ? plus(-q(read)) : 0)],
    [/^apparent_energy_import/, (read) => (drawn(read) > 0 ? s(read) : 0)],
    [/^apparent_energy_export/, (read) => (drawn(read) < 0 ? s(read) : 0)],
    [/^apparent_energy/, s],
    [/^volume_base/, (read) => read("flow_base")],
    [/^volume_measured/, (read) => read("flow_measured")],
    [/^volume_total/, (read) => read("volume_flow")],
    [/^thermal_energy/, (read) => read("thermal_power") / 1000],
    [/^engine_run_time/, (read) => (p(read) === 0 ? 0 : 3600)],
    [/^fuel_used/, (read) => 0.27 * plus(p(read))],
  ];
  return laws.find(([of]) => of.test(name))?.[1] ?? null;
}

test.each(CASES)("%s under %s shows a number for everything it measures", (_id, name, model, load) => {
  const meter = meterWith(model, load);
  const isAsleep = isGenerator(model) && name !== "a lagging load" && name !== "a leading load";
  for (const register of measured(model)) {
    // Nothing is generated then: no power factor.
    if (isOfSensor(register) || (isAsleep && register.name.startsWith("power_factor"))) continue;
    expect(meter.unserved, register.name).not.toContain(register.name);
    expect(shown(meter, register.name, INSTANTS[0]!), register.name).not.toBeNaN();
  }
});

test.each(CASES)("%s under %s counts what its power or flow comes to in an hour", (_id, _name, model, load) => {
  const meter = meterWith(model, load);
  const counters = measured(model).filter(
    (one) => (one.kind !== "gauge" || one.name === "active_energy_net_total") && !isOfSensor(one),
  );
  for (const { name } of counters) {
    if (name.endsWith("_int")) continue;
    const rate = rateOf(model, name);
    if (rate === null) throw new Error(`no law for ${name}`);
    let step = 0;
    const expected = INSTANTS.map((at_ms) =>
      rate((gauge) => {
        const seen = look(meter, gauge, at_ms);
        step = Math.max(step, seen.step);
        return seen.value;
      }),
    ).reduce((sum, perHour) => sum + perHour / INSTANTS.length, 0);
    const [before, after] = [look(meter, name, FROM), look(meter, name, FROM + 60 * MINUTE_ms)];
    // Two floors of the counter, the gauge's last digit, and one part in 10⁵ for the single floats on the way.
    const slack = after.step * 2 + step + Math.abs(expected) / 1e5;
    const moved = after.value - before.value;
    expect(Math.abs(moved - expected), `${name} moved by ${moved}, not ${expected}`).toBeLessThanOrEqual(slack);
  }
});

test.each(CASES)("%s under %s: S² = P² + Q², phases add up, U·I = S, PF = P / S", (_id, _name, model, load) => {
  const meter = meterWith(model, load);
  if (!model.measures.includes("electricity")) return;
  const at_ms = INSTANTS[40]!;
  const see = (name: string) => look(meter, name, at_ms);
  const has = (name: string) => model.registers.some((one) => one.name === name);
  const phases = model.phases === 3 ? ["l1", "l2", "l3"] : [];
  for (const part of ["total", ...phases]) {
    const [p, q, s] = ["active", "reactive", "apparent"].map((kind) => see(`${kind}_power_${part}`)) as [
      Shown,
      Shown,
      Shown,
    ];
    expect(Math.abs(Math.hypot(p.value, q.value) - s.value), part).toBeLessThanOrEqual(
      p.step + q.step + s.step + s.value / 1e9,
    );
    if (has(`power_factor_${part}`) && s.value > 0) {
      const factor = see(`power_factor_${part}`);
      const { coding } = model.registers.find((one) => one.name === `power_factor_${part}`)!;
      const size = Math.abs(factor.value) > 1 ? 2 - Math.abs(factor.value) : Math.abs(factor.value);
      const isGiven = !(isGenerator(model) && p.value <= 0);
      if (isGiven) expect(size, part).toBeCloseTo(Math.abs(p.value) / s.value, 1);
      if (isGiven && coding === undefined) expect(Math.sign(factor.value), part).toBe(Math.sign(p.value));
    }
    for (const [way, sign] of [
      ["inductive", 1],
      ["capacitive", -1],
    ] as const) {
      const name = `reactive_power_${way}_${part}`;
      if (has(name))
        expect(see(name).value, name).toBeCloseTo(
          plus(sign * Number(meter.gauges(at_ms)[`reactive_power_${part}`])),
          -1,
        );
    }
  }
  for (const kind of ["active", "reactive", "apparent"]) {
    if (phases.length === 0) break;
    const parts = phases.map((phase) => see(`${kind}_power_${phase}`));
    const total = see(`${kind}_power_total`);
    const slack = parts.reduce((sum, { step }) => sum + step, total.step + Math.abs(total.value) / 1e9);
    expect(Math.abs(parts.reduce((sum, { value }) => sum + value, 0) - total.value), kind).toBeLessThanOrEqual(slack);
  }
  for (const phase of model.phases === 3 ? phases : ["l1"]) {
    const [volts, amps] = [see(`voltage_${phase}`), see(`current_${phase}`)];
    const s = see(`apparent_power_${model.phases === 3 ? phase : "total"}`);
    const slack = s.step + volts.value * amps.step + amps.value * volts.step + s.value / 1e5;
    expect(Math.abs(volts.value * amps.value - s.value), phase).toBeLessThanOrEqual(slack);
  }
});

test("a counter that is told in two registers is the sum of both", () => {
  const meter = meterWith(MODELS.get("carlo-gavazzi-em111")!, ELECTRIC["a load that turns round"]!);
  for (const way of ["import", "export"]) {
    const of = (name: string) => shown(meter, `active_energy_${way}_${name}`, INSTANTS[59]!);
    expect(of("int") + of("frac")).toBeCloseTo(of("hires"), 9);
    expect(of("frac")).toBeLessThan(1);
  }
});

test("a yield of the day begins again at local midnight, and the days add up to the total", () => {
  const meter = meterWith(MODELS.get("sma-inverter")!, { formula: "50e3" });
  const midnight = local("2026-03-05");
  const today = (at_ms: number) => shown(meter, "active_energy_export_today", at_ms);
  const total = (at_ms: number) => shown(meter, "active_energy_export_total", at_ms);
  expect(today(midnight)).toBe(0);
  expect(today(midnight - 1)).toBeCloseTo(50 * 24, 2);
  expect(today(midnight + 1000 * MINUTE_ms)).toBeCloseTo(total(midnight + 1000 * MINUTE_ms) - total(midnight), 2);
});

test("a generating set stands without a load: no speed, no voltage, no hours; each start is counted", () => {
  const meter = meterWith(MODELS.get("deepsea-dse-gencomm")!, { formula: "if(between(hour, 9, 17), 60e3, 0)" });
  const [night, noon] = [local(`${SINCE}T20:00`), local("2026-03-04T12:00")];
  const at = (name: string, at_ms: number) => shown(meter, name, at_ms);
  for (const name of ["engine_speed", "voltage_l1", "current_l1", "frequency", "oil_pressure", "load_percent"]) {
    expect(at(name, night), name).toBe(0);
    expect(at(name, noon), name).toBeGreaterThan(0);
  }
  expect([at("engine_status", night), at("engine_status", noon), at("control_mode", noon)]).toEqual([0, 3, 1]);
  expect([at("engine_starts", night), at("engine_starts", noon)]).toEqual([1, 3]);
  expect(at("engine_run_time", noon)).toBe((8 + 8 + 3) * 3600);
  expect(at("fuel_used_total", noon)).toBe(Math.floor(0.27 * 60 * (8 + 8 + 3)));
  expect(at("fuel_level", noon)).toBeLessThan(at("fuel_level", local("2026-03-02T08:00")));
});

test("a state stands in the maker's own number, and nowhere where the model file does not tell it", () => {
  const status = (id: string, at_ms: number) => {
    const meter = meterWith(MODELS.get(id)!, { formula: "if(between(hour, 9, 17), 60e3, 0)" });
    return rawOf(meter, id === "comap-intelilite4" ? "engine_status" : "status", at_ms);
  };
  const [night, noon] = [local(`${SINCE}T20:00`), local(`${SINCE}T12:00`)];
  expect([status("sma-inverter", night), status("sma-inverter", noon)]).toEqual([303, 307]);
  expect([status("growatt-min-mic", night), status("growatt-min-mic", noon)]).toEqual([0, 1]);
  expect([status("comap-intelilite4", night), status("comap-intelilite4", noon)]).toEqual([1, 8]);
  expect([status("sunspec-inverter-101-103", night), status("sunspec-inverter-101-103", noon)]).toEqual([2, 4]);
  expect(status("huawei-sun2000", noon)).toBe(0xffff);
});

test("a heat meter's power is its flow times the warmth the water gives, and only the first direction counts", () => {
  const meter = meterWith(MODELS.get("onicon-system-10")!, { formula: "20", unit: "m3/h" });
  const at = (name: string) => shown(meter, name, INSTANTS[0]!);
  const spread_K = at("temperature_supply") - at("temperature_return");
  expect(spread_K).toBeGreaterThan(15);
  expect(at("thermal_power") / (20_000 * 1.163 * spread_K)).toBeCloseTo(1, 3);
  expect(at("volume_total_litres_mode1")).toBeCloseTo(at("volume_total_mode1"), 1);
  expect([at("volume_total_mode2"), at("thermal_energy_total_mode2")]).toEqual([0, 0]);
});
