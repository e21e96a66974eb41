/**
 * What SQLite silently leaves out of a write-ahead file: it reads up to the first frame that is not what was written and takes
 * all behind it for the remains of an older round. Where commits of this round lie there, it is damage.
 *
 * Source   SQLite file format §4.1 to §4.5: a header of 32 bytes, then frames of a header of 24 bytes (page number, size of the
 *          database after a commit or 0, two salts, two checksum words) and a page; the checksum runs on from frame to frame
 *          and leaves the salts out.
 * Limits   A commit that a kill or a power cut tore is no damage: it never was one. Its last frame, which alone says that it is
 *          a commit, is not there, or is there with a page of it not written. The last commit, where it alone lies behind what
 *          is not right, is taken for that, unless one bit turned back makes the frame right: so close to it nothing unwritten
 *          comes. Of a last commit that lost more than one bit to the medium nothing is said therefore.
 */
export function hasCommitsBehindDamage(wal: Uint8Array, pageBytes: number): boolean {
  if (wal.length <= WAL_HEADER_BYTES) return false;
  const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength);
  const header = soundHeader(view);
  const step = FRAME_HEADER_BYTES + (header?.pageBytes ?? pageBytes);
  if (wal.length < WAL_HEADER_BYTES + step) return false;
  if (header === null) return commitsFrom(view, WAL_HEADER_BYTES, step, WAL_HEADER_BYTES + 8) > 0;
  const { at, sums } = endOfSound(view, step, header);
  if (at + step > wal.length) return false;
  // The last but one was synced before the last was begun.
  return commitsFrom(view, at, step, 16) > 1 || isOneBitOff(view, at, step, header, sums);
}

/** Whether SQLite finds anything in it. Where it does not, the last one to close a database deletes this file. */
export function hasSoundCommit(wal: Uint8Array): boolean {
  if (wal.length <= WAL_HEADER_BYTES) return false;
  const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength);
  const header = soundHeader(view);
  if (header === null) return false;
  const step = FRAME_HEADER_BYTES + header.pageBytes;
  const { at: end } = endOfSound(view, step, header);
  for (let at = WAL_HEADER_BYTES; at < end; at += step) if (view.getUint32(at + 4) !== 0) return true;
  return false;
}

/** Frames that say they end a commit of the round with the salts there. */
function commitsFrom(view: DataView, from: number, step: number, salts: number): number {
  const [salt1, salt2] = [view.getUint32(salts), view.getUint32(salts + 4)];
  let commits = 0;
  for (let at = from; at + step <= view.byteLength; at += step) {
    // One of the two may be what is damaged; those of another round have neither.
    const isOfRound = view.getUint32(at + 8) === salt1 || view.getUint32(at + 12) === salt2;
    if (isOfRound && view.getUint32(at + 4) !== 0) commits += 1;
  }
  return commits;
}

export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
/** The lowest bit says in which order of bytes the checksum takes its words. */
const MAGIC = 0x377f0682;

type Sums = readonly [number, number];

interface Header {
  readonly pageBytes: number;
  readonly isLittleEndian: boolean;
  readonly sums: Sums;
}

function soundHeader(view: DataView): Header | null {
  const magic = view.getUint32(0);
  if ((magic & ~1) >>> 0 !== MAGIC) return null;
  const isLittleEndian = magic === MAGIC;
  const sums = summed(view, 0, 24, isLittleEndian, [0, 0]);
  if (!isSaid(view, 24, sums)) return null;
  return { pageBytes: view.getUint32(8), isLittleEndian, sums };
}

/** Whether the frame there bears the salts of the header: others are left of an older round, and are in the database already. */
export function hasHeaderSalts(view: DataView, at: number): boolean {
  return view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20);
}

/** Where the first frame lies that SQLite does not take, and the checksum before it. */
function endOfSound(view: DataView, step: number, header: Header): { readonly at: number; readonly sums: Sums } {
  let { sums } = header;
  let at = WAL_HEADER_BYTES;
  for (; at + step <= view.byteLength; at += step) {
    const after = frameSums(view, at, step, header, sums);
    if (!hasHeaderSalts(view, at) || !isSaid(view, at + 16, after)) break;
    sums = after;
  }
  return { at, sums };
}

function frameSums(view: DataView, at: number, step: number, { isLittleEndian }: Header, before: Sums): Sums {
  const sums = summed(view, at, at + 8, isLittleEndian, before);
  return summed(view, at + FRAME_HEADER_BYTES, at + step, isLittleEndian, sums);
}

/** Some ten milliseconds, and only where a frame of this round is not right. */
function isOneBitOff(view: DataView, at: number, step: number, header: Header, before: Sums): boolean {
  const salts = [0, 4].map((word) => bitsIn(view.getUint32(at + 8 + word) ^ view.getUint32(16 + word)));
  const saltsOff = salts[0]! + salts[1]!;
  if (saltsOff > 1) return false;
  if (saltsOff === 1) return isSaid(view, at + 16, frameSums(view, at, step, header, before));
  const frame = new DataView(view.buffer.slice(view.byteOffset + at, view.byteOffset + at + step));
  for (let bit = 0; bit < 8 * step; bit++) {
    const byte = bit >> 3;
    const was = frame.getUint8(byte);
    frame.setUint8(byte, was ^ (1 << (bit & 7)));
    if (isSaid(frame, 16, frameSums(frame, 0, step, header, before))) return true;
    frame.setUint8(byte, was);
  }
  return false;
}

function bitsIn(word: number): number {
  let bits = 0;
  for (let left = word >>> 0; left !== 0; left = (left & (left - 1)) >>> 0) bits += 1;
  return bits;
}

function isSaid(view: DataView, at: number, [first, second]: Sums): boolean {
  return view.getUint32(at) === first && view.getUint32(at + 4) === second;
}

function summed(view: DataView, from: number, to: number, isLittleEndian: boolean, [first, second]: Sums): Sums {
  let [a, b] = [first, second];
  for (let at = from; at < to; at += 8) {
    a = (a + view.getUint32(at, isLittleEndian) + b) >>> 0;
    b = (b + view.getUint32(at + 4, isLittleEndian) + a) >>> 0;
  }
  return [a, b];
}
