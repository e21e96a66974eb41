import fc from "fast-check";
import { expect, test } from "vitest";
import {
  BLOB_MAGIC,
  BODY_BYTES_MAX,
  decodeRecord,
  decodeSampleRecord,
  encodeRecord,
  encodeSample,
  type SampleRecord,
} from "../../../agent/journal/record.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { Sample } from "../../../core/reading/reading.ts";

const u16 = fc.integer({ min: 0, max: 65_535 });
const functionCode = fc.constantFrom(3 as const, 4 as const);
const record = fc.record({
  epoch: fc.stringMatching(/^[0-9a-f]{16}$/),
  number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  kind: fc.constantFrom("sample" as const, "content" as const),
  body: fc.uint8Array({ maxLength: 200 }),
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
    device: fc.string({ maxLength: 40, unit: "grapheme" }),
    at_ms: fc.double({ noNaN: true, min: -1e14, max: 1e14 }),
    mono_ms: fc.double({ noNaN: true, min: 0, max: 1e12 }),
    blocks: fc.array(fc.record({ fc: functionCode, address: u16, words: fc.uint16Array({ maxLength: 125 }) }), {
      maxLength: 5,
    }),
    failures: fc.array(failure, { maxLength: 5 }),
  }),
  definition: fc.stringMatching(/^[0-9a-f]{8}$/),
  boot: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
});

test("law: a record is read back as it was written", () => {
  fc.assert(
    fc.property(record, (written) => {
      expect(decodeRecord(encodeRecord(written))).toEqual(written);
    }),
  );
});

test("law: a record with any one bit turned is damaged, and said to be", () => {
  fc.assert(
    fc.property(record, fc.nat(), (written, at) => {
      const bytes = encodeRecord(written);
      const bit = at % (bytes.length * 8);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeRecord(bytes)).toMatchObject({ kind: "damaged", why: expect.stringMatching(/\S/) });
    }),
    { numRuns: 500 },
  );
});

test("law: bytes that are no record of ours are damaged, and nothing throws", () => {
  const withMagic = fc.uint8Array({ minLength: 4, maxLength: 80 }).map((bytes) => {
    new DataView(bytes.buffer).setUint32(0, BLOB_MAGIC);
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), withMagic), (bytes) => {
      expect(decodeRecord(bytes).kind).toBe("damaged");
    }),
  );
});

test("a record that was cut off or has something behind it is damaged", () => {
  const bytes = encodeRecord({ epoch: "00000000000000ff", number: 1, kind: "sample", body: Uint8Array.of(1, 2, 3) });
  for (let length = 0; length < bytes.length; length++)
    expect(decodeRecord(bytes.subarray(0, length)).kind).toBe("damaged");
  expect(decodeRecord(Uint8Array.of(...bytes, 0)).kind).toBe("damaged");
});

test("a record can be found in a file without SQLite: magic, epoch and number stand at its head", () => {
  const bytes = encodeRecord({ epoch: "9f3c2a7e51d0b846", number: 258, kind: "content", body: new Uint8Array() });
  expect(Buffer.from(bytes.subarray(0, 21)).toString("hex")).toBe(
    `4b584a31${"9f3c2a7e51d0b846"}${"0000000000000102"}02`,
  );
  expect(bytes).toHaveLength(32);
});

test("a body that could never be read back is not written", () => {
  const write = (length: number) =>
    encodeRecord({ epoch: "00000000000000ff", number: 1, kind: "content", body: new Uint8Array(length) });
  expect(decodeRecord(write(BODY_BYTES_MAX)).kind).toBe("content");
  expect(() => write(BODY_BYTES_MAX + 1)).toThrow(KhuXanhError);
});

test("law: a sample is read back word for word, also out of the middle of a buffer", () => {
  fc.assert(
    fc.property(sampleRecord, (written) => {
      const body = encodeSample(written);
      const inside = new Uint8Array(body.length + 7);
      inside.set(body, 3);
      expect(decodeSampleRecord(inside.subarray(3, 3 + body.length))).toEqual(written);
    }),
  );
});

test("law: a body that is no sample throws our error and no other", () => {
  fc.assert(
    fc.property(sampleRecord, fc.nat(), (written, at) => {
      const body = encodeSample(written);
      expect(() => decodeSampleRecord(body.subarray(0, at % body.length))).toThrow(KhuXanhError);
      expect(() => decodeSampleRecord(Uint8Array.of(...body, 0))).toThrow(KhuXanhError);
    }),
  );
});

test("a device id that its length byte cannot hold is refused instead of written wrongly", () => {
  const sample: Sample = { device: "ế".repeat(86), at_ms: 0, mono_ms: 0, blocks: [], failures: [] };
  expect(() => encodeSample({ sample, definition: "00000000", boot: 1 })).toThrow(/device id/);
});
