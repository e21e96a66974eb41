import { ticksApart } from "../ledger/seam.ts";
import type { StoredInterval, ZoneStore } from "../store/store.ts";

/** Two neighbours whose counts do not meet. */
export interface Seam {
  readonly after: StoredInterval;
  /** As {@link ticksApart}. */
  readonly ticks: bigint;
}

/**
 * Where the books do not go on from one interval to the next, at either end of these. Only between two that are compared: one
 * that waits may yet be recomputed, and is looked at then. Within an epoch what a gateway booked goes on from itself.
 * @param compared in one helping; of one gateway
 */
export function seamsAt(compared: readonly StoredInterval[], store: Pick<ZoneStore, "intervals">): readonly Seam[] {
  const seen = new Map<string, Seam>();
  for (const { gateway, device, quantity, from_ms, to_ms } of compared) {
    const around = store.intervals(gateway, device, quantity, from_ms - (to_ms - from_ms), to_ms + 1, AROUND_MAX);
    for (const [i, after] of around.entries()) {
      const before = around[i - 1];
      if (before === undefined) continue;
      const verdicts = [before.verification, after.verification];
      if (verdicts.includes("pending")) continue;
      if (before.epoch === after.epoch && !verdicts.includes("recomputed")) continue;
      const ticks = ticksApart(before, after);
      if (ticks !== 0n) seen.set(`${device} ${quantity} ${after.from_ms}`, { after, ticks });
    }
  }
  return [...seen.values()];
}

/** The one before, itself, and the one after; more where the length of intervals was changed. */
const AROUND_MAX = 8;
