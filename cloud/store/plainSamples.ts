import { crc32c } from "../../core/wire/crc32c.ts";
import type { Batches } from "./batches.ts";
import type { Database } from "./database.ts";
import type { Keys } from "./keys.ts";
import { PLAIN_EPOCH, type PlainDevice, type PlainMessage, type PlainSample } from "./store.ts";

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

  devices(): readonly PlainDevice[] {
    const metrics = new Map<number, { metric: string; newest_ms: number }[]>();
    for (const [metricId, { deviceId, metric }] of this.#keys.names.plainMetrics.entries()) {
      const newest = this.#db.get("SELECT max(at_ms) AS at FROM plain_sample WHERE metric_id = ?", metricId)?.at;
      if (newest == null) continue;
      const known = metrics.get(deviceId);
      const one = { metric, newest_ms: Number(newest) };
      if (known === undefined) metrics.set(deviceId, [one]);
      else known.push(one);
    }
    return [...metrics].map(([deviceId, of]) => {
      const { gatewayId, device } = this.#keys.names.devices.value(deviceId);
      return { gateway: this.#keys.names.gateways.value(gatewayId), device, metrics: of };
    });
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
