import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { inspectJournal } from "../../../agent/journal/inspect.ts";
import { openJournal } from "../../../agent/journal/journal.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { openDataDir } from "../../../config/dataDir.ts";
import { type SmallDisk, smallDisk } from "../../e2e/kill/smallDisk.ts";
import { append, DAY_MS, disk, T, tempDir } from "./fixture.ts";

function mayMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), "khuxanh-"));
  const disk = smallDisk(path, 1);
  disk?.unmount();
  rmSync(path, { recursive: true, force: true });
  return disk !== null;
}

/** A disk of a few megabytes of its own. */
function ownDisk(): SmallDisk {
  const disk = smallDisk(tempDir(), 3);
  if (disk === null) throw new Error("no tmpfs any more");
  onTestFinished(disk.unmount);
  return disk;
}

/** 600 samples in some segments, as a process left them that was killed or closed its journal. */
function leave(dir: string, how: "killed" | "closed"): void {
  const live = disk();
  const journal = live.open({ segmentBytes: 20_000 });
  for (let i = 0; i < 60; i++) append(journal, 10, 300);
  if (how === "closed") journal.close();
  cpSync(live.dir, dir, { recursive: true });
  if (how === "killed") journal.close();
}

/** Takes away what SQLite would have to make anew. @returns the segments */
function withoutIndex(dir: string): string[] {
  for (const name of readdirSync(dir)) if (name.endsWith("-shm")) rmSync(join(dir, name));
  return readdirSync(dir).filter((name) => name.endsWith(".sqlite"));
}

function open(dir: string, drawn = "f") {
  return openJournal({
    disk: sqliteDisk(dir),
    maxBytes: 1e9,
    maxAge_ms: 30 * DAY_MS,
    now_ms: () => T,
    random: { unit: () => 0.5, hex: () => drawn.repeat(16) },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    segmentBytes: 20_000,
  });
}

const canMount = mayMount();
if (!canMount) process.stderr.write("skipped: a full and a read-only disk need root (a tmpfs of their own)\n");

test.skipIf(!canMount).each(["killed", "closed"] as const)(
  "a disk without a free byte at the start: what lies there is read, and written as soon as there is room (%s)",
  (how) => {
    const { path, fill, free } = ownDisk();
    const dir = join(path, "journal");
    leave(dir, how);
    expect(withoutIndex(dir).length).toBeGreaterThan(1);
    fill();
    const journal = open(dir);
    expect(journal.history(1, 1000)).toHaveLength(600);
    expect(journal.status()).toMatchObject({ isWritable: false, unconfirmed: 600, setAside: [], lost: 0 });
    expect(() => append(journal, 3)).toThrow(expect.objectContaining({ code: "DISK_FULL" }));
    expect([...inspectJournal(sqliteDisk(dir)).records()]).toHaveLength(600);
    free();
    expect(append(journal, 3)).toEqual([601, 602, 603]);
    expect(append(journal, 1)).toEqual([604]);
    // Others read beside it again.
    expect([...inspectJournal(sqliteDisk(dir)).records()]).toHaveLength(604);
    journal.close();
    const again = open(dir);
    expect(again.position()).toBe(604);
    again.close();
  },
);

test.skipIf(!canMount).each([
  { what: "header", at: 17 },
  { what: "first frame", at: 32 + 30 },
  { what: "frame in the middle", at: 32 + 20 * (24 + 1024) + 9 },
])(
  "a write-ahead file whose $what is damaged opens on a disk without a free byte too, and the next start with room reads all",
  ({ at }) => {
    const { path, fill, free } = ownDisk();
    const dir = join(path, "journal");
    leave(dir, "killed");
    const wal = join(dir, `${withoutIndex(dir).at(-1)}-wal`);
    const bytes = readFileSync(wal);
    bytes[at]! ^= 4;
    writeFileSync(wal, bytes);
    fill();
    inspectJournal(sqliteDisk(dir));
    const journal = open(dir);
    expect(() => append(journal, 1)).toThrow(expect.objectContaining({ code: "DISK_FULL" }));
    free();
    append(journal, 1);
    journal.close();
    const again = open(dir);
    expect(again.history(1, 1000).filter(({ kind }) => kind === "sample")).toHaveLength(601);
    expect(again.status().lost).toBe(0);
    again.close();
  },
);

test.skipIf(!canMount)(
  "a damaged journal on a disk that stays full is set aside once and gets one new epoch, over any number of starts",
  () => {
    const { path, fill, free } = ownDisk();
    const dir = join(path, "journal");
    leave(dir, "killed");
    const wal = join(dir, `${withoutIndex(dir).at(-1)}-wal`);
    const bytes = readFileSync(wal);
    bytes[32 + 20 * (24 + 1024) + 9]! ^= 4;
    writeFileSync(wal, bytes);
    fill();
    const epochs = new Set<string>();
    for (let start = 0; start < 4; start++) {
      const journal = open(dir, String(start));
      epochs.add(journal.epoch);
      expect(journal.status()).toMatchObject({ nextNumber: 601, unconfirmed: 600, isWritable: false });
      expect(journal.status().setAside.length).toBeLessThanOrEqual(1);
      journal.close();
    }
    expect(epochs.size).toBe(1);
    free();
    const roomy = open(dir, "8");
    expect(roomy.status().setAside).toHaveLength(1);
    expect(roomy.history(1, 1000).filter(({ kind }) => kind === "sample")).toHaveLength(600);
    const { epoch } = roomy;
    expect(epoch).toBe("8".repeat(16));
    roomy.close();
    const last = open(dir, "9");
    expect(last.status()).toMatchObject({ epoch, isWritable: true, lost: 0 });
    last.close();
  },
);

test.skipIf(!canMount).each(["full", "read-only"] as const)(
  "on a disk that is %s the first journal begins as soon as it is not",
  (how) => {
    const { path, fill, free } = ownDisk();
    const dir = join(path, "journal");
    const remount = (as: "ro" | "rw") => expect(spawnSync("mount", ["-o", `remount,${as}`, path]).status).toBe(0);
    if (how === "full") fill();
    else remount("ro");
    const journal = open(dir);
    expect(journal.status()).toMatchObject({ isWritable: false, nextNumber: 1, unconfirmed: 0, segments: 0 });
    expect(() => append(journal, 3)).toThrow(
      expect.objectContaining({ code: how === "full" ? "DISK_FULL" : "DISK_UNUSABLE" }),
    );
    expect(() => journal.renew("a test")).toThrow();
    expect(journal.history(1, 10)).toEqual([]);
    if (how === "full") free();
    else remount("rw");
    expect(append(journal, 3)).toEqual([1, 2, 3]);
    const { epoch } = journal;
    journal.close();
    const again = open(dir, "9");
    expect(again.status()).toMatchObject({ epoch, isWritable: true, unconfirmed: 3 });
    again.close();
  },
);

test.skipIf(!canMount).each(["killed", "closed", "killed, and its index is gone"] as const)(
  "a disk that is read-only at the start is read, and written as soon as it can be (%s)",
  (how) => {
    const { path } = ownDisk();
    const dir = join(path, "journal");
    openDataDir(path).release();
    leave(dir, how === "closed" ? how : "killed");
    if (how === "killed, and its index is gone") withoutIndex(dir);
    const remount = (as: "ro" | "rw") => expect(spawnSync("mount", ["-o", `remount,${as}`, path]).status).toBe(0);
    remount("ro");
    const owner = openDataDir(path);
    const journal = open(dir);
    expect(journal.history(1, 1000)).toHaveLength(600);
    expect(journal.status()).toMatchObject({ isWritable: false, unconfirmed: 600, setAside: [], lost: 0 });
    expect(() => append(journal, 3)).toThrow(expect.objectContaining({ code: "DISK_UNUSABLE" }));
    expect([...inspectJournal(sqliteDisk(dir)).records()]).toHaveLength(600);
    remount("rw");
    expect(append(journal, 3)).toEqual([601, 602, 603]);
    journal.close();
    owner.release();
  },
);

test.skipIf(!canMount)("a data directory that became read-only still has the owner it had", () => {
  const { path } = ownDisk();
  const owner = openDataDir(path);
  // Not `mount`: that is busy while somebody has it open for writing.
  const other = tempDir();
  expect(spawnSync("mount", ["--bind", path, other]).status).toBe(0);
  onTestFinished(() => {
    spawnSync("umount", [other]);
  });
  expect(spawnSync("mount", ["-o", "remount,ro,bind", other]).status).toBe(0);
  expect(() => openDataDir(other)).toThrow(expect.objectContaining({ code: "DATA_DIR_LOCKED" }));
  owner.release();
  openDataDir(other).release();
});
