import type { EpochMs } from "../reading/reading.ts";

/**
 * Limits beyond which a period needs a person's review, and signals that only look alive (methods §9).
 */
export interface PeriodQuality {
  /** Energy of the period, in any unit, and what of it was substituted (S, E) by rule. */
  readonly total: number;
  readonly substituted: number;
  /** Share of the period's time with a figure, 0 … 1. */
  readonly coverage: number;
}

export interface ReviewLimits {
  readonly monthShareMax: number;
  readonly yearShareMax: number;
  /** Circular 38/2023/TT-BCT Annex III: share of the total beyond which a period cannot be frozen without approval. */
  readonly materiality: number;
}

export const REVIEW_LIMITS: ReviewLimits = { monthShareMax: 0.1, yearShareMax: 0.05, materiality: 0.05 };

export type Review =
  | { readonly kind: "sound"; readonly needsApproval: boolean }
  | {
      readonly kind: "needs-review";
      readonly share: number;
      readonly limit: number;
      /** Beyond materiality: to be frozen only with approval. */
      readonly needsApproval: boolean;
    }
  /** Something is missing: the total is a lower bound whatever its quality. */
  | { readonly kind: "lower-bound"; readonly coverage: number; readonly needsApproval: boolean };

/** Judges a month or a year. An empty period is a lower bound of coverage 0, never a sound zero. */
export function reviewPeriod(
  quality: PeriodQuality,
  length: "month" | "year",
  limits: ReviewLimits = REVIEW_LIMITS,
): Review {
  const share = quality.total > 0 ? quality.substituted / quality.total : 0;
  const needsApproval = share > limits.materiality;
  if (quality.coverage < 1) return { kind: "lower-bound", coverage: quality.coverage, needsApproval };
  const limit = length === "month" ? limits.monthShareMax : limits.yearShareMax;
  return share > limit ? { kind: "needs-review", share, limit, needsApproval } : { kind: "sound", needsApproval };
}

export interface Sampled {
  readonly at_ms: EpochMs;
  readonly value: number;
  /** Another measure of the same load that shows it changes (the power beside a counter); null when there is none. */
  readonly load: number | null;
}

export interface FrozenStretch {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

/**
 * Stretches in which a signal stood still although the load changed: the same value for more than three sample times.
 * They are gaps, not measurements. Without a load beside it a still signal may be true and is left alone.
 */
export function frozenStretches(samples: readonly Sampled[], sample_ms: number): readonly FrozenStretch[] {
  const stretches: FrozenStretch[] = [];
  for (let start = 0; start < samples.length; ) {
    let end = start;
    while (end + 1 < samples.length && samples[end + 1]!.value === samples[start]!.value) end += 1;
    const run = samples.slice(start, end + 1);
    const isLong = run.at(-1)!.at_ms - run[0]!.at_ms > 3 * sample_ms;
    const loads = new Set(run.flatMap(({ load }) => (load === null ? [] : [load])));
    if (isLong && loads.size > 1) stretches.push({ from_ms: run[0]!.at_ms, to_ms: run.at(-1)!.at_ms });
    start = end + 1;
  }
  return stretches;
}

export interface CrossCheck {
  readonly what: "invoice" | "fuel-stock" | "boiler-efficiency" | "per-tonne" | "tenants-vs-feeder";
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly isPassed: boolean;
}

/** Tolerances of the checks before a period is frozen (methods §9): relative to the expected figure, or a band. */
const TOLERANCES = { invoice: 0.02, "fuel-stock": 0.03, "per-tonne": 0.2 } as const;
const BOILER_EFFICIENCY = { low: 0.65, high: 0.95 } as const;

/** A measured figure against what another source says. */
export function checkAgainst(what: keyof typeof TOLERANCES, measured: number, other: number): CrossCheck {
  const slack = Math.abs(other) * TOLERANCES[what];
  return checkWithin(what, measured, other - slack, other + slack);
}

/** Steam out over fuel in. */
export function checkBoiler(efficiency: number): CrossCheck {
  return checkWithin("boiler-efficiency", efficiency, BOILER_EFFICIENCY.low, BOILER_EFFICIENCY.high);
}

export function checkWithin(what: CrossCheck["what"], value: number, low: number, high: number): CrossCheck {
  return { what, value, low, high, isPassed: low <= value && value <= high };
}
