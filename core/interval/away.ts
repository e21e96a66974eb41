import { type CounterDelta, type CounterReading, counterDelta } from "../counter/counterDelta.ts";
import type { CounterAccount } from "./counterAccount.ts";
import type { IntervalCause } from "./interval.ts";

/**
 * A counter that fell to zero and may come back: a meter that starts up shows zeros for a while, and then what it stood at. What it
 * counted meanwhile is then what it stands above the count before its fall, and nothing is lost; taken for new counts, the
 * way up from zero would be counted a second time.
 *
 * Kept within one interval, for the readings around an interval must suffice to compute it again.
 * Limits   one that reads zero across a boundary, and stood so low that it may have counted that much, is taken for new.
 */
export interface Away {
  /** The last reading before it fell. */
  readonly before: CounterReading;
  /** Whether that one lies in the open interval too: else what it counted in between is not all of this interval. */
  readonly isWithin: boolean;
  /** Of the open interval, before the fall. */
  readonly missing_ms: number;
  readonly missingWhy: IntervalCause | null;
}

/**
 * The step of a counter that came back; null = it did not.
 * `isCertain`: it can not have counted so much since its fall. Else both may be true, a new start and a return: the smaller
 * figure is booked, and the interval stays a lower bound.
 */
export function returned(
  { away, definition, to_ms }: CounterAccount,
  reading: CounterReading,
  direct: CounterDelta,
): { readonly delta: CounterDelta; readonly isCertain: boolean } | null {
  if (away === null || reading.at_ms > to_ms || reading.count < away.before.count) return null;
  const delta = counterDelta(away.before, reading, definition);
  if (!away.isWithin) return { delta: { kind: "gap", why: "counter-reset" }, isCertain: false };
  return delta.kind === "delta" ? { delta, isCertain: direct.kind === "gap" } : null;
}
