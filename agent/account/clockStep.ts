import type { EpochMs, Sample } from "../../core/reading/reading.ts";

/** When a sample was taken, by both clocks. */
export interface Moment {
  readonly at_ms: EpochMs;
  readonly mono_ms: number;
  readonly boot: number;
}

/** Smaller differences are a clock that is being slewed, or two clocks read one after the other. */
const STEP_MIN_MS = 2000;
/** Clocks of gateways drift by up to 0.02 %; a difference within this share of the time between two samples is no step. */
const DRIFT_MAX = 0.001;

/**
 * By how much the wall clock was set between two samples of a meter; 0 if it was not. Within one boot the monotonic clock
 * tells. Over a restart only a clock that went back shows, and how long the gateway was down does not: then the time between
 * is taken for `unknown_ms`.
 */
export function clockStep_ms(before: Moment | null, now: Moment, unknown_ms: number): number {
  if (before === null) return 0;
  if (before.boot !== now.boot) return now.at_ms > before.at_ms ? 0 : now.at_ms - before.at_ms - unknown_ms;
  const elapsed_ms = now.mono_ms - before.mono_ms;
  const step_ms = now.at_ms - before.at_ms - elapsed_ms;
  return Math.abs(step_ms) <= Math.max(STEP_MIN_MS, elapsed_ms * DRIFT_MAX) ? 0 : Math.round(step_ms);
}

export function momentOf({ at_ms, mono_ms }: Sample, boot: number): Moment {
  return { at_ms, mono_ms, boot };
}
