import fc from "fast-check";
import { expect, test } from "vitest";
import { restatement, reviewBaseYear, splitChange } from "../../../core/performance/change.ts";
import { near } from "./near.ts";

test("W06: what the grid's factor did and what the factory did", () => {
  const split = splitChange({ activity: 8450, factor: 0.6766 }, { activity: 9120, factor: 0.6592 });
  near(split.factorEffect, -158.688);
  near(split.activityEffect, 453.322);
  near((split.change / (8450 * 0.6766)) * 100, 5.1534);
});

test("the two effects add up to the change", () => {
  const value = fc.double({ min: 0, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(value, value, value, value, (a, f, b, g) => {
      const { change } = splitChange({ activity: a, factor: f }, { activity: b, factor: g });
      expect(Math.abs(change - (b * g - a * f))).toBeLessThanOrEqual(1e-9 * Math.max(1, a * f, b * g, a * g, b * f));
    }),
  );
});

test("W23: a provisional factor is replaced, restated and disclosed though not material", () => {
  const result = restatement(7800 * 0.6592 + 2150, 7800 * 0.67 + 2150, 5);
  near(result.before_t, 7291.76);
  near(result.after_t, 7376);
  near(result.delta_t, 84.24);
  near(result.delta_pct!, 1.15528);
  expect(result.isMaterial).toBe(false);
});

test("a fall counts as much as a rise, and any change of nothing is material", () => {
  expect(restatement(100, 94, 5).isMaterial).toBe(true);
  expect(restatement(0, 1, 5)).toMatchObject({ delta_pct: null, isMaterial: true });
  expect(restatement(0, 0, 5).isMaterial).toBe(false);
});

test("W24: an acquisition less a divestment moves the base year", () => {
  const review = reviewBaseYear(
    41_200,
    [
      { kind: "acquired", baseYear_t: 2900, why: "hall 4 bought" },
      { kind: "divested", baseYear_t: 450, why: "paint shop sold" },
      { kind: "outsourced", baseYear_t: 0, why: "none" },
    ],
    5,
  );
  near(review.change_t, 2450);
  near(review.change_pct, 5.9466);
  expect(review.isRecalculated).toBe(true);
  near(review.baseYear_t, 43_650);
});

test("below the threshold the base year stays as it is", () => {
  const review = reviewBaseYear(41_200, [{ kind: "error", baseYear_t: -400, why: "a meter read twice" }], 5);
  expect(review).toMatchObject({ isRecalculated: false, baseYear_t: 41_200, change_t: -400 });
  expect(() => reviewBaseYear(0, [], 5)).toThrow("base year emissions");
});
