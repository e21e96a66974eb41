import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs of the system that some tests need, and the names they go by. `.ci/run` installs them from Debian. */
export const SERVICES = {
  chromium: ["chromium", "chromium-browser", "google-chrome"],
} as const satisfies Record<string, readonly string[]>;

export type Service = keyof typeof SERVICES;

/** Missing is failing, not skipping: set by `.ci/run`. */
export const isRequired = process.env.KHUXANH_REQUIRE_SERVICES === "1";

/** The program's path, or null if it is not installed. */
export function pathOf(service: Service): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = SERVICES[service].flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
