import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { DiskRow, DiskValue, DiskWrite } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { LossWhat } from "../../core/wire/nodeRecord.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import { readBlob } from "./blob.ts";
import { type Level, MAX_BYTES, SEGMENT_AGE_MS, SEGMENT_BYTES, STEPS, type Step } from "./bounds.ts";
import { Chain, type Held, isOfDisk, SEGMENT_KEYS, writesOf } from "./chain.ts";
import { type HeldRecord, packChunks, unpackChunk } from "./chunk.ts";
import { damagedGaps, type Gap, gapsOf, gapsText } from "./holes.ts";
import type {
  Journal,
  JournalEntry,
  JournalOptions,
  JournalStatus,
  JournalWrite,
  Loss,
  StoredRecord,
} from "./journal.ts";
import { Keeper } from "./keeper.ts";
import { Losses } from "./losses.ts";
import { Numbering } from "./numbering.ts";
import { Reader } from "./reader.ts";
import type { Lost } from "./reduce.ts";
import { type Hole, type Salvage, salvage } from "./salvage.ts";
import { decodeSampleRecord } from "./sample.ts";
import { cautious, FIRST_FORM, readValues, type StoredValues, Values } from "./values.ts";

/** Of the bound: where what is unconfirmed becomes an alarm. */
const ALARM_SHARE = 0.5;
const LOST_BY = {
  history: "samples",
  thinned: "thinned",
  gauges: "gauges",
  samples: "samples",
  books: "intervals",
} as const satisfies Record<Step, LossWhat>;
/** Until the newest segment was read. */
const NO_EPOCH = "0".repeat(16);
const NUMBERING_KEYS: readonly string[] = ["epoch", "base", "next", "confirmed"];

export class DiskJournal implements Journal {
  readonly #options: JournalOptions;
  readonly #chain: Chain;
  readonly #reader: Reader;
  readonly #values = new Values();
  readonly #losses: Losses;
  readonly #keeper: Keeper;
  readonly #bound: number;
  #numbers: Numbering;
  /** What the last commit wrote: whoever sends it live need not read it back. */
  #recent: { readonly first: number; readonly epoch: string; readonly entries: readonly JournalEntry[] } | null = null;
  #oldest: { readonly position: number; readonly at_ms: EpochMs | null } = { position: 0, at_ms: null };
  #segmentBytes = 0;
  #isWritable = true;
  readonly boot: number;

  constructor(options: JournalOptions) {
    const { disk, log } = options;
    this.#options = options;
    this.#chain = new Chain(disk);
    this.#reader = new Reader(this.#chain, log, (first, last) => this.#numbers.areConfirmed(first, last));
    this.#bound =
      options.maxBytes ??
      Math.min(MAX_BYTES, ((disk.free_bytes() ?? Number.POSITIVE_INFINITY) + this.#chain.bytes()) / 4);
    this.#losses = new Losses(options.now_ms);
    this.#keeper = new Keeper({
      chain: this.#chain,
      reader: this.#reader,
      log,
      now_ms: options.now_ms,
      bound_bytes: this.#bound,
      maxAge_ms: options.maxAge_ms,
      segmentLimit: () => this.#segmentLimit(),
      numbers: () => this.#numbers,
      definition: (hash) => this.definition(hash),
      tell: (step, lost) => this.#tell(step, lost),
    });
    const { newest } = this.#chain;
    this.#numbers = Numbering.fresh(newest === null ? options.random.hex(8) : NO_EPOCH, 1);
    if (newest === null) this.#begin();
    else this.#openNewest(newest);
    this.boot = Number(this.#values.state.get("boot") ?? 0) + 1;
    this.#values.put("boot", String(this.boot));
    const { first = 1 } = this.#chain.segments[0] ?? {};
    this.#noteMissing([{ first: 1, last: first - 1, from_ms: 0, to_ms: this.#options.now_ms() }]);
    try {
      this.commit({ entries: [], state: () => [] });
    } catch (cause) {
      // A full disk keeps nobody from reading and sending what is there.
      log.error("journal.write-failed", { error: String(cause) });
    }
  }

  get epoch(): string {
    return this.#numbers.epoch;
  }

  commit(write: JournalWrite): readonly number[] {
    try {
      const numbers = this.#commit(write);
      this.#isWritable = true;
      return numbers;
    } catch (cause) {
      this.#isWritable = false;
      this.#losses.areNotTold();
      throw cause;
    }
  }

  #commit(write: JournalWrite): readonly number[] {
    if (this.#isSegmentFull()) {
      this.#begin();
      this.#keeper.look();
    }
    const numbering = this.#numbers;
    const losses = this.#losses.entries(numbering.epoch, (position) => numbering.numberOf(position));
    const entries = losses.length === 0 ? write.entries : [...losses, ...write.entries];
    const first = numbering.numberOf(numbering.next + losses.length);
    const numbers = write.entries.map((_, i) => first + i);
    const end = numbering.next + entries.length;
    const changes = this.#values.changes(write.state(numbers, end - 1));
    if (entries.length > 0) changes.set("next", String(end));
    if (losses.length > 0) changes.set("lost", String(this.#lost()));
    if (numbering.isConfirmedDirty) changes.set("confirmed", numbering.confirmedText());
    const rows = packChunks(entries, numbering.epochNumber, numbering.next).map(({ ordinal, blob }) => ({
      key: ordinal,
      blob,
    }));
    const values = this.#values.sealed(changes, numbering.epochNumber);
    if (rows.length > 0 || values.length > 0) this.#append({ rows, values });
    if (entries.length > 0) {
      const { next, epoch } = numbering;
      this.#recent = { first: next, epoch, entries };
      numbering.next = end;
    }
    numbering.saved();
    this.#values.saved(changes);
    this.#losses.areTold();
    if (this.#keeper.isDue()) this.#keeper.look();
    return numbers;
  }

  #append(write: DiskWrite): void {
    try {
      (this.#chain.writer ?? this.#chain.openWriter()).append(write);
    } catch (cause) {
      // A damaged newest segment: what is sound is saved, and the next one takes this commit. A full disk: confirmed history goes.
      if (!isOfDisk(cause)) {
        this.#mend(this.#chain.newest!);
        this.#begin();
      } else if (!this.#keeper.makesRoom()) throw cause;
      (this.#chain.writer ?? this.#chain.openWriter()).append(write);
    }
    const bytes = write.rows.reduce((sum, { blob }) => sum + blob.length, 0);
    this.#keeper.wrote(bytes);
    this.#segmentBytes += bytes;
  }

  confirm(ranges: readonly BatchRange[]): void {
    this.#numbers.confirm(ranges);
  }

  isConfirmed(number: number): boolean {
    return this.#numbers.isConfirmed(this.#numbers.positionOf(number));
  }

  nextNumber(): number {
    return this.#numbers.numberOf(this.#numbers.next);
  }

  unconfirmed(): number {
    return this.#numbers.unconfirmed;
  }

  position(): number {
    return this.#numbers.next - 1;
  }

  read(from: number, limit: number): readonly StoredRecord[] {
    return this.history(this.#numbers.positionOf(Math.max(1, from)), limit);
  }

  history(fromPosition: number, limit: number): readonly StoredRecord[] {
    const result: StoredRecord[] = [];
    for (let ordinal = Math.max(1, fromPosition); result.length < limit; ) {
      const records = this.#recordsFrom(ordinal);
      if (records === null) break;
      for (const record of records) {
        if (record.ordinal < ordinal || result.length === limit) continue;
        const { ordinal: position, ...rest } = record;
        result.push({ ...rest, number: this.#numbers.numberOf(position), position });
      }
      ordinal = records.at(-1)!.ordinal + 1;
    }
    return result;
  }

  #recordsFrom(ordinal: number): readonly HeldRecord[] | null {
    const recent = this.#recent;
    if (recent !== null && recent.first <= ordinal && ordinal < recent.first + recent.entries.length) {
      const { first, epoch } = recent;
      return recent.entries.slice(ordinal - first).map((entry, i) => ({ ...entry, ordinal: ordinal + i, epoch }));
    }
    let mended: Held | null = null;
    for (let look = this.#reader.from(ordinal, this.#numbers.next); ; ) {
      if (look.kind === "records") return look.records;
      if (look.kind === "none") return null;
      // What is still wrong after it was mended stays so.
      if (look.held === mended) this.#reader.acceptAsIs(look.held);
      else this.#mend(look.held);
      mended = look.held;
      look = this.#reader.from(ordinal, this.#numbers.next);
    }
  }

  definition(hash: string): DeviceDefinition | null {
    return this.#values.definition(hash);
  }

  putDefinition(definition: DeviceDefinition): string {
    return this.#values.putDefinition(definition);
  }

  getState(key: string): string | null {
    return this.#values.state.get(key) ?? null;
  }

  setState(key: string, value: string): void {
    this.#values.put(key, value);
  }

  noteLoss(loss: Loss): void {
    const positions = loss.batches?.map(({ first, last }) => ({
      first: this.#numbers.positionOf(first),
      last: this.#numbers.positionOf(last),
    }));
    this.#losses.note(loss, positions ?? null);
    if (positions !== undefined) this.#numbers.confirmPositions(positions);
  }

  renew(why: string): void {
    const renewed = this.#numbers.renewed(this.#options.random.hex(8));
    const changes = this.#values.changes(renewed.state());
    this.#append({ rows: [], values: this.#values.sealed(changes, renewed.epochNumber) });
    this.#values.saved(changes);
    const before = this.#numbers.epoch;
    this.#numbers = renewed;
    this.#options.log.warn("journal.epoch-renewed", { why, before, epoch: this.epoch, pending: this.unconfirmed() });
  }

  status(): JournalStatus {
    const bytes = this.#chain.bytes();
    return {
      epoch: this.epoch,
      nextNumber: this.nextNumber(),
      unconfirmed: this.unconfirmed(),
      oldestUnconfirmed_ms: this.#oldestUnconfirmed_ms(),
      bytes,
      bound_bytes: this.#bound,
      segments: this.#chain.segments.length,
      setAside: this.#chain.asides.map(({ name }) => name),
      isBeyondBound: bytes > this.#bound,
      lost: this.#lost(),
      gaveWay: STEPS.find((step) => step === this.#values.state.get("gaveWay")) ?? null,
      isBacklogAlarming: this.#backlogBytes() > ALARM_SHARE * this.#bound,
      isWritable: this.#isWritable,
    };
  }

  close(): void {
    const hasMore = this.#numbers.isConfirmedDirty || !this.#losses.isEmpty || this.#values.hasUnsaved;
    try {
      if (hasMore) this.commit({ entries: [], state: () => [] });
    } catch (cause) {
      this.#options.log.error("journal.write-failed", { error: String(cause) });
    }
    this.#chain.closeReader();
    this.#chain.closeWriter();
  }

  /** The new segment takes over state and definitions in its first transaction; until then the old one is the newest. */
  #begin(): void {
    this.#values.load(this.#numbers.state(), 0);
    const values = this.#values.sealed(this.#values.all(), this.#numbers.epochNumber);
    this.#chain.begin(this.#numbers.next, this.#options.now_ms(), { rows: [], values });
    this.#segmentBytes = 0;
    this.#reader.forget();
  }

  #isSegmentFull(): boolean {
    const newest = this.#chain.newest!;
    if (this.#numbers.next === newest.first) return false;
    const age_ms = this.#options.now_ms() - this.#chain.facts(newest).opened_ms;
    return this.#segmentBytes > this.#segmentLimit() || age_ms > SEGMENT_AGE_MS;
  }

  #segmentLimit(): number {
    return this.#options.segmentBytes ?? Math.max(Math.min(SEGMENT_BYTES, this.#bound / 16), 1 << 16);
  }

  /** Takes state and numbers from the newest segment, and looks through it: it will be written to. */
  #openNewest(held: Held): void {
    const read = this.#readNewest(held);
    const numbers = read === null ? null : Numbering.from(read.texts);
    if (read === null || numbers === null || numbers.next < held.first || this.#reachesBeyond(held, numbers.next)) {
      this.#rebuild(held);
      return;
    }
    this.#numbers = numbers;
    this.#segmentBytes = held.bytes;
    if (!read.isSound) {
      const found = salvage(this.#options.disk, held.name, held.first, numbers.next);
      this.#values.load(withoutOwn(new Map([...cautious(found.values), ...read.texts])), found.version);
      this.#mend(held);
    } else this.#values.load(withoutOwn(read.texts), read.version);
    for (let ordinal = held.first; ordinal < numbers.next; ) {
      const look = this.#reader.from(ordinal, numbers.next);
      if (look.kind === "none") break;
      if (look.kind === "damaged") this.#mend(look.held);
      else ordinal = look.records.at(-1)!.ordinal + 1;
    }
    if (read.texts.has(FIRST_FORM)) this.#begin();
  }

  #readNewest(held: Held): StoredValues | null {
    try {
      return readValues(this.#chain.openWriter().values());
    } catch (cause) {
      if (!isOfDisk(cause)) return null;
      if (this.#chain.writer !== null) throw cause;
      return this.#readOnly(held, cause);
    }
  }

  /** A full disk may refuse to open a file for writing and still give it to read. */
  #readOnly(held: Held, cause: unknown): StoredValues {
    this.#options.log.error("journal.write-failed", { file: held.name, error: String(cause) });
    return readValues(this.#chain.open(held).values());
  }

  /** Rows at or after the next position: the state is older than they are. */
  #reachesBeyond(held: Held, next: number): boolean {
    try {
      const last = this.#chain.open(held).rows(Number.MAX_SAFE_INTEGER, 1)[0];
      const blob = last === undefined ? null : readBlob(last.blob);
      return blob !== null && blob.kind !== "damaged" && blob.ordinal === last?.key && blob.ordinal + blob.count > next;
    } catch {
      return false;
    }
  }

  /**
   * The newest segment cannot say what the next number is. What is sound is kept, what is open goes out again in a new epoch,
   * and accounts begin anew from the samples: carved ones may be newer than the samples are.
   */
  #rebuild(held: Held): void {
    const { disk, log, now_ms, random } = this.#options;
    const found = salvage(disk, held.name, held.first, Number.POSITIVE_INFINITY);
    const texts = cautious(new Map([...this.#textsBefore(held), ...found.values]));
    const said = Number(texts.get("next"));
    const end = Number.isSafeInteger(said) ? Math.max(said, found.end) : found.end;
    const old = Numbering.from(new Map([...texts, ["next", String(end)]])) ?? Numbering.fresh(NO_EPOCH, 1);
    old.next = end;
    this.#numbers = old.renewed(random.hex(8));
    const boot = Number(texts.get("boot") ?? bootOf(found));
    const kept = [...texts].filter(([name]) => !NUMBERING_KEYS.includes(name));
    this.#values.load([...withoutOwn(kept), ["boot", String(boot)]], found.version);
    const tail = end > found.end ? [{ first: found.end, last: end - 1, from_ms: found.last_ms, to_ms: null }] : [];
    const gaps = this.#gapsIn(held, [...found.holes, ...tail]);
    const { level } = this.#chain.facts(held);
    const why = "the newest segment does not say what the next number is";
    const aside = this.#setAside(held, `${why}${gapsText(gaps, (position) => old.numberOf(position))}`);
    const history = this.#confirmedIn(damagedGaps(found, gaps, level, false, end));
    this.#noteMissing(gaps);
    this.#noteHistory(history);
    const from_ms = found.last_ms ?? 0;
    this.#losses.note(
      { device: null, from_ms, to_ms: now_ms(), count: 0, what: "unknown", why: "set-aside", batches: null },
      null,
    );
    const records = found.end - held.first;
    log.error("journal.newest-rebuilt", { file: aside, records, epoch: this.epoch, pending: this.unconfirmed() });
    if (found.rows.length > 0) this.#replace(held, "mended", found.rows, []);
    this.#begin();
  }

  /** State as the segment before the newest was told it; the oldest word on anything that is better than none. */
  #textsBefore(held: Held): ReadonlyMap<string, string> {
    const before = this.#chain.segments[this.#chain.segments.indexOf(held) - 1];
    if (before === undefined) return new Map();
    return salvage(this.#options.disk, before.name, before.first, held.first).values;
  }

  /** A segment that is not what was written: what is sound stays, the file is kept aside, what is missing is a loss. */
  #mend(held: Held): void {
    const isNewest = held === this.#chain.newest;
    const end = this.#chain.endOf(held, this.#numbers.next);
    const found = salvage(this.#options.disk, held.name, held.first, end);
    const { level } = this.#chain.facts(held);
    const gaps = this.#gapsIn(held, found.holes);
    const mayEndEarly = !isNewest && this.#values.state.has("gaveWay");
    const history = this.#confirmedIn(damagedGaps(found, gaps, level, mayEndEarly, end));
    const counts = `${gaps.length} holes, ${found.rows.length} sound chunks`;
    const named = gapsText(gaps, (position) => this.#numbers.numberOf(position));
    this.#setAside(held, `not what was written: ${counts}${named}`);
    this.#noteMissing(gaps);
    if (isNewest) this.#values.load(this.#numbers.state(), found.version);
    const texts = isNewest ? this.#values.all() : withoutOwn(found.values);
    const values = this.#values.sealed(texts, this.#numbers.epochNumber);
    // Not mended, it would be found and told again at every start.
    if (this.#replace(held, level === "whole" ? "mended" : level, found.rows, values)) this.#noteHistory(history);
  }

  #setAside(held: Held, why: string): string {
    const { log, now_ms } = this.#options;
    try {
      const aside = this.#chain.copyAside(held, now_ms(), why);
      log.error("journal.segment-set-aside", { file: aside, why });
      return aside;
    } catch (cause) {
      log.error("journal.segment-damaged", { file: held.name, why, notKept: String(cause) });
      return held.name;
    }
  }

  #replace(held: Held, level: Level, rows: readonly DiskRow[], values: readonly DiskValue[]): boolean {
    this.#reader.forget();
    try {
      this.#chain.replace(held, level, writesOf(rows, values));
      return true;
    } catch (cause) {
      this.#reader.acceptAsIs(held);
      this.#options.log.error("journal.segment-not-mended", { file: held.name, error: String(cause) });
      return false;
    }
  }

  /** Holes with their times: those at the ends of a segment lie between its neighbours. */
  #gapsIn(held: Held, holes: readonly Hole[]): Gap[] {
    const { segments } = this.#chain;
    const at = segments.indexOf(held);
    const [before, after] = [segments[at - 1], segments[at + 1]];
    const { opened_ms } = this.#chain.facts(held);
    const before_ms = (before === undefined ? null : this.#newestIn(before)) ?? opened_ms;
    const after_ms = after === undefined ? Number.POSITIVE_INFINITY : this.#chain.facts(after).opened_ms;
    const now_ms = this.#options.now_ms();
    return gapsOf(holes, before_ms === Number.MAX_SAFE_INTEGER ? 0 : before_ms, Math.min(after_ms, now_ms));
  }

  /** The end of what was written to it last; null if that cannot be read. */
  #newestIn(held: Held): EpochMs | null {
    try {
      const last = this.#chain.open(held).rows(Number.MAX_SAFE_INTEGER, 1)[0];
      const blob = last === undefined ? null : readBlob(last.blob);
      if (blob === null || blob.kind === "damaged" || blob.kind === "value") return null;
      return Math.max(...unpackChunk(blob).map(({ to_ms }) => to_ms));
    } catch {
      return null;
    }
  }

  /** Unconfirmed batches that are not there any more: named in a loss record, and not waited for. */
  #noteMissing(gaps: readonly Gap[]): void {
    for (const { first, last, from_ms, to_ms } of gaps) {
      const missing = this.#numbers.unconfirmedIn(first, last);
      if (missing.length === 0) continue;
      const count = sizeOf(missing);
      this.#losses.note(
        { device: null, from_ms, to_ms, count, what: "unknown", why: "damaged", batches: null },
        missing,
      );
      this.#numbers.confirmPositions(missing);
    }
  }

  #confirmedIn(gaps: readonly Gap[]): Loss[] {
    return gaps.flatMap(({ first, last, from_ms, to_ms }): Loss[] => {
      const count = last - first + 1 - sizeOf(this.#numbers.unconfirmedIn(first, last));
      if (count === 0) return [];
      return [{ device: null, from_ms, to_ms, count, what: "history", why: "damaged", batches: null }];
    });
  }

  /** Confirmed batches that are not there any more. Without their numbers: the host holds them, and must not count them lost. */
  #noteHistory(losses: readonly Loss[]): void {
    for (const loss of losses) this.#losses.note(loss, null);
  }

  #lost(): number {
    return Number(this.#values.state.get("lost") ?? 0) + this.#losses.count;
  }

  #tell(step: Step, lost: Lost | null): void {
    if (lost !== null) {
      const { ranges, ...of } = lost;
      this.#losses.note({ device: null, ...of, what: LOST_BY[step], why: "size-bound", batches: null }, ranges);
      this.#numbers.confirmPositions(ranges);
    }
    const before = STEPS.find((known) => known === this.#values.state.get("gaveWay"));
    if (before === undefined || STEPS.indexOf(before) < STEPS.indexOf(step)) this.#values.put("gaveWay", step);
    this.#commit({ entries: [], state: () => [] });
  }

  #backlogBytes(): number {
    const { segments } = this.#chain;
    return segments.reduce((sum, { first, bytes }, i) => {
      const end = segments[i + 1]?.first ?? this.#numbers.next;
      return this.#numbers.areConfirmed(first, end - 1) ? sum : sum + bytes;
    }, 0);
  }

  #oldestUnconfirmed_ms(): EpochMs | null {
    const position = this.#numbers.oldestOpen();
    if (position >= this.#numbers.next) return null;
    if (this.#oldest.position !== position) {
      this.#oldest = { position, at_ms: this.history(position, 1)[0]?.from_ms ?? null };
    }
    return this.#oldest.at_ms;
  }
}

function sizeOf(ranges: readonly BatchRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

function withoutOwn(texts: Iterable<readonly [string, string]>): [string, string][] {
  return [...texts]
    .filter(([name]) => !SEGMENT_KEYS.includes(name) && name !== FIRST_FORM)
    .map(([name, text]) => [name, text]);
}

/** The boot of the newest sample that was saved. */
function bootOf({ rows }: Salvage): number {
  for (const { blob: bytes } of [...rows].reverse()) {
    const blob = readBlob(bytes);
    if (blob.kind !== "telemetry") continue;
    return decodeSampleRecord(unpackChunk(blob).at(-1)!).boot;
  }
  return 0;
}
