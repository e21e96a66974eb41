import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blankBlob, carve, HEADER_BYTES, seal } from "../../../agent/journal/blob.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { tempDir } from "./fixture.ts";

const NAME = "000000000001.sqlite";
const PAGE_BYTES = 1024;

/** A blob of some pages whose bytes say where they lie in it. */
function blobOf(ordinal: number, length: number): Uint8Array {
  const blob = blankBlob(length);
  for (let i = 0; i < length; i++) blob[HEADER_BYTES + i] = (i * 31 + (i >> 8) + ordinal) & 0xff;
  return seal(blob, { epoch: 1n, ordinal, kind: "telemetry", count: 1, layout: "rows" });
}

const found = (dir: string) => {
  const blobs = sqliteDisk(dir)
    .raw(NAME)
    .flatMap((bytes) => [...carve(bytes)]);
  return [...new Set(blobs.map(({ ordinal }) => ordinal))].sort((a, b) => a - b);
};

test("a chunk over several pages is put together though no page says any more which one follows", () => {
  const dir = tempDir();
  const disk = sqliteDisk(dir);
  disk.create(NAME, [{ rows: [1, 2, 3].map((key) => ({ key, blob: blobOf(key, 4000) })), values: [] }]);
  const file = join(dir, NAME);
  const sound = readFileSync(file);
  expect(found(dir)).toEqual([1, 2, 3]);
  let without = 0;
  // A page of the tail of a blob begins with the number of the next: any of them is turned to nonsense.
  for (let page = 3; page * PAGE_BYTES < sound.length; page++) {
    const bytes = Buffer.from(sound);
    bytes.fill(0xee, page * PAGE_BYTES, page * PAGE_BYTES + 4);
    writeFileSync(file, bytes);
    if (found(dir).length < 3) without += 1;
  }
  // Only the leaves themselves cannot be missed: their first bytes are no such number, and nothing of a blob.
  expect(without).toBe(0);
});

test("a page that is damaged in the file is taken from what the write-ahead file still holds of it", () => {
  const dir = tempDir();
  const disk = sqliteDisk(dir);
  disk.create(NAME, []);
  const segment = disk.open(NAME, "write");
  // More than a write-ahead file's worth: it was folded into the file, and begun again from its start.
  for (let key = 1; key <= 300; key++) segment.append({ rows: [{ key, blob: blobOf(key, 4000) }], values: [] });
  const file = join(dir, NAME);
  const sound = readFileSync(file);
  const pages = Math.floor(sound.length / PAGE_BYTES);
  const bytes = Buffer.from(sound);
  for (const page of [pages - 30, pages - 20, pages - 10])
    bytes.fill(0xee, page * PAGE_BYTES + 4, (page + 1) * PAGE_BYTES);
  writeFileSync(file, bytes);
  expect(found(dir)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  segment.close();
});
