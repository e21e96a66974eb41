import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  add,
  type Decimal,
  divideHalfEven,
  formatDecimal,
  integer,
  multiply,
  parseDecimal,
  roundHalfEven,
  toNumber,
} from "../../../core/emission/decimal.ts";

const decimal: fc.Arbitrary<Decimal> = fc.record({
  digits: fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }),
  scale: fc.integer({ min: 0, max: 12 }),
});

const isEqual = (a: Decimal, b: Decimal): boolean =>
  a.digits * 10n ** BigInt(b.scale) === b.digits * 10n ** BigInt(a.scale);

describe("reading and writing", () => {
  test.each([
    ["0", "0"],
    ["0.6592", "0.6592"],
    ["913", "913"],
    ["-12.50", "-12.5"],
    ["+7", "7"],
    ["007.10", "7.1"],
    ["1e-3", "0.001"],
    ["1.5E3", "1500"],
    ["12e0", "12"],
    ["-0.00", "0"],
    [" 37.2 ", "37.2"],
  ])("%j is %s", (text, plain) => {
    expect(formatDecimal(parseDecimal(text))).toBe(plain);
  });

  test.each(["", " ", ".5", "5.", "1,5", "0x10", "1e", "--1", "NaN", "Infinity", "1 2", "1e100", "٣"])(
    "%j is no decimal number",
    (text) => {
      expect(() => parseDecimal(text)).toThrow(RangeError);
    },
  );

  test("law: what is written is read back as the same number", () => {
    fc.assert(fc.property(decimal, (value) => isEqual(parseDecimal(formatDecimal(value)), value)));
  });

  test("law: the text is the shortest: no exponent, no idle zeros", () => {
    fc.assert(
      fc.property(decimal, (value) => {
        expect(formatDecimal(value)).toMatch(/^(0|-?([1-9]\d*|0(?=\.))(\.\d*[1-9])?)$/);
      }),
    );
  });

  test("the nearest double is for display", () => {
    expect(toNumber(parseDecimal("659.2"))).toBe(659.2);
  });
});

describe("arithmetic is exact", () => {
  test("where doubles are not", () => {
    expect(formatDecimal(add(parseDecimal("0.1"), parseDecimal("0.2")))).toBe("0.3");
    expect(formatDecimal(multiply(parseDecimal("0.1"), parseDecimal("-3")))).toBe("-0.3");
  });

  test("law: addition and multiplication commute and distribute", () => {
    fc.assert(
      fc.property(decimal, decimal, decimal, (a, b, c) => {
        expect(isEqual(add(a, b), add(b, a))).toBe(true);
        expect(isEqual(multiply(a, b), multiply(b, a))).toBe(true);
        expect(isEqual(multiply(a, add(b, c)), add(multiply(a, b), multiply(a, c)))).toBe(true);
      }),
    );
  });
});

describe("rounding to the nearest integer", () => {
  test.each([
    ["0.5", 0n],
    ["1.5", 2n],
    ["2.5", 2n],
    ["3.5", 4n],
    ["-0.5", 0n],
    ["-1.5", -2n],
    ["-2.5", -2n],
    ["2.4999999999", 2n],
    ["2.5000000001", 3n],
    ["-2.5000000001", -3n],
    ["-2.4999999999", -2n],
    ["-0.4", 0n],
    ["9007199254740993.5", 9007199254740994n],
    ["7", 7n],
  ])("%s becomes %s: ties go to the even neighbour", (text, expected) => {
    expect(roundHalfEven(parseDecimal(text))).toBe(expected);
  });

  test("law: no further than half away, exactly half only to an even number, and odd in its sign", () => {
    const denominator = fc.bigInt({ min: 1n, max: 10n ** 9n });
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), denominator, (n, d) => {
        const rounded = divideHalfEven(n, d);
        const twiceOff = 2n * (rounded * d - n);
        expect(twiceOff <= d && -twiceOff <= d).toBe(true);
        if (twiceOff === d || -twiceOff === d) expect(rounded % 2n).toBe(0n);
        expect(divideHalfEven(-n, d)).toBe(-rounded);
      }),
    );
  });

  test.each([0n, -3n])("by %s is refused", (denominator) => {
    expect(() => divideHalfEven(1n, denominator)).toThrow(RangeError);
  });

  test("an integer is itself", () => {
    expect(roundHalfEven(integer(-5n))).toBe(-5n);
  });
});
