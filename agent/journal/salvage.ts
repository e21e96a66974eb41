import type { DiskRow, DiskSegment, JournalDisk } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import { type Blob, carve, countSaid, decodeValue, HEADER_BYTES, readBlob } from "./blob.ts";
import { allRows, isOfDisk } from "./chain.ts";
import { unpackChunk } from "./chunk.ts";

/**
 * What is sound in a segment that is not whole: what the disk can still read, and what carving finds where that has holes.
 *
 * The write-ahead file may hold remains of commits that were taken back, whose numbers went to other records. So carving only
 * fills holes, and where two different chunks claim the same number neither is believed: a loss is better than a lie.
 */
export interface Salvage {
  /** Ascending, without overlap. */
  readonly rows: readonly DiskRow[];
  readonly holes: readonly Hole[];
  /** Ordinals of rows that are stored and not sound, as far as their headers say; one each where they do not. */
  readonly broken: readonly BatchRange[];
  /** The first ordinal after all rows. */
  readonly end: number;
  /** Newest of the last rows; null if there are none. */
  readonly last_ms: EpochMs | null;
  readonly values: ReadonlyMap<string, string>;
  /** The highest version among them. */
  readonly version: number;
}

/**
 * Ordinals of which nothing sound was found, and what is certain of their time: not before the newest record before them, not
 * after what was written after them; null: nothing lies there.
 */
export interface Hole extends BatchRange {
  readonly from_ms: EpochMs | null;
  readonly to_ms: EpochMs | null;
}

interface Found {
  readonly ordinal: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/**
 * `end` is the first ordinal that is not of this segment; Infinity if nobody knows.
 * @param whenUnreadable `go-on`: what the disk does not read is not there, and of two versions of a value the newer counts,
 *   wherever it lies: what is stored may be old. `refuse`: who asks can wait until it does.
 * @throws {KhuXanhError} DISK_FULL or DISK_UNUSABLE, with `refuse`
 */
export function salvage(
  disk: JournalDisk,
  name: string,
  first: number,
  end: number,
  whenUnreadable: "go-on" | "refuse",
): Salvage {
  const tolerate = (cause: unknown): void => {
    if (whenUnreadable === "refuse" && isOfDisk(cause)) throw cause;
  };
  const stored = readStored(disk, name, tolerate);
  const isOurs = (chunk: Found): boolean => chunk.ordinal >= first && chunk.ordinal + chunk.count <= end;
  const sound = stored.chunks.filter(isOurs);
  const carved: Found[] = [];
  const values = new Map<string, { readonly version: number; readonly text: string }>();
  const noteValue = (blob: Blob): void => {
    const { name: key, text } = decodeValue(blob);
    const known = values.get(key);
    if (known === undefined || known.version < blob.ordinal) values.set(key, { version: blob.ordinal, text });
  };
  for (const part of rawOf(disk, name, tolerate)) {
    for (const blob of carve(part)) {
      if (blob.kind === "value") noteValue(blob);
      else carved.push(foundIn(blob, bytesAround(blob)));
    }
  }
  if (stored.areValuesSound && whenUnreadable === "refuse") values.clear();
  for (const blob of stored.values) noteValue(blob);
  const chunks = fillHoles(sound, carved.filter(isOurs));
  const last = chunks.at(-1);
  const rowsEnd = last === undefined ? first : last.ordinal + last.count;
  return {
    rows: chunks.map(({ ordinal, bytes }) => ({ key: ordinal, blob: bytes })),
    holes: holesIn(chunks, first, Number.isFinite(end) ? end : rowsEnd).map((hole) => {
      const from_ms = newestOf(chunks.findLast(({ ordinal }) => ordinal < hole.first));
      return { ...hole, from_ms, to_ms: firstAfter(chunks, hole.last, from_ms ?? Number.NEGATIVE_INFINITY) };
    }),
    broken: stored.broken,
    end: rowsEnd,
    last_ms: newestOf(last),
    values: new Map([...values].map(([key, { text }]) => [key, text])),
    version: Math.max(0, ...[...values.values()].map(({ version }) => version)),
  };
}

function newestOf(chunk: Found | undefined): EpochMs | null {
  return chunk === undefined ? null : Math.max(...recordsOf(chunk).map(({ to_ms }) => to_ms));
}

/**
 * The end of the first record after this ordinal that ends after this time. An interval ends before it is written, so that of
 * one only counts if nothing else follows.
 */
function firstAfter(chunks: readonly Found[], ordinal: number, at_ms: EpochMs): EpochMs | null {
  let ofBooks: EpochMs | null = null;
  for (const chunk of chunks) {
    if (chunk.ordinal <= ordinal) continue;
    for (const { kind, to_ms } of recordsOf(chunk)) {
      if (to_ms <= at_ms) continue;
      if (kind !== "content") return to_ms;
      ofBooks ??= to_ms;
    }
  }
  return ofBooks;
}

function recordsOf({ bytes }: Found) {
  const blob = readBlob(bytes);
  return blob.kind === "damaged" ? [] : unpackChunk(blob);
}

/** Where [first, end) is not covered by chunks that ascend. */
function holesIn(
  chunks: readonly { readonly ordinal: number; readonly count: number }[],
  first: number,
  end: number,
): BatchRange[] {
  const holes: BatchRange[] = [];
  let next = first;
  for (const { ordinal, count } of chunks) {
    if (ordinal > next) holes.push({ first: next, last: ordinal - 1 });
    next = Math.max(next, ordinal + count);
  }
  if (next < end) holes.push({ first: next, last: end - 1 });
  return holes;
}

interface Stored {
  readonly chunks: readonly Found[];
  readonly broken: readonly BatchRange[];
  readonly values: readonly Blob[];
  readonly areValuesSound: boolean;
}

/** What the disk still reads as a segment; any of it may fail. */
function readStored(disk: JournalDisk, name: string, tolerate: (cause: unknown) => void): Stored {
  let segment: DiskSegment;
  try {
    segment = disk.open(name, "read");
  } catch (cause) {
    tolerate(cause);
    return { chunks: [], broken: [], values: [], areValuesSound: false };
  }
  try {
    return { ...storedChunks(segment, tolerate), ...storedValues(segment, tolerate) };
  } finally {
    segment.close();
  }
}

function storedChunks(segment: DiskSegment, tolerate: (cause: unknown) => void): Pick<Stored, "chunks" | "broken"> {
  const chunks: Found[] = [];
  const broken: BatchRange[] = [];
  try {
    for (const { key, blob: bytes } of allRows(segment)) {
      const blob = readBlob(bytes);
      if (blob.kind !== "damaged" && blob.kind !== "value" && blob.ordinal === key) chunks.push(foundIn(blob, bytes));
      else broken.push({ first: key, last: key + Math.max(1, countSaid(bytes)) - 1 });
    }
  } catch (cause) {
    // What could be read before is kept; carving finds the rest.
    tolerate(cause);
  }
  return { chunks, broken };
}

function storedValues(segment: DiskSegment, tolerate: (cause: unknown) => void): Omit<Stored, "chunks" | "broken"> {
  const values: Blob[] = [];
  let areValuesSound = true;
  try {
    for (const { name, blob: bytes } of segment.values()) {
      const blob = readBlob(bytes);
      if (blob.kind === "value" && decodeValue(blob).name === name) values.push(blob);
      else areValuesSound = false;
    }
  } catch (cause) {
    tolerate(cause);
    areValuesSound = false;
  }
  return { values, areValuesSound };
}

function rawOf(disk: JournalDisk, name: string, tolerate: (cause: unknown) => void): readonly Uint8Array[] {
  try {
    return disk.raw(name);
  } catch (cause) {
    tolerate(cause);
  }
  try {
    return disk.raw(name, "what-reads");
  } catch {
    return [];
  }
}

function fillHoles(sound: readonly Found[], carved: readonly Found[]): Found[] {
  const chunks = withoutOverlap(sound);
  const holes = holesIn(chunks, 0, Number.POSITIVE_INFINITY);
  const candidates = new Map<string, Found>();
  for (const chunk of carved) {
    const isInHole = holes.some(({ first, last }) => first <= chunk.ordinal && chunk.ordinal + chunk.count - 1 <= last);
    if (isInHole) candidates.set(`${chunk.ordinal}:${String.fromCharCode(...chunk.bytes.subarray(20, 32))}`, chunk);
  }
  const sorted = [...candidates.values()].sort((a, b) => a.ordinal - b.ordinal);
  return [...chunks, ...withoutOverlap(sorted)].sort((a, b) => a.ordinal - b.ordinal);
}

/** Ascending chunks without those that claim what another claims. */
function withoutOverlap(chunks: readonly Found[]): Found[] {
  const disputed = new Set<Found>();
  let widest: Found | undefined;
  for (const chunk of chunks) {
    if (widest !== undefined && chunk.ordinal < widest.ordinal + widest.count) disputed.add(chunk).add(widest);
    if (widest === undefined || chunk.ordinal + chunk.count > widest.ordinal + widest.count) widest = chunk;
  }
  return chunks.filter((chunk) => !disputed.has(chunk));
}

function foundIn({ ordinal, count }: Blob, bytes: Uint8Array): Found {
  return { ordinal, count, bytes };
}

/** The blob with the header before its body: `carve` found both in one piece. */
function bytesAround({ body }: Blob): Uint8Array {
  return new Uint8Array(body.buffer, body.byteOffset - HEADER_BYTES, HEADER_BYTES + body.length);
}
