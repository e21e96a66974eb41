import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { inspectJournal } from "../../../agent/journal/inspect.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { append, type Disk, disk } from "./fixture.ts";

const FIRST = "000000000001.sqlite";

/** Whoever looks at a journal reads it more than once: the oldest open batch, the losses, an export. */
function unreadableIn({ dir }: Disk) {
  const seen = inspectJournal(sqliteDisk(dir));
  seen.oldestUnconfirmed_ms();
  for (let pass = 0; pass < 2; pass++) expect([...seen.records()].length).toBeGreaterThan(0);
  return seen.unreadable;
}

test("a damaged chunk counts once, however often it is come across", () => {
  const d = disk();
  const journal = d.open();
  for (let i = 0; i < 3; i++) append(journal, 1, 700);
  journal.close();
  const other = new DatabaseSync(join(d.dir, FIRST));
  other.exec("UPDATE rows SET blob = zeroblob(length(blob)) WHERE key = 1");
  other.close();
  expect(unreadableIn(d)).toEqual({ files: 0, chunks: 1 });
});

test("looking at a journal that nobody has open leaves nothing beside it", () => {
  const d = disk();
  const journal = d.open({ segmentBytes: 100 });
  for (let i = 0; i < 3; i++) append(journal, 1, 200);
  journal.close();
  const lying = readdirSync(d.dir);
  expect([...inspectJournal(sqliteDisk(d.dir)).records()]).toHaveLength(3);
  expect(readdirSync(d.dir)).toEqual(lying);
});

test("a file that gave way while somebody looks is no damage", () => {
  const d = disk();
  const journal = d.open({ segmentBytes: 100 });
  for (let i = 0; i < 3; i++) append(journal, 1, 200);
  journal.close();
  const seen = inspectJournal(sqliteDisk(d.dir));
  d.remove(FIRST);
  expect([...seen.records()].map(({ position }) => position)).toEqual([2, 3]);
  expect(seen).toMatchObject({ damaged: [], unreadable: { files: 0, chunks: 0 } });
});

test("a file that is no database counts once, the newest too", () => {
  const d = disk();
  const journal = d.open({ segmentBytes: 100 });
  for (let i = 0; i < 3; i++) append(journal, 1, 200);
  journal.close();
  writeFileSync(join(d.dir, "000000000003.sqlite"), "broken".repeat(1000));
  expect(unreadableIn(d)).toEqual({ files: 1, chunks: 0 });
});
