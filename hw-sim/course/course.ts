/**
 * The course of a rate over time, exact: constant within each minute, whole numbers only.
 *
 * Units    rate: W (or var, VA), or L/h for gas and water; sums: rate x minute.
 * Why      a slot of 15 minutes is described by its running sum per minute, so every composition (sum, difference, share,
 *          what flows back) keeps integers, and the energy of any span is exact without numerical integration.
 * Limits   rates up to 10^9 over 100 years stay below 2^53; a slot index counts from the origin, see `originOf`.
 */
export interface Course {
  /** Sum of the rates of the first `minutes` (0 … 15) minutes of a slot. `upTo(slot, 0)` is 0. */
  upTo(slot: number, minutes: number): number;
  /** No minute's rate is farther than this from the slot's mean rate. */
  swing(slot: number): number;
}

export const SLOT_MINUTES = 15;
export const SLOT_ms = 900_000;
export const SLOTS_PER_DAY = 96;
export const DAY_ms = 86_400_000;

export const ZERO: Course = { upTo: () => 0, swing: () => 0 };

/** One whole rate per slot. */
export function stepCourse(rate: (slot: number) => number): Course {
  return { upTo: (slot, minutes) => rate(slot) * minutes, swing: () => 0 };
}

/**
 * One whole rate per minute, counted from the origin; may be negative. The slot asked for last is kept whole, and the sums of
 * all slots ever asked for, because every course made from this one walks over them again.
 *
 * @param sumOfSlot the sum of a slot's minutes where that is known without looking at each; null = it is not.
 */
export function minuteCourse(rate: (minute: number) => number, sumOfSlot?: (slot: number) => number | null): Course {
  const sums = new Float64Array(SLOT_MINUTES + 1);
  let held = Number.NaN;
  const whole = remembered((slot) => sumOfSlot?.(slot) ?? sumsOf(slot)[SLOT_MINUTES]!);
  function sumsOf(slot: number): Float64Array {
    if (slot !== held) {
      for (let k = 0; k < SLOT_MINUTES; k++) sums[k + 1] = sums[k]! + rate(slot * SLOT_MINUTES + k);
      held = slot;
    }
    return sums;
  }
  return {
    upTo: (slot, minutes) => (minutes === 0 ? 0 : minutes === SLOT_MINUTES ? whole(slot) : sumsOf(slot)[minutes]!),
    swing(slot) {
      const minutes = sumsOf(slot);
      const mean = minutes[SLOT_MINUTES]! / SLOT_MINUTES;
      let swing = 0;
      for (let k = 0; k < SLOT_MINUTES; k++) swing = Math.max(swing, Math.abs(minutes[k + 1]! - minutes[k]! - mean));
      return swing;
    },
  };
}

/**
 * A rate per slot with a ripple from minute to minute that adds up to nothing over the slot: minute k has
 * `base + h(k) − h(k + 1)` with `h(15) = h(0)`, so the sum to minute k is `k x base + h(0) − h(k)`.
 *
 * @param ripple_permille greatest |h| against the base, 0 … 1000; the rate never falls below 0.
 */
export function ripplingCourse(
  base: (slot: number) => number,
  ripple_permille: number,
  noise: (index: number) => number,
): Course {
  const amplitude = (slot: number) => Math.floor((base(slot) * ripple_permille) / 1000);
  return {
    upTo(slot, minutes) {
      const flat = base(slot) * minutes;
      if (minutes === 0 || minutes === SLOT_MINUTES) return flat;
      const limit = amplitude(slot);
      const h = (minute: number) => Math.floor(noise(slot * SLOT_MINUTES + minute) * (limit + 1));
      return flat + h(0) - h(minutes);
    },
    swing: amplitude,
  };
}

export function sumOf(courses: readonly Course[]): Course {
  if (courses.length === 1) return courses[0]!;
  return {
    upTo(slot, minutes) {
      let sum = 0;
      for (const course of courses) sum += course.upTo(slot, minutes);
      return sum;
    },
    swing(slot) {
      let sum = 0;
      for (const course of courses) sum += course.swing(slot);
      return sum;
    },
  };
}

/** `from − less`; may be negative: then it flows the other way. */
export function differenceOf(from: Course, less: Course): Course {
  return {
    upTo: (slot, minutes) => from.upTo(slot, minutes) - less.upTo(slot, minutes),
    swing: (slot) => from.swing(slot) + less.swing(slot),
  };
}

/** `permille(slot)` thousandths of a course, the running sum rounded down: never more than its part. */
export function shareOf(of: Course, permille: (slot: number) => number): Course {
  return {
    upTo: (slot, minutes) => Math.floor((of.upTo(slot, minutes) * permille(slot)) / 1000),
    swing: (slot) => Math.ceil((of.swing(slot) * permille(slot)) / 1000) + 1,
  };
}

/** What flows back: `max(0, −rate)` minute by minute. `sumOf([net, backflowOf(net)])` is then `max(0, rate)`. */
export function backflowOf(net: Course): Course {
  return {
    upTo(slot, minutes) {
      const mean = net.upTo(slot, SLOT_MINUTES) / SLOT_MINUTES;
      const swing = net.swing(slot);
      if (mean >= swing) return 0;
      if (mean <= -swing) return -net.upTo(slot, minutes) + 0;
      let back = 0;
      let before = 0;
      for (let minute = 1; minute <= minutes; minute++) {
        const after = net.upTo(slot, minute);
        back += Math.max(0, before - after);
        before = after;
      }
      return back;
    },
    swing: (slot) => 2 * net.swing(slot),
  };
}

/** A course in those minutes in which `net` flows the given way (1 = above zero, -1 = below), else nothing. */
export function whileFlowing(course: Course, net: Course, way: 1 | -1): Course {
  return {
    upTo(slot, minutes) {
      const mean = (way * net.upTo(slot, SLOT_MINUTES)) / SLOT_MINUTES;
      const swing = net.swing(slot);
      if (mean > swing) return course.upTo(slot, minutes);
      if (mean <= -swing) return 0;
      let sum = 0;
      for (let minute = 0; minute < minutes; minute++) {
        if (way * (net.upTo(slot, minute + 1) - net.upTo(slot, minute)) <= 0) continue;
        sum += course.upTo(slot, minute + 1) - course.upTo(slot, minute);
      }
      return sum;
    },
    swing: (slot) => Math.ceil(Math.abs(course.upTo(slot, SLOT_MINUTES)) / SLOT_MINUTES) + course.swing(slot),
  };
}

/** Apparent from active and reactive, of the slot's means: steady within a slot, whole VA. */
export function apparentOf(active: Course, reactive: Course): Course {
  return stepCourse((slot) =>
    Math.round(
      Math.hypot(active.upTo(slot, SLOT_MINUTES) / SLOT_MINUTES, reactive.upTo(slot, SLOT_MINUTES) / SLOT_MINUTES),
    ),
  );
}

/**
 * Remembers a number per slot, so that courses built on the same load do not compute it again. Memory is taken in pieces of
 * 64 days, only for days that were asked for.
 */
export function remembered(value: (slot: number) => number): (slot: number) => number {
  const pieces = new Map<number, Float64Array>();
  let last: { readonly index: number; readonly piece: Float64Array } = {
    index: Number.NaN,
    piece: new Float64Array(0),
  };
  const pieceOf = (index: number): Float64Array => {
    let piece = pieces.get(index);
    if (piece === undefined) {
      piece = new Float64Array(PIECE_SLOTS).fill(Number.NaN);
      pieces.set(index, piece);
    }
    return piece;
  };
  return (slot) => {
    const index = Math.floor(slot / PIECE_SLOTS);
    if (index !== last.index) last = { index, piece: pieceOf(index) };
    const { piece } = last;
    const at = slot - index * PIECE_SLOTS;
    const held = piece[at]!;
    if (!Number.isNaN(held)) return held;
    const fresh = value(slot);
    piece[at] = fresh;
    return fresh;
  };
}

const PIECE_SLOTS = SLOTS_PER_DAY * 64;

/** The same course, its sums of whole slots remembered: for what is put together of many and counted in many ways. */
export function rememberedCourse(course: Course): Course {
  if (course === ZERO) return course;
  const whole = remembered((slot) => course.upTo(slot, SLOT_MINUTES));
  return {
    upTo: (slot, minutes) => (minutes === SLOT_MINUTES ? whole(slot) : course.upTo(slot, minutes)),
    swing: course.swing,
  };
}
