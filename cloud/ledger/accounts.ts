import type { EpochMs } from "../../core/reading/reading.ts";
import type { MeterPolls, PollsRecord } from "../../core/wire/nodeRecord.ts";

/** What the gateway's own poll accounts say of one meter: of every interval, and of the times the gateway did not run. Pure. */
export interface PollAccounts {
  /** Null: no account begins in it. */
  readonly of: (from_ms: EpochMs, to_ms: EpochMs) => AccountedPolls | null;
  /** The gateway was not running at some time in it. */
  readonly hasRestarted: (from_ms: EpochMs, to_ms: EpochMs) => boolean;
}

export interface AccountedPolls {
  /** Sums of the accounts: before a restart and after it there is one each. */
  readonly sums: MeterPolls;
  /** How much of the interval they speak of; a time that a crash cut off has no account. */
  readonly covered_ms: number;
}

interface Account {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly boot: number;
  readonly polls: MeterPolls;
}

interface Stretch {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

export function pollAccounts(device: string, records: readonly PollsRecord[]): PollAccounts {
  const accounts = records
    .flatMap(({ from_ms, to_ms, boot, meters }) =>
      meters.filter((meter) => meter.device === device).map((polls): Account => ({ from_ms, to_ms, boot, polls })),
    )
    .sort((a, b) => a.from_ms - b.from_ms);
  const down = downtimes(accounts);
  return {
    of(from_ms, to_ms) {
      const own = accounts.slice(firstFrom(accounts, from_ms), firstFrom(accounts, to_ms));
      if (own.length === 0) return null;
      return { sums: own.map(({ polls }) => polls).reduce(sumOf), covered_ms: coveredBy(own, to_ms) };
    },
    hasRestarted(from_ms, to_ms) {
      // They do not overlap: the last one that begins before the end is the only one that can reach into it.
      const last = down[firstFrom(down, to_ms) - 1];
      return last !== undefined && last.to_ms > from_ms;
    },
  };
}

/** Between an account and the next one, if another boot gave that; within one boot the clock was set. */
function downtimes(accounts: readonly Account[]): Stretch[] {
  return accounts.flatMap(({ from_ms, boot }, i) => {
    const before = accounts[i - 1];
    const isDown = before !== undefined && before.boot !== boot && before.to_ms < from_ms;
    return isDown ? [{ from_ms: before.to_ms, to_ms: from_ms }] : [];
  });
}

/** Overlaps, of a clock that was set back, count once. */
function coveredBy(accounts: readonly Account[], end_ms: EpochMs): number {
  let covered_ms = 0;
  let until_ms = Number.NEGATIVE_INFINITY;
  for (const { from_ms, to_ms } of accounts) {
    covered_ms += Math.max(0, Math.min(to_ms, end_ms) - Math.max(from_ms, until_ms));
    until_ms = Math.max(until_ms, to_ms);
  }
  return covered_ms;
}

/** Index of the first stretch that begins at `at_ms` or later. */
function firstFrom(stretches: readonly Stretch[], at_ms: EpochMs): number {
  let low = 0;
  let high = stretches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stretches[middle]!.from_ms < at_ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sumOf(a: MeterPolls, b: MeterPolls): MeterPolls {
  return {
    device: a.device,
    expected: a.expected + b.expected,
    answered: a.answered + b.answered,
    timeouts: a.timeouts + b.timeouts,
    exceptions: a.exceptions + b.exceptions,
    garbled: a.garbled + b.garbled,
    unreachable: a.unreachable + b.unreachable,
    overruns: a.overruns + b.overruns,
    journaled: a.journaled + b.journaled,
  };
}
