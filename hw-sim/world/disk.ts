import { KhuXanhError } from "../../core/errors.ts";
import type { DiskRow, DiskSegment, DiskValue, DiskWrite, JournalDisk } from "../../core/ports.ts";
import type { EndOfLife, Life } from "./machine.ts";
import type { Stream } from "./random.ts";
import type { Trace } from "./trace.ts";

/**
 * The medium of a machine's journal: it outlives the machine's processes. It keeps the promises of the port
 * (`test/contract/journalDisk.ts`) until it is told not to: full, read-only, a bit flipped, a segment torn, and the process
 * or the power gone in the middle of a write.
 */
export class SimDisk {
  /** Bytes that fit; beyond them everything that writes says DISK_FULL. */
  capacity_bytes = Number.POSITIVE_INFINITY;
  isReadOnly = false;
  readonly counts = { appends: 0, refused: 0 };
  readonly #name: string;
  readonly #random: Stream;
  readonly #trace: Trace;
  readonly #files = new Map<string, SegmentFile>();
  readonly #platter = new Platter();
  #crash: { readonly how: EndOfLife; readonly when: "before" | "after" } | null = null;

  constructor(name: string, random: Stream, trace: Trace) {
    this.#name = name;
    this.#random = random;
    this.#trace = trace;
  }

  /** The next transaction is the last thing this process does; `before`: nothing of it is on the medium. null: not so. */
  crashAtNextAppend(crash: { readonly how: EndOfLife; readonly when: "before" | "after" } | null): void {
    this.#crash = crash;
  }

  /** One bit of one blob is another now. @returns whether there was any. */
  flipBit(): boolean {
    const file = this.#anyFile();
    if (file === undefined) return false;
    const row = this.#random.pick(file.rows);
    if (row === undefined || row.blob.length === 0) return false;
    const blob = row.blob.slice();
    const bit = this.#random.whole(0, blob.length * 8 - 1);
    blob[bit >> 3]! ^= 1 << (bit & 7);
    file.rows[file.rows.indexOf(row)] = { key: row.key, blob };
    this.#trace.note(`${this.#name}: bit ${bit} of row ${row.key} flipped`);
    return true;
  }

  /** The newest segment cannot be opened any more; its blobs still lie there, the last of them cut. */
  tear(): boolean {
    const [name, file] = [...this.#files].filter(([, { isTorn }]) => !isTorn).at(-1) ?? [];
    if (file === undefined || name === undefined) return false;
    file.isTorn = true;
    const last = file.rows.at(-1);
    if (last !== undefined) {
      file.rows[file.rows.length - 1] = {
        key: last.key,
        blob: last.blob.slice(0, this.#random.whole(0, last.blob.length)),
      };
    }
    this.#trace.note(`${this.#name}: ${name} torn`);
    return true;
  }

  /** What lies on it now, as a backup keeps it: {@link restore} puts it in the place of all that lies there then. */
  backup(): DiskBackup {
    return { files: new Map([...this.#files].map(([name, file]) => [name, copyOf(file)])) };
  }

  /** While no process has it open. */
  restore({ files }: DiskBackup): void {
    this.#files.clear();
    for (const [name, file] of files) this.#files.set(name, copyOf(file));
    this.#trace.note(`${this.#name}: a backup of ${files.size} files restored`);
  }

  get bytes(): number {
    let sum = 0;
    for (const file of this.#files.values()) sum += file.bytes;
    return sum;
  }

  /** The medium as the process of this life sees it. */
  of(life: Life): JournalDisk {
    return {
      list: () => {
        this.#assertOn(life);
        return [...this.#files]
          .map(([name, { bytes }]) => ({ name, bytes }))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
      },
      open: (name, access) => {
        this.#assertOn(life);
        const file = this.#files.get(name);
        if (file === undefined) throw this.#damaged(name, "there is no such file");
        if (file.isTorn) throw this.#damaged(name, "it is torn");
        return this.#segment(life, file, access);
      },
      leavesOut: () => false,
      create: (name, writes) => {
        const file = emptyFile();
        for (const write of writes) this.#put(file, write);
        this.#assertWritable(life, file.bytes - (this.#files.get(name)?.bytes ?? 0));
        // A new object: who has the old one open goes on with it, as with a file that was renamed over.
        this.#files.delete(name);
        this.#files.set(name, file);
      },
      copyAside: (name, aside, reason) => {
        this.#assertWritable(life, 0);
        const file = this.#files.get(name);
        if (file === undefined) return;
        this.#files.set(aside, copyOf(file));
        this.#trace.note(`${this.#name}: ${name} kept as ${aside}: ${reason}`);
      },
      remove: (name) => {
        this.#assertWritable(life, 0);
        this.#files.delete(name);
      },
      raw: (name) => {
        this.#assertOn(life);
        const file = this.#files.get(name);
        return file === undefined ? [] : [...file.rows.map(({ blob }) => blob), ...file.values.values()];
      },
      space: () =>
        this.capacity_bytes === Number.POSITIVE_INFINITY
          ? null
          : { free_bytes: Math.max(0, this.capacity_bytes - this.bytes), total_bytes: this.capacity_bytes },
    };
  }

  #segment(life: Life, file: SegmentFile, access: "write" | "read"): DiskSegment {
    return {
      append: (write) => {
        if (access === "read") throw this.#unusable("opened for reading");
        this.#append(life, file, write);
      },
      rows: (from, limit) => {
        this.#assertOn(life);
        const first = Math.max(0, indexAfter(file.rows, from) - 1);
        return file.rows.slice(first, first + limit);
      },
      values: () => {
        this.#assertOn(life);
        return [...file.values].map(([name, blob]): DiskValue => ({ name, blob }));
      },
      bytes: () => file.bytes,
      close() {},
    };
  }

  #append(life: Life, file: SegmentFile, write: DiskWrite): void {
    const crash = this.#crash;
    if (crash !== null) {
      this.#crash = null;
      this.#trace.note(`${this.#name}: ${crash.how} ${crash.when} a transaction of ${write.rows.length} rows`);
      if (crash.when === "after") this.#put(file, write);
      life.end(crash.how);
    }
    this.#assertWritable(life, sizeOf(write));
    this.#put(file, write);
    this.counts.appends += 1;
  }

  /** All of it or nothing. */
  #put(file: SegmentFile, { rows, values }: DiskWrite): void {
    let last = file.rows.at(-1)?.key ?? Number.NEGATIVE_INFINITY;
    for (const { key } of rows) {
      if (key <= last) throw this.#unusable("a key twice");
      last = key;
    }
    for (const { key, blob } of rows) {
      file.rows.push({ key, blob: this.#platter.keep(blob) });
      file.bytes += blob.length + ROW_BYTES;
    }
    for (const { name, blob } of values) {
      file.bytes += blob.length - (file.values.get(name)?.length ?? -ROW_BYTES);
      file.values.set(name, this.#platter.keep(blob));
    }
  }

  #anyFile(): SegmentFile | undefined {
    const files = [...this.#files.values()].filter(({ rows }) => rows.length > 0);
    return files.length === 0 ? undefined : this.#random.pick(files);
  }

  /** A process that was ended has no disk any more, whatever it still tries in its last event. */
  #assertOn(life: Life): void {
    if (!life.isAlive) throw this.#unusable("the process is dead");
  }

  #assertWritable(life: Life, more_bytes: number): void {
    this.#assertOn(life);
    if (this.isReadOnly) {
      this.counts.refused += 1;
      throw this.#unusable("it is read-only");
    }
    if (more_bytes > 0 && this.bytes + more_bytes > this.capacity_bytes) {
      this.counts.refused += 1;
      throw new KhuXanhError("DISK_FULL", `${this.#name} is full`, { hint: "Free disk space." });
    }
  }

  #unusable(why: string): KhuXanhError {
    return new KhuXanhError("DISK_UNUSABLE", `${this.#name} cannot be used: ${why}`, { hint: "Check the disk." });
  }

  #damaged(name: string, why: string): KhuXanhError {
    return new KhuXanhError("JOURNAL_DAMAGED", `${name} on ${this.#name} is no journal segment: ${why}`, {
      hint: "Check the disk.",
    });
  }
}

/** Of the whole medium; opaque. */
export interface DiskBackup {
  readonly files: ReadonlyMap<string, SegmentFile>;
}

interface SegmentFile {
  /** Ascending by key. */
  rows: DiskRow[];
  values: Map<string, Uint8Array>;
  bytes: number;
  isTorn: boolean;
}

/** What a file costs before anything is in it, and what a row costs beside its blob; about SQLite's. */
const FILE_BYTES = 4096;
const ROW_BYTES = 16;

function emptyFile(): SegmentFile {
  return { rows: [], values: new Map(), bytes: FILE_BYTES, isTorn: false };
}

/** Blobs are never changed in place, so they are shared. */
function copyOf(file: SegmentFile): SegmentFile {
  return { ...file, rows: [...file.rows], values: new Map(file.values) };
}

function sizeOf({ rows, values }: DiskWrite): number {
  const sum = (blobs: readonly { readonly blob: Uint8Array }[]): number =>
    blobs.reduce((bytes, { blob }) => bytes + blob.length + ROW_BYTES, 0);
  return sum(rows) + sum(values);
}

/** Blobs copied as they are written: the writer may use its memory again. In pieces, for an ArrayBuffer each would cost more. */
class Platter {
  #piece = new Uint8Array(0);
  #used = 0;

  keep(blob: Uint8Array): Uint8Array {
    if (blob.length > PIECE_BYTES / 8) return blob.slice();
    if (this.#used + blob.length > this.#piece.length) {
      this.#piece = new Uint8Array(PIECE_BYTES);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += blob.length;
    this.#piece.set(blob, at);
    return this.#piece.subarray(at, this.#used);
  }
}

const PIECE_BYTES = 256 * 1024;

/** Index of the first row with a greater key. */
function indexAfter(rows: readonly DiskRow[], key: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]!.key <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
