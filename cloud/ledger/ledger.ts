import { intervalStart } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { ClockRecord, LossRecord, MeterSwapRecord, PollsRecord } from "../../core/wire/nodeRecord.ts";
import type { Presence, StoredEmission, StoredInterval } from "../store/store.ts";
import { type AccountedPolls, type PollAccounts, pollAccounts } from "./accounts.ts";
import {
  type Cause,
  type Circumstance,
  causeOfAbsence,
  causeOfInterval,
  causeOfMissingReadings,
  type EnergyAcross,
} from "./cause.ts";
import { ticksApart } from "./seam.ts";

/**
 * The delivery ledger of one counter: for every interval what was to be read, what was read, what the gateway recorded, what
 * arrived and what is stored; why the rest is not here, and whether its energy is known all the same. Pure.
 *
 * What was to be read and was, the interval says itself: it is made anew from the journal after a crash. The gateway's accounts
 * (`PollsRecord`) say so only of an interval without a record, and of time that a crash cut off they say nothing; what the
 * polls that failed ended in, and what was journaled, is theirs to say. A batch of readings is one poll.
 */
export interface LedgerFacts {
  readonly device: string;
  readonly from_ms: EpochMs;
  /** Intervals that end later are not over, or may still be on their way in the ordinary course of things. */
  readonly to_ms: EpochMs;
  readonly interval_ms: number;
  readonly time_zone: string;
  /** Of the counter, oldest first. */
  readonly intervals: readonly StoredInterval[];
  readonly emissions: readonly StoredEmission[];
  /** Batches of readings per interval start. */
  readonly batches: ReadonlyMap<EpochMs, BatchCount>;
  readonly losses: readonly LossRecord[];
  readonly clocks: readonly ClockRecord[];
  /** Also those before and after the time asked for: between two of them a gateway that was down shows. */
  readonly polls: readonly PollsRecord[];
  readonly swaps: readonly MeterSwapRecord[];
  readonly presence: readonly Presence[];
  /** Content of this time and later may still be with the gateway; infinity: it has nothing that is not here. */
  readonly underWayFrom_ms: EpochMs;
}

export interface BatchCount {
  readonly stored: number;
  /** Arrived and could not be used: quarantine, dead letters. */
  readonly setAside: number;
}

export interface LedgerLine {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly polls: {
    readonly expected: number | null;
    readonly read: number | null;
    /** As the gateway's accounts say, and at least what is stored; null: it gave none, and nothing is here. */
    readonly journaled: number | null;
    readonly received: number;
    readonly stored: number;
    /** Given up by the gateway, as it said. */
    readonly lost: number;
  };
  /** Polls stored beyond those that were ever taken, as far as that is known: a journal that was copied, or a mistake. */
  readonly surplus: number;
  /** Ticks between the closing of the interval before and the opening of this one, as `ticksApart`; 0 as it should be. */
  readonly apart_ticks: bigint;
  /** Null: no record of this interval. */
  readonly figure: StoredInterval | null;
  readonly emissions: readonly StoredEmission[];
  /** The gateway's clock was off by so much when this was taken: true time = booked time + this. Null: it was not. */
  readonly redated_ms: number | null;
  /** Null: everything is here. */
  readonly hole: (Cause & { readonly energy: EnergyAcross }) | null;
}

/** One line an interval from `from_ms` (its interval's start) to `to_ms`. */
export function ledgerLines(facts: LedgerFacts): LedgerLine[] {
  const held = new Map(facts.intervals.map((interval) => [interval.from_ms, interval]));
  const emissions = Map.groupBy(facts.emissions, ({ from_ms }) => from_ms);
  const accounts = pollAccounts(facts.device, facts.polls);
  const lines: LedgerLine[] = [];
  let from_ms = intervalStart(facts.from_ms, facts.interval_ms, facts.time_zone);
  for (; from_ms + facts.interval_ms <= facts.to_ms; from_ms += facts.interval_ms) {
    lines.push(lineOf(facts, accounts, from_ms, held.get(from_ms) ?? null, emissions.get(from_ms) ?? []));
  }
  return withCountsAcross(withSeams(lines));
}

function lineOf(
  facts: LedgerFacts,
  accounts: PollAccounts,
  from_ms: EpochMs,
  figure: StoredInterval | null,
  emissions: readonly StoredEmission[],
): LedgerLine {
  const to_ms = from_ms + facts.interval_ms;
  const account = accounts.of(from_ms, to_ms);
  const around: Circumstance = {
    from_ms,
    to_ms,
    polls: account?.sums ?? null,
    losses: lossesOf(facts, from_ms, to_ms),
    swaps: facts.swaps.filter((swap) => swap.device === facts.device && swap.at_ms >= from_ms && swap.at_ms < to_ms),
    presence: facts.presence,
    hasRestarted: accounts.hasRestarted(from_ms, to_ms),
    isAccounted: account !== null && account.covered_ms >= facts.interval_ms,
    isUnderWay: to_ms > facts.underWayFrom_ms,
  };
  const polls = countsOf(facts, around, account, figure);
  const hole = figure === null ? absence(around) : holeIn(figure, polls, around);
  const surplus = surplusOf(facts, polls, figure, around);
  return {
    from_ms,
    to_ms,
    polls,
    surplus,
    apart_ticks: 0n,
    figure,
    emissions,
    redated_ms: redating(facts.clocks, figure),
    hole,
  };
}

/**
 * A poll that was answered with nonsense is stored, and not read: where the gateway does not say what it journaled, only what
 * is beyond all that was to be read counts. A clock that was set dates polls into other intervals than they were taken in, and
 * a gateway that lost its own copy counts less than arrived.
 */
function surplusOf(
  { losses }: LedgerFacts,
  { expected, read, stored }: LedgerLine["polls"],
  figure: StoredInterval | null,
  { from_ms, to_ms, isAccounted, polls }: Circumstance,
): number {
  const isForgotten = losses.some((loss) => loss.what === "history" && loss.from_ms < to_ms && loss.to_ms >= from_ms);
  if (read === null || figure?.cause === "clock" || isForgotten) return 0;
  const taken = Math.max(read, polls?.journaled ?? 0, isAccounted ? 0 : (expected ?? 0));
  return Math.max(0, stored - taken);
}

function countsOf(
  { batches, interval_ms }: LedgerFacts,
  { losses, from_ms }: Circumstance,
  account: AccountedPolls | null,
  figure: StoredInterval | null,
): LedgerLine["polls"] {
  const { stored, setAside } = batches.get(from_ms) ?? { stored: 0, setAside: 0 };
  // An interval that was restated without its counts of polls says 0.
  const isTold = figure !== null && figure.pollsExpected > 0;
  return {
    expected: isTold ? figure.pollsExpected : expectedBy(account, interval_ms),
    read: isTold ? figure.pollsAnswered : (account?.sums.answered ?? null),
    // Of time that a kill cut off there is no account; what is here was journaled all the same.
    journaled: account === null && stored === 0 ? null : Math.max(account?.sums.journaled ?? 0, stored),
    received: stored + setAside,
    stored,
    lost: losses.reduce((sum, { count }) => sum + count, 0),
  };
}

/** In the whole interval, at the pace of the part that is accounted for. */
function expectedBy(account: AccountedPolls | null, interval_ms: number): number | null {
  if (account === null || account.covered_ms === 0) return null;
  return Math.round((account.sums.expected * interval_ms) / Math.min(account.covered_ms, interval_ms));
}

function absence(around: Circumstance): LedgerLine["hole"] {
  const cause = causeOfAbsence(around);
  return { ...cause, energy: cause.cause === "uplink" ? "open" : "unknown" };
}

function holeIn(figure: StoredInterval, polls: LedgerLine["polls"], around: Circumstance): LedgerLine["hole"] {
  const energy = energyOf(figure);
  const isUnread = (polls.read ?? 0) < (polls.expected ?? 0);
  if (energy !== "known" || isUnread) return { ...causeOfInterval(figure.cause, around), energy };
  const isUndelivered = polls.stored < (polls.journaled ?? 0);
  return isUndelivered ? { ...causeOfMissingReadings(around), energy } : null;
}

function energyOf({ ticks, flag, coverage, cause }: StoredInterval): EnergyAcross {
  if (ticks === null) return "unknown";
  if (flag === "X") return cause === "clock" ? "misplaced" : "lower-bound";
  return flag === "S" || coverage < 1 ? "shared" : "known";
}

function lossesOf({ device, losses }: LedgerFacts, from_ms: EpochMs, to_ms: EpochMs): LossRecord[] {
  return losses.filter(
    (loss) =>
      (loss.device === null || loss.device === device) &&
      loss.what !== "node-records" &&
      loss.what !== "history" &&
      loss.from_ms < to_ms &&
      loss.to_ms >= from_ms,
  );
}

/** By how much the clock was off that booked it; null if it was not, or that was told of no batch. */
function redating(clocks: readonly ClockRecord[], figure: StoredInterval | null): number | null {
  if (figure === null) return null;
  const { epoch, batch } = figure;
  const found = clocks.find(
    (record) =>
      record.epoch === epoch &&
      record.offset_ms !== 0 &&
      record.batches.some(({ first, last }) => first <= batch && batch <= last),
  );
  return found?.offset_ms ?? null;
}

/** Where the counts of neighbours do not meet, no sum over both is exact, whatever else is known of them. */
function withSeams(lines: readonly LedgerLine[]): LedgerLine[] {
  return lines.map((line, i) => {
    const [before, after] = [lines[i - 1]?.figure ?? null, line.figure];
    const apart_ticks = before === null || after === null ? 0n : ticksApart(before, after);
    if (apart_ticks === 0n) return line;
    return { ...line, apart_ticks, hole: { ...(line.hole ?? NO_CAUSE), energy: "apart" } };
  });
}

const NO_CAUSE: Cause = { cause: "unknown", detail: "counts-apart" };

/** Where the counts before and after a gap are both known, its energy is, whatever happened in it. */
function withCountsAcross(lines: LedgerLine[]): LedgerLine[] {
  let before: StoredInterval | null = null;
  let gap: number[] = [];
  for (const [at, { figure }] of lines.entries()) {
    if (figure === null) {
      gap.push(at);
      continue;
    }
    if (before?.closing != null && figure.opening !== null && figure.opening.count >= before.closing.count) {
      for (const missing of gap) {
        const line = lines[missing]!;
        if (line.hole?.energy === "unknown") lines[missing] = { ...line, hole: { ...line.hole, energy: "across" } };
      }
    }
    before = figure;
    gap = [];
  }
  return lines;
}

/** What a run of lines adds up to. */
export interface LedgerTotals {
  readonly intervals: number;
  /** Lines with a record. */
  readonly held: number;
  readonly polls: Readonly<Record<Exclude<keyof LedgerLine["polls"], "journaled">, number>> & {
    /** Of the lines of which it is known; null: of none. */
    readonly journaled: number | null;
  };
  /** Lines with a hole, by cause and by what is known of their energy. */
  readonly holes: readonly {
    readonly cause: Cause["cause"];
    readonly energy: EnergyAcross;
    readonly intervals: number;
  }[];
  readonly redated: number;
  /** Polls stored beyond those that were taken. */
  readonly surplus: number;
}

export function ledgerTotals(lines: readonly LedgerLine[]): LedgerTotals {
  const holes = new Map<string, { cause: Cause["cause"]; energy: EnergyAcross; intervals: number }>();
  const sum = { expected: 0, read: 0, received: 0, stored: 0, lost: 0 };
  let journaled: number | null = null;
  for (const { polls, hole } of lines) {
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += polls[key] ?? 0;
    if (polls.journaled !== null) journaled = (journaled ?? 0) + polls.journaled;
    if (hole === null) continue;
    const key = `${hole.cause} ${hole.energy}`;
    const known = holes.get(key);
    if (known === undefined) holes.set(key, { cause: hole.cause, energy: hole.energy, intervals: 1 });
    else known.intervals += 1;
  }
  return {
    intervals: lines.length,
    held: lines.filter(({ figure }) => figure !== null).length,
    polls: { ...sum, journaled },
    holes: [...holes.values()].sort((a, b) => b.intervals - a.intervals),
    redated: lines.filter(({ redated_ms }) => redated_ms !== null).length,
    surplus: lines.reduce((sum, line) => sum + line.surplus, 0),
  };
}
