import { readFile } from "node:fs/promises";
import { KhuXanhError } from "../../core/errors.ts";

/** Text of a profile that lies beside this file. @throws {KhuXanhError} CONFIG_UNREADABLE. */
export async function readProfile(name: string): Promise<string> {
  try {
    return await readFile(new URL(`./${name}.csv`, import.meta.url), "utf8");
  } catch (cause) {
    throw new KhuXanhError("CONFIG_UNREADABLE", `the load profile "${name}" cannot be read`, {
      hint: "The profiles are part of the installation: install khuxanh again.",
      context: { profile: name },
      cause,
    });
  }
}
