import { KhuXanhError } from "../../core/errors.ts";
import type { Log } from "../../core/ports.ts";
import { encodeCanonical } from "../../core/wire/payload.ts";
import type { GatewayKey, PlainMessage, ZoneStore } from "../store/store.ts";
import type { DeviceSession, Sent } from "./session.ts";

/** Messages that wait for a store that is busy or full; beyond it the oldest are given up: nobody sends them again. */
const WAITING_MAX = 10_000;

/**
 * Messages of gateways that number no batches, on their way into the store (reference sparkplug §17.4): stored by (device,
 * metric, timestamp) with the quality they were sent with, confirmed to nobody, booked nowhere. Readings that the sender
 * calls transient are shown and not kept.
 */
export class PlainMessages {
  readonly #store: Pick<ZoneStore, "commitPlain">;
  readonly #log: Log;
  #waiting: PlainMessage[] = [];
  /** Samples stored since the start, and messages given up. */
  stored = 0;
  givenUp = 0;

  constructor(store: Pick<ZoneStore, "commitPlain">, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  add(gateway: GatewayKey, { device, birthId }: DeviceSession, { metrics, of, at_ms: sent_ms }: Sent): void {
    const samples = metrics.flatMap((metric, i) => {
      if (metric.isTransient === true) return [];
      const at_ms = metric.timestamp_ms ?? sent_ms;
      return [{ metric: of[i]!.born.name, at_ms, payload: encodeCanonical([{ ...metric, timestamp_ms: at_ms }]) }];
    });
    if (samples.length === 0) return;
    this.#waiting.push({ gateway, device, birthId, samples });
    if (this.#waiting.length <= WAITING_MAX) return;
    this.#waiting.shift();
    this.givenUp += 1;
  }

  commit(): void {
    if (this.#waiting.length === 0) return;
    try {
      this.stored += this.#store.commitPlain(this.#waiting);
      this.#waiting = [];
    } catch (error) {
      const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
      this.#log.error("collector.plain-not-stored", { messages: this.#waiting.length, code, error: String(error) });
      // What the store can never hold must not stop what comes after it.
      if (code !== "STORE_REFUSED" && code !== "INTERNAL") return;
      this.givenUp += this.#waiting.length;
      this.#waiting = [];
    }
  }
}
