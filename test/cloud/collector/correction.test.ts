import { expect, test } from "vitest";
import { type Correction, joined } from "../../../cloud/collector/correction.ts";
import type { StoredInterval } from "../../../cloud/store/store.ts";
import type { Boundary } from "../../../core/interval/interval.ts";
import { GATEWAY, interval } from "../../contract/store.ts";

const boundary = (count: number): Boundary => ({ count: BigInt(count), words: null, across: null });
const row = (index: number, opening: number, closing: number): StoredInterval => ({
  ...interval(index, { opening: boundary(opening), closing: boundary(closing), ticks: BigInt(closing - opening) }),
  gateway: GATEWAY,
  epoch: "e2",
  batch: index + 1,
  verification: "pending",
});

/** The first one is held and closes with 100; the gateway then shared out 290 ticks, and 300 were counted. */
const HELD = row(0, 0, 100);
const SHARED = [row(1, 110, 205), row(2, 205, 300), row(3, 300, 400)];
const COUNTED: readonly (readonly [number, number])[] = [
  [100, 190],
  [190, 290],
  [290, 400],
];

function corrections(counted: readonly (readonly [number, number] | null)[], held: readonly StoredInterval[]) {
  const rows = [...held, ...SHARED];
  const correctionAt = (interval: StoredInterval): Correction | null => {
    const counts = counted[SHARED.indexOf(interval)];
    if (counts === undefined || counts === null) return null;
    const [opening, closing] = counts;
    const ticks = BigInt(closing - opening);
    const figure = { ...interval, opening: boundary(opening), closing: boundary(closing), ticks };
    return { interval, figure, entries: [] };
  };
  const store = {
    intervals: (_g: unknown, _d: unknown, _q: unknown, from_ms: number, to_ms: number) =>
      rows.filter((one) => one.from_ms >= from_ms && one.from_ms < to_ms),
  };
  return joined(correctionAt(SHARED[0]!)!, store, correctionAt)?.map(({ figure }) => figure.ticks) ?? null;
}

test("intervals that go on from one another are corrected together, from the one held before to where the counts are the same", () => {
  expect(corrections(COUNTED, [HELD])).toEqual([90n, 100n, 110n]);
  expect(corrections([[100, 205], null, null], [HELD])).toEqual([105n]);
});

test("nothing is corrected where one of them cannot be, or where the first would not go on from the one before it", () => {
  expect(corrections([COUNTED[0]!, null, COUNTED[2]!], [HELD])).toBeNull();
  expect(corrections([COUNTED[0]!, COUNTED[1]!, null], [HELD])).toBeNull();
  expect(corrections([COUNTED[0]!, [191, 290], COUNTED[2]!], [HELD])).toBeNull();
  expect(corrections(COUNTED, [row(0, 0, 110)])).toBeNull();
});

test("where nothing is held before, or its count is not known, there is nothing to go on from", () => {
  expect(corrections(COUNTED, [])).toEqual([90n, 100n, 110n]);
  expect(corrections(COUNTED, [{ ...HELD, closing: null }])).toEqual([90n, 100n, 110n]);
});
