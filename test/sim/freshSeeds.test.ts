import { expect, test } from "vitest";
import type { Commit } from "./commit.ts";
import { firstFreshSeed } from "./freshSeeds.ts";

const ONE: Commit = { hash: "c1f59766f9a3a3cbb1f5b3e0a59c2a4f5e7d8c90", isChanged: false };
const OTHER: Commit = { hash: "bea1326e0a59c2a4f5e7d8c90c1f59766f9a3a3c", isChanged: false };

test("a commit has the same fresh seeds whenever it is tested, and another commit has others", () => {
  const first = firstFreshSeed(undefined, () => ONE);
  expect(firstFreshSeed("", () => ONE)).toBe(first);
  expect(firstFreshSeed(undefined, () => OTHER)).not.toBe(first);
  expect(first).toBeGreaterThanOrEqual(1000);
  expect(first).toBeLessThan(2 ** 31);
});

test("a tree that differs from its commit, or has none, draws its fresh seeds", () => {
  for (const commit of [{ ...ONE, isChanged: true }, null]) {
    const drawn = Array.from({ length: 5 }, () => firstFreshSeed(undefined, () => commit));
    expect(new Set(drawn).size).toBeGreaterThan(1);
    for (const seed of drawn) expect(Number.isInteger(seed)).toBe(true);
  }
});

test("a first seed that is asked for is taken, and one that is none is refused", () => {
  expect(firstFreshSeed("1198270308", () => ONE)).toBe(1198270308);
  for (const wanted of ["x", "-1", "1.5", String(2 ** 32)]) {
    expect(() => firstFreshSeed(wanted, () => ONE)).toThrow(RangeError);
  }
});
