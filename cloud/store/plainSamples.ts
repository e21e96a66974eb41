import { crc32c } from "../../core/wire/crc32c.ts";
import type { Batches } from "./batches.ts";
import type { Database } from "./database.ts";
import type { Keys } from "./keys.ts";
import { PLAIN_EPOCH, type PlainMessage, type PlainSample } from "./store.ts";

/** What gateways sent that number no batches: stored once by its natural key, however often it comes. */
export class PlainSamples {
  readonly #db: Database;
  readonly #keys: Keys;
  readonly #batches: Batches;

  constructor(db: Database, keys: Keys, batches: Batches) {
    this.#db = db;
    this.#keys = keys;
    this.#batches = batches;
  }

  commit(messages: readonly PlainMessage[]): number {
    if (messages.length === 0) return 0;
    return this.#db.transaction(() => messages.reduce((count, message) => count + this.#commitOne(message), 0));
  }

  #commitOne({ gateway, device, birthId, samples }: PlainMessage): number {
    const deviceId = this.#keys.deviceId(gateway, device);
    const fresh = samples.filter((sample) => this.#isNew(deviceId, sample));
    if (fresh.length === 0) return 0;
    const times_ms = fresh.map(({ at_ms }) => at_ms);
    // Payloads of single metrics one behind the other are the payload of all (protobuf).
    const payload = joined(fresh.map((sample) => sample.payload));
    this.#batches.append({
      gateway,
      epoch: PLAIN_EPOCH,
      device,
      birthId,
      from_ms: Math.min(...times_ms),
      to_ms: Math.max(...times_ms),
      crc32c: crc32c(payload),
      payload,
      intervals: [],
      emissions: [],
      record: null,
      isPoll: false,
    });
    return fresh.length;
  }

  #isNew(deviceId: number, { metric, at_ms }: PlainSample): boolean {
    const metricId = this.#keys.names.plainMetrics.intern({ deviceId, metric });
    return this.#db.run(
      "INSERT INTO plain_sample (metric_id, at_ms) VALUES (?, ?) ON CONFLICT (metric_id, at_ms) DO NOTHING",
      metricId,
      at_ms,
    );
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
