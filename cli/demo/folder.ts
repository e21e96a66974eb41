import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KhuXanhError } from "../../core/errors.ts";

/**
 * What a demo folder was made with, in `demo.json`. The meters' counters are a pure function of seed and time, so another
 * seed on the same folder would make nearly every counter jump.
 */
export const SEED_DEFAULT = 1;
/** Goes up when folders of an earlier version cannot be gone on with. */
const FORMAT = 1;

/**
 * The seed to start with: the folder's own, or the one asked for (null = none) if the folder is new.
 * @throws {KhuXanhError} CONFIG_INVALID for another seed than the folder's, or a folder of another version.
 */
export function seedFor(folder: string, asked: number | null): number {
  const kept = keptSeed(folder);
  if (kept === null) return asked ?? SEED_DEFAULT;
  if (asked !== null && asked !== kept) {
    throw refused(folder, `was made with --seed ${kept}; use that seed, or another --data folder`);
  }
  return kept;
}

/** Writes `demo.json` if there is none. @throws {KhuXanhError} DISK_UNUSABLE */
export function keepSeed(folder: string, seed: number): void {
  const file = fileIn(folder);
  if (existsSync(file)) return;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // In one step: a start that is cut off leaves no half file behind.
    writeFileSync(`${file}.new`, `${JSON.stringify({ format: FORMAT, seed })}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (cause) {
    throw new KhuXanhError("DISK_UNUSABLE", `the data directory ${folder} cannot be used`, {
      hint: "Check that the folder is writable for this user, and that its disk is not full or read-only.",
      context: { folder },
      cause,
    });
  }
}

function fileIn(folder: string): string {
  return join(folder, "demo.json");
}

function keptSeed(folder: string): number | null {
  let text: string;
  try {
    text = readFileSync(fileIn(folder), "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT")
      throw refused(folder, "has a demo.json that cannot be read");
    // A store without the file is older than the file; then the seed was the default's.
    return existsSync(join(folder, "zone")) ? SEED_DEFAULT : null;
  }
  const { format, seed } = parsed(text);
  if (format !== FORMAT) throw refused(folder, "was made by another version of Khu Xanh, or its demo.json is damaged");
  if (!Number.isSafeInteger(seed)) throw refused(folder, "has a demo.json without a seed");
  return seed as number;
}

function parsed(text: string): { readonly format?: unknown; readonly seed?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function refused(folder: string, why: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${folder} ${why}`, {
    hint: "Without --seed a folder's own is used; delete the folder to start afresh.",
    context: { folder },
  });
}
