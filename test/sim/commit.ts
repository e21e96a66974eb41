import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Commit {
  readonly hash: string;
  /** The tree differs from it; files that git does not track do not count. */
  readonly isChanged: boolean;
}

/** What is checked out here; null = no git, or no work tree. */
export function commitHere(): Commit | null {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    return { hash: git("rev-parse", "HEAD"), isChanged: git("status", "--porcelain", "-uno") !== "" };
  } catch {
    return null;
  }
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
