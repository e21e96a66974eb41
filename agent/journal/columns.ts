import { ByteReader, putVarint } from "./bytes.ts";

/**
 * Records of one shape, laid by columns: what all of them have alike is kept once.
 *
 * The samples of a second differ in a few bytes of each value and are alike in all else: kind, definition, boot, addresses, the
 * upper half of a voltage. So the n-th bytes of all records of the same length lie together, and a column takes what it needs.
 *
 * packed    groups varint (at most 15) · of each: length varint, records varint · with more than one group: a nibble a record,
 *           its group, in the order of the records · then group by group: a nibble a column, how many different bytes it has
 *           (0: as they are, one a record), and column by column: those bytes, then a code a record of 0, 1, 2 or 4 bits
 * nibbles and codes fill a byte from its low end
 */
const DIFFERENT_MAX = 15;
const GROUPS_MAX = 15;

interface Group {
  readonly length: number;
  /** Where its records begin. */
  readonly starts: number[];
}

/** @param starts where each record begins, and the end of the last. Null: it would be no shorter. */
export function toColumns(plain: Uint8Array, starts: readonly number[]): Uint8Array | null {
  const count = starts.length - 1;
  const groups: Group[] = [];
  const groupOf = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const length = starts[i + 1]! - starts[i]!;
    let at = groups.findIndex((group) => group.length === length);
    if (at === -1) at = groups.push({ length, starts: [] }) - 1;
    if (at >= GROUPS_MAX) return null;
    groups[at]!.starts.push(starts[i]!);
    groupOf[i] = at;
  }
  // A column is never longer than its bytes, so this is enough for what goes before them.
  const packed = new Uint8Array(plain.length + groups.reduce((sum, { length }) => sum + 9 + (length >> 1), 1 + count));
  let at = putVarint(packed, 0, groups.length);
  for (const group of groups) at = putVarint(packed, putVarint(packed, at, group.length), group.starts.length);
  if (groups.length > 1) at = putCodes(packed, at, groupOf, 4);
  for (const group of groups) at = putGroup(packed, at, plain, group);
  return at < plain.length ? packed.subarray(0, at) : null;
}

function putGroup(packed: Uint8Array, from: number, plain: Uint8Array, { length, starts }: Group): number {
  const count = starts.length;
  const column = {
    bytes: new Uint8Array(count),
    codes: new Uint8Array(count),
    different: new Uint8Array(DIFFERENT_MAX),
  };
  let at = from + ((length + 1) >> 1);
  for (let c = 0; c < length; c++) {
    for (let i = 0; i < count; i++) column.bytes[i] = plain[starts[i]! + c]!;
    const kinds = sortOut(column);
    const bits = codeBits(kinds);
    if (kinds === 0 || kinds + ((count * bits + 7) >> 3) >= count) {
      packed.set(column.bytes, at);
      at += count;
      continue;
    }
    packed[from + (c >> 1)]! |= kinds << (4 * (c & 1));
    for (let i = 0; i < kinds; i++) packed[at++] = column.different[i]!;
    at = putCodes(packed, at, column.codes, bits);
  }
  return at;
}

interface Column {
  readonly bytes: Uint8Array;
  /** Of each byte, which of the different ones it is. */
  readonly codes: Uint8Array;
  readonly different: Uint8Array;
}

const codeOf = new Uint8Array(256);

/** @returns how many different bytes there are; 0 if too many. */
function sortOut({ bytes, codes, different }: Column): number {
  const first = bytes[0]!;
  let same = 1;
  while (same < bytes.length && bytes[same] === first) same += 1;
  different[0] = first;
  if (same === bytes.length) return 1;
  let kinds = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    let code = codeOf[byte]!;
    if (code === 0) {
      if (kinds === DIFFERENT_MAX) {
        kinds = 0;
        break;
      }
      different[kinds] = byte;
      code = ++kinds;
      codeOf[byte] = code;
    }
    codes[i] = code - 1;
  }
  const noted = kinds === 0 ? DIFFERENT_MAX : kinds;
  for (let i = 0; i < noted; i++) codeOf[different[i]!] = 0;
  return kinds;
}

/** The records as they were, one after the other. @throws {RangeError} if the bytes are no columns of so many records. */
export function fromColumns(packed: Uint8Array, count: number): Uint8Array {
  const reader = new ByteReader(packed);
  const groups = Array.from({ length: Math.min(reader.varint(), GROUPS_MAX + 1) }, () => ({
    length: reader.varint(),
    count: reader.varint(),
    starts: [] as number[],
  }));
  const bytes = groups.reduce((sum, group) => sum + group.length * group.count, 0);
  if (groups.length === 0 || groups.length > GROUPS_MAX || bytes > BYTES_MAX) throw new RangeError("no such columns");
  const groupOf = groups.length > 1 ? codesOf(reader, count, 4) : new Uint8Array(count);
  let start = 0;
  for (const of of groupOf) {
    const group = groups[of];
    if (group === undefined) throw new RangeError("a record of no group");
    group.starts.push(start);
    start += group.length;
  }
  const plain = new Uint8Array(start);
  for (const group of groups) {
    if (group.starts.length !== group.count) throw new RangeError("a group of another size");
    takeGroup(reader, plain, group);
  }
  if (!reader.isAtEnd) throw new RangeError("bytes are left over");
  return plain;
}

/** Of the records together: a chunk holds a few KiB, or one record of a MiB. */
const BYTES_MAX = 2 << 20;

function takeGroup(reader: ByteReader, plain: Uint8Array, { length, starts }: Group): void {
  const modes = reader.take((length + 1) >> 1);
  const count = starts.length;
  for (let column = 0; column < length; column++) {
    const kinds = (modes[column >> 1]! >> (4 * (column & 1))) & 15;
    const bytes = reader.take(kinds === 0 ? count : kinds);
    if (kinds === 0) for (let i = 0; i < count; i++) plain[starts[i]! + column] = bytes[i]!;
    else if (kinds === 1) for (let i = 0; i < count; i++) plain[starts[i]! + column] = bytes[0]!;
    else {
      const codes = codesOf(reader, count, codeBits(kinds));
      for (let i = 0; i < count; i++) {
        const code = codes[i]!;
        if (code >= kinds) throw new RangeError("a code of no byte");
        plain[starts[i]! + column] = bytes[code]!;
      }
    }
  }
}

function codeBits(kinds: number): 0 | 1 | 2 | 4 {
  return kinds <= 1 ? 0 : kinds === 2 ? 1 : kinds <= 4 ? 2 : 4;
}

function putCodes(packed: Uint8Array, from: number, codes: Uint8Array, bits: 0 | 1 | 2 | 4): number {
  if (bits === 0) return from;
  const inByte = 8 / bits;
  for (let i = 0; i < codes.length; i++) packed[from + Math.floor(i / inByte)]! |= codes[i]! << ((i % inByte) * bits);
  return from + Math.ceil(codes.length / inByte);
}

function codesOf(reader: ByteReader, count: number, bits: 1 | 2 | 4 | 0): Uint8Array {
  const codes = new Uint8Array(count);
  if (bits === 0) return codes;
  const inByte = 8 / bits;
  const bytes = reader.take(Math.ceil(count / inByte));
  const mask = (1 << bits) - 1;
  for (let i = 0; i < count; i++) codes[i] = (bytes[Math.floor(i / inByte)]! >> ((i % inByte) * bits)) & mask;
  return codes;
}
