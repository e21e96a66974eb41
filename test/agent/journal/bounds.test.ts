import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  agedStep,
  fullStep,
  HOLES_MAX,
  LEVELS,
  levelAfter,
  type SegmentFacts,
  STEPS,
} from "../../../agent/journal/bounds.ts";
import type { Journal, JournalEntry } from "../../../agent/journal/journal.ts";
import { isKeptByThinning } from "../../../agent/journal/reduce.ts";
import { sampleEntry } from "../../../agent/journal/sample.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { DiskSegment, JournalDisk } from "../../../core/ports.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { ACCOUNT, model, register, setup } from "../../drivers/devices.ts";
import { all, DAY_MS, disk, lossesIn, T } from "./fixture.ts";

const segment = (change: Partial<SegmentFacts>): SegmentFacts => ({
  level: "whole",
  isConfirmed: false,
  until_ms: 0,
  ...change,
});

describe("the order of giving way", () => {
  test("is confirmed history first, then unconfirmed telemetry ever coarser, books last", () => {
    const order: string[] = [];
    const levels: SegmentFacts[] = [segment({ isConfirmed: true }), segment({}), segment({ level: "mended" })];
    for (let next = fullStep(levels, 0); next !== null; next = fullStep(levels, 0)) {
      order.push(`${next.step} ${next.at}`);
      const level = levelAfter(next.step);
      if (level === null) levels.splice(next.at, 1);
      else levels[next.at] = { ...levels[next.at]!, level };
    }
    expect(order).toEqual([
      "history 0",
      "thinned 1",
      "thinned 2",
      "gauges 1",
      "gauges 2",
      "samples 1",
      "samples 2",
      "books 0",
      "books 0",
      "books 0",
    ]);
  });

  test("law: books never go while there is a sample that could", () => {
    const facts = fc.record({
      level: fc.constantFrom(...LEVELS),
      isConfirmed: fc.boolean(),
      until_ms: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 8 }), fc.nat({ max: 2 * HOLES_MAX }), (segments, holes) => {
        const next = fullStep(segments, holes);
        if (next === null) expect(segments).toEqual([]);
        if (next?.step === "books") expect(segments.every(({ level }) => level === "books")).toBe(true);
        if (next !== null && next.step !== "history" && next.step !== "books") {
          expect(segments.some(({ level, isConfirmed }) => isConfirmed && level !== "books")).toBe(false);
        }
        if (holes >= HOLES_MAX) expect(["thinned", "gauges"]).not.toContain(next?.step);
      }),
    );
    expect(STEPS).toHaveLength(5);
  });

  test("by age takes confirmed samples after their age, confirmed books after theirs, and nothing unconfirmed", () => {
    const bounds = { maxAge_ms: 10, booksAge_ms: 60 };
    const old = { isConfirmed: true, until_ms: 0 };
    expect(agedStep([segment(old)], bounds, 10)).toBeNull();
    expect(agedStep([segment(old)], bounds, 11)).toEqual({ step: "history", at: 0 });
    expect(agedStep([segment({ ...old, level: "books" })], bounds, 60)).toBeNull();
    expect(agedStep([segment({ ...old, level: "books" })], bounds, 61)).toEqual({ step: "books", at: 0 });
    expect(agedStep([segment({ until_ms: 0 }), segment(old)], bounds, 11)).toEqual({ step: "history", at: 1 });
    expect(agedStep([segment({ until_ms: 0 })], bounds, 1e9)).toBeNull();
  });
});

test("thinning keeps what an interval opens and closes with", () => {
  const kept = Array.from({ length: 900 }, (_, s) => isKeptByThinning(T - (T % 900_000) + s * 1000));
  expect(kept[0]).toBe(true);
  expect(kept[899]).toBe(true);
  expect(kept.filter(Boolean)).toHaveLength(480);
});

const METER = defineDevice(
  model([
    register({ name: "frequency", quantity: "frequency", type: "u16", address: 2000, unit: "Hz", scale: 0.01 }),
    register({
      name: "active_energy_import_total",
      quantity: "active_energy_import_total",
      type: "u32",
      address: 0,
      unit: "kWh",
      scale: 0.001,
      kind: "counter",
    }),
  ]),
  setup("electricity"),
  ACCOUNT,
);

const START = T - (T % 900_000);

/** A gateway's day in small: each minute a counter and a gauge, each quarter an interval record. */
function minute(at: number, definition: string): JournalEntry[] {
  const at_ms = START + at * 60_000;
  const sample = (address: number, length: number): JournalEntry =>
    sampleEntry({
      sample: {
        device: METER.device,
        at_ms,
        mono_ms: at,
        blocks: Array.from({ length: 8 }, (_, i) => ({
          fc: 3 as const,
          address: address + i * length,
          words: new Uint16Array(length).fill(at),
        })),
        failures: [],
      },
      definition,
      boot: 1,
      clock: "set",
    });
  const books: JournalEntry = {
    device: METER.device,
    from_ms: at_ms - 900_000,
    to_ms: at_ms,
    kind: "content",
    body: new Uint8Array(60).fill(9),
  };
  return [sample(0, 125), sample(2000, 125), ...(at % 15 === 0 ? [books] : [])];
}

function record(journal: Journal, minutes: number, onMinute: (at: number) => void = () => {}): void {
  const definition = journal.putDefinition(METER);
  // A quarter a commit: a commit is a sync, and these are days.
  for (let from = 0; from < minutes; from += 15) {
    const until = Math.min(from + 15, minutes);
    const entries = Array.from({ length: until - from }, (_, i) => minute(from + i, definition)).flat();
    journal.commit({ entries, state: () => [] });
    onMinute(until - 1);
  }
}

const kinds = (journal: Journal) => {
  const count = { sample: 0, content: 0, node: 0 };
  for (const { kind } of journal.history(1, 1e6)) count[kind] += 1;
  return count;
};

describe("a journal at its bound", () => {
  const SMALL = { segmentBytes: 200_000, maxAge_ms: 1000 * DAY_MS };

  test("gives confirmed samples first and keeps every interval record, as local history", () => {
    const d = disk();
    const journal = d.open({ ...SMALL, maxBytes: 2_500_000 });
    record(journal, 1500, (at) => {
      d.now_ms = START + at * 60_000;
      journal.confirm(all(1, journal.nextNumber()));
    });
    const { content, sample } = kinds(journal);
    expect(content).toBe(100);
    expect(sample).toBeLessThan(1500);
    expect(sample).toBeGreaterThan(200);
    expect(journal.status()).toMatchObject({ gaveWay: "history", lost: 0, isBeyondBound: false });
    expect(lossesIn(journal)).toEqual([]);
    journal.close();
    expect(kinds(d.open(SMALL))).toMatchObject({ content });
  });

  test("unconfirmed: thins, then drops gauges, then samples, and every loss is told with its numbers", () => {
    const d = disk();
    const journal = d.open({ ...SMALL, maxBytes: 1_800_000 });
    record(journal, 1500, (at) => {
      d.now_ms = START + at * 60_000;
    });
    const status = journal.status();
    expect(status.isBeyondBound).toBe(false);
    expect(status.bytes).toBeLessThanOrEqual(1_800_000);
    expect(status.gaveWay).toBe("samples");
    expect(status.isBacklogAlarming).toBe(true);
    journal.commit({ entries: [], state: () => [] });
    const losses = lossesIn(journal);
    expect(new Set(losses.map(({ what }) => what))).toEqual(new Set(["thinned", "gauges", "samples"]));
    expect(kinds(journal).content).toBe(100);
    const missing = new Set<number>();
    for (const { batches, count } of losses) {
      const before = missing.size;
      for (const { first, last } of batches ?? []) for (let n = first; n <= last; n++) missing.add(n);
      expect(missing.size - before).toBe(count);
    }
    const held = new Set(journal.read(1, 1e6).map(({ number }) => number));
    for (let n = 1; n < journal.nextNumber(); n++) expect(held.has(n) !== missing.has(n), `batch ${n}`).toBe(true);
    expect(status.lost).toBe(missing.size);
    expect(journal.unconfirmed()).toBe(held.size);
    journal.close();
    const again = d.open({ ...SMALL, maxBytes: 1e9 });
    expect(again.status()).toMatchObject({ lost: missing.size, gaveWay: "samples", setAside: [] });
    expect(again.read(1, 1e6)).toHaveLength(held.size);
  });

  test("books of sixty days stay, however few days the samples may", () => {
    const d = disk();
    const journal = d.open({ ...SMALL, maxAge_ms: 2 * DAY_MS, maxBytes: 1e9 });
    const definition = journal.putDefinition(METER);
    for (let day = 0; day < 70; day++) {
      d.now_ms = START + day * DAY_MS;
      journal.commit({ entries: minute(day * 1440, definition), state: () => [] });
      journal.confirm(all(1, journal.nextNumber()));
    }
    const held = journal.history(1, 1e6);
    const days = (kind: string) =>
      held.filter((one) => one.kind === kind).map(({ to_ms }) => (d.now_ms - to_ms) / DAY_MS);
    expect(Math.max(...days("content"))).toBeGreaterThanOrEqual(60);
    expect(Math.max(...days("content"))).toBeLessThanOrEqual(63);
    expect(Math.max(...days("sample"))).toBeLessThanOrEqual(4);
    expect(journal.status().lost).toBe(0);
  });

  test("takes a quarter of a small disk if nobody says how much", () => {
    const d = disk();
    const small: JournalDisk = withSpace(d.dir, () => ({ free_bytes: 8_000_000, total_bytes: 8_000_000 }));
    expect(d.open({ maxBytes: null, disk: small }).status().bound_bytes).toBe(2_000_000);
  });

  test("while others fill the disk, history gives way to a quarter of what is left, and nothing unconfirmed does", () => {
    const d = disk();
    const space = { free_bytes: 80_000_000, total_bytes: 100_000_000 };
    const options = { segmentBytes: 200_000, maxAge_ms: 1000 * DAY_MS, maxBytes: null };
    const open = (): Journal => d.open({ ...options, disk: withSpace(d.dir, () => space) });
    const journal = open();
    record(journal, 750, (at) => {
      d.now_ms = START + at * 60_000;
      journal.confirm(all(1, journal.nextNumber()));
    });
    const confirmed = journal.nextNumber() - 1;
    record(journal, 600);
    const unconfirmed = journal.unconfirmed();
    expect(journal.status().gaveWay).toBeNull();
    journal.close();

    space.free_bytes = 0;
    const again = open();
    record(again, 150);
    expect(again.status()).toMatchObject({ gaveWay: "history", lost: 0, bound_bytes: 25_000_000 });
    expect(again.read(confirmed + 1, 1e6)).toHaveLength(again.unconfirmed());
    expect(again.unconfirmed()).toBeGreaterThan(unconfirmed + 150);
    expect(lossesIn(again)).toEqual([]);
    expect(kinds(again).content).toBe(100);
  });
});

function withSpace(dir: string, space: JournalDisk["space"]): JournalDisk {
  return { ...sqliteDisk(dir), space };
}

/** A disk that refuses to write while `refuses` says so. */
function moody(inner: JournalDisk, refuses: () => "DISK_FULL" | "DISK_UNUSABLE" | null): JournalDisk {
  const check = (): void => {
    const code = refuses();
    if (code !== null) throw new KhuXanhError(code, "the disk refuses", { hint: "It is a test." });
  };
  const segmentOf = (segment: DiskSegment): DiskSegment => ({
    ...segment,
    append(write) {
      check();
      segment.append(write);
    },
  });
  return {
    ...inner,
    open(name, access) {
      if (access === "write") check();
      return segmentOf(inner.open(name, access));
    },
    create(name, writes) {
      check();
      inner.create(name, writes);
    },
  };
}

describe.each(["DISK_FULL", "DISK_UNUSABLE"] as const)("a disk that says %s", (code) => {
  test("is an error of the commit, and everything goes on when it ends", () => {
    const d = disk();
    let mood: typeof code | null = null;
    const journal = d.open({ disk: moody(sqliteDisk(d.dir), () => mood), segmentBytes: 20_000 });
    record(journal, 30);
    mood = code;
    for (let i = 0; i < 3; i++) expect(() => record(journal, 1)).toThrow(expect.objectContaining({ code }));
    expect(journal.status().isWritable).toBe(false);
    expect(journal.read(1, 1000)).toHaveLength(62);
    journal.noteLoss({
      device: null,
      from_ms: T,
      to_ms: T,
      count: 5,
      what: "samples",
      why: "disk-full",
      batches: null,
    });
    mood = null;
    record(journal, 1);
    expect(journal.status()).toMatchObject({ isWritable: true, lost: 5 });
    expect(lossesIn(journal)).toMatchObject([{ count: 5, why: "disk-full", batches: null }]);
    expect(journal.read(1, 1000).map(({ number }) => number)).toEqual(Array.from({ length: 66 }, (_, i) => i + 1));
  });

  test("at the start keeps nobody from reading what is there", () => {
    const d = disk();
    const before = d.open();
    record(before, 5);
    before.close();
    let mood: typeof code | null = code;
    const journal = d.open({ disk: moody(sqliteDisk(d.dir), () => mood) });
    expect(journal.read(1, 100)).toHaveLength(11);
    expect(journal.epoch).toBe(before.epoch);
    expect(journal.status().isWritable).toBe(false);
    mood = null;
    record(journal, 1);
    expect(journal.read(1, 100)).toHaveLength(14);
  });
});
