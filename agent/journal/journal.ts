import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { KhuXanhError } from "../../core/errors.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { Log, Random } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import { decodeRecord, encodeRecord, type JournalRecord, type RecordKind } from "./record.ts";

/**
 * The journal: numbered immutable batches on disk, in segments that are deleted whole.
 *
 * One commit is one synced transaction of one file (WAL, synchronous=FULL); it holds the batches of a tick, the state that
 * was derived from them, and the confirmations that arrived since the last one. A number is never used twice in an epoch.
 *
 * segment   `<dir>/<first number>.sqlite`, a new one every {@link SEGMENT_BYTES} or a day; each holds the definitions its
 *           samples decode with, and the newest one the state
 * damage    a record whose checksum fails is logged and passed over; a segment SQLite cannot read is set aside, and its
 *           batches are given up. If it was the newest, the next number went with it: all are set aside, a new epoch begins
 * bounds    `maxBytes` and `maxAge_ms` drop confirmed segments, oldest first. Unconfirmed batches are not dropped by this
 *           version: beyond the bound the journal grows, says so in its status, and only a full disk stops it
 */
export interface Journal {
  readonly epoch: string;
  /** Counts the starts on this journal; together with mono_ms it orders samples across clock jumps. */
  readonly boot: number;
  /** Atomic and synced before it returns. @throws {KhuXanhError} DISK_FULL or DISK_UNUSABLE: nothing was written. */
  commit(write: JournalWrite): readonly number[];
  /** Takes confirmations in memory; the next commit keeps them. Losing some costs a duplicate, never a batch. */
  confirm(ranges: readonly BatchRange[]): void;
  isConfirmed(number: number): boolean;
  /** The number the next batch will get. */
  nextNumber(): number;
  /** How many batches are not confirmed. */
  unconfirmed(): number;
  /** Batches with numbers ≥ from, ascending, at most `limit`; confirmed ones included as long as they are held. */
  read(from: number, limit: number): readonly StoredRecord[];
  definition(hash: string): DeviceDefinition | null;
  putDefinition(definition: DeviceDefinition): string;
  getState(key: string): string | null;
  status(): JournalStatus;
  close(): void;
}

export interface JournalEntry {
  readonly device: string;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly kind: RecordKind;
  readonly body: Uint8Array;
}

export interface JournalWrite {
  readonly entries: readonly JournalEntry[];
  /** Derived state to keep with them; given the numbers the entries got. */
  readonly state: (numbers: readonly number[]) => Iterable<readonly [key: string, value: string]>;
}

export interface StoredRecord extends JournalRecord {
  readonly device: string;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

export interface JournalStatus {
  readonly epoch: string;
  readonly nextNumber: number;
  readonly unconfirmed: number;
  /** Acquisition time of the oldest unconfirmed batch; null if all are confirmed. */
  readonly oldestUnconfirmed_ms: EpochMs | null;
  readonly bytes: number;
  readonly segments: number;
  /** Files that could not be read and were set aside with their reason. */
  readonly setAside: readonly string[];
  readonly isBeyondBound: boolean;
}

export interface JournalOptions {
  readonly dir: string;
  readonly maxBytes: number;
  readonly maxAge_ms: number;
  readonly now_ms: () => EpochMs;
  readonly random: Random;
  readonly log: Log;
  /** Size at which a new segment begins; {@link SEGMENT_BYTES} unless a test asks for less. */
  readonly segmentBytes?: number;
}

export const SEGMENT_BYTES = 64 * 1024 * 1024;
const SEGMENT_AGE_MS = 86_400_000;
/** When the segment was begun, in its own state: what a file system says of a file's birth is another clock, or nothing. */
const OPENED_KEY = "segment_opened_ms";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY, device TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, blob BLOB NOT NULL
  );
  CREATE TABLE IF NOT EXISTS definitions (hash TEXT PRIMARY KEY, json TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
`;

interface Segment extends SegmentFile {
  readonly opened_ms: EpochMs;
}

interface SegmentFile {
  readonly file: string;
  readonly db: DatabaseSync;
  readonly first: number;
  readonly insert: StatementSync;
  readonly select: StatementSync;
  readonly putState: StatementSync;
  readonly putDefinition: StatementSync;
}

/** @throws {KhuXanhError} DISK_FULL or DISK_UNUSABLE. */
export function openJournal(options: JournalOptions): Journal {
  try {
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    return new SqliteJournal(options);
  } catch (cause) {
    throw cause instanceof KhuXanhError ? cause : diskError(options.dir, cause);
  }
}

class SqliteJournal implements Journal {
  readonly epoch: string;
  readonly boot: number;
  readonly #options: JournalOptions;
  readonly #segments: Segment[] = [];
  readonly #state = new Map<string, string>();
  readonly #definitions = new Map<string, DeviceDefinition>();
  readonly #setAside: string[] = [];
  readonly #confirmed: BatchRanges;
  #confirmedIsDirty = false;
  #next: number;
  #bytesCommitted = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
    const givenUp = this.#openSegments();
    this.epoch = this.#state.get("epoch") ?? options.random.hex(8);
    this.#next = Number(this.#state.get("next") ?? 1);
    this.boot = Number(this.#state.get("boot") ?? 0) + 1;
    this.#confirmed = BatchRanges.of(parseRanges(this.#state.get("confirmed") ?? ""));
    this.confirm(givenUp);
    if (this.#segments.length === 0) this.#addSegment();
    else this.#bytesCommitted = sizeOf(this.#newest().file);
    this.commit({
      entries: [],
      state: () => [
        ["epoch", this.epoch],
        ["boot", String(this.boot)],
      ],
    });
  }

  commit({ entries, state }: JournalWrite): readonly number[] {
    if (this.#isFull()) this.#addSegment();
    const segment = this.#newest();
    const numbers = entries.map((_, i) => this.#next + i);
    const changes = new Map(state(numbers));
    if (entries.length > 0) changes.set("next", String(this.#next + entries.length));
    if (this.#confirmedIsDirty) changes.set("confirmed", formatRanges(this.#confirmed.toRanges()));
    try {
      segment.db.exec("BEGIN IMMEDIATE");
      entries.forEach(({ device, from_ms, to_ms, kind, body }, i) => {
        const number = this.#next + i;
        const blob = encodeRecord({ epoch: this.epoch, number, kind, body });
        this.#bytesCommitted += blob.length;
        segment.insert.run(number, device, Math.round(from_ms), Math.round(to_ms), blob);
      });
      for (const [key, value] of changes) segment.putState.run(key, value);
      segment.db.exec("COMMIT");
    } catch (cause) {
      if (segment.db.isTransaction) segment.db.exec("ROLLBACK");
      throw cause instanceof KhuXanhError ? cause : diskError(this.#options.dir, cause);
    }
    this.#next += entries.length;
    this.#confirmedIsDirty = false;
    for (const [key, value] of changes) this.#state.set(key, value);
    this.#trim();
    return numbers;
  }

  confirm(ranges: readonly BatchRange[]): void {
    for (const { first, last } of ranges) {
      const known = Math.min(last, this.#next - 1);
      if (first <= known && this.#confirmed.addRange(first, known) > 0) this.#confirmedIsDirty = true;
    }
  }

  isConfirmed(number: number): boolean {
    return this.#confirmed.has(number);
  }

  nextNumber(): number {
    return this.#next;
  }

  unconfirmed(): number {
    return this.#next - 1 - this.#confirmed.count;
  }

  read(from: number, limit: number): readonly StoredRecord[] {
    const result: StoredRecord[] = [];
    let next = from;
    let at = this.#segmentIndexOf(from);
    while (at < this.#segments.length && result.length < limit) {
      const rows = this.#rows(this.#segments[at]!, next, limit - result.length);
      // Damaged rows are passed over, so a segment is done only when it has no more of them.
      if (rows.length === 0) at += 1;
      for (const row of rows) {
        next = (row.number as number) + 1;
        const record = decodeRecord(row.blob as Uint8Array);
        if (record.kind === "damaged") {
          this.#options.log.error("journal.record-damaged", { number: row.number, why: record.why });
          continue;
        }
        result.push({
          ...record,
          device: row.device as string,
          from_ms: row.from_ms as number,
          to_ms: row.to_ms as number,
        });
      }
    }
    return result;
  }

  #rows({ file, select }: Segment, from: number, limit: number) {
    try {
      return select.all(from, limit);
    } catch (cause) {
      this.#options.log.error("journal.segment-unreadable", { file, from, why: String(cause) });
      return [];
    }
  }

  definition(hash: string): DeviceDefinition | null {
    return this.#definitions.get(hash) ?? null;
  }

  putDefinition(definition: DeviceDefinition): string {
    const json = JSON.stringify(definition, bigintsAsText);
    const hash = hashOf(json);
    if (!this.#definitions.has(hash)) {
      this.#newest().putDefinition.run(hash, json);
      this.#definitions.set(hash, definition);
    }
    return hash;
  }

  getState(key: string): string | null {
    return this.#state.get(key) ?? null;
  }

  status(): JournalStatus {
    const bytes = this.#bytes();
    return {
      epoch: this.epoch,
      nextNumber: this.#next,
      unconfirmed: this.unconfirmed(),
      oldestUnconfirmed_ms: this.#oldestUnconfirmed_ms(),
      bytes,
      segments: this.#segments.length,
      setAside: this.#setAside,
      isBeyondBound: bytes > this.#options.maxBytes,
    };
  }

  close(): void {
    if (this.#confirmedIsDirty) this.commit({ entries: [], state: () => [] });
    for (const { db } of this.#segments) db.close();
    this.#segments.length = 0;
  }

  /** @returns the numbers of segments that had to be set aside. */
  #openSegments(): BatchRange[] {
    const names = readdirSync(this.#options.dir)
      .filter((name) => /^\d{12}\.sqlite$/.test(name))
      .sort();
    const lost: number[] = [];
    let newestIsLost = false;
    for (const [i, name] of names.entries()) {
      const file = join(this.#options.dir, name);
      const first = Number(name.slice(0, 12));
      const isNewest = i === names.length - 1;
      const opened = this.#openExisting(file, first, isNewest);
      if (opened === "unfinished") {
        // The one before it is the newest after all, and is tried as such.
        removeSegment(file);
        const before = this.#segments.pop();
        before?.db.close();
        newestIsLost = before !== undefined && this.#openExisting(before.file, before.first, true) !== "opened";
      } else if (opened === "damaged") {
        lost.push(first);
        newestIsLost = isNewest;
      }
    }
    if (newestIsLost) {
      // Its state is lost with it, and with that the next number: a fresh epoch is the only safe start.
      for (const { db, file } of this.#segments.splice(0)) {
        db.close();
        this.#setAsideFile(file, "the newest segment beside it was unreadable");
      }
      this.#state.clear();
      this.#definitions.clear();
      return [];
    }
    const firsts = names.map((name) => Number(name.slice(0, 12)));
    return lost.map((first) => ({ first, last: (firsts.find((next) => next > first) ?? first + 1) - 1 }));
  }

  /** Opens a segment and takes over its definitions and, of the newest, the state. A damaged one is set aside. */
  #openExisting(file: string, first: number, isNewest: boolean): "opened" | "damaged" | "unfinished" {
    let segment: SegmentFile | null = null;
    try {
      segment = openSegment(file, first);
      if (isNewest && segment.db.prepare("PRAGMA quick_check(1)").get()?.quick_check !== "ok") {
        throw new Error("SQLite's quick_check finds it damaged");
      }
      const state = new Map(
        segment.db
          .prepare("SELECT key, value FROM state")
          .all()
          .map((row) => [row.key as string, row.value as string]),
      );
      const definitions = segment.db.prepare("SELECT hash, json FROM definitions").all();
      // The takeover is its first transaction: without it the process ended while it made this file.
      if (state.size === 0) {
        segment.db.close();
        return "unfinished";
      }
      for (const row of definitions) this.#definitions.set(row.hash as string, reviveDefinition(row.json as string));
      if (isNewest) for (const [key, value] of state) this.#state.set(key, value);
      this.#segments.push({ ...segment, opened_ms: Number(state.get(OPENED_KEY)) });
      return "opened";
    } catch (cause) {
      segment?.db.close();
      if (!isDamage(cause)) throw cause;
      this.#setAsideFile(file, cause);
      return "damaged";
    }
  }

  #setAsideFile(file: string, cause: unknown): void {
    const aside = `${file}.aside-${this.#options.now_ms()}`;
    renameSync(file, aside);
    this.#setAside.push(aside);
    this.#options.log.error("journal.segment-set-aside", { file: aside, why: String(cause) });
  }

  #newest(): Segment {
    return this.#segments.at(-1)!;
  }

  #isFull(): boolean {
    const { first, opened_ms } = this.#newest();
    if (this.#next === first) return false;
    const limit = this.#options.segmentBytes ?? SEGMENT_BYTES;
    return this.#bytesCommitted > limit || this.#options.now_ms() - opened_ms > SEGMENT_AGE_MS;
  }

  /** The new segment takes over state and definitions in its first transaction; until then the old one is the newest. */
  #addSegment(): void {
    const file = join(this.#options.dir, `${String(this.#next).padStart(12, "0")}.sqlite`);
    const opened_ms = this.#options.now_ms();
    let segment: SegmentFile | null = null;
    try {
      segment = openSegment(file, this.#next);
      segment.db.exec("BEGIN IMMEDIATE");
      for (const [key, value] of this.#state) segment.putState.run(key, value);
      for (const [hash, definition] of this.#definitions) {
        segment.putDefinition.run(hash, JSON.stringify(definition, bigintsAsText));
      }
      segment.putState.run(OPENED_KEY, String(opened_ms));
      segment.db.exec("COMMIT");
    } catch (cause) {
      segment?.db.close();
      removeSegment(file);
      throw diskError(this.#options.dir, cause);
    }
    this.#segments.push({ ...segment, opened_ms });
    this.#bytesCommitted = 0;
  }

  /** Drops confirmed segments at the bounds, oldest first; the newest one always stays. */
  #trim(): void {
    while (this.#segments.length > 1) {
      const [oldest, next] = this.#segments as [Segment, Segment];
      const isOld = this.#options.now_ms() - next.opened_ms > this.#options.maxAge_ms;
      if (!isOld && this.#bytes() <= this.#options.maxBytes) return;
      if (this.#confirmed.missingBelow(next.first).length > 0) return;
      oldest.db.close();
      removeSegment(oldest.file);
      this.#segments.shift();
    }
  }

  #bytes(): number {
    return this.#segments.reduce((sum, { file }) => sum + sizeOf(file) + sizeOf(`${file}-wal`), 0);
  }

  #oldestUnconfirmed_ms(): EpochMs | null {
    const first = this.#confirmed.missingBelow(this.#next)[0];
    return first === undefined ? null : (this.read(first.first, 1)[0]?.from_ms ?? null);
  }

  #segmentIndexOf(number: number): number {
    const after = this.#segments.findIndex((segment) => segment.first > number);
    return Math.max(0, (after === -1 ? this.#segments.length : after) - 1);
  }
}

function openSegment(file: string, first: number): SegmentFile {
  const db = new DatabaseSync(file);
  try {
    chmodSync(file, 0o600);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    db.exec(SCHEMA);
    return {
      file,
      db,
      first,
      insert: db.prepare("INSERT INTO records (number, device, from_ms, to_ms, blob) VALUES (?, ?, ?, ?, ?)"),
      select: db.prepare(
        "SELECT number, device, from_ms, to_ms, blob FROM records WHERE number >= ? ORDER BY number LIMIT ?",
      ),
      putState: db.prepare(
        "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      ),
      putDefinition: db.prepare("INSERT INTO definitions (hash, json) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING"),
    };
  } catch (cause) {
    db.close();
    throw cause;
  }
}

function removeSegment(file: string): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** The file itself is broken. A full or read-only disk is not: then nothing may be set aside. */
function isDamage(cause: unknown): boolean {
  const code = (cause as { errcode?: number }).errcode;
  return code === undefined || [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff);
}

/** 8 hex digits of CRC32C: names a definition within one journal, where there are dozens, not billions. */
function hashOf(json: string): string {
  return crc32c(new TextEncoder().encode(json)).toString(16).padStart(8, "0");
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function diskError(dir: string, cause: unknown): KhuXanhError {
  const isFull = /full/i.test(String(cause));
  return new KhuXanhError(isFull ? "DISK_FULL" : "DISK_UNUSABLE", `the journal in ${dir} cannot be written`, {
    hint: isFull
      ? "Free disk space; polling goes on and the counters carry the energy, but samples are not kept meanwhile."
      : "Check the disk and the rights of the data directory.",
    context: { dir },
    cause,
  });
}

function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

function reviveDefinition(json: string): DeviceDefinition {
  // By its name: a meter may well be called "12n".
  return JSON.parse(json, (key, value) =>
    key === "modulus" && typeof value === "string" ? BigInt(value.slice(0, -1)) : value,
  ) as DeviceDefinition;
}

function formatRanges(ranges: readonly BatchRange[]): string {
  return ranges.map(({ first, last }) => `${first}-${last}`).join(",");
}

function parseRanges(text: string): BatchRange[] {
  return text === ""
    ? []
    : text.split(",").map((range) => {
        const [first = 0, last = 0] = range.split("-").map(Number);
        return { first, last };
      });
}
