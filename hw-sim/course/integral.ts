import { type Course, DAY_ms, SLOT_MINUTES, SLOT_ms, SLOTS_PER_DAY } from "./course.ts";

export const MINUTE_ms = 60_000;

/** Ticks in one Wh, varh, VAh or litre: a tick is rate x ms, that is 1 mJ. */
export const TICKS_PER_UNIT = 3_600_000n;
/** Ticks in one kWh or m3. */
export const TICKS_PER_THOUSAND = 3_600_000_000n;

/** One minute of an integral: within it the rate is constant, so the total anywhere in it is a multiplication away. */
export interface Minute {
  readonly from_ms: number;
  /** Total at `from_ms`. */
  readonly total: bigint;
  /** What flows. */
  readonly rate: number;
  /** What of it is counted: nothing before `since_ms`. */
  readonly counted: number;
}

/**
 * The exact integral of a course, and its rate, at any millisecond.
 *
 * Units    rate as the course; total in ticks of rate x ms (1 mJ for watts): 3,600,000 to the Wh or litre.
 * Cost     each day is summed once; a question about the day of the question before costs a few additions, about another
 *          day 96 slots; about the minute of the question before nothing.
 * Limits   nothing is counted before `since_ms`; 200 years after it (the day table's size).
 */
export interface Integral {
  /** The minute an instant lies in: the same object as long as questions stay within one minute. */
  minute(at_ms: number): Minute;
  rate(at_ms: number): number;
  total(at_ms: number): bigint;
}

/** The total at an instant of a minute. */
export function totalWithin({ total, counted, from_ms }: Omit<Minute, "rate">, at_ms: number): bigint {
  return counted === 0 ? total : total + BigInt(counted * (Math.floor(at_ms) - from_ms));
}

/** @param origin_ms local midnight that slot 0 begins at. @param since_ms local midnight the total counts from. */
export function integralOf(course: Course, origin_ms: number, since_ms: number): Integral {
  const firstDay = Math.round((since_ms - origin_ms) / DAY_ms);
  /** Sum of all days before `firstDay + index`, rate x minutes. */
  const daySums = [0];
  const slotSums = new Float64Array(SLOTS_PER_DAY + 1);
  let slotSumsDay = Number.NaN;

  function sumBeforeDay(day: number): number {
    const index = day - firstDay;
    if (index > DAYS_MAX) throw new RangeError(`day ${index} after the meter's first is beyond ${DAYS_MAX}`);
    for (let known = daySums.length - 1; known < index; known++) {
      let sum = daySums[known]!;
      const slot = (firstDay + known) * SLOTS_PER_DAY;
      for (let i = 0; i < SLOTS_PER_DAY; i++) sum += course.upTo(slot + i, SLOT_MINUTES);
      daySums.push(sum);
    }
    return daySums[index]!;
  }

  function sumOfDayBeforeSlot(day: number, slotOfDay: number): number {
    if (day !== slotSumsDay) {
      for (let i = 0; i < SLOTS_PER_DAY; i++) {
        slotSums[i + 1] = slotSums[i]! + course.upTo(day * SLOTS_PER_DAY + i, SLOT_MINUTES);
      }
      slotSumsDay = day;
    }
    return slotSums[slotOfDay]!;
  }

  function minuteFrom(from_ms: number): Minute {
    const past_ms = from_ms - origin_ms;
    const slot = Math.floor(past_ms / SLOT_ms);
    const minute = Math.floor((past_ms - slot * SLOT_ms) / MINUTE_ms);
    const before = course.upTo(slot, minute);
    const rate = course.upTo(slot, minute + 1) - before;
    if (from_ms < since_ms) return { from_ms, total: 0n, rate, counted: 0 };
    const day = Math.floor(past_ms / DAY_ms);
    const wholeMinutes = sumBeforeDay(day) + sumOfDayBeforeSlot(day, slot - day * SLOTS_PER_DAY) + before;
    return { from_ms, total: BigInt(wholeMinutes) * 60_000n, rate, counted: rate };
  }

  let last: Minute = { from_ms: Number.NaN, total: 0n, rate: 0, counted: 0 };

  function minute(at_ms: number): Minute {
    const past_ms = at_ms - last.from_ms;
    if (past_ms >= 0 && past_ms < MINUTE_ms) return last;
    last = minuteFrom(origin_ms + Math.floor((at_ms - origin_ms) / MINUTE_ms) * MINUTE_ms);
    return last;
  }

  return {
    minute,
    rate: (at_ms) => minute(at_ms).rate,
    total: (at_ms) => totalWithin(minute(at_ms), at_ms),
  };
}

const DAYS_MAX = 73_050;
