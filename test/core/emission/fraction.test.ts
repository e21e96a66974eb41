import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compare,
  type Fraction,
  fraction,
  fractionNumber,
  fractionText,
  fromText,
  minus,
  over,
  plus,
  roundFraction,
  times,
} from "../../../core/emission/fraction.ts";

const any: fc.Arbitrary<Fraction> = fc
  .record({ n: fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), d: fc.bigInt({ min: 1n, max: 10n ** 9n }) })
  .map(({ n, d }) => fraction(n, d));

describe("exact rationals", () => {
  test("law: they form a field", () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        expect(plus(a, b)).toEqual(plus(b, a));
        expect(times(a, plus(b, c))).toEqual(plus(times(a, b), times(a, c)));
        expect(minus(plus(a, b), b)).toEqual(a);
        if (b.n !== 0n) expect(times(over(a, b), b)).toEqual(a);
      }),
    );
  });

  test("law: one number has one form, whatever it was made from", () => {
    fc.assert(
      fc.property(any, fc.bigInt({ min: 1n, max: 1000n }), (a, k) => {
        expect(fraction(a.n * k, a.d * k)).toEqual(a);
        expect(fraction(-a.n * k, -a.d * k)).toEqual(a);
      }),
    );
  });

  test("law: rounding is to the nearest, ties to even, like that of decimals", () => {
    fc.assert(
      fc.property(any, (a) => {
        const twiceOff = 2n * (roundFraction(a) * a.d - a.n);
        expect(twiceOff <= a.d && -twiceOff <= a.d).toBe(true);
        if (twiceOff === a.d || -twiceOff === a.d) expect(roundFraction(a) % 2n).toBe(0n);
      }),
    );
  });

  test("law: text that ends is exact, and read back as the same number", () => {
    const decimal = fc.record({
      n: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      places: fc.integer({ min: 0, max: 12 }),
    });
    fc.assert(
      fc.property(decimal, ({ n, places }) => {
        const a = fraction(n, 10n ** BigInt(places));
        expect(fromText(fractionText(a))).toEqual(a);
      }),
    );
  });

  test.each([
    [fraction(1n, 3n), "0.333333333333"],
    [fraction(-2n, 3n), "-0.666666666667"],
    [fraction(20_000_000n, 3n), "6666666.66667"],
    [fraction(1n, 7_000_000n), "0.000000142857142857"],
    [fraction(10n ** 14n, 3n), "33333333333300"],
    [fraction(0n), "0"],
    [fraction(-5n, 4n), "-1.25"],
  ])("%o is shown as %s", (value, text) => {
    expect(fractionText(value)).toBe(text);
  });

  test("the nearest double is for display", () => {
    expect(fractionNumber(fraction(1n, 3n))).toBe(1 / 3);
    expect(fractionNumber(fromText("659.2"))).toBe(659.2);
  });

  test("order is that of numbers", () => {
    expect(compare(fraction(1n, 3n), fraction(34n, 100n))).toBe(-1);
    expect(compare(fraction(2n, 6n), fraction(1n, 3n))).toBe(0);
  });

  test("there is no division by zero", () => {
    expect(() => fraction(1n, 0n)).toThrow(RangeError);
    expect(() => over(fraction(1n), fraction(0n))).toThrow(RangeError);
  });
});
