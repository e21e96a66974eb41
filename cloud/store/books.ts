import type { EpochMs } from "../../core/reading/reading.ts";
import type { BookedEmissions } from "./bookedEmissions.ts";
import type { BookedIntervals } from "./bookedIntervals.ts";
import type { Restatements } from "./restatements.ts";
import type { NewBatch, NewCorrection } from "./store.ts";

/** What a batch brings for the books: its intervals, and its emissions, which follow the intervals they belong to. */
export class Books {
  readonly #intervals: BookedIntervals;
  readonly #emissions: BookedEmissions;

  constructor(intervals: BookedIntervals, emissions: BookedEmissions) {
    this.#intervals = intervals;
    this.#emissions = emissions;
  }

  /** Inside the transaction that stores the batch. */
  enter(batch: NewBatch, epochId: number, known_ms: EpochMs): void {
    if (batch.intervals.length === 0 && batch.emissions.length === 0) return;
    const superseded = new Set<string>();
    const outdone = new Set<string>();
    const booked = new Set<string>();
    for (const interval of batch.intervals) {
      const key = `${interval.device}@${interval.from_ms}`;
      const booking = this.#intervals.book(interval, batch, epochId, known_ms);
      if (booking === "superseded") superseded.add(key);
      if (booking === "outdone") outdone.add(key);
      else booked.add(key);
    }
    for (const emission of batch.emissions) {
      const key = `${emission.device}@${emission.from_ms}`;
      // Of a figure that is not in the books.
      if (outdone.has(key) && !booked.has(key)) continue;
      this.#emissions.book(emission, superseded.has(key), batch, epochId, known_ms);
    }
  }

  /** Inside a transaction. @returns false when the gateway's figure is not in force any more. */
  correct(correction: NewCorrection, log: Restatements, known_ms: EpochMs): boolean {
    if (!this.#intervals.correct(correction, known_ms)) return false;
    const { interval, entries, runAt_ms } = correction;
    const { gateway, device } = interval;
    const reason = "interval-corrected";
    this.#emissions.restate({ gateway, device, runAt_ms, reason, entries }, log, known_ms);
    return true;
  }
}
