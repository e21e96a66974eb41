import type { Clock } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { type Backoff, isHeld } from "./backoff.ts";
import type { PolledMeter, Rank } from "./polledMeter.ts";

/** A unit that did not answer. */
export type UnitBackoff = Backoff & {
  readonly isUnreachable: boolean;
  /** Tries in a row that did not wait for the whole timeout. */
  readonly cutShort: number;
};

/** Share of the time by which slow and silent meters may delay the others. */
const LATENESS_SHARE = 0.05;
/** Share of the shortest period by which one exchange may make the quick meters late: a tenth less what a computer adds. */
const LATE_SHARE = 0.08;
/** Of so many rounds of the quick meters one may begin later than that. It spoils two periods of each: a long and a short one. */
const ROUNDS_PER_LATE = 60;
/** Slow and silent meters that do not fit in wait this long before they make the others late. */
const STARVED_MS = 10_000;
/** A silent unit that was never slow is waited for as many times as long as the slowest of the quick ones takes. */
const PATIENCE = 4;
const PATIENCE_MIN_MS = 200;
/** After so many tries cut short a silent unit has its whole timeout once, for it may have come back as a slow one. */
const CUT_SHORT_MAX = 7;

const NOBODY: readonly PolledMeter[] = [];

/**
 * Whose turn it is on a line.
 *
 * order      counters just after the end of an interval · meters that answer quickly, the longest overdue first · slow meters
 *            and those that did not answer, one exchange at a time, where it fits before the quick ones are due again
 * lateness   an exchange of a slow or silent meter that does not fit is begun right after a round of the quick ones, when it
 *            makes the next round late by least; at most one round in {@link ROUNDS_PER_LATE}, never two in a row, and
 *            {@link LATENESS_SHARE} of the time. Counters that an interval's end waits for may do so sooner.
 * patience   a silent unit is not waited for as long as it may take, but as long as its neighbours take, most of the time
 * limits     on a line that is never idle it is begun before the quick ones after {@link STARVED_MS}. An exchange of 900 ms on a
 *            line of 1 s is read about once a minute, not once a second.
 */
export class Turns {
  readonly #meters: readonly PolledMeter[];
  readonly #clock: Clock;
  /** Units that did not answer: what sits there, not what it is called. */
  readonly units = new Map<number, UnitBackoff>();
  /** The shortest period of the line. */
  readonly #cycle_ms: number;
  #quickWasLast = false;
  /** Monotonic end of the last round of the quick ones; null while it lasts. */
  #roundEnd_ms: number | null = null;
  /** Monotonic time at which nobody quick was due. */
  #idleAt_ms = Number.NEGATIVE_INFINITY;
  /** Monotonic. The first round, when nobody is known to be slow yet, counts as a late one. */
  #lateRoundAt_ms: number;
  #lateness_ms = 0;
  #latenessAt_ms = 0;

  constructor(meters: readonly PolledMeter[], clock: Clock, cycle_ms: number) {
    this.#meters = meters;
    this.#clock = clock;
    this.#cycle_ms = cycle_ms;
    this.#lateRoundAt_ms = clock.mono_ms();
  }

  /** It is a meter's turn. @returns when the quick ones are due next, if this turn may make them late. */
  begin(meter: PolledMeter): EpochMs {
    const isTroubled = meter.rank === "troubled";
    const next_ms = isTroubled ? this.#nextQuick_ms() : Number.POSITIVE_INFINITY;
    meter.turn_ms = this.#clock.mono_ms();
    meter.patience_ms = isTroubled ? this.#patience_ms(meter, next_ms) : meter.of.timeout_ms;
    meter.waitsSince_ms = null;
    this.#quickWasLast = !isTroubled;
    if (!isTroubled) this.#roundEnd_ms = null;
    return next_ms;
  }

  /** The turn of a slow or silent meter is over. */
  end({ turn_ms }: PolledMeter, next_ms: EpochMs): void {
    // A clock that jumps is no lateness: never more than the turn took.
    this.#noteLateness(Math.min(this.#clock.now_ms() - next_ms, this.#clock.mono_ms() - turn_ms));
  }

  /** Who may be asked now, in order. */
  due(now_ms: EpochMs): readonly PolledMeter[] {
    let quick: PolledMeter[] | null = null;
    let troubled: PolledMeter[] | null = null;
    const mono_ms = this.#clock.mono_ms();
    for (const meter of this.#meters) {
      const due_ms = meter.dueAt_ms(now_ms);
      if (due_ms === null || this.#isLeftAlone(meter, now_ms, mono_ms)) continue;
      meter.dueSince_ms = due_ms;
      meter.rank = this.#rank(meter, now_ms);
      meter.waitsSince_ms ??= mono_ms;
      if (meter.rank === "troubled") (troubled ??= []).push(meter);
      else (quick ??= []).push(meter);
    }
    if (quick === null) {
      this.#idleAt_ms = mono_ms;
      this.#roundEnd_ms ??= mono_ms;
    }
    if (troubled === null) return quick === null ? NOBODY : inOrder(quick);
    troubled.sort(byUrgency);
    if (quick === null) return troubled.filter((meter) => this.#mayBegin(meter)).slice(0, 1);
    const starved = troubled.find((meter) => isStarved(meter, mono_ms) && meter.waitsSince_ms! > this.#idleAt_ms);
    return starved !== undefined && this.#quickWasLast && this.#latenessLeft_ms() <= 0 ? [starved] : inOrder(quick);
  }

  #isLeftAlone({ of, restUntil_ms }: PolledMeter, now_ms: EpochMs, mono_ms: number): boolean {
    if (restUntil_ms > mono_ms) return true;
    return this.units.size > 0 && isHeld(this.units.get(of.unit), now_ms);
  }

  #rank(meter: PolledMeter, now_ms: EpochMs): Rank {
    if (this.#isInTrouble(meter)) return "troubled";
    return meter.isAtBoundary(now_ms) ? "boundary" : "quick";
  }

  #isInTrouble(meter: PolledMeter): boolean {
    return meter.plan === null || (this.units.size > 0 && this.units.has(meter.of.unit)) || meter.isSlow();
  }

  /**
   * While no quick meter is due: an exchange that may take long is begun if it fits in before they are due again. Else it may
   * make them late, just after they were read, for then it costs them least: by a little, or by more if it waited long for that.
   */
  #mayBegin(meter: PolledMeter): boolean {
    const next_ms = this.#nextQuick_ms();
    const excess_ms = this.#clock.now_ms() + this.#expected_ms(meter, next_ms) - next_ms;
    if (excess_ms <= 0) return true;
    if (!this.#mayBeLate()) return false;
    if (excess_ms + this.#extra_ms(next_ms) <= LATE_SHARE * this.#cycle_ms) return true;
    if (this.units.has(meter.of.unit)) return this.#mayRoundBeLate();
    if (!isStarved(meter, this.#clock.mono_ms())) return false;
    return this.#mayRoundBeLate(meter.isAtBoundary(this.#clock.now_ms()));
  }

  #mayBeLate(): boolean {
    return this.#quickWasLast && this.#latenessLeft_ms() <= 0;
  }

  /** Asked at the end of a round, or within one that has no end: whether the next may be late. */
  #mayRoundBeLate(isUrgent = false): boolean {
    const mono_ms = this.#clock.mono_ms();
    const isJustOver = this.#roundEnd_ms === null || mono_ms - this.#roundEnd_ms <= LATE_SHARE * this.#cycle_ms;
    return isJustOver && (isUrgent || mono_ms - this.#lateRoundAt_ms >= ROUNDS_PER_LATE * this.#cycle_ms);
  }

  /** How much longer than usual the round of the quick meters at `at_ms` takes: the last of them is that late by itself. */
  #extra_ms(at_ms: EpochMs): number {
    return this.#meters.reduce((ms, meter) => ms + (this.#isInTrouble(meter) ? 0 : meter.extraAt_ms(at_ms)), 0);
  }

  #expected_ms(meter: PolledMeter, next_ms: EpochMs): number {
    const { timeout_ms } = meter.of;
    const isSilent = meter.plan === null || (this.units.has(meter.of.unit) && !meter.threwException);
    return isSilent ? this.#patience_ms(meter, next_ms) : (meter.exchange_ms ?? timeout_ms);
  }

  /** How long a troubled meter is waited for: its timeout, or less where that would make the quick ones late for nothing. */
  #patience_ms(meter: PolledMeter, next_ms: EpochMs): number {
    const { timeout_ms, unit } = meter.of;
    const held = this.units.get(unit);
    // One that has begun to answer is back, and a block that it answers late must not be taken for one that it refuses.
    const speaks = meter.plan === null || meter.threwException || meter.isSlow() || meter.job?.hasWords === true;
    if (held === undefined || speaks || this.#clock.now_ms() + timeout_ms <= next_ms) return timeout_ms;
    if (held.cutShort >= CUT_SHORT_MAX && this.#mayBeLate() && this.#mayRoundBeLate()) return timeout_ms;
    let slowest_ms: number | null = null;
    for (const other of this.#meters) {
      if (other.exchange_ms !== null && !this.#isInTrouble(other)) {
        slowest_ms = Math.max(slowest_ms ?? 0, other.exchange_ms);
      }
    }
    return slowest_ms === null ? timeout_ms : Math.min(timeout_ms, Math.max(PATIENCE_MIN_MS, PATIENCE * slowest_ms));
  }

  #nextQuick_ms(): EpochMs {
    let next_ms = Number.POSITIVE_INFINITY;
    for (const meter of this.#meters) {
      if (!this.#isInTrouble(meter)) next_ms = Math.min(next_ms, meter.nextDue_ms());
    }
    return next_ms;
  }

  /** Lateness caused so far that is not made up for yet. */
  #latenessLeft_ms(): number {
    const mono_ms = this.#clock.mono_ms();
    return this.#lateness_ms - (mono_ms - this.#latenessAt_ms) * LATENESS_SHARE;
  }

  #noteLateness(excess_ms: number): void {
    if (!(excess_ms > 0)) return;
    this.#lateness_ms = Math.max(0, this.#latenessLeft_ms()) + excess_ms;
    this.#latenessAt_ms = this.#clock.mono_ms();
    if (excess_ms > LATE_SHARE * this.#cycle_ms) this.#lateRoundAt_ms = this.#latenessAt_ms;
  }
}

/** Sorted in place; most lines have one meter. */
function inOrder(meters: PolledMeter[]): readonly PolledMeter[] {
  return meters.length < 2 ? meters : meters.sort(byUrgency);
}

/** Being left alone is not waiting. */
function isStarved({ waitsSince_ms }: PolledMeter, mono_ms: number): boolean {
  return waitsSince_ms !== null && mono_ms - waitsSince_ms > STARVED_MS;
}

function byUrgency(a: PolledMeter, b: PolledMeter): number {
  const rank = (meter: PolledMeter): number => (meter.rank === "boundary" ? 0 : 1);
  return rank(a) - rank(b) || compare(a.dueSince_ms, b.dueSince_ms) || a.turn_ms - b.turn_ms;
}

/** Also for infinities, whose difference is not a number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
