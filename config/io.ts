import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { KhuXanhError } from "../core/errors.ts";

/** Everything this folder asks of the machine: files and the environment. The rest of `config/` is pure. */

/** @throws {KhuXanhError} CONFIG_UNREADABLE. */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

export function writeText(file: string, text: string): void {
  writeFileSync(file, text);
}

/** All YAML files under a folder, sorted, so that every machine sees them in the same order. @throws {KhuXanhError} CONFIG_UNREADABLE. */
export function listYaml(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".yaml"))
      .sort()
      .map((name) => join(folder, name));
  } catch (cause) {
    throw unreadable(folder, cause);
  }
}

/** A path as written in `file` → absolute. */
export function besideFile(file: string): (written: string) => string {
  return (written) => resolve(dirname(file), written);
}

/** A folder of this repository (or of the build, which mirrors it), e.g. `../drivers/models/`. */
export function ownFolder(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

function unreadable(path: string, cause: unknown): KhuXanhError {
  const code = (cause as NodeJS.ErrnoException).code;
  const why = code === "ENOENT" ? "does not exist" : code === "EACCES" ? "may not be read" : (code ?? "cannot be read");
  return new KhuXanhError("CONFIG_UNREADABLE", `${path}: ${why}`, {
    hint: "Check the path and the permissions of the file.",
    context: { path },
    cause,
  });
}
