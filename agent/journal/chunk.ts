import { KhuXanhError } from "../../core/errors.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { type Blob, blankBlob, HEADER_BYTES, seal, tooLong } from "./blob.ts";
import { ByteReader, putVarint, unzigzag, VARINT_BYTES_MAX, zigzag } from "./bytes.ts";
import { fromColumns, toColumns } from "./columns.ts";
import type { TakenSample } from "./sample.ts";

/**
 * Records packed into chunks: the samples of a commit as one, as long as that stays bearable to lose, and books a few at a time.
 * A record longer than that has a chunk to itself.
 *
 * record    kind u8 · device: length u8, UTF-8 · from_ms: zigzag varint less the record's before it (0 for the first)
 *           · to_ms − from_ms varint · body: length varint, bytes
 */
export const CHUNK_BYTES = { telemetry: 8192, books: 984 } as const;
/** With fewer there is little alike to keep once. */
const COLUMNS_MIN = 8;
export const RECORD_BYTES_MAX = 1 << 20;
const DEVICE_BYTES_MAX = 255;
const COUNT_MAX = 0xffff;

export const RECORD_KINDS = { sample: 1, content: 2, node: 3 } as const;
export type RecordKind = keyof typeof RECORD_KINDS;

/** What is given to the journal; it assigns the number. */
export interface JournalEntry {
  /** "" for records of the node itself. */
  readonly device: string;
  /** Whole milliseconds, UTC. */
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly kind: RecordKind;
  readonly body: Uint8Array;
  /** What the body of a sample says, as long as who made it has it at hand: not kept on disk, and the same as reading the body. */
  readonly taken?: TakenSample | undefined;
}

export interface HeldRecord extends JournalEntry {
  readonly ordinal: number;
  /** Epoch of the journal when it was written. */
  readonly epoch: string;
}

export interface Chunk {
  /** Of its first record. */
  readonly ordinal: number;
  readonly count: number;
  readonly blob: Uint8Array;
}

/** Records lie here until their blob is made, with room for one that turns out to be too long for it. */
let scratch: Uint8Array = new Uint8Array(2 * CHUNK_BYTES.telemetry);

/**
 * Entries as chunks, in their order; samples and books never share one.
 * @throws {KhuXanhError} INTERNAL for a record beyond RECORD_BYTES_MAX or a device id beyond 255 bytes of UTF-8.
 */
export function packChunks(entries: readonly JournalEntry[], epoch: bigint, ordinal: number): Chunk[] {
  const chunks: Chunk[] = [];
  let from = 0;
  while (from < entries.length) {
    const kind = kindOfChunk(entries[from]!);
    const starts = [0];
    let bytes = 0;
    let before_ms = 0;
    let until = from;
    for (; until < entries.length && until - from < COUNT_MAX; until++) {
      const entry = entries[until]!;
      if (kindOfChunk(entry) !== kind) break;
      const end = putRecord(bytes, entry, before_ms);
      if (until > from && end > CHUNK_BYTES[kind]) break;
      bytes = end;
      starts.push(end);
      before_ms = entry.from_ms;
    }
    const rows = scratch.subarray(0, bytes);
    const count = until - from;
    const columns = count < COLUMNS_MIN ? null : toColumns(rows, starts);
    const body = columns ?? rows;
    const blob = blankBlob(body.length);
    blob.set(body, HEADER_BYTES);
    const layout = columns === null ? "rows" : "columns";
    chunks.push({
      ordinal: ordinal + from,
      count,
      blob: seal(blob, { epoch, ordinal: ordinal + from, kind, count, layout }),
    });
    from = until;
  }
  return chunks;
}

function kindOfChunk({ kind }: JournalEntry): "telemetry" | "books" {
  return kind === "sample" ? "telemetry" : "books";
}

/** @throws {KhuXanhError} INTERNAL if the body holds no records; its checksum has been checked, so this is a defect. */
export function unpackChunk({ epoch, ordinal, count, layout, body }: Blob): HeldRecord[] {
  const records: HeldRecord[] = [];
  try {
    const reader = new ByteReader(layout === "columns" ? fromColumns(body, count) : body);
    let before_ms = 0;
    for (let i = 0; i < count; i++) {
      const kind = kindOf(reader.u8());
      const device = textOf(reader.take(reader.u8()));
      const from_ms = before_ms + unzigzag(reader.varint());
      const to_ms = from_ms + reader.varint();
      records.push({ epoch, ordinal: ordinal + i, kind, device, from_ms, to_ms, body: reader.take(reader.varint()) });
      before_ms = from_ms;
    }
    if (!reader.isAtEnd) throw new RangeError("bytes are left over");
    return records;
  } catch (cause) {
    throw new KhuXanhError("INTERNAL", "a sound blob of the journal does not hold what it says", {
      hint: "Report this with the journal file: it was written by another version.",
      context: { ordinal, count },
      cause,
    });
  }
}

/** Device ids repeat for ever; a gateway has dozens. */
const encodedDevices = new Map<string, Uint8Array>();
const DEVICES_REMEMBERED_MAX = 1000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bytesOf(device: string): Uint8Array {
  const known = encodedDevices.get(device);
  if (known !== undefined) return known;
  const bytes = encoder.encode(device);
  if (bytes.length > DEVICE_BYTES_MAX) throw tooLong("a device id", bytes.length, DEVICE_BYTES_MAX);
  if (encodedDevices.size >= DEVICES_REMEMBERED_MAX) encodedDevices.clear();
  encodedDevices.set(device, bytes);
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte >= 0x80) return decoder.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** @returns where the record ends in the scratch, which is longer afterwards if it had to be. */
function putRecord(at: number, { device, from_ms, to_ms, kind, body }: JournalEntry, before_ms: EpochMs): number {
  if (body.length > RECORD_BYTES_MAX) throw tooLong("a journal record", body.length, RECORD_BYTES_MAX);
  const name = bytesOf(device);
  const most = at + 2 + name.length + 3 * VARINT_BYTES_MAX + body.length;
  if (scratch.length < most) scratch = grown(scratch, at, most);
  const bytes = scratch;
  bytes[at] = RECORD_KINDS[kind];
  bytes[at + 1] = name.length;
  for (let i = 0; i < name.length; i++) bytes[at + 2 + i] = name[i]!;
  let next = putVarint(bytes, at + 2 + name.length, zigzag(from_ms - before_ms));
  next = putVarint(bytes, next, to_ms - from_ms);
  next = putVarint(bytes, next, body.length);
  bytes.set(body, next);
  return next + body.length;
}

function grown(bytes: Uint8Array, kept: number, length: number): Uint8Array {
  const longer = new Uint8Array(length);
  longer.set(bytes.subarray(0, kept));
  return longer;
}

function kindOf(code: number): RecordKind {
  if (code === RECORD_KINDS.sample) return "sample";
  if (code === RECORD_KINDS.content) return "content";
  if (code === RECORD_KINDS.node) return "node";
  throw new RangeError(`unknown kind ${code}`);
}
