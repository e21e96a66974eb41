import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { DiskFile, DiskWrite, JournalDisk } from "../../core/ports.ts";
import { damaged, guard } from "./sqliteErrors.ts";
import { joinedBlobs } from "./sqlitePages.ts";
import { bytesOf, openSegment, sizeOf } from "./sqliteSegment.ts";
import { hasCommitsBehindDamage, WAL_HEADER_BYTES } from "./sqliteWal.ts";

/**
 * The journal's disk on node:sqlite: one database a segment, WAL, synchronous=FULL.
 *
 * Pages are of 1 KiB. A commit writes every page it touches whole, first to the write-ahead file and later to the database:
 * what a second of a gateway appends, and the few pages that say so, which with the usual 4 KiB cost more than what they say;
 * with 512 bytes a seventh less would be written, for a sixth more processor time. A chunk that is longer than a page lies over
 * several; `sqlitePages.ts` joins them without SQLite.
 */
const PAGE_BYTES = 1024;

const SCHEMA = `
  CREATE TABLE rows (key INTEGER PRIMARY KEY, blob BLOB NOT NULL);
  CREATE TABLE named (name TEXT PRIMARY KEY, blob BLOB NOT NULL);
`;
/** As they are removed: what a crash leaves of that is no write-ahead file without its main file. */
const PARTS = ["-shm", "-wal", ""] as const;
const NEW = ".new";
const REASON = ".reason.txt";

/** The folder is made with the first segment: whoever only looks leaves nothing, and a full disk can be looked at. */
export function sqliteDisk(dir: string): JournalDisk {
  const at = (name: string): string => join(dir, name);
  return {
    list: () => guard(dir, () => listFiles(dir)),

    open(name, access) {
      return guard(
        dir,
        () => {
          assertUnharmed(dir, name);
          // Beside a writer a reader may see frames half written.
          if (access === "write" && hasHidden(dir, name)) throw damaged(dir, name, HIDDEN);
          return openSegment(dir, name, access);
        },
        name,
      );
    },

    // Looked at twice: what a writer was just writing is whole a moment later.
    leavesOut: (name) => guard(dir, () => existsSync(at(name)) && hasHidden(dir, name) && hasHidden(dir, name)),

    create(name, writes) {
      guard(dir, () => {
        const file = at(`${name}${NEW}`);
        mkdirSync(dir, { recursive: true, mode: 0o700 });
        removeParts(file);
        try {
          writeSegment(file, writes);
          // A write-ahead file left of what had this name must never be applied to what gets it.
          for (const part of ["-wal", "-shm"]) rmSync(`${at(name)}${part}`, { force: true });
          renameSync(file, at(name));
          syncFolder(dir);
        } catch (cause) {
          removeParts(file);
          throw cause;
        }
      });
    },

    copyAside(name, aside, reason) {
      guard(dir, () => {
        try {
          for (const part of ["", "-wal"]) {
            if (existsSync(`${at(name)}${part}`)) linkOrCopy(`${at(name)}${part}`, `${at(aside)}${part}`);
          }
          writeFileSync(`${at(aside)}${REASON}`, `${reason}\n`, { mode: 0o600 });
          syncFolder(dir);
        } catch (cause) {
          for (const part of [...PARTS, REASON]) rmSync(`${at(aside)}${part}`, { force: true });
          throw cause;
        }
      });
    },

    remove(name) {
      guard(dir, () => {
        removeParts(at(name));
        rmSync(`${at(name)}${REASON}`, { force: true });
      });
    },

    raw: (name, which) =>
      guard(dir, () => {
        const read = which === "what-reads" ? blockByBlock : bytesOf;
        const [database, wal] = ["", "-wal"].map((part) => read(`${at(name)}${part}`)) as [Uint8Array, Uint8Array];
        return [database, wal, ...joinedBlobs(database, wal, PAGE_BYTES)];
      }),

    space() {
      try {
        const { bavail, blocks, bsize } = statfsSync(existsSync(dir) ? dir : dirname(dir));
        return { free_bytes: bavail * bsize, total_bytes: blocks * bsize };
      } catch {
        return null;
      }
    },
  };
}

/** A sector, or what the kernel reads at once for it. */
const BLOCK_BYTES = 4096;

/** A file with zeros where the medium does not read. */
function blockByBlock(file: string): Uint8Array {
  const bytes = new Uint8Array(sizeOf(file));
  if (bytes.length === 0) return bytes;
  const opened = openSync(file, "r");
  try {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      try {
        readSync(opened, bytes, at, Math.min(BLOCK_BYTES, bytes.length - at), at);
      } catch {
        bytes.fill(0, at, at + BLOCK_BYTES);
      }
    }
  } finally {
    closeSync(opened);
  }
  return bytes;
}

function listFiles(dir: string): DiskFile[] {
  const bytes = new Map<string, number>();
  const names = namesIn(dir);
  for (const name of names) {
    const whole = name.replace(/-(wal|shm)$/, "");
    // Its main part is gone, and the write-ahead file may still hold what was committed.
    const isRemains = name.endsWith("-wal") && sizeOf(join(dir, name)) > WAL_HEADER_BYTES;
    if (whole !== name && !names.includes(whole) && !isRemains) continue;
    if (whole.endsWith(NEW) || name.endsWith(REASON)) continue;
    bytes.set(whole, (bytes.get(whole) ?? 0) + sizeOf(join(dir, name)));
  }
  return [...bytes].map(([name, size]) => ({ name, bytes: size })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw cause;
  }
}

/**
 * Before SQLite touches it: it makes an empty database of a name that is not there, deletes the write-ahead file beside a main
 * file that is empty, and whoever opens for writing folds in what is before a damaged frame and overwrites what is behind it
 * ({@link hasHidden}).
 */
function assertUnharmed(dir: string, name: string): void {
  const file = join(dir, name);
  if (!existsSync(file)) throw damaged(dir, name, "there is no such file");
  const head = headOf(file);
  if (head.toString("latin1", 0, MAGIC.length) !== MAGIC) throw damaged(dir, name, "it does not begin as one");
}

const HIDDEN = "commits lie behind a damaged part of its write-ahead file";

function hasHidden(dir: string, name: string): boolean {
  const wal = bytesOf(join(dir, `${name}-wal`));
  if (wal.length === 0) return false;
  const said = headOf(join(dir, name)).readUInt16BE(PAGE_SIZE_AT);
  return hasCommitsBehindDamage(wal, said >= 512 ? said : PAGE_BYTES);
}

const MAGIC = "SQLite format 3\0";
const PAGE_SIZE_AT = 16;

/** The first 18 bytes, zeros where the file is shorter. */
function headOf(file: string): Buffer {
  const head = Buffer.alloc(PAGE_SIZE_AT + 2);
  const opened = openSync(file, "r");
  try {
    readSync(opened, head);
  } finally {
    closeSync(opened);
  }
  return head;
}

function writeSegment(file: string, writes: Iterable<DiskWrite>): void {
  const db = new DatabaseSync(file);
  try {
    chmodSync(file, 0o600);
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`);
    db.exec("BEGIN IMMEDIATE");
    db.exec(SCHEMA);
    const insert = db.prepare("INSERT INTO rows (key, blob) VALUES (?, ?)");
    const put = db.prepare("INSERT OR REPLACE INTO named (name, blob) VALUES (?, ?)");
    for (const { rows, values } of writes) {
      for (const { key, blob } of rows) insert.run(key, blob);
      for (const { name, blob } of values) put.run(name, blob);
    }
    db.exec("COMMIT");
  } finally {
    // The last one to close folds the write-ahead file in, synced, and removes it.
    db.close();
  }
}

function linkOrCopy(from: string, to: string): void {
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** So that a name survives a power cut. Windows cannot open a folder, and does not need to. */
function syncFolder(dir: string): void {
  let folder: number;
  try {
    folder = openSync(dir, "r");
  } catch {
    return;
  }
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function removeParts(file: string): void {
  for (const part of PARTS) rmSync(`${file}${part}`, { force: true });
}
