import { readFileSync } from "node:fs";
import type { RunOptions } from "./run.ts";

/** A seed that once found something; it is run for ever (`seeds.json`). */
export interface FoundSeed extends RunOptions {
  /** What it found, and where it was put right. */
  readonly found: string;
}

export const FOUND_SEEDS = JSON.parse(
  readFileSync(new URL("seeds.json", import.meta.url), "utf8"),
) as readonly FoundSeed[];

/** Virtual hours with faults in continuous integration: at least two ends of intervals, a dozen faults. */
export const CI_HOURS = 0.5;
export const CI_SEEDS = 20;

/** Seeds are 32 bits wide. */
export const SEED_MAX = 2 ** 32 - 1;
