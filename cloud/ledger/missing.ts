import type { GatewayKey, ZoneStore } from "../store/store.ts";

/** Batch numbers below the highest known that are neither held nor given up; they count from 1. */
export function missingBatches(
  store: Pick<ZoneStore, "batchRanges" | "lostRanges">,
  gateway: GatewayKey,
  epoch: string,
): number {
  return missingIn([...store.batchRanges(gateway, epoch), ...store.lostRanges(gateway, epoch)]);
}

/** How many numbers from 1 to the highest stand in none of the ranges, which may overlap and come in any order. */
export function missingIn(ranges: readonly (readonly [number, number])[]): number {
  let next = 1;
  let missing = 0;
  for (const [first, last] of [...ranges].sort(([a], [b]) => a - b)) {
    missing += Math.max(0, first - next);
    next = Math.max(next, last + 1);
  }
  return missing;
}
