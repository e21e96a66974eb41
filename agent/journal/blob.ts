import { KhuXanhError } from "../../core/errors.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { freshBytes, putUtf8, utf8Bytes } from "./bytes.ts";

/**
 * What lies on disk: blobs that guard themselves, so that they can be found in a damaged file without SQLite.
 *
 * header, 32 bytes, big-endian
 *   0  magic "KXJ2"        4  epoch, 8 bytes      12 ordinal, u64
 *   20 kind, u8            21 layout, u8          22 count, u16
 *   24 body length, u32    28 CRC32C of header bytes 0…27 and the body
 *
 * telemetry, books   `count` records, the first with this ordinal (see `chunk.ts`). Books are what is kept longest.
 *                    layout 0: one after the other; 1: by columns (see `columns.ts`)
 * value              a name of `count` bytes and its text, as they were before the record with this ordinal: state, definitions
 */
export const BLOB_MAGIC = 0x4b584a32;
export const HEADER_BYTES = 32;
/** A chunk holds some KiB or one record, a record at most a MiB; a longer blob is refused as damaged. */
export const BODY_BYTES_MAX = 2 << 20;

export const KINDS = { telemetry: 1, books: 2, value: 3 } as const;
export type BlobKind = keyof typeof KINDS;
const LAYOUTS = ["rows", "columns"] as const;
/** How the records lie in the body. */
export type Layout = (typeof LAYOUTS)[number];

export interface Blob {
  /** Of the journal when it was written, 16 lower-case hex digits. */
  readonly epoch: string;
  readonly ordinal: number;
  readonly kind: BlobKind;
  readonly count: number;
  readonly layout: Layout;
  readonly body: Uint8Array;
}

/** Room for a body of so many bytes behind a header that {@link seal} fills in. */
export function blankBlob(bodyBytes: number): Uint8Array {
  return freshBytes(HEADER_BYTES + bodyBytes);
}

export interface BlobHead {
  /** As `epochNumber` gives it: a hot path writes thousands with the same. */
  readonly epoch: bigint;
  readonly ordinal: number;
  readonly kind: BlobKind;
  readonly count: number;
  readonly layout: Layout;
}

/** Writes header and checksum over a body that is in place. */
export function seal(blob: Uint8Array, { epoch, ordinal, kind, count, layout }: BlobHead): Uint8Array {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  view.setUint32(0, BLOB_MAGIC);
  view.setBigUint64(4, epoch);
  view.setUint32(12, Math.floor(ordinal / 2 ** 32));
  view.setUint32(16, ordinal >>> 0);
  view.setUint8(20, KINDS[kind]);
  view.setUint8(21, layout === "columns" ? 1 : 0);
  view.setUint16(22, count);
  view.setUint32(24, blob.length - HEADER_BYTES);
  view.setUint32(28, checksum(blob));
  return blob;
}

export function epochNumber(epoch: string): bigint {
  return BigInt(`0x${epoch}`);
}

/** What the bytes hold, or why they cannot be trusted. A damaged blob is a value: disks are like that. */
export type ReadBlob = Blob | { readonly kind: "damaged"; readonly why: string };

export function readBlob(bytes: Uint8Array): ReadBlob {
  if (bytes.length < HEADER_BYTES) return damaged("shorter than a header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== BLOB_MAGIC) return damaged("no magic");
  const length = view.getUint32(24);
  if (length > BODY_BYTES_MAX || length !== bytes.length - HEADER_BYTES) return damaged("length does not fit");
  if (view.getUint32(28) !== checksum(bytes)) return damaged("CRC32C does not fit");
  const kind = kindOf(view.getUint8(20));
  if (kind === null) return damaged(`unknown kind ${view.getUint8(20)}`);
  const layout = LAYOUTS[view.getUint8(21)];
  if (layout === undefined) return damaged(`unknown layout ${view.getUint8(21)}`);
  return {
    epoch: view.getBigUint64(4).toString(16).padStart(16, "0"),
    ordinal: view.getUint32(12) * 2 ** 32 + view.getUint32(16),
    kind,
    count: view.getUint16(22),
    layout,
    body: bytes.subarray(HEADER_BYTES),
  };
}

/** How many records a blob that is not sound claims to hold; 0 if it does not say. */
export function countSaid(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length >= HEADER_BYTES && view.getUint32(0) === BLOB_MAGIC ? view.getUint16(22) : 0;
}

/** Every sound blob in the bytes, wherever it begins. */
export function* carve(bytes: Uint8Array): Iterable<Blob> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = nextMagic(bytes, 0); at !== -1; ) {
    const length = at + HEADER_BYTES <= bytes.length ? view.getUint32(at + 24) : 0;
    const end = at + HEADER_BYTES + length;
    const blob = end <= bytes.length && length <= BODY_BYTES_MAX ? readBlob(bytes.subarray(at, end)) : damaged("cut");
    if (blob.kind !== "damaged") yield blob;
    // A damaged length must not jump over what follows.
    at = nextMagic(bytes, blob.kind === "damaged" ? at + 4 : end);
  }
}

/** Where the magic is next found, or -1. */
export function nextMagic(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x4b, from); at !== -1; at = bytes.indexOf(0x4b, at + 1)) {
    if (bytes[at + 1] === 0x58 && bytes[at + 2] === 0x4a && bytes[at + 3] === 0x32) return at;
  }
  return -1;
}

const decoder = new TextDecoder();

export function encodeValue(name: string, text: string, head: { readonly epoch: bigint; readonly ordinal: number }) {
  const nameBytes = utf8Bytes(name);
  const textBytes = utf8Bytes(text);
  const blob = blankBlob(nameBytes + textBytes);
  if (blob.length - HEADER_BYTES > BODY_BYTES_MAX) throw tooLong(`the value ${name}`, textBytes, BODY_BYTES_MAX);
  putUtf8(blob, HEADER_BYTES, name);
  putUtf8(blob, HEADER_BYTES + nameBytes, text);
  return seal(blob, { ...head, kind: "value", layout: "rows", count: nameBytes });
}

/** Of a blob of kind `value`. */
export function decodeValue({ body, count }: Blob): { readonly name: string; readonly text: string } {
  return { name: decoder.decode(body.subarray(0, count)), text: decoder.decode(body.subarray(count)) };
}

export function tooLong(what: string, bytes: number, max: number): KhuXanhError {
  return new KhuXanhError("INTERNAL", `${what} of ${bytes} bytes is longer than ${max}`, {
    hint: "Report this as a bug: what is recorded has a written limit, and something passed it.",
    context: { bytes, max },
  });
}

function checksum(bytes: Uint8Array): number {
  return crc32c(bytes.subarray(HEADER_BYTES), crc32c(bytes.subarray(0, 28)));
}

function kindOf(code: number): BlobKind | null {
  return code === KINDS.telemetry
    ? "telemetry"
    : code === KINDS.books
      ? "books"
      : code === KINDS.value
        ? "value"
        : null;
}

function damaged(why: string): { readonly kind: "damaged"; readonly why: string } {
  return { kind: "damaged", why };
}
