import { formatDecimal, integer, multiply, parseDecimal } from "../../core/emission/decimal.ts";

/** An unsigned decimal number as documents print it: `0.6592`, `56100`. */
export const DECIMAL_TEXT = /^\d{1,15}(\.\d{1,15})?$/;

/** `text` × `factor`, exactly, without trailing zeros: ("0.9130", 1000) → "913". */
export function timesInteger(text: string, factor: number): string {
  return formatDecimal(multiply(parseDecimal(text), integer(BigInt(factor))));
}

/** True when both texts say the same number, whatever zeros they carry. */
export function sameNumber(a: string, b: string): boolean {
  return formatDecimal(parseDecimal(a)) === formatDecimal(parseDecimal(b));
}
