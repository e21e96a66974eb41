import type { Clock } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { type Backoff, isHeld } from "./backoff.ts";
import type { PolledMeter, Rank } from "./polledMeter.ts";

/** A unit that did not answer. */
export type UnitBackoff = Backoff & { readonly isUnreachable: boolean };

/** Share of the time by which slow and silent meters may delay the others. */
const LATENESS_SHARE = 0.05;
/** Share of the shortest period by which one exchange may make the quick meters late. */
const LATE_SHARE = 0.1;
/** Slow and silent meters of a line that is never idle come to their turn after this long. */
const STARVED_MS = 10_000;

const NOBODY: readonly PolledMeter[] = [];

/**
 * Whose turn it is on a line.
 *
 * order      counters just after the end of an interval · meters that answer quickly, the longest overdue first · slow meters
 *            and those that did not answer, one exchange at a time, where it fits before the quick ones are due again
 * lateness   an exchange of a slow or silent meter that does not fit makes the quick ones late; that may take at most
 *            {@link LATENESS_SHARE} of the time
 */
export class Turns {
  readonly #meters: readonly PolledMeter[];
  readonly #clock: Clock;
  /** Units that did not answer: what sits there, not what it is called. */
  readonly units = new Map<number, UnitBackoff>();
  /** The shortest period of the line. */
  readonly #cycle_ms: number;
  #quickWasLast = false;
  #lateness_ms = 0;
  #latenessAt_ms = 0;

  constructor(meters: readonly PolledMeter[], clock: Clock, cycle_ms: number) {
    this.#meters = meters;
    this.#clock = clock;
    this.#cycle_ms = cycle_ms;
  }

  /** It is a meter's turn. @returns when the quick ones are due next, if this turn may make them late. */
  begin(meter: PolledMeter): EpochMs {
    const isTroubled = meter.rank === "troubled";
    const next_ms = isTroubled ? this.#nextQuick_ms() : Number.POSITIVE_INFINITY;
    meter.turn_ms = this.#clock.mono_ms();
    meter.waitsSince_ms = null;
    this.#quickWasLast = !isTroubled;
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
    if (troubled === null) return quick === null ? NOBODY : inOrder(quick);
    troubled.sort(byUrgency);
    if (quick === null) return troubled.filter((meter) => this.#mayBegin(meter, false)).slice(0, 1);
    const starved = troubled.find((meter) => isStarved(meter, mono_ms));
    return starved !== undefined && this.#mayBegin(starved, true) ? [starved] : inOrder(quick);
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
   * An exchange that may take long is begun if it fits in before the quick meters are due again. Else it may make them late,
   * just after they were read, for then it costs them least: by a little, or by all it takes if it waited long for that.
   */
  #mayBegin(meter: PolledMeter, quickIsDue: boolean): boolean {
    const now_ms = this.#clock.now_ms();
    const next_ms = quickIsDue ? now_ms : this.#nextQuick_ms();
    const excess_ms = now_ms + this.#expected_ms(meter) - next_ms;
    if (excess_ms <= 0) return true;
    if (!this.#quickWasLast || this.#latenessLeft_ms() > 0) return false;
    return (
      isStarved(meter, this.#clock.mono_ms()) || excess_ms + this.#extra_ms(next_ms) <= LATE_SHARE * this.#cycle_ms
    );
  }

  /** How much longer than usual the round of the quick meters at `at_ms` takes: the last of them is that late by itself. */
  #extra_ms(at_ms: EpochMs): number {
    return this.#meters.reduce((ms, meter) => ms + (this.#isInTrouble(meter) ? 0 : meter.extraAt_ms(at_ms)), 0);
  }

  #expected_ms(meter: PolledMeter): number {
    const isTroubled = meter.plan === null || this.units.has(meter.of.unit);
    return isTroubled ? meter.of.timeout_ms : (meter.exchange_ms ?? meter.of.timeout_ms);
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
