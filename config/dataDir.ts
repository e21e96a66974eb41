import { accessSync, chmodSync, constants, existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { KhuXanhError } from "../core/errors.ts";

/**
 * A data directory has one owner (architecture §4.18). The lock is an SQLite file held in an exclusive transaction: the
 * operating system lets go of it when the process ends, however it ends.
 */
export interface DataDir {
  readonly path: string;
  release(): void;
}

const SQLITE_BUSY = 5;

/**
 * On a disk that became read-only an owner who locked it before is noticed, but two who start on it do not notice each other.
 * @throws {KhuXanhError} DATA_DIR_LOCKED if another process owns it, DISK_FULL or DISK_UNUSABLE if it cannot be made, or cannot be
 *   written and was never used.
 */
export function openDataDir(path: string): DataDir {
  let lock: DatabaseSync | null = null;
  try {
    makeFolder(resolve(path));
    const file = join(path, "lock");
    const isReadOnly = !isWritable(path) && existsSync(file);
    lock = new DatabaseSync(file, { timeout: 0, readOnly: isReadOnly });
    if (!isReadOnly) chmodSync(file, 0o600);
    // Nothing is ever written to it, so that a full disk keeps nobody from starting.
    lock.exec(`PRAGMA journal_mode = MEMORY; ${isReadOnly ? "BEGIN; SELECT 1 FROM sqlite_schema" : "BEGIN EXCLUSIVE"}`);
    const held = lock;
    return { path, release: () => held.close() };
  } catch (cause) {
    lock?.close();
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) {
      throw new KhuXanhError("DATA_DIR_LOCKED", `another process is using the data directory ${path}`, {
        hint: "Stop the other khuxanh process, or give this one another data_dir.",
        context: { path },
        cause,
      });
    }
    if ((cause as { code?: string }).code === "ENOSPC") {
      throw new KhuXanhError("DISK_FULL", `there is no room for the data directory ${path}`, {
        hint: "Free disk space, or make the folder: in one that is there the agent starts on a full disk too.",
        context: { path },
        cause,
      });
    }
    throw new KhuXanhError("DISK_UNUSABLE", `the data directory ${path} cannot be used`, {
      hint: "Check that the folder exists, is writable for this user, and that its disk is not full or read-only.",
      context: { path },
      cause,
    });
  }
}

/** By ourselves: Node's own way asks for ever where the system says of a folder that is there that it is not (`/proc`, autofs). */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
