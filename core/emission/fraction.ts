import { type Decimal, divideHalfEven, parseDecimal } from "./decimal.ts";

/**
 * Exact rationals, for what decimals cannot hold: a volume at other conditions, an efficiency, a share. Nothing is rounded
 * until a book entry is made, so a figure does not depend on the order in which it was worked out.
 *
 * Invariants  `d` is positive; `n` and `d` have no common divisor.
 */
export interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

export const ZERO: Fraction = { n: 0n, d: 1n };
export const ONE: Fraction = { n: 1n, d: 1n };

/** `n / d`. @throws {RangeError} for a zero denominator. */
export function fraction(n: bigint, d: bigint = 1n): Fraction {
  if (d === 0n) throw new RangeError("division by zero");
  const divisor = gcd(n < 0n ? -n : n, d < 0n ? -d : d);
  const sign = d < 0n ? -1n : 1n;
  return { n: (sign * n) / divisor, d: (sign * d) / divisor };
}

export function fromDecimal({ digits, scale }: Decimal): Fraction {
  return fraction(digits, 10n ** BigInt(scale));
}

/** Of a plain decimal number as people write it. @throws {RangeError} if the text is none. */
export function fromText(text: string): Fraction {
  return fromDecimal(parseDecimal(text));
}

export function plus(a: Fraction, b: Fraction): Fraction {
  return fraction(a.n * b.d + b.n * a.d, a.d * b.d);
}

export function minus(a: Fraction, b: Fraction): Fraction {
  return fraction(a.n * b.d - b.n * a.d, a.d * b.d);
}

export function times(a: Fraction, b: Fraction): Fraction {
  return fraction(a.n * b.n, a.d * b.d);
}

/** `a / b`. @throws {RangeError} if b is zero. */
export function over(a: Fraction, b: Fraction): Fraction {
  return fraction(a.n * b.d, a.d * b.n);
}

export function sum(parts: readonly Fraction[]): Fraction {
  return parts.reduce(plus, ZERO);
}

export function product(...parts: readonly Fraction[]): Fraction {
  return parts.reduce(times, ONE);
}

/** Negative, zero or positive, as a − b is. */
export function compare(a: Fraction, b: Fraction): number {
  const difference = a.n * b.d - b.n * a.d;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function least(a: Fraction, b: Fraction): Fraction {
  return compare(a, b) <= 0 ? a : b;
}

/** To the nearest integer, ties to even: the one rounding of the books. */
export function roundFraction({ n, d }: Fraction): bigint {
  return divideHalfEven(n, d);
}

/** Digits shown of a number that no finite decimal holds. */
const SIGNIFICANT = 12;

/** Plain text: exact where a decimal of at most 24 places holds the number, else rounded to `significant` digits. */
export function fractionText(value: Fraction, significant = SIGNIFICANT): string {
  const exact = decimalPlaces(value.d);
  const places = exact ?? significant - 1 - magnitude(value);
  const scaled =
    places >= 0
      ? divideHalfEven(value.n * 10n ** BigInt(places), value.d)
      : divideHalfEven(value.n, value.d * 10n ** BigInt(-places)) * 10n ** BigInt(-places);
  return places > 0 ? pointed(scaled, places) : String(scaled);
}

/** Nearest double; for display and statistics, never on the way to a book entry. */
export function fractionNumber(value: Fraction): number {
  return Number(fractionText(value, 24));
}

const PLACES_MAX = 24;

/** Places behind the point after which the decimal ends; null if it does not within {@link PLACES_MAX}. */
function decimalPlaces(d: bigint): number | null {
  let places = 0;
  for (let rest = d; rest !== 1n; places++) {
    if (places === PLACES_MAX) return null;
    const step = gcd(rest, 10n);
    if (step === 1n) return null;
    rest /= step;
  }
  return places;
}

/** Power of ten of the leading digit. */
function magnitude({ n, d }: Fraction): number {
  const whole = (n < 0n ? -n : n) / d;
  if (whole > 0n) return String(whole).length - 1;
  let place = 0;
  for (let scaled = n < 0n ? -n : n; scaled < d; scaled *= 10n) place -= 1;
  return place;
}

function pointed(digits: bigint, places: number): string {
  const text = String(digits < 0n ? -digits : digits).padStart(places + 1, "0");
  const tail = text.slice(text.length - places).replace(/0+$/, "");
  const whole = text.slice(0, text.length - places);
  return `${digits < 0n ? "-" : ""}${whole}${tail === "" ? "" : `.${tail}`}`;
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 0n ? 1n : x;
}
