import type { Interval } from "../../core/interval/interval.ts";

/**
 * By how many ticks an interval opens beyond the count the one before it closed with. Above 0 they stand in no interval, below
 * it in two; 0 as it should be, and where the counts cannot be compared: one is not known, the clock was set (part of the
 * energy stands elsewhere then), or another tick is counted.
 */
export function ticksApart(before: Interval, after: Interval): bigint {
  const [closing, opening] = [before.closing, after.opening];
  const isNext = before.to_ms === after.from_ms && before.cause !== "clock" && after.cause !== "clock";
  if (!isNext || closing === null || opening === null) return 0n;
  const isSameTick = before.tick.amount === after.tick.amount && before.tick.unit === after.tick.unit;
  return isSameTick ? opening.count - closing.count : 0n;
}
