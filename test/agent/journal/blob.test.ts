import fc from "fast-check";
import { expect, test } from "vitest";
import {
  BLOB_MAGIC,
  type Blob,
  blankBlob,
  carve,
  decodeValue,
  encodeValue,
  epochNumber,
  HEADER_BYTES,
  readBlob,
  seal,
} from "../../../agent/journal/blob.ts";

const blob: fc.Arbitrary<Blob> = fc.record({
  epoch: fc.stringMatching(/^[0-9a-f]{16}$/),
  ordinal: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  kind: fc.constantFrom("telemetry" as const, "books" as const, "value" as const),
  count: fc.integer({ min: 0, max: 65_535 }),
  layout: fc.constantFrom("rows" as const, "columns" as const),
  body: fc.uint8Array({ maxLength: 200 }),
});

function written({ epoch, ordinal, kind, count, layout, body }: Blob): Uint8Array {
  const bytes = blankBlob(body.length);
  bytes.set(body, HEADER_BYTES);
  return seal(bytes, { epoch: epochNumber(epoch), ordinal, kind, count, layout });
}

test("law: a blob is read back as it was written", () => {
  fc.assert(
    fc.property(blob, (one) => {
      expect(readBlob(written(one))).toEqual(one);
    }),
  );
});

test("law: a blob with any one bit turned is damaged, and said to be", () => {
  fc.assert(
    fc.property(blob, fc.nat(), (one, at) => {
      const bytes = written(one);
      const bit = at % (bytes.length * 8);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(readBlob(bytes)).toMatchObject({ kind: "damaged", why: expect.stringMatching(/\S/) });
    }),
    { numRuns: 500 },
  );
});

test("law: bytes that are no blob of ours are damaged, and nothing throws", () => {
  const withMagic = fc.uint8Array({ minLength: 4, maxLength: 80 }).map((bytes) => {
    new DataView(bytes.buffer).setUint32(0, BLOB_MAGIC);
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), withMagic), (bytes) => {
      expect(readBlob(bytes).kind).toBe("damaged");
      expect([...carve(bytes)]).toEqual([]);
    }),
  );
});

test("a blob that was cut off or has something behind it is damaged", () => {
  const bytes = written({
    epoch: "00000000000000ff",
    ordinal: 1,
    kind: "books",
    count: 1,
    layout: "rows",
    body: Uint8Array.of(1, 2),
  });
  for (let length = 0; length < bytes.length; length++)
    expect(readBlob(bytes.subarray(0, length)).kind).toBe("damaged");
  expect(readBlob(Uint8Array.of(...bytes, 0)).kind).toBe("damaged");
});

test("a blob shows itself without SQLite: magic, epoch, ordinal, kind and count stand at its head", () => {
  const bytes = written({
    epoch: "9f3c2a7e51d0b846",
    ordinal: 2 ** 40 + 258,
    kind: "books",
    count: 7,
    layout: "rows",
    body: new Uint8Array(),
  });
  expect(Buffer.from(bytes.subarray(0, 24)).toString("hex")).toBe(
    `4b584a32${"9f3c2a7e51d0b846"}${"0000010000000102"}02000007`,
  );
  expect(bytes).toHaveLength(32);
});

test("law: carving finds every sound blob among anything, and no other", () => {
  const noise = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constant(Uint8Array.of(0x4b, 0x58, 0x4a, 0x32)));
  fc.assert(
    fc.property(fc.array(fc.tuple(noise, blob), { maxLength: 8 }), (parts) => {
      const bytes = Uint8Array.from(parts.flatMap(([between, one]) => [...between, ...written(one)]));
      const found = [...carve(bytes)].map(({ body, ...head }) => ({ ...head, body: Uint8Array.from(body) }));
      expect(found).toEqual(parts.map(([, one]) => one));
    }),
  );
});

test("a damaged length hides nothing that comes after it", () => {
  const one = (ordinal: number) =>
    written({
      epoch: "00000000000000ff",
      ordinal,
      kind: "telemetry",
      count: 1,
      layout: "rows",
      body: new Uint8Array(40),
    });
  const bytes = Uint8Array.of(...one(1), ...one(2), ...one(3));
  bytes[one(1).length + 26]! ^= 0x40;
  expect([...carve(bytes)].map(({ ordinal }) => ordinal)).toEqual([1, 3]);
});

test("law: a value is read back with its name, in any language", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 60 });
  fc.assert(
    fc.property(text, text, (name, value) => {
      const read = readBlob(encodeValue(name, value, { epoch: 1n, ordinal: 3 }));
      expect(read.kind).toBe("value");
      if (read.kind === "value") expect(decodeValue(read)).toEqual({ name, text: value });
    }),
  );
});
