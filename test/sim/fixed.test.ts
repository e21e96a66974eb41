import { expect, test } from "vitest";
import { failureOf } from "./report.ts";
import { runSeed } from "./run.ts";
import { CI_HOURS, CI_SEEDS, FOUND_SEEDS } from "./seeds.ts";

const SEEDS = Array.from({ length: CI_SEEDS }, (_, i) => i + 1);

test.each(SEEDS)("seed %i: nothing is ever wrong, and all drains", { timeout: 120_000 }, async (seed) => {
  const run = { seed, hours: CI_HOURS };
  const result = await runSeed(run);
  expect(result.findings.length === 0 ? "" : failureOf(run, result)).toBe("");
});

test.each(FOUND_SEEDS)("seed $seed, which found: $found", { timeout: 120_000 }, async (run) => {
  const result = await runSeed(run);
  expect(result.findings.length === 0 ? "" : failureOf(run, result)).toBe("");
});

test("the same seed gives the same trace twice, another seed another", { timeout: 120_000 }, async () => {
  const hashes: string[] = [];
  for (const seed of [7, 7, 8]) hashes.push((await runSeed({ seed, hours: CI_HOURS })).hash);
  expect(hashes[1]).toBe(hashes[0]);
  expect(hashes[2]).not.toBe(hashes[0]);
});
