import { KhuXanhError } from "../errors.ts";

/** Batch numbers `first` to `last`, both included. */
export interface BatchRange {
  readonly first: number;
  readonly last: number;
}

/** A set with more holes than this refuses the number that would add one: by then the numbers come from no honest counter. */
export const RANGES_MAX = 65_536;

/**
 * A set of batch numbers of one epoch, kept as sorted ranges that neither overlap nor touch.
 *
 * It has one owner, who changes it; give others `toRanges()`. Numbers are safe integers from 1 up. Adding at the end,
 * the usual case, costs a step; elsewhere a binary search and a shift.
 */
export class BatchRanges {
  // Two parallel arrays: half the memory and twice the speed of one array of objects.
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];
  #count = 0;

  static of(ranges: Iterable<BatchRange>): BatchRanges {
    const set = new BatchRanges();
    for (const { first, last } of ranges) set.addRange(first, last);
    return set;
  }

  /** How many numbers are in the set. */
  get count(): number {
    return this.#count;
  }

  /** How many ranges it takes. */
  get ranges(): number {
    return this.#firsts.length;
  }

  /** The highest number in the set, 0 if it is empty. */
  get highest(): number {
    return this.#lasts.at(-1) ?? 0;
  }

  has(number: number): boolean {
    const at = this.#indexEndingFrom(number);
    return at < this.#firsts.length && this.#firsts[at]! <= number;
  }

  /** True if every number from `first` to `last` is in the set. */
  covers(first: number, last: number): boolean {
    const at = this.#indexEndingFrom(last);
    return at < this.#firsts.length && this.#firsts[at]! <= first;
  }

  /** What is not in the set from `first` to `last`, both included. */
  missingIn(first: number, last: number): BatchRange[] {
    const gaps: BatchRange[] = [];
    let next = first;
    for (let at = this.#indexEndingFrom(first); at < this.#firsts.length && this.#firsts[at]! <= last; at++) {
      if (this.#firsts[at]! > next) gaps.push({ first: next, last: this.#firsts[at]! - 1 });
      next = this.#lasts[at]! + 1;
    }
    if (next <= last) gaps.push({ first: next, last });
    return gaps;
  }

  /** True if the number was not there before. */
  add(number: number): boolean {
    return this.addRange(number, number) === 1;
  }

  /**
   * Adds `first` to `last`; returns how many of them were new.
   * @throws {KhuXanhError} INTERNAL if they are no range of batch numbers; WIRE_TOO_LARGE above RANGES_MAX ranges.
   */
  addRange(first: number, last: number): number {
    assertRange(first, last);
    // Ranges from..until-1 overlap or touch the new one and melt into it.
    const from = this.#indexEndingFrom(first - 1);
    let until = from;
    let known = 0;
    let mergedFirst = first;
    let mergedLast = last;
    for (; until < this.#firsts.length && this.#firsts[until]! <= last + 1; until++) {
      const oldFirst = this.#firsts[until]!;
      const oldLast = this.#lasts[until]!;
      known += Math.max(0, Math.min(oldLast, last) - Math.max(oldFirst, first) + 1);
      mergedFirst = Math.min(mergedFirst, oldFirst);
      mergedLast = Math.max(mergedLast, oldLast);
    }
    if (until === from && this.#firsts.length >= RANGES_MAX) throw tooManyRanges(first);
    this.#replace(from, until, mergedFirst, mergedLast);
    const added = last - first + 1 - known;
    this.#count += added;
    return added;
  }

  /** The set as a list, ascending. */
  toRanges(): BatchRange[] {
    return this.#firsts.map((first, at) => ({ first, last: this.#lasts[at]! }));
  }

  /** What is not in the set from 1 up to, but not including, `limit`. */
  missingBelow(limit: number): BatchRange[] {
    const gaps: BatchRange[] = [];
    let next = 1;
    for (let at = 0; at < this.#firsts.length && next < limit; at++) {
      const gapLast = Math.min(this.#firsts[at]!, limit) - 1;
      if (gapLast >= next) gaps.push({ first: next, last: gapLast });
      next = this.#lasts[at]! + 1;
    }
    if (next < limit) gaps.push({ first: next, last: limit - 1 });
    return gaps;
  }

  /** The greatest n such that 1 to n are all in the set; 0 if 1 is not. */
  contiguousThrough(): number {
    return this.#firsts[0] === 1 ? this.#lasts[0]! : 0;
  }

  #replace(from: number, until: number, first: number, last: number): void {
    if (until - from === 1) {
      this.#firsts[from] = first;
      this.#lasts[from] = last;
      return;
    }
    this.#firsts.splice(from, until - from, first);
    this.#lasts.splice(from, until - from, last);
  }

  /** Index of the first range that ends at `number` or later. */
  #indexEndingFrom(number: number): number {
    let low = 0;
    let high = this.#lasts.length;
    if (high > 0 && this.#lasts[high - 1]! < number) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lasts[middle]! < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A number that can name a batch: the counter starts at 1. */
export function isBatchNumber(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 1;
}

function assertRange(first: number, last: number): void {
  if (isBatchNumber(first) && isBatchNumber(last) && first <= last) return;
  throw new KhuXanhError("INTERNAL", `${first}-${last} is no range of batch numbers`, {
    hint: "Report this as a bug: batch numbers are whole numbers from 1 up, and ranges ascend.",
    context: { first, last },
  });
}

function tooManyRanges(first: number): KhuXanhError {
  return new KhuXanhError("WIRE_TOO_LARGE", `batch ${first} would be range ${RANGES_MAX + 1} of its epoch`, {
    hint: "Look at the gateway that sends these batch numbers: more than every other batch of it is missing.",
    context: { first, rangesMax: RANGES_MAX },
  });
}
