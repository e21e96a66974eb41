import type { DatabaseSync } from "node:sqlite";
import type { DiskRow, DiskValue } from "../../core/ports.ts";
import type { Sample } from "../../core/reading/reading.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { encodeValue, epochNumber } from "./blob.ts";
import { type JournalEntry, packChunks } from "./chunk.ts";
import { sampleEntry } from "./sample.ts";
import { DEFINITION_PREFIX, FIRST_FORM } from "./values.ts";

/**
 * Segments as they were before the release of 0.1.0: tables `records` (a row a batch: number, device, from_ms, to_ms, blob),
 * `definitions` (hash, json) and `state` (key, value). They are read as if they had been written in today's form.
 *
 * blob      magic "KXJ1" · epoch, 8 bytes · number u64 · kind u8 (1 sample, 2 content) · 3 zero · length u32 · CRC32C · body
 * sample    device length u8, UTF-8 · definition u32 · boot u32 · at_ms f64 · mono_ms f64 · block count u16 · blocks
 *           · failure count u16 · failures, as today
 */
const MAGIC = 0x4b584a31;
const HEADER_BYTES = 32;
const FAILURES = ["timeout", "exception", "garbled", "unreachable"] as const;

export function firstFormRows(db: DatabaseSync, from: number, limit: number): DiskRow[] {
  return db
    .prepare("SELECT number, device, from_ms, to_ms, blob FROM records WHERE number >= ? ORDER BY number LIMIT ?")
    .all(from, limit)
    .map((row) => {
      const key = row.number as number;
      const rest = { device: row.device as string, from_ms: row.from_ms as number, to_ms: row.to_ms as number };
      return { key, blob: converted(key, row.blob as Uint8Array, rest) };
    });
}

/** State and definitions, sealed in passing: the first form had no checksum on them. */
export function firstFormValues(db: DatabaseSync): DiskValue[] {
  const state = db.prepare("SELECT key AS name, value AS text FROM state").all();
  const definitions = db.prepare("SELECT hash AS name, json AS text FROM definitions").all();
  const epoch = epochNumber(String(state.find(({ name }) => name === "epoch")?.text ?? "0"));
  const value = (name: string, text: string): DiskValue => ({
    name,
    blob: encodeValue(name, text, { epoch, ordinal: 0 }),
  });
  return [
    value(FIRST_FORM, "1"),
    value("base", "0"),
    ...(state.some(({ name }) => name === "next") ? [] : [value("next", "1")]),
    ...state.map(({ name, text }) => value(name as string, text as string)),
    ...definitions.map(({ name, text }) => value(`${DEFINITION_PREFIX}${name as string}`, text as string)),
  ];
}

/** Bytes that are not what they say stay as they are: whoever reads them finds them damaged. */
function converted(number: number, bytes: Uint8Array, rest: Pick<JournalEntry, "device" | "from_ms" | "to_ms">) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || view.getUint32(0) !== MAGIC) return bytes;
  if (view.getUint32(28) !== crc32c(bytes.subarray(HEADER_BYTES), crc32c(bytes.subarray(0, 28)))) return bytes;
  const body = bytes.subarray(HEADER_BYTES);
  const entry: JournalEntry =
    view.getUint8(20) === 1 ? sampleOf(rest.device, body) : { ...rest, kind: "content", body };
  return packChunks([entry], view.getBigUint64(4), number)[0]!.blob;
}

function sampleOf(device: string, body: Uint8Array): JournalEntry {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 1 + view.getUint8(0);
  const definition = view.getUint32(at).toString(16).padStart(8, "0");
  const boot = view.getUint32(at + 4);
  const at_ms = view.getFloat64(at + 8);
  const mono_ms = view.getFloat64(at + 16);
  const blockCount = view.getUint16(at + 24);
  at += 26;
  const blocks: Sample["blocks"][number][] = [];
  for (let b = 0; b < blockCount; b++) {
    const fc = view.getUint8(at) === 3 ? 3 : 4;
    const words = new Uint16Array(view.getUint16(at + 3));
    for (let i = 0; i < words.length; i++) words[i] = view.getUint16(at + 5 + 2 * i);
    blocks.push({ fc, address: view.getUint16(at + 1), words });
    at += 5 + 2 * words.length;
  }
  const failures: Sample["failures"][number][] = [];
  const failureCount = view.getUint16(at);
  for (at += 2; failures.length < failureCount; at += 7) {
    const detail = view.getUint8(at + 6);
    failures.push({
      fc: view.getUint8(at) === 3 ? 3 : 4,
      address: view.getUint16(at + 1),
      count: view.getUint16(at + 3),
      why: FAILURES[view.getUint8(at + 5)] ?? "garbled",
      ...(detail === 0 ? {} : { detail }),
    });
  }
  return sampleEntry({ sample: { device, at_ms, mono_ms, blocks, failures }, definition, boot, clock: "set" });
}
