/**
 * Paths to Net Zero, their budget, and how far a year is off (methods §7, worked examples W18, W19).
 *
 * Units    t CO2e a calendar year. Years are whole numbers; nothing is interpolated inside a year.
 * Source   GHG Protocol Corporate Standard ch. 11; 4.2 % of base-year emissions a year for 1.5 °C, scopes 1 and 2: SBTi,
 *          recalled, not seen. A compound path never reaches zero and is not offered.
 */
export type TargetPath =
  /** A straight line from the base year to `residual_t` in the target year; flat after it. */
  | {
      readonly kind: "linear";
      readonly baseYear: number;
      readonly base_t: number;
      readonly targetYear: number;
      readonly residual_t: number;
    }
  /** The same share of base-year emissions less every year, down to zero. */
  | {
      readonly kind: "contraction";
      readonly baseYear: number;
      readonly base_t: number;
      /** 0.042 for SBTi's 1.5 °C path. */
      readonly annualReduction: number;
      /**
       * Year the reduction is counted from. The base year, unless it lies after 2020: SBTi's tool then asks for the years
       * since 2020 in total (recalled).
       */
      readonly countsFrom: number;
    };

export const SBTI_ANNUAL_REDUCTION = 0.042;

/** Allowed emissions of a year, t. @throws {RangeError} before the base year, or for a path that is none. */
export function allowed_t(path: TargetPath, year: number): number {
  assertPath(path);
  if (year < path.baseYear) throw new RangeError(`${year} is before the base year ${path.baseYear}`);
  if (year === path.baseYear) return path.base_t;
  if (path.kind === "contraction") {
    return Math.max(0, path.base_t * (1 - path.annualReduction * (year - path.countsFrom)));
  }
  const { base_t, residual_t, baseYear, targetYear } = path;
  if (year >= targetYear) return residual_t;
  return base_t - ((base_t - residual_t) * (year - baseYear)) / (targetYear - baseYear);
}

/** When the path reaches zero, as a fraction of years; null for a line that ends above it. */
export function zeroYear(path: TargetPath): number | null {
  assertPath(path);
  if (path.kind === "contraction") return path.countsFrom + 1 / path.annualReduction;
  return path.residual_t === 0 ? path.targetYear : null;
}

export interface Budget {
  /** Sum of the path over the years after the base year up to `throughYear`. */
  readonly budget_t: number;
  readonly spent_t: number;
  /** Negative when more was emitted than the whole path allows. */
  readonly left_t: number;
  readonly shareSpent: number;
  /** At the rate of the last year with a figure; null when no year has one, or it is zero. */
  readonly yearsLeft: number | null;
}

/**
 * The carbon budget of a path through `throughYear`, and what the years with a figure have taken of it.
 * @throws {RangeError} for a year with a figure that is not after the base year, or an end that is not.
 */
export function carbonBudget(path: TargetPath, throughYear: number, actual_t: ReadonlyMap<number, number>): Budget {
  if (!(throughYear > path.baseYear)) throw new RangeError(`a budget to ${throughYear} ends before it begins`);
  let budget_t = 0;
  for (let year = path.baseYear + 1; year <= throughYear; year++) budget_t += allowed_t(path, year);
  const years = [...actual_t.keys()].sort((a, b) => a - b);
  const early = years.find((year) => year <= path.baseYear);
  if (early !== undefined) throw new RangeError(`${early} is not after the base year ${path.baseYear}`);
  const spent_t = years.reduce((sum, year) => sum + actual_t.get(year)!, 0);
  const last_t = years.length === 0 ? 0 : actual_t.get(years.at(-1)!)!;
  const left_t = budget_t - spent_t;
  return {
    budget_t,
    spent_t,
    left_t,
    shareSpent: budget_t === 0 ? 1 : spent_t / budget_t,
    yearsLeft: last_t > 0 ? left_t / last_t : null,
  };
}

/** Above the path is positive. */
export function gapToPath_t(path: TargetPath, year: number, actual_t: number): number {
  return actual_t - allowed_t(path, year);
}

function assertPath(path: TargetPath): void {
  if (!(path.base_t >= 0)) throw new RangeError(`base year emissions of ${path.base_t} t`);
  if (path.kind === "linear" && !(path.targetYear > path.baseYear)) {
    throw new RangeError(`the target year ${path.targetYear} is not after the base year ${path.baseYear}`);
  }
  if (path.kind === "contraction" && !(path.annualReduction > 0 && path.annualReduction <= 1)) {
    throw new RangeError(`an annual reduction of ${path.annualReduction} is not within 0 … 1`);
  }
}
