import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { KhuXanhError } from "../core/errors.ts";

/** Everything this folder asks of the machine: files and the environment. The rest of `config/` is pure. */

/** @throws {KhuXanhError} CONFIG_UNREADABLE. */
export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** @throws {KhuXanhError} CONFIG_UNREADABLE. */
export function readText(file: string): string {
  return readBytes(file).toString("utf8");
}

/** Rights that a file with a secret may not have: the group may at most read it, others nothing. */
const EXPOSED = 0o037;
const GROUP_READS = 0o040;

/**
 * A file that holds a password or a key. Others must not be able to read or change it: the file is refused. That its group may
 * read it is left to the administrator (root:khuxanh 0640 and systemd's credentials look like that) and can be asked with
 * {@link isGroupReadable}. Windows keeps rights elsewhere; nothing is said of them there.
 * @throws {KhuXanhError} CONFIG_UNREADABLE, SECRET_EXPOSED.
 */
export function readSecretFile(file: string): Buffer {
  const content = readBytes(file);
  const mode = modeOf(file);
  if ((mode & EXPOSED) === 0) return content;
  throw new KhuXanhError(
    "SECRET_EXPOSED",
    `${file}: others on this machine may read or change it (mode ${octal(mode)})`,
    {
      hint: `Run chmod 600 ${file}, and change the secret if somebody may have read it.`,
      context: { file, mode: octal(mode) },
    },
  );
}

export function isGroupReadable(file: string): boolean {
  return (modeOf(file) & GROUP_READS) !== 0;
}

/** Changes when a file is written or replaced, also through a symbolic link; for those who look whether to read it again. */
export function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? "none" : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
    })
    .join(" ");
}

function modeOf(file: string): number {
  if (process.platform === "win32") return 0;
  return (statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
}

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

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
