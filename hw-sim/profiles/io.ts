import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { KhuXanhError } from "../../core/errors.ts";
import { PROFILE_NAMES } from "../simConfig.ts";

/** A profile file may be this long, unpacked. */
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * Text of a profile: one that lies beside this file by its name, any other by its path (`.gz` is unpacked).
 * @throws {KhuXanhError} CONFIG_UNREADABLE.
 */
export async function readProfile(name: string): Promise<string> {
  const isOurs = PROFILE_NAMES.some((known) => known === name);
  try {
    const bytes = await readFile(isOurs ? new URL(`./${name}.csv`, import.meta.url) : name);
    const text = name.endsWith(".gz") ? gunzipSync(bytes, { maxOutputLength: BYTES_MAX }) : bytes;
    if (text.length > BYTES_MAX) throw new RangeError(`longer than ${BYTES_MAX} bytes`);
    return text.toString("utf8");
  } catch (cause) {
    throw new KhuXanhError(
      "CONFIG_UNREADABLE",
      `the load profile "${name}" cannot be read: ${whyUnreadable(cause as NodeJS.ErrnoException)}`,
      {
        hint: isOurs
          ? "The profiles are part of the installation: install khuxanh again."
          : "Paths count from the folder of the simulation file; the file must be readable and at most 64 MiB.",
        context: { profile: name },
        cause,
      },
    );
  }
}

function whyUnreadable({ code = "", message }: NodeJS.ErrnoException): string {
  return WHYS[code] ?? message;
}

const WHYS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  EISDIR: "it is a folder",
};
