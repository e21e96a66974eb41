import { expect, test } from "vitest";
import { SimDisk } from "../../../hw-sim/world/disk.ts";
import { createWorld } from "../../../hw-sim/world/world.ts";
import { journalDiskContract } from "../../contract/journalDisk.ts";
import { settling } from "../../sim/settle.ts";

const A = "000000000001.sqlite";

function stage() {
  const world = createWorld({ seed: 1, origin_ms: 0, settle: settling() });
  const medium = new SimDisk("disk", world.random("disk"), world.trace);
  const machine = world.machine("gw");
  return { medium, machine, disk: medium.of(machine.start()) };
}

const row = (key: number, length = 10) => ({ key, blob: new Uint8Array(length).fill(key) });
const keys = (disk: ReturnType<SimDisk["of"]>) =>
  disk
    .open(A, "read")
    .rows(0, 100)
    .map(({ key }) => key);

journalDiskContract("the simulated disk", () => {
  const world = createWorld({ seed: 1, origin_ms: 0, settle: settling() });
  const medium = new SimDisk("disk", world.random("disk"), world.trace);
  const life = world.machine("gw").start();
  return { disk: () => medium.of(life) };
});

test.each(["before", "after"] as const)(
  "a crash %s a transaction ends the process and leaves all of it or nothing",
  (when) => {
    const { medium, machine, disk } = stage();
    disk.create(A, [{ rows: [row(1)], values: [] }]);
    const segment = disk.open(A, "write");
    medium.crashAtNextAppend({ how: "power-cut", when });
    expect(() => segment.append({ rows: [row(2), row(3)], values: [] })).toThrow("DISK_UNUSABLE");
    expect(machine.life?.isAlive).toBe(false);
    expect(() => segment.rows(0, 1)).toThrow("DISK_UNUSABLE");
    expect(keys(medium.of(machine.start()))).toEqual(when === "before" ? [1] : [1, 2, 3]);
  },
);

test("a full disk refuses and stays as it was; room lets it go on", () => {
  const { medium, disk } = stage();
  disk.create(A, []);
  const segment = disk.open(A, "write");
  medium.capacity_bytes = medium.bytes + 100;
  expect(() => segment.append({ rows: [row(1, 200)], values: [] })).toThrow("DISK_FULL");
  expect(keys(disk)).toEqual([]);
  expect(disk.space()).toEqual({ free_bytes: 100, total_bytes: medium.capacity_bytes });
  medium.capacity_bytes += 1000;
  segment.append({ rows: [row(1, 200)], values: [] });
  expect(keys(disk)).toEqual([1]);
});

test("a read-only disk refuses every change", () => {
  const { medium, disk } = stage();
  disk.create(A, []);
  medium.isReadOnly = true;
  const segment = disk.open(A, "write");
  for (const change of [
    () => segment.append({ rows: [row(1)], values: [] }),
    () => disk.create("b", []),
    () => disk.remove(A),
    () => disk.copyAside(A, "b", "why"),
  ]) {
    expect(change).toThrow("DISK_UNUSABLE");
  }
  expect(disk.list().map(({ name }) => name)).toEqual([A]);
});

test("a flipped bit changes one bit of one blob", () => {
  const { medium, disk } = stage();
  disk.create(A, [{ rows: [row(1), row(2)], values: [] }]);
  const before = disk.raw(A).map((blob) => [...blob]);
  expect(medium.flipBit()).toBe(true);
  const bits = disk
    .raw(A)
    .flatMap((blob, i) => [...blob].map((byte, j) => (byte ^ before[i]![j]!).toString(2).replaceAll("0", "").length));
  expect(bits.reduce((sum, count) => sum + count, 0)).toBe(1);
});

test("a torn segment cannot be opened, but what was whole still lies in its raw bytes", () => {
  const { medium, disk } = stage();
  disk.create(A, [{ rows: [row(1), row(2)], values: [] }]);
  expect(medium.tear()).toBe(true);
  expect(() => disk.open(A, "write")).toThrow("JOURNAL_DAMAGED");
  expect([...disk.raw(A)[0]!]).toEqual([...row(1).blob]);
  expect(medium.tear()).toBe(false);
});
