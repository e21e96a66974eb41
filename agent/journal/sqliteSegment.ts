import { chmodSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { DiskRow, DiskSegment, DiskValue } from "../../core/ports.ts";
import { firstFormRows, firstFormValues } from "./firstForm.ts";
import { damaged, diskError, guard, SQLITE_BUSY } from "./sqliteErrors.ts";
import { hasSoundCommit } from "./sqliteWal.ts";

/** Pages in the write-ahead file before SQLite folds them in; it is then at most about a MiB long. */
const CHECKPOINT_PAGES = 1000;
/** Hardly a page is read twice: the 2 MiB that SQLite keeps of each file by itself would lie idle. */
const CACHE_KIB = 256;
/** A reader in another process may hold the file for a moment. */
const BUSY_MS = 1000;

/**
 * One segment on node:sqlite, as its writer or beside it.
 *
 * @throws what SQLite throws where it does not open; `guard` makes an error of the port of it.
 */
export function openSegment(dir: string, name: string, access: "write" | "read"): DiskSegment {
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
    // Behind those above: it opens the file.
    db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    return isFirstForm(db) ? firstFormSegment(dir, name, db) : segmentOf(dir, name, db);
  } catch (cause) {
    db.close();
    throw cause;
  }
}

/**
 * A disk without a free byte has no room for the index: then the file is held alone until a commit went through, and what lies
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
  // `+?`: with `LIMIT ?` SQLite plans the statement anew each time it runs.
  const select = db.prepare(
    `SELECT key, blob FROM rows
     WHERE key >= (SELECT coalesce(max(key), 0) FROM rows WHERE key <= ?) ORDER BY key LIMIT +?`,
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

export function bytesOf(file: string): Uint8Array {
  return existsSync(file) ? new Uint8Array(readFileSync(file)) : new Uint8Array(0);
}

/** The database and what is not folded into it yet. */
export function segmentBytes(dir: string, name: string): number {
  return sizeOf(join(dir, name)) + sizeOf(join(dir, `${name}-wal`));
}

export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** The index cannot be made, grown or mapped; on a read-only disk nothing can be made at all. */
const WITHOUT_INDEX: readonly unknown[] = [4618, 4874, 5386, 14, 8, 776, 1032, 1288];
const isWithoutIndex = (cause: unknown): boolean => WITHOUT_INDEX.includes((cause as { errcode?: number }).errcode);

/** By who has no room for the index either. */
const isHeldAlone = (cause: unknown): boolean => (cause as { errcode?: number }).errcode === SQLITE_BUSY;
