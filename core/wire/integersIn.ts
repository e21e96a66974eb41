import { METRIC, PAYLOAD } from "./payload.ts";

const TWO_TO_28 = 0x1000_0000;

/**
 * The wanted metrics of a canonical payload (`encodeCanonical`), if each of them is an alias, a time and an integer and nothing
 * else: what a meter counted, and nearly all that is ever looked for in what is stored. The others are passed over unread.
 *
 * @param wanted by alias
 * @param take is given each of them in turn
 * @returns false if something stands there otherwise: decode the payload then, and forget what was taken
 */
export function integersIn<T>(
  payload: Uint8Array,
  wanted: ReadonlyMap<number, T>,
  take: (of: T, at_ms: number, value: bigint) => void,
): boolean {
  const from = new Cursor(payload);
  while (from.at < payload.length) {
    if (payload[from.at] !== PAYLOAD.metrics) return false;
    from.at += 1;
    const length = from.uint();
    const end = from.at + length;
    if (length < 0 || payload[from.at] !== METRIC.alias) return false;
    from.at += 1;
    const of = wanted.get(from.uint());
    if (of !== undefined) {
      if (payload[from.at] !== METRIC.timestamp) return false;
      from.at += 1;
      const at_ms = from.uint();
      if (at_ms < 0 || payload[from.at] !== METRIC.long) return false;
      from.at += 1;
      const value = from.uint();
      if (value < 0 || from.at !== end) return false;
      take(of, at_ms, BigInt(value));
    }
    from.at = end;
  }
  return from.at === payload.length;
}

class Cursor {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A whole number that begins here, and goes behind it; −1: none that ends, or none up to 2^53−1. */
  uint(): number {
    const bytes = this.#bytes;
    let at = this.at;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[at++]!;
      low |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.at = at;
      return low;
    }
    let high = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[at++]!;
      high |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.at = at;
      const value = high * TWO_TO_28 + low;
      return value <= Number.MAX_SAFE_INTEGER ? value : -1;
    }
    return -1;
  }
}
