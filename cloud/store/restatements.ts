import type { Emission } from "../../core/emission/emission.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { Database, Row } from "./database.ts";
import type { Keys } from "./keys.ts";
import type { EmissionVersion, GatewayKey, NewRestatement, Restatement, StoredEmission } from "./store.ts";

/** One restatement gathers what one run did to one gas of one meter from one factor to another. */
export class Restatements {
  readonly #db: Database;
  readonly #keys: Keys;
  readonly #storedEmission: (row: Row) => StoredEmission;

  /** @param storedEmission an entry of its row */
  constructor(db: Database, keys: Keys, storedEmission: (row: Row) => StoredEmission) {
    this.#db = db;
    this.#keys = keys;
    this.#storedEmission = storedEmission;
  }

  /**
   * Inside the transaction that supersedes the entry.
   * @param before the entry whose place it takes; null when nothing was booked for want of a factor
   */
  note(
    { runAt_ms, reason }: NewRestatement,
    deviceId: number,
    before: { readonly mg: bigint; readonly sourceId: number } | null,
    after: Emission,
    afterId: number,
  ): void {
    const source = before === null ? null : this.#keys.names.emissionSources.value(before.sourceId);
    const factorBefore = source === null ? "" : `${source.factorId}@${source.factorVersion}`;
    const row = this.#db.get(
      `INSERT INTO restatement (run_ms, device_id, gas, factor_before, factor_after, reason, from_ms, to_ms, entries,
         before_mg, after_mg)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
       ON CONFLICT (run_ms, device_id, gas, factor_before, factor_after) DO UPDATE SET
         from_ms = min(from_ms, excluded.from_ms), to_ms = max(to_ms, excluded.to_ms), entries = entries + 1,
         before_mg = before_mg + excluded.before_mg, after_mg = after_mg + excluded.after_mg
       RETURNING id`,
      runAt_ms,
      deviceId,
      after.gas,
      factorBefore,
      `${after.factorId}@${after.factorVersion}`,
      reason,
      after.from_ms,
      after.to_ms,
      before?.mg ?? 0n,
      after.mg,
    );
    this.#db.run("INSERT INTO restated_entry (entry_id, restatement_id) VALUES (?, ?)", afterId, Number(row!.id));
  }

  /** Newest run first, at most `limit`: those that touch time in [from, to). */
  within(gateway: GatewayKey, device: string, from_ms: EpochMs, to_ms: EpochMs, limit: number): readonly Restatement[] {
    const deviceId = this.#keys.findDevice(gateway, device);
    if (deviceId === null) return [];
    return this.#db
      .allBig(
        `SELECT * FROM restatement WHERE device_id = ? AND from_ms < ? AND to_ms > ?
         ORDER BY run_ms DESC, gas, id LIMIT +?`,
        deviceId,
        to_ms,
        from_ms,
        limit,
      )
      .map((row) => ({ gateway, device, ...restatementOf(row) }));
  }

  /** Every version of the entry's gas and interval, oldest first; empty for an id that is none. */
  versions(entryId: number): readonly EmissionVersion[] {
    return this.#db
      .allBig(
        `SELECT v.*, r.reason FROM book_emission e
         JOIN book_emission v ON v.series_id = e.series_id AND v.from_ms = e.from_ms
         LEFT JOIN restated_entry x ON x.entry_id = v.id LEFT JOIN restatement r ON r.id = x.restatement_id
         WHERE e.id = ? ORDER BY v.version`,
        entryId,
      )
      .map((row) => ({
        entry: this.#storedEmission(row),
        reason: row.reason === null ? null : String(row.reason),
      }));
  }
}

function restatementOf(row: Row): Omit<Restatement, "gateway" | "device"> {
  return {
    id: Number(row.id),
    runAt_ms: Number(row.run_ms),
    gas: row.gas as Restatement["gas"],
    factorBefore: row.factor_before === "" ? null : String(row.factor_before),
    factorAfter: String(row.factor_after),
    reason: String(row.reason),
    from_ms: Number(row.from_ms),
    to_ms: Number(row.to_ms),
    entries: Number(row.entries),
    before_mg: row.before_mg as bigint,
    after_mg: row.after_mg as bigint,
  };
}
