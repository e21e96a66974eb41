import { execFileSync } from "node:child_process";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openDataDir } from "../../../config/dataDir.ts";
import { tempDir } from "./fixture.ts";

test("a data directory has one owner: a second one in the same process is refused until it is released", () => {
  const path = join(tempDir(), "data");
  const owner = openDataDir(path);
  expect(() => openDataDir(path)).toThrow(expect.objectContaining({ code: "DATA_DIR_LOCKED" }));
  owner.release();
  openDataDir(path).release();
});

test("another process is refused, and gets it once the owner has ended without a word", () => {
  const path = join(tempDir(), "data");
  const module = fileURLToPath(new URL("../../../config/dataDir.ts", import.meta.url));
  const script = `import(${JSON.stringify(module)}).then(({ openDataDir }) => {
    try { openDataDir(${JSON.stringify(path)}); console.log("owner"); } catch (error) { console.log(error.code); }
  });`;
  const other = () => execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }).trim();
  const owner = openDataDir(path);
  expect(other()).toBe("DATA_DIR_LOCKED");
  owner.release();
  expect(other()).toBe("owner");
  openDataDir(path).release();
});

test("the directory and its lock are for their owner only", () => {
  const path = join(tempDir(), "data");
  const owner = openDataDir(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(path, "lock")).mode & 0o777).toBe(0o600);
  owner.release();
});

test("a path that cannot be a directory is refused with what to do", () => {
  const file = join(tempDir(), "file");
  writeFileSync(file, "");
  expect(() => openDataDir(join(file, "data"))).toThrow(expect.objectContaining({ code: "DISK_UNUSABLE" }));
  // A folder that is there and takes none, and says that it is not there.
  expect(() => openDataDir("/proc/khuxanh/data")).toThrow(expect.objectContaining({ code: "DISK_UNUSABLE" }));
});
