import type { CounterReading } from "../../core/counter/counterDelta.ts";
import { QUANTITIES, type QuantityId, quantityOfWire } from "../../core/units/quantities.ts";
import {
  type BornMetric,
  type DeviceProfile,
  isOutside,
  metricContent,
  modulusOf,
  profileOfBirth,
} from "../../core/wire/content.ts";
import { integersIn } from "../../core/wire/integersIn.ts";
import { DataType, decodePayload } from "../../core/wire/payload.ts";
import type { StoredBatch, ZoneStore } from "../store/store.ts";

/** A good reading of a counter, as a batch brought it. Which meter it was, the batch does not say. */
export interface Count extends CounterReading {
  readonly quantity: QuantityId;
  readonly batch: StoredBatch;
}

interface BornCounter {
  readonly metric: BornMetric;
  readonly quantity: QuantityId;
  readonly modulus: bigint | null;
}

/** What is needed of a birth: its counters, and how the device counts. */
interface Birth {
  readonly byAlias: ReadonlyMap<number, BornCounter>;
  readonly byName: ReadonlyMap<string, BornCounter>;
  /** All of them are integers of 64 bits and known by alias, as our gateways say it. */
  readonly isOurs: boolean;
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
  counts(batch: StoredBatch): readonly Count[] {
    const birth = this.#birth(batch);
    const counts = plainCounts(batch, birth) ?? decodedCounts(batch, birth);
    // As a rule they are of one poll, and of one time.
    return counts.every(({ at_ms }) => at_ms === counts[0]!.at_ms) ? counts : counts.sort((a, b) => a.at_ms - b.at_ms);
  }

  #birth({ birthId, device }: StoredBatch): Birth {
    let birth = this.#births.get(birthId);
    if (birth === undefined) {
      birth = birthOf(device, this.#store.birth(birthId)?.metrics ?? []);
      this.#births.set(birthId, birth);
    }
    return birth;
  }
}

function birthOf(device: string, metrics: readonly BornMetric[]): Birth {
  const counters = metrics.flatMap((metric): readonly BornCounter[] => {
    const quantity = quantityOfWire(metric.name);
    if (quantity === undefined || QUANTITIES[quantity].kind !== "counter") return [];
    return [{ metric, quantity, modulus: modulusOf(metric.properties) }];
  });
  return {
    byAlias: new Map(counters.flatMap((one) => (one.metric.alias === null ? [] : [[one.metric.alias, one] as const]))),
    byName: new Map(counters.map((one) => [one.metric.name, one])),
    isOurs: counters.every(({ metric }) => metric.alias !== null && metric.datatype === DataType.Int64),
    profile: profileOfBirth(device, metrics),
  };
}

/** Of a batch whose counters are plain integers, as nearly all are; null: it must be decoded. */
function plainCounts(batch: StoredBatch, { byAlias, isOurs }: Birth): Count[] | null {
  if (!isOurs) return null;
  const counts: Count[] = [];
  const isPlain = integersIn(batch.payload, byAlias, ({ quantity, modulus }, at_ms, count) => {
    if (!isOutside(count, modulus)) counts.push({ quantity, at_ms, count, meterSerial: null, batch });
  });
  return isPlain ? counts : null;
}

function decodedCounts(batch: StoredBatch, { byAlias, byName }: Birth): Count[] {
  const counts: Count[] = [];
  for (const metric of decodePayload(batch.payload, (alias) => byAlias.has(alias)).metrics) {
    const born = metric.alias === undefined ? byName.get(metric.name ?? "") : byAlias.get(metric.alias);
    if (born === undefined) continue;
    const content = metricContent(batch.device, metric, born.metric, batch.to_ms);
    if (content.kind !== "reading") continue;
    const { quantity, at_ms, value, quality } = content.reading;
    if (quality !== "good" || typeof value !== "bigint") continue;
    counts.push({ quantity, at_ms, count: value, meterSerial: null, batch });
  }
  return counts;
}
