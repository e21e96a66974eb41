import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { account } from "./account.ts";
import { type Bench, median } from "./contest.ts";
import { decode } from "./decode.ts";
import { journal } from "./journal.ts";
import { modbus } from "./modbus.ts";
import { serialCycle } from "./poll/serialLine.ts";
import { wire } from "./wire.ts";

const run = fileURLToPath(new URL("run.ts", import.meta.url));

test.each<[string, Bench]>([
  ["account", account],
  ["decode", decode],
  ["journal", journal],
  ["modbus", modbus],
  ["wire", wire],
])("%s does the same amount of work on both sides", async (_name, bench) => {
  const { contests, close } = await bench.open();
  try {
    for (const { ours, limit } of contests) {
      const done = await ours();
      expect(done).toBeGreaterThan(0);
      expect(await limit()).toBe(done);
    }
  } finally {
    await close();
  }
});

test("an unknown name lists the benchmarks and ends with 2", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [run, "speed", "--json"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stdout).toBe("");
  for (const name of ["account", "decode", "drain", "journal", "modbus", "poll", "wire"])
    expect(stderr).toContain(`  ${name} `);
});

test("a serial cycle takes the time of its bytes, and a fifth of what one exchange per value would take", async () => {
  const { cycle_ms, wire_ms, single_ms, exchanges } = await serialCycle();
  expect(exchanges).toBe(30);
  expect(cycle_ms / wire_ms).toBeLessThanOrEqual(1.15);
  expect(cycle_ms / wire_ms).toBeGreaterThanOrEqual(1);
  expect(single_ms / cycle_ms).toBeGreaterThanOrEqual(5);
});

test("the median is the middle, or the mean of the two middles", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
