/**
 * What SQLite silently leaves out of a write-ahead file: it reads up to the first frame that is not what was written and takes
 * all behind it for the remains of an older round. Where commits of this round lie there, it is damage.
 *
 * Source   SQLite file format §4.1 to §4.5: a header of 32 bytes, then frames of a header of 24 bytes (page number, size of the
 *          database after a commit or 0, two salts, two checksum words) and a page; the checksum runs on from frame to frame
 *          and leaves the salts out.
 * Limits   A commit that a power cut tore is no damage: its last frame, which alone says that it is one, is not there. Where
 *          just that frame reached the disk and one before it did not, it is taken for damage: nothing is lost by that.
 */
export function hasCommitsBehindDamage(wal: Uint8Array, pageBytes: number): boolean {
  if (wal.length <= WAL_HEADER_BYTES) return false;
  const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength);
  const header = soundHeader(view);
  const step = FRAME_HEADER_BYTES + (header?.pageBytes ?? pageBytes);
  if (wal.length < WAL_HEADER_BYTES + step) return false;
  const salts = header === null ? WAL_HEADER_BYTES + 8 : 16;
  const [salt1, salt2] = [view.getUint32(salts), view.getUint32(salts + 4)];
  let at = header === null ? WAL_HEADER_BYTES : endOfSound(view, step, header);
  for (; at + step <= wal.length; at += step) {
    // One of the two may be what is damaged; those of another round have neither.
    const isOfRound = view.getUint32(at + 8) === salt1 || view.getUint32(at + 12) === salt2;
    if (isOfRound && view.getUint32(at + 4) !== 0) return true;
  }
  return false;
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

/** Where the first frame lies that SQLite does not take. */
function endOfSound(view: DataView, step: number, { isLittleEndian, sums: start }: Header): number {
  let sums = start;
  let at = WAL_HEADER_BYTES;
  for (; at + step <= view.byteLength; at += step) {
    if (!hasHeaderSalts(view, at)) break;
    sums = summed(view, at, at + 8, isLittleEndian, sums);
    sums = summed(view, at + FRAME_HEADER_BYTES, at + step, isLittleEndian, sums);
    if (!isSaid(view, at + 16, sums)) break;
  }
  return at;
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
