import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KhuXanhError } from "../core/errors.ts";

/**
 * Builds the web page when it is missing or older than its sources.
 *
 * A checkout builds it on demand (1 to 2 s, then not again until something changes); an installed package brings it along.
 * Freshness is decided by content, because a checkout touches the times of files.
 */

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = join(root, "dist");
const page = join(dist, "web");
/** What the page is made of; `core/` because the page shares its units, calendar and quantities. */
const SOURCES = ["cloud/web", "core", "package-lock.json"];
const STAMP = "built-from.txt";

/** Quiet; a few milliseconds when nothing changed. @throws {KhuXanhError} INTERNAL if the page does not build. */
export async function ensureWebBuilt(): Promise<void> {
  if (!import.meta.url.endsWith(".ts")) return; // The build has the page beside it and no sources.
  if (readStamp() !== sourcesHash()) await buildWeb();
}

/** Builds beside the old page and then swaps: who reads meanwhile gets either one, and two builds do not meet. */
export async function buildWeb(): Promise<void> {
  const stamp = sourcesHash();
  const fresh = join(dist, `web.${process.pid}.new`);
  try {
    const { build } = await import("vite");
    await build({
      configFile: join(root, "cloud/web/vite.config.ts"),
      logLevel: "error",
      build: { outDir: fresh, emptyOutDir: true },
    });
    writeFileSync(join(fresh, STAMP), stamp);
    replace(fresh, page);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KhuXanhError("INTERNAL", `the web page does not build: ${why}`, {
      hint: "Run npm ci, then npm run build:web.",
      cause,
    });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function replace(fresh: string, target: string): void {
  const old = join(dist, `web.${process.pid}.old`);
  mkdirSync(dist, { recursive: true });
  try {
    renameSync(target, old);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  try {
    renameSync(fresh, target);
  } catch (error) {
    // Another process put its page there in between; it was made from the same sources.
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  rmSync(old, { recursive: true, force: true });
}

function readStamp(): string | null {
  try {
    return readFileSync(join(page, STAMP), "utf8");
  } catch {
    return null;
  }
}

function sourcesHash(): string {
  const hash = createHash("sha256");
  for (const file of SOURCES.flatMap(filesUnder)) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function filesUnder(path: string): string[] {
  try {
    const entries = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return [path];
    throw error;
  }
}
