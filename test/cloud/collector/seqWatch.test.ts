import fc from "fast-check";
import { expect, test } from "vitest";
import { SeqWatch } from "../../../cloud/collector/seqWatch.ts";

const TIMEOUT_MS = 2000;

/** Messages by their distance from the birth. */
function watch(order: readonly number[], start = 0): SeqWatch {
  const seq = new SeqWatch();
  seq.born(start);
  for (const [at, n] of order.entries()) seq.came((start + n) % 256, at);
  return seq;
}

test("in order, over the turn of the counter, nothing is overdue", () => {
  const order = Array.from({ length: 600 }, (_, i) => i + 1);
  expect(watch(order, 250).isOverdue(0, 1e9)).toBe(false);
});

test("a gap is overdue after the time, once; then only a birth begins anew", () => {
  const seq = watch([1, 2, 4, 5]);
  expect(seq.isOverdue(TIMEOUT_MS, 2 + TIMEOUT_MS - 1)).toBe(false);
  expect(seq.isOverdue(TIMEOUT_MS, 2 + TIMEOUT_MS)).toBe(true);
  expect(seq.isOverdue(TIMEOUT_MS, 1e9)).toBe(false);
  seq.came(9, 1e9);
  expect(seq.isOverdue(TIMEOUT_MS, 2e9)).toBe(false);
  seq.born(0);
  seq.came(2, 2e9);
  expect(seq.isOverdue(TIMEOUT_MS, 3e9)).toBe(true);
});

test("a repeat of what came is no gap, and before a birth nothing is expected", () => {
  expect(watch([1, 2, 2, 1]).isOverdue(0, 1e9)).toBe(false);
  const unborn = new SeqWatch();
  unborn.came(77, 0);
  expect(unborn.isOverdue(0, 1e9)).toBe(false);
});

test("law: however a stretch of messages is shuffled, when all have come nothing is overdue", () => {
  const shuffled = fc.integer({ min: 1, max: 60 }).chain((length) =>
    fc.shuffledSubarray(
      Array.from({ length }, (_, i) => i + 1),
      { minLength: length },
    ),
  );
  fc.assert(
    fc.property(shuffled, fc.integer({ min: 0, max: 255 }), (order, start) => {
      expect(watch(order, start).isOverdue(0, 1e9)).toBe(false);
    }),
  );
});
