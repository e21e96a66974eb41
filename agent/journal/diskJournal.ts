import { KhuXanhError } from "../../core/errors.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { DiskWrite } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { LossWhat } from "../../core/wire/nodeRecord.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import { readBlob } from "./blob.ts";
import { quarterOf, SEGMENT_AGE_MS, SEGMENT_BYTES, STEPS, type Step } from "./bounds.ts";
import { Chain, type Held, isOfDisk } from "./chain.ts";
import { packChunks } from "./chunk.ts";
import type {
  Journal,
  JournalEntry,
  JournalOptions,
  JournalStatus,
  JournalWrite,
  Loss,
  Reopened,
  StoredRecord,
} from "./journal.ts";
import { Keeper } from "./keeper.ts";
import { Losses } from "./losses.ts";
import { Mender, UNTOLD } from "./mender.ts";
import { NO_EPOCH, Numbering } from "./numbering.ts";
import { patient } from "./patientDisk.ts";
import { Patrol } from "./patrol.ts";
import { Reader } from "./reader.ts";
import type { Lost } from "./reduce.ts";
import { reopened } from "./reopened.ts";
import { salvage } from "./salvage.ts";
import { cautious, FIRST_FORM, readValues, type StoredValues, Values, withoutOwn } from "./values.ts";

/** Of the bound: where what is unconfirmed becomes an alarm. */
const ALARM_SHARE = 0.5;
const LOST_BY = {
  history: "samples",
  thinned: "thinned",
  gauges: "gauges",
  samples: "samples",
  books: "intervals",
} as const satisfies Record<Step, LossWhat>;

export class DiskJournal implements Journal {
  readonly #options: JournalOptions;
  readonly #chain: Chain;
  readonly #reader: Reader;
  readonly #values = new Values();
  readonly #losses: Losses;
  readonly #mender: Mender;
  readonly #patrol: Patrol;
  readonly #keeper: Keeper;
  readonly #bound: number;
  #numbers: Numbering;
  /** What the last commit wrote: whoever sends it live need not read it back. */
  #recent: { readonly first: number; readonly epoch: string; readonly entries: readonly JournalEntry[] } | null = null;
  #oldest: { readonly position: number; readonly at_ms: EpochMs | null } = { position: 0, at_ms: null };
  #segmentBytes = 0;
  #isWritable = true;
  #mustBegin = false;
  readonly boot: number;

  constructor(options: JournalOptions) {
    const { log } = options;
    const disk = patient(options.disk);
    this.#options = { ...options, disk };
    this.#chain = new Chain(disk);
    this.#reader = new Reader(this.#chain, log, (first, last) => this.#numbers.areConfirmed(first, last));
    this.#bound = options.maxBytes ?? quarterOf(disk.space()?.total_bytes);
    this.#losses = new Losses(options.now_ms);
    this.#mender = new Mender({
      disk,
      chain: this.#chain,
      reader: this.#reader,
      values: this.#values,
      losses: this.#losses,
      log,
      now_ms: options.now_ms,
      random: options.random,
      numbers: () => this.#numbers,
      renumber: (numbers) => {
        this.#numbers = numbers;
      },
      begin: () => this.#beginWhenItMay(),
    });
    this.#patrol = new Patrol(this.#chain, this.#mender, log, options.now_ms);
    this.#keeper = new Keeper({
      chain: this.#chain,
      reader: this.#reader,
      log,
      now_ms: options.now_ms,
      bound_bytes: this.#bound,
      historyBound_bytes: () => options.maxBytes ?? this.#historyBound_bytes(),
      maxAge_ms: options.maxAge_ms,
      segmentLimit: () => this.#segmentLimit(),
      numbers: () => this.#numbers,
      definition: (hash) => this.definition(hash),
      lookThrough: (held) => this.#mender.lookThrough(held),
      note: (step, lost) => this.#noteStep(step, lost),
      keep: () => void this.#commit({ entries: [], state: () => [] }),
    });
    const { newest } = this.#chain;
    this.#numbers = Numbering.fresh(newest === null ? options.random.hex(8) : NO_EPOCH, 1);
    if (newest === null) this.#beginWhenItMay();
    else this.#openNewest(newest);
    this.boot = Number(this.#values.state.get("boot") ?? 0) + 1;
    this.#values.put("boot", String(this.boot));
    const { first = 1 } = this.#chain.segments[0] ?? {};
    this.#mender.noteMissing([{ first: 1, last: first - 1, from_ms: 0, to_ms: this.#options.now_ms() }]);
    try {
      this.commit({ entries: [], state: () => [] });
    } catch (cause) {
      // A full disk keeps nobody from reading and sending what is there, nor from polling.
      log.error("journal.write-failed", { error: String(cause) });
    }
  }

  get epoch(): string {
    return this.#numbers.epoch;
  }

  commit(write: JournalWrite): readonly number[] {
    let numbers: readonly number[];
    try {
      numbers = this.#withRoom(() => this.#commit(write));
      this.#isWritable = true;
    } catch (cause) {
      this.#isWritable = false;
      this.#losses.areNotTold();
      throw cause;
    }
    this.#patrol.step();
    return numbers;
  }

  /** On a full disk confirmed history goes, and all is done anew: what was noted meanwhile is told with it. */
  #withRoom<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      this.#losses.areNotTold();
      const isFull = cause instanceof KhuXanhError && cause.code === "DISK_FULL";
      if (!isFull || !this.#keeper.makesRoom()) throw cause;
      return work();
    }
  }

  #commit(write: JournalWrite): readonly number[] {
    if (this.#isSegmentFull()) {
      const isOverdue = this.#mustBegin;
      this.#begin();
      if (isOverdue) this.#mender.mendWhatWaited();
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
    if ((this.#values.state.get(UNTOLD) ?? "") !== "") changes.set(UNTOLD, "");
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
      if (isOfDisk(cause)) throw cause;
      // A damaged newest segment: what is sound is saved, and the next one takes this commit.
      this.#mender.mend(this.#chain.newest!);
      this.#begin();
      (this.#chain.writer ?? this.#chain.openWriter()).append(write);
    }
    const bytes = write.rows.reduce((sum, { blob }) => sum + blob.length, 0);
    this.#keeper.wrote(bytes);
    this.#segmentBytes += bytes;
  }

  confirm(ranges: readonly BatchRange[]): void {
    this.#numbers.confirm(ranges);
  }

  reopen(ranges: readonly BatchRange[], atMost: number): Reopened {
    return reopened(ranges, atMost, { numbers: this.#numbers, mender: this.#mender, losses: this.#losses });
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
    const recent = this.#recent;
    let position = Math.max(1, fromPosition);
    while (result.length < limit && position < this.#numbers.next) {
      const entry = recent?.entries[position - recent.first];
      if (recent !== null && entry !== undefined) {
        result.push(this.#stored(entry, position, recent.epoch));
        position += 1;
        continue;
      }
      const look = this.#mender.look(position);
      if (look.kind === "none") break;
      for (const record of look.records) {
        if (record.ordinal < position || result.length === limit) continue;
        result.push(this.#stored(record, record.ordinal, record.epoch));
      }
      position = look.records.at(-1)!.ordinal + 1;
    }
    return result;
  }

  #stored({ device, from_ms, to_ms, kind, body, taken }: JournalEntry, position: number, epoch: string): StoredRecord {
    const number = this.#numbers.numberOf(position);
    return { device, from_ms, to_ms, kind, body, taken, epoch, number, position };
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
    this.#withRoom(() => {
      if (this.#mustBegin) this.#begin();
      const changes = this.#values.changes(renewed.state());
      this.#append({ rows: [], values: this.#values.sealed(changes, renewed.epochNumber) });
      this.#values.saved(changes);
    });
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
    this.#mustBegin = false;
    this.#reader.forget();
  }

  /**
   * The first segment, or one behind what is damaged, where nothing can be written: if the disk takes no new segment just now,
   * the next commit begins it.
   */
  #beginWhenItMay(): boolean {
    try {
      this.#begin();
      return true;
    } catch (cause) {
      if (!isOfDisk(cause)) throw cause;
      this.#options.log.error("journal.write-failed", { error: String(cause) });
      this.#mustBegin = true;
      return false;
    }
  }

  #isSegmentFull(): boolean {
    if (this.#mustBegin) return true;
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
      this.#mender.rebuild(held);
      return;
    }
    this.#numbers = numbers;
    this.#segmentBytes = held.bytes;
    if (!read.isSound) {
      const found = salvage(this.#options.disk, held.name, held.first, numbers.next, "go-on");
      this.#values.load(withoutOwn(new Map([...cautious(found.values), ...read.texts])), found.version);
    } else this.#values.load(withoutOwn(read.texts), read.version);
    this.#mender.takeUntold();
    if (!read.isSound) this.#mender.mend(held);
    this.#mender.lookThrough(held);
    if (read.texts.has(FIRST_FORM)) this.#begin();
  }

  /** Once more if it is not what was written: perhaps it was not read as it lies there. */
  #readNewest(held: Held): StoredValues | null {
    const read = this.#valuesOfNewest(held);
    if (read?.isSound === true) return read;
    this.#chain.closeFile(held);
    return this.#valuesOfNewest(held);
  }

  #valuesOfNewest(held: Held): StoredValues | null {
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

  #lost(): number {
    return Number(this.#values.state.get("lost") ?? 0) + this.#losses.count;
  }

  #noteStep(step: Step, lost: Lost | null): void {
    if (lost !== null) {
      const { ranges, ...of } = lost;
      this.#losses.note({ device: null, ...of, what: LOST_BY[step], why: "size-bound", batches: null }, ranges);
      this.#numbers.confirmPositions(ranges);
    }
    const before = STEPS.find((known) => known === this.#values.state.get("gaveWay"));
    if (before === undefined || STEPS.indexOf(before) < STEPS.indexOf(step)) this.#values.put("gaveWay", step);
  }

  #historyBound_bytes(): number {
    const space = this.#options.disk.space();
    return space === null ? this.#bound : quarterOf(space.free_bytes + this.#chain.bytes());
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
