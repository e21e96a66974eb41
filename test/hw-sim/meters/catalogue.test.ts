import fc from "fast-check";
import { expect, test } from "vitest";
import type { MeterModel, Register } from "../../../core/model/meterModel.ts";
import { QUANTITIES } from "../../../core/units/quantities.ts";
import { rolloverRaw } from "../../../drivers/modbus/encode.ts";
import type { SimMeter } from "../../../hw-sim/meters/simMeter.ts";
import type { LoadSpec, SimMeterSpec } from "../../../hw-sim/simConfig.ts";
import { local, MODELS, meterOf, rawOf } from "../fixture.ts";

/**
 * Every counter register of every model against the exact counter behind it: completed steps, the model's own range, the nearest
 * float. The worth of a count is taken from the model file here, by hand, not from the code that encodes.
 */
const SINCE = "2026-03-01";
const FROM = local(SINCE);

function spec(model: MeterModel, start?: number): Omit<SimMeterSpec, "unit"> {
  const measures = new Set(model.measures);
  const load: LoadSpec = measures.has("gas")
    ? { shape: "gas-boiler", peak_m3_per_h: 900 }
    : measures.has("water") && !measures.has("electricity")
      ? { shape: "process-water", peak_m3_per_h: 900 }
      : measures.has("pv")
        ? { shape: "solar", peak_W: 900_000 }
        : { shape: "three-shift", peak_W: 900_000 };
  return { model: model.id, load, since: SINCE, m3_per_count: 0.1, ...(start === undefined ? {} : { start }) };
}

const COUNTERS = [...MODELS.values()].flatMap((model) => {
  const meter = meterOf(spec(model));
  const registers = model.registers.filter(
    (one) =>
      one.kind === "counter" &&
      one.quantity !== undefined &&
      QUANTITIES[one.quantity].kind === "counter" &&
      !meter.unserved.includes(one.name) &&
      !(model.discovery !== undefined && one.name.endsWith("_float")),
  );
  return registers.map((register) => [model.id, register.name, model, register] as const);
});

/** Wh (varh, VAh, m3) of one raw count. */
function worth({ unit, scale }: Register): number {
  const perUnit: Readonly<Record<string, number>> = {
    MWh: 1e6,
    kWh: 1e3,
    kvarh: 1e3,
    kVAh: 1e3,
    Mvarh: 1e6,
    count: 0.1,
    L: 1e-3,
    MVAh: 1e6,
  };
  return scale * (perUnit[unit] ?? 1);
}

const TICKS = { Wh: 3_600_000n, m3: 3_600_000_000n } as const;
const perUnit = (register: Register) => (/m3|L|count/.test(register.unit) ? TICKS.m3 : TICKS.Wh);

/** raw = ticks / (worth x ticks of a unit), as an exact fraction: worths have at most six decimals. */
function exactRaw(meter: SimMeter, register: Register, at: number): { readonly over: bigint; readonly under: bigint } {
  const under = BigInt(Math.round(worth(register) * 1e6)) * perUnit(register);
  return { over: meter.ticks(register.quantity!, at) * 1_000_000n, under };
}

const times = fc.array(fc.integer({ min: FROM, max: FROM + 3 * 86_400_000 }), { minLength: 4, maxLength: 8 });

test("the library has counters of every kind to look at", () => {
  expect(COUNTERS.length).toBeGreaterThan(100);
  expect(new Set(COUNTERS.map(([, , , { type }]) => type)).size).toBeGreaterThanOrEqual(5);
});

test.each(COUNTERS)(
  "%s %s shows what was counted, at every instant, in its own resolution",
  (_model, name, model, register) => {
    const meter = meterOf(spec(model, 123.456));
    fc.assert(
      fc.property(times, (instants) => {
        for (const at of instants) {
          const { over, under } = exactRaw(meter, register, at);
          const raw = rawOf(meter, name, at);
          if (register.type === "f32") expect(raw).toBe(Math.fround(Number(over) / Number(under)));
          else if (register.type === "f64") expect(Number(raw)).toBeCloseTo(Number(over) / Number(under), 6);
          else expect(BigInt(raw)).toBe((over / under) % rolloverRaw(register));
        }
      }),
      { numRuns: 5 },
    );
  },
);

/** Main counters that begin at the configured start value. */
const MAIN = new Set([
  "active_energy_import_total",
  "active_energy_export_total",
  "volume_base_total",
  "volume_total_1",
]);
const WRAPPING = COUNTERS.filter(([, , model, register]) => {
  if (!MAIN.has(register.quantity!) || register.type === "f32" || register.type === "f64") return false;
  if (register.quantity === "active_energy_export_total" && !model.measures.includes("pv")) return false;
  // The configuration takes start values up to 10^9 kWh or m3.
  const end = (Number(rolloverRaw(register)) * worth(register)) / (perUnit(register) === TICKS.Wh ? 1000 : 1);
  return end < 1e9;
});

test.each(WRAPPING)(
  "%s %s put in just below its end wraps to zero as the model says",
  (_model, name, model, register) => {
    const range = rolloverRaw(register);
    const perStart = perUnit(register) === TICKS.Wh ? 1000 : 1;
    // Two steps before the end, as kWh or m3.
    const start = ((Number(range) - 2) * worth(register)) / perStart;
    const meter = meterOf(spec(model, start));
    expect(BigInt(rawOf(meter, name, FROM))).toBe(range - 2n);
    const end = FROM + 20 * 86_400_000;
    const counted = (at: number) => {
      const { over, under } = exactRaw(meter, register, at);
      return over / under;
    };
    expect(counted(end) >= range).toBe(true);
    expect(BigInt(rawOf(meter, name, end))).toBe(counted(end) - range);
    // Minute by minute around the end nothing is skipped: the register is the count, less the range once it is passed.
    let [below, above] = [FROM, end];
    while (above - below > 1) {
      const middle = Math.floor((below + above) / 2);
      if (counted(middle) >= range) above = middle;
      else below = middle;
    }
    expect(BigInt(rawOf(meter, name, below))).toBe(range - 1n);
    expect(BigInt(rawOf(meter, name, above))).toBe(0n);
  },
);

test("models that wrap early enough to be tried are there", () => {
  expect(WRAPPING.length).toBeGreaterThan(8);
});
