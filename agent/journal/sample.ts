import { KhuXanhError } from "../../core/errors.ts";
import type { EpochMs, ExchangeFailure, Reading, Sample } from "../../core/reading/reading.ts";
import { ByteReader, freshBytes, putVarint, varintBytes } from "./bytes.ts";
import type { JournalEntry } from "./chunk.ts";

/**
 * A sample as a record: register words as read (architecture §3: record first, derive after), with what is needed to decode
 * them later. Device and time are the record's; what a definition fixes (names, scales, units, quality) is not repeated.
 *
 * body    definition u32 · boot varint · monotonic µs varint
 *         · blocks: count varint, each fc u8, address u16, words u16 and the words · failures: count varint, each 7 bytes
 *         · clock u8, only where it is in doubt
 */
export interface SampleRecord {
  readonly sample: Sample;
  /** Hash of the definition kept beside it. */
  readonly definition: string;
  readonly boot: number;
  /** Whether the clock could be believed when it was taken; see `agent/clockTrust.ts`. */
  readonly clock: "set" | "waiting" | "unset";
}

/** A sample with the readings in it, as decoded by its definition. */
export interface TakenSample {
  readonly record: SampleRecord;
  readonly readings: readonly Reading[];
}

/** A byte more at the end, for samples whose date is in doubt; almost all have none. */
const CLOCK_CODES = ["set", "waiting", "unset"] as const;

const FAILURE_CODES: readonly ExchangeFailure[] = ["timeout", "exception", "garbled", "unreachable"];

/** Times are kept to the millisecond, the monotonic one to the microsecond. */
export function sampleEntry(record: SampleRecord): JournalEntry {
  return entryWith(record, undefined);
}

/** The same, with what it says at hand for whoever sends it in a moment. */
export function takenEntry(record: SampleRecord, readings: readonly Reading[]): JournalEntry {
  // What is kept is a whole millisecond; sent now or later, it must say the same.
  return entryWith(record, Number.isInteger(record.sample.at_ms) ? { record, readings } : undefined);
}

function entryWith(record: SampleRecord, taken: TakenSample | undefined): JournalEntry {
  const { device, at_ms } = record.sample;
  const kept_ms = Math.round(at_ms);
  return { device, from_ms: kept_ms, to_ms: kept_ms, kind: "sample", body: bodyOf(record), taken };
}

function bodyOf({ sample, definition, boot, clock }: SampleRecord): Uint8Array {
  const { blocks, failures } = sample;
  const mono_us = Math.round(sample.mono_ms * 1000);
  let size = 4 + varintBytes(boot) + varintBytes(mono_us) + varintBytes(blocks.length) + varintBytes(failures.length);
  for (const { words } of blocks) size += 5 + words.length * 2;
  size += failures.length * 7 + (clock === "set" ? 0 : 1);
  const body = freshBytes(size);
  let at = putHash(body, definition);
  at = putVarint(body, putVarint(body, at, boot), mono_us);
  at = putVarint(body, at, blocks.length);
  for (const { fc, address, words } of blocks) {
    body[at] = fc;
    at = putU16(body, putU16(body, at + 1, address), words.length);
    // The hot path of the journal: most of what is written are words.
    for (let i = 0; i < words.length; i++, at += 2) {
      const word = words[i]!;
      body[at] = word >>> 8;
      body[at + 1] = word;
    }
  }
  at = putVarint(body, at, failures.length);
  for (const { fc, address, count, why, detail } of failures) {
    body[at] = fc;
    at = putU16(body, putU16(body, at + 1, address), count);
    body[at] = FAILURE_CODES.indexOf(why);
    body[at + 1] = detail ?? 0;
    at += 2;
  }
  if (clock !== "set") body[at] = CLOCK_CODES.indexOf(clock);
  return body;
}

/** @throws {KhuXanhError} INTERNAL if the body is no sample; its checksum has been checked, so this is a defect. */
export function decodeSampleRecord(record: {
  readonly device: string;
  readonly from_ms: EpochMs;
  readonly body: Uint8Array;
}): SampleRecord {
  try {
    return readSample(record.device, record.from_ms, new ByteReader(record.body));
  } catch (cause) {
    throw new KhuXanhError("INTERNAL", "a journal record with a sound checksum is no sample", {
      hint: "Report this with the journal file: it was written by another version.",
      cause,
    });
  }
}

function readSample(device: string, at_ms: EpochMs, reader: ByteReader): SampleRecord {
  const definition = reader.u32().toString(16).padStart(8, "0");
  const boot = reader.varint();
  const mono_ms = reader.varint() / 1000;
  const blocks = Array.from({ length: reader.varint() }, (): Sample["blocks"][number] => {
    const fc = fcOf(reader);
    const address = reader.u16();
    const words = new Uint16Array(reader.u16());
    const bytes = reader.take(words.length * 2);
    for (let i = 0; i < words.length; i++) words[i] = (bytes[2 * i]! << 8) | bytes[2 * i + 1]!;
    return { fc, address, words };
  });
  const failures = Array.from({ length: reader.varint() }, (): Sample["failures"][number] => {
    const what = { fc: fcOf(reader), address: reader.u16(), count: reader.u16() };
    const why = FAILURE_CODES[reader.u8()] ?? "garbled";
    const detail = reader.u8();
    return { ...what, why, ...(detail === 0 ? {} : { detail }) };
  });
  const clock = reader.isAtEnd ? "set" : CLOCK_CODES[reader.u8()];
  if (!reader.isAtEnd || clock === undefined) throw new RangeError("bytes are left over");
  return { sample: { device, at_ms, mono_ms, blocks, failures }, definition, boot, clock };
}

function fcOf(reader: ByteReader): 3 | 4 {
  return reader.u8() === 3 ? 3 : 4;
}

/** Eight hex digits at the beginning. */
function putHash(bytes: Uint8Array, hash: string): number {
  let value = 0;
  for (let i = 0; i < hash.length; i++) {
    const code = hash.charCodeAt(i);
    value = (value << 4) | (code < DIGITS_END ? code & 15 : (code & 15) + 9);
  }
  return putU16(bytes, putU16(bytes, 0, value >>> 16), value);
}

/** The character after "9"; letters come later. */
const DIGITS_END = 0x3a;

function putU16(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
  return at + 2;
}
