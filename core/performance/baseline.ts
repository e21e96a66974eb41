import { studentQuantile } from "./student.ts";

/**
 * An energy baseline: energy as a straight function of what drives it (production, cooling degree days, working days),
 * fitted by least squares, with the tests that say whether it may be used (methods §6, W17).
 *
 * Source   ISO 50006, IPMVP option C and ASHRAE guideline 14, recalled.
 * Limits   2 … 5,000 points and at most 10 drivers; more is a caller's mistake. Points without one of the drivers are the
 *          caller's to leave out: nothing is filled in here.
 */
export interface BaselinePoint {
  readonly energy: number;
  /** One value a driver, in the order of `drivers`. */
  readonly x: readonly number[];
}

export interface Coefficient {
  readonly name: string;
  readonly value: number;
  readonly standardError: number;
  /** value / standardError; infinite for a perfect fit. */
  readonly t: number;
  /** Observed in the baseline period; outside by more than a tenth of it, a prediction is a warning. */
  readonly range: { readonly min: number; readonly max: number } | null;
}

export interface Baseline {
  readonly intercept: Coefficient;
  readonly slopes: readonly Coefficient[];
  readonly points: number;
  readonly r2: number;
  /** sqrt(SSE / (n − p)), p = number of coefficients. */
  readonly rmse: number;
  readonly cvRmse: number;
  /** (X'X)⁻¹ with the intercept first: what the uncertainty of a prediction is made of. */
  readonly inverse: readonly (readonly number[])[];
}

const POINTS_MAX = 5000;
const DRIVERS_MAX = 10;

/** @throws {RangeError} for too few or too many points, rows of unlike length, or drivers that depend on each other. */
export function fitBaseline(drivers: readonly string[], points: readonly BaselinePoint[]): Baseline {
  const p = drivers.length + 1;
  const n = points.length;
  if (drivers.length > DRIVERS_MAX) throw new RangeError(`${drivers.length} drivers, at most ${DRIVERS_MAX}`);
  if (n > POINTS_MAX) throw new RangeError(`${n} points, at most ${POINTS_MAX}`);
  if (n <= p) throw new RangeError(`${n} points cannot fix ${p} coefficients and their errors`);
  const odd = points.findIndex(({ x }) => x.length !== drivers.length);
  if (odd >= 0) throw new RangeError(`point ${odd} has ${points[odd]!.x.length} drivers, not ${drivers.length}`);

  // Drivers as deviations from their mean in units of their spread: production in tonnes beside degree days stays solvable.
  const centres = drivers.map((_, j) => mean(points.map(({ x }) => x[j]!)));
  const spreads = drivers.map((name, j) => {
    const spread = Math.sqrt(mean(points.map(({ x }) => (x[j]! - centres[j]!) ** 2)));
    if (!(spread > 0)) throw new RangeError(`driver ${name} never changes`);
    return spread;
  });
  const rows = points.map(({ x }) => [1, ...x.map((value, j) => (value - centres[j]!) / spreads[j]!)]);
  const scaledInverse = inverseOf(
    range(p).map((i) => range(p).map((j) => sum(rows.map((row) => row[i]! * row[j]!)))),
    drivers,
  );
  const moment = range(p).map((i) => sum(rows.map((row, k) => row[i]! * points[k]!.energy)));
  const scaled = scaledInverse.map((row) => sum(row.map((value, j) => value * moment[j]!)));

  // Back to the drivers' own units: β = T·γ, (X'X)⁻¹ = T·S⁻¹·T'.
  const back = range(p).map((i) =>
    range(p).map((j) => {
      if (i === 0) return j === 0 ? 1 : -centres[j - 1]! / spreads[j - 1]!;
      return i === j ? 1 / spreads[i - 1]! : 0;
    }),
  );
  const inverse = product(product(back, scaledInverse), transpose(back));
  const beta = back.map((row) => sum(row.map((value, j) => value * scaled[j]!)));

  const energies = points.map(({ energy }) => energy);
  const centre = mean(energies);
  const sse = sum(points.map(({ energy, x }) => (energy - predict(beta, x)) ** 2));
  const sst = sum(energies.map((energy) => (energy - centre) ** 2));
  const variance = sse / (n - p);
  const coefficient = (name: string, i: number, values: readonly number[] | null): Coefficient => {
    const standardError = Math.sqrt(variance * inverse[i]![i]!);
    return {
      name,
      value: beta[i]!,
      standardError,
      t: beta[i]! / standardError,
      range: values === null ? null : { min: Math.min(...values), max: Math.max(...values) },
    };
  };
  return {
    intercept: coefficient("intercept", 0, null),
    slopes: drivers.map((name, j) =>
      coefficient(
        name,
        j + 1,
        points.map(({ x }) => x[j]!),
      ),
    ),
    points: n,
    // Energy that never changes is explained by the intercept alone, but then there is nothing a driver could explain.
    r2: sst > 0 ? 1 - sse / sst : 0,
    rmse: Math.sqrt(variance),
    cvRmse: Math.sqrt(variance) / centre,
    inverse,
  };
}

/** Energy the baseline expects. @throws {RangeError} for another number of drivers. */
export function expectedEnergy(baseline: Baseline, x: readonly number[]): number {
  if (x.length !== baseline.slopes.length) throw new RangeError(`${x.length} drivers, not ${baseline.slopes.length}`);
  return predict([baseline.intercept.value, ...baseline.slopes.map(({ value }) => value)], x);
}

export interface AcceptanceRule {
  readonly pointsMin: number;
  readonly r2Min: number;
  readonly cvRmseMax: number;
  readonly tMin: number;
}

/** Usual limits for monthly points (methods §6). */
export const MONTHLY_ACCEPTANCE: AcceptanceRule = { pointsMin: 12, r2Min: 0.75, cvRmseMax: 0.2, tMin: 2 };

export interface FailedTest {
  readonly test: "points" | "r2" | "cv-rmse" | "t" | "sign";
  /** The driver; null when the whole model is meant. */
  readonly driver: string | null;
  readonly value: number;
  readonly limit: number;
}

/**
 * Which acceptance tests the baseline fails; none = it may be used. A driver that raises energy is expected unless
 * `falling` names it.
 */
export function failedTests(
  baseline: Baseline,
  rule: AcceptanceRule,
  falling: ReadonlySet<string> = new Set(),
): readonly FailedTest[] {
  const failed: FailedTest[] = [];
  const note = (test: FailedTest["test"], driver: string | null, value: number, limit: number) =>
    failed.push({ test, driver, value, limit });
  if (baseline.points < rule.pointsMin) note("points", null, baseline.points, rule.pointsMin);
  if (!(baseline.r2 >= rule.r2Min)) note("r2", null, baseline.r2, rule.r2Min);
  if (!(baseline.cvRmse <= rule.cvRmseMax)) note("cv-rmse", null, baseline.cvRmse, rule.cvRmseMax);
  for (const { name, t, value } of baseline.slopes) {
    if (!(Math.abs(t) >= rule.tMin)) note("t", name, Math.abs(t), rule.tMin);
    if (value < 0 !== falling.has(name)) note("sign", name, value, 0);
  }
  if (baseline.intercept.value < 0) note("sign", "intercept", baseline.intercept.value, 0);
  return failed;
}

/** Drivers of this point that lie outside the range the baseline was fitted in by more than a tenth of the range. */
export function outsideRange(baseline: Baseline, x: readonly number[]): readonly string[] {
  return baseline.slopes.flatMap(({ name, range }, j) => {
    if (range === null) return [];
    const slack = (range.max - range.min) * 0.1;
    return x[j]! < range.min - slack || x[j]! > range.max + slack ? [name] : [];
  });
}

export interface AdjustedPoint extends BaselinePoint {
  /** Documented non-routine adjustment of the expectation (a new line, a closed hall); 0 for none. */
  readonly adjustment: number;
}

export interface Performance {
  readonly expected: number;
  readonly actual: number;
  /** expected − actual; positive = saved. */
  readonly saving: number;
  readonly savingShare: number;
  /** actual / expected. */
  readonly enpi: number;
  /** Running sum of actual − expected, one value a point: a change of slope is a change of performance. */
  readonly cusum: readonly number[];
  /** Half-width of the saving as a share of the saving, 68 % confidence; null when nothing was saved or lost. */
  readonly relativeUncertainty: number | null;
  /** The half-width stays below half of the saving. */
  readonly isSignificant: boolean;
}

/** Beyond this share of the saving its uncertainty makes it "not significant" (ASHRAE guideline 14, recalled). */
const SIGNIFICANT_MAX = 0.5;
const CONFIDENCE = 0.68;

/** How the reporting period did against the baseline. @throws {RangeError} for an empty period. */
export function reportedPerformance(baseline: Baseline, points: readonly AdjustedPoint[]): Performance {
  if (points.length === 0) throw new RangeError("a reporting period without points");
  const expectations = points.map(({ x, adjustment }) => expectedEnergy(baseline, x) + adjustment);
  const expected = sum(expectations);
  const actual = sum(points.map(({ energy }) => energy));
  const cusum: number[] = [];
  for (const [i, { energy }] of points.entries()) cusum.push((cusum[i - 1] ?? 0) + energy - expectations[i]!);
  const saving = expected - actual;
  const savingShare = saving / expected;
  const n = baseline.points;
  const t = studentQuantile(0.5 + CONFIDENCE / 2, n - baseline.slopes.length - 1);
  const relativeUncertainty =
    savingShare === 0
      ? null
      : (1.26 * t * baseline.cvRmse * Math.sqrt((n + 2) / (n * points.length))) / Math.abs(savingShare);
  return {
    expected,
    actual,
    saving,
    savingShare,
    enpi: actual / expected,
    cusum,
    relativeUncertainty,
    isSignificant: relativeUncertainty !== null && relativeUncertainty <= SIGNIFICANT_MAX,
  };
}

export interface Forecast {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The year as it will be: what was measured so far and what the baseline expects of the rest, with its 95 % band. Never an
 * extrapolation of the part year: a summer is no winter.
 */
export function forecastYear(baseline: Baseline, measured: number, rest: readonly (readonly number[])[]): Forecast {
  const value = measured + sum(rest.map((x) => expectedEnergy(baseline, x)));
  const p = baseline.slopes.length + 1;
  const total = range(p).map((j) => sum(rest.map((x) => (j === 0 ? 1 : x[j - 1]!))));
  // Each coming point has its own scatter; the fitted line errs the same way at all of them.
  const line = sum(total.map((a, i) => a * sum(total.map((b, j) => b * baseline.inverse[i]![j]!))));
  const half = studentQuantile(0.975, baseline.points - p) * baseline.rmse * Math.sqrt(rest.length + line);
  return { value, low: value - half, high: value + half };
}

/** Cooling degree days of a run of daily mean temperatures, K·d. */
export function coolingDegreeDays(dailyMean_C: readonly number[], base_C: number): number {
  return sum(dailyMean_C.map((mean_C) => Math.max(0, mean_C - base_C)));
}

function predict(beta: readonly number[], x: readonly number[]): number {
  return beta[0]! + sum(x.map((value, j) => value * beta[j + 1]!));
}

/** Gauss-Jordan with partial pivoting; the matrix is scaled, so a small pivot means drivers that depend on each other. */
function inverseOf(matrix: readonly (readonly number[])[], drivers: readonly string[]): number[][] {
  const p = matrix.length;
  const work = matrix.map((row, i) => [...row, ...range(p).map((j) => (i === j ? 1 : 0))]);
  for (let column = 0; column < p; column++) {
    let pivot = column;
    for (let row = column + 1; row < p; row++) {
      if (Math.abs(work[row]![column]!) > Math.abs(work[pivot]![column]!)) pivot = row;
    }
    const head = work[pivot]![column]!;
    if (!(Math.abs(head) > 1e-9 * matrix[0]![0]!)) {
      throw new RangeError(`drivers that depend on each other: ${drivers.join(", ")}`);
    }
    [work[column], work[pivot]] = [work[pivot]!, work[column]!];
    work[column] = work[column]!.map((value) => value / head);
    for (let row = 0; row < p; row++) {
      const share = work[row]![column]!;
      if (row !== column && share !== 0) work[row] = work[row]!.map((value, j) => value - share * work[column]![j]!);
    }
  }
  return work.map((row) => row.slice(p));
}

function product(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[][] {
  return a.map((row) => b[0]!.map((_, j) => sum(row.map((value, k) => value * b[k]![j]!))));
}

function transpose(a: readonly (readonly number[])[]): number[][] {
  return a[0]!.map((_, j) => a.map((row) => row[j]!));
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
