import type { EmissionFactor } from "../../core/emission/factor.ts";
import { restate } from "../../core/emission/restate.ts";
import type { Boundary, Interval, IntervalCause } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { DeviceProfile } from "../../core/wire/content.ts";
import type { NewCorrection, StoredInterval, ZoneStore } from "../store/store.ts";
import type { Count } from "./births.ts";
import { entriesInForce, factorsOf } from "./entries.ts";

/**
 * The figure that takes the place of one a gateway came to with less than had arrived here: its journal was restored, or lost
 * what it had sent, and it shared out what it had measured before. Pure but for what it reads of the store.
 *
 * Only where the readings here say at least as much as the gateway's: a figure with both counts, as good as the gateway's
 * or better, each count between readings that are as near to it as those the gateway named or nearer.
 */
export type Correction = Omit<NewCorrection, "runAt_ms">;

/**
 * The clock was set, or another meter stood there: the gateway saw what the readings do not tell. And where it began anew nobody
 * knows whether the meter before was the same.
 */
const SEEN_THERE: readonly (IntervalCause | null)[] = [
  "clock",
  "meter-replaced",
  "counter-reset",
  "rate-too-high",
  "first-reading",
];

/** @param counts the figure was recomputed from, in time order */
export function correctionOf(
  stored: StoredInterval,
  computed: Interval,
  counts: readonly Count[],
  store: ZoneStore,
  emitter: DeviceProfile | null,
  factors: readonly EmissionFactor[],
  now_ms: EpochMs,
): Correction | null {
  if (SEEN_THERE.includes(stored.cause) || SEEN_THERE.includes(computed.cause)) return null;
  if (!isAsGood(stored, computed)) return null;
  if (!isAsNear(stored.opening, stored.from_ms, counts) || !isAsNear(stored.closing, stored.to_ms, counts)) {
    return null;
  }
  const figure = asBooked(stored, computed);
  const entries = emitter === null ? [] : entriesOf(stored, figure, emitter, store, factors, now_ms);
  return entries === null ? null : { interval: stored, figure, entries };
}

/**
 * Corrections of one counter that stand or fall together: what one closes with the next opens with. They are made only if the
 * books go on from the interval before the first, and to the one after the last: no tick may come into two intervals by them, or
 * into none. What cannot be recomputed among them (a clock that was set) leaves all as the gateway booked it.
 * @param correctionAt what the readings say of an interval that is held; null: nothing else, or not enough
 * @returns null where they do not join the books
 */
export function joined(
  first: Correction,
  store: Pick<ZoneStore, "intervals">,
  correctionAt: (stored: StoredInterval) => Correction | null,
): readonly Correction[] | null {
  const { gateway, device, quantity, from_ms, to_ms } = first.interval;
  const [before] = store.intervals(gateway, device, quantity, from_ms - (to_ms - from_ms), from_ms, 1, "newest");
  if (!meets(before?.to_ms === from_ms ? before.closing : null, first.figure.opening)) return null;
  const run = [first];
  while (run.length < RUN_MAX) {
    const { interval, figure } = run.at(-1)!;
    if (interval.closing?.count === figure.closing?.count) return run;
    const [after] = store.intervals(gateway, device, quantity, interval.to_ms, interval.to_ms + 1, 1);
    if (after === undefined || meets(figure.closing, after.opening)) return run;
    const next = correctionAt(after);
    if (next === null || !meets(figure.closing, next.figure.opening)) return null;
    run.push(next);
  }
  return null;
}

/** Intervals that stand or fall together: a month of quarters of an hour. Of more the gateway's figures stand. */
const RUN_MAX = 3000;

/** Whether two ends are of one count; what one side does not know is no difference. */
export function meets(one: Boundary | null, other: Boundary | null): boolean {
  return one === null || other === null || one.count === other.count;
}

/** What the gateway shared out or measured in part is measured now; what it shared out is shared between nearer readings. */
function isAsGood(stored: Interval, { flag, ticks, opening, closing }: Interval): boolean {
  if (ticks === null || opening === null || closing === null) return false;
  if (stored.flag === "S") return flag === "M" || flag === "S";
  return (stored.flag === "X" || stored.flag === "M") && flag === "M";
}

/** Whether there are readings on both sides of a boundary that are no farther from it than those the gateway names. */
function isAsNear(named: Boundary | null, at_ms: EpochMs, counts: readonly Count[]): boolean {
  const times_ms = [named?.words?.at_ms, named?.across?.at_ms].filter((one) => one !== undefined);
  const before_ms = counts.findLast((count) => count.at_ms <= at_ms)?.at_ms;
  const after_ms = counts.find((count) => count.at_ms >= at_ms)?.at_ms;
  if (before_ms === undefined || after_ms === undefined) return false;
  return times_ms.every((time_ms) => (time_ms <= at_ms ? before_ms >= time_ms : after_ms <= time_ms));
}

/** With what the gateway tells beside the counts: the words it read, and why it polled less. */
function asBooked(stored: StoredInterval, computed: Interval): Interval {
  const same = (one: Boundary | null, other: Boundary | null) => (one?.count === other?.count ? one : other);
  return {
    ...computed,
    cause: computed.flag === "M" ? computed.cause : (stored.cause ?? computed.cause),
    opening: same(stored.opening, computed.opening),
    closing: same(stored.closing, computed.closing),
  };
}

/** By the factors of the entries in force; of those known now where nothing was booked. Null: one is not known here. */
function entriesOf(
  stored: StoredInterval,
  figure: Interval,
  emitter: DeviceProfile,
  store: ZoneStore,
  factors: readonly EmissionFactor[],
  now_ms: EpochMs,
): Correction["entries"] | null {
  const held = entriesInForce(stored, store);
  const restated =
    held.length === 0
      ? restate(figure, held, emitter, factors, now_ms)
      : restate(figure, held, emitter, factorsOf(held, factors), Number.POSITIVE_INFINITY);
  if (restated.kind === "unknown-factor") return null;
  return restated.kind === "restated" ? restated.entries : [];
}
