import fc from "fast-check";
import { expect, test } from "vitest";
import { HEADER_BYTES, readBlob } from "../../../agent/journal/blob.ts";
import {
  CHUNK_BYTES,
  type HeldRecord,
  type JournalEntry,
  packChunks,
  RECORD_BYTES_MAX,
  unpackChunk,
} from "../../../agent/journal/chunk.ts";
import { decodeSampleRecord, type SampleRecord, sampleEntry } from "../../../agent/journal/sample.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { Sample } from "../../../core/reading/reading.ts";

const u16 = fc.integer({ min: 0, max: 65_535 });
const functionCode = fc.constantFrom(3 as const, 4 as const);
const device = fc.string({ maxLength: 20, unit: "grapheme" });

const entry: fc.Arbitrary<JournalEntry> = fc
  .record({
    device,
    from_ms: fc.integer({ min: -1e13, max: 1e14 }),
    length_ms: fc.integer({ min: 0, max: 1e9 }),
    kind: fc.constantFrom("sample" as const, "content" as const, "node" as const),
    body: fc.uint8Array({ maxLength: 400 }),
  })
  .map(({ length_ms, ...rest }) => ({ ...rest, to_ms: rest.from_ms + length_ms }));

function unpacked(entries: readonly JournalEntry[], ordinal = 1): HeldRecord[] {
  return packChunks(entries, 0xffn, ordinal).flatMap(({ blob }) => {
    const read = readBlob(blob);
    if (read.kind === "damaged") throw new Error(read.why);
    return unpackChunk(read);
  });
}

test("law: entries packed and unpacked are the same, in order and with their ordinals", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), fc.integer({ min: 1, max: 2 ** 45 }), (entries, ordinal) => {
      expect(unpacked(entries, ordinal)).toEqual(
        entries.map((one, i) => ({ ...one, ordinal: ordinal + i, epoch: "00000000000000ff" })),
      );
    }),
  );
});

test("law: a chunk is no longer than it may be unless it holds one record alone, and never mixes samples with books", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
      for (const { blob, ordinal, count } of packChunks(entries, 1n, 1)) {
        const kinds = new Set(entries.slice(ordinal - 1, ordinal - 1 + count).map(({ kind }) => kind === "sample"));
        expect(kinds.size).toBe(1);
        const most = CHUNK_BYTES[kinds.has(true) ? "telemetry" : "books"];
        if (count > 1) expect(blob.length).toBeLessThanOrEqual(HEADER_BYTES + most);
      }
    }),
  );
});

test("a poll of twenty floats costs less than 16 bytes a reading, and less than eight of it is not the words", () => {
  const sample: Sample = {
    device: "furnace",
    at_ms: 1_760_000_000_123,
    mono_ms: 86_400_123.456,
    blocks: [{ fc: 4, address: 0, words: new Uint16Array(40).fill(0x4366) }],
    failures: [],
  };
  const entries = Array.from({ length: 25 }, () =>
    sampleEntry({ sample, definition: "0badcafe", boot: 12, clock: "set" }),
  );
  const bytes = packChunks(entries, 1n, 1_000_000).reduce((sum, { blob }) => sum + blob.length, 0);
  expect(bytes / (25 * 20)).toBeLessThan(6);
});

test("a record that could never be read back is not written", () => {
  const one = (length: number): JournalEntry => ({
    device: "m",
    from_ms: 0,
    to_ms: 0,
    kind: "content",
    body: new Uint8Array(length),
  });
  expect(unpacked([one(RECORD_BYTES_MAX)])).toHaveLength(1);
  expect(() => packChunks([one(RECORD_BYTES_MAX + 1)], 1n, 1)).toThrow(KhuXanhError);
  expect(() => packChunks([{ ...one(1), device: "ế".repeat(86) }], 1n, 1)).toThrow(/device id/);
});

const failure: fc.Arbitrary<Sample["failures"][number]> = fc.oneof(
  fc.record({ fc: functionCode, address: u16, count: u16, why: fc.constantFrom("timeout", "garbled", "unreachable") }),
  fc.record({
    fc: functionCode,
    address: u16,
    count: u16,
    why: fc.constant("exception"),
    detail: fc.integer({ min: 1, max: 255 }),
  }),
);

const sampleRecord: fc.Arbitrary<SampleRecord> = fc.record({
  sample: fc.record({
    device,
    at_ms: fc.integer({ min: -1e13, max: 1e14 }),
    mono_ms: fc.integer({ min: 0, max: 1e14 }).map((us) => us / 1000),
    blocks: fc.array(fc.record({ fc: functionCode, address: u16, words: fc.uint16Array({ maxLength: 125 }) }), {
      maxLength: 5,
    }),
    failures: fc.array(failure, { maxLength: 5 }),
  }),
  definition: fc.stringMatching(/^[0-9a-f]{8}$/),
  boot: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  clock: fc.constantFrom("set" as const, "waiting" as const, "unset" as const),
});

test("law: a sample is read back word for word, out of the middle of a chunk", () => {
  fc.assert(
    fc.property(fc.array(sampleRecord, { minLength: 1, maxLength: 5 }), (written) => {
      expect(unpacked(written.map(sampleEntry)).map(decodeSampleRecord)).toEqual(written);
    }),
  );
});

test("law: a body that is no sample throws our error and no other", () => {
  fc.assert(
    fc.property(sampleRecord, fc.nat(), (written, at) => {
      const whole = sampleEntry(written);
      const cut = (body: Uint8Array) => () => decodeSampleRecord({ ...whole, body });
      const shorter = at % (whole.body.length - (written.clock === "set" ? 0 : 1));
      expect(cut(whole.body.subarray(0, shorter))).toThrow(KhuXanhError);
      expect(cut(Uint8Array.of(...whole.body, 9))).toThrow(KhuXanhError);
    }),
  );
});

test("chunks of before 0.1.0, a record after the other, are read as they were", () => {
  const stored = Buffer.from(
    "4b584a3200000000000000ff00000000000000070100000500000037f1e8990a01026d308080e682b966000301020001026d3102000301020101026d3202000301020201026d3302000301020301026d34020003010204",
    "hex",
  );
  const blob = readBlob(stored);
  if (blob.kind === "damaged") throw new Error(blob.why);
  expect(unpackChunk(blob).map(({ device, from_ms, ordinal, body }) => [device, from_ms, ordinal, [...body]])).toEqual(
    [0, 1, 2, 3, 4].map((i) => [`m${i}`, 1_760_000_000_000 + i, 7 + i, [1, 2, i]]),
  );
});

test("the samples of a second are kept by columns: what they have alike costs next to nothing", () => {
  const sample = (i: number): JournalEntry =>
    sampleEntry({
      sample: {
        device: `m${String(i).padStart(2, "0")}`,
        at_ms: 1_760_000_000_000 + i,
        mono_ms: 86_400_000 + i,
        // 230-odd volts as a float32: the upper half is alike.
        blocks: [
          {
            fc: 4,
            address: 0,
            words: Uint16Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? 0x4366 : (i * 40_503 + at) & 0xffff)),
          },
        ],
        failures: [],
      },
      definition: "0badcafe",
      boot: 12,
      clock: "set",
    });
  const chunks = packChunks(
    Array.from({ length: 50 }, (_, i) => sample(i)),
    1n,
    1,
  );
  expect(chunks).toHaveLength(1);
  expect(chunks[0]!.blob.length / (50 * 20)).toBeLessThan(2.7);
});
