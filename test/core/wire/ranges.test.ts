import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BatchRange, BatchRanges, RANGES_MAX } from "../../../core/wire/ranges.ts";

/** The plain truth to compare with. */
function modelOf(added: readonly BatchRange[]): Set<number> {
  const model = new Set<number>();
  for (const { first, last } of added) for (let n = first; n <= last; n++) model.add(n);
  return model;
}

function numbersOf(ranges: readonly BatchRange[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, at) => first + at));
}

const range = fc
  .tuple(fc.integer({ min: 1, max: 80 }), fc.nat(12))
  .map(([first, more]) => ({ first, last: first + more }));
const single = fc.integer({ min: 1, max: 80 }).map((n) => ({ first: n, last: n }));
const additions = fc.array(fc.oneof(range, single), { maxLength: 40 });

describe("a set of batch numbers behaves like a plain set", () => {
  test("each addition says how many numbers were new", () => {
    fc.assert(
      fc.property(additions, (added) => {
        const set = new BatchRanges();
        added.forEach(({ first, last }, at) => {
          const before = modelOf(added.slice(0, at)).size;
          const after = modelOf(added.slice(0, at + 1)).size;
          expect(first === last ? Number(set.add(first)) : set.addRange(first, last)).toBe(after - before);
          expect(set.count).toBe(after);
        });
      }),
    );
  });

  test("it has the same members, gaps, beginning and end", () => {
    fc.assert(
      fc.property(additions, fc.integer({ min: 0, max: 120 }), (added, limit) => {
        const set = BatchRanges.of(added);
        const model = modelOf(added);
        for (let n = 0; n <= 100; n++) expect(set.has(n)).toBe(model.has(n));
        expect(numbersOf(set.toRanges())).toStrictEqual([...model].sort((a, b) => a - b));
        expect(set.highest).toBe(Math.max(0, ...model));
        const missing = Array.from({ length: Math.max(0, limit - 1) }, (_, at) => at + 1).filter((n) => !model.has(n));
        expect(numbersOf(set.missingBelow(limit))).toStrictEqual(missing);
        let contiguous = 0;
        while (model.has(contiguous + 1)) contiguous++;
        expect(set.contiguousThrough()).toBe(contiguous);
      }),
    );
  });

  test("its ranges ascend and never touch, so there is one list for one set", () => {
    fc.assert(
      fc.property(additions, (added) => {
        const ranges = BatchRanges.of(added).toRanges();
        for (const [at, { first, last }] of ranges.entries()) {
          expect(first).toBeLessThanOrEqual(last);
          if (at > 0) expect(first).toBeGreaterThan(ranges[at - 1]!.last + 1);
        }
        expect(BatchRanges.of([...added].reverse()).toRanges()).toStrictEqual(ranges);
        expect(BatchRanges.of(ranges).toRanges()).toStrictEqual(ranges);
      }),
    );
  });
});

describe("edges", () => {
  test("an empty set has nothing, and everything is missing from it", () => {
    const set = new BatchRanges();
    expect([set.count, set.highest, set.contiguousThrough(), set.has(1)]).toStrictEqual([0, 0, 0, false]);
    expect(set.missingBelow(5)).toStrictEqual([{ first: 1, last: 4 }]);
    expect(set.missingBelow(1)).toStrictEqual([]);
  });

  test("the largest safe integer is a batch number like any other", () => {
    const top = Number.MAX_SAFE_INTEGER;
    const set = BatchRanges.of([{ first: 1, last: top - 2 }]);
    expect(set.add(top)).toBe(true);
    expect(set.missingBelow(top)).toStrictEqual([{ first: top - 1, last: top - 1 }]);
    expect(set.addRange(1, top)).toBe(1);
    expect(set.toRanges()).toStrictEqual([{ first: 1, last: top }]);
    expect(set.count).toBe(top);
  });

  test("a list handed out does not change with the set", () => {
    const set = BatchRanges.of([{ first: 1, last: 2 }]);
    const before = set.toRanges();
    set.add(3);
    expect(before).toStrictEqual([{ first: 1, last: 2 }]);
  });

  for (const [first, last] of [
    [0, 1],
    [-1, 1],
    [2, 1],
    [1.5, 2],
    [1, Number.NaN],
    [1, 2 ** 53],
  ] as const) {
    test(`${first}-${last} is a mistake`, () => {
      expect(() => new BatchRanges().addRange(first, last)).toThrow(/INTERNAL/);
    });
  }

  test("at the limit only the number that would open one more hole is refused", () => {
    const set = new BatchRanges();
    for (let at = 0; at < RANGES_MAX; at++) set.add(1 + 2 * at);
    const beyond = 2 * RANGES_MAX + 5;
    expect(() => set.add(beyond)).toThrow(expect.objectContaining({ code: "WIRE_TOO_LARGE" }));
    expect([set.has(beyond), set.count]).toStrictEqual([false, RANGES_MAX]);
    expect(set.add(2)).toBe(true);
    expect(set.add(beyond)).toBe(true);
  });
});
