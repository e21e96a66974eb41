import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type AdjustedPoint,
  type BaselinePoint,
  coolingDegreeDays,
  expectedEnergy,
  failedTests,
  fitBaseline,
  forecastYear,
  MONTHLY_ACCEPTANCE,
  outsideRange,
  reportedPerformance,
} from "../../../core/performance/baseline.ts";
import { studentQuantile } from "../../../core/performance/student.ts";
import { near } from "./near.ts";

const production_t = [820, 760, 905, 980, 1010, 1055, 1100, 1080, 990, 940, 875, 845];
const energy_MWh = [412, 395, 441, 468, 475, 492, 508, 503, 470, 455, 432, 421];
const year: readonly BaselinePoint[] = production_t.map((t, i) => ({ x: [t], energy: energy_MWh[i]! }));
const reporting: readonly AdjustedPoint[] = [850, 790, 930, 1000, 1040, 1075].map((t, i) => ({
  x: [t],
  energy: [414, 392, 437, 460, 472, 481][i]!,
  adjustment: 0,
}));

test("W17: baseline by least squares, EnPI and CUSUM", () => {
  const baseline = fitBaseline(["production"], year);
  near(baseline.intercept.value, 136.768);
  near(baseline.slopes[0]!.value, 0.337217);
  near(baseline.r2, 0.998666);
  near(baseline.rmse, 1.3955);
  near(baseline.cvRmse * 100, 0.30603);
  const result = reportedPerformance(baseline, reporting);
  near(result.expected, 2737.69);
  near(result.actual, 2656);
  near(result.saving, 81.6861);
  near(result.savingShare * 100, 2.98376);
  near(result.enpi, 0.970162);
  for (const [i, value] of [-9.40234, -20.5717, -33.9514, -47.9363, -63.4099, -81.6861].entries()) {
    near(result.cusum[i]!, value);
  }
  expect(failedTests(baseline, MONTHLY_ACCEPTANCE)).toEqual([]);
  expect(result.isSignificant).toBe(true);
});

test("two drivers of very different size are found exactly where the energy follows them", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -50, max: 50, noNaN: true }),
      fc.double({ min: 0.01, max: 10, noNaN: true }),
      fc.double({ min: -5, max: 5, noNaN: true }),
      fc.uniqueArray(fc.integer({ min: 0, max: 20_000 }), { minLength: 8, maxLength: 40 }),
      (a, b, c, tonnes) => {
        const points = tonnes.map((t, i) => {
          const degreeDays = ((i * 37) % 11) + i * 0.1;
          return { x: [t, degreeDays], energy: a + b * t + c * degreeDays };
        });
        const fit = fitBaseline(["t", "cdd"], points);
        for (const { x, energy } of points) {
          expect(Math.abs(expectedEnergy(fit, x) - energy)).toBeLessThan(1e-6 * Math.max(1, Math.abs(energy)));
        }
      },
    ),
  );
});

test("residuals of a fit add up to nothing, so the baseline year itself saves nothing", () => {
  const baseline = fitBaseline(["production"], year);
  const own = reportedPerformance(
    baseline,
    year.map((point) => ({ ...point, adjustment: 0 })),
  );
  expect(Math.abs(own.saving)).toBeLessThan(1e-8);
});

test("a baseline on noise fails its acceptance tests and says which", () => {
  const noise = [5, 9, 4, 8, 3, 9, 5, 8, 4, 9].map((energy, i) => ({ x: [100 + i], energy }));
  const failed = failedTests(fitBaseline(["production"], noise), MONTHLY_ACCEPTANCE);
  expect(failed.map(({ test }) => test)).toEqual(expect.arrayContaining(["points", "r2", "cv-rmse", "t"]));
});

test("a driver that lowers energy where it should raise it is implausible, unless it is expected to", () => {
  const falling = Array.from({ length: 12 }, (_, i) => ({ x: [i], energy: 500 - 10 * i + (i % 2) }));
  const baseline = fitBaseline(["solar"], falling);
  expect(failedTests(baseline, MONTHLY_ACCEPTANCE).map(({ test }) => test)).toContain("sign");
  expect(failedTests(baseline, MONTHLY_ACCEPTANCE, new Set(["solar"]))).toEqual([]);
});

test("a driver a tenth of its range outside what the baseline saw is named", () => {
  const baseline = fitBaseline(["production"], year);
  expect(outsideRange(baseline, [1130])).toEqual([]);
  expect(outsideRange(baseline, [1140])).toEqual(["production"]);
  expect(outsideRange(baseline, [700])).toEqual(["production"]);
});

test("an adjustment for a new line raises the expectation", () => {
  const baseline = fitBaseline(["production"], year);
  const adjusted = reportedPerformance(
    baseline,
    reporting.map((point) => ({ ...point, adjustment: 10 })),
  );
  near(adjusted.expected, 2737.69 + 60);
});

test("the year is forecast from what was measured and what the baseline expects, with a band that narrows", () => {
  const baseline = fitBaseline(["production"], year);
  const rest = [[980], [940], [900], [870], [850], [840]];
  const early = forecastYear(baseline, 2656, rest);
  const late = forecastYear(baseline, 2656, rest.slice(3));
  near(early.value, 2656 + rest.reduce((sum, x) => sum + expectedEnergy(baseline, x), 0));
  expect(early.high - early.low).toBeGreaterThan(late.high - late.low);
  expect(forecastYear(baseline, 2656, [])).toEqual({ value: 2656, low: 2656, high: 2656 });
});

test("the forecast's band holds nineteen truths of twenty", () => {
  let seed = 12_345;
  const unit = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit());
  const truth = (t: number) => 100 + 0.3 * t + 5 * normal();
  let inside = 0;
  for (let run = 0; run < 2000; run++) {
    const fit = fitBaseline(
      ["t"],
      production_t.map((t) => ({ x: [t], energy: truth(t) })),
    );
    const rest = [[800], [900], [1000]];
    const real = rest.reduce((sum, [t]) => sum + truth(t!), 0);
    const { low, high } = forecastYear(fit, 0, rest);
    if (low <= real && real <= high) inside += 1;
  }
  expect(inside / 2000).toBeGreaterThan(0.935);
  expect(inside / 2000).toBeLessThan(0.965);
});

test("drivers that say the same, never change or are too few points are refused", () => {
  const twice = year.map(({ x, energy }) => ({ x: [x[0]!, 2 * x[0]!], energy }));
  expect(() => fitBaseline(["a", "b"], twice)).toThrow("depend on each other");
  expect(() =>
    fitBaseline(
      ["a"],
      year.map(({ energy }) => ({ x: [7], energy })),
    ),
  ).toThrow("never changes");
  expect(() => fitBaseline(["a"], year.slice(0, 2))).toThrow("2 points");
  expect(() => fitBaseline(["a", "b"], year)).toThrow("has 1 drivers");
});

test("quantiles of Student's t agree with the printed tables", () => {
  for (const [p, df, t] of [
    [0.975, 1, 12.7062],
    [0.975, 10, 2.22814],
    [0.95, 5, 2.01505],
    [0.995, 30, 2.75],
    [0.975, 1000, 1.96234],
  ] as const) {
    near(studentQuantile(p, df), t);
  }
});

test("cooling degree days count only what is above the base", () => {
  expect(coolingDegreeDays([20, 24, 28, 30], 24)).toBe(10);
});
