/**
 * Exact decimals: an integer and how many of its digits stand behind the point. Factors, ticks and calorific values are
 * written in decimal, so every product of them is exact; rounding happens once, half-even, where a book entry is made.
 */
export interface Decimal {
  readonly digits: bigint;
  /** Digits behind the decimal point, 0…30. */
  readonly scale: number;
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,2}))?$/;

/** @throws {RangeError} if the text is no plain decimal number (`0.6592`, `-12`, `1e-3`). */
export function parseDecimal(text: string): Decimal {
  const match = DECIMAL.exec(text.trim());
  if (match === null) throw new RangeError(`not a decimal number: ${text.slice(0, 40)}`);
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const digits = BigInt(`${sign === "-" ? "-" : ""}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

export function integer(value: bigint): Decimal {
  return { digits: value, scale: 0 };
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, scale: a.scale + b.scale };
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { digits: atScale(a, scale) + atScale(b, scale), scale };
}

/** Shortest plain text, no exponent: `659.2`, `0.001`, `1`. */
export function formatDecimal(value: Decimal): string {
  const negative = value.digits < 0n;
  const text = (negative ? -value.digits : value.digits).toString().padStart(value.scale + 1, "0");
  const whole = text.slice(0, text.length - value.scale);
  const fraction = text.slice(text.length - value.scale).replace(/0+$/, "");
  return `${negative ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

/** Nearest double; for display only, never on the way to a book entry. */
export function toNumber(value: Decimal): number {
  return Number(formatDecimal(value));
}

/** Nearest integer, ties to the even neighbour (IEEE 754 roundTiesToEven): the one rounding of the books. */
export function roundHalfEven(value: Decimal): bigint {
  return value.scale === 0 ? value.digits : divideHalfEven(value.digits, 10n ** BigInt(value.scale));
}

/** `numerator / denominator` to the nearest integer, ties to even. @throws {RangeError} if the denominator is not positive. */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  if (denominator <= 0n) throw new RangeError(`denominator must be positive, is ${denominator}`);
  let quotient = numerator / denominator;
  let remainder = numerator % denominator;
  if (remainder < 0n) {
    remainder += denominator;
    quotient -= 1n;
  }
  const twice = remainder * 2n;
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

function atScale(value: Decimal, scale: number): bigint {
  return value.digits * 10n ** BigInt(scale - value.scale);
}
