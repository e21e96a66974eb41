import type { EpochMs } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { DeviceProfile } from "../../core/wire/content.ts";
import type { MeterSwapRecord } from "../../core/wire/nodeRecord.ts";
import type { GatewayKey, StoredBatch, ZoneStore } from "../store/store.ts";
import type { BirthReader, Count } from "./births.ts";

/** One counter of one meter. */
export interface CounterKey {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly quantity: QuantityId;
}

export interface NearestBatch {
  readonly batch: StoredBatch;
  readonly counts: readonly Count[];
}

/** What the batches of one device with content in [from, to] hold of its counters: by batch, the oldest first, and in it by time. */
interface Stretch {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly counts: ReadonlyMap<QuantityId, readonly Count[]>;
}

/** Read before and behind what is asked for: the neighbours of an interval lie there as a rule. */
const BEFORE_MS = 150_000;
const BEHIND_MS = 30_000;
/** Batches in one stretch: an hour at ten polls a second, and its margins. */
const BATCHES_MAX = 40_000;
/** Swaps of one gateway kept apart; of more the newest are not known, and what they did counts as a disagreement. */
const SWAPS_MAX = 1000;

/**
 * What the store holds about the intervals being compared. The intervals of one meter come together, one for each of its
 * counters, and rest on the same batches: those are read and decoded once, and held until the next meter or `forget`.
 * Nothing is held longer than one helping of comparing, in which nothing is stored: it is always what the store says.
 */
export class Evidence {
  readonly #store: ZoneStore;
  readonly #births: BirthReader;
  #stretch: Stretch | null = null;
  #swaps: { readonly gateway: GatewayKey; readonly records: readonly MeterSwapRecord[] } | null = null;

  constructor(store: ZoneStore, births: BirthReader) {
    this.#store = store;
    this.#births = births;
  }

  /** As {@link within}, and from here on what lies around this stretch is held. */
  around(counter: CounterKey, from_ms: EpochMs, to_ms: EpochMs): readonly Count[] | null {
    if (!isWithin(this.#stretch, counter, from_ms, to_ms)) {
      this.#stretch = this.#read(counter, from_ms - BEFORE_MS, to_ms + BEHIND_MS);
    }
    return this.#stretch === null ? null : countsIn(this.#stretch, counter, from_ms, to_ms);
  }

  /**
   * Readings of the counter in batches with content in [from, to]: by batch, the oldest first, and in it by time. Null: there
   * are too many batches to look through.
   */
  within(counter: CounterKey, from_ms: EpochMs, to_ms: EpochMs): readonly Count[] | null {
    const isHeld = isWithin(this.#stretch, counter, from_ms, to_ms);
    const stretch = isHeld ? this.#stretch : this.#read(counter, from_ms, to_ms);
    return stretch === null ? null : countsIn(stretch, counter, from_ms, to_ms);
  }

  /** The batch nearest to an instant, whatever it holds, and the readings of the counter in it; null if there is none at or beyond it. */
  nearest({ gateway, device, quantity }: CounterKey, at_ms: EpochMs, direction: 1 | -1): NearestBatch | null {
    const batch =
      direction === 1
        ? this.#store.batchAtOrAfter(gateway, device, at_ms)
        : this.#store.batchAtOrBefore(gateway, device, at_ms);
    return batch === null ? null : { batch, counts: this.#births.counts(batch).filter(isOf(quantity)) };
  }

  /** How the device counted when it sent the batch; without one, when it sent the newest up to an instant. */
  profile({ gateway, device }: CounterKey, batch: StoredBatch | undefined, at_ms: EpochMs): DeviceProfile | null {
    return this.#births.profileAt(batch ?? this.#store.batchAtOrBefore(gateway, device, at_ms));
  }

  /** What the gateway told of other meters in the place of this one, up to an instant, oldest first. */
  swaps({ gateway, device }: CounterKey, to_ms: EpochMs): readonly MeterSwapRecord[] {
    if (this.#swaps === null || !isSame(this.#swaps.gateway, gateway)) {
      const stored = this.#store.nodeRecords(gateway, "meter-swap", 0, Number.MAX_SAFE_INTEGER, SWAPS_MAX);
      const records = stored.map(({ record }) => record).sort((a, b) => a.at_ms - b.at_ms);
      this.#swaps = { gateway, records };
    }
    return this.#swaps.records.filter((record) => record.device === device && record.at_ms <= to_ms);
  }

  forget(): void {
    this.#stretch = null;
    this.#swaps = null;
  }

  #read({ gateway, device }: CounterKey, from_ms: EpochMs, to_ms: EpochMs): Stretch | null {
    const batches = this.#store.batches(gateway, device, from_ms, to_ms, BATCHES_MAX);
    if (batches.length >= BATCHES_MAX) return null;
    const counts = new Map<QuantityId, Count[]>();
    for (const batch of batches) {
      for (const count of this.#births.counts(batch)) {
        const of = counts.get(count.quantity);
        if (of === undefined) counts.set(count.quantity, [count]);
        else of.push(count);
      }
    }
    return { gateway, device, from_ms, to_ms, counts };
  }
}

function isWithin(stretch: Stretch | null, { gateway, device }: CounterKey, from_ms: EpochMs, to_ms: EpochMs): boolean {
  if (stretch === null || stretch.device !== device || !isSame(stretch.gateway, gateway)) return false;
  return stretch.from_ms <= from_ms && to_ms <= stretch.to_ms;
}

function countsIn({ counts }: Stretch, { quantity }: CounterKey, from_ms: EpochMs, to_ms: EpochMs): readonly Count[] {
  const all = counts.get(quantity) ?? [];
  return all.filter(({ batch }) => batch.to_ms >= from_ms && batch.from_ms <= to_ms);
}

function isOf(quantity: QuantityId): (count: Count) => boolean {
  return (count) => count.quantity === quantity;
}

function isSame(a: GatewayKey, b: GatewayKey): boolean {
  return a.edge === b.edge && a.group === b.group;
}
