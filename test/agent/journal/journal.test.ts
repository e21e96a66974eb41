import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeValue, readBlob } from "../../../agent/journal/blob.ts";
import type { Journal } from "../../../agent/journal/journal.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { JournalDisk } from "../../../core/ports.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { ACCOUNT, model, register, setup } from "../../drivers/devices.ts";
import { all, append, DAY_MS, disk, entry, lossesIn, T } from "./fixture.ts";

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
        position: 1,
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
    const blob = readBlob(other.prepare("SELECT blob FROM rows").get()?.blob as Uint8Array);
    expect(blob).toMatchObject({ kind: "telemetry", ordinal: 1, count: 3 });
    const next = readBlob(other.prepare("SELECT blob FROM named WHERE name = 'next'").get()?.blob as Uint8Array);
    expect(next.kind === "value" && decodeValue(next)).toEqual({ name: "next", text: "4" });
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

test("a folder that cannot be made is an error of ours", () => {
  const d = disk();
  writeFileSync(join(d.dir, "file"), "");
  expect(() => d.open({ disk: sqliteDisk(join(d.dir, "file", "journal")) })).toThrow(
    expect.objectContaining({ code: "DISK_UNUSABLE" }),
  );
});

describe("numbers that the collector confirmed and no longer holds", () => {
  const MANY = 1000;

  test("are open again as long as their batches are here, also after a restart", () => {
    const d = disk();
    let journal = d.open();
    append(journal, 8);
    journal.confirm(all(1, 6));
    expect(journal.reopen([...all(3, 4), ...all(6, 9)], MANY).opened).toEqual([...all(3, 4), ...all(6, 6)]);
    expect([1, 2, 3, 4, 5, 6, 7, 8].filter((number) => journal.isConfirmed(number))).toEqual([1, 2, 5]);
    expect(journal.reopen(all(3, 4), MANY).opened, "they are open").toEqual([]);
    append(journal, 1);
    journal.close();
    journal = d.open();
    expect(journal.unconfirmed()).toBe(6);
    expect(journal.read(3, 2).map(({ number }) => number)).toEqual([3, 4]);
    expect(lossesIn(journal)).toEqual([]);
  });

  test("are opened some at a time; the others are left for another time", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 100 });
    for (let i = 0; i < 10; i++) append(journal, 1, 100);
    journal.confirm(all(1, 10));
    const first = journal.reopen([...all(1, 3), ...all(5, 9)], 4);
    expect(first).toEqual({ opened: [...all(1, 3), ...all(5, 5)], told: [], left: all(6, 9) });
    expect(journal.reopen(first.left, 4)).toEqual({ opened: all(6, 9), told: [], left: [] });
  });

  /** Its oldest batches are gone, all are confirmed. */
  function trimmed() {
    const d = disk();
    let journal = d.open({ segmentBytes: 100, maxBytes: 0 });
    for (let i = 0; i < 5; i++) {
      append(journal, 3, 100);
      journal.confirm(all(1, 1000));
    }
    append(journal, 1);
    journal.close();
    journal = d.open();
    const [oldest] = journal.read(1, 1);
    expect(oldest!.number, "older ones are trimmed").toBeGreaterThan(1);
    journal.confirm(all(1, 1000));
    return { journal, oldest: oldest! };
  }

  test("are a loss that is told once, up to what is held next, where their batches are gone", () => {
    const { journal, oldest } = trimmed();
    const gone = all(1, oldest.number - 1);
    const { opened, told } = journal.reopen(all(1, oldest.number), MANY);
    expect(told).toEqual(gone);
    expect(opened).toEqual(all(oldest.number, oldest.number));
    append(journal, 1);
    const count = oldest.number - 1;
    const of = { device: null, what: "unknown", why: "age-bound", from_ms: 0, to_ms: oldest.from_ms };
    expect(lossesIn(journal)).toMatchObject([{ ...of, count, batches: gone }]);
  });

  test("are no loss yet while another one may be on its way: they may be the same", () => {
    const { journal, oldest } = trimmed();
    const gone = all(1, oldest.number - 1);
    const of = { device: null, what: "samples", why: "disk-full", batches: null } as const;
    journal.noteLoss({ ...of, from_ms: T, to_ms: T, count: 1 });
    expect(journal.reopen(gone, MANY).told).toEqual([]);
    append(journal, 1);
    expect(journal.reopen(gone, MANY).told, "told and not confirmed").toEqual([]);
    journal.confirm(all(1, 1000));
    expect(journal.reopen(gone, MANY).told).toEqual(gone);
  });

  test("are no loss where the disk refuses to read for now", () => {
    const d = disk();
    let isRefusing = false;
    const inner = sqliteDisk(d.dir);
    const refusing: JournalDisk = {
      ...inner,
      open(name, how) {
        const segment = inner.open(name, how);
        return {
          ...segment,
          rows(from, limit) {
            if (isRefusing && name === inner.list()[0]?.name) {
              throw new KhuXanhError("DISK_UNUSABLE", "input/output error", { hint: "A test." });
            }
            return segment.rows(from, limit);
          },
        };
      },
    };
    const journal = d.open({ disk: refusing, segmentBytes: 100 });
    for (let i = 0; i < 10; i++) append(journal, 1, 100);
    journal.confirm(all(1, 10));
    isRefusing = true;
    const { opened, told } = journal.reopen(all(1, 10), MANY);
    expect(opened[0]!.first, "what lies behind it is opened").toBeGreaterThan(1);
    expect(told).toEqual([]);
    isRefusing = false;
    expect(journal.reopen(all(1, 10), MANY).opened[0]).toEqual({ first: 1, last: opened[0]!.first - 1 });
    append(journal, 1);
    expect(lossesIn(journal)).toEqual([]);
  });
});

describe("a new epoch", () => {
  test("gives what is unconfirmed numbers from 1, in its order, and goes on with them", () => {
    const d = disk();
    let journal = d.open({ segmentBytes: 100 });
    for (let i = 0; i < 6; i++) append(journal, 1, 100);
    journal.confirm([
      { first: 1, last: 2 },
      { first: 4, last: 4 },
    ]);
    const before = journal.read(1, 10).map(({ position }) => position);
    journal.renew("a test wants it");
    expect(journal.epoch).toBe("0000000000000002");
    expect(journal.nextNumber()).toBe(5);
    expect(journal.unconfirmed()).toBe(4);
    expect(journal.read(1, 10).map(({ number, position }) => [number, position])).toEqual([
      [1, 3],
      [2, 4],
      [3, 5],
      [4, 6],
    ]);
    expect(journal.history(1, 10).map(({ position }) => position)).toEqual(before);
    expect(append(journal, 2)).toEqual([5, 6]);
    journal.confirm(all(1, 5));
    journal.close();
    journal = d.open();
    expect(journal.epoch).toBe("0000000000000002");
    expect(journal.status()).toMatchObject({ nextNumber: 7, unconfirmed: 1, lost: 0 });
    expect(append(journal, 1)).toEqual([7]);
  });

  test("of a journal with nothing open begins empty", () => {
    const journal = disk().open();
    append(journal, 3);
    journal.confirm(all(1, 3));
    journal.renew("a test wants it");
    expect(journal.unconfirmed()).toBe(0);
    expect(append(journal, 1)).toEqual([1]);
    expect(journal.position()).toBe(4);
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
