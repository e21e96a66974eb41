import { describe, expect, test } from "vitest";
import { readBlob } from "../../../agent/journal/blob.ts";
import { type JournalOptions, openJournal } from "../../../agent/journal/journal.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { DiskRow, DiskSegment, JournalDisk } from "../../../core/ports.ts";
import { SimDisk } from "../../../hw-sim/world/disk.ts";
import { createWorld } from "../../../hw-sim/world/world.ts";
import { settling } from "../../sim/settle.ts";
import { all, append, DAY_MS, lossesIn, T } from "./fixture.ts";

type Trouble = "io-error" | "wrong-byte";

/** A disk whose `at`-th read ends in trouble, and `times - 1` after it. */
function troubled(inner: JournalDisk, trouble: Trouble, at: number, times = 1) {
  let reads = 0;
  const isTroubled = (): boolean => {
    reads += 1;
    return at <= reads && reads < at + times;
  };
  const read = <T>(work: () => T, spoil: (result: T) => T): T => {
    if (!isTroubled()) return work();
    if (trouble === "wrong-byte") return spoil(work());
    throw new KhuXanhError("DISK_UNUSABLE", "EIO", { hint: "It is a test." });
  };
  const same = <T>(result: T): T => result;
  const segmentOf = (segment: DiskSegment): DiskSegment => ({
    ...segment,
    rows: (from, limit) =>
      read(
        () => segment.rows(from, limit),
        (rows) => rows.map((row) => spoilt(row, 2)),
      ),
    values: () =>
      read(
        () => segment.values(),
        (values) => values.map(({ name, blob }) => ({ name, blob: wrong(blob, 2) })),
      ),
  });
  const disk: JournalDisk = {
    ...inner,
    open: (name, access) => segmentOf(read(() => inner.open(name, access), same)),
    raw: (name) => read(() => inner.raw(name), same),
  };
  return { disk, reads: () => reads };
}

function spoilt({ key, blob }: DiskRow, bit: number): DiskRow {
  return { key, blob: wrong(blob, bit) };
}

function wrong(blob: Uint8Array, bit: number): Uint8Array {
  const bytes = blob.slice();
  bytes[bytes.length - 1]! ^= bit;
  return bytes;
}

/** The row with this key is damaged wherever it lies, and cannot be carved. */
function damaged(inner: JournalDisk, key: number): JournalDisk {
  const isWhole = (blob: Uint8Array): boolean => {
    const read = readBlob(blob);
    return read.kind === "damaged" || read.kind === "value" || read.ordinal !== key;
  };
  const segmentOf = (segment: DiskSegment): DiskSegment => ({
    ...segment,
    rows: (from, limit) => segment.rows(from, limit).map((row) => (row.key === key ? spoilt(row, 1) : row)),
  });
  return {
    ...inner,
    open: (name, access) => segmentOf(inner.open(name, access)),
    raw: (name) => inner.raw(name).filter(isWhole),
  };
}

/**
 * A journal with some of it confirmed and a row damaged: started, read, looked through, given way. What comes of it: what is
 * held, what was told lost, how many files were set aside.
 */
function outcome(trouble: Trouble, at: number, times = 1) {
  const world = createWorld({ seed: 1, origin_ms: 0, settle: settling() });
  const medium = new SimDisk("disk", world.random("disk"), world.trace);
  const plain = medium.of(world.machine("gateway").start());
  let now_ms = T;
  const open = (change: Partial<JournalOptions>) =>
    openJournal({
      disk: plain,
      maxBytes: 1e9,
      maxAge_ms: 2 * DAY_MS,
      now_ms: () => now_ms,
      random: { unit: () => 0.5, hex: (bytes) => "1".repeat(2 * bytes) },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      segmentBytes: 4000,
      ...change,
    });
  const before = open({});
  for (let i = 0; i < 25; i++) append(before, 1, 700);
  before.confirm(all(1, 12));
  before.close();
  const unsteady = troubled(damaged(plain, 9), trouble, at, times);
  const journal = open({ disk: unsteady.disk });
  const step = (): void => {
    now_ms += 6000;
    append(journal, 1);
  };
  step();
  journal.read(1, 100);
  step();
  now_ms = T + 4 * DAY_MS;
  for (let i = 0; i < 3; i++) step();
  now_ms += 3_600_001;
  step();
  const held = journal.history(1, 1000).map(({ position }) => position);
  const lost = lossesIn(journal).map(({ what, why, count, batches }) => ({ what, why, count, batches }));
  return { reads: unsteady.reads(), held, lost, asides: journal.status().setAside, unconfirmed: journal.unconfirmed() };
}

describe("a disk that does not read once", () => {
  const sound = outcome("io-error", Number.POSITIVE_INFINITY);

  test("the story has a loss, a file set aside and history that gave way", () => {
    expect(sound.lost).toEqual([{ what: "history", why: "damaged", count: 1, batches: null }]);
    expect(sound.asides).toHaveLength(1);
    expect(sound.held.length).toBeLessThan(31);
    expect(sound.reads).toBeGreaterThan(30);
  });

  test.each(["io-error", "wrong-byte"] as const)("loses nothing by it, whenever it is: %s", (trouble) => {
    const { reads: _, ...expected } = sound;
    for (let at = 1; at <= sound.reads; at++) {
      const { reads: __, ...came } = outcome(trouble, at);
      expect(came, `read ${at}`).toEqual(expected);
    }
  });

  test("for long declares nothing lost that it did not read", () => {
    for (let at = 1; at <= sound.reads; at += 5) {
      let came: ReturnType<typeof outcome>;
      try {
        came = outcome("io-error", at, 9);
      } catch (error) {
        // Of an agent that starts on such a disk: it says what it is and starts another time.
        expect(error).toMatchObject({ code: "DISK_UNUSABLE" });
        continue;
      }
      expect([0, 1], `read ${at}`).toContain(came.lost.reduce((sum, { count }) => sum + count, 0));
    }
  });
});

test("of a newest file that the medium reads in part, that part is saved", () => {
  const world = createWorld({ seed: 1, origin_ms: 0, settle: settling() });
  const medium = new SimDisk("disk", world.random("disk"), world.trace);
  const plain = medium.of(world.machine("gateway").start());
  let drawn = 0;
  const open = (disk: JournalDisk) =>
    openJournal({
      disk,
      maxBytes: 1e9,
      maxAge_ms: 2 * DAY_MS,
      now_ms: () => T,
      random: { unit: () => 0.5, hex: (bytes) => String(++drawn).padStart(2 * bytes, "0") },
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
  const before = open(plain);
  for (let i = 0; i < 20; i++) append(before, 1, 700);
  before.close();
  medium.tear();
  const half: JournalDisk = {
    ...plain,
    raw(name, which) {
      if (which !== "what-reads") throw new KhuXanhError("DISK_UNUSABLE", "EIO", { hint: "It is a test." });
      return plain.raw(name).slice(0, 10);
    },
  };
  const journal = open(half);
  append(journal, 1);
  expect(
    journal
      .history(1, 100)
      .filter(({ kind }) => kind === "sample")
      .map(({ position }) => position),
  ).toEqual([...Array.from({ length: 10 }, (_, i) => i + 1), journal.position()]);
  expect(journal.status().setAside).toHaveLength(1);
});
