import type { ClockRecord } from "../../core/wire/nodeRecord.ts";
import { RANGES_IN_RECORD_MAX } from "../../core/wire/nodeRecord.ts";
import { BatchRanges } from "../../core/wire/ranges.ts";
import { clockStep_ms, type Moment } from "./clockStep.ts";

/** Times the clock may be stepped before it is called set; what was taken before more of them stays uncertain. */
const RUNS_MAX = 16;

/** Batches between two steps of the clock: all are off by the same. */
interface Run {
  readonly batches: BatchRanges;
  last: Moment;
}

/**
 * Batches of this boot that were taken before the clock was known to be set. When it is, one record for each time the clock
 * was stepped says by how much they are off; what they hold is not changed. Most time servers step the clock first and say so
 * later: what was taken in between is off by nothing. A new epoch or a restart leaves them uncertain for good.
 */
export class Undated {
  #runs: Run[] = [];
  #epoch = "";

  note(number: number, epoch: string, moment: Moment): void {
    if (epoch !== this.#epoch) {
      this.#runs = [];
      this.#epoch = epoch;
    }
    this.#runAt(moment).batches.add(number);
  }

  /** The records that date them, now that the clock is set; none if there are none. They are forgotten with it. */
  dated(now: Moment, epoch: string): readonly ClockRecord[] {
    const runs = epoch === this.#epoch ? this.#runs : [];
    this.#runs = [];
    const at_ms = Math.max(0, Math.round(now.at_ms));
    return runs.map(({ batches, last }) => {
      const offset_ms = clockStep_ms(last, now, 0);
      // The oldest are beyond what one record can name only after thousands of interruptions; they stay uncertain.
      const ranges = batches.toRanges().slice(-RANGES_IN_RECORD_MAX);
      return { kind: "clock", at_ms, epoch, boot: now.boot, batches: ranges, offset_ms };
    });
  }

  /** Batches are noted in the order they were taken, but for two meters whose polls overlap a step. */
  #runAt(moment: Moment): Run {
    const run = this.#runs.findLast(({ last }) => clockStep_ms(last, moment, 0) === 0);
    if (run !== undefined) {
      run.last = moment;
      return run;
    }
    const begun: Run = { batches: new BatchRanges(), last: moment };
    this.#runs.push(begun);
    if (this.#runs.length > RUNS_MAX) this.#runs.shift();
    return begun;
  }
}
