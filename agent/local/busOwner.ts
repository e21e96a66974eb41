/**
 * Who holds a bus on this machine: one small file a bus in a folder of this user's, so that `probe` and `scan` find the
 * agent that polls it; and a lock on every serial line, which the operating system lets go of however its holder ends.
 *
 * A file whose process is gone is stale and removed. A TCP address may be asked by several programs; the first agent is the
 * one that is found. Without a folder of our own nothing is claimed: metering does not depend on it.
 */
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { openDataDir } from "../../config/dataDir.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { BusAddress } from "../../drivers/modbus/client.ts";

export interface BusOwner {
  readonly pid: number;
  readonly gateway: string;
  /** Id of the bus in that agent's configuration. */
  readonly bus: string;
  /** Where that agent's page is: `http://127.0.0.1:8081`. */
  readonly http: string;
}

/** The folder of this user's claims. */
export function runtimeFolder(): string {
  return join(tmpdir(), `khuxanh-${process.getuid?.() ?? userInfo().username}`);
}

/**
 * Says that this process polls the bus, until released.
 * @throws {KhuXanhError} BUS_LOCKED for a serial line that another program of ours holds.
 */
export function claimBus(
  address: BusAddress,
  owner: Omit<BusOwner, "pid">,
  folder: string = runtimeFolder(),
): { release(): void } {
  const unlock = lockLine(address, folder);
  const file = fileOf(address, folder);
  const holder = readOwner(file);
  const isFirst = holder === null || holder.pid === process.pid || !isAlive(holder.pid);
  if (!isFirst || !isOurFolder(folder)) return { release: unlock };
  const text = JSON.stringify({ pid: process.pid, ...owner } satisfies BusOwner);
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, text, { mode: 0o600 });
  renameSync(fresh, file);
  return {
    release() {
      if (readOwner(file)?.pid === process.pid) rmSync(file, { force: true });
      unlock();
    },
  };
}

/** The living process that polls this bus, or null. */
export function findOwner(address: BusAddress, folder: string = runtimeFolder()): BusOwner | null {
  const file = fileOf(address, folder);
  const owner = readOwner(file);
  if (owner === null || !isOurFolder(folder)) return null;
  if (isAlive(owner.pid)) return owner;
  rmSync(file, { force: true });
  return null;
}

/**
 * Holds a serial line for this process; other buses need no lock.
 * @throws {KhuXanhError} BUS_LOCKED
 */
export function lockLine(address: BusAddress, folder: string = runtimeFolder()): () => void {
  if (address.kind !== "rtu" || !isOurFolder(folder)) return () => {};
  try {
    return openDataDir(join(folder, `line-${hashOf(address)}`)).release;
  } catch (cause) {
    if (!(cause instanceof KhuXanhError) || cause.code !== "DATA_DIR_LOCKED") throw cause;
    throw new KhuXanhError("BUS_LOCKED", `the serial line ${address.path} is in use by another khuxanh`, {
      hint: "Two masters on one line garble each other: stop the other one. In a configuration, name each line once.",
      context: { path: address.path },
      cause,
    });
  }
}

function fileOf(address: BusAddress, folder: string): string {
  return join(folder, `bus-${hashOf(address)}.json`);
}

function hashOf(address: BusAddress): string {
  return createHash("sha256").update(keyOf(address)).digest("hex").slice(0, 16);
}

/** One line or socket has one key, however it is written. */
function keyOf(address: BusAddress): string {
  if (address.kind === "rtu") return `serial ${realPath(address.path)}`;
  const host = address.host.toLowerCase();
  return `socket ${host === "localhost" ? "127.0.0.1" : host}:${address.port}`;
}

/** A line is often named through a link (`/dev/serial/by-id/…`). */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Made when missing. In a folder that everybody may write to, one with our name may be somebody else's. */
function isOurFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stat = lstatSync(folder);
    const isOurs = process.getuid === undefined || (stat.uid === process.getuid() && (stat.mode & 0o022) === 0);
    return stat.isDirectory() && isOurs;
  } catch {
    return false;
  }
}

function readOwner(file: string): BusOwner | null {
  try {
    const { pid, gateway, bus, http } = JSON.parse(readFileSync(file, "utf8")) as Partial<Record<string, unknown>>;
    const isWhole = typeof gateway === "string" && typeof bus === "string" && typeof http === "string";
    return isWhole && Number.isInteger(pid) && Number(pid) > 0 ? { pid: Number(pid), gateway, bus, http } : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Signal 0 only asks. EPERM: it lives and is somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
