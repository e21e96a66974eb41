import type { CounterReading } from "../../core/counter/counterDelta.ts";
import { type Emission, emissionsOf, emittingQuantity } from "../../core/emission/emission.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import { openAccount, takeReading } from "../../core/interval/counterAccount.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { DeviceProfile } from "../../core/wire/content.ts";
import type { MeterSwapRecord } from "../../core/wire/nodeRecord.ts";
import type { StoredBatch, StoredEmission, StoredInterval, ZoneStore } from "../store/store.ts";
import type { Count } from "./births.ts";
import { type Correction, correctionOf, meets } from "./correction.ts";
import { entriesInForce, factorsOf } from "./entries.ts";
import type { Evidence } from "./evidence.ts";

/**
 * The cloud recomputes the edge's figures from the readings it received, by the same pure code, and must agree to the last
 * digit (architecture §3). An interval depends only on the readings from the last one at or before its start to the first
 * one at or after its end, so it is recomputed from exactly those, whatever order they arrived in. What was recorded after
 * the interval cannot have been part of it: a clock that went back dates readings into intervals that are closed.
 */
export type Verdict =
  | { readonly kind: "agreed" }
  | { readonly kind: "disagreed"; readonly edge: string; readonly cloud: string }
  /** The gateway had less to count with than arrived here: this is what the readings say. */
  | { readonly kind: "recomputed"; readonly correction: Correction; readonly edge: string; readonly cloud: string }
  /** The readings it rests on are not there (a dead letter, a loss): the edge's figure stands alone, and says so. */
  | { readonly kind: "unverifiable"; readonly why: string };

/** Batches looked through for the nearest reading of one counter before an interval, and after it. */
const NEIGHBOUR_STEPS_MAX = 400;
/** How long before the reading nearest to an interval's start one is looked for that was recorded after it. */
const CLOCK_LOOK_BACK_MS = 120_000;

/** @param evidence of this helping: what the store holds around the interval */
export function verifyInterval(
  stored: StoredInterval,
  store: ZoneStore,
  factors: readonly EmissionFactor[],
  evidence: Evidence,
  now_ms: EpochMs,
): Verdict {
  const { device, quantity, from_ms, to_ms } = stored;
  // The edge leaves out what a clock that went back dated twice; sorted by time the readings no longer tell which.
  if (stored.cause === "clock") return { kind: "unverifiable", why: "the gateway's clock went back" };
  const around = readingsAround(stored, evidence);
  if (around === "too-far") return { kind: "unverifiable", why: "the nearest reading is behind too many batches" };
  const { counts } = around;
  const profile = evidence.profile(stored, around.within, to_ms);
  const counter = profile?.counters.find((candidate) => candidate.quantity === quantity);
  if (profile === null || counter === undefined) return { kind: "unverifiable", why: "no birth says how it counts" };

  const account = openAccount(device, counter, profile.interval_ms, profile.time_zone);
  const swaps = evidence.swaps(stored, counts.at(-1)?.at_ms ?? to_ms);
  if (stored.cause === "meter-replaced" && swaps.length === 0) {
    return { kind: "unverifiable", why: "the record of the meter's replacement is not here" };
  }
  let computed: Interval | null = null;
  for (const count of counts) {
    const closed = takeReading(account, byItsMeter(count, swaps));
    // Most readings close none.
    if (closed.length > 0) computed = closed.find((interval) => interval.from_ms === from_ms) ?? computed;
  }
  if (computed === null) return { kind: "unverifiable", why: "no readings around it" };
  const isEmitting = emittingQuantity(profile) === quantity;
  const booked = isEmitting ? bookedEmissions(stored, store) : [];
  const edge = figureOf(stored, booked);
  const cloud = figureOf(computed, recomputedEmissions(computed, profile, booked, factors));
  const isSame = edge === cloud;
  // Counts that differ change no figure, but the next interval goes on from them.
  const hasSameCounts = meets(stored.opening, computed.opening) && meets(stored.closing, computed.closing);
  if (isSame && hasSameCounts) return { kind: "agreed" };
  if (!hasLostWhatArrived(stored, counts, store))
    return isSame ? { kind: "agreed" } : { kind: "disagreed", edge, cloud };
  const correction = correctionOf(stored, computed, counts, store, isEmitting ? profile : null, factors, now_ms);
  if (correction !== null) return { kind: "recomputed", correction, edge, cloud };
  return isSame ? { kind: "agreed" } : { kind: "unverifiable", why: "the gateway lost readings that had arrived here" };
}

/**
 * Whether the gateway may have counted with less than arrived here: its disk lost what it had sent. A new epoch is a journal
 * that may have lost some; one of which a number came with two contents before it booked the interval went back in time.
 * @param counts what the interval rests on
 */
export function hasLostWhatArrived(stored: StoredInterval, counts: readonly Count[], store: ZoneStore): boolean {
  const { gateway, epoch, batch: number } = stored;
  const used = [...new Set(counts.map(({ batch }) => batch))];
  const isOfOthers = used.some((batch) => batch.epoch !== epoch);
  if (isOfOthers || isAnyLost(used, store) || isForgotten(used, stored, store)) return true;
  return store.quarantineCount(gateway, epoch, number) > 0;
}

/** What an interval rests on. */
interface Around {
  /** In time order. */
  readonly counts: readonly Count[];
  /** The first batch within the interval itself. */
  readonly within: StoredBatch | undefined;
}

/** From the last reading at or before the interval to the first at or after it, of those recorded before the interval was. */
function readingsAround(stored: StoredInterval, evidence: Evidence): Around | "too-far" {
  const { from_ms, to_ms } = stored;
  const isBefore = ({ epoch, number }: StoredBatch): boolean => epoch !== stored.epoch || number < stored.batch;
  const there = evidence.around(stored, from_ms, to_ms);
  if (there === null) return "too-far";
  const recorded = there.filter(({ batch }) => isBefore(batch));
  const counts = asRecorded(recorded);
  const first = counts[0];
  const last = counts.at(-1);
  const oldest = first?.batch;
  // What the interval, or the reading before it, is followed by was recorded after it: of a clock that was behind for a while
  // older readings may stand nearer.
  let newest = last?.batch;
  const isEarlier = (batch: StoredBatch): boolean =>
    isBefore(batch) && (oldest?.epoch !== batch.epoch || batch.number <= oldest.number);
  const isLater = (batch: StoredBatch): boolean =>
    isBefore(batch) && (newest?.epoch !== batch.epoch || batch.number >= newest.number);
  if (first === undefined || first.at_ms > from_ms) {
    const before = readingBefore(stored, evidence, isEarlier);
    if (before === "too-far") return "too-far";
    if (before !== null) counts.unshift(before);
    newest ??= before?.batch;
  }
  if (last === undefined || last.at_ms < to_ms) {
    const after = readingAfter(stored, evidence, isLater, recorded);
    if (after === "too-far") return "too-far";
    if (after !== null) counts.push(after);
  }
  return { counts: counts.sort((a, b) => a.at_ms - b.at_ms), within: oldest };
}

/**
 * What the interval began with: of a clock that was set back just before it, what was recorded last. Of one that was behind
 * until a restart, what the gateway names, if it was indeed recorded after all that is dated nearer.
 */
function readingBefore(
  stored: StoredInterval,
  evidence: Evidence,
  isEarlier: (batch: StoredBatch) => boolean,
): Count | null | "too-far" {
  const nearest = neighbour(stored, evidence, isEarlier, stored.from_ms, -1);
  if (nearest === null || nearest === "too-far") return nearest;
  const near_ms = nearest.at_ms;
  const near = evidence.within(stored, near_ms - CLOCK_LOOK_BACK_MS, near_ms);
  if (near === null) return "too-far";
  const latest = lastOf(asRecorded(near.filter(({ batch }) => isEarlier(batch)))) ?? nearest;
  const named_ms = stored.opening?.words?.at_ms ?? near_ms;
  if (named_ms >= near_ms - CLOCK_LOOK_BACK_MS) return latest;
  const there = evidence.within(stored, named_ms, named_ms);
  if (there === null) return "too-far";
  const named = lastOf(
    there.filter(({ batch }) => isEarlier(batch)),
    named_ms,
  );
  const isLater = named?.batch.epoch === latest.batch.epoch && named.batch.number > latest.batch.number;
  return isLater ? named : latest;
}

/**
 * What the interval ended with, recorded after it. History is polled in steps, the newest first: where two of them meet was recorded
 * with the later step, before the interval.
 * @param recorded around the interval, before it was booked
 */
function readingAfter(
  stored: StoredInterval,
  evidence: Evidence,
  isLater: (batch: StoredBatch) => boolean,
  recorded: readonly Count[],
): Count | null | "too-far" {
  const { to_ms } = stored;
  const later = neighbour(stored, evidence, isLater, to_ms, 1);
  if (later !== null && later !== "too-far") return later;
  return recorded.findLast(({ at_ms }) => at_ms === to_ms) ?? later;
}

/** Of the last batch the last reading; of those at an instant, if one is named. */
function lastOf(counts: readonly Count[], at_ms: EpochMs | null = null): Count | undefined {
  const last = counts.at(-1);
  return counts.findLast((one) => one.batch === last?.batch && (at_ms === null || one.at_ms === at_ms));
}

/** As a count of the meter that stood there. */
function byItsMeter(count: Count, swaps: readonly MeterSwapRecord[]): CounterReading {
  return swaps.length === 0 ? count : { ...count, meterSerial: serialAt(swaps, count.at_ms) };
}

/** Of the meter that counted at an instant: what stood there before the first swap is that one's old meter. */
function serialAt(swaps: readonly MeterSwapRecord[], at_ms: EpochMs): string | null {
  const swap = swaps.findLast((one) => one.at_ms <= at_ms);
  return swap === undefined ? (swaps[0]?.serialBefore ?? null) : swap.serialAfter;
}

/**
 * Without what a clock dated ahead before it was put back: what was recorded later and is dated earlier takes its place.
 * @param counts by batch, the oldest first
 */
function asRecorded(counts: readonly Count[]): Count[] {
  const kept: Count[] = [];
  let last: StoredBatch | undefined;
  for (const count of counts) {
    const { batch } = count;
    if (batch !== last && last?.epoch === batch.epoch && last.number >= batch.number) continue;
    kept.push(count);
    last = batch;
  }
  return kept;
}

function isAnyLost(batches: readonly StoredBatch[], store: ZoneStore): boolean {
  const [first] = batches;
  if (first === undefined) return false;
  const lost = store.lostRanges(first.gateway, first.epoch);
  return batches.some(({ number }) => lost.some((range) => range[0] <= number && number <= range[1]));
}

/** Had the gateway told, before it booked, that its own copy of what it had sent was damaged in the time of these batches? */
function isForgotten(batches: readonly StoredBatch[], { gateway, epoch, batch }: StoredInterval, store: ZoneStore) {
  const from_ms = Math.min(...batches.map((one) => one.from_ms));
  const to_ms = Math.max(...batches.map((one) => one.to_ms));
  const losses = store.nodeRecords(gateway, "loss", from_ms, to_ms + 1, LOSSES_MAX);
  return losses.some((loss) => loss.record.what === "history" && (loss.epoch !== epoch || loss.batch < batch));
}

/** Losses looked through around an interval; what more of them explain counts as a disagreement. */
const LOSSES_MAX = 1000;

/** What the gateway booked: an entry may have been restated since, or made here where nothing was booked. */
function bookedEmissions(stored: StoredInterval, store: ZoneStore): readonly StoredEmission[] {
  return entriesInForce(stored, store).flatMap((entry) => {
    const sent = store.emissionVersions(entry.id).findLast(({ reason }) => reason === null);
    return sent === undefined ? [] : [sent.entry];
  });
}

/** The figure as one line of text: what must be equal to the last digit. */
function figureOf(interval: Interval, emissions: readonly Emission[]): string {
  const masses = emissions
    .filter(({ from_ms, to_ms }) => from_ms === interval.from_ms && to_ms === interval.to_ms)
    .map(({ gas, mg, factorId, factorVersion }) => `${gas} ${mg} mg by ${factorId}@${factorVersion}`)
    .sort();
  return [`${interval.ticks ?? "no"} × ${interval.tick.amount} ${interval.tick.unit} ${interval.flag}`, ...masses].join(
    ", ",
  );
}

/** With the factors the edge names: whether those are the right ones is another question than whether it calculated right. */
function recomputedEmissions(
  interval: Interval,
  profile: DeviceProfile,
  booked: readonly Emission[],
  factors: readonly EmissionFactor[],
): readonly Emission[] {
  const result = emissionsOf(interval, profile, factorsOf(booked, factors), Number.POSITIVE_INFINITY);
  return result.kind === "emissions" ? result.entries : [];
}

/**
 * The nearest reading of the interval's counter at or beyond an instant, in a batch that `isOf` takes. It is within seconds
 * as a rule; else (a gap, a clock that was set) stretches of time are looked through, each longer than the last, and behind
 * them batch after batch.
 */
function neighbour(
  stored: StoredInterval,
  evidence: Evidence,
  isOf: (batch: StoredBatch) => boolean,
  start_ms: EpochMs,
  direction: 1 | -1,
): Count | null | "too-far" {
  const nearestIn = (counts: readonly Count[]): Count | undefined => {
    let nearest: Count | undefined;
    for (const count of counts) {
      if ((count.at_ms - start_ms) * direction < 0 || !isOf(count.batch)) continue;
      if (nearest === undefined || (count.at_ms - nearest.at_ms) * direction < 0) nearest = count;
    }
    return nearest;
  };
  let at_ms = start_ms;
  for (const stretch_ms of STRETCHES_MS) {
    at_ms = start_ms + direction * stretch_ms;
    const counts = evidence.within(stored, Math.min(start_ms, at_ms), Math.max(start_ms, at_ms));
    if (counts === null) return "too-far";
    const found = nearestIn(counts);
    if (found !== undefined) return found;
  }
  for (let step = 0; step < NEIGHBOUR_STEPS_MAX; step++) {
    const nearest = evidence.nearest(stored, at_ms, direction);
    if (nearest === null) return null;
    const found = nearestIn(nearest.counts);
    if (found !== undefined) return found;
    const { batch } = nearest;
    at_ms = direction === 1 ? Math.max(batch.to_ms, at_ms) + 1 : Math.min(batch.from_ms, at_ms) - 1;
  }
  return "too-far";
}

/** Half a minute, two, ten, two hours: with the step from batch to batch behind them, any gap. */
const STRETCHES_MS = [30_000, 120_000, 600_000, 7_200_000];
