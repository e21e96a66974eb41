import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import type { Journal, JournalOptions } from "../../../agent/journal/journal.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { JournalDisk } from "../../../core/ports.ts";
import { all, append, DAY_MS, type Disk, disk, entry, lossesIn, T } from "./fixture.ts";

const segmentsIn = (dir: string) => readdirSync(dir).filter((name) => name.endsWith(".sqlite"));
const asidesIn = (dir: string) => readdirSync(dir).filter((name) => /\.aside-\d+$/.test(name));

/** Segments of some five commits, each a sample and a book of 700 bytes, confirmed but for what comes after `confirmed`. */
function older(d: Disk, confirmed: number, options: Partial<JournalOptions> = {}): Journal {
  const journal = d.open({ segmentBytes: 7000, ...options });
  for (let i = 0; i < 30; i++) {
    journal.commit({ entries: [entry(i, 700), { ...entry(i, 700), kind: "content" }], state: () => [] });
  }
  journal.confirm(all(1, confirmed));
  append(journal, 1);
  return journal;
}

/** Turns what a row holds to zeros, in whatever segment it lies. */
function spoil(d: Disk, key: number): void {
  const name = segmentsIn(d.dir).findLast((one) => Number.parseInt(one, 10) <= key)!;
  const other = new DatabaseSync(join(d.dir, name));
  const { changes } = other.prepare("UPDATE rows SET blob = zeroblob(length(blob)) WHERE key = ?").run(key);
  // Else what was written first could be carved.
  other.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  other.close();
  expect(changes).toBe(1);
}

describe("a segment that is damaged and gives way before anybody read it", () => {
  test("by age: what was damaged is named, its file kept aside", () => {
    const d = disk();
    const journal = older(d, 60, { maxAge_ms: 2 * DAY_MS });
    spoil(d, 3);
    spoil(d, 6);
    d.now_ms = T + 4 * DAY_MS;
    append(journal, 1);
    append(journal, 1);
    expect(journal.status().gaveWay).toBe("history");
    expect(lossesIn(journal).map(({ what, count, why, batches }) => [what, count, why, batches])).toEqual([
      ["history", 1, "damaged", null],
      ["history", 1, "damaged", null],
    ]);
    expect(asidesIn(d.dir)).toHaveLength(1);
    expect(journal.status().lost).toBe(2);
  });

  test("by size and not confirmed: what can be carved stays, what cannot is a loss by its number", () => {
    const d = disk();
    const journal = older(d, 0);
    spoil(d, 4);
    journal.close();
    const bound = d.open({ segmentBytes: 7000, maxBytes: 45_000 });
    d.now_ms = T + 2 * 3_600_000;
    append(bound, 1);
    append(bound, 1);
    const losses = lossesIn(bound);
    expect(losses.find(({ why }) => why === "damaged")).toMatchObject({ count: 1, batches: [{ first: 4, last: 4 }] });
    const named = losses.flatMap(({ batches }) => batches ?? []);
    const held = new Set(bound.read(1, 1000).map(({ number }) => number));
    for (let number = 1; number < bound.nextNumber(); number++) {
      const isNamed = named.some(({ first, last }) => first <= number && number <= last);
      expect(held.has(number) !== isNamed, `batch ${number}`).toBe(true);
    }
  });

  test("and could not be mended when it was read: its history is named at once, and not again at the next start or when it goes", () => {
    const d = disk();
    let refuses = false;
    const inner = sqliteDisk(d.dir);
    const stubborn: JournalDisk = {
      ...inner,
      create(name, writes) {
        if (refuses) throw new KhuXanhError("DISK_FULL", "no new files", { hint: "It is a test." });
        inner.create(name, writes);
      },
    };
    const journal = older(d, 60, { maxAge_ms: 2 * DAY_MS, disk: stubborn });
    spoil(d, 3);
    refuses = true;
    journal.read(1, 10);
    append(journal, 1);
    const once = [{ what: "history", count: 1 }];
    expect(lossesIn(journal)).toMatchObject(once);
    journal.close();
    const again = d.open({ maxAge_ms: 2 * DAY_MS, segmentBytes: 7000, disk: stubborn });
    again.read(1, 10);
    append(again, 1);
    expect(lossesIn(again)).toMatchObject(once);
    refuses = false;
    d.now_ms = T + 4 * DAY_MS;
    append(again, 1);
    append(again, 1);
    expect(lossesIn(again)).toMatchObject(once);
  });
});

describe("older segments", () => {
  test("are looked through by and by, and damage is named before anybody needs what is damaged", () => {
    const d = disk();
    const journal = older(d, 20);
    spoil(d, 5);
    spoil(d, 41);
    const lost: number[] = [];
    for (let i = 0; i < 4; i++) {
      d.now_ms += 6000;
      append(journal, 1);
      lost.push(journal.status().lost);
    }
    expect(lost.at(-1)).toBe(2);
    expect(lossesIn(journal)).toMatchObject([
      { what: "history", count: 1, batches: null },
      { what: "unknown", count: 1, batches: [{ first: 41, last: 41 }] },
    ]);
    expect(asidesIn(d.dir)).toHaveLength(2);
  });

  test("are looked through again a day later, and not in between", () => {
    const d = disk();
    const journal = older(d, 60);
    for (let i = 0; i < 5; i++) {
      d.now_ms += 6000;
      append(journal, 1);
    }
    spoil(d, 5);
    for (let i = 0; i < 20; i++) {
      d.now_ms += 60_000;
      append(journal, 1);
    }
    expect(journal.status().lost).toBe(0);
    d.now_ms += DAY_MS;
    append(journal, 1);
    d.now_ms += 6000;
    append(journal, 1);
    expect(journal.status().lost).toBe(1);
  });
});
