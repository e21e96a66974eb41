/** Tags (field number << 3 | wire type), as `payload.ts` writes them. */
const TIMESTAMP = 0x08;
const METRIC = 0x12;
const ALIAS = 0x10;
const ACQUIRED = 0x18;
const LONG = 0x58;
const DOUBLE = 0x69;
/** A longer one may hold more than 63 bits, and what is beyond 64 is dropped when it is read. */
const VARINT_BYTES_MAX = 9;

/**
 * The bytes of the first `count` metrics of a message that is sound, if each is an alias, a time and a number and nothing else,
 * in this order and as short as can be: then to read and to write them again would give the same bytes.
 *
 * @returns a copy; null if anything stands there otherwise, also if only the number is none (NaN has many forms) or infinite
 */
export function numbersIn(message: Uint8Array, count: number): Uint8Array | null {
  const start = message[0] === TIMESTAMP ? afterVarint(message, 1) : 0;
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at < 0 || message[at] !== METRIC) return null;
    at = afterNumber(message, at + 1);
  }
  return at < 0 ? null : message.slice(start, at);
}

/** Index behind the metric whose length stands at `from`; −1 = it is none of the kind. */
function afterNumber(message: Uint8Array, from: number): number {
  // Less than 28 bytes: its length is one.
  const end = from + 1 + message[from]!;
  if (message[from + 1] !== ALIAS) return -1;
  let at = afterVarint(message, from + 2);
  if (at < 0 || message[at] !== ACQUIRED) return -1;
  at = afterVarint(message, at + 1);
  if (at < 0) return -1;
  if (message[at] === LONG) at = afterVarint(message, at + 1);
  else if (message[at] === DOUBLE && isFiniteAt(message, at + 1)) at += 9;
  else return -1;
  return at === end ? at : -1;
}

/** Index behind a varint; −1 if it is longer than it need be, or too long. */
function afterVarint(message: Uint8Array, from: number): number {
  let at = from;
  while (message[at]! >= 0x80) at += 1;
  const bytes = at + 1 - from;
  return bytes > VARINT_BYTES_MAX || (bytes > 1 && message[at] === 0) ? -1 : at + 1;
}

/** Of eight bytes, lowest first: the exponent is not all ones. */
function isFiniteAt(message: Uint8Array, from: number): boolean {
  return (message[from + 7]! & 0x7f) !== 0x7f || (message[from + 6]! & 0xf0) !== 0xf0;
}
