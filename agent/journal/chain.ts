import { KhuXanhError } from "../../core/errors.ts";
import type { DiskRow, DiskSegment, DiskValue, DiskWrite, JournalDisk } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { decodeValue, encodeValue, readBlob } from "./blob.ts";
import { LEVELS, type Level } from "./bounds.ts";

/**
 * The segments of a journal in order: `<first ordinal>.sqlite` each. Only the one being written is held open, and one more for
 * whoever reads, so that a journal of any length opens in the same time and memory.
 */
export interface Held {
  readonly name: string;
  readonly first: number;
  /** As last seen on disk. */
  bytes: number;
  /** Null until it was opened. */
  facts: { readonly level: Level; readonly opened_ms: EpochMs } | null;
}

const LEVEL_KEY = "segment_level";
/** When the segment was begun: what a file system says of a file's birth is another clock, or nothing. */
const OPENED_KEY = "segment_opened_ms";
/** Of the segment itself: not handed on to the next one. */
export const SEGMENT_KEYS: readonly string[] = [LEVEL_KEY, OPENED_KEY];

const ROWS_IN_WRITE = 1000;
const NAME = /^(\d{12})\.sqlite$/;
const ASIDE = /\.aside-\d+$/;

export class Chain {
  readonly #disk: JournalDisk;
  readonly segments: Held[];
  /** Files set aside, oldest first. */
  readonly asides: { readonly name: string; readonly bytes: number }[];
  #writer: { readonly held: Held; readonly segment: DiskSegment } | null = null;
  #reader: { readonly held: Held; readonly segment: DiskSegment } | null = null;

  constructor(disk: JournalDisk) {
    this.#disk = disk;
    const files = disk.list();
    this.segments = files.flatMap(({ name, bytes }) => {
      const first = NAME.exec(name)?.[1];
      return first === undefined ? [] : [{ name, first: Number(first), bytes, facts: null }];
    });
    this.asides = files.filter(({ name }) => ASIDE.test(name)).sort((a, b) => age(a.name) - age(b.name));
  }

  get newest(): Held | null {
    return this.segments.at(-1) ?? null;
  }

  get writer(): DiskSegment | null {
    return this.#writer?.segment ?? null;
  }

  bytes(): number {
    if (this.#writer !== null) this.#writer.held.bytes = this.#writer.segment.bytes();
    const sum = (total: number, { bytes }: { readonly bytes: number }) => total + bytes;
    return this.segments.reduce(sum, 0) + this.asides.reduce(sum, 0);
  }

  /** The first ordinal that is not of this segment; `next` for the newest. */
  endOf(held: Held, next: number): number {
    return this.segments[this.segments.indexOf(held) + 1]?.first ?? next;
  }

  /** Of the segment that would hold this ordinal; -1 if it lies before all. */
  indexOf(ordinal: number): number {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.segments[middle]!.first <= ordinal) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The segment for reading; stays open until another is asked for. */
  open(held: Held): DiskSegment {
    if (this.#writer?.held === held) return this.#writer.segment;
    if (this.#reader?.held === held) return this.#reader.segment;
    this.closeReader();
    const segment = this.#disk.open(held.name, "read");
    this.#reader = { held, segment };
    return segment;
  }

  openWriter(): DiskSegment {
    this.closeReader();
    const held = this.segments.at(-1)!;
    const segment = this.#disk.open(held.name, "write");
    this.#writer = { held, segment };
    return segment;
  }

  /** Begins a segment with its first transaction and writes to it from now on. */
  begin(ordinal: number, opened_ms: EpochMs, write: DiskWrite): void {
    const name = nameOf(ordinal);
    const before = this.newest;
    // Nothing was ever written to it, or nothing of it could be saved.
    if (before?.first === ordinal) {
      this.closeFile(before);
      this.segments.pop();
    }
    this.#disk.create(name, [write, segmentValues("whole", opened_ms)]);
    this.closeWriter();
    this.segments.push({ name, first: ordinal, bytes: 0, facts: { level: "whole", opened_ms } });
    this.openWriter();
  }

  /**
   * Level and age of a segment; one that does not say is taken for whole and new, so that nothing goes because of it.
   * @throws {KhuXanhError} DISK_FULL or DISK_UNUSABLE: it may say another time.
   */
  facts(held: Held): { readonly level: Level; readonly opened_ms: EpochMs } {
    if (held.facts === null) {
      let texts = this.#readFacts(held);
      // Once more, from the medium: what is not said may not have been read as it lies there.
      if (!texts.has(LEVEL_KEY) || !texts.has(OPENED_KEY)) {
        this.closeFile(held);
        texts = this.#readFacts(held);
      }
      const level = LEVELS.find((known) => known === texts.get(LEVEL_KEY)) ?? "whole";
      held.facts = { level, opened_ms: Number(texts.get(OPENED_KEY) ?? Number.MAX_SAFE_INTEGER) };
    }
    return held.facts;
  }

  /** As {@link facts}, for who cannot wait until the disk reads: a segment that does not say is taken for whole and new. */
  factsNow(held: Held): { readonly level: Level; readonly opened_ms: EpochMs } {
    try {
      return this.facts(held);
    } catch (cause) {
      if (!isOfDisk(cause)) throw cause;
      held.facts = { level: "whole", opened_ms: Number.MAX_SAFE_INTEGER };
      return held.facts;
    }
  }

  #readFacts(held: Held): ReadonlyMap<string, string> {
    const texts = new Map<string, string>();
    try {
      for (const { blob } of this.open(held).values()) {
        const value = readBlob(blob);
        if (value.kind !== "value") continue;
        const { name, text } = decodeValue(value);
        if (SEGMENT_KEYS.includes(name)) texts.set(name, text);
      }
    } catch (cause) {
      if (isOfDisk(cause)) throw cause;
    }
    return texts;
  }

  /** Puts other content in the place of a segment at once; the writer, if it was one, has to be opened again. */
  replace(held: Held, level: Level, writes: Iterable<DiskWrite>): void {
    this.closeFile(held);
    const { opened_ms } = this.facts(held);
    this.closeReader();
    this.#disk.create(held.name, [segmentValues(level, opened_ms), ...writes]);
    held.facts = { level, opened_ms };
    held.bytes = this.#disk.list().find(({ name }) => name === held.name)?.bytes ?? 0;
  }

  /** Kept once: where a disk did not let it be mended, the next start finds the same file again. */
  copyAside(held: Held, at_ms: EpochMs, reason: string): string {
    this.closeFile(held);
    const kept = this.asides.find(
      ({ name }) => name.startsWith(`${held.name}.aside-`) && this.#areSame(name, held.name),
    );
    if (kept !== undefined) return kept.name;
    const name = `${held.name}.aside-${Math.round(at_ms)}`;
    this.#disk.copyAside(held.name, name, reason);
    this.asides.push({ name, bytes: held.bytes });
    return name;
  }

  #areSame(one: string, other: string): boolean {
    const [parts, others] = [this.#disk.raw(one, "what-reads"), this.#disk.raw(other, "what-reads")];
    return parts.length === others.length && parts.every((part, i) => areEqual(part, others[i]!));
  }

  remove(held: Held): void {
    this.closeFile(held);
    this.#disk.remove(held.name);
    this.segments.splice(this.segments.indexOf(held), 1);
  }

  /** @returns the name of what went. */
  removeOldestAside(): string | null {
    const oldest = this.asides.shift();
    if (oldest !== undefined) this.#disk.remove(oldest.name);
    return oldest?.name ?? null;
  }

  closeReader(): void {
    this.#reader?.segment.close();
    this.#reader = null;
  }

  closeWriter(): void {
    if (this.#writer === null) return;
    const { held, segment } = this.#writer;
    this.#writer = null;
    held.bytes = segment.bytes();
    segment.close();
  }

  /** Whoever uses it next opens it anew. */
  closeFile(held: Held): void {
    if (this.#writer?.held === held) this.closeWriter();
    if (this.#reader?.held === held) this.closeReader();
  }
}

export function nameOf(ordinal: number): string {
  return `${String(ordinal).padStart(12, "0")}.sqlite`;
}

/** The disk refuses just now; whatever else comes of reading is a file that is not what was written. */
export function isOfDisk(error: unknown): boolean {
  return error instanceof KhuXanhError && (error.code === "DISK_FULL" || error.code === "DISK_UNUSABLE");
}

/** @throws what the segment throws */
export function* allRows(segment: DiskSegment): Iterable<DiskRow> {
  const AT_ONCE = 1000;
  for (let from = 0; ; ) {
    const rows = segment.rows(from, AT_ONCE);
    for (const row of rows) if (row.key >= from) yield row;
    const last = rows.at(-1)?.key ?? -1;
    if (rows.length < AT_ONCE || last < from) return;
    from = last + 1;
  }
}

function segmentValues(level: Level, opened_ms: EpochMs): DiskWrite {
  const head = { epoch: 0n, ordinal: 0 };
  const value = (name: string, text: string) => ({ name, blob: encodeValue(name, text, head) });
  return { rows: [], values: [value(LEVEL_KEY, level), value(OPENED_KEY, String(opened_ms))] };
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

function age(aside: string): number {
  return Number(/\d+$/.exec(aside)?.[0] ?? 0);
}

/** Rows and values as writes of a bearable size. */
export function* writesOf(rows: readonly DiskRow[], values: readonly DiskValue[]): Iterable<DiskWrite> {
  yield { rows: [], values };
  for (let from = 0; from < rows.length; from += ROWS_IN_WRITE) {
    yield { rows: rows.slice(from, from + ROWS_IN_WRITE), values: [] };
  }
}
