import { BODY_BYTES_MAX, HEADER_BYTES, KINDS, nextMagic, readBlob } from "./blob.ts";
import { FRAME_HEADER_BYTES, hasHeaderSalts, WAL_HEADER_BYTES } from "./sqliteWal.ts";

/**
 * Blobs that SQLite laid over several pages, put together again from the raw bytes of a database and its write-ahead file.
 *
 * Source   SQLite file format §1.6 (a payload that does not fit its leaf keeps a part there, then the number
 *          of the next page; each further page begins with the number of the one after it) and §4.1 (write-ahead frames:
 *          24 bytes, page number first, then the page).
 * Limits   a guess at the lengths of the columns before the blob; its checksum decides. A page is taken in its newest version;
 *          if that does not fit, in its oldest, and at last as if each page were followed by its neighbour.
 */
export function* joinedBlobs(database: Uint8Array, wal: Uint8Array, pageBytes: number): Iterable<Uint8Array> {
  const pages = pagesOf(database, wal, pageBytes);
  for (const page of pages.all) {
    for (let at = nextMagic(page, 0); at !== -1; at = nextMagic(page, at + 4)) {
      const blob = joinedAt(pages, page, at);
      if (blob !== null) yield blob;
    }
  }
}

function joinedAt(pages: Pages, page: Uint8Array, at: number): Uint8Array | null {
  if (at + HEADER_BYTES > page.length) return null;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const length = HEADER_BYTES + view.getUint32(at + 24);
  if (length > HEADER_BYTES + BODY_BYTES_MAX || at + length <= page.length) return null;
  const nameBytes = view.getUint8(20 + at) === KINDS.value ? view.getUint16(at + 22) : null;
  const inLeaf = bytesInLeaf(length, nameBytes, page.length);
  if (inLeaf < HEADER_BYTES || at + inLeaf + 4 > page.length) return null;
  const head = page.subarray(at, at + inLeaf);
  const firstPage = view.getUint32(at + inLeaf);
  for (const way of WAYS) {
    const blob = follow(pages, head, firstPage, length, way);
    if (blob !== null && readBlob(blob).kind !== "damaged") return blob;
  }
  return null;
}

interface Pages {
  readonly all: readonly Uint8Array[];
  /** By number, the newest version first: a write-ahead file holds what is not in the database yet. */
  readonly byNumber: ReadonlyMap<number, readonly Uint8Array[]>;
}

function pagesOf(database: Uint8Array, wal: Uint8Array, pageBytes: number): Pages {
  const all: Uint8Array[] = [];
  const byNumber = new Map<number, Uint8Array[]>();
  const note = (number: number, page: Uint8Array): void => {
    all.push(page);
    const versions = byNumber.get(number);
    if (versions === undefined) byNumber.set(number, [page]);
    else versions.unshift(page);
  };
  const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength);
  const step = FRAME_HEADER_BYTES + pageBytes;
  const frames: { readonly number: number; readonly page: Uint8Array; readonly isCurrent: boolean }[] = [];
  for (let at = WAL_HEADER_BYTES; at + step <= wal.length; at += step) {
    const isCurrent = hasHeaderSalts(view, at);
    frames.push({ number: view.getUint32(at), page: wal.subarray(at + FRAME_HEADER_BYTES, at + step), isCurrent });
  }
  for (const { number, page, isCurrent } of frames) if (!isCurrent) note(number, page);
  for (let at = 0; at + pageBytes <= database.length; at += pageBytes) {
    note(at / pageBytes + 1, database.subarray(at, at + pageBytes));
  }
  for (const { number, page, isCurrent } of frames) if (isCurrent) note(number, page);
  return { all, byNumber };
}

/** How much of a blob lies on the leaf, by the rule for table leaves. `nameBytes` is the column before it, if there is one. */
function bytesInLeaf(length: number, nameBytes: number | null, pageBytes: number): number {
  const rowHead = nameBytes === null ? 2 : 1 + typeBytes(nameBytes, 13) + nameBytes;
  const before = rowHead + typeBytes(length, 12);
  const payload = before + length;
  const most = pageBytes - 35;
  const least = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
  const some = least + ((payload - least) % (pageBytes - 4));
  const local = payload <= most ? payload : some <= most ? some : least;
  return local - before;
}

/** Length of the serial type of a text (13) or blob (12) of so many bytes: a varint of twice that and a bit. */
function typeBytes(length: number, code: 12 | 13): number {
  const type = 2 * length + code;
  return type < 0x80 ? 1 : type < 0x4000 ? 2 : type < 0x200000 ? 3 : 4;
}

const WAYS = ["newest", "oldest", "neighbours"] as const;

function follow(
  { byNumber }: Pages,
  head: Uint8Array,
  firstPage: number,
  length: number,
  way: (typeof WAYS)[number],
): Uint8Array | null {
  const blob = new Uint8Array(length);
  blob.set(head);
  let at = head.length;
  let number = firstPage;
  while (at < length) {
    const page = byNumber.get(number)?.at(way === "oldest" ? -1 : 0);
    if (page === undefined) return null;
    const part = page.subarray(4, 4 + Math.min(page.length - 4, length - at));
    blob.set(part, at);
    at += part.length;
    number = way === "neighbours" ? number + 1 : new DataView(page.buffer, page.byteOffset, 4).getUint32(0);
  }
  return blob;
}
