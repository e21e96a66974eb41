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
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { KhuXanhError } from "../../core/errors.ts";
import type { DiskFile, DiskRow, DiskSegment, DiskValue, DiskWrite, JournalDisk } from "../../core/ports.ts";
import { firstFormRows, firstFormValues } from "./firstForm.ts";
import { joinedBlobs } from "./sqlitePages.ts";
import { hasCommitsBehindDamage, hasSoundCommit, WAL_HEADER_BYTES } from "./sqliteWal.ts";

/**
 * The journal's disk on node:sqlite: one database a segment, WAL, synchronous=FULL.
 *
 * Pages are of 1 KiB. A commit writes every page it touches whole, first to the write-ahead file and later to the database:
 * what a second of a gateway appends, and the few pages that say so, which with the usual 4 KiB cost more than what they say;
 * with 512 bytes a seventh less would be written, for a sixth more processor time. A chunk that is longer than a page lies over
 * several; `sqlitePages.ts` joins them without SQLite.
 */
const PAGE_BYTES = 1024;
/** Pages in the write-ahead file before SQLite folds them in; it is then at most about a MiB long. */
const CHECKPOINT_PAGES = 1000;
/** A reader in another process may hold the file for a moment. */
const BUSY_MS = 1000;

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

    raw: (name) =>
      guard(dir, () => {
        const [database, wal] = ["", "-wal"].map((part) => bytesOf(`${at(name)}${part}`)) as [Uint8Array, Uint8Array];
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

function openSegment(dir: string, name: string, access: "write" | "read"): DiskSegment {
  return access === "write" ? openForWriting(dir, name) : openForReading(dir, name);
}

function openForWriting(dir: string, name: string): DiskSegment {
  try {
    return openAs(dir, name, "shared");
  } catch (cause) {
    if (!isWithoutIndex(cause)) throw cause;
    return aloneUntilThereIsRoom(dir, name);
  }
}

function openForReading(dir: string, name: string): DiskSegment {
  // What lies in a write-ahead file is not seen without an index. One of which nothing can be seen would be deleted for it.
  const alone = hasSoundCommit(bytesOf(join(dir, `${name}-wal`))) ? "unlocked" : "immutable";
  const hasNoLocks = alone === "unlocked" && process.platform === "win32";
  // Nobody shares it: SQLite would make an index, and leave it.
  if (!hasNoLocks && !existsSync(join(dir, `${name}-shm`))) return openAs(dir, name, alone);
  try {
    return openAs(dir, name, "read");
  } catch (cause) {
    if (hasNoLocks || !(isWithoutIndex(cause) || isHeldAlone(cause))) throw cause;
    return openAs(dir, name, alone);
  }
}

/** `shared`: an index of the write-ahead file beside it (`-shm`) lets other processes read. */
type How = "shared" | "alone" | "read" | "unlocked" | "immutable";

/**
 * `alone`, `unlocked`: that index is in memory; `unlocked` takes no lock either, which a read-only disk does not give: what a
 * writer changes meanwhile is found out by the checksums. At its end SQLite would fold in what it read, and cannot: the file is
 * open for reading only. `immutable`: a write-ahead file is not seen.
 */
const SEARCH: Partial<Record<How, string>> = { unlocked: "?vfs=unix-none", immutable: "?immutable=1" };

function openAs(dir: string, name: string, how: How): DiskSegment {
  const file = join(dir, name);
  const isWriter = how === "shared" || how === "alone";
  const url = pathToFileURL(file);
  url.search = SEARCH[how] ?? "";
  const db = new DatabaseSync(url, { readOnly: !isWriter, timeout: BUSY_MS });
  try {
    if (how === "alone" || how === "unlocked") db.exec("PRAGMA locking_mode = EXCLUSIVE");
    if (isWriter) {
      if ((statSync(file).mode & 0o777) !== 0o600) chmodSync(file, 0o600);
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    }
    return isFirstForm(db) ? firstFormSegment(dir, name, db) : segmentOf(dir, name, db);
  } catch (cause) {
    db.close();
    throw cause;
  }
}

/**
 * A disk without a free byte has no room for the index: then nobody else reads until a commit went through, and what lies
 * there can be sent meanwhile.
 */
function aloneUntilThereIsRoom(dir: string, name: string): DiskSegment {
  let isAlone = true;
  let segment: DiskSegment | null = openAs(dir, name, "alone");
  const opened = (): DiskSegment => {
    if (segment !== null) return segment;
    try {
      segment = guard(dir, () => openAs(dir, name, "shared"), name);
      isAlone = false;
    } catch {
      segment = guard(dir, () => openAs(dir, name, "alone"), name);
    }
    return segment;
  };
  return {
    append(write) {
      opened().append(write);
      if (!isAlone) return;
      // It is committed: what fails now must not say otherwise. Whoever uses it next opens it.
      segment?.close();
      segment = null;
    },
    rows: (from, limit) => opened().rows(from, limit),
    values: () => opened().values(),
    bytes: () => segmentBytes(dir, name),
    close: () => segment?.close(),
  };
}

function segmentOf(dir: string, name: string, db: DatabaseSync): DiskSegment {
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const insert = db.prepare("INSERT INTO rows (key, blob) VALUES (?, ?)");
  const put = db.prepare(
    "INSERT INTO named (name, blob) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET blob = excluded.blob",
  );
  const select = db.prepare(
    `SELECT key, blob FROM rows
     WHERE key >= (SELECT coalesce(max(key), 0) FROM rows WHERE key <= ?) ORDER BY key LIMIT ?`,
  );
  return {
    append({ rows, values }) {
      try {
        begin.run();
        for (let i = 0; i < rows.length; i++) insert.run(rows[i]!.key, rows[i]!.blob);
        for (let i = 0; i < values.length; i++) put.run(values[i]!.name, values[i]!.blob);
        commit.run();
      } catch (cause) {
        if (db.isTransaction) db.exec("ROLLBACK");
        throw diskError(dir, name, cause);
      }
    },
    rows: (from, limit) =>
      guard(
        dir,
        () => select.all(from, limit).map((row): DiskRow => ({ key: Number(row.key), blob: blobOf(row.blob) })),
        name,
      ),
    values: () =>
      guard(
        dir,
        () =>
          db
            .prepare("SELECT name, blob FROM named")
            .all()
            .map((row): DiskValue => ({ name: String(row.name), blob: blobOf(row.blob) })),
        name,
      ),
    bytes: () => segmentBytes(dir, name),
    close: () => db.close(),
  };
}

/** In a damaged file a column may have any type: then it holds no blob of ours. */
function blobOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

function isFirstForm(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'records'").get() !== undefined;
}

/** Of version 0.1.0 before its release: a row a batch with its times beside it. Read for ever, never written again. */
function firstFormSegment(dir: string, name: string, db: DatabaseSync): DiskSegment {
  return {
    append() {
      throw damaged(dir, name, "it has the first form, which is not written any more");
    },
    rows: (from, limit) => guard(dir, () => firstFormRows(db, from, limit), name),
    values: () => guard(dir, () => firstFormValues(db), name),
    bytes: () => segmentBytes(dir, name),
    close: () => db.close(),
  };
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

function bytesOf(file: string): Uint8Array {
  return existsSync(file) ? new Uint8Array(readFileSync(file)) : new Uint8Array(0);
}

/** The database and what is not folded into it yet. */
function segmentBytes(dir: string, name: string): number {
  return sizeOf(join(dir, name)) + sizeOf(join(dir, `${name}-wal`));
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function guard<T>(dir: string, work: () => T, name = ""): T {
  try {
    return work();
  } catch (cause) {
    throw cause instanceof KhuXanhError ? cause : diskError(dir, name, cause);
  }
}

/** The index cannot be made, grown or mapped; on a read-only disk nothing can be made at all. */
const WITHOUT_INDEX: readonly unknown[] = [4618, 4874, 5386, 14, 8, 776, 1032, 1288];
const isWithoutIndex = (cause: unknown): boolean => WITHOUT_INDEX.includes((cause as { errcode?: number }).errcode);

/** By who has no room for the index either. */
const isHeldAlone = (cause: unknown): boolean => (cause as { errcode?: number }).errcode === SQLITE_BUSY;

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** A full or read-only disk is no damage: then nothing may be set aside. A table that is missing is. */
function diskError(dir: string, name: string, cause: unknown): KhuXanhError {
  const { errcode, code } = cause as { errcode?: number; code?: string };
  const sqlite = errcode === undefined ? null : errcode & 0xff;
  if (sqlite === SQLITE_CORRUPT || sqlite === SQLITE_NOTADB || sqlite === SQLITE_ERROR) {
    return damaged(dir, name, String(cause));
  }
  const isFull = sqlite === SQLITE_FULL || code === "ENOSPC" || code === "EDQUOT" || /full/i.test(String(cause));
  return new KhuXanhError(isFull ? "DISK_FULL" : "DISK_UNUSABLE", `the journal in ${dir} cannot be used`, {
    hint: isFull
      ? "Free disk space; polling goes on and the counters carry the energy, but samples are not kept meanwhile."
      : "Check the disk and the rights of the data directory.",
    context: { dir, name },
    cause,
  });
}

function damaged(dir: string, name: string, why: string): KhuXanhError {
  return new KhuXanhError("JOURNAL_DAMAGED", `${join(dir, name)} is no journal segment: ${why}`, {
    hint: "Check the disk. What is sound in the file is saved, and the file is kept beside the journal with its reason.",
    context: { dir, name },
  });
}
