import type { Emission } from "../../core/emission/emission.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { Alarms } from "./alarms.ts";
import type { BookedIntervals } from "./bookedIntervals.ts";
import type { Database, Row } from "./database.ts";
import type { Keys } from "./keys.ts";
import type { Restatements } from "./restatements.ts";
import type { GatewayKey, NewBatch, NewRestatement, Order, StoredEmission } from "./store.ts";

/** Where an entry comes from, and when it became known. */
interface Origin {
  readonly known_ms: EpochMs;
  readonly epochId: number;
  readonly batch: number;
}

interface Entry extends Origin {
  readonly emission: Emission;
  readonly seriesId: number;
  readonly sourceId: number;
}

/** Emission entries as rows, in versions: never changed but for the mark that a newer one supersedes them. */
export class BookedEmissions {
  readonly #db: Database;
  readonly #keys: Keys;
  readonly #alarms: Alarms;
  readonly #intervals: Pick<BookedIntervals, "broughtBy">;
  #nextId = 1;

  constructor(db: Database, keys: Keys, alarms: Alarms, intervals: Pick<BookedIntervals, "broughtBy">) {
    this.#db = db;
    this.#keys = keys;
    this.#alarms = alarms;
    this.#intervals = intervals;
    this.#load();
    db.onRollback(() => this.#load());
  }

  get(id: number): StoredEmission | null {
    const [row] = this.#db.allBig("SELECT * FROM book_emission WHERE id = ?", id);
    return row === undefined ? null : this.stored(row);
  }

  within(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
    order: Order = "oldest",
  ): readonly StoredEmission[] {
    const series = this.#keys.emissionSeriesOf(gateway, device);
    if (series.length === 0) return [];
    const marks = series.map(() => "?").join(", ");
    const direction = order === "oldest" ? "ASC" : "DESC";
    return this.#db
      .allBig(
        `SELECT * FROM book_emission WHERE series_id IN (${marks}) AND from_ms >= ? AND from_ms < ?
         AND superseded_by IS NULL ORDER BY from_ms ${direction}, series_id LIMIT +?`,
        ...series,
        from_ms,
        to_ms,
        limit,
      )
      .map((row) => this.stored(row));
  }

  /** An entry of its row, integers as bigints. */
  stored(row: Row): StoredEmission {
    const { names } = this.#keys;
    const { deviceId, gas } = names.emissionSeries.value(Number(row.series_id));
    const from_ms = Number(row.from_ms);
    return {
      id: Number(row.id),
      device: names.devices.value(deviceId).device,
      from_ms,
      to_ms: from_ms + Number(row.length_ms),
      gas,
      mg: row.mg as bigint,
      ...names.emissionSources.value(Number(row.source_id)),
      ...this.#keys.epochOf(row),
      batch: Number(row.batch),
      version: Number(row.version),
      knownFrom_ms: Number(row.known_from_ms),
      supersededBy: row.superseded_by === null ? null : Number(row.superseded_by),
    };
  }

  /**
   * Emissions follow their interval: an entry for a gas and interval already booked takes the older one's place only if its
   * interval, in the same batch, did so too; otherwise the first entry stands and the difference is an alarm.
   * Inside the transaction that stores the batch.
   */
  book(emission: Emission, follows: boolean, batch: NewBatch, epochId: number, known_ms: EpochMs): void {
    const deviceId = this.#keys.deviceId(batch.gateway, emission.device);
    const entry = this.#entryOf(emission, deviceId, { known_ms, epochId, batch: batch.number });
    if (this.#insertEmission(entry, 1)) return;
    // Also an earlier version: what has been restated since may arrive once more, under another epoch.
    const versions = this.#versionsOf(entry);
    const [held] = versions;
    const isSame = versions.some(
      (row) =>
        row.mg === emission.mg &&
        Number(row.source_id) === entry.sourceId &&
        Number(row.length_ms) === emission.to_ms - emission.from_ms,
    );
    if (held === undefined || isSame) return;
    if (!follows) {
      const detail = {
        gas: emission.gas,
        from_ms: emission.from_ms,
        held_mg: String(held.mg),
        arrived_mg: String(emission.mg),
        epoch: batch.epoch,
        batch: batch.number,
      };
      const { gateway, device } = batch;
      this.#alarms.insert({ gateway, device, code: "EMISSION_REDEFINED", at_ms: known_ms, detail });
      return;
    }
    this.#supersede(entry, held);
  }

  /**
   * Entries in the place of those in force, each version behind the other. They rest on the same interval, so they name the
   * batch that brought it. Inside a transaction.
   * @returns how many entries it made
   */
  restate(restatement: NewRestatement, log: Restatements, known_ms: EpochMs): number {
    const { gateway, device, entries } = restatement;
    const deviceId = this.#keys.deviceId(gateway, device);
    let made = 0;
    for (const emission of entries) {
      const brought = this.#intervals.broughtBy(deviceId, emission.from_ms);
      if (brought === null) continue;
      const entry = this.#entryOf(emission, deviceId, { known_ms, ...brought });
      const [held] = this.#versionsOf(entry);
      if (held?.mg === emission.mg && Number(held.source_id) === entry.sourceId) continue;
      const id = this.#nextId;
      if (held === undefined) this.#insertEmission(entry, 1);
      else this.#supersede(entry, held);
      const before = held === undefined ? null : { mg: held.mg as bigint, sourceId: Number(held.source_id) };
      log.note(restatement, deviceId, before, emission, id);
      made += 1;
    }
    return made;
  }

  #entryOf(emission: Emission, deviceId: number, origin: Origin): Entry {
    const seriesId = this.#keys.names.emissionSeries.intern({ deviceId, gas: emission.gas });
    return { emission, seriesId, sourceId: this.#keys.names.emissionSources.intern(emission), ...origin };
  }

  #versionsOf({ seriesId, emission }: Entry): readonly Row[] {
    return this.#db.allBig(
      "SELECT * FROM book_emission WHERE series_id = ? AND from_ms = ? ORDER BY version DESC",
      seriesId,
      emission.from_ms,
    );
  }

  #supersede(entry: Entry, held: Row): void {
    const id = this.#nextId;
    this.#insertEmission(entry, Number(held.version) + 1);
    this.#db.run(
      "UPDATE book_emission SET superseded_by = ?, superseded_ms = ? WHERE series_id = ? AND from_ms = ? AND version = ?",
      id,
      entry.known_ms,
      entry.seriesId,
      entry.emission.from_ms,
      held.version as bigint,
    );
  }

  /** @returns false when this version is there already. */
  #insertEmission({ emission, seriesId, sourceId, known_ms, epochId, batch }: Entry, version: number): boolean {
    const isNew = this.#db.run(
      `INSERT INTO book_emission (series_id, from_ms, version, id, length_ms, source_id, mg, known_from_ms,
         superseded_by, superseded_ms, epoch_id, batch)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?) ON CONFLICT (series_id, from_ms, version) DO NOTHING`,
      seriesId,
      emission.from_ms,
      version,
      this.#nextId,
      emission.to_ms - emission.from_ms,
      sourceId,
      emission.mg,
      known_ms,
      epochId,
      batch,
    );
    if (isNew) this.#nextId += 1;
    return isNew;
  }

  #load(): void {
    this.#nextId = Number(this.#db.get("SELECT coalesce(max(id), 0) + 1 AS id FROM book_emission")?.id);
  }
}
