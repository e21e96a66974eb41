import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Journal } from "../../../agent/journal/journal.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { ACCOUNT, model, register, setup } from "../../drivers/devices.ts";
import { all, append, DAY_MS, disk, entry, T } from "./fixture.ts";

const numbersOf = (journal: Journal, from = 1) => journal.read(from, 1000).map(({ number }) => number);
const segmentsIn = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.endsWith(".sqlite"))
    .sort();

describe("numbers", () => {
  test("begin at 1 and follow each other", () => {
    const journal = disk().open();
    expect(append(journal, 2)).toEqual([1, 2]);
    expect(append(journal, 0)).toEqual([]);
    expect(append(journal, 1)).toEqual([3]);
    expect(numbersOf(journal)).toEqual([1, 2, 3]);
  });

  test("are never used again, over any number of starts", () => {
    const d = disk();
    const given: number[] = [];
    for (let start = 0; start < 4; start++) {
      const journal = d.open();
      given.push(...append(journal, 2));
      expect(journal.boot).toBe(start + 1);
      expect(journal.epoch).toBe("0000000000000001");
      journal.close();
    }
    expect(given).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("are never used again after all their segments were trimmed", () => {
    const d = disk();
    let journal = d.open({ segmentBytes: 100, maxBytes: 0 });
    for (let i = 0; i < 5; i++) {
      append(journal, 3, 100);
      journal.confirm(all(1, 1000));
    }
    append(journal, 1);
    expect(segmentsIn(d.dir)).toHaveLength(1);
    journal.close();
    journal = d.open();
    expect(append(journal, 1)).toEqual([17]);
  });

  test("law: reading back gives exactly what was appended, whatever the starts and segments between", () => {
    const steps = fc.array(fc.oneof(fc.nat({ max: 5 }), fc.constant("reopen" as const)), { maxLength: 12 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 7 }), (script, from, limit) => {
        const d = disk();
        let journal = d.open({ segmentBytes: 120 });
        let last = 0;
        for (const step of script) {
          if (step === "reopen") {
            journal.close();
            journal = d.open({ segmentBytes: 120 });
          } else last = append(journal, step).at(-1) ?? last;
        }
        const expected = Array.from({ length: last }, (_, i) => i + 1).filter((n) => n >= from);
        expect(journal.read(from, limit).map(({ number }) => number)).toEqual(expected.slice(0, limit));
        journal.close();
      }),
      { numRuns: 25 },
    );
  });
});

describe("a commit", () => {
  test("keeps what it was given", () => {
    const journal = disk().open();
    journal.commit({
      entries: [{ device: "máy 1", from_ms: T - 5, to_ms: T + 5, kind: "content", body: Uint8Array.of(1, 2) }],
      state: () => [],
    });
    expect(journal.read(1, 1)).toEqual([
      {
        device: "máy 1",
        from_ms: T - 5,
        to_ms: T + 5,
        kind: "content",
        body: Uint8Array.of(1, 2),
        number: 1,
        epoch: journal.epoch,
      },
    ]);
  });

  test("keeps its batches and the state derived from them together", () => {
    const d = disk();
    let journal = d.open();
    journal.commit({ entries: [entry(), entry()], state: (numbers) => [["account", `as of ${numbers.join()}`]] });
    expect(journal.getState("account")).toBe("as of 1,2");
    journal.close();
    journal = d.open();
    expect(journal.getState("account")).toBe("as of 1,2");
    expect(journal.getState("nothing")).toBeNull();
  });

  test("that fails leaves nothing of itself, and its numbers go to the next", () => {
    const d = disk();
    let journal = d.open();
    append(journal, 1);
    const half = { ...entry(), body: new Uint8Array((1 << 20) + 1) };
    expect(() => journal.commit({ entries: [entry(), half], state: () => [["k", "v"]] })).toThrow(KhuXanhError);
    expect(journal.getState("k")).toBeNull();
    expect(numbersOf(journal)).toEqual([1]);
    expect(append(journal, 1)).toEqual([2]);
    journal.close();
    journal = d.open();
    expect(numbersOf(journal)).toEqual([1, 2]);
  });

  test("that the disk refuses says which error it is and what to do", () => {
    const d = disk();
    const journal = d.open();
    const other = new DatabaseSync(join(d.dir, segmentsIn(d.dir)[0]!));
    other.exec("BEGIN IMMEDIATE");
    expect(() => append(journal, 1)).toThrow(
      expect.objectContaining({ code: "DISK_UNUSABLE", hint: expect.any(String) }),
    );
    other.exec("ROLLBACK");
    other.close();
    expect(append(journal, 1)).toEqual([1]);
  });

  test("is on disk when it returns: a second reader of the file sees it", () => {
    const d = disk();
    const journal = d.open();
    append(journal, 3);
    const other = new DatabaseSync(join(d.dir, segmentsIn(d.dir)[0]!), { readOnly: true });
    expect(other.prepare("SELECT count(*) AS n FROM records").get()).toEqual({ n: 3 });
    expect(other.prepare("SELECT value FROM state WHERE key = 'next'").get()).toEqual({ value: "4" });
    expect(other.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    other.close();
  });
});

describe("confirmations", () => {
  test("survive a restart", () => {
    const d = disk();
    let journal = d.open();
    append(journal, 10);
    journal.confirm([
      { first: 1, last: 3 },
      { first: 7, last: 7 },
    ]);
    expect(journal.unconfirmed()).toBe(6);
    journal.close();
    journal = d.open();
    expect([1, 3, 4, 6, 7, 8].map((n) => journal.isConfirmed(n))).toEqual([true, true, false, false, true, false]);
    expect(journal.status()).toMatchObject({ nextNumber: 11, unconfirmed: 6, oldestUnconfirmed_ms: T + 3000 });
  });

  test("of numbers not given yet count for nothing", () => {
    const journal = disk().open();
    append(journal, 2);
    journal.confirm(all(2, 100));
    journal.confirm(all(50, 60));
    append(journal, 3);
    expect([1, 2, 3, 4, 5].map((n) => journal.isConfirmed(n))).toEqual([false, true, false, false, false]);
  });

  test("of everything leave no oldest", () => {
    const journal = disk().open();
    append(journal, 2);
    journal.confirm(all(1, 2));
    expect(journal.status()).toMatchObject({ unconfirmed: 0, oldestUnconfirmed_ms: null });
  });
});

describe("segments", () => {
  test("begin anew at their size and are read as one", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 500 });
    for (let i = 0; i < 6; i++) append(journal, 2, 200);
    expect(segmentsIn(d.dir)).toEqual(["000000000001.sqlite", "000000000005.sqlite", "000000000009.sqlite"]);
    expect(journal.status().segments).toBe(3);
    expect(numbersOf(journal)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(numbersOf(journal, 6)).toEqual([6, 7, 8, 9, 10, 11, 12]);
    expect(journal.read(4, 2).map(({ number }) => number)).toEqual([4, 5]);
  });

  test("do not outgrow their size because of restarts", () => {
    const d = disk();
    for (let start = 0; start < 3; start++) {
      const journal = d.open({ segmentBytes: 30_000 });
      append(journal, 1, 20_000);
      journal.close();
    }
    expect(segmentsIn(d.dir).length).toBeGreaterThan(1);
  });

  test("begin anew after a day by the journal's own clock, also across restarts, but not while empty", () => {
    const d = disk();
    let journal = d.open();
    d.now_ms += 2 * DAY_MS;
    append(journal, 0);
    expect(journal.status().segments).toBe(1);
    append(journal, 1);
    expect(journal.status().segments).toBe(1);
    journal.close();
    journal = d.open();
    append(journal, 1);
    expect(segmentsIn(d.dir)).toEqual(["000000000001.sqlite", "000000000002.sqlite"]);
    d.now_ms += DAY_MS - 1;
    append(journal, 1);
    expect(journal.status().segments).toBe(2);
  });

  test("take state, definitions and the epoch with them", () => {
    const d = disk();
    let journal = d.open({ segmentBytes: 100 });
    journal.commit({ entries: [entry()], state: () => [["kept", "yes"]] });
    const hash = journal.putDefinition(METER);
    for (let i = 0; i < 4; i++) append(journal, 1, 200);
    expect(journal.status().segments).toBeGreaterThan(2);
    journal.confirm(all(1, 5));
    journal.close();
    journal = d.open({ segmentBytes: 100, maxBytes: 0 });
    append(journal, 1);
    expect(journal.status().segments).toBe(1);
    expect(journal.getState("kept")).toBe("yes");
    expect(journal.definition(hash)).toEqual(METER);
    expect(journal.epoch).toBe("0000000000000001");
  });

  test("are files for their owner only", () => {
    const d = disk();
    const journal = d.open();
    append(journal, 1);
    expect(readdirSync(d.dir).length).toBeGreaterThan(1);
    for (const name of readdirSync(d.dir)) expect(statSync(join(d.dir, name)).mode & 0o777, name).toBe(0o600);
  });
});

describe("trimming", () => {
  test("drops nothing within the bounds, however long it is confirmed", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 100 });
    for (let i = 0; i < 4; i++) append(journal, 1, 200);
    journal.confirm(all(1, 4));
    append(journal, 1);
    expect(numbersOf(journal)).toEqual([1, 2, 3, 4, 5]);
  });

  test("at the size drops confirmed segments, oldest first, and never the newest", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 100, maxBytes: 0 });
    for (let i = 0; i < 4; i++) append(journal, 1, 200);
    journal.confirm(all(1, 2));
    append(journal, 0);
    expect(numbersOf(journal)).toEqual([3, 4]);
    expect(journal.status().isBeyondBound).toBe(true);
    journal.confirm(all(3, 4));
    append(journal, 0);
    expect(readdirSync(d.dir).filter((name) => !name.startsWith("000000000005"))).toEqual([]);
  });

  test("keeps every unconfirmed batch, beyond any bound", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 100, maxBytes: 0, maxAge_ms: 0 });
    for (let i = 0; i < 4; i++) {
      append(journal, 1, 200);
      d.now_ms += 10 * DAY_MS;
    }
    journal.confirm(all(2, 4));
    append(journal, 1);
    expect(numbersOf(journal)[0]).toBe(1);
  });

  test("at the age drops a confirmed segment only when its newest batch is that old", () => {
    const d = disk();
    const journal = d.open({ maxAge_ms: 3 * DAY_MS });
    append(journal, 1);
    d.now_ms += DAY_MS + 1;
    append(journal, 1);
    journal.confirm(all(1, 2));
    d.now_ms += 3 * DAY_MS;
    append(journal, 0);
    expect(numbersOf(journal)[0]).toBe(1);
    d.now_ms += 1;
    append(journal, 0);
    expect(numbersOf(journal)[0]).toBe(2);
  });
});

describe("damage", () => {
  function damage(file: string, at: number, length = 64): void {
    const bytes = readFileSync(file);
    bytes.fill(0xa5, at, at + length);
    writeFileSync(file, bytes);
  }

  test("one bit of one batch costs that batch: it is reported and passed over", () => {
    const d = disk();
    const journal = d.open();
    append(journal, 3);
    const other = new DatabaseSync(join(d.dir, segmentsIn(d.dir)[0]!));
    const blob = other.prepare("SELECT blob FROM records WHERE number = 2").get()?.blob as Uint8Array;
    blob[35]! ^= 0x10;
    other.prepare("UPDATE records SET blob = ? WHERE number = 2").run(blob);
    other.close();
    expect(numbersOf(journal)).toEqual([1, 3]);
    expect(d.events).toContain("journal.record-damaged");
  });

  test("a damaged batch does not push what follows it out of a read that is limited", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 500 });
    append(journal, 6, 100);
    append(journal, 6, 100);
    const other = new DatabaseSync(join(d.dir, "000000000001.sqlite"));
    other.exec("UPDATE records SET blob = zeroblob(132) WHERE number IN (2, 3)");
    other.close();
    expect(journal.read(1, 3).map(({ number }) => number)).toEqual([1, 4, 5]);
    expect(journal.read(2, 8).map(({ number }) => number)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(journal.read(2, 100)).toHaveLength(9);
  });

  test.each([
    ["is no database any more", 0],
    ["has a broken page", 4096],
  ])("a newest segment that %s is set aside with all others, and a new epoch begins at 1", (_, at) => {
    const d = disk();
    let journal = d.open({ segmentBytes: 100 });
    for (let i = 0; i < 3; i++) append(journal, 1, 200);
    journal.close();
    const newest = segmentsIn(d.dir).at(-1)!;
    damage(join(d.dir, newest), at, 4096);
    journal = d.open();
    expect(journal.epoch).toBe("0000000000000002");
    expect(journal.boot).toBe(1);
    expect(append(journal, 1)).toEqual([1]);
    expect(numbersOf(journal)).toEqual([1]);
    expect(journal.status().setAside).toHaveLength(3);
    expect(d.events).toContain("journal.segment-set-aside");
    expect(readdirSync(d.dir).filter((name) => name.endsWith(`.aside-${T}`))).toHaveLength(3);
  });

  test("an older segment that is damaged is set aside alone; its batches are given up, and trimming goes on", () => {
    const d = disk();
    let journal = d.open({ segmentBytes: 100 });
    for (let i = 0; i < 4; i++) append(journal, 1, 200);
    journal.confirm(all(1, 1));
    journal.close();
    damage(join(d.dir, "000000000002.sqlite"), 0);
    journal = d.open({ segmentBytes: 100, maxBytes: 0 });
    expect(journal.epoch).toBe("0000000000000001");
    expect(journal.status()).toMatchObject({ nextNumber: 5, unconfirmed: 2 });
    expect(numbersOf(journal)).toEqual([3, 4]);
    expect(journal.status().setAside).toHaveLength(1);
    journal.confirm(all(3, 4));
    append(journal, 1);
    append(journal, 1);
    expect(numbersOf(journal)[0]).toBe(5);
  });

  test("what was left of a damaged segment's write-ahead file does not get into the next one", () => {
    const d = disk();
    let journal = d.open();
    append(journal, 1);
    const file = join(d.dir, segmentsIn(d.dir)[0]!);
    journal.close();
    damage(file, 0);
    writeFileSync(`${file}-wal`, "left over");
    journal = d.open();
    expect(numbersOf(journal)).toEqual([]);
    append(journal, 1);
    journal.close();
    expect(numbersOf(d.open())).toEqual([1]);
  });

  test("a process that ended while it made a segment costs nothing", () => {
    const d = disk();
    let journal = d.open();
    append(journal, 2);
    journal.close();
    for (const content of ["empty file", "schema only"]) {
      const file = join(d.dir, "000000000003.sqlite");
      writeFileSync(file, "");
      if (content === "schema only") {
        const db = new DatabaseSync(file);
        db.exec(
          "CREATE TABLE records (number INTEGER PRIMARY KEY, device TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, blob BLOB NOT NULL)",
        );
        db.close();
      }
      journal = d.open();
      expect(journal.epoch).toBe("0000000000000001");
      expect(journal.status()).toMatchObject({ nextNumber: 3, segments: 1, setAside: [] });
      expect(numbersOf(journal)).toEqual([1, 2]);
      journal.close();
    }
    expect(append(d.open(), 1)).toEqual([3]);
  });

  test("a disk that cannot be used is an error, and nothing is set aside for it", () => {
    const d = disk();
    const journal = d.open();
    append(journal, 1);
    journal.close();
    const file = join(d.dir, segmentsIn(d.dir)[0]!);
    const other = new DatabaseSync(file);
    other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; CREATE TABLE x (y); ");
    expect(() => d.open()).toThrow(expect.objectContaining({ code: "DISK_UNUSABLE" }));
    other.exec("ROLLBACK");
    other.close();
    expect(numbersOf(d.open())).toEqual([1]);
  });

  test("a folder that cannot be made is an error of ours", () => {
    const d = disk();
    writeFileSync(join(d.dir, "file"), "");
    expect(() => d.open({ dir: join(d.dir, "file", "journal") })).toThrow(
      expect.objectContaining({ code: "DISK_UNUSABLE" }),
    );
  });
});

/** A meter whose texts look like the integers of its counters. */
const METER: DeviceDefinition = {
  ...defineDevice(
    model([
      register({
        name: "active_energy_import_total",
        quantity: "active_energy_import_total",
        type: "u32",
        unit: "kWh",
        scale: 0.01,
        kind: "counter",
      }),
    ]),
    setup("electricity", { id: "12n" }),
    ACCOUNT,
  ),
  model: "34n",
};

describe("definitions", () => {
  test("come back as they were, integers and look-alikes, after a restart", () => {
    const d = disk();
    let journal = d.open();
    const hash = journal.putDefinition(METER);
    expect(hash).toMatch(/^[0-9a-f]{8}$/);
    expect(METER.counters[0]?.modulus).toBe(2n ** 32n);
    journal.close();
    journal = d.open();
    expect(journal.definition(hash)).toEqual(METER);
    expect(journal.definition("00000000")).toBeNull();
  });

  test("have one hash however often they are put, and another once anything differs", () => {
    const journal = disk().open();
    const hash = journal.putDefinition(METER);
    expect(journal.putDefinition(structuredClone(METER))).toBe(hash);
    expect(journal.putDefinition({ ...METER, parent: "main" })).not.toBe(hash);
  });
});
