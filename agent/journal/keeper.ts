import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { DiskRow, DiskValue, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import {
  agedStep,
  BOOKS_AGE_MS,
  fullStep,
  levelAfter,
  SEGMENT_AGE_MS,
  type SegmentFacts,
  type Step,
} from "./bounds.ts";
import { allRows, type Chain, type Held, SEGMENT_KEYS, writesOf } from "./chain.ts";
import { holdsCounter } from "./holdsCounter.ts";
import type { Numbering } from "./numbering.ts";
import type { Reader } from "./reader.ts";
import { type Lost, type Reduced, reduce } from "./reduce.ts";

/** Bytes written between two looks at the bounds. */
const LOOK_BYTES = 1 << 20;
/** And the time between them, if less is written; and if the journal is beyond its bound. */
const LOOK_MS = 3_600_000;
const LOOK_AGAIN_MS = 60_000;
/** Of the bound: what files set aside may take. Beyond it the oldest are deleted, which is logged. */
const ASIDE_SHARE = 0.25;
/** Of the bound: what a journal that is full gives way to in one go. */
const FULL_TO = 0.95;
/** How long a full disk is left alone before history is given way for it once more. */
const NO_WAY_MS = 60_000;

/** What a keeper needs of the journal it keeps within its bounds. */
export interface Kept {
  readonly chain: Chain;
  readonly reader: Reader;
  readonly log: Log;
  readonly now_ms: () => EpochMs;
  readonly bound_bytes: number;
  /** What history may take with the rest: less than the bound while others fill the disk. */
  readonly historyBound_bytes: () => number;
  readonly maxAge_ms: number;
  readonly segmentLimit: () => number;
  readonly numbers: () => Numbering;
  readonly definition: (hash: string) => DeviceDefinition | null;
  /** Reads a segment through, so that damage in it is named before anything of it goes. */
  readonly lookThrough: (held: Held) => void;
  /** This step is taken, and these unconfirmed batches go by it. */
  readonly note: (step: Step, lost: Lost | null) => void;
  /** Puts on disk what was noted. @throws what a commit throws */
  readonly keep: () => void;
}

/** Keeps a journal within its bounds: looks now and then, and lets give way what the order of `bounds.ts` names next. */
export class Keeper {
  readonly #o: Kept;
  #bytesSinceLook = 0;
  #isLooking = false;
  #lookedAt_ms = Number.NEGATIVE_INFINITY;
  /** The last look could not get below the bound. */
  #isBeyondBound = false;
  /** A full disk did not even take what is smaller: not tried again before then. */
  #noWayUntil_ms = Number.NEGATIVE_INFINITY;

  constructor(kept: Kept) {
    this.#o = kept;
  }

  wrote(bytes: number): void {
    this.#bytesSinceLook += bytes;
  }

  isDue(): boolean {
    if (this.#isLooking) return false;
    if (this.#bytesSinceLook >= Math.min(LOOK_BYTES, this.#o.segmentLimit())) return true;
    return Math.abs(this.#o.now_ms() - this.#lookedAt_ms) > (this.#isBeyondBound ? LOOK_AGAIN_MS : LOOK_MS);
  }

  /** Looks whether something is too old or too much, and lets it give way. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#bytesSinceLook = 0;
    this.#lookedAt_ms = this.#o.now_ms();
    try {
      const { maxAge_ms, now_ms, log } = this.#o;
      const bounds = { maxAge_ms, booksAge_ms: Math.max(BOOKS_AGE_MS, maxAge_ms) };
      for (let aged = agedStep(this.#facts(), bounds, now_ms()); aged !== null; ) {
        this.#take(aged.step, aged.at);
        aged = agedStep(this.#facts(), bounds, now_ms());
      }
      while (this.#asideBytes() > ASIDE_SHARE * this.#o.bound_bytes) {
        log.warn("journal.aside-deleted", { file: this.#o.chain.removeOldestAside() });
      }
      this.#keepBound();
    } catch (cause) {
      this.#o.log.error("journal.bound-not-kept", { error: String(cause) });
    } finally {
      this.#isLooking = false;
    }
  }

  /** What is unconfirmed gives way to the journal's own size alone, never because others fill the disk. */
  #keepBound(): void {
    const { chain, bound_bytes, historyBound_bytes } = this.#o;
    const history_bytes = historyBound_bytes();
    const isFull = chain.bytes() > bound_bytes;
    this.#isBeyondBound = chain.bytes() > history_bytes;
    while (this.#isBeyondBound) {
      const next = fullStep(this.#facts(), this.#o.numbers().holes);
      if (next === null || (next.step !== "history" && !isFull)) return;
      const to_bytes = FULL_TO * (next.step === "history" ? history_bytes : bound_bytes);
      if (chain.bytes() > to_bytes) this.#take(next.step, next.at);
      else this.#isBeyondBound = false;
    }
  }

  /**
   * A disk that is full before the bound is reached: confirmed history goes, nothing else. It takes no commit, so what is noted
   * goes with the next one: there is room for it.
   */
  makesRoom(): boolean {
    const now_ms = this.#o.now_ms();
    if (this.#isLooking || now_ms < this.#noWayUntil_ms) return false;
    this.#noWayUntil_ms = now_ms + NO_WAY_MS;
    this.#isLooking = true;
    try {
      const next = fullStep(this.#facts(), this.#o.numbers().holes);
      if (next?.step !== "history") return false;
      const held = this.#o.chain.segments[next.at]!;
      const reduced = this.#reduced(held, next.step);
      this.#giveWay(held, next.step, reduced);
      this.#o.note(next.step, reduced.lost);
      return true;
    } catch (cause) {
      this.#o.log.error("journal.no-room", { error: String(cause) });
      return false;
    } finally {
      this.#isLooking = false;
    }
  }

  #take(step: Step, at: number): void {
    const held = this.#o.chain.segments[at]!;
    const reduced = this.#reduced(held, step);
    // Told first, done then: a crash between the two leaves batches that nobody waits for, not a hole that nobody knows of.
    this.#o.note(step, reduced.lost);
    this.#o.keep();
    this.#giveWay(held, step, reduced);
  }

  #reduced(held: Held, step: Step): Reduced {
    this.#o.lookThrough(held);
    return reduce(
      allRows(this.#o.chain.open(held)),
      step,
      (position) => this.#o.numbers().isConfirmed(position),
      (record) => holdsCounter(record, (hash) => this.#o.definition(hash)),
    );
  }

  #giveWay(held: Held, step: Step, { rows, lost }: Reduced): void {
    this.#o.log.warn("journal.gave-way", { step, file: held.name, lost: lost?.count ?? 0 });
    this.#o.reader.forget();
    const level = levelAfter(step);
    if (level === null || (level === "books" && rows.length === 0)) this.#o.chain.remove(held);
    else if (level === "books") this.#keepBooks(held, rows);
    else this.#o.chain.replace(held, level, writesOf(rows, this.#ownValues(held)));
  }

  /** Books of one segment join those of the one before it, as long as that stays small. */
  #keepBooks(held: Held, rows: readonly DiskRow[]): void {
    const before = this.#o.chain.segments[this.#o.chain.segments.indexOf(held) - 1];
    const bytes = rows.reduce((sum, { blob }) => sum + blob.length, 0);
    const joins =
      before !== undefined &&
      this.#o.chain.facts(before).level === "books" &&
      before.bytes + bytes < this.#o.segmentLimit() &&
      this.#o.chain.facts(held).opened_ms - this.#o.chain.facts(before).opened_ms < SEGMENT_AGE_MS;
    if (!joins) return this.#o.chain.replace(held, "books", writesOf(rows, []));
    const earlier = [...allRows(this.#o.chain.open(before))].filter(({ key }) => key < held.first);
    this.#o.chain.replace(before, "books", writesOf([...earlier, ...rows], []));
    this.#o.chain.remove(held);
  }

  #ownValues(held: Held): DiskValue[] {
    return this.#o.chain
      .open(held)
      .values()
      .filter(({ name }) => !SEGMENT_KEYS.includes(name));
  }

  /** Of all segments but the newest; opened only as far as somebody asks. */
  #facts(): SegmentFacts[] {
    const { segments } = this.#o.chain;
    const chain = this.#o.chain;
    const numbers = this.#o.numbers();
    return segments.slice(0, -1).map((held, i) => ({
      get level() {
        return chain.facts(held).level;
      },
      get isConfirmed() {
        return numbers.areConfirmed(held.first, segments[i + 1]!.first - 1);
      },
      get until_ms() {
        return chain.facts(segments[i + 1]!).opened_ms;
      },
    }));
  }

  #asideBytes(): number {
    return this.#o.chain.asides.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
