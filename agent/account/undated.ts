import type { ClockRecord } from "../../core/wire/nodeRecord.ts";
import { RANGES_IN_RECORD_MAX } from "../../core/wire/nodeRecord.ts";
import { BatchRanges } from "../../core/wire/ranges.ts";
import type { Moment } from "./clockStep.ts";

/**
 * Batches of this boot that were taken before the clock was set. When it is, one record says by how much they are off; what
 * they hold is not changed. A new epoch or a restart in between leaves them uncertain for good.
 */
export class Undated {
  #batches = new BatchRanges();
  #epoch = "";
  #last: Moment | null = null;

  note(number: number, epoch: string, moment: Moment): void {
    if (epoch !== this.#epoch) {
      this.#batches = new BatchRanges();
      this.#epoch = epoch;
    }
    this.#batches.add(number);
    this.#last = moment;
  }

  /** The record that dates them, now that the clock is set; null if there are none. They are forgotten with it. */
  dated(now: Moment, epoch: string): ClockRecord | null {
    const last = this.#last;
    this.#last = null;
    if (last === null || epoch !== this.#epoch || this.#batches.count === 0) return null;
    const offset_ms = Math.round(now.at_ms - now.mono_ms - (last.at_ms - last.mono_ms));
    // The oldest are beyond what one record can name only after thousands of interruptions; they stay uncertain.
    const batches = this.#batches.toRanges().slice(-RANGES_IN_RECORD_MAX);
    this.#batches = new BatchRanges();
    return { kind: "clock", at_ms: Math.max(0, Math.round(now.at_ms)), epoch, boot: now.boot, batches, offset_ms };
  }
}
