import fc from "fast-check";
import { expect, test } from "vitest";
import { intensity } from "../../../core/performance/intensity.ts";
import { powerFactorCharge } from "../../../core/performance/powerFactor.ts";
import { quotaCompliance } from "../../../core/performance/quota.ts";
import {
  bandAt,
  costOf_VND,
  type EnergyPart,
  maximumDemand,
  splitByBand,
  type TariffTable,
  twoPartCost_VND,
} from "../../../core/performance/tariff.ts";
import { near } from "./near.ts";

const ZONE = "Asia/Ho_Chi_Minh";
const MON_SAT = [1, 2, 3, 4, 5, 6];
const ALL = [0, 1, 2, 3, 4, 5, 6];
const at = (h: number, m = 0) => h * 60 + m;
const table = (id: string, windows: TariffTable["windows"]): TariffTable => ({
  id,
  valid_from_ms: 0,
  valid_to_ms: null,
  windows,
  document: "test",
});
const legacy = table("legacy", [
  { band: "peak", from_min: at(9, 30), to_min: at(11, 30), weekdays: MON_SAT },
  { band: "peak", from_min: at(17), to_min: at(20), weekdays: MON_SAT },
  { band: "offpeak", from_min: at(22), to_min: at(4), weekdays: ALL },
]);
const qd963 = table("qd963", [
  { band: "peak", from_min: at(17, 30), to_min: at(22, 30), weekdays: MON_SAT },
  { band: "offpeak", from_min: at(0), to_min: at(6), weekdays: ALL },
]);
const prices = { offpeak: 1190, normal: 1833, peak: 3398 };

/** Monday 2026-03-02, local. */
const MONDAY_MS = Date.UTC(2026, 2, 2) - 7 * 3_600_000;
const QUARTER_MS = 900_000;
const monday: readonly EnergyPart[] = Array.from({ length: 96 }, (_, i) => {
  const power_W = i >= 32 && i < 80 ? 800_000 : 150_000;
  const from_ms = MONDAY_MS + i * QUARTER_MS;
  return { from_ms, to_ms: from_ms + QUARTER_MS, energy_Wh: power_W / 4 };
});

test("W26: a Monday by the billing windows before 2026 and by Decision 963", () => {
  const before = splitByBand(monday, [legacy], ZONE);
  near(before.energy_Wh.peak, 4_000_000);
  near(before.energy_Wh.normal, 6_500_000);
  near(before.energy_Wh.offpeak, 900_000);
  near(costOf_VND(before, prices), 26_577_500);
  const after = splitByBand(monday, [qd963], ZONE);
  near(after.energy_Wh.peak, 2_375_000);
  near(after.energy_Wh.normal, 8_125_000);
  near(after.energy_Wh.offpeak, 900_000);
  // Six figures in the worked example.
  near(costOf_VND(after, prices), 24_034_400);
});

test("another table changes cost, never energy", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 96, maxLength: 96 }), (amounts) => {
      const parts = monday.map((part, i) => ({ ...part, energy_Wh: amounts[i]! }));
      const total = amounts.reduce((sum, amount) => sum + amount, 0);
      for (const tables of [[legacy], [qd963], []]) {
        const { energy_Wh, uncovered_Wh } = splitByBand(parts, tables, ZONE);
        expect(energy_Wh.peak + energy_Wh.normal + energy_Wh.offpeak + uncovered_Wh).toBeCloseTo(total, 3);
      }
    }),
  );
});

test("an interval that a band begins inside is split by time and said so", () => {
  const hour = { from_ms: MONDAY_MS + 9 * 3_600_000, to_ms: MONDAY_MS + 10 * 3_600_000, energy_Wh: 600 };
  const split = splitByBand([hour], [legacy], ZONE);
  expect(split.energy_Wh).toEqual({ peak: 300, normal: 300, offpeak: 0 });
  expect(split.splitByTime_Wh).toBe(600);
});

test("a window past midnight belongs to the day it begins on; Sunday has no peak", () => {
  const sunday_ms = MONDAY_MS - 86_400_000;
  expect(bandAt(legacy, sunday_ms + at(10) * 60_000, ZONE)).toBe("normal");
  expect(bandAt(legacy, MONDAY_MS + at(10) * 60_000, ZONE)).toBe("peak");
  expect(bandAt(legacy, MONDAY_MS + at(3, 59) * 60_000, ZONE)).toBe("offpeak");
  expect(bandAt(legacy, MONDAY_MS + at(4) * 60_000, ZONE)).toBe("normal");
  const mondayNight = table("night", [{ band: "offpeak", from_min: at(22), to_min: at(4), weekdays: [1] }]);
  expect(bandAt(mondayNight, MONDAY_MS + at(3) * 60_000, ZONE)).toBe("normal");
  expect(bandAt(mondayNight, MONDAY_MS + at(27) * 60_000, ZONE)).toBe("offpeak");
});

test("tables hold for their own time, and time without one is uncovered", () => {
  const change_ms = MONDAY_MS + at(18) * 60_000;
  const tables = [
    { ...legacy, valid_to_ms: change_ms },
    { ...qd963, valid_from_ms: change_ms },
  ];
  expect(splitByBand(monday, tables, ZONE).energy_Wh.peak / 1000).toBeCloseTo(800 * 3 + 800 * 2 + 150 * 2.5, 6);
  const never = splitByBand(monday, [{ ...legacy, valid_from_ms: change_ms }], ZONE);
  expect(never.uncovered_Wh / 1000).toBeCloseTo(800 * 10 + 150 * 8, 6);
});

test("maximum demand is the mean of a whole half hour; one with a hole has none", () => {
  expect(maximumDemand(monday)).toMatchObject({ from_ms: MONDAY_MS + 8 * 3_600_000, mean_W: 800_000 });
  expect(maximumDemand(monday.slice(0, 1))).toBeNull();
  const spike = monday.map((part, i) => (i === 33 ? { ...part, energy_Wh: 300_000 } : part));
  expect(maximumDemand(spike)!.mean_W).toBe(1_000_000);
  near(twoPartCost_VND(splitByBand(monday, [legacy], ZONE), prices, 235_414, 800_000), 26_577_500 + 188_331_200);
});

test("W25: a power factor of 0.87 costs 3.45 %", () => {
  const charge = powerFactorCharge(186_000, 105_000, 341_000_000);
  near(charge.cosPhi!, 0.870824);
  expect(charge.cosPhiTable).toBe(0.87);
  expect(charge.surcharge_pct).toBe(3.45);
  near(charge.surcharge_VND, 11_764_500);
  near(charge.compensation_kvarh, 14_916.1);
});

test("the surcharge follows the Circular's table", () => {
  for (const [cosPhi, pct] of [
    [0.95, 0],
    [0.9, 0],
    [0.89, 1.12],
    [0.88, 2.27],
    [0.85, 5.88],
    [0.8, 12.5],
    [0.75, 20],
    [0.7, 28.57],
    [0.65, 38.46],
    [0.6, 50],
    [0.55, 52.54],
  ] as const) {
    const reactive = 1000 * Math.tan(Math.acos(cosPhi));
    expect(powerFactorCharge(1000, reactive, 100).surcharge_pct, `cos φ ${cosPhi}`).toBe(pct);
  }
  expect(powerFactorCharge(0, 0, 0).cosPhi).toBeNull();
});

test("W16: intensity is the ratio of sums", () => {
  near(intensity([{ amount: 5210.4 * 1000, output: 8640 }])!, 603.056);
  near(intensity([{ amount: (612.35 + 3434.7) * 1000, output: 8640 }])!, 468.409);
  near(intensity([{ amount: 612.35 + 3434.7, output: 186 }])!, 21.7583);
  expect(
    intensity([
      { amount: 10, output: 10 },
      { amount: 10, output: 40 },
    ]),
  ).toBe(0.4);
  expect(intensity([{ amount: 10, output: 0 }])).toBeNull();
});

test("W27: what has to be bought of the pilot quota", () => {
  const result = quotaCompliance({
    allocation_t: 248_000 + 272_000,
    verifiedDirect_t: 590_000,
    credits_t: 40_000,
    borrowed_t: 20_000,
    creditCap: 0.3,
    borrowCap: 0.15,
  });
  near(result.creditsMax_t, 156_000);
  near(result.borrowMax_t, 78_000);
  near(result.toSurrender_t, 550_000);
  near(result.purchase_t, 10_000);
  expect(result.surplus_t).toBe(0);
});

test("credits and borrowing beyond their caps do not count", () => {
  const result = quotaCompliance({
    allocation_t: 100,
    verifiedDirect_t: 200,
    credits_t: 80,
    borrowed_t: 80,
    creditCap: 0.3,
    borrowCap: 0.15,
  });
  expect(result).toMatchObject({ creditsUsed_t: 30, borrowedUsed_t: 15, purchase_t: 55 });
});
