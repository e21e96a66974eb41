import type { Clock } from "../core/ports.ts";
import type { EpochMs } from "../core/reading/reading.ts";

/**
 * Whether the wall clock can be believed. A gateway without a battery starts in the past and is set when it finds a time
 * server; what it reads before that has the right order and the wrong date.
 *
 * set        a time server has set the clock, or nothing speaks against it
 * waiting    it has certainly not been set, for as long as it is to be waited for: nothing is accounted or sent meanwhile
 * unset      it was not set in that time: work goes on by the clock as it is, readings are `uncertain`
 *
 * Certainly not set: the system says so, or the clock stands before this program was written. A clock that stands an hour
 * before what is in the journal is waited for as well, and believed after that.
 */
export type ClockState = "set" | "waiting" | "unset";

/** No gateway ran this program before. */
const WRITTEN_MS = Date.UTC(2025, 0, 1);
/** A clock that is set back by less is being corrected, not lost. */
const BACK_MAX_MS = 3_600_000;

export interface ClockTrustOptions {
  readonly clock: Clock;
  /** What the system says: true = set by a time server; null = it does not say. */
  readonly isSynchronised: () => boolean | null;
  /** How long a clock that was not set is waited for, ms. */
  readonly wait_ms: number;
  /** Time of the newest record when the agent started; null for an empty journal. */
  readonly newest_ms: EpochMs | null;
}

export class ClockTrust {
  readonly #o: ClockTrustOptions;
  readonly #started_mono_ms: number;
  #isSet = false;

  constructor(options: ClockTrustOptions) {
    this.#o = options;
    this.#started_mono_ms = options.clock.mono_ms();
  }

  /** Once set it stays so: what is done to the clock later is a step, which the accounts follow. */
  state(): ClockState {
    if (this.#isSet) return "set";
    const { clock, isSynchronised, newest_ms, wait_ms } = this.#o;
    const says = isSynchronised();
    const now_ms = clock.now_ms();
    const hasWaited = clock.mono_ms() - this.#started_mono_ms >= wait_ms;
    const isWrong = says === false || now_ms < WRITTEN_MS;
    // Then one of the two was wrong, and it may have been the clock that wrote the journal.
    const isSuspect = newest_ms !== null && now_ms < newest_ms - BACK_MAX_MS;
    this.#isSet = says === true || (!isWrong && (!isSuspect || hasWaited));
    if (this.#isSet) return "set";
    return hasWaited ? "unset" : "waiting";
  }
}
