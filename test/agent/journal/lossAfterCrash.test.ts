import { expect, test } from "vitest";
import { type Journal, openJournal } from "../../../agent/journal/journal.ts";
import type { Log } from "../../../core/ports.ts";
import { SimDisk } from "../../../hw-sim/world/disk.ts";
import { createWorld } from "../../../hw-sim/world/world.ts";
import { append, lossesIn, T } from "./fixture.ts";

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A gateway's disk in a world, and journals on it: each opening is another life of the process. */
function gateway(seed: number) {
  const world = createWorld({ seed, origin_ms: T, settle: (next) => next() });
  const disk = new SimDisk("disk", world.random("disk"), world.trace);
  const machine = world.machine("gw");
  const open = (segmentBytes?: number): Journal => {
    machine.life?.end("process-killed");
    const life = machine.start();
    return openJournal({
      disk: disk.of(life),
      maxBytes: 1e9,
      maxAge_ms: 30 * 86_400_000,
      now_ms: () => T,
      random: life.random,
      log: SILENT,
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
    });
  };
  return { disk, machine, open };
}

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);

test.each([
  ["the newest segment", undefined],
  ["any segment of many", 100],
] as const)("damage of %s is told, though the process ends before the first record after it was mended", (_, bytes) => {
  for (const seed of SEEDS) {
    const { disk, open } = gateway(seed);
    const journal = open(bytes);
    for (let i = 0; i < 5; i++) append(journal, 1, 200);
    expect(disk.flipBit()).toBe(true);
    for (let crashes = 0; crashes < 2; crashes++) {
      disk.crashAtNextAppend({ how: "process-killed", when: "before" });
      open(bytes).read(1, 100);
    }
    const again = open(bytes);
    const held = new Set(again.read(1, 100).map(({ number }) => number));
    append(again, 1);
    const named = lossesIn(again).flatMap(({ batches }) => batches ?? []);
    for (let number = 1; number <= 5; number++) {
      const isNamed = named.some(({ first, last }) => first <= number && number <= last);
      expect([seed, number, isNamed]).toEqual([seed, number, !held.has(number)]);
    }
    expect(again.read(1, 100).length).toBeGreaterThanOrEqual(5);
  }
});

test("a torn newest segment: what it took with it is told in the new epoch, however often the process ends", () => {
  for (const seed of SEEDS) {
    const { disk, machine, open } = gateway(seed);
    const journal = open();
    for (let i = 0; i < 5; i++) append(journal, 1, 200);
    machine.life?.end("power-cut");
    expect(disk.tear()).toBe(true);
    for (let crashes = 0; crashes < 2; crashes++) {
      disk.crashAtNextAppend({ how: "process-killed", when: "before" });
      open();
    }
    const again = open();
    append(again, 1);
    const held = new Set(again.read(1, 100).map(({ number }) => number));
    const named = lossesIn(again).flatMap(({ batches }) => batches ?? []);
    for (let number = 1; number < again.nextNumber(); number++) {
      if (held.has(number)) continue;
      expect(named.some(({ first, last }) => first <= number && number <= last)).toBe(true);
    }
    expect(again.isConfirmed(5)).toBe(true);
  }
});
