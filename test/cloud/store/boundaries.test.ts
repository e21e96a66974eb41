import { expect, test } from "vitest";
import { boundariesText, parseBoundaries } from "../../../cloud/store/boundaries.ts";

const BEFORE = { fc: 3 as const, address: 3203, hex: "000003E8", at_ms: 1_759_999_499_750 };
const AFTER = { fc: 3 as const, address: 3203, hex: "000003EA", at_ms: 1_759_999_500_750 };

test("a boundary between two readings is written with both", () => {
  const between = { opening: { count: 1001n, words: BEFORE, across: AFTER }, closing: null };
  const text = "1001;3:3203:000003E8@1759999499750;3:3203:000003EA@1759999500750|";
  expect(boundariesText(between)).toBe(text);
  expect(parseBoundaries(text)).toEqual(between);
});

test("a row written before boundaries kept the reading across them reads as without one", () => {
  expect(parseBoundaries("1001;3:3203:000003E8@1759999499750|1900")).toEqual({
    opening: { count: 1001n, words: BEFORE, across: null },
    closing: { count: 1900n, words: null, across: null },
  });
  expect(parseBoundaries("|")).toEqual({ opening: null, closing: null });
});

test("words that nobody wrote are refused, on either side", () => {
  expect(() => parseBoundaries("1;5:3203:000003E8@0|")).toThrow(RangeError);
  expect(() => parseBoundaries("1;;3203|")).toThrow(RangeError);
});
