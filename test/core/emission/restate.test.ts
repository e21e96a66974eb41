import fc from "fast-check";
import { expect, test } from "vitest";
import { type Emission, type Emitter, emissionsOf } from "../../../core/emission/emission.ts";
import type { EmissionFactor } from "../../../core/emission/factor.ts";
import { restate } from "../../../core/emission/restate.ts";
import type { Interval } from "../../../core/interval/interval.ts";

const FROM_MS = Date.UTC(2025, 5, 1);
const factor = (version: string, change: Partial<EmissionFactor> = {}): EmissionFactor => ({
  id: "grid-vn",
  version,
  carrier: "electricity",
  level: "ministry",
  valid_from_ms: Date.UTC(Number(version), 0, 1),
  valid_to_ms: Date.UTC(Number(version) + 1, 0, 1),
  known_from_ms: null,
  basis: "energy_Wh",
  mg_per_basis: { co2: "659.2" },
  stated: { value: "0.6592", unit: "tCO2/MWh" },
  document: "letter",
  sources: [],
  confidence: "official",
  uncertainty_pct: null,
  ...change,
});
const GRID_2023 = factor("2023");
const GRID_2025 = factor("2025", { mg_per_basis: { co2: "670" }, known_from_ms: Date.UTC(2026, 11, 1) });
const GAS: EmissionFactor = {
  ...factor("2006"),
  id: "gas-ipcc",
  carrier: "natural_gas",
  level: "ipcc",
  valid_to_ms: null,
  basis: "fuel_MJ",
  mg_per_basis: { co2: "56100", ch4: "1", n2o: "0.1" },
  ncv: { value: "36.5", unit: "MJ/Nm3", source: "default", confidence: "secondary" },
};

const INCOMER: Emitter = {
  device: "incomer",
  carrier: "electricity",
  role: "import",
  parent: null,
  ncv_MJ_per_Nm3: null,
};
const BOILER: Emitter = { ...INCOMER, device: "boiler", carrier: "natural_gas" };
const quarter = (ticks: bigint, change: Partial<Interval> = {}): Interval => ({
  device: "incomer",
  quantity: "active_energy_import_total",
  from_ms: FROM_MS,
  to_ms: FROM_MS + 900_000,
  tick: { amount: "1", unit: "Wh" },
  ticks,
  flag: "M",
  coverage: 1,
  pollsExpected: 90,
  pollsAnswered: 90,
  cause: null,
  opening: null,
  closing: null,
  ...change,
});
const volume = (ticks: bigint) =>
  quarter(ticks, { device: "boiler", quantity: "volume_base_total", tick: { amount: "0.001", unit: "Nm3" } });
const booked = (interval: Interval, emitter: Emitter, factors: readonly EmissionFactor[], known_ms = FROM_MS) => {
  const result = emissionsOf(interval, emitter, factors, known_ms);
  if (result.kind !== "emissions") throw new Error("nothing was booked");
  return result.entries;
};

test("with the same factors the books stand", () => {
  const held = booked(quarter(1000n), INCOMER, [GRID_2023]);
  expect(restate(quarter(1000n), held, INCOMER, [GRID_2023], FROM_MS)).toEqual({ kind: "stands" });
});

test("a provisional figure is restated once the year's own factor is known, not a day before", () => {
  const held = booked(quarter(1000n), INCOMER, [GRID_2023]);
  expect(held).toMatchObject([{ mg: 659_200n, match: "provisional" }]);
  const factors = [GRID_2023, GRID_2025];
  expect(restate(quarter(1000n), held, INCOMER, factors, Date.UTC(2026, 10, 30))).toEqual({ kind: "stands" });
  expect(restate(quarter(1000n), held, INCOMER, factors, Date.UTC(2026, 11, 1))).toMatchObject({
    kind: "restated",
    entries: [{ gas: "co2", mg: 670_000n, factorVersion: "2025", match: "exact" }],
  });
});

test("a factor that only the gateway has is left alone: this side knows no better", () => {
  const held = booked(quarter(1000n), INCOMER, [GRID_2025], Date.UTC(2027, 0, 1));
  expect(restate(quarter(1000n), held, INCOMER, [GRID_2023], FROM_MS)).toEqual({
    kind: "unknown-factor",
    factor: "grid-vn@2025",
  });
});

test("what was booked without a factor is booked now", () => {
  expect(restate(quarter(1000n), [], INCOMER, [GRID_2023], FROM_MS)).toMatchObject({
    kind: "restated",
    entries: [{ mg: 659_200n }],
  });
  expect(restate(quarter(1000n), [], INCOMER, [], FROM_MS)).toEqual({ kind: "stands" });
});

test("a gas the new factor does not state goes to zero, so that nothing of the old stays in the sum", () => {
  const held = booked(volume(1000n), BOILER, [GAS]);
  expect(held.map(({ gas }) => gas)).toEqual(["co2", "ch4", "n2o"]);
  const own: EmissionFactor = { ...GAS, id: "own-gas", version: "1", level: "own", mg_per_basis: { co2: "55000" } };
  const result = restate(volume(1000n), held, BOILER, [GAS, own], FROM_MS);
  expect(result).toMatchObject({
    kind: "restated",
    entries: [
      { gas: "co2", factorId: "own-gas" },
      { gas: "ch4", mg: 0n, factorId: "own-gas" },
      { gas: "n2o", mg: 0n, factorId: "own-gas" },
    ],
  });
});

test("a meter's own calorific value stays, one that came with the old factor goes with it", () => {
  const richer: EmissionFactor = { ...GAS, version: "2", level: "ministry", ncv: { ...GAS.ncv!, value: "37.68" } };
  const withOwn = { ...BOILER, ncv_MJ_per_Nm3: "38.1" };
  const own = restate(volume(1000n), booked(volume(1000n), withOwn, [GAS]), BOILER, [GAS, richer], FROM_MS);
  expect(own).toMatchObject({ kind: "restated", entries: [{ ncv_MJ_per_Nm3: "38.1" }, {}, {}] });
  const fallback = restate(volume(1000n), booked(volume(1000n), BOILER, [GAS]), BOILER, [GAS, richer], FROM_MS);
  expect(fallback).toMatchObject({ kind: "restated", entries: [{ ncv_MJ_per_Nm3: "37.68" }, {}, {}] });
});

test("restating what has been restated changes nothing", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.integer({ min: 1, max: 2000 }), (ticks, co2) => {
      const interval = quarter(ticks);
      const held: readonly Emission[] = booked(interval, INCOMER, [GRID_2023]);
      const factors = [GRID_2023, { ...GRID_2025, mg_per_basis: { co2: String(co2) } }];
      const known_ms = Date.UTC(2027, 0, 1);
      const once = restate(interval, held, INCOMER, factors, known_ms);
      if (once.kind !== "restated") throw new Error("was to be restated");
      expect(restate(interval, once.entries, INCOMER, factors, known_ms)).toEqual({ kind: "stands" });
      expect(held).toEqual(booked(interval, INCOMER, [GRID_2023]));
    }),
  );
});
