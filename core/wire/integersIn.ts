/** Tags (field number << 3 | wire type), as `payload.ts` writes them. */
const METRIC = 0x12;
const ALIAS = 0x10;
const ACQUIRED = 0x18;
const LONG = 0x58;
/** 49 bits: as many as can be added up as a number. A time has 41; counts that are longer are rare. */
const VARINT_BYTES_MAX = 7;

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
    if (payload[from.at] !== METRIC) return false;
    from.at += 1;
    const length = from.varint();
    const end = from.at + length;
    if (length < 0 || payload[from.at] !== ALIAS) return false;
    from.at += 1;
    const of = wanted.get(from.varint());
    if (of !== undefined) {
      if (payload[from.at] !== ACQUIRED) return false;
      from.at += 1;
      const at_ms = from.varint();
      if (at_ms < 0 || payload[from.at] !== LONG) return false;
      from.at += 1;
      const value = from.varint();
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

  /** −1: it is longer than VARINT_BYTES_MAX, or not whole. */
  varint(): number {
    const bytes = this.#bytes;
    let at = this.at;
    let value = 0;
    for (let weight = 1; at < this.at + VARINT_BYTES_MAX; weight *= 0x80) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) {
        this.at = at;
        return value;
      }
    }
    return -1;
  }
}
