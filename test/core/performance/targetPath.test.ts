import { expect, test } from "vitest";
import {
  allowed_t,
  carbonBudget,
  gapToPath_t,
  SBTI_ANNUAL_REDUCTION,
  type TargetPath,
  zeroYear,
} from "../../../core/performance/targetPath.ts";
import { near } from "./near.ts";

const line: TargetPath = { kind: "linear", baseYear: 2023, base_t: 48_000, targetYear: 2050, residual_t: 0 };
const contraction: TargetPath = {
  kind: "contraction",
  baseYear: 2023,
  base_t: 48_000,
  annualReduction: SBTI_ANNUAL_REDUCTION,
  countsFrom: 2023,
};

test("W18: the linear path to 2050 and the path of 4.2 % a year", () => {
  near(allowed_t(line, 2026), 42_666.7);
  near(allowed_t(line, 2030), 35_555.6);
  near(allowed_t(contraction, 2026), 41_952);
  near(allowed_t(contraction, 2030), 33_888);
  near(zeroYear(contraction)!, 2046.81);
  near(gapToPath_t(line, 2026, 45_100), 2433.33);
  near(gapToPath_t(contraction, 2026, 45_100), 3148);
});

test("W19: the budget of the linear path and the years left at the current rate", () => {
  const actual_t = new Map([
    [2024, 47_800],
    [2025, 46_900],
    [2026, 45_100],
  ]);
  const budget = carbonBudget(line, 2050, actual_t);
  near(budget.budget_t, 624_000);
  near(budget.spent_t, 139_800);
  near(budget.left_t, 484_200);
  near(budget.shareSpent * 100, 22.4038);
  near(budget.yearsLeft!, 10.7361);
});

test("a path starts at the base year's figure, ends at its residue and stays there", () => {
  const path: TargetPath = { ...line, residual_t: 4800 };
  expect(allowed_t(path, 2023)).toBe(48_000);
  expect(allowed_t(path, 2050)).toBe(4800);
  expect(allowed_t(path, 2060)).toBe(4800);
  expect(zeroYear(path)).toBeNull();
});

test("a contraction ends at zero and never goes below", () => {
  expect(allowed_t(contraction, 2047)).toBe(0);
  expect(allowed_t(contraction, 2100)).toBe(0);
});

test("counted from 2020, a later base year owes the years since then at once", () => {
  const late: TargetPath = { ...contraction, countsFrom: 2020 };
  expect(allowed_t(late, 2023)).toBe(48_000);
  near(allowed_t(late, 2024), 48_000 * (1 - 0.042 * 4));
});

test("a budget nobody has drawn on has no years left to tell", () => {
  const budget = carbonBudget(line, 2050, new Map());
  expect(budget.spent_t).toBe(0);
  expect(budget.yearsLeft).toBeNull();
});

test("years before the base year and paths that are none are refused", () => {
  expect(() => allowed_t(line, 2022)).toThrow("before the base year");
  expect(() => carbonBudget(line, 2023, new Map())).toThrow("ends before");
  expect(() => carbonBudget(line, 2050, new Map([[2023, 1]]))).toThrow("not after the base year");
  expect(() => allowed_t({ ...line, targetYear: 2020 }, 2024)).toThrow("not after the base year");
  expect(() => allowed_t({ ...contraction, annualReduction: 4.2 }, 2024)).toThrow("not within 0 … 1");
});
