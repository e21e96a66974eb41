import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { KhuXanhError } from "../../core/errors.ts";
import { MIGRATIONS } from "./schema.ts";

/** How long another process (a report) may hold the file before a write fails. */
const BUSY_TIMEOUT_MS = 5000;

export type Row = Record<string, unknown>;

/**
 * One SQLite file: its statements, prepared once, and its transactions. Errors leave it with a code of ours, so that the
 * caller knows whether to wait (STORE_BUSY), to stop taking (DISK_FULL, DISK_UNUSABLE) or to set the batch aside
 * (STORE_REFUSED).
 *
 * A limit that is bound is written `LIMIT +?`: with `LIMIT ?` SQLite plans the statement anew each time it runs, for the plan
 * may depend on the number.
 */
export class Database {
  readonly raw: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #onRollback: (() => void)[] = [];

  constructor(raw: DatabaseSync) {
    this.raw = raw;
  }

  /** What is remembered of the file's content and must be read again when a transaction comes to nothing. */
  onRollback(reload: () => void): void {
    this.#onRollback.push(reload);
  }

  /** All or nothing, synced when it returns. */
  transaction<T>(work: () => T): T {
    try {
      this.raw.exec("BEGIN IMMEDIATE");
      const result = work();
      this.raw.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.raw.isTransaction) this.raw.exec("ROLLBACK");
      for (const reload of this.#onRollback) reload();
      throw storeError(error);
    }
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.raw.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** @returns whether any row was written. */
  run(sql: string, ...values: readonly SQLInputValue[]): boolean {
    return this.statement(sql).run(...values).changes !== 0;
  }

  get(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.statement(sql).get(...values);
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    return this.statement(sql).all(...values);
  }

  /** Rows as arrays of their columns: for queries of many rows, whose objects cost more than their content. */
  arrays(sql: string, ...values: readonly SQLInputValue[]): readonly (readonly unknown[])[] {
    const statement = this.statement(sql);
    statement.setReturnArrays(true);
    return statement.all(...values) as unknown as readonly (readonly unknown[])[];
  }

  /** Integers as bigints: for rows with ticks or milligrams, which may be beyond 2^53. */
  allBig(sql: string, ...values: readonly SQLInputValue[]): readonly Row[] {
    const statement = this.statement(sql);
    statement.setReadBigInts(true);
    return statement.all(...values);
  }

  close(): void {
    this.#statements.clear();
    this.raw.close();
  }
}

/**
 * @param access `read`: beside a running collector, for reports; nothing can be written and nothing is created
 * @param onAlone there is no room to share it: nobody else can read the file as long as this process has it
 * @throws {KhuXanhError} DISK_UNUSABLE if the file cannot be opened or was written by a newer version; STORE_BUSY if another
 *   process has it for itself.
 */
export function openDatabase(
  path: string,
  access: "write" | "read",
  onAlone: (why: string) => void = () => {},
): Database {
  try {
    return new Database(access === "write" ? openToWrite(path, onAlone) : openToRead(path));
  } catch (cause) {
    if (cause instanceof KhuXanhError) throw cause;
    if (BUSY.includes(primaryCode(cause) ?? 0)) {
      throw new KhuXanhError("STORE_BUSY", `another process has the zone store ${path} for itself`, {
        hint: "A collector that started on a full disk shares it with nobody until it is started again.",
        context: { path },
        cause,
      });
    }
    throw new KhuXanhError("DISK_UNUSABLE", `the zone store ${path} cannot be opened: ${messageOf(cause)}`, {
      hint: "Check that the folder exists and is writable by this user, that its disk is not full, and that the file is a zone store.",
      context: { path },
      cause,
    });
  }
}

function openToWrite(path: string, onAlone: (why: string) => void): DatabaseSync {
  // Created by us with these rights first: SQLite gives the -wal and -shm files the rights of the file itself.
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  try {
    return openedToWrite(path, "NORMAL");
  } catch (error) {
    if (primaryCode(error) !== IO_ERROR) throw error;
    const db = openedToWrite(path, "EXCLUSIVE");
    onAlone(messageOf(error));
    return db;
  }
}

/** @param locking EXCLUSIVE: for this process alone, without the index file (-shm) for which a full disk has no room */
function openedToWrite(path: string, locking: "NORMAL" | "EXCLUSIVE"): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  return prepared(db, () => {
    db.exec(`
      PRAGMA locking_mode = ${locking};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -131072;
    `);
    migrate(db, path);
  });
}

/** A database that is open already, brought up to date: a simulated world keeps its own in memory through crashes. */
export function databaseOn(raw: DatabaseSync): Database {
  migrate(raw, "the database");
  return new Database(raw);
}

function migrate(db: DatabaseSync, path: string): void {
  const version = versionOf(db, path);
  for (let next = version; next < MIGRATIONS.length; next++) {
    db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[next]}; PRAGMA user_version = ${next + 1}; COMMIT`);
  }
}

function openToRead(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
  return prepared(db, () => {
    db.exec("PRAGMA temp_store = MEMORY");
    const version = versionOf(db, path);
    if (version === MIGRATIONS.length) return;
    throw new KhuXanhError("DISK_UNUSABLE", `${path} has schema ${version}; this version reads ${MIGRATIONS.length}`, {
      hint: "Start this version's collector on it once: it brings the file up to date.",
      context: { path, version },
    });
  });
}

function prepared(db: DatabaseSync, prepare: () => void): DatabaseSync {
  try {
    prepare();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function versionOf(db: DatabaseSync, path: string): number {
  const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  if (version <= MIGRATIONS.length) return version;
  throw new KhuXanhError("DISK_UNUSABLE", `${path} has schema ${version}; this version knows ${MIGRATIONS.length}`, {
    hint: "Start the khuxanh version that wrote it, or a newer one.",
    context: { path, version },
  });
}

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const BUSY = [5, 6];
const IO_ERROR = 10;
const FULL = 13;
const UNUSABLE = [3, 8, 10, 11, 14, 26];
const REFUSED = [18, 19, 20];

/** What SQLite said, with a code of ours; what is not SQLite's stays as it is. */
function storeError(error: unknown): unknown {
  const code = primaryCode(error);
  if (code === null) return error;
  if (code === FULL) {
    return new KhuXanhError("DISK_FULL", "the zone store cannot grow: the disk is full", {
      hint: "Free space on the disk of the data directory; gateways keep their batches until then.",
      cause: error,
    });
  }
  if (BUSY.includes(code)) {
    return new KhuXanhError("STORE_BUSY", "the zone store is locked by another process", {
      hint: "Nothing is lost: gateways send again. End the program that holds the file open for writing.",
      cause: error,
    });
  }
  if (UNUSABLE.includes(code)) {
    return new KhuXanhError("DISK_UNUSABLE", `the zone store cannot be written: ${messageOf(error)}`, {
      hint: "Check the disk and the rights of the data directory; gateways keep their batches until then.",
      cause: error,
    });
  }
  if (REFUSED.includes(code)) {
    return new KhuXanhError("STORE_REFUSED", `the zone store cannot hold this: ${messageOf(error)}`, {
      hint: "The batch is set aside with this reason; report it with the gateway's software version.",
      cause: error,
    });
  }
  return error;
}

function primaryCode(error: unknown): number | null {
  return typeof error === "object" && error !== null && "errcode" in error ? Number(error.errcode) & 0xff : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
