import { type CounterDelta, type CounterReading, counterDelta, type GapReason } from "../counter/counterDelta.ts";
import { divideHalfEven } from "../emission/decimal.ts";
import type { CounterDefinition } from "../model/deviceDefinition.ts";
import type { EpochMs } from "../reading/reading.ts";
import { type Away, returned } from "./away.ts";
import { intervalStart } from "./calendar.ts";
import type { Boundary, CounterWords, Interval, IntervalCause } from "./interval.ts";

/**
 * The interval engine: readings of one counter in, closed wall-clock intervals out.
 *
 * The count at a boundary is interpolated between the readings around it, rounded half-even to a tick and used by both
 * neighbours; so energy is conserved to the tick, and an interval depends on nothing but the readings from the last one at
 * or before its start to the first one at or after its end. That is why edge and cloud reach the same figure.
 *
 * The account is plain data owned by the caller; `takeReading` and `noteFailure` change it in place (they run for every
 * reading) and `snapshot` copies it for keeping.
 */
export interface CounterAccount {
  readonly device: string;
  readonly definition: CounterDefinition;
  readonly interval_ms: number;
  readonly timeZone: string;
  last: CounterReading | null;
  lastWords: CounterWords | null;
  /** The open interval; NaN before the first reading. */
  from_ms: EpochMs;
  to_ms: EpochMs;
  ticks: bigint;
  /** Time of the open interval whose energy is not known at all. */
  missing_ms: number;
  missingWhy: IntervalCause | null;
  /** Time of the open interval known only as a share of a longer stretch without readings. */
  shared_ms: number;
  /** Time whose energy is in the open interval. Of a clock that was set it may be more than an interval lasts, or less. */
  held_ms: number;
  answered: number;
  failures: number;
  failureWhy: IntervalCause | null;
  /** Why polls failed since the last reading: the cause of a gap, whichever intervals it turns out to span. */
  sinceLastWhy: IntervalCause | null;
  opening: Boundary | null;
  /** Since it fell to zero in this interval, as long as it reads that. */
  away: Away | null;
  /** Stretches that were closed, oldest first and apart; more than one after the clock was set. None is closed twice. */
  closed: readonly Stretch[];
}

export interface Stretch {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

/** Stretches remembered; beyond it the oldest are forgotten. Every step of the clock makes at most one. */
const CLOSED_MAX = 64;

/**
 * A stretch without readings this many poll periods long (two missed polls), or longer than an interval, that spans a
 * boundary is a gap in shape: its energy is exact, how it divides between the intervals is estimated.
 */
const GAP_PERIODS = 2.5;

/**
 * Intervals one reading may close: more than a leap year of quarter hours. A longer jump is a clock that was set for the
 * first time, or a meter forgotten: the stretch is not divided but left out, and the account starts again.
 */
export const INTERVALS_AT_ONCE_MAX = 40_000;

const NONE: readonly Interval[] = [];

export function openAccount(
  device: string,
  definition: CounterDefinition,
  interval_ms: number,
  timeZone: string,
): CounterAccount {
  return {
    device,
    definition,
    interval_ms,
    timeZone,
    last: null,
    lastWords: null,
    from_ms: Number.NaN,
    to_ms: Number.NaN,
    ticks: 0n,
    missing_ms: 0,
    missingWhy: null,
    shared_ms: 0,
    held_ms: 0,
    answered: 0,
    failures: 0,
    failureWhy: null,
    sinceLastWhy: null,
    opening: null,
    away: null,
    closed: [],
  };
}

/**
 * Takes one good reading. `words` is evidence for it and may be made only when asked for.
 * A reading that is not later than the last one (the clock went back) is counted as a failure and changes no energy: the
 * counter carries it to the next one.
 * @returns the intervals this reading closes, oldest first; most readings close none.
 */
export function takeReading(
  account: CounterAccount,
  reading: CounterReading,
  words: CounterWords | null = null,
): readonly Interval[] {
  const { last } = account;
  if (last === null) {
    startAt(account, reading, words);
    return NONE;
  }
  // Before all else: a meter that was replaced and a clock that went back come together when a gateway is swapped.
  if (!(reading.at_ms > last.at_ms)) {
    noteFailure(account, "clock");
    return NONE;
  }
  if (reading.at_ms - account.from_ms > INTERVALS_AT_ONCE_MAX * account.interval_ms) {
    return startAgain(account, reading, words);
  }

  const delta = stepTo(account, last, reading);
  const elapsed_ms = reading.at_ms - last.at_ms;
  const crossesBoundary = reading.at_ms > account.to_ms;
  const isLong = elapsed_ms > Math.min(account.definition.poll_ms * GAP_PERIODS, account.interval_ms);
  const isGapInShape = crossesBoundary && isLong;
  let closed: Interval[] | null = null;
  let at_ms = last.at_ms;
  let ticksDone = 0n;
  while (account.to_ms <= reading.at_ms) {
    const boundary_ms = account.to_ms;
    const ticks = ticksUntil(boundary_ms, delta, last, reading);
    allot(account, at_ms, boundary_ms, ticks - ticksDone, delta.kind === "gap" ? delta.why : null, isGapInShape);
    const isOnReading = boundary_ms === reading.at_ms;
    const count = delta.kind === "gap" ? null : isOnReading ? reading.count : countAt(account, last, ticks);
    const closing = count === null ? null : { count, words, across: isOnReading ? null : account.lastWords };
    closed ??= [];
    closed.push(closeInterval(account, closing));
    const opening = isOnReading
      ? { count: reading.count, words, across: null }
      : count === null
        ? null
        : { count, words: account.lastWords, across: words };
    openNext(account, opening);
    if (!isOnReading) account.failureWhy ??= account.sinceLastWhy;
    at_ms = boundary_ms;
    ticksDone = ticks;
  }
  noteFall(account, last, reading, delta);
  const ticks = ticksUntil(reading.at_ms, delta, last, reading);
  const ticksLeft = closed === null ? ticks : ticks - ticksDone;
  allot(account, at_ms, reading.at_ms, ticksLeft, delta.kind === "gap" ? delta.why : null, isGapInShape);
  account.answered += 1;
  keep(account, reading, words);
  return closed ?? NONE;
}

/** What was counted since the last reading; of a counter that came back after a fall, since the one before that. */
function stepTo(account: CounterAccount, last: CounterReading, reading: CounterReading): CounterDelta {
  const direct = counterDelta(last, reading, account.definition);
  const { away } = account;
  if (away === null || reading.count === 0n) return direct;
  const back = returned(account, reading, direct);
  account.away = null;
  if (back === null) return direct;
  if (back.isCertain) {
    account.held_ms += account.missing_ms - away.missing_ms;
    account.missing_ms = away.missing_ms;
    account.missingWhy = away.missingWhy;
  }
  return back.delta;
}

/** A fall to zero within the open interval: not with the reading it begins with. */
function noteFall(account: CounterAccount, last: CounterReading, reading: CounterReading, delta: CounterDelta): void {
  if (delta.kind !== "gap" || reading.count !== 0n || last.count === 0n || !(reading.at_ms > account.from_ms)) return;
  const { missing_ms, missingWhy, from_ms } = account;
  account.away = { before: last, isWithin: last.at_ms >= from_ms, missing_ms, missingWhy };
}

/** Ticks counted from the last reading to an instant up to this one, interpolated and rounded to a tick. */
function ticksUntil(at_ms: EpochMs, delta: CounterDelta, last: CounterReading, reading: CounterReading): bigint {
  if (delta.kind === "gap") return 0n;
  if (at_ms === reading.at_ms) return delta.ticks;
  return divideHalfEven(delta.ticks * BigInt(at_ms - last.at_ms), BigInt(reading.at_ms - last.at_ms));
}

/**
 * A poll of this counter that brought nothing usable, and why. A clock that went back is the one reason that stays: the
 * interval lasted longer than it says, and who recomputes it must know.
 */
export function noteFailure(account: CounterAccount, why: IntervalCause): void {
  account.failures += 1;
  if (account.failureWhy !== "clock") account.failureWhy = why;
  if (account.sinceLastWhy !== "clock") account.sinceLastWhy = why;
}

/**
 * The clock was set by `offset_ms`: what it called `last.at_ms` it now calls that much more. Nothing is taken for a stretch
 * without readings that was none. The open interval ends here with what it counted, its rest missing; the next begins where
 * the clock stands now, with the same count, so no tick is lost. Where the clock stands in a time that was closed already,
 * the open interval stays open, takes what is counted, and is the first after that time: no interval comes twice. One that
 * so takes more time than it lasts, or less, is not measured: its flag is S.
 * @returns the interval that ends by this; none if it stays open.
 */
export function setClock(account: CounterAccount, offset_ms: number): readonly Interval[] {
  const { last } = account;
  if (last === null) return NONE;
  const before_ms = last.at_ms;
  const at_ms = before_ms + offset_ms;
  noteFailure(account, "clock");
  account.last = { ...last, at_ms };
  // Of another time than the boundaries to come: evidence for none of them.
  account.lastWords = null;
  account.away = null;
  if (account.from_ms <= at_ms && at_ms < account.to_ms) return NONE;
  const from_ms = firstOpen(account, intervalStart(at_ms, account.interval_ms, account.timeZone));
  if (from_ms === account.from_ms) return NONE;
  const isUntouched = account.ticks === 0n && account.answered === 0;
  const closed = isUntouched ? null : closeEarly(account, before_ms, last.count);
  account.from_ms = from_ms;
  account.to_ms = from_ms + account.interval_ms;
  account.missing_ms = Math.max(0, at_ms - from_ms);
  account.missingWhy = account.missing_ms > 0 ? "clock" : null;
  account.held_ms = 0;
  noteFailure(account, "clock");
  return closed === null ? NONE : [closed];
}

/** Ends the open interval at its last reading, the rest of it missing. */
function closeEarly(account: CounterAccount, last_ms: EpochMs, count: bigint): Interval {
  allot(account, last_ms, account.to_ms, 0n, "time-not-later", false);
  const boundary: Boundary = { count, words: null, across: null };
  const closed = closeInterval(account, boundary);
  openNext(account, boundary);
  return closed;
}

/** The first interval from `from_ms` on that was not closed yet. */
function firstOpen({ closed, interval_ms }: CounterAccount, from_ms: EpochMs): EpochMs {
  let first_ms = from_ms;
  for (const stretch of closed) {
    if (stretch.from_ms < first_ms + interval_ms && first_ms < stretch.to_ms) first_ms = stretch.to_ms;
  }
  return first_ms;
}

/** With one stretch more, in order of time; those that touch are one. */
function withStretch(closed: readonly Stretch[], from_ms: EpochMs, to_ms: EpochMs): readonly Stretch[] {
  const last = closed.at(-1);
  if (last === undefined) return [{ from_ms, to_ms }];
  if (last.to_ms === from_ms) return [...closed.slice(0, -1), { from_ms: last.from_ms, to_ms }];
  const merged: Stretch[] = [];
  for (const stretch of [...closed, { from_ms, to_ms }].sort((a, b) => a.from_ms - b.from_ms)) {
    const before = merged.at(-1);
    if (before === undefined || before.to_ms < stretch.from_ms) merged.push(stretch);
    else merged[merged.length - 1] = { from_ms: before.from_ms, to_ms: Math.max(before.to_ms, stretch.to_ms) };
  }
  return merged.slice(-CLOSED_MAX);
}

/** A copy that later changes to the account do not touch. */
export function snapshot(account: CounterAccount): CounterAccount {
  return { ...account };
}

function startAt(account: CounterAccount, reading: CounterReading, words: CounterWords | null): void {
  account.from_ms = firstOpen(account, intervalStart(reading.at_ms, account.interval_ms, account.timeZone));
  account.to_ms = account.from_ms + account.interval_ms;
  account.missing_ms = Math.max(0, reading.at_ms - account.from_ms);
  account.missingWhy = account.missing_ms > 0 ? "first-reading" : null;
  account.held_ms = 0;
  account.opening = account.missing_ms > 0 ? null : { count: reading.count, words, across: null };
  account.answered = 1;
  account.away = null;
  account.failures = 0;
  account.failureWhy = null;
  keep(account, reading, words);
}

/** Closes the open interval with its rest missing and starts at this reading as if it were the first. */
function startAgain(account: CounterAccount, reading: CounterReading, words: CounterWords | null): readonly Interval[] {
  const last_ms = account.last?.at_ms ?? account.from_ms;
  allot(account, last_ms, account.to_ms, 0n, "interval-too-long", false);
  const closed = closeInterval(account, null);
  openNext(account, null);
  startAt(account, reading, words);
  if (account.missing_ms > 0) account.missingWhy = "interval-too-long";
  return [closed];
}

function keep(account: CounterAccount, reading: CounterReading, words: CounterWords | null): void {
  account.last = reading;
  account.lastWords = words;
  account.sinceLastWhy = null;
}

function allot(
  account: CounterAccount,
  start_ms: EpochMs,
  end_ms: EpochMs,
  ticks: bigint,
  gap: GapReason | null,
  isGapInShape: boolean,
): void {
  if (end_ms === start_ms) return;
  // After the clock was set back, time that was closed before counts for nothing here; what is counted in it does.
  const slice_ms = Math.max(0, Math.min(end_ms, account.to_ms) - Math.max(start_ms, account.from_ms));
  if (gap !== null) {
    // So what cannot be counted in it is missing here, for as long as it lasted.
    account.missing_ms += slice_ms > 0 ? slice_ms : end_ms - start_ms;
    account.missingWhy = gap === "time-not-later" ? "clock" : gap;
    return;
  }
  account.ticks += ticks;
  account.held_ms += end_ms - start_ms;
  if (isGapInShape) account.shared_ms += slice_ms;
}

function closeInterval(account: CounterAccount, closing: Boundary | null): Interval {
  const { missing_ms, shared_ms, interval_ms } = account;
  // Energy of other times that a clock that was set put here, or of this time that it put elsewhere.
  const misplaced_ms = Math.abs(account.held_ms + missing_ms - interval_ms);
  const estimated_ms = shared_ms + misplaced_ms;
  const pollsExpected = Math.max(1, Math.round(interval_ms / account.definition.poll_ms));
  const isWhole = missing_ms === 0 && estimated_ms === 0 && account.answered >= pollsExpected;
  return {
    device: account.device,
    quantity: account.definition.quantity,
    from_ms: account.from_ms,
    to_ms: account.to_ms,
    tick: account.definition.tick,
    ticks: missing_ms >= interval_ms && account.ticks === 0n ? null : account.ticks,
    flag: missing_ms > 0 ? "X" : estimated_ms > 0 ? "S" : "M",
    coverage: Math.max(0, interval_ms - missing_ms - estimated_ms) / interval_ms,
    pollsExpected,
    pollsAnswered: account.answered,
    cause:
      account.failureWhy === "clock" || misplaced_ms > 0
        ? "clock"
        : isWhole
          ? null
          : (account.missingWhy ?? account.failureWhy ?? (shared_ms > 0 ? "not-polled" : null)),
    opening: account.opening,
    closing,
  };
}

function openNext(account: CounterAccount, opening: Boundary | null): void {
  const closed_ms = account.to_ms;
  account.closed = withStretch(account.closed, account.from_ms, closed_ms);
  account.from_ms = firstOpen(account, closed_ms);
  account.to_ms = account.from_ms + account.interval_ms;
  account.ticks = 0n;
  account.missing_ms = 0;
  account.missingWhy = null;
  account.shared_ms = 0;
  account.held_ms = 0;
  account.answered = 0;
  account.failures = 0;
  // Time between was closed already, by a clock that was ahead: what is counted in it comes here.
  account.failureWhy = account.from_ms === closed_ms ? null : "clock";
  account.opening = opening;
  account.away = null;
}

/** So many ticks after a reading. */
function countAt({ definition: { modulus } }: CounterAccount, { count }: CounterReading, ticks: bigint): bigint {
  return modulus === null ? count + ticks : (count + ticks) % modulus;
}
