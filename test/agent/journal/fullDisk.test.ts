import fc from "fast-check";
import { expect, test } from "vitest";
import { type Journal, openJournal } from "../../../agent/journal/journal.ts";
import { SimDisk } from "../../../hw-sim/world/disk.ts";
import { createWorld } from "../../../hw-sim/world/world.ts";
import { settling } from "../../sim/settle.ts";
import { all, append, DAY_MS, entry, lossesIn, T } from "./fixture.ts";

const LOSS = {
  device: null,
  from_ms: T,
  to_ms: T + 1,
  count: 3,
  what: "samples",
  why: "disk-full",
  batches: null,
} as const;

/** A journal on the disk of a world, in segments of some 20 commits of a KiB; its clock moves an hour a commit. */
function simulated() {
  const world = createWorld({ seed: 1, origin_ms: 0, settle: settling() });
  const medium = new SimDisk("disk", world.random("disk"), world.trace);
  const machine = world.machine("gateway");
  let now_ms = T;
  let drawn = 0;
  const open = (): Journal =>
    openJournal({
      disk: medium.of(machine.start()),
      maxBytes: 1e9,
      maxAge_ms: 3000 * DAY_MS,
      now_ms: () => now_ms,
      random: { unit: () => 0.5, hex: (bytes) => String(++drawn).padStart(2 * bytes, "0") },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      segmentBytes: 20_000,
    });
  return { medium, open, pass: (time_ms: number) => void (now_ms += time_ms) };
}

/** Every number once, in order, with those that are there and those that a loss record of the history names. */
function numbersIn(journal: Journal): number[] {
  return journal.read(1, 100_000).map(({ number }) => number);
}

test("a disk that is full makes room for a commit that tells a loss: nothing is numbered twice", () => {
  const { medium, open } = simulated();
  const journal = open();
  for (let i = 0; i < 60; i++) append(journal, 1, 1000);
  journal.confirm(all(1, 60));
  append(journal, 1);
  journal.noteLoss(LOSS);
  // The loss record alone would fit.
  medium.capacity_bytes = medium.bytes + 600;
  const first = journal.nextNumber();
  expect(append(journal, 4, 1000)).toEqual([first + 1, first + 2, first + 3, first + 4]);
  expect(lossesIn(journal)).toHaveLength(1);
  expect(journal.status()).toMatchObject({ isWritable: true, lost: 3, gaveWay: "history" });
  expect(numbersIn(journal).slice(-5)).toEqual([first, first + 1, first + 2, first + 3, first + 4]);
  journal.close();
  expect(numbersIn(open()).slice(-5)).toEqual([first, first + 1, first + 2, first + 3, first + 4]);
});

test("a disk without a byte left still makes room by what is confirmed", () => {
  const { medium, open } = simulated();
  const journal = open();
  for (let i = 0; i < 60; i++) append(journal, 1, 1000);
  journal.confirm(all(1, 60));
  medium.capacity_bytes = medium.bytes;
  expect(append(journal, 1)).toEqual([61]);
  expect(journal.unconfirmed()).toBe(1);
});

test("a damaged journal on a full disk opens: its next segment begins when there is room, and the next start reads all", () => {
  const { medium, open } = simulated();
  const journal = open();
  for (let i = 0; i < 12; i++) append(journal, 1, 1000);
  medium.tear();
  medium.capacity_bytes = medium.bytes;
  const again = open();
  expect(again.status().isWritable).toBe(false);
  for (let i = 0; i < 3; i++) expect(() => append(again, 1)).toThrow(expect.objectContaining({ code: "DISK_FULL" }));
  expect(again.status().setAside).toHaveLength(1);
  medium.capacity_bytes = Number.POSITIVE_INFINITY;
  append(again, 1);
  expect(again.status().isWritable).toBe(true);
  again.close();
  const third = open();
  const samples = third.history(1, 100).filter(({ kind }) => kind === "sample");
  // The last row of the file was cut through.
  expect(samples.length).toBeGreaterThanOrEqual(12);
  const [missing = 0] = lossesIn(third).flatMap(({ batches }) =>
    (batches ?? []).map(({ first, last }) => last - first + 1),
  );
  expect(samples.length + missing).toBe(13);
});

test("law: whatever happens to the disk and however often it starts on it, a number of an epoch names one record", () => {
  const step = fc.constantFrom("append", "append", "confirm", "full", "room", "tear", "restart", "restart");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { medium, open, pass } = simulated();
      const named = new Map<string, string>();
      let written = 0;
      let journal = open();
      const look = (): void => {
        for (const { number, kind, body } of journal.read(1, 100_000)) {
          const name = `${journal.epoch} ${number}`;
          const content = `${kind} ${Buffer.from(body).toString("hex")}`;
          expect(named.get(name) ?? content).toBe(content);
          named.set(name, content);
        }
      };
      for (const one of steps) {
        pass(1000);
        if (one === "full") medium.capacity_bytes = medium.bytes;
        else if (one === "room") medium.capacity_bytes = Number.POSITIVE_INFINITY;
        else if (one === "tear") medium.tear();
        else if (one === "confirm") journal.confirm(all(1, Math.floor(journal.nextNumber() / 2)));
        else if (one === "restart") journal = open();
        else
          try {
            written += 1;
            const body = new TextEncoder().encode(`${written} ${"x".repeat(500)}`);
            journal.commit({ entries: [{ ...entry(written), body }], state: () => [] });
          } catch (error) {
            expect(["DISK_FULL", "JOURNAL_DAMAGED"]).toContain((error as { code?: string }).code);
          }
        look();
      }
    }),
    { numRuns: 300 },
  );
});

test("law: however full the disk, numbers are given once and what was numbered is there, confirmed or told", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ kind: fc.constant("room" as const), bytes: fc.integer({ min: 0, max: 5000 }) }),
    fc.record({ kind: fc.constantFrom("confirm" as const, "loss" as const, "minute" as const, "renew" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { medium, open, pass } = simulated();
      const journal = open();
      for (let i = 0; i < 45; i++) append(journal, 1, 1000);
      const positions = new Set<number>();
      let losses = 0;
      for (const one of steps) {
        if (one.kind === "room") medium.capacity_bytes = medium.bytes + one.bytes;
        else if (one.kind === "confirm") journal.confirm(all(1, journal.nextNumber()));
        else if (one.kind === "minute") pass(61_000);
        else if (one.kind === "loss") {
          journal.noteLoss(LOSS);
          losses += 3;
        } else
          try {
            if (one.kind !== "append") journal.renew("a test");
            else {
              const given = append(journal, one.count, 700);
              const shift = journal.position() - given.at(-1)!;
              for (const number of given) {
                expect(positions.has(number + shift)).toBe(false);
                positions.add(number + shift);
              }
            }
          } catch (error) {
            expect(error).toMatchObject({ code: "DISK_FULL" });
          }
      }
      medium.capacity_bytes = Number.POSITIVE_INFINITY;
      append(journal, 1);
      expect(journal.status().lost).toBe(losses);
      expect(lossesIn(journal).reduce((sum, { count }) => sum + count, 0)).toBe(losses);
      const unconfirmed = journal.unconfirmed();
      const held = journal.history(1, 100_000);
      expect(new Set(held.map(({ position }) => position)).size).toBe(held.length);
      expect(held.filter(({ number }) => number > 0 && !journal.isConfirmed(number))).toHaveLength(unconfirmed);
      journal.close();
      const again = open();
      expect(again.history(1, 100_000).map(({ position }) => position)).toEqual(held.map(({ position }) => position));
      expect(again.status()).toMatchObject({ lost: losses, setAside: [] });
    }),
    { numRuns: 150 },
  );
});

test("a torn journal on a disk that takes no writes is mended with the first commit that it takes: what is sound is read, the rest a loss", () => {
  const { medium, open } = simulated();
  const whole = open();
  for (let i = 0; i < 15; i++) append(whole, 1, 300);
  const { epoch } = whole;
  medium.tear();
  medium.isReadOnly = true;
  const journal = open();
  expect(journal.epoch).not.toBe(epoch);
  expect(() => append(journal, 1)).toThrow(expect.objectContaining({ code: "DISK_UNUSABLE" }));
  const pending = journal.unconfirmed();
  expect(pending).toBeGreaterThan(0);
  expect(pending).toBeLessThan(15);
  medium.isReadOnly = false;
  const [number] = append(journal, 1);
  expect(journal.status().setAside).toHaveLength(1);
  const held = numbersIn(journal).filter((one) => one < number! && !journal.isConfirmed(one));
  expect(held.slice(0, pending)).toEqual(Array.from({ length: pending }, (_, i) => i + 1));
  const lost = lossesIn(journal);
  const { epoch: renewed } = journal;
  journal.close();
  const again = open();
  expect(again.epoch).toBe(renewed);
  expect(lossesIn(again)).toEqual(lost);
  expect(numbersIn(again).slice(0, pending)).toEqual(held.slice(0, pending));
  again.close();
});
