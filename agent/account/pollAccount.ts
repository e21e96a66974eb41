import { intervalStart } from "../../core/interval/calendar.ts";
import type { Register } from "../../core/model/meterModel.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import { formatNodeRecord, type MeterPolls, POLLED_METERS_MAX } from "../../core/wire/nodeRecord.ts";
import type { JournalEntry } from "../journal/journal.ts";

/**
 * How many polls of its main counter every meter was due, got and answered, an account an accounting interval: it travels to the collector like
 * any batch, so that the ledger can tell a silent meter from a full line and from a gateway that was off. Pure.
 *
 * Expected is what the period asks for in the time accounted; polls left out because a silent meter is left alone are
 * expected and nothing else. A time that is cut off by a crash has no account.
 */
export interface PolledMeter {
  readonly device: string;
  /** The poll period of its counters. */
  readonly every_ms: number;
}

type Counts = { -readonly [K in Exclude<keyof MeterPolls, "device" | "expected">]: number };

const FAILURES = {
  timeout: "timeouts",
  exception: "exceptions",
  garbled: "garbled",
  unreachable: "unreachable",
} as const satisfies Record<Sample["failures"][number]["why"], keyof Counts>;

const encoder = new TextEncoder();

export class PollAccount {
  readonly #meters: readonly PolledMeter[];
  readonly #interval_ms: number;
  readonly #timeZone: string;
  #counts = new Map<string, Counts>();
  /** Of polls that belong behind the end already, before the account is closed: the one on the boundary is the next one's. */
  #nextCounts = new Map<string, Counts>();
  #from_ms: EpochMs = 0;
  /** Of the interval it lies in. */
  #end_ms: EpochMs = 0;

  constructor(meters: readonly PolledMeter[], interval_ms: number, timeZone: string, now_ms: EpochMs) {
    this.#meters = meters;
    this.#interval_ms = interval_ms;
    this.#timeZone = timeZone;
    this.#startAt(now_ms);
  }

  /**
   * One poll of a meter: answered if its main counter was, failed as the exchange that asks for it did, or as the first one
   * where none was answered; what asks for something else (settings, powers) is no poll here. `counter` null: any register.
   */
  polled({ device, at_ms, blocks, failures }: Sample, counter: Pick<Register, "fc" | "address"> | null = null): void {
    const asks = ({ fc, address }: Pick<Register, "fc" | "address">, words: number): boolean =>
      counter === null || (fc === counter.fc && address <= counter.address && counter.address < address + words);
    const counts = this.#of(device, at_ms);
    const failed = blocks.length === 0 ? failures[0] : failures.find((failure) => asks(failure, failure.count));
    if (blocks.some((block) => asks(block, block.words.length))) counts.answered += 1;
    else if (failed !== undefined) counts[FAILURES[failed.why]] += 1;
  }

  /** Polls left out because the line was still busy. */
  leftOut(device: string, polls: number): void {
    this.#of(device, this.#from_ms).overruns += polls;
  }

  /** A poll that {@link polled} counts as answered. */
  journaled(device: string, at_ms: EpochMs): void {
    this.#of(device, at_ms).journaled += 1;
  }

  /** The account of the interval that is over, as entries for the journal; none while it goes on. */
  due(now_ms: EpochMs, boot: number): JournalEntry[] {
    const end_ms = this.#end_ms;
    // A clock that was set: what was counted by the other time is of no interval.
    if (now_ms < this.#from_ms || now_ms >= end_ms + this.#interval_ms) return this.#begin(now_ms);
    return now_ms < end_ms ? [] : this.#close(end_ms, now_ms, boot);
  }

  /** The account so far: nobody will poll from now on. */
  close(now_ms: EpochMs, boot: number): JournalEntry[] {
    return now_ms > this.#from_ms ? this.#close(now_ms, now_ms, boot) : [];
  }

  #close(to_ms: EpochMs, at_ms: EpochMs, boot: number): JournalEntry[] {
    const from_ms = Math.round(this.#from_ms);
    const meters = this.#meters.map(({ device, every_ms }): MeterPolls => {
      const expected = Math.round((to_ms - this.#from_ms) / every_ms);
      return { device, expected, ...this.#of(device, this.#from_ms) };
    });
    const entries: JournalEntry[] = [];
    for (let i = 0; i < meters.length; i += POLLED_METERS_MAX) {
      const some = meters.slice(i, i + POLLED_METERS_MAX);
      const times = { at_ms: Math.round(at_ms), from_ms, to_ms: Math.round(to_ms) };
      const body = encoder.encode(formatNodeRecord({ kind: "polls", ...times, boot, meters: some }));
      entries.push({ device: "", from_ms, to_ms: Math.round(to_ms), kind: "node", body });
    }
    this.#startAt(to_ms);
    this.#counts = this.#nextCounts;
    this.#nextCounts = new Map();
    return entries;
  }

  #begin(from_ms: EpochMs): JournalEntry[] {
    this.#startAt(from_ms);
    this.#counts.clear();
    this.#nextCounts.clear();
    return [];
  }

  #startAt(from_ms: EpochMs): void {
    this.#from_ms = from_ms;
    this.#end_ms = intervalStart(from_ms, this.#interval_ms, this.#timeZone) + this.#interval_ms;
  }

  #of(device: string, at_ms: EpochMs): Counts {
    const all = at_ms < this.#end_ms ? this.#counts : this.#nextCounts;
    let counts = all.get(device);
    if (counts === undefined) {
      counts = { answered: 0, timeouts: 0, exceptions: 0, garbled: 0, unreachable: 0, overruns: 0, journaled: 0 };
      all.set(device, counts);
    }
    return counts;
  }
}
