/**
 * How far a gateway's clock is ahead of ours, from the send times of its messages.
 *
 * What is measured is the offset less the time the message was under way, so the greatest of several is the nearest to the
 * truth: of the last half to one minute. A clock that is set back is believed when the older messages have left that time.
 */
const HALF_MS = 30_000;

export class ClockOffset {
  #before_ms: number | null = null;
  #greatest_ms: number | null = null;
  #since_ms = Number.NEGATIVE_INFINITY;

  /** @returns the offset, ms; positive: the gateway's clock is ahead */
  heard(difference_ms: number, mono_ms: number): number {
    const age_ms = mono_ms - this.#since_ms;
    if (age_ms >= HALF_MS) {
      this.#before_ms = age_ms < 2 * HALF_MS ? this.#greatest_ms : null;
      this.#greatest_ms = null;
      this.#since_ms = mono_ms;
    }
    this.#greatest_ms = Math.max(this.#greatest_ms ?? difference_ms, difference_ms);
    return Math.max(this.#greatest_ms, this.#before_ms ?? this.#greatest_ms);
  }
}
