import fc from "fast-check";
import { expect, test } from "vitest";
import { type Moment, parseFormula } from "../../../hw-sim/profiles/formula.ts";
import type { LoadSpec } from "../../../hw-sim/simConfig.ts";
import { local, meterOf, shown, simOf } from "../fixture.ts";

const NOON: Moment = { hour: 12, weekday: 3, day: 100, month: 4, holiday: 0, noise: 0.25 };
const value = (text: string, moment: Partial<Moment> = {}) => parseFormula(text, "load")({ ...NOON, ...moment });

test.each<[string, number]>([
  ["200e3 + 50e3 * sin(2 * pi * hour / 24)", 200_000 + 50_000 * Math.sin(Math.PI)],
  ["1 + 2 * 3", 7],
  ["(1 + 2) * 3", 9],
  ["10 - 4 - 3", 3],
  ["24 / 4 / 2", 3],
  ["2 ^ 3 ^ 2", 512],
  ["-2 ^ 2", -4],
  ["2 ^ -1", 0.5],
  ["-7 % 3", 2],
  ["- - 3", 3],
  [".5 + 1. + 1e2", 101.5],
  ["if(weekday < 6, 10, 20)", 10],
  ["if(weekday >= 6, 10, if(holiday == 1, 30, 20))", 20],
  ["between(hour, 6, 12) + between(hour, 12, 13)", 1],
  ["clamp(hour, 0, 8) + min(3, 1, 2) + max(3, 1, 2)", 12],
  ["abs(-3) + floor(2.7) + ceil(2.2) + round(2.5) + sqrt(16)", 15],
  ["exp(log(5)) + cos(0) + e * 0", 6],
  ["noise * 4 + month + day", 105],
  ["1 < 2 == 1", 1],
])("%s is %s", (text, expected) => {
  expect(value(text)).toBeCloseTo(expected, 9);
});

test.each<[string, number, RegExp]>([
  ["", 1, /something is missing/],
  ["200e3 +", 8, /something is missing at the end/],
  ["200 300", 5, /"300" is not expected here/],
  ["sinn(1)", 1, /"sinn" is not known \(allowed: hour, weekday, .*if\)/],
  ["(1 + 2", 7, /"\)" is expected at the end/],
  ["1 + 2)", 6, /"\)" is not expected/],
  ["min(1)", 1, /min takes 2 to 10 values, not 1/],
  ["hour = 3", 6, /"=" does not belong/],
  ["process.exit(1)", 8, /"\." does not belong/],
  ["process(1)", 1, /"process" is not known/],
  ["constructor(1)", 1, /"constructor" is not known/],
  ["hour constructor 3", 6, /"constructor" is not expected/],
  ["sin 3", 5, /"\(" is expected, not "3"/],
  ["(".repeat(100), 66, /nested deeper than 64/],
  ["-".repeat(100), 66, /nested deeper than 64/],
])("%s is refused at column %s", (text, column, why) => {
  expect(() => parseFormula(text, "line.load.formula")).toThrow(why);
  expect(() => parseFormula(text, "line.load.formula")).toThrow(`line.load.formula: column ${column} of the formula`);
});

test("no text whatever does anything but give a formula or say what is wrong", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), (text) => {
      try {
        expect(typeof parseFormula(text, "x")(NOON)).toBe("number");
      } catch (error) {
        expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      }
    }),
    { numRuns: 500 },
  );
});

test("a formula as a load: a quarter of an hour at its middle, exact in the register", () => {
  const meter = meterOf({ model: "schneider-pm5000", load: { formula: "1000 * hour", power_factor: 0.8 } });
  const at = local("2026-03-02T10:05");
  expect(meter.gauges(at).active_power_total).toBe(10_125);
  expect(meter.gauges(at).power_factor_total).toBeCloseTo(0.8, 3);
  const day =
    meter.ticks("active_energy_import_total", local("2026-03-03")) -
    meter.ticks("active_energy_import_total", local("2026-03-02"));
  expect(day).toBe(
    BigInt(Array.from({ length: 96 }, (_, i) => Math.round((1000 * (i + 0.5)) / 4) * 900_000).reduce((a, b) => a + b)),
  );
});

test("a formula beyond the world of meters is refused, as a column of a file is", () => {
  const built = (load: LoadSpec) => () => meterOf({ model: "schneider-pm5000", load });
  expect(built({ formula: "1e12" })).toThrow(/load\.formula: gives 1000000000000, more than 1000000000 W/);
  expect(built({ formula: "-1e9 - 1" })).toThrow(/more than 1000000000 W/);
  expect(built({ formula: "1e9" })).not.toThrow();
  expect(built({ formula: "2e6", unit: "m3/h" })).toThrow(/gives 2000000, more than 1000000 m3\/h/);
});

test("a formula below zero feeds in; as gas it is refused, and so is one that gives no number", () => {
  const meter = meterOf({ model: "schneider-pm5000", load: { formula: "if(hour < 12, -5000, 3000)" } });
  expect(shown(meter, "active_power_total", local("2026-03-02T08:00"))).toBe(-5000);
  const grown = (quantity: "active_energy_import_total" | "active_energy_export_total") =>
    meter.ticks(quantity, local("2026-03-03")) - meter.ticks(quantity, local("2026-03-02"));
  expect(grown("active_energy_export_total")).toBe(5000n * 43_200_000n);
  expect(grown("active_energy_import_total")).toBe(3000n * 43_200_000n);
  const gas = (formula: string) => () =>
    simOf([{ unit: 9, model: "sick-flowsic500", m3_per_count: 0.1, load: { formula, unit: "m3/h" } }]);
  expect(gas("hour - 1")).toThrow(/a flow below 0; write max\(0, …\)/);
  expect(gas("1 / (hour - hour)")).toThrow(/gives no number on 1\/1 at hour 0/);
});
