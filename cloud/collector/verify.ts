import { type Emission, emissionsOf, emittingQuantity } from "../../core/emission/emission.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import { openAccount, takeReading } from "../../core/interval/counterAccount.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { type BornMetric, type DeviceProfile, metricContent, profileOfBirth } from "../../core/wire/content.ts";
import type { MeterSwapRecord } from "../../core/wire/nodeRecord.ts";
import { decodePayload } from "../../core/wire/payload.ts";
import type { StoredBatch, StoredEmission, StoredInterval, ZoneStore } from "../store/store.ts";

/**
 * The cloud recomputes the edge's figures from the readings it received, by the same pure code, and must agree to the last
 * digit (architecture §3). An interval depends only on the readings from the last one at or before its start to the first
 * one at or after its end, so it is recomputed from exactly those, whatever order they arrived in. What was recorded after
 * the interval cannot have been part of it: a clock that went back dates readings into intervals that are closed.
 */
export type Verdict =
  | { readonly kind: "agreed" }
  | { readonly kind: "disagreed"; readonly edge: string; readonly cloud: string }
  /** The readings it rests on are not there (a dead letter, a loss): the edge's figure stands alone, and says so. */
  | { readonly kind: "unverifiable"; readonly why: string };

/** Batches looked through for the nearest reading of one counter before an interval, and after it. */
const NEIGHBOUR_STEPS_MAX = 400;
/** How long before the reading nearest to an interval's start one is looked for that was recorded after it. */
const CLOCK_LOOK_BACK_MS = 120_000;
/** Batches within one interval: an hour at ten polls a second. */
const BATCHES_MAX = 36_000;

export function verifyInterval(
  stored: StoredInterval,
  store: ZoneStore,
  factors: readonly EmissionFactor[],
  births: BirthReader,
): Verdict {
  const { gateway, device, quantity, from_ms, to_ms } = stored;
  // The edge leaves out what a clock that went back dated twice; sorted by time the readings no longer tell which.
  if (stored.cause === "clock") return { kind: "unverifiable", why: "the gateway's clock went back" };
  const isBefore = ({ epoch, number }: StoredBatch): boolean => epoch !== stored.epoch || number < stored.batch;
  const within = asRecorded(
    store
      .batches(gateway, device, from_ms, to_ms, BATCHES_MAX)
      .filter((batch) => isBefore(batch) && births.counterReadings(batch, quantity).length > 0),
  );
  const [oldest, newest] = [within[0], within.at(-1)];
  const isEarlier = (batch: StoredBatch): boolean =>
    isBefore(batch) && (oldest?.epoch !== batch.epoch || batch.number <= oldest.number);
  const isLater = (batch: StoredBatch): boolean =>
    isBefore(batch) && (newest?.epoch !== batch.epoch || batch.number >= newest.number);
  const readings = within.flatMap((batch) => births.counterReadings(batch, quantity));
  const used = [...within];
  const first = readings[0];
  const last = readings.at(-1);
  if (first === undefined || first.at_ms > from_ms) {
    const before = neighbour({ stored, store, births, isBefore: isEarlier }, from_ms, -1);
    if (before === "too-far") return TOO_FAR;
    if (before !== null) {
      const near_ms = before.reading.at_ms;
      // A clock that was set back just before the interval: what was recorded last is what it began with.
      const near = asRecorded(
        store
          .batches(gateway, device, near_ms - CLOCK_LOOK_BACK_MS, near_ms, BATCHES_MAX)
          .filter((batch) => isEarlier(batch) && births.counterReadings(batch, quantity).length > 0),
      );
      const batch = near.at(-1) ?? before.batch;
      readings.unshift(births.counterReadings(batch, quantity).at(-1) ?? before.reading);
      used.push(batch);
    }
  }
  if (last === undefined || last.at_ms < to_ms) {
    const after = neighbour({ stored, store, births, isBefore: isLater }, to_ms, 1);
    if (after === "too-far") return TOO_FAR;
    if (after !== null) readings.push(after.reading);
    if (after !== null) used.push(after.batch);
  }
  const profile = births.profileAt(within[0] ?? store.batchAtOrBefore(gateway, device, to_ms));
  const counter = profile?.counters.find((candidate) => candidate.quantity === quantity);
  if (profile === null || counter === undefined) return { kind: "unverifiable", why: "no birth says how it counts" };

  const account = openAccount(device, counter, profile.interval_ms, profile.time_zone);
  readings.sort((a, b) => a.at_ms - b.at_ms);
  const swaps = swapsOf(stored, store, readings.at(-1)?.at_ms ?? to_ms);
  if (stored.cause === "meter-replaced" && swaps.length === 0) {
    return { kind: "unverifiable", why: "the record of the meter's replacement is not here" };
  }
  let computed: Interval | null = null;
  for (const { at_ms, value } of readings) {
    if (typeof value !== "bigint") continue;
    for (const interval of takeReading(account, { at_ms, count: value, meterSerial: serialAt(swaps, at_ms) })) {
      if (interval.from_ms === from_ms) computed = interval;
    }
  }
  if (computed === null) return { kind: "unverifiable", why: "no readings around it" };
  const inForce = emittingQuantity(profile) === quantity ? store.emissions(gateway, device, from_ms, to_ms, 16) : [];
  const booked = inForce.flatMap((entry) => fromGateway(entry, store));
  const edge = figureOf(stored, booked);
  const cloud = figureOf(computed, recomputedEmissions(computed, profile, booked, factors));
  if (edge === cloud) return { kind: "agreed" };
  // It counted with less than arrived here: its disk lost what it had sent. A new epoch is a journal that may have lost some.
  if (used.some(({ epoch }) => epoch !== stored.epoch) || isAnyLost(used, store) || isForgotten(used, stored, store)) {
    return { kind: "unverifiable", why: "the gateway lost readings that had arrived here" };
  }
  return { kind: "disagreed", edge, cloud };
}

/** Swaps of one meter kept apart; of more the newest are not known, and what they did counts as a disagreement. */
const SWAPS_MAX = 1000;

/** What the gateway told of other meters in the place of this one, up to an instant, oldest first. */
function swapsOf({ gateway, device }: StoredInterval, store: ZoneStore, to_ms: EpochMs): readonly MeterSwapRecord[] {
  const records = store.nodeRecords(gateway, "meter-swap", 0, to_ms + 1, SWAPS_MAX).map(({ record }) => record);
  return records.filter((record) => record.device === device).sort((a, b) => a.at_ms - b.at_ms);
}

/** Of the meter that counted at an instant: what stood there before the first swap is that one's old meter. */
function serialAt(swaps: readonly MeterSwapRecord[], at_ms: EpochMs): string | null {
  const swap = swaps.findLast((one) => one.at_ms <= at_ms);
  return swap === undefined ? (swaps[0]?.serialBefore ?? null) : swap.serialAfter;
}

/**
 * Without what a clock dated ahead before it was put back: what was recorded later and is dated earlier takes its place.
 * @param batches of samples, oldest first
 */
function asRecorded(batches: readonly StoredBatch[]): readonly StoredBatch[] {
  const kept: StoredBatch[] = [];
  for (const batch of batches) {
    const last = kept.at(-1);
    if (last?.epoch !== batch.epoch || last.number < batch.number) kept.push(batch);
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
function fromGateway(entry: StoredEmission, store: ZoneStore): readonly StoredEmission[] {
  const sent = store.emissionVersions(entry.id).findLast(({ reason }) => reason === null);
  return sent === undefined ? [] : [sent.entry];
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
  const named = factors.filter((factor) =>
    booked.some(({ factorId, factorVersion }) => factor.id === factorId && factor.version === factorVersion),
  );
  const result = emissionsOf(interval, profile, named, Number.POSITIVE_INFINITY);
  return result.kind === "emissions" ? result.entries : [];
}

const TOO_FAR: Verdict = { kind: "unverifiable", why: "the nearest reading is behind too many batches" };

interface Found {
  readonly reading: Reading;
  readonly batch: StoredBatch;
}

/**
 * The nearest reading of the interval's counter at or beyond an instant that was recorded before the interval. It is in the
 * nearest batch as a rule; else (a batch of intervals that spans hours, a clock that was set) stretches of time are looked
 * through, each longer than the last, and behind them batch after batch.
 */
function neighbour(
  of: {
    readonly stored: StoredInterval;
    readonly store: ZoneStore;
    readonly births: BirthReader;
    readonly isBefore: (batch: StoredBatch) => boolean;
  },
  start_ms: EpochMs,
  direction: 1 | -1,
): Found | null | "too-far" {
  const { stored, store, births, isBefore } = of;
  const { gateway, device, quantity } = stored;
  const nearestAt = (at_ms: EpochMs): StoredBatch | null =>
    direction === 1 ? store.batchAtOrAfter(gateway, device, at_ms) : store.batchAtOrBefore(gateway, device, at_ms);
  const nearestIn = (batches: readonly StoredBatch[]): Found | undefined => {
    const found = batches
      .filter(isBefore)
      .flatMap((batch) => births.counterReadings(batch, quantity).map((reading) => ({ reading, batch })))
      .filter(({ reading }) => (reading.at_ms - start_ms) * direction >= 0);
    found.sort((x, y) => (x.reading.at_ms - y.reading.at_ms) * direction);
    return found[0];
  };
  let batch = nearestAt(start_ms);
  if (batch === null) return null;
  const atOnce = nearestIn([batch]);
  if (atOnce !== undefined) return atOnce;
  let at_ms = start_ms;
  for (const stretch_ms of STRETCHES_MS) {
    at_ms = start_ms + direction * stretch_ms;
    const [from_ms, to_ms] = direction === 1 ? [start_ms, at_ms] : [at_ms, start_ms];
    const found = nearestIn(store.batches(gateway, device, from_ms, to_ms, BATCHES_MAX));
    if (found !== undefined) return found;
  }
  for (let step = 0; step < NEIGHBOUR_STEPS_MAX; step++) {
    batch = nearestAt(at_ms);
    if (batch === null) return null;
    const found = nearestIn([batch]);
    if (found !== undefined) return found;
    at_ms = direction === 1 ? Math.max(batch.to_ms, at_ms) + 1 : Math.min(batch.from_ms, at_ms) - 1;
  }
  return "too-far";
}

/** A minute, ten, two hours: with the step from batch to batch behind them, any gap. */
const STRETCHES_MS = [60_000, 600_000, 7_200_000];

/** Batches whose counters are kept decoded: those of an interval are read for each of its counters. */
const DECODED_MAX = 4000;

/** Reads stored batches back through the births they name; births are few and kept. */
export class BirthReader {
  readonly #store: ZoneStore;
  readonly #births = new Map<number, { byAlias: Map<number, BornMetric>; profile: DeviceProfile | null }>();

  /** Of the batches decoded last. */
  readonly #counted = new Map<string, readonly Reading[]>();

  constructor(store: ZoneStore) {
    this.#store = store;
  }

  profileAt(batch: StoredBatch | null): DeviceProfile | null {
    return batch === null ? null : this.#birth(batch).profile;
  }

  /** Good readings of one counter in a batch, in time order. A batch is decoded once for all its counters. */
  counterReadings(batch: StoredBatch, quantity: QuantityId): readonly Reading[] {
    const key = `${batch.gateway.group}/${batch.gateway.edge} ${batch.epoch} ${batch.number}`;
    let counted = this.#counted.get(key);
    if (counted === undefined) {
      counted = this.readings(batch).filter(({ quality, value }) => quality === "good" && typeof value === "bigint");
      if (this.#counted.size >= DECODED_MAX) this.#counted.clear();
      this.#counted.set(key, counted);
    }
    return counted.filter((reading) => reading.quantity === quantity);
  }

  /** Readings of a batch, all or of one quantity, in time order. */
  readings(batch: StoredBatch, quantity?: QuantityId): Reading[] {
    const { byAlias } = this.#birth(batch);
    const readings: Reading[] = [];
    for (const metric of decodePayload(batch.payload).metrics) {
      const born = byAlias.get(metric.alias ?? -1);
      if (born === undefined) continue;
      const content = metricContent(batch.device, metric, born, batch.to_ms);
      if (content.kind === "reading" && (quantity === undefined || content.reading.quantity === quantity)) {
        readings.push(content.reading);
      }
    }
    return readings.sort((a, b) => a.at_ms - b.at_ms);
  }

  #birth({ birthId, device }: StoredBatch) {
    let birth = this.#births.get(birthId);
    if (birth === undefined) {
      const metrics = this.#store.birth(birthId)?.metrics ?? [];
      birth = {
        byAlias: new Map(metrics.flatMap((m) => (m.alias === null ? [] : [[m.alias, m] as const]))),
        profile: profileOfBirth(device, metrics),
      };
      this.#births.set(birthId, birth);
    }
    return birth;
  }
}
