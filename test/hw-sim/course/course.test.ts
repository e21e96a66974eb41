import fc from "fast-check";
import { expect, test } from "vitest";
import {
  backflowOf,
  type Course,
  DAY_ms,
  differenceOf,
  ripplingCourse,
  SLOT_MINUTES,
  SLOT_ms,
  shareOf,
  stepCourse,
  sumOf,
} from "../../../hw-sim/course/course.ts";
import { integralOf } from "../../../hw-sim/course/integral.ts";
import { unitNoise } from "../../../hw-sim/course/noise.ts";

const ORIGIN_ms = 1_514_739_600_000;

const noisy = (seed: number, peak: number, ripple_permille: number): Course =>
  ripplingCourse(
    (slot) => Math.floor(unitNoise(seed, slot) * peak),
    ripple_permille,
    (index) => unitNoise(seed + 1, index),
  );

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const offsets_ms = fc.integer({ min: 0, max: 40 * DAY_ms });

/** Rate x ms, minute by minute: the definition, slowly. */
function slowly(course: Course, from_ms: number, to_ms: number): bigint {
  let sum = 0n;
  for (let at = from_ms; at < to_ms; ) {
    const past = at - ORIGIN_ms;
    const slot = Math.floor(past / SLOT_ms);
    const minute = Math.floor((past - slot * SLOT_ms) / 60_000);
    const next = Math.min(to_ms, ORIGIN_ms + slot * SLOT_ms + (minute + 1) * 60_000);
    sum += BigInt(course.upTo(slot, minute + 1) - course.upTo(slot, minute)) * BigInt(next - at);
    at = next;
  }
  return sum;
}

test("the difference of two totals is the power of every minute between, to the millijoule", () => {
  fc.assert(
    fc.property(seeds, offsets_ms, fc.integer({ min: 0, max: 3 * DAY_ms }), (seed, offset, length) => {
      const course = noisy(seed, 900_000, 200);
      const integral = integralOf(course, ORIGIN_ms, ORIGIN_ms);
      const from = ORIGIN_ms + offset;
      expect(integral.total(from + length) - integral.total(from)).toBe(slowly(course, from, from + length));
    }),
    { numRuns: 60 },
  );
});

test("a total does not depend on what was asked before", () => {
  fc.assert(
    fc.property(seeds, fc.array(offsets_ms, { minLength: 1, maxLength: 30 }), (seed, offsets) => {
      const course = noisy(seed, 50_000, 100);
      const asked = integralOf(course, ORIGIN_ms, ORIGIN_ms);
      const answers = offsets.map((offset) => asked.total(ORIGIN_ms + offset));
      const fresh = offsets.map((offset) => integralOf(course, ORIGIN_ms, ORIGIN_ms).total(ORIGIN_ms + offset));
      expect(answers).toEqual(fresh);
    }),
    { numRuns: 30 },
  );
});

test("a ripple moves the minutes and not the sum of a slot, and never turns the rate around", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 1000 }), (seed, slot, permille) => {
      const course = noisy(seed, 10_000, permille);
      const mean = course.upTo(slot, SLOT_MINUTES) / SLOT_MINUTES;
      expect(mean).toBe(Math.floor(unitNoise(seed, slot) * 10_000));
      for (let minute = 0; minute < SLOT_MINUTES; minute++) {
        const rate = course.upTo(slot, minute + 1) - course.upTo(slot, minute);
        expect(rate).toBeGreaterThanOrEqual(0);
        expect(Math.abs(rate - mean)).toBeLessThanOrEqual(course.swing(slot));
      }
    }),
  );
});

test("what flows in less what flows out is the net, and never both in one minute", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 0, max: 3000 }), (seed, slot) => {
      const net = differenceOf(noisy(seed, 100_000, 150), noisy(seed + 7, 120_000, 150));
      const out = backflowOf(net);
      const inward = sumOf([net, out]);
      for (let minute = 0; minute < SLOT_MINUTES; minute++) {
        const rate = (course: Course) => course.upTo(slot, minute + 1) - course.upTo(slot, minute);
        expect(rate(inward)).toBe(Math.max(0, rate(net)));
        expect(rate(out)).toBe(Math.max(0, -rate(net)));
      }
    }),
  );
});

test("a share is never more than its part", () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 1000 }), (seed, slot, permille) => {
      const whole = noisy(seed, 77_777, 100);
      const part = shareOf(whole, () => permille);
      for (let minutes = 1; minutes <= SLOT_MINUTES; minutes++) {
        const exact = (whole.upTo(slot, minutes) * permille) / 1000;
        expect(part.upTo(slot, minutes)).toBeLessThanOrEqual(exact);
        expect(part.upTo(slot, minutes)).toBeGreaterThan(exact - 1);
      }
    }),
  );
});

test("before its first day an integral is nothing", () => {
  const integral = integralOf(
    stepCourse(() => 1000),
    ORIGIN_ms,
    ORIGIN_ms + 5 * DAY_ms,
  );
  expect(integral.total(ORIGIN_ms + DAY_ms)).toBe(0n);
  expect(integral.total(ORIGIN_ms + 6 * DAY_ms)).toBe(1000n * BigInt(DAY_ms));
});
