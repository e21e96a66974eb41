import { CARRIERS } from "../core/emission/carriers.ts";
import { KhuXanhError } from "../core/errors.ts";
import type { Interval } from "../core/interval/interval.ts";
import type { DeviceDefinition } from "../core/model/deviceDefinition.ts";
import type { Clock, Log, Timers } from "../core/ports.ts";
import type { Reading, Sample } from "../core/reading/reading.ts";
import type { QuantityId } from "../core/units/quantities.ts";
import type { MeterSwapRecord } from "../core/wire/nodeRecord.ts";
import { decodeSample } from "../drivers/modbus/decode.ts";
import type { Accountant, Accounted } from "./account/accountant.ts";
import { type Moment, momentOf } from "./account/clockStep.ts";
import { contentEntries } from "./account/contentRecord.ts";
import type { PollAccount } from "./account/pollAccount.ts";
import { type AccountedMeter, HISTORY_BOOT, type SavedAccounts } from "./account/savedAccounts.ts";
import { Undated } from "./account/undated.ts";
import type { ClockState } from "./clockTrust.ts";
import type { Journal, JournalEntry } from "./journal/journal.ts";
import { entryOf } from "./journal/losses.ts";
import { decodeSampleRecord, takenEntry } from "./journal/sample.ts";

/** Entries that could not be written wait in memory; beyond this the oldest samples go, counted. Counters carry the energy. */
const UNWRITTEN_MAX = 20_000;
/** At the end: how often what waits is tried once more. All of a stop is to take 5 s at most. */
const LAST_TRIES = 3;
const LAST_PAUSE_MS = 1000;

export interface RecorderOptions {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  readonly clockState: () => ClockState;
  readonly polls: PollAccount;
  readonly accounts: SavedAccounts;
  /** State that goes with the next commit, and its end: it is on disk. */
  readonly moreState: { all(): Iterable<readonly [string, string]>; saved(): void };
  readonly counts: { readings: number; intervals: number; withoutFactor: number; droppedSamples: number };
  readonly onReadings: (device: string, readings: readonly Reading[]) => void;
  readonly onIntervals: (device: string, intervals: readonly Interval[]) => void;
  /** The account wants to know which meter it is that answers. */
  readonly onAsksWho: (device: string) => void;
  readonly onCommitted: (numbers: readonly number[], isLive: boolean) => void;
}

export interface Polled {
  readonly meter: AccountedMeter;
  readonly sample: Sample;
  /** The journal has it already, from a run of history before: it is accounted, and not recorded a second time. */
  readonly isHeld: boolean;
}

/** A sample as it is accounted. */
interface Taken {
  readonly sample: Sample;
  readonly readings: readonly Reading[];
  readonly boot: number;
  readonly isLive: boolean;
}

const NONE: readonly JournalEntry[] = [];

interface Recorded extends JournalEntry {
  /** A sample with a reading of its meter's main counter. */
  readonly isMainPoll?: boolean;
}

/** Record first, derive after: what was polled and what it closes become one synced commit; what cannot be written waits. */
export class Recorder {
  readonly #o: RecorderOptions;
  #unwritten: Recorded[] = [];
  /** Why it waits. */
  #refused: "disk-full" | "disk-unusable" = "disk-unusable";
  readonly #undated = new Undated();

  constructor(options: RecorderOptions) {
    this.#o = options;
  }

  /** Whether all that was recorded is on disk. */
  get isAllWritten(): boolean {
    return this.#unwritten.length === 0;
  }

  /** Goes with the next commit. */
  add(entries: readonly JournalEntry[]): void {
    this.#unwritten.push(...entries);
  }

  /**
   * The process ends: what waits is tried for a few seconds more, as the disk may get room. What is left then goes with the
   * process; its samples are a loss that the journal tells if at least that can be written when it is closed.
   */
  async finish(timers: Timers): Promise<void> {
    const { log, counts } = this.#o;
    for (let tried = 0; !this.isAllWritten && tried < LAST_TRIES; tried++) {
      await new Promise<void>((resolve) => timers.after(LAST_PAUSE_MS, resolve));
      this.#write([], true);
    }
    if (this.isAllWritten) return;
    const samples = this.#unwritten.filter(({ kind }) => kind === "sample");
    const times = this.#unwritten.flatMap(({ from_ms, to_ms }) => [from_ms, to_ms]);
    log.error("journal.not-kept", {
      samples: samples.length,
      others: this.#unwritten.length - samples.length,
      from: new Date(Math.min(...times)).toISOString(),
      to: new Date(Math.max(...times)).toISOString(),
      why: this.#refused,
    });
    counts.droppedSamples += samples.length;
    for (const sample of samples) this.#noteLost(sample);
  }

  /** The samples and what they close go into one transaction, samples first. Accelerated history is not live. */
  record(
    polled: readonly Polled[],
    accountantOf: (meter: AccountedMeter) => Accountant | undefined,
    isLive: boolean,
  ): void {
    if (polled.length === 0 && this.#unwritten.length === 0) return;
    const { journal } = this.#o;
    const boot = isLive ? journal.boot : HISTORY_BOOT;
    const clockState = isLive ? this.#o.clockState() : "set";
    if (clockState === "set" && isLive) this.#dateSamples();
    const samples: Recorded[] = [];
    const books: JournalEntry[] = [];
    for (const { meter, sample, isHeld } of polled) {
      const { definition } = meter;
      const readings = this.#decoded(definition, sample);
      if (!isHeld) {
        const entry = takenEntry({ sample, definition: meter.hash, boot, clock: clockState }, readings);
        samples.push({ ...entry, isMainPoll: isLive && holds(readings, CARRIERS[definition.carrier].counters[0]) });
        this.#o.counts.readings += readings.length;
      }
      if (isLive) this.#o.onReadings(definition.device, readings);
      const accountant = accountantOf(meter);
      // The counter carries it to the first reading whose date is known.
      if (clockState === "waiting") accountant?.identify(sample, boot);
      else if (accountant !== undefined)
        this.#book(definition.device, accountant, { sample, readings, boot, isLive }, books);
    }
    this.#write([...samples, ...books], isLive);
  }

  #decoded(definition: DeviceDefinition, sample: Sample): readonly Reading[] {
    try {
      return decodeSample(definition, sample);
    } catch (error) {
      this.#failed(definition.device, error);
      return [];
    }
  }

  #book(device: string, accountant: Accountant, taken: Taken, books: JournalEntry[]): void {
    try {
      const closed = this.#account(device, accountant, taken);
      if (closed.length > 0) books.push(...closed);
    } catch (error) {
      this.#failed(device, error);
    }
  }

  /** An error of ours about one meter costs neither its sample, which can be worked out again, nor what the others said. */
  #failed(device: string, error: unknown): void {
    this.#o.log.error("account.failed", {
      device,
      code: error instanceof KhuXanhError ? error.code : "INTERNAL",
      error: error instanceof Error ? error.stack : String(error),
    });
  }

  /** What a sample closes. */
  #account(device: string, accountant: Accountant, taken: Taken): readonly JournalEntry[] {
    const { clock, counts, accounts } = this.#o;
    const { isLive } = taken;
    const accounted = accountant.take(taken.sample, taken.readings, clock.now_ms(), isLive ? taken.boot : null);
    if (accounted.asksWho && isLive) this.#o.onAsksWho(device);
    const swap = accounted.swap === null ? NONE : [this.#swapped(device, accountant, accounted.swap)];
    if (accounted.intervals.length === 0) return swap;
    counts.intervals += accounted.intervals.length;
    this.#noteWithoutFactor(accounted.withoutFactor);
    if (isLive) {
      accounts.changed(device, accountant);
      this.#o.onIntervals(device, accounted.intervals);
    }
    return [...swap, ...contentEntries(device, accounted)];
  }

  /** Its account is saved with the record, so that no restart tells it again. */
  #swapped(device: string, accountant: Accountant, swap: MeterSwapRecord): JournalEntry {
    const { serialBefore, serialAfter } = swap;
    this.#o.log.warn("account.meter-replaced", { device, serialBefore, serialAfter });
    this.#o.accounts.changed(device, accountant);
    return entryOf(swap);
  }

  #noteWithoutFactor(missing: Accounted["withoutFactor"]): void {
    const first = missing[0];
    if (first === undefined) return;
    this.#o.counts.withoutFactor += missing.length;
    this.#o.log.warn("account.no-factor", { device: first.interval.device, why: first.why, code: "FACTOR_MISSING" });
  }

  #write(entries: readonly Recorded[], isLive: boolean): void {
    const { journal, accounts, moreState, polls, log } = this.#o;
    const all = this.isAllWritten ? entries : [...this.#unwritten, ...entries];
    try {
      const numbers = journal.commit({
        entries: all,
        state: (_numbers, position) => [...moreState.all(), ...accounts.toSave(position)],
      });
      this.#unwritten = [];
      accounts.saved(journal.position());
      moreState.saved();
      if (isLive) for (const entry of all) if (entry.isMainPoll === true) polls.journaled(entry.device, entry.from_ms);
      if (isLive) this.#noteUndated(all, numbers);
      if (numbers.length > 0) this.#o.onCommitted(numbers, isLive);
    } catch (error) {
      const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
      log.error("journal.write-failed", { code, waiting: all.length, error: String(error) });
      this.#refused = code === "DISK_FULL" ? "disk-full" : "disk-unusable";
      const kept = this.#shed(all);
      this.#unwritten = kept.map(bare);
    }
  }

  /** Beyond what memory may hold the oldest samples go, each a loss that is told when the disk takes it. */
  #shed(entries: readonly Recorded[]): readonly Recorded[] {
    let excess = entries.length - UNWRITTEN_MAX;
    if (excess <= 0) return entries;
    return entries.filter((entry) => {
      if (excess <= 0 || entry.kind !== "sample") return true;
      excess -= 1;
      this.#o.counts.droppedSamples += 1;
      this.#noteLost(entry);
      return false;
    });
  }

  #noteLost({ from_ms, to_ms }: JournalEntry): void {
    const why = this.#refused;
    this.#o.journal.noteLoss({ device: null, from_ms, to_ms, count: 1, what: "samples", why, batches: null });
  }

  /** What is booked comes after the sample that closed it. */
  #noteUndated(entries: readonly JournalEntry[], numbers: readonly number[]): void {
    let moment: Moment | null = null;
    for (const [i, entry] of entries.entries()) {
      const taken = entry.kind === "sample" ? (entry.taken?.record ?? decodeSampleRecord(entry)) : null;
      if (taken !== null) moment = taken.clock === "set" ? null : momentOf(taken.sample, taken.boot);
      if (moment !== null && entry.kind !== "node") this.#undated.note(numbers[i]!, this.#o.journal.epoch, moment);
    }
  }

  /** The clock was set: what was read before gets its date by records of its own. */
  #dateSamples(): void {
    const { journal, clock, log } = this.#o;
    const now = { at_ms: clock.now_ms(), mono_ms: clock.mono_ms(), boot: journal.boot };
    for (const record of this.#undated.dated(now, journal.epoch)) {
      log.info("clock.set", { offset_ms: record.offset_ms, batches: record.batches.length });
      this.#unwritten.push(entryOf(record));
    }
  }
}

function holds(readings: readonly Reading[], quantity: QuantityId | undefined): boolean {
  // By index, as everything that is done for every reading: an iterator makes an object for each.
  for (let i = 0; i < readings.length; i++) if (readings[i]!.quantity === quantity) return true;
  return false;
}

/** Thousands may wait: not with their readings. */
function bare(entry: Recorded): Recorded {
  const { taken: _, ...rest } = entry;
  return rest;
}
