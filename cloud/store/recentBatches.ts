import type { EpochMs } from "../../core/reading/reading.ts";
import type { StoredBatch } from "./store.ts";

/** Kept of all devices together; at the limit the older half of each goes. What went is read from the file again. */
const BYTES_MAX = 32 * 1024 * 1024;
/** What the objects of one batch take beside its payload, about. */
const OVERHEAD_BYTES = 400;

/** Of one device, in the order they were stored. */
interface OfDevice {
  readonly keys: number[];
  readonly batches: StoredBatch[];
}

/**
 * The batches stored last. What is stored of a batch is never changed and never deleted, so that one taken from here is what the
 * file holds; which batches there are, only the file says.
 */
export class RecentBatches {
  readonly #max_bytes: number;
  readonly #devices = new Map<number, OfDevice>();
  #held_bytes = 0;

  constructor(max_bytes = BYTES_MAX) {
    this.#max_bytes = max_bytes;
  }

  put(
    deviceId: number,
    key: number,
    { gateway, epoch, number, device, birthId, from_ms, to_ms, payload }: StoredBatch,
  ): void {
    let of = this.#devices.get(deviceId);
    if (of === undefined) {
      of = { keys: [], batches: [] };
      this.#devices.set(deviceId, of);
    }
    of.keys.push(key);
    of.batches.push({ gateway, epoch, number, device, birthId, from_ms, to_ms, payload });
    this.#held_bytes += bytesOf(payload);
    if (this.#held_bytes > this.#max_bytes) this.#letGo();
  }

  /** Whether those of the device go back to an instant: else it is not worth looking which there are. */
  reachesTo(deviceId: number, at_ms: EpochMs): boolean {
    const first = this.#devices.get(deviceId)?.batches[0];
    return first !== undefined && first.to_ms <= at_ms;
  }

  /** The batches of a device with these keys, in their order; null unless all of them are here. */
  find(deviceId: number, keys: readonly number[]): readonly StoredBatch[] | null {
    const of = this.#devices.get(deviceId);
    if (of === undefined) return null;
    const found: StoredBatch[] = [];
    let at = -1;
    for (const key of keys) {
      // As a rule they were stored one behind the other.
      at = of.keys[at + 1] === key ? at + 1 : of.keys.lastIndexOf(key);
      if (at < 0) return null;
      found.push(of.batches[at]!);
    }
    return found;
  }

  clear(): void {
    this.#devices.clear();
    this.#held_bytes = 0;
  }

  #letGo(): void {
    this.#held_bytes = 0;
    for (const { keys, batches } of this.#devices.values()) {
      const gone = Math.ceil(keys.length / 2);
      keys.splice(0, gone);
      batches.splice(0, gone);
      for (const { payload } of batches) this.#held_bytes += bytesOf(payload);
    }
  }
}

function bytesOf(payload: Uint8Array): number {
  return payload.length + OVERHEAD_BYTES;
}
