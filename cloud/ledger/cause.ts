import type { IntervalCause } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { LossRecord, MeterPolls, MeterSwapRecord } from "../../core/wire/nodeRecord.ts";
import type { Presence } from "../store/store.ts";

/**
 * Why something is not in the books.
 * meter-silent   the meter, or the line to it, gave no usable answer · bus-overload   the line had no time left for it
 * gateway-down   nothing polled · clock   the gateway's clock was wrong · shed   recorded, and given up by the gateway
 * uplink         under way: the gateway has it, or may have it · meter-changed   another meter, another start of the counter
 * unknown        none of these is known to be it
 */
export const HOLE_CAUSES = [
  "meter-silent",
  "bus-overload",
  "gateway-down",
  "clock",
  "shed",
  "uplink",
  "meter-changed",
  "unknown",
] as const;
export type HoleCause = (typeof HOLE_CAUSES)[number];

/**
 * Whether the energy across a hole is known all the same, because counters go on counting.
 * known         the figure is whole; only readings are missing · shared   exact over the gap, its division is estimated
 * lower-bound   part of it is missing · across   no figure of its own, but the counts at both ends of the gap are known
 * misplaced     the gateway's clock was set: part of it may stand elsewhere, and what stands here may be of other time
 * apart         it opens with another count than the interval before closes with: ticks stand in no interval, or in both
 * open          still under way · unknown   nobody will ever know
 */
export const ENERGIES_ACROSS = [
  "known",
  "shared",
  "lower-bound",
  "misplaced",
  "across",
  "apart",
  "open",
  "unknown",
] as const;
export type EnergyAcross = (typeof ENERGIES_ACROSS)[number];

export interface Cause {
  readonly cause: HoleCause;
  /** The same in the words of whoever noticed it, e.g. `meter-exception`, `size-bound`; null: nothing more is known. */
  readonly detail: string | null;
}

const OF_INTERVAL: Readonly<Record<IntervalCause, HoleCause>> = {
  "meter-silent": "meter-silent",
  "meter-exception": "meter-silent",
  "bad-values": "meter-silent",
  "bus-unreachable": "meter-silent",
  clock: "clock",
  "meter-replaced": "meter-changed",
  "counter-reset": "meter-changed",
  "rate-too-high": "meter-changed",
  "first-reading": "unknown",
  "not-polled": "unknown",
  "interval-too-long": "gateway-down",
};

/** What is known of the time of one interval, beside the interval itself. */
export interface Circumstance {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  /** Sums of the gateway's own poll accounts; null if it gave none. */
  readonly polls: MeterPolls | null;
  /** Losses of this meter, or of nobody in particular, that speak of this time. */
  readonly losses: readonly LossRecord[];
  /** Of this meter, told in this time: another one stands in its place since. */
  readonly swaps: readonly MeterSwapRecord[];
  /** Of the gateway: as in the store, oldest first. */
  readonly presence: readonly Presence[];
  /** The gateway was not running at some time in it, as its own accounts tell: they end, and go on with another boot. */
  readonly hasRestarted: boolean;
  /** The gateway's accounts speak of all of it: it was running, whether we heard it or not. */
  readonly isAccounted: boolean;
  /** The gateway may still have batches of this time. */
  readonly isUnderWay: boolean;
}

const UNKNOWN: Cause = { cause: "unknown", detail: null };
const REPLACED: Cause = { cause: "meter-changed", detail: "meter-replaced" };

/** Why a held interval is not whole. */
export function causeOfInterval(noted: IntervalCause | null, around: Circumstance): Cause {
  const shed = shedding(around);
  // Whatever else went wrong meanwhile, a meter was exchanged: the silence was for that.
  if (around.swaps.length > 0) return REPLACED;
  if (noted === null) return shed ?? pollCause(around) ?? downCause(around, null) ?? setAside(around) ?? UNKNOWN;
  if (noted !== "not-polled" && noted !== "first-reading") return { cause: OF_INTERVAL[noted], detail: noted };
  // Nobody asked the meter: the line was full, the gateway was off, or what it read then was given up.
  const better = pollCause(around) ?? shed ?? downCause(around, noted) ?? setAside(around);
  return better ?? { cause: OF_INTERVAL[noted], detail: noted };
}

/** Why there is no record of an interval. */
export function causeOfAbsence(around: Circumstance): Cause {
  const shed = shedding(around);
  if (shed !== null) return shed;
  if (around.isUnderWay) return { cause: "uplink", detail: null };
  if (around.swaps.length > 0) return REPLACED;
  return pollCause(around) ?? downCause(around, null) ?? setAside(around) ?? UNKNOWN;
}

/** Why readings that were recorded are not here. */
export function causeOfMissingReadings(around: Circumstance): Cause {
  if (around.isUnderWay) return shedding(around) ?? { cause: "uplink", detail: null };
  return shedding(around) ?? setAside(around) ?? UNKNOWN;
}

/** Known to have been given up. */
function shedding({ losses }: Circumstance): Cause | null {
  return shedBy(losses.find(({ count }) => count > 0));
}

/** Nobody knows whether anything was lost: of a journal that could not be read to its end, where nothing else explains it. */
function setAside({ losses }: Circumstance): Cause | null {
  return shedBy(losses[0]);
}

function shedBy(loss: LossRecord | undefined): Cause | null {
  return loss === undefined ? null : { cause: "shed", detail: loss.why };
}

/** What most of the polls that brought nothing ended in. */
function pollCause({ polls }: Circumstance): Cause | null {
  if (polls === null || polls.answered >= polls.expected) return null;
  const silent = polls.timeouts + polls.exceptions + polls.garbled + polls.unreachable;
  // Overruns are counted at the pace of the meter's fastest readings: of the counter's polls no more were left out than are
  // missing beside those that failed.
  const leftOut = Math.min(polls.overruns, polls.expected - polls.answered - silent);
  if (leftOut > silent) return { cause: "bus-overload", detail: null };
  if (silent === 0) return null;
  const ways = [
    ["timeout", polls.timeouts],
    ["exception", polls.exceptions],
    ["garbled", polls.garbled],
    ["unreachable", polls.unreachable],
  ] as const;
  const [detail] = ways.reduce((most, way) => (way[1] > most[1] ? way : most));
  return { cause: "meter-silent", detail };
}

/** As the gateway's own accounts tell, or as we saw it go; one that accounts for all of the time was cut off, not down. */
function downCause(around: Circumstance, detail: IntervalCause | null): Cause | null {
  const isDown = around.hasRestarted || (wasAway(around) && !around.isAccounted);
  return isDown ? { cause: "gateway-down", detail } : null;
}

/** Offline at some time in it, as far as we saw. */
function wasAway({ presence, from_ms, to_ms }: Circumstance): boolean {
  return presence.some(({ at_ms, state }, i) => {
    const until_ms = presence[i + 1]?.at_ms ?? Number.POSITIVE_INFINITY;
    return state === "offline" && at_ms < to_ms && until_ms > from_ms;
  });
}
