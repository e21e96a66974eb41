import { decodePayload, encodeCanonical } from "../../core/wire/payload.ts";
import type { Database } from "./database.ts";
import { batchKey } from "./keys.ts";
import type { DeviceBirth, NewBatch } from "./store.ts";

/** Batches of one device that begin and end at the same instants and are looked at; of more the others are not. */
const CANDIDATES_MAX = 64;

/**
 * Content that is held already under another epoch of its gateway: one that lost track of what was confirmed (a damaged
 * journal, a restored backup) numbers it anew and sends it again.
 *
 * same      device, first and last instant, and every metric: name, time, value, properties. By name, for aliases are of an
 *           epoch; in any order. A poll is dated to the millisecond, so two polls are not taken for one
 */
export class Renumbered {
  readonly #db: Database;
  readonly #birth: (birthId: number) => DeviceBirth | null;
  /** What the aliases of a birth stand for: births are few and kept. */
  readonly #names = new Map<number, ReadonlyMap<number, string>>();

  constructor(db: Database, birth: (birthId: number) => DeviceBirth | null) {
    this.#db = db;
    this.#birth = birth;
  }

  isHeld(batch: NewBatch, deviceId: number, epochId: number): boolean {
    // A batch without content is of the moment it was sent; there is nothing to be held twice.
    if (batch.payload.length === 0) return false;
    const candidates = this.#db.arrays(
      `SELECT birth_id, payload FROM batch
       WHERE device_id = ? AND to_ms = ? AND from_ms = ? AND NOT (batch_key >= ? AND batch_key < ?) LIMIT +?`,
      deviceId,
      batch.to_ms,
      batch.from_ms,
      batchKey(epochId, 1),
      batchKey(epochId + 1, 1),
      CANDIDATES_MAX,
    );
    if (candidates.length === 0) return false;
    const content = this.#named(batch.birthId, batch.payload);
    return candidates.some(([birthId, payload]) => {
      const held = this.#named(birthId as number, payload as Uint8Array);
      return held.length === content.length && held.every((metric, i) => metric.equals(content[i]!));
    });
  }

  /** Each metric by itself with its name in place of its alias, in an order of their bytes. */
  #named(birthId: number, payload: Uint8Array): readonly Buffer[] {
    const names = this.#namesOf(birthId);
    const metrics = decodePayload(payload).metrics.map((metric) => {
      const { alias, ...rest } = metric;
      const name = alias === undefined ? undefined : names.get(alias);
      return Buffer.from(encodeCanonical([name === undefined ? metric : { ...rest, name }]));
    });
    return metrics.sort(Buffer.compare);
  }

  #namesOf(birthId: number): ReadonlyMap<number, string> {
    let names = this.#names.get(birthId);
    if (names === undefined) {
      const metrics = this.#birth(birthId)?.metrics ?? [];
      names = new Map(metrics.flatMap(({ alias, name }) => (alias === null ? [] : [[alias, name] as const])));
      this.#names.set(birthId, names);
    }
    return names;
  }
}
