import type { EpochMs } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { Database, Row } from "./database.ts";
import type { Keys } from "./keys.ts";
import type { GatewayKey, NewSubstitution, StoredSubstitution } from "./store.ts";

/** Intervals that stand in for missing ones name this epoch; their batch number is the substitution's. */
export const SUBSTITUTED_EPOCH = "substituted";

/** Who filled which gap, by which rule, from what: one row a fill, never changed. */
export class Substitutions {
  readonly #db: Database;
  readonly #keys: Keys;

  constructor(db: Database, keys: Keys) {
    this.#db = db;
    this.#keys = keys;
  }

  /** Inside the transaction that books its intervals. @returns the number of the fill. */
  note(fill: NewSubstitution, seriesId: number, intervals: number, known_ms: EpochMs): number {
    const row = this.#db.get(
      `INSERT INTO substitution (name, series_id, from_ms, to_ms, rule, flag, inputs, author, intervals, known_from_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
      fill.name,
      seriesId,
      fill.intervals[0]!.from_ms,
      fill.intervals.at(-1)!.to_ms,
      fill.rule,
      fill.flag,
      JSON.stringify(fill.inputs),
      fill.author,
      intervals,
      known_ms,
    );
    return Number(row!.id);
  }

  find(name: string): StoredSubstitution | null {
    const row = this.#db.get("SELECT * FROM substitution WHERE name = ?", name);
    return row === undefined ? null : this.#stored(row);
  }

  get(id: number): StoredSubstitution | null {
    const row = this.#db.get("SELECT * FROM substitution WHERE id = ?", id);
    return row === undefined ? null : this.#stored(row);
  }

  /** Fills of one meter that touch time in [from, to), newest first, at most `limit`. */
  within(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
  ): readonly StoredSubstitution[] {
    const series = this.#keys.seriesOf(gateway, device);
    return this.#db
      .all(
        `SELECT * FROM substitution WHERE series_id IN (SELECT value FROM json_each(?)) AND from_ms < ? AND to_ms > ?
         ORDER BY id DESC LIMIT +?`,
        JSON.stringify(series),
        to_ms,
        from_ms,
        limit,
      )
      .map((row) => this.#stored(row));
  }

  #stored(row: Row): StoredSubstitution {
    const { names } = this.#keys;
    const { deviceId, quantity } = names.series.value(Number(row.series_id));
    const { gatewayId, device } = names.devices.value(deviceId);
    return {
      id: Number(row.id),
      name: String(row.name),
      gateway: names.gateways.value(gatewayId),
      device,
      quantity: quantity as QuantityId,
      from_ms: Number(row.from_ms),
      to_ms: Number(row.to_ms),
      rule: row.rule as StoredSubstitution["rule"],
      flag: row.flag as StoredSubstitution["flag"],
      inputs: JSON.parse(String(row.inputs)) as StoredSubstitution["inputs"],
      author: String(row.author),
      intervals: Number(row.intervals),
      knownFrom_ms: Number(row.known_from_ms),
    };
  }
}
