import type { Database } from "./database.ts";
import type { Keys } from "./keys.ts";
import type { Alarm } from "./store.ts";

/** Newest alarms kept; older ones go. */
export const ALARMS_MAX = 10_000;

/** What somebody should look at, newest kept. */
export class Alarms {
  readonly #db: Database;
  readonly #keys: Keys;

  constructor(db: Database, keys: Keys) {
    this.#db = db;
    this.#keys = keys;
  }

  put(alarm: Alarm): void {
    this.#db.transaction(() => this.insert(alarm));
  }

  /** Inside somebody's transaction. */
  insert(alarm: Alarm): void {
    const { lastInsertRowid } = this.#db
      .statement("INSERT INTO alarm (code, gateway_id, device, at_ms, detail) VALUES (?, ?, ?, ?, ?)")
      .run(
        alarm.code,
        alarm.gateway === null ? null : this.#keys.names.gateways.intern(alarm.gateway),
        alarm.device,
        alarm.at_ms,
        JSON.stringify(alarm.detail),
      );
    this.#db.run("DELETE FROM alarm WHERE id <= ?", Number(lastInsertRowid) - ALARMS_MAX);
  }

  newest(limit: number): readonly Alarm[] {
    return this.#db.all("SELECT * FROM alarm ORDER BY id DESC LIMIT +?", limit).map((row) => ({
      code: String(row.code),
      gateway: row.gateway_id === null ? null : this.#keys.names.gateways.value(Number(row.gateway_id)),
      device: row.device as string | null,
      at_ms: Number(row.at_ms),
      detail: JSON.parse(String(row.detail)) as Alarm["detail"],
    }));
  }
}
