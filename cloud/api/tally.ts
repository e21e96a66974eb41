import { add, type Decimal, integer, toNumber } from "../../core/emission/decimal.ts";
import type { Bucket } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { Measure } from "./schemas.ts";

/** What is counted on the way to a figure. Amounts are exact; sums of tallies are tallies. */
export interface Tally {
  readonly amount: Decimal;
  /** Part of the amount that is estimated (flags S, E); for display only. */
  readonly estimated: number;
  /** How many rows gave an amount; none means there is no figure, which is not zero. */
  readonly known: number;
  readonly rows_ms: number;
  readonly covered_ms: number;
  /** Time asked for that is over by now, summed over the meters. */
  readonly elapsed_ms: number;
  /** Some row is incomplete, or lacks what it needs (a factor). */
  readonly isLacking: boolean;
  readonly isProvisional: boolean;
}

export const NOTHING: Tally = {
  amount: integer(0n),
  estimated: 0,
  known: 0,
  rows_ms: 0,
  covered_ms: 0,
  elapsed_ms: 0,
  isLacking: false,
  isProvisional: false,
};

export function sumTallies(tallies: Iterable<Tally>): Tally {
  let sum = NOTHING;
  for (const one of tallies) {
    if (one === NOTHING) continue;
    sum = {
      amount: plus(sum.amount, one.amount),
      estimated: sum.estimated + one.estimated,
      known: sum.known + one.known,
      rows_ms: sum.rows_ms + one.rows_ms,
      covered_ms: sum.covered_ms + one.covered_ms,
      elapsed_ms: sum.elapsed_ms + one.elapsed_ms,
      isLacking: sum.isLacking || one.isLacking || one.rows_ms < one.elapsed_ms,
      isProvisional: sum.isProvisional || one.isProvisional,
    };
  }
  return sum;
}

/** Amounts of one kind mostly share their scale, and then a sum is one addition. */
function plus(a: Decimal, b: Decimal): Decimal {
  return a.scale === b.scale ? { digits: a.digits + b.digits, scale: a.scale } : add(a, b);
}

/**
 * The figure as it is shown. Coverage is cut, not rounded, at four decimals: only what is whole says 100 %.
 * Coverage is measured time over the time asked for that is over: also time before the first reading counts. A period that
 * is still to come, or a place without meters, has no coverage; one without rows has no value.
 */
export function measureOf(tally: Tally, unit: string): Measure {
  const value = tally.known === 0 ? null : toNumber(tally.amount);
  return {
    value,
    unit,
    coverage_pct: tally.elapsed_ms <= 0 ? null : share_pct(tally.covered_ms, tally.elapsed_ms),
    estimated_pct: value === null ? null : value === 0 ? 0 : share_pct(tally.estimated, value),
    provisional: tally.isProvisional,
    lower_bound: tally.isLacking || tally.rows_ms < tally.elapsed_ms,
  };
}

function share_pct(part: number, whole: number): number {
  return Math.floor(Math.min(1, Math.max(0, part / whole)) * 1e6) / 1e4;
}

/** From when and until when a meter's intervals are expected. */
export interface Expectation {
  readonly interval_ms: number;
  /** Zone offset by which its intervals are aligned. */
  readonly offset_ms: number;
  /**
   * Start of its first interval ever; null = it never had one. Time before it counts as not measured all the same: whoever
   * asks for a year is told what part of the year the figure speaks of.
   */
  readonly first_ms: EpochMs | null;
  /** End of the newest interval that should be here by now. */
  readonly until_ms: EpochMs;
}

/** How long after its end an interval may take to arrive before it counts as missing. */
export const ARRIVAL_MS = 60_000;

export function expectation(
  now_ms: EpochMs,
  interval_ms: number,
  offset_ms: number,
  span: { readonly from_ms: EpochMs; readonly to_ms: EpochMs } | null,
): Expectation {
  const floor = (at_ms: EpochMs): EpochMs => Math.floor((at_ms + offset_ms) / interval_ms) * interval_ms - offset_ms;
  const arrived_ms = Math.min(span?.to_ms ?? 0, floor(now_ms));
  return {
    interval_ms,
    offset_ms,
    first_ms: span?.from_ms ?? null,
    until_ms: Math.max(floor(now_ms - ARRIVAL_MS), arrived_ms),
  };
}

/** Time of the intervals that start in the bucket and are over: the time asked for, less what is still to come. */
export function elapsed_ms(expected: Expectation, bucket: Bucket): number {
  const { interval_ms, offset_ms } = expected;
  const ceil = (at_ms: EpochMs): EpochMs => Math.ceil((at_ms + offset_ms) / interval_ms) * interval_ms - offset_ms;
  const from_ms = ceil(bucket.from_ms);
  return Math.max(0, Math.min(ceil(bucket.to_ms), expected.until_ms) - from_ms);
}
