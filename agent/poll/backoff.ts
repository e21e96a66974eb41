import type { EpochMs } from "../../core/reading/reading.ts";

/**
 * How long somebody who does not answer is left alone: one period after the first silence, then twice as long each time.
 * No jitter: the line has one master, so nobody collides.
 */
export interface Backoff {
  /** Silences in a row. */
  readonly silences: number;
  readonly until_ms: EpochMs;
}

export const BACKOFF_MAX_MS = 60_000;

/** `base_ms`: the wait after the first silence. */
export function afterSilence(before: Backoff | undefined, base_ms: number, at_ms: EpochMs): Backoff {
  const silences = (before?.silences ?? 0) + 1;
  return { silences, until_ms: at_ms + Math.min(base_ms * 2 ** Math.min(silences - 1, 16), BACKOFF_MAX_MS) };
}

/** A wait further off than any there is was set before the clock went back: it has no meaning any more. */
export function isHeld(backoff: Backoff | undefined, at_ms: EpochMs): backoff is Backoff {
  return backoff !== undefined && backoff.until_ms > at_ms && backoff.until_ms - at_ms <= BACKOFF_MAX_MS;
}
