import { expect, test } from "vitest";
import { firstFreshSeed } from "./freshSeeds.ts";
import { failureOf } from "./report.ts";
import { runSeed } from "./run.ts";
import { CI_HOURS, CI_SEEDS } from "./seeds.ts";

// Those of the commit. A seed that fails stands in its test's name, and in the command that runs it again.
const FIRST = firstFreshSeed(process.env.KHUXANH_FIRST_SEED);
const SEEDS = Array.from({ length: CI_SEEDS }, (_, i) => FIRST + i);

test.each(SEEDS)("fresh seed %i: nothing is ever wrong, and all drains", { timeout: 120_000 }, async (seed) => {
  const run = { seed, hours: CI_HOURS };
  const result = await runSeed(run);
  expect(result.findings.length === 0 ? "" : failureOf(run, result)).toBe("");
});
