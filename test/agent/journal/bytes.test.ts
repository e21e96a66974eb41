import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ByteReader,
  putUtf8,
  putVarint,
  unzigzag,
  utf8Bytes,
  VARINT_BYTES_MAX,
  varintBytes,
  zigzag,
} from "../../../agent/journal/bytes.ts";

const whole = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  // Where a number needs one byte more, and where it no longer is one word.
  fc
    .record({ bits: fc.integer({ min: 1, max: 52 }), off: fc.integer({ min: -1, max: 1 }) })
    .map(({ bits, off }) => 2 ** bits + off),
);

test("law: a varint takes the bytes it said, changes none behind them and is read as it was", () => {
  fc.assert(
    fc.property(whole, (value) => {
      const bytes = new Uint8Array(VARINT_BYTES_MAX + 2).fill(0x55);
      const end = putVarint(bytes, 1, value);
      expect(end - 1).toBe(varintBytes(value));
      expect(end - 1).toBeLessThanOrEqual(VARINT_BYTES_MAX);
      expect([bytes[0], bytes[end]]).toEqual([0x55, 0x55]);
      const reader = new ByteReader(bytes.subarray(1, end));
      expect(reader.varint()).toBe(value);
      expect(reader.isAtEnd).toBe(true);
    }),
  );
});

test("law: signed numbers come back through zigzag", () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (value) => {
      expect(unzigzag(zigzag(value))).toBe(value);
    }),
  );
});

test("law: a text is the UTF-8 that the platform makes of it, halves of characters too", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary", minLength: 190, maxLength: 300 }),
        fc.constantFrom("é\ud800", "0-1,\udc00"),
      ),
      (text) => {
        const bytes = new Uint8Array(utf8Bytes(text) + 2).fill(0x55);
        putUtf8(bytes, 1, text);
        expect([...bytes]).toEqual([0x55, ...new TextEncoder().encode(text), 0x55]);
      },
    ),
  );
});
