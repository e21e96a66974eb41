import { randomInt } from "node:crypto";
import { type Commit, commitHere } from "./commit.ts";
import { SEED_MAX } from "./seeds.ts";

/** Below it are the fixed ones. */
const FIRST_MIN = 1000;
const FIRST_MAX = 2 ** 31;

/**
 * The first of the fresh seeds. Those of a commit are the same whenever it is tested, so that what was green stays green and
 * what was red can be run again; every commit has others. A tree that differs from its commit, or has none, draws them.
 *
 * @param wanted KHUXANH_FIRST_SEED: what a person says comes first
 * @throws {RangeError} it is no seed
 */
export function firstFreshSeed(wanted: string | undefined, commit: () => Commit | null = commitHere): number {
  if (wanted !== undefined && wanted !== "") {
    const seed = Number(wanted);
    if (Number.isInteger(seed) && seed >= 0 && seed <= SEED_MAX) return seed;
    throw new RangeError(`KHUXANH_FIRST_SEED=${wanted}: a whole number from 0 to ${SEED_MAX}`);
  }
  const here = commit();
  return here === null || here.isChanged ? randomInt(FIRST_MIN, FIRST_MAX) : seedOfCommit(here.hash);
}

function seedOfCommit(hash: string): number {
  return FIRST_MIN + (Number.parseInt(hash.slice(0, 12), 16) % (FIRST_MAX - FIRST_MIN));
}
