import fc from "fast-check";
import { expect, test } from "vitest";
import { conservativeSurrogate, fillGap, type Gap, type GapEvidence } from "../../../core/gap/gapRules.ts";
import { checkAgainst, checkBoiler, frozenStretches, reviewPeriod } from "../../../core/gap/review.ts";
import { near } from "../performance/near.ts";

const HOUR_MS = 3_600_000;
const gapOf = (hours: number): Gap => ({
  device: "incomer",
  quantity: "active_energy_import_total",
  intervals: Array.from({ length: hours }, (_, i) => ({ from_ms: i * HOUR_MS, to_ms: (i + 1) * HOUR_MS })),
});
const fill = (gap: Gap, evidence: GapEvidence) => {
  const result = fillGap(gap, evidence, "energy manager", 1_000);
  if (result.kind !== "filled") throw new Error("the gap was left missing");
  return result.substitution;
};
const sum = (ticks: readonly bigint[]) => ticks.reduce((total, value) => total + value, 0n);

test("W22: the register carries the energy across the gap, a reference day its shape", () => {
  const filled = fill(gapOf(8), {
    register: { before: 715_204_000n, after: 739_612_000n, weights: [310, 305, 300, 298, 340, 420, 610, 720] },
  });
  expect(sum(filled.ticks)).toBe(24_408_000n);
  near(Number(filled.ticks[0]) / 1000, 2290.79);
  near(Number(filled.ticks[7]) / 1000, 5320.54);
  expect(filled).toMatchObject({ rule: "register", flag: "S", isSumMeasured: true, author: "energy manager" });
});

test("W22: a missing analysis is replaced on the safe side", () => {
  const { mean, s, surrogate } = conservativeSurrogate([21.4, 22.1, 20.9, 21.7, 22.6, 21.2]);
  near(mean, 21.65);
  near(s, 0.622093);
  near(surrogate, 22.8942);
  expect(() => conservativeSurrogate([21])).toThrow("no spread");
});

test("the rules are tried in their order, and each that does not apply says why", () => {
  const weeks = Array.from({ length: 4 }, () => [8n, 8n, 8n]);
  const neighbours = { before_ticks_per_s: 1, after_ticks_per_s: 1 };
  expect(fill(gapOf(3), { neighbours, comparableWeeks: { weeks, productionRatio: null } }).rule).toBe(
    "comparable-weeks",
  );
  expect(fill(gapOf(2), { neighbours }).rule).toBe("interpolation");
  const reset = { before: 10n, after: 3n, weights: [] };
  const other = { source: "supplier's meter", ticks: [1n, 2n] };
  expect(fill(gapOf(2), { register: reset, redundantMeter: other, neighbours }).rule).toBe("redundant-meter");
  const left = fillGap(gapOf(3), { neighbours }, "a", 0);
  expect(left).toMatchObject({ kind: "left-missing" });
  if (left.kind === "left-missing") expect(left.tried.map(({ why }) => why)).toContain("longer than two hours");
});

test("whatever the rule knows as a sum is conserved to the tick", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 96 }),
      fc.bigInt({ min: 0n, max: 10n ** 12n }),
      (weights, total) => {
        const filled = fill(gapOf(weights.length), { register: { before: 5n, after: 5n + total, weights } });
        expect(sum(filled.ticks)).toBe(total);
        for (const ticks of filled.ticks) expect(ticks).toBeGreaterThanOrEqual(0n);
        const billed = fill(gapOf(weights.length), { invoice: { document: "bill 7", total, weights } });
        expect(sum(billed.ticks)).toBe(total);
        expect(billed.flag).toBe("E");
      },
    ),
  );
});

test("comparable weeks are a mean, scaled by production where it is known", () => {
  const weeks = [[10n], [12n], [14n], [16n], [1000n]];
  expect(fill(gapOf(1), { comparableWeeks: { weeks, productionRatio: null } }).ticks).toEqual([13n]);
  expect(fill(gapOf(1), { comparableWeeks: { weeks, productionRatio: 2 } }).ticks).toEqual([26n]);
  expect(fillGap(gapOf(1), { comparableWeeks: { weeks: weeks.slice(0, 3), productionRatio: null } }, "a", 0).kind).toBe(
    "left-missing",
  );
});

test("a straight line between two powers", () => {
  const neighbours = { before_ticks_per_s: 0, after_ticks_per_s: 2 };
  expect(fill(gapOf(2), { neighbours }).ticks).toEqual([1800n, 5400n]);
});

test("evidence of another length than the gap is a mistake", () => {
  expect(() => fillGap(gapOf(2), { redundantMeter: { source: "b", ticks: [1n] } }, "a", 0)).toThrow("has 1 intervals");
  expect(() => fillGap({ ...gapOf(1), intervals: [] }, {}, "a", 0)).toThrow("0 intervals");
});

test("too much substituted needs review, too much for a period to be frozen needs approval", () => {
  expect(reviewPeriod({ total: 100, substituted: 4, coverage: 1 }, "month")).toEqual({
    kind: "sound",
    needsApproval: false,
  });
  expect(reviewPeriod({ total: 100, substituted: 11, coverage: 1 }, "month")).toMatchObject({
    kind: "needs-review",
    limit: 0.1,
    needsApproval: true,
  });
  expect(reviewPeriod({ total: 100, substituted: 6, coverage: 1 }, "month")).toEqual({
    kind: "sound",
    needsApproval: true,
  });
  expect(reviewPeriod({ total: 100, substituted: 6, coverage: 1 }, "year").kind).toBe("needs-review");
});

test("with something missing a total is a lower bound, and an empty period is no sound zero", () => {
  expect(reviewPeriod({ total: 100, substituted: 0, coverage: 0.99 }, "month").kind).toBe("lower-bound");
  expect(reviewPeriod({ total: 0, substituted: 0, coverage: 0 }, "year")).toMatchObject({
    kind: "lower-bound",
    coverage: 0,
  });
  expect(reviewPeriod({ total: 0, substituted: 0, coverage: 1 }, "year")).toEqual({
    kind: "sound",
    needsApproval: false,
  });
});

test("a counter that stands still while the power changes is frozen; one at rest is not", () => {
  const samples = (values: readonly number[], loads: readonly (number | null)[]) =>
    values.map((value, i) => ({ at_ms: i * 1000, value, load: loads[i] ?? null }));
  const values = [1, 2, 3, 3, 3, 3, 3, 4];
  expect(frozenStretches(samples(values, [5, 5, 5, 7, 9, 6, 5, 5]), 1000)).toEqual([{ from_ms: 2000, to_ms: 6000 }]);
  expect(frozenStretches(samples(values, [0, 0, 0, 0, 0, 0, 0, 0]), 1000)).toEqual([]);
  expect(frozenStretches(samples(values, []), 1000)).toEqual([]);
});

test("figures are held against invoice, stock and boiler before a period is frozen", () => {
  expect(checkAgainst("invoice", 101.9, 100).isPassed).toBe(true);
  expect(checkAgainst("invoice", 102.1, 100).isPassed).toBe(false);
  expect(checkAgainst("fuel-stock", 97.5, 100).isPassed).toBe(true);
  expect(checkBoiler(0.85).isPassed).toBe(true);
  expect(checkBoiler(85).isPassed).toBe(false);
});
