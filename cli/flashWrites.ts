/**
 * What an agent makes its disk write in a day, before anything is built: a card or eMMC wears by it.
 *
 * Basis    the journal's own commits, measured with /proc/self/io (write_bytes) at 1 to 100 batches of 12 to 40 registers, 20 readings
 *          each, synchronous=FULL, WAL on ext4: 6.4 KiB for 1 batch, 11 for 25, 14.5 for 50, 21.5 for 100 of 40 registers, 9.5 for 50 of 12.
 *          Pages are written twice, into the log and later into the file; what batches have alike is kept once
 * Limits   within a third of those measurements. What the device adds by erasing larger blocks is not known here, nor is what
 *          intervals and emissions add, which is some per cent
 */
const COMMIT_BYTES = 6.4 * 1024;
const BATCH_BYTES = 20;
const WORD_BYTES = 3.4;
const DAY_MS = 86_400_000;
/** The heartbeat of a gateway: everything due in one tick is one commit. */
const TICK_MIN_MS = 100;
const TICK_MAX_MS = 1000;

export interface FlashWrites {
  readonly commits_per_day: number;
  readonly bytes_per_day: number;
}

/** @param polls what every meter is asked for in one go, and how often. */
export function flashWrites(polls: readonly { readonly every_ms: number; readonly registers: number }[]): FlashWrites {
  const shortest_ms = Math.min(...polls.map(({ every_ms }) => every_ms));
  const tick_ms = Math.min(TICK_MAX_MS, Math.max(TICK_MIN_MS, shortest_ms));
  // A tick in which nothing is due commits nothing.
  const commits_per_day = polls.length === 0 ? 0 : Math.round(DAY_MS / Math.max(tick_ms, shortest_ms));
  const batches = polls.reduce(
    (sum, { every_ms, registers }) => sum + (DAY_MS / every_ms) * (BATCH_BYTES + WORD_BYTES * registers),
    0,
  );
  return { commits_per_day, bytes_per_day: Math.round(commits_per_day * COMMIT_BYTES + batches) };
}
