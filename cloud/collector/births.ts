import type { Reading } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId, quantityOfWire } from "../../core/units/quantities.ts";
import { type BornMetric, type DeviceProfile, metricContent, profileOfBirth } from "../../core/wire/content.ts";
import { decodePayload } from "../../core/wire/payload.ts";
import type { StoredBatch, ZoneStore } from "../store/store.ts";

/** What is needed of a birth: its counters, and how the device counts. */
interface Birth {
  readonly byAlias: ReadonlyMap<number, BornMetric>;
  readonly byName: ReadonlyMap<string, BornMetric>;
  readonly profile: DeviceProfile | null;
}

/** Reads stored batches back through the births they name; births are few and kept. */
export class BirthReader {
  readonly #store: Pick<ZoneStore, "birth">;
  readonly #births = new Map<number, Birth>();

  constructor(store: Pick<ZoneStore, "birth">) {
    this.#store = store;
  }

  profileAt(batch: StoredBatch | null): DeviceProfile | null {
    return batch === null ? null : this.#birth(batch).profile;
  }

  /** Good readings of all counters in a batch, in time order; the rest of it is passed over. */
  counts(batch: StoredBatch): readonly Reading[] {
    const { byAlias, byName } = this.#birth(batch);
    const counts: Reading[] = [];
    for (const metric of decodePayload(batch.payload, (alias) => byAlias.has(alias)).metrics) {
      const born = metric.alias === undefined ? byName.get(metric.name ?? "") : byAlias.get(metric.alias);
      if (born === undefined) continue;
      const content = metricContent(batch.device, metric, born, batch.to_ms);
      if (content.kind !== "reading") continue;
      const { reading } = content;
      if (reading.quality === "good" && typeof reading.value === "bigint") counts.push(reading);
    }
    // As a rule they are of one poll, and of one time.
    return counts.every(({ at_ms }) => at_ms === counts[0]!.at_ms) ? counts : counts.sort((a, b) => a.at_ms - b.at_ms);
  }

  /** Those of one counter. */
  counterReadings(batch: StoredBatch, quantity: QuantityId): readonly Reading[] {
    return this.counts(batch).filter((reading) => reading.quantity === quantity);
  }

  #birth({ birthId, device }: StoredBatch): Birth {
    let birth = this.#births.get(birthId);
    if (birth === undefined) {
      const metrics = this.#store.birth(birthId)?.metrics ?? [];
      const counters = metrics.filter(({ name }) => isCounter(name));
      birth = {
        byAlias: new Map(
          counters.flatMap((metric) => (metric.alias === null ? [] : [[metric.alias, metric] as const])),
        ),
        byName: new Map(counters.map((metric) => [metric.name, metric])),
        profile: profileOfBirth(device, metrics),
      };
      this.#births.set(birthId, birth);
    }
    return birth;
  }
}

function isCounter(name: string): boolean {
  const quantity = quantityOfWire(name);
  return quantity !== undefined && QUANTITIES[quantity].kind === "counter";
}
