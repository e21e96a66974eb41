import { KhuXanhError } from "../../core/errors.ts";
import type { ExchangeFailure, Sample } from "../../core/reading/reading.ts";
import { crc32c } from "../../core/wire/crc32c.ts";

/**
 * The journal's own record on disk: a header that lets a damaged file be carved without SQLite, and a body.
 *
 * header, 32 bytes, big-endian
 *   0  magic "KXJ1"        4  epoch, 8 bytes      12 number, u64
 *   20 kind, u8            21 zero, 3 bytes       24 body length, u32     28 CRC32C of header bytes 0…27 and the body
 * body of a sample: register words as read (architecture §3: record first, derive after)
 * body of content: a Sparkplug payload of our metrics by name (intervals and emissions; see agent/account)
 * body of node: a report of the node about itself as JSON (core/wire/nodeRecord.ts), device ""
 */
export const BLOB_MAGIC = 0x4b584a31;
const HEADER_BYTES = 32;
/** A sample of one meter is at most a few KiB; a record beyond this is refused as damaged. */
export const BODY_BYTES_MAX = 1 << 20;

export const RECORD_KINDS = { sample: 1, content: 2, node: 3 } as const;
export type RecordKind = keyof typeof RECORD_KINDS;

export interface JournalRecord {
  /** 16 lower-case hex digits. */
  readonly epoch: string;
  readonly number: number;
  readonly kind: RecordKind;
  readonly body: Uint8Array;
}

/** @throws {KhuXanhError} INTERNAL for a body beyond {@link BODY_BYTES_MAX}: it could never be read back. */
export function encodeRecord(record: JournalRecord): Uint8Array {
  if (record.body.length > BODY_BYTES_MAX) throw tooLong("a journal record", record.body.length, BODY_BYTES_MAX);
  const bytes = new Uint8Array(HEADER_BYTES + record.body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, BLOB_MAGIC);
  view.setBigUint64(4, BigInt(`0x${record.epoch}`));
  view.setBigUint64(12, BigInt(record.number));
  view.setUint8(20, RECORD_KINDS[record.kind]);
  view.setUint32(24, record.body.length);
  bytes.set(record.body, HEADER_BYTES);
  view.setUint32(28, recordCrc(bytes));
  return bytes;
}

/** What the bytes hold, or why they cannot be trusted. A damaged record is a value: disks are like that. */
export type DecodedRecord = JournalRecord | { readonly kind: "damaged"; readonly why: string };

export function decodeRecord(bytes: Uint8Array): DecodedRecord {
  if (bytes.length < HEADER_BYTES) return damaged("shorter than a header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== BLOB_MAGIC) return damaged("no magic");
  const length = view.getUint32(24);
  if (length > BODY_BYTES_MAX || length !== bytes.length - HEADER_BYTES) return damaged("length does not fit");
  if (view.getUint32(28) !== recordCrc(bytes)) return damaged("CRC32C does not fit");
  const code = view.getUint8(20);
  const kind = (Object.keys(RECORD_KINDS) as RecordKind[]).find((known) => RECORD_KINDS[known] === code);
  if (kind === undefined) return damaged(`unknown kind ${code}`);
  return {
    epoch: view.getBigUint64(4).toString(16).padStart(16, "0"),
    number: Number(view.getBigUint64(12)),
    kind,
    body: bytes.subarray(HEADER_BYTES),
  };
}

function recordCrc(bytes: Uint8Array): number {
  return crc32c(bytes.subarray(HEADER_BYTES), crc32c(bytes.subarray(0, 28)));
}

function tooLong(what: string, bytes: number, max: number): KhuXanhError {
  return new KhuXanhError("INTERNAL", `${what} of ${bytes} bytes is longer than ${max}`, {
    hint: "Report this as a bug: what is recorded has a written limit, and something passed it.",
    context: { bytes, max },
  });
}

function damaged(why: string): DecodedRecord {
  return { kind: "damaged", why };
}

/** A sample with what is needed to decode it later: which definition was in force, and in which boot it was taken. */
export interface SampleRecord {
  readonly sample: Sample;
  /** Hash of the {@link DeviceDefinition} kept beside the journal. */
  readonly definition: string;
  readonly boot: number;
}

const FAILURE_CODES: readonly ExchangeFailure[] = ["timeout", "exception", "garbled", "unreachable"];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const DEVICE_BYTES_MAX = 255;

/** @throws {KhuXanhError} INTERNAL for a device id beyond 255 bytes of UTF-8. */
export function encodeSample({ sample, definition, boot }: SampleRecord): Uint8Array {
  const device = encoder.encode(sample.device);
  if (device.length > DEVICE_BYTES_MAX) throw tooLong("a device id", device.length, DEVICE_BYTES_MAX);
  let size = 1 + device.length + 4 + 4 + 8 + 8 + 2 + 2;
  for (const block of sample.blocks) size += 5 + block.words.length * 2;
  size += sample.failures.length * 7;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  view.setUint8(at, device.length);
  bytes.set(device, 1);
  at = 1 + device.length;
  view.setUint32(at, Number.parseInt(definition, 16));
  view.setUint32(at + 4, boot);
  view.setFloat64(at + 8, sample.at_ms);
  view.setFloat64(at + 16, sample.mono_ms);
  view.setUint16(at + 24, sample.blocks.length);
  at += 26;
  for (const { fc, address, words } of sample.blocks) {
    view.setUint8(at, fc);
    view.setUint16(at + 1, address);
    view.setUint16(at + 3, words.length);
    at += 5;
    for (let i = 0; i < words.length; i++, at += 2) view.setUint16(at, words[i]!);
  }
  view.setUint16(at, sample.failures.length);
  at += 2;
  for (const { fc, address, count, why, detail } of sample.failures) {
    view.setUint8(at, fc);
    view.setUint16(at + 1, address);
    view.setUint16(at + 3, count);
    view.setUint8(at + 5, FAILURE_CODES.indexOf(why));
    view.setUint8(at + 6, detail ?? 0);
    at += 7;
  }
  return bytes;
}

/** @throws {KhuXanhError} INTERNAL if the body is no sample; its record's CRC has been checked, so this is a defect. */
export function decodeSampleRecord(body: Uint8Array): SampleRecord {
  try {
    return readSample(new DataView(body.buffer, body.byteOffset, body.byteLength), body);
  } catch (cause) {
    throw new KhuXanhError("INTERNAL", "a journal record with a sound CRC is no sample", {
      hint: "Report this with the journal file: it was written by another version.",
      cause,
    });
  }
}

function readSample(view: DataView, body: Uint8Array): SampleRecord {
  const deviceLength = view.getUint8(0);
  const device = decoder.decode(body.subarray(1, 1 + deviceLength));
  let at = 1 + deviceLength;
  const definition = view.getUint32(at).toString(16).padStart(8, "0");
  const boot = view.getUint32(at + 4);
  const at_ms = view.getFloat64(at + 8);
  const mono_ms = view.getFloat64(at + 16);
  const blockCount = view.getUint16(at + 24);
  at += 26;
  const blocks: Sample["blocks"][number][] = [];
  for (let b = 0; b < blockCount; b++) {
    const fc = view.getUint8(at) === 3 ? 3 : 4;
    const address = view.getUint16(at + 1);
    const words = new Uint16Array(view.getUint16(at + 3));
    at += 5;
    for (let i = 0; i < words.length; i++, at += 2) words[i] = view.getUint16(at);
    blocks.push({ fc, address, words });
  }
  const failureCount = view.getUint16(at);
  at += 2;
  const failures: Sample["failures"][number][] = [];
  for (let f = 0; f < failureCount; f++, at += 7) {
    const detail = view.getUint8(at + 6);
    failures.push({
      fc: view.getUint8(at) === 3 ? 3 : 4,
      address: view.getUint16(at + 1),
      count: view.getUint16(at + 3),
      why: FAILURE_CODES[view.getUint8(at + 5)] ?? "garbled",
      ...(detail === 0 ? {} : { detail }),
    });
  }
  if (at !== body.length) throw new RangeError(`${body.length - at} bytes too many`);
  return { sample: { device, at_ms, mono_ms, blocks, failures }, definition, boot };
}
