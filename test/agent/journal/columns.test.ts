import fc from "fast-check";
import { expect, test } from "vitest";
import { fromColumns, toColumns } from "../../../agent/journal/columns.ts";

/** Records one after the other, and where each begins. */
function laid(records: readonly Uint8Array[]): { readonly plain: Uint8Array; readonly starts: number[] } {
  const starts = [0];
  for (const { length } of records) starts.push(starts.at(-1)! + length);
  return { plain: Uint8Array.from(records.flatMap((record) => [...record])), starts };
}

/** Records of a few shapes whose bytes are alike in some columns, of a few kinds in others, and anything in the rest. */
const alike = fc
  .record({
    lengths: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
    kinds: fc.array(fc.constantFrom(1, 1, 2, 3, 4, 7, 15, 16, 256), { minLength: 40, maxLength: 40 }),
    picks: fc.array(fc.tuple(fc.nat(), fc.infiniteStream(fc.nat({ max: 255 }))), { minLength: 4, maxLength: 100 }),
  })
  .map(({ lengths, kinds, picks }) =>
    picks.map(([shape, noise]) => {
      const bytes = noise.take(lengths[shape % lengths.length]!);
      return Uint8Array.from([...bytes].map((byte, column) => (column * 31 + (byte % kinds[column]!)) & 0xff));
    }),
  );

test("law: records laid by columns come back as they were, and only what is shorter so is laid so", () => {
  let shorter = 0;
  fc.assert(
    fc.property(alike, (records) => {
      const { plain, starts } = laid(records);
      const packed = toColumns(plain, starts);
      if (packed === null) return;
      shorter += 1;
      expect(packed.length).toBeLessThan(plain.length);
      expect(fromColumns(packed, records.length)).toEqual(plain);
    }),
    { numRuns: 300 },
  );
  expect(shorter).toBeGreaterThan(50);
});

test("what all records have alike costs one byte a column, what is any byte costs itself", () => {
  const records = Array.from({ length: 50 }, (_, i) =>
    Uint8Array.of(1, 2, 3, 4, 5, 6, 7, (i * 37) & 0xff, (i * 91) & 0xff),
  );
  const { plain, starts } = laid(records);
  // One group and its size; five bytes of modes for nine columns.
  expect(toColumns(plain, starts)).toHaveLength(3 + 5 + 7 + 2 * 50);
});

test("records without anything alike stay as they are", () => {
  const random = Array.from({ length: 20 }, (_, i) => Uint8Array.of((i * 37) & 0xff, (i * 91) & 0xff));
  const { plain, starts } = laid(random);
  expect(toColumns(plain, starts)).toBeNull();
  const shapes = Array.from({ length: 16 }, (_, i) => new Uint8Array(i + 1));
  expect(toColumns(laid(shapes).plain, laid(shapes).starts)).toBeNull();
});

test("law: bytes that are no columns throw a RangeError, and take no more memory than a chunk", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat({ max: 65_535 }), (bytes, count) => {
      try {
        expect(fromColumns(bytes, count).length).toBeLessThanOrEqual(2 << 20);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }),
    { numRuns: 1000 },
  );
});

test("groups that say another size than their records have are refused before there is room for them", () => {
  // Two groups, one record of 2 MiB less a little and one of a byte; all of 65,535 records are of the first.
  const twoMiB = [0x80, 0x80, 0x7f];
  const codes = new Uint8Array(Math.ceil(65_535 / 2));
  expect(() => fromColumns(Uint8Array.of(2, ...twoMiB, 1, 1, 1, ...codes), 65_535)).toThrow("another size");
  // A group of no records and 2^49 columns.
  const columns = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
  expect(() => fromColumns(Uint8Array.of(1, ...columns, 0), 0)).toThrow("no such columns");
});
