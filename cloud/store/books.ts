import type { EpochMs } from "../../core/reading/reading.ts";
import type { BookedEmissions } from "./bookedEmissions.ts";
import type { BookedIntervals } from "./bookedIntervals.ts";
import type { NewBatch } from "./store.ts";

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
    const superseded = new Set<string>();
    for (const interval of batch.intervals) {
      if (this.#intervals.book(interval, batch, epochId, known_ms)) {
        superseded.add(`${interval.device}@${interval.from_ms}`);
      }
    }
    for (const emission of batch.emissions) {
      const follows = superseded.has(`${emission.device}@${emission.from_ms}`);
      this.#emissions.book(emission, follows, batch, epochId, known_ms);
    }
  }
}
