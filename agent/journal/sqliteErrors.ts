import { KhuXanhError } from "../../core/errors.ts";

/** What a disk and SQLite say comes out as an error of the port `JournalDisk`. */
export function guard<T>(dir: string, work: () => T, name = ""): T {
  try {
    return work();
  } catch (cause) {
    throw cause instanceof KhuXanhError ? cause : diskError(dir, name, cause);
  }
}

const SQLITE_ERROR = 1;
export const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** A full or read-only disk is no damage: then nothing may be set aside. A table that is missing is. */
export function diskError(dir: string, name: string, cause: unknown): KhuXanhError {
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

export function damaged(dir: string, name: string, why: string): KhuXanhError {
  return new KhuXanhError("JOURNAL_DAMAGED", `${name} in ${dir} is no journal segment: ${why}`, {
    hint: "Check the disk. What is sound in the file is saved, and the file is kept beside the journal with its reason.",
    context: { dir, name },
  });
}
