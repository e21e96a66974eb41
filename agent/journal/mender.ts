import type { DiskRow, DiskValue, JournalDisk, Log, Random } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import { readBlob } from "./blob.ts";
import type { Level } from "./bounds.ts";
import { type Chain, type Held, writesOf } from "./chain.ts";
import { unpackChunk } from "./chunk.ts";
import { damagedGaps, type Gap, gapsOf, gapsText } from "./holes.ts";
import type { Loss } from "./journal.ts";
import type { Losses } from "./losses.ts";
import { NO_EPOCH, NUMBERING_KEYS, Numbering } from "./numbering.ts";
import type { Look, Reader } from "./reader.ts";
import { type Hole, type Salvage, salvage } from "./salvage.ts";
import { decodeSampleRecord } from "./sample.ts";
import { cautious, formatRanges, parseRanges, type Values, withoutOwn } from "./values.ts";

/**
 * State: losses that were found and that no record names yet. They are kept with the mended file or before it, for once it is
 * mended nothing shows them any more.
 */
export const UNTOLD = "untold";
/**
 * State: positions of history that is known to be damaged in segments the disk did not let be mended, by the name of the file.
 * They are named at once, before anything is booked without them, and not again when the same damage is found at the next start.
 */
const TOLD = "told";

/** What a mender needs of the journal it mends. */
export interface Mended {
  readonly disk: JournalDisk;
  readonly chain: Chain;
  readonly reader: Reader;
  readonly values: Values;
  readonly losses: Losses;
  readonly log: Log;
  readonly now_ms: () => EpochMs;
  readonly random: Random;
  readonly numbers: () => Numbering;
  readonly renumber: (numbers: Numbering) => void;
  /** Begins the segment behind the newest. @returns whether the disk took it: else the next commit does */
  readonly begin: () => boolean;
}

/**
 * Damage: reading through it, saving what is sound, naming what is not there any more.
 *
 * What is missing is declared only after it was read again through files opened anew, and never because a disk refuses to
 * read: that may end. What was declared is a loss record with the next commit, and the file as it was is set aside.
 */
export class Mender {
  readonly #o: Mended;

  constructor(mended: Mended) {
    this.#o = mended;
  }

  /** How often the disk refused to read: what it refuses may lie there all the same. */
  get refusals(): number {
    return this.#o.reader.refusals;
  }

  /** The records that lie together with the first one at or after `ordinal`; what is damaged on the way is mended. */
  look(ordinal: number): Exclude<Look, { readonly kind: "damaged" }> {
    let doubted: Held | null = null;
    let mended: Held | null = null;
    for (;;) {
      const look = this.#o.reader.from(ordinal, this.#o.numbers().next);
      if (look.kind !== "damaged") return look;
      const { held } = look;
      if (held !== doubted) {
        // Perhaps it was not read as it lies there.
        doubted = held;
        this.#o.chain.closeFile(held);
        this.#o.reader.forget();
      } else if (held !== mended) {
        if (!this.mend(held)) return { kind: "none" };
        mended = held;
        // What is still wrong after it was mended stays so.
      } else this.#o.reader.acceptAsIs(held);
    }
  }

  /** The disk takes writes again: what it did not let be mended is mended now, and what is sound in it can be read. */
  mendWhatWaited(): void {
    for (const held of this.#o.reader.doubtUnmended()) this.lookThrough(held);
  }

  /** Every row of a segment, so that nothing damaged goes from it without a word. */
  lookThrough(held: Held): void {
    const end = this.#o.chain.endOf(held, this.#o.numbers().next);
    for (let ordinal = held.first; ordinal < end; ) {
      const look = this.look(ordinal);
      if (look.kind === "none") return;
      ordinal = look.records.at(-1)!.ordinal + 1;
    }
  }

  /**
   * The newest segment cannot say what the next number is. What is sound is kept, what is open goes out again in a new epoch,
   * and accounts begin anew from the samples: carved ones may be newer than the samples are. Another segment begins behind it.
   */
  rebuild(held: Held): void {
    const { disk, log, now_ms, random, values, losses } = this.#o;
    const found = salvage(disk, held.name, held.first, Number.POSITIVE_INFINITY, "go-on");
    const texts = cautious(new Map([...this.#textsBefore(held), ...found.values]));
    const said = Number(texts.get("next"));
    const end = Number.isSafeInteger(said) ? Math.max(said, found.end) : found.end;
    const old = Numbering.from(new Map([...texts, ["next", String(end)]])) ?? Numbering.fresh(NO_EPOCH, 1);
    old.next = end;
    const renewed = old.renewed(random.hex(8));
    this.#o.renumber(renewed);
    // No boot twice: times of one boot are compared with each other.
    const boot = Math.max(Number(texts.get("boot") ?? 0), bootOf(found));
    const kept = [...texts].filter(([name]) => !NUMBERING_KEYS.includes(name));
    values.load([...withoutOwn(kept), ["boot", String(boot)]], found.version);
    this.takeUntold();
    const tail = end > found.end ? [{ first: found.end, last: end - 1, from_ms: found.last_ms, to_ms: null }] : [];
    const { level } = this.#o.chain.factsNow(held);
    const gaps = this.#gapsIn(held, [...found.holes, ...tail]);
    const why = "the newest segment does not say what the next number is";
    const isKept = this.#setAside(held, `${why}${gapsText(gaps, (position) => old.numberOf(position))}`);
    const history = this.#confirmedIn(this.#notTold(held, damagedGaps(found, gaps, level, false, end)));
    this.noteMissing(gaps);
    this.#noteHistory(history);
    const from_ms = found.last_ms ?? 0;
    losses.note(
      { device: null, from_ms, to_ms: now_ms(), count: 0, what: "unknown", why: "set-aside", batches: null },
      null,
    );
    values.load([[UNTOLD, losses.text()]], 0);
    if (isKept && found.rows.length > 0) this.#replace(held, "mended", found.rows, []);
    // Nothing of this is on disk: the next start must not come to another epoch for the same batches.
    if (!this.#o.begin()) this.#o.renumber(renewed.under(epochOf(old.epoch, found)));
    const records = found.end - held.first;
    const { epoch, unconfirmed: pending } = this.#o.numbers();
    log.error("journal.newest-rebuilt", { file: held.name, records, epoch, pending });
  }

  /** State as the segment before the newest was told it; the oldest word on anything that is better than none. */
  #textsBefore(held: Held): ReadonlyMap<string, string> {
    const before = this.#o.chain.segments[this.#o.chain.segments.indexOf(held) - 1];
    if (before === undefined) return new Map();
    return salvage(this.#o.disk, before.name, before.first, held.first, "go-on").values;
  }

  /**
   * A segment that is not what was written: what is sound stays, the file is kept aside, what is missing is a loss.
   * @returns whether the disk let it be looked at: else nothing is declared.
   */
  mend(held: Held): boolean {
    const { chain, log, values } = this.#o;
    const numbers = this.#o.numbers();
    const isNewest = held === chain.newest;
    const end = chain.endOf(held, numbers.next);
    let found: Salvage;
    let level: Level;
    let gaps: readonly Gap[];
    try {
      found = salvage(this.#o.disk, held.name, held.first, end, "refuse");
      level = chain.facts(held).level;
      gaps = this.#gapsIn(held, found.holes);
    } catch (cause) {
      log.error("journal.segment-unreadable", { file: held.name, why: String(cause) });
      return false;
    }
    const mayEndEarly = !isNewest && values.state.has("gaveWay");
    const damaged = damagedGaps(found, gaps, level, mayEndEarly, end);
    const counts = `${gaps.length} holes, ${found.rows.length} sound chunks`;
    const named = gapsText(gaps, (position) => numbers.numberOf(position));
    const isKept = this.#setAside(held, `not what was written: ${counts}${named}`);
    const history = this.#confirmedIn(this.#notTold(held, damaged));
    this.noteMissing(gaps);
    this.#noteHistory(history);
    // Until it is mended the next start finds the same again.
    const kept: [string, string][] = [
      [UNTOLD, this.#o.losses.text()],
      [TOLD, this.#toldText(held, damaged)],
    ];
    if (isNewest) values.load([...numbers.state(), ...kept], found.version);
    else this.#keepUntold(kept);
    const texts = isNewest ? values.all() : withoutOwn(found.values);
    const sealed = values.sealed(texts, numbers.epochNumber);
    const isMended = isKept && this.#replace(held, level === "whole" ? "mended" : level, found.rows, sealed);
    values.put(TOLD, this.#toldText(held, isMended ? [] : damaged));
    return true;
  }

  /** The parts of damage that no record names yet. */
  #notTold({ name }: Held, damaged: readonly Gap[]): Gap[] {
    const told = BatchRanges.of(parseRanges(this.#told().get(name) ?? ""));
    return damaged.flatMap((gap) => told.missingIn(gap.first, gap.last).map((range) => ({ ...gap, ...range })));
  }

  #told(): Map<string, string> {
    return new Map(JSON.parse(this.#o.values.state.get(TOLD) ?? "[]") as [string, string][]);
  }

  /** With this damage of a segment, and without segments that are there no more. */
  #toldText({ name }: Held, damaged: readonly Gap[]): string {
    const { segments } = this.#o.chain;
    const told = this.#told().set(name, formatRanges(BatchRanges.of(damaged).toRanges()));
    return JSON.stringify(
      [...told].filter(([of, ranges]) => ranges !== "" && segments.some((held) => held.name === of)),
    );
  }

  /** What waited when the process before this one ended. */
  takeUntold(): void {
    this.#o.numbers().confirmPositions(this.#o.losses.restore(this.#o.values.state.get(UNTOLD) ?? ""));
  }

  #keepUntold(untold: readonly (readonly [string, string])[]): void {
    const { chain, values, log } = this.#o;
    try {
      const sealed = values.sealed(untold, this.#o.numbers().epochNumber);
      (chain.writer ?? chain.openWriter()).append({ rows: [], values: sealed });
      values.load(untold, 0);
    } catch (cause) {
      log.error("journal.write-failed", { error: String(cause) });
    }
  }

  /** @returns whether the disk took it: else the file is all there is of it, and stays as it is. */
  #setAside(held: Held, why: string): boolean {
    const { log, now_ms } = this.#o;
    try {
      const aside = this.#o.chain.copyAside(held, now_ms(), why);
      log.error("journal.segment-set-aside", { file: aside, why });
      return true;
    } catch (cause) {
      this.#o.reader.acceptAsIs(held);
      log.error("journal.segment-damaged", { file: held.name, why, notKept: String(cause) });
      return false;
    }
  }

  #replace(held: Held, level: Level, rows: readonly DiskRow[], values: readonly DiskValue[]): boolean {
    this.#o.reader.forget();
    try {
      this.#o.chain.replace(held, level, writesOf(rows, values));
      return true;
    } catch (cause) {
      this.#o.reader.acceptAsIs(held);
      this.#o.log.error("journal.segment-not-mended", { file: held.name, error: String(cause) });
      return false;
    }
  }

  /** Holes with their times: those at the ends of a segment lie between its neighbours. */
  #gapsIn(held: Held, holes: readonly Hole[]): Gap[] {
    const { segments } = this.#o.chain;
    const at = segments.indexOf(held);
    const [before, after] = [segments[at - 1], segments[at + 1]];
    const { opened_ms } = this.#o.chain.facts(held);
    const before_ms = (before === undefined ? null : this.#newestIn(before)) ?? opened_ms;
    const after_ms = after === undefined ? Number.POSITIVE_INFINITY : this.#o.chain.facts(after).opened_ms;
    const now_ms = this.#o.now_ms();
    return gapsOf(holes, before_ms === Number.MAX_SAFE_INTEGER ? 0 : before_ms, Math.min(after_ms, now_ms));
  }

  /** The end of what was written to it last; null if that cannot be read. */
  #newestIn(held: Held): EpochMs | null {
    try {
      const last = this.#o.chain.open(held).rows(Number.MAX_SAFE_INTEGER, 1)[0];
      const blob = last === undefined ? null : readBlob(last.blob);
      if (blob === null || blob.kind === "damaged" || blob.kind === "value") return null;
      return Math.max(...unpackChunk(blob).map(({ to_ms }) => to_ms));
    } catch {
      return null;
    }
  }

  /** Unconfirmed batches that are not there any more: named in a loss record, and not waited for. */
  noteMissing(gaps: readonly Gap[]): void {
    for (const { first, last, from_ms, to_ms } of gaps) {
      const missing = this.#o.numbers().unconfirmedIn(first, last);
      if (missing.length === 0) continue;
      const count = sizeOf(missing);
      this.#o.losses.note(
        { device: null, from_ms, to_ms, count, what: "unknown", why: "damaged", batches: null },
        missing,
      );
      this.#o.numbers().confirmPositions(missing);
    }
  }

  #confirmedIn(gaps: readonly Gap[]): Loss[] {
    return gaps.flatMap(({ first, last, from_ms, to_ms }): Loss[] => {
      const count = last - first + 1 - sizeOf(this.#o.numbers().unconfirmedIn(first, last));
      if (count === 0) return [];
      return [{ device: null, from_ms, to_ms, count, what: "history", why: "damaged", batches: null }];
    });
  }

  /** Confirmed batches that are not there any more. Without their numbers: the host holds them, and must not count them lost. */
  #noteHistory(losses: readonly Loss[]): void {
    for (const loss of losses) this.#o.losses.note(loss, null);
  }
}

/** The same for the same batches saved, and another one than before. */
function epochOf(before: string, { rows }: Salvage): string {
  let sum = 0;
  for (const { blob } of rows) sum = crc32c(blob, sum);
  const [high, low] = [0, 8].map((at) => (Number.parseInt(before.slice(at, at + 8), 16) ^ (sum | 1)) >>> 0);
  return [high!, low!].map((half) => half.toString(16).padStart(8, "0")).join("");
}

function sizeOf(ranges: readonly BatchRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** The boot of the newest sample that was saved and can be read. */
function bootOf({ rows }: Salvage): number {
  for (const { blob: bytes } of [...rows].reverse()) {
    const blob = readBlob(bytes);
    if (blob.kind !== "telemetry") continue;
    try {
      return decodeSampleRecord(unpackChunk(blob).at(-1)!).boot;
    } catch {
      // Of another version: no reason not to start.
    }
  }
  return 0;
}
