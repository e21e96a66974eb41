import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { afterSilence, BACKOFF_MAX_MS, type Backoff, isHeld } from "../../../agent/poll/backoff.ts";
import { isDue, nextDue_ms } from "../../../agent/poll/due.ts";
import { BusLoad } from "../../../agent/poll/load.ts";

const T = 1_760_000_400_000;
const QUARTERS = { interval_ms: 900_000, time_zone: "Asia/Ho_Chi_Minh" };

describe("due times", () => {
  test("are multiples of the period on the wall clock", () => {
    expect(nextDue_ms(T + 3456, 1000, null)).toBe(T + 4000);
    expect(nextDue_ms(T + 4000, 1000, null)).toBe(T + 5000);
  });

  test("of counters include the end of every interval, however the period divides it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 900_000 }), fc.nat(900_000), (every_ms, offset_ms) => {
        let at_ms = T + offset_ms;
        const end_ms = Math.floor(at_ms / 900_000) * 900_000 + 900_000;
        if (every_ms < 5000) at_ms = end_ms - (offset_ms % every_ms) - 1;
        while (at_ms < end_ms) {
          const due_ms = nextDue_ms(at_ms, every_ms, QUARTERS);
          expect(due_ms).toBeGreaterThan(at_ms);
          expect(due_ms - at_ms).toBeLessThanOrEqual(every_ms);
          at_ms = due_ms;
        }
        expect(at_ms - end_ms).toBeLessThan(every_ms <= 1000 ? 1000 : 1);
      }),
    );
  });

  test("further off than a period were set before the clock went back", () => {
    expect(isDue(T + 1000, 1000, T)).toBe(false);
    expect(isDue(T + 1001, 1000, T)).toBe(true);
  });
});

test("silence is answered with 1, 2, 4 … periods of patience, a minute at most, and none after the clock went back", () => {
  let held: Backoff | undefined;
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    held = afterSilence(held, 1000, T);
    waits.push((held.until_ms - T) / 1000);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(isHeld(held, T)).toBe(true);
  expect(isHeld(held, T + BACKOFF_MAX_MS)).toBe(false);
  expect(isHeld(held, T - 1)).toBe(false);
  expect(isHeld(undefined, T)).toBe(false);
});

test("load is the share of the last ten seconds, and nothing once the line has been quiet for twenty", () => {
  const load = new BusLoad();
  expect(load.load_pct(0)).toBe(0);
  for (let at_ms = 0; at_ms < 10_000; at_ms += 100) load.used(at_ms, at_ms + 25);
  expect(load.load_pct(10_000)).toBe(25);
  load.used(10_000, 10_500);
  expect(load.load_pct(15_000)).toBe(25);
  expect(load.load_pct(20_000)).toBe(5);
  expect(load.load_pct(60_000)).toBe(0);
});
