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

/** What is packed is used up before the next is. */
let scratch = new Uint8Array(16 * 1024);

/**
 * @param starts where each record begins, and the end of the last
 * @returns bytes that are good until the next call; null: it would be no shorter.
 */
export function toColumns(plain: Uint8Array, starts: readonly number[]): Uint8Array | null {
  const count = starts.length - 1;
  const groups: Group[] = [];
  const groupOf = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const length = starts[i + 1]! - starts[i]!;
    let at = 0;
    while (at < groups.length && groups[at]!.length !== length) at += 1;
    if (at === groups.length) groups.push({ length, starts: [] });
    if (at >= GROUPS_MAX) return null;
    groups[at]!.starts.push(starts[i]!);
    groupOf[i] = at;
  }
  // A column is never longer than its bytes, so this is enough for what goes before them.
  const most = plain.length + groups.reduce((sum, { length }) => sum + 9 + (length >> 1), 1 + count);
  if (scratch.length < most) scratch = new Uint8Array(most);
  const packed = scratch;
  let at = putVarint(packed, 0, groups.length);
  for (const group of groups) at = putVarint(packed, putVarint(packed, at, group.length), group.starts.length);
  if (groups.length > 1) at = putCodes(packed, at, groupOf, count, 4);
  for (const group of groups) at = putGroup(packed, at, plain, group);
  return at < plain.length ? packed.subarray(0, at) : null;
}

/** The hot path of the journal's commits: every byte of every sample comes by. */
function putGroup(packed: Uint8Array, from: number, plain: Uint8Array, { length, starts }: Group): number {
  const count = starts.length;
  const most = worthCoding(count);
  const codes = new Uint8Array(count);
  let at = from + ((length + 1) >> 1);
  packed.fill(0, from, at);
  for (let c = 0; c < length; c++) {
    const first = plain[starts[0]! + c]!;
    let alike = 1;
    while (alike < count && plain[starts[alike]! + c] === first) alike += 1;
    if (alike === count) {
      packed[from + (c >> 1)]! |= 1 << (4 * (c & 1));
      packed[at++] = first;
      continue;
    }
    for (let i = 0; i < count; i++) packed[at + i] = plain[starts[i]! + c]!;
    const kinds = isHardlyWorthIt(packed, at, most) ? 0 : sortOut(packed, at, codes, most);
    if (kinds === 0) {
      at += count;
      continue;
    }
    packed[from + (c >> 1)]! |= kinds << (4 * (c & 1));
    for (let i = 0; i < kinds; i++) packed[at + i] = different[i]!;
    at = putCodes(packed, at + kinds, codes, count, codeBits(kinds));
  }
  return at;
}

/** With more different bytes than this codes take as much as what they stand for. */
function worthCoding(count: number): number {
  let kinds = DIFFERENT_MAX;
  while (kinds > 1 && kinds + ((count * codeBits(kinds) + 7) >> 3) >= count) kinds -= 1;
  return kinds;
}

/**
 * Where five bytes and no two of them are alike, there are most likely too many kinds, as in the lower half of a measured
 * value; the few columns this is wrong about cost a byte or two more. Only of many records can many kinds be worth it.
 */
function isHardlyWorthIt(bytes: Uint8Array, at: number, most: number): boolean {
  if (most < 5 || most === DIFFERENT_MAX) return false;
  const a = bytes[at]!;
  const b = bytes[at + 1]!;
  const c = bytes[at + 2]!;
  const d = bytes[at + 3]!;
  const e = bytes[at + 4]!;
  if (a === b || a === c || b === c || d === a || d === b || d === c) return false;
  return e !== a && e !== b && e !== c && e !== d;
}

const codeOf = new Uint8Array(256);
/** The different bytes of the column that was sorted out last, in the order of their codes. */
const different = new Uint8Array(DIFFERENT_MAX);

/** @returns how many different bytes there are, a code for each of them from there on; 0 if more than `most`. */
function sortOut(bytes: Uint8Array, from: number, codes: Uint8Array, most: number): number {
  let kinds = 0;
  let isWorth = true;
  for (let i = 0; i < codes.length; i++) {
    const byte = bytes[from + i]!;
    let code = codeOf[byte]!;
    if (code === 0) {
      if (kinds === most) {
        isWorth = false;
        break;
      }
      different[kinds] = byte;
      code = ++kinds;
      codeOf[byte] = code;
    }
    codes[i] = code - 1;
  }
  for (let i = 0; i < kinds; i++) codeOf[different[i]!] = 0;
  return isWorth ? kinds : 0;
}

/** The records as they were, one after the other. @throws {RangeError} if the bytes are no columns of so many records. */
export function fromColumns(packed: Uint8Array, count: number): Uint8Array {
  const reader = new ByteReader(packed);
  const groups = Array.from({ length: Math.min(reader.varint(), GROUPS_MAX + 1) }, () => ({
    length: reader.varint(),
    count: reader.varint(),
    starts: [] as number[],
  }));
  // An empty group counts too: nobody goes through columns without end.
  const bytes = groups.reduce((sum, group) => sum + group.length * Math.max(1, group.count), 0);
  if (groups.length === 0 || groups.length > GROUPS_MAX || bytes > BYTES_MAX) throw new RangeError("no such columns");
  const groupOf = new Uint8Array(count);
  if (groups.length > 1) takeCodes(reader, groupOf, 4);
  let start = 0;
  for (const of of groupOf) {
    const group = groups[of];
    if (group === undefined) throw new RangeError("a record of no group");
    group.starts.push(start);
    start += group.length;
  }
  // Before there is room for them: what the groups say was bounded, what the codes make of it was not.
  if (groups.some(({ starts, count: said }) => starts.length !== said)) throw new RangeError("a group of another size");
  const plain = new Uint8Array(start);
  for (const group of groups) takeGroup(reader, plain, group);
  if (!reader.isAtEnd) throw new RangeError("bytes are left over");
  return plain;
}

/** Of the records together: a chunk holds a few KiB, or one record of a MiB. */
const BYTES_MAX = 2 << 20;

/** The journal looks through what it holds day by day, and whoever sends a backlog comes by here too. */
function takeGroup(reader: ByteReader, plain: Uint8Array, { length, starts }: Group): void {
  const { bytes } = reader;
  const modesAt = reader.pass((length + 1) >> 1);
  const count = starts.length;
  const codes = new Uint8Array(count);
  for (let column = 0; column < length; column++) {
    const kinds = (bytes[modesAt + (column >> 1)]! >> (4 * (column & 1))) & 15;
    const at = reader.pass(kinds === 0 ? count : kinds);
    if (kinds === 0) for (let i = 0; i < count; i++) plain[starts[i]! + column] = bytes[at + i]!;
    else if (kinds === 1) {
      const byte = bytes[at]!;
      for (let i = 0; i < count; i++) plain[starts[i]! + column] = byte;
    } else {
      takeCodes(reader, codes, codeBits(kinds));
      for (let i = 0; i < count; i++) {
        const code = codes[i]!;
        if (code >= kinds) throw new RangeError("a code of no byte");
        plain[starts[i]! + column] = bytes[at + code]!;
      }
    }
  }
}

function codeBits(kinds: number): 0 | 1 | 2 | 4 {
  return kinds <= 1 ? 0 : kinds === 2 ? 1 : kinds <= 4 ? 2 : 4;
}

function putCodes(packed: Uint8Array, from: number, codes: Uint8Array, count: number, bits: 0 | 1 | 2 | 4): number {
  if (bits === 0) return from;
  let at = from;
  let byte = 0;
  let filled = 0;
  for (let i = 0; i < count; i++) {
    byte |= codes[i]! << filled;
    filled += bits;
    if (filled < 8) continue;
    packed[at++] = byte;
    byte = 0;
    filled = 0;
  }
  if (filled > 0) packed[at++] = byte;
  return at;
}

function takeCodes(reader: ByteReader, codes: Uint8Array, bits: 1 | 2 | 4 | 0): void {
  if (bits === 0) return;
  const { bytes } = reader;
  // So many codes are in a byte: 8, 4 or 2.
  const byteBits = bits === 1 ? 3 : bits === 2 ? 2 : 1;
  const inByte = 1 << byteBits;
  const at = reader.pass((codes.length + inByte - 1) >> byteBits);
  const mask = (1 << bits) - 1;
  for (let i = 0; i < codes.length; i++) {
    codes[i] = (bytes[at + (i >> byteBits)]! >> ((i & (inByte - 1)) * bits)) & mask;
  }
}
