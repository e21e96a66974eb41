import { createHash } from "node:crypto";
import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { Emission } from "../../core/emission/emission.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { Interval, IntervalCause, IntervalFlag } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { BornMetric } from "../../core/wire/content.ts";
import { boundariesText, parseBoundaries } from "./boundaries.ts";
import { type Names, openNames, reloadNames } from "./names.ts";
import { precedence } from "./precedence.ts";
import { MIGRATIONS } from "./schema.ts";
import {
  type Alarm,
  BATCH_NUMBER_MAX,
  type BatchOutcome,
  type BucketBounds,
  type DeadLetter,
  type DeviceBirth,
  type Disagreement,
  type GatewayKey,
  type GatewayRow,
  type MeterRow,
  type NewBatch,
  type Order,
  type StoredBatch,
  type StoredEmission,
  type StoredInterval,
  type Verification,
  type ZoneStore,
} from "./store.ts";
import { openSums, type Sums } from "./sums.ts";

/** Newest alarms kept; older ones go. */
export const ALARMS_MAX = 10_000;
/** Newest dead letters kept per gateway; older ones go: a gateway that sends nothing else must not fill the disk. */
export const DEAD_LETTERS_MAX = 10_000;
/** How long another process (a report) may hold the file before a write fails. */
const BUSY_TIMEOUT_MS = 5000;

const VERIFICATIONS: readonly Verification[] = ["pending", "agreed", "disagreed", "unverifiable"];
const INTERVAL_COLUMNS = `series_id, from_ms, length_ms, tick_id, ticks, flag, coverage, polls_expected, polls_answered,
  cause, epoch_id, batch, verification`;

export interface SqliteStoreOptions {
  readonly path: string;
  /** Wall clock by which entries become known; the machine's when left out. */
  readonly now_ms?: () => EpochMs;
}

/**
 * The embedded zone store: one SQLite file, written by one process; others may read it meanwhile.
 * @throws {KhuXanhError} DISK_UNUSABLE if the file cannot be opened or was written by a newer version.
 */
export function openSqliteStore({ path, now_ms = Date.now }: SqliteStoreOptions): ZoneStore {
  try {
    return new SqliteStore(openDatabase(path), now_ms);
  } catch (cause) {
    if (cause instanceof KhuXanhError) throw cause;
    throw new KhuXanhError("DISK_UNUSABLE", `the zone store ${path} cannot be opened: ${messageOf(cause)}`, {
      hint: "Check that the folder exists, is writable by this user, and that the file is a zone store.",
      context: { path },
      cause,
    });
  }
}

function openDatabase(path: string): DatabaseSync {
  // Created by us with these rights first: SQLite gives the -wal and -shm files the rights of the file itself.
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  try {
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -131072;
    `);
    migrate(db, path);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

function migrate(db: DatabaseSync, path: string): void {
  const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  if (version > MIGRATIONS.length) {
    throw new KhuXanhError("DISK_UNUSABLE", `${path} has schema ${version}; this version knows ${MIGRATIONS.length}`, {
      hint: "Start the khuxanh version that wrote it, or a newer one.",
      context: { path, version },
    });
  }
  for (let next = version; next < MIGRATIONS.length; next++) {
    db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[next]}; PRAGMA user_version = ${next + 1}; COMMIT`);
  }
}

class SqliteStore implements ZoneStore {
  readonly #db: DatabaseSync;
  readonly #now_ms: () => EpochMs;
  readonly #names: Names;
  readonly #sums: Sums;
  readonly #statements = new Map<string, StatementSync>();
  /** Longest batch of each device, by device id. */
  readonly #spans_ms = new Map<number, number>();
  #nextEmissionId = 1;

  constructor(db: DatabaseSync, now_ms: () => EpochMs) {
    this.#db = db;
    this.#now_ms = now_ms;
    this.#names = openNames(db);
    this.#sums = openSums(db, this.#names);
    this.#loadMemory();
  }

  putBirth(birth: DeviceBirth, meter: MeterRow | null): number {
    return this.#transaction(() => {
      const epochId = this.#epochId(birth.gateway, birth.epoch);
      const deviceId = this.#deviceId(birth.gateway, birth.device);
      const metrics = JSON.stringify(birth.metrics.map(canonicalMetric));
      const sha256 = createHash("sha256").update(metrics).digest("hex");
      this.#run(
        `INSERT INTO birth (epoch_id, device_id, sha256, metrics) VALUES (?, ?, ?, ?)
         ON CONFLICT (epoch_id, device_id, sha256) DO NOTHING`,
        epochId,
        deviceId,
        sha256,
        metrics,
      );
      if (meter !== null) this.#putMeter(meter);
      const row = this.#get(
        "SELECT id FROM birth WHERE epoch_id = ? AND device_id = ? AND sha256 = ?",
        epochId,
        deviceId,
        sha256,
      );
      return Number(row?.id);
    });
  }

  birth(birthId: number): DeviceBirth | null {
    const row = this.#get("SELECT epoch_id, device_id, metrics FROM birth WHERE id = ?", birthId);
    if (row === undefined) return null;
    return {
      ...this.#epochOf(row),
      device: this.#names.devices.value(Number(row.device_id)).device,
      metrics: JSON.parse(String(row.metrics)) as readonly BornMetric[],
    };
  }

  commitBatches(batches: readonly NewBatch[]): readonly BatchOutcome[] {
    if (batches.length === 0) return [];
    return this.#transaction(() => {
      const known_ms = this.#now_ms();
      const outcomes: BatchOutcome[] = [];
      const added = new Map<number, number[]>();
      for (const batch of batches) {
        const epochId = this.#epochId(batch.gateway, batch.epoch);
        const outcome = this.#commitBatch(batch, epochId, known_ms);
        outcomes.push(outcome);
        if (outcome !== "stored") continue;
        const numbers = added.get(epochId);
        if (numbers === undefined) added.set(epochId, [batch.number]);
        else numbers.push(batch.number);
      }
      for (const [epochId, numbers] of added) this.#addToRanges(epochId, numbers);
      return outcomes;
    });
  }

  putGateway(row: GatewayRow): void {
    this.#transaction(() => {
      this.#run(
        `INSERT INTO gateway_state (gateway_id, epoch, online, bd_seq, last_seen_ms, born_at_ms, pending,
           oldest_pending_ms, clock_offset_ms, software, duplicates, received)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (gateway_id) DO UPDATE SET epoch = excluded.epoch, online = excluded.online,
           bd_seq = excluded.bd_seq, last_seen_ms = excluded.last_seen_ms, born_at_ms = excluded.born_at_ms,
           pending = excluded.pending, oldest_pending_ms = excluded.oldest_pending_ms,
           clock_offset_ms = excluded.clock_offset_ms, software = excluded.software,
           duplicates = excluded.duplicates, received = excluded.received`,
        this.#names.gateways.intern(row.gateway),
        row.epoch,
        row.online ? 1 : 0,
        row.bdSeq,
        row.lastSeen_ms,
        row.bornAt_ms,
        row.pending,
        row.oldestPending_ms,
        row.clockOffset_ms,
        row.software,
        row.duplicates,
        row.received,
      );
    });
  }

  gateways(): readonly GatewayRow[] {
    return this.#all("SELECT * FROM gateway_state ORDER BY gateway_id").map((row) => ({
      gateway: this.#names.gateways.value(Number(row.gateway_id)),
      epoch: row.epoch as string | null,
      online: row.online === 1,
      bdSeq: row.bd_seq as number | null,
      lastSeen_ms: row.last_seen_ms as number | null,
      bornAt_ms: row.born_at_ms as number | null,
      pending: row.pending as number | null,
      oldestPending_ms: row.oldest_pending_ms as number | null,
      clockOffset_ms: row.clock_offset_ms as number | null,
      software: row.software as string | null,
      duplicates: Number(row.duplicates),
      received: Number(row.received),
    }));
  }

  meters(): readonly MeterRow[] {
    return this.#all("SELECT * FROM meter ORDER BY device_id").map((row) => {
      const { gatewayId, device } = this.#names.devices.value(Number(row.device_id));
      const { name_vi, name_en } = row;
      return {
        gateway: this.#names.gateways.value(gatewayId),
        device,
        model: String(row.model),
        modelVersion: String(row.model_version),
        carrier: row.carrier as MeterRow["carrier"],
        role: row.role as MeterRow["role"],
        parent: row.parent as string | null,
        interval_ms: Number(row.interval_ms),
        time_zone: String(row.time_zone),
        name: name_vi === null ? null : { vi: String(name_vi), en: String(name_en) },
      };
    });
  }

  batchRanges(gateway: GatewayKey, epoch: string): readonly (readonly [number, number])[] {
    const epochId = this.#findEpoch(gateway, epoch);
    if (epochId === null) return [];
    return this.#all("SELECT first, last FROM batch_range WHERE epoch_id = ? ORDER BY first", epochId).map(
      (row) => [Number(row.first), Number(row.last)] as const,
    );
  }

  deadLetter(letter: DeadLetter): void {
    this.#transaction(() => {
      const gatewayId = this.#names.gateways.intern(letter.gateway);
      const { topic, at_ms, code, why, payload } = letter;
      this.#run(
        "INSERT INTO dead_letter (gateway_id, topic, at_ms, code, why, payload) VALUES (?, ?, ?, ?, ?, ?)",
        gatewayId,
        topic,
        at_ms,
        code,
        why,
        payload,
      );
      this.#run(
        `DELETE FROM dead_letter WHERE gateway_id = ?1 AND id <=
           (SELECT id FROM dead_letter WHERE gateway_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
        gatewayId,
        DEAD_LETTERS_MAX,
      );
    });
  }

  deadLetterCount(gateway: GatewayKey): number {
    return this.#countOf("dead_letter", gateway);
  }

  quarantineCount(gateway: GatewayKey): number {
    return this.#countOf("quarantine", gateway);
  }

  putAlarm(alarm: Alarm): void {
    this.#transaction(() => this.#insertAlarm(alarm));
  }

  alarms(limit: number): readonly Alarm[] {
    return this.#all("SELECT * FROM alarm ORDER BY id DESC LIMIT ?", limit).map((row) => ({
      code: String(row.code),
      gateway: row.gateway_id === null ? null : this.#names.gateways.value(Number(row.gateway_id)),
      device: row.device as string | null,
      at_ms: Number(row.at_ms),
      detail: JSON.parse(String(row.detail)) as Alarm["detail"],
    }));
  }

  batches(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
  ): readonly StoredBatch[] {
    const deviceId = this.#findDevice(gateway, device);
    if (deviceId === null) return [];
    return this.#all(
      `SELECT * FROM batch WHERE device_id = ? AND to_ms >= ? AND to_ms <= ? AND from_ms <= ?
       ORDER BY to_ms, batch_key LIMIT ?`,
      deviceId,
      from_ms,
      to_ms + this.#span_ms(deviceId),
      to_ms,
      limit,
    ).map((row) => this.#storedBatch(row));
  }

  batchAtOrBefore(gateway: GatewayKey, device: string, at_ms: EpochMs): StoredBatch | null {
    const deviceId = this.#findDevice(gateway, device);
    if (deviceId === null) return null;
    const row = this.#get(
      `SELECT * FROM batch WHERE device_id = ? AND to_ms <= ? AND from_ms <= ?
       ORDER BY to_ms DESC, batch_key DESC LIMIT 1`,
      deviceId,
      at_ms + this.#span_ms(deviceId),
      at_ms,
    );
    return row === undefined ? null : this.#storedBatch(row);
  }

  batchAtOrAfter(gateway: GatewayKey, device: string, at_ms: EpochMs): StoredBatch | null {
    const deviceId = this.#findDevice(gateway, device);
    if (deviceId === null) return null;
    const row = this.#get(
      "SELECT * FROM batch WHERE device_id = ? AND to_ms >= ? ORDER BY to_ms, batch_key LIMIT 1",
      deviceId,
      at_ms,
    );
    return row === undefined ? null : this.#storedBatch(row);
  }

  intervalSpan(gateway: GatewayKey, device: string): BucketBounds | null {
    const deviceId = this.#findDevice(gateway, device);
    const starts: number[] = [];
    const ends: number[] = [];
    for (const [seriesId, name] of this.#names.series.entries()) {
      if (name.deviceId !== deviceId) continue;
      const oldest = this.#get("SELECT min(from_ms) AS at FROM book_interval WHERE series_id = ?", seriesId)?.at;
      const newest = this.#get(
        "SELECT from_ms + length_ms AS at FROM book_interval WHERE series_id = ? ORDER BY from_ms DESC LIMIT 1",
        seriesId,
      )?.at;
      if (typeof oldest === "number") starts.push(oldest);
      if (typeof newest === "number") ends.push(newest);
    }
    return starts.length === 0 ? null : { from_ms: Math.min(...starts), to_ms: Math.max(...ends) };
  }

  intervals(
    gateway: GatewayKey,
    device: string,
    quantity: QuantityId,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
    order: Order = "oldest",
  ): readonly StoredInterval[] {
    const deviceId = this.#findDevice(gateway, device);
    const seriesId = deviceId === null ? null : this.#names.series.find({ deviceId, quantity });
    if (seriesId === null) return [];
    return this.#allBig(
      `SELECT i.*, e.boundaries FROM book_interval i JOIN interval_evidence e USING (series_id, from_ms)
       WHERE i.series_id = ? AND i.from_ms >= ? AND i.from_ms < ?
       ORDER BY i.from_ms ${order === "oldest" ? "ASC" : "DESC"} LIMIT ?`,
      seriesId,
      from_ms,
      to_ms,
      limit,
    ).map((row) => this.#storedInterval(row));
  }

  intervalsToVerify(gateway: GatewayKey, epoch: string, through: number, limit: number): readonly StoredInterval[] {
    const epochId = this.#findEpoch(gateway, epoch);
    if (epochId === null) return [];
    return this.#allBig(
      `SELECT i.*, e.boundaries FROM book_interval i JOIN interval_evidence e USING (series_id, from_ms)
       WHERE i.verification = 0 AND i.epoch_id = ? AND i.batch <= ? ORDER BY i.batch, i.from_ms, i.series_id LIMIT ?`,
      epochId,
      through,
      limit,
    ).map((row) => this.#storedInterval(row));
  }

  setVerifications(results: readonly (readonly [StoredInterval, Verification])[]): void {
    this.#transaction(() => {
      for (const [interval, result] of results) this.#setVerification(interval, result);
    });
  }

  #setVerification(interval: StoredInterval, result: Verification): void {
    const epochId = this.#findEpoch(interval.gateway, interval.epoch);
    const deviceId = this.#findDevice(interval.gateway, interval.device);
    const seriesId = deviceId === null ? null : this.#names.series.find({ deviceId, quantity: interval.quantity });
    if (epochId === null || seriesId === null) return;
    // The batch is named too: a figure that superseded this one meanwhile keeps its own verdict.
    this.#run(
      "UPDATE book_interval SET verification = ? WHERE series_id = ? AND from_ms = ? AND epoch_id = ? AND batch = ?",
      VERIFICATIONS.indexOf(result),
      seriesId,
      interval.from_ms,
      epochId,
      interval.batch,
    );
  }

  disagreements(): readonly Disagreement[] {
    return this.#all(
      `SELECT series_id, count(*) AS intervals, min(from_ms) AS oldest_ms FROM book_interval
       WHERE verification = 2 GROUP BY series_id`,
    ).map((row) => {
      const { deviceId, quantity } = this.#names.series.value(Number(row.series_id));
      const { gatewayId, device } = this.#names.devices.value(deviceId);
      const gateway = this.#names.gateways.value(gatewayId);
      return { gateway, device, quantity, intervals: Number(row.intervals), oldest_ms: Number(row.oldest_ms) };
    });
  }

  emission(id: number): StoredEmission | null {
    const [row] = this.#allBig("SELECT * FROM book_emission WHERE id = ?", id);
    return row === undefined ? null : this.#storedEmission(row);
  }

  emissions(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
    order: Order = "oldest",
  ): readonly StoredEmission[] {
    const deviceId = this.#findDevice(gateway, device);
    const series: number[] = [];
    for (const [id, name] of this.#names.emissionSeries.entries()) if (name.deviceId === deviceId) series.push(id);
    const direction = order === "oldest" ? "ASC" : "DESC";
    return this.#allBig(
      `SELECT * FROM book_emission WHERE series_id IN (SELECT value FROM json_each(?)) AND from_ms >= ? AND from_ms < ?
         AND superseded_by IS NULL ORDER BY from_ms ${direction}, series_id LIMIT ?`,
      JSON.stringify(series),
      from_ms,
      to_ms,
      limit,
    ).map((row) => this.#storedEmission(row));
  }

  sumEnergy(...query: Parameters<ZoneStore["sumEnergy"]>): ReturnType<ZoneStore["sumEnergy"]> {
    return this.#sums.energy(...query);
  }

  countCauses(...query: Parameters<ZoneStore["countCauses"]>): ReturnType<ZoneStore["countCauses"]> {
    return this.#sums.causes(...query);
  }

  sumEmissions(...query: Parameters<ZoneStore["sumEmissions"]>): ReturnType<ZoneStore["sumEmissions"]> {
    return this.#sums.emissions(...query);
  }

  getValue(key: string): string | null {
    const row = this.#get("SELECT value FROM own_value WHERE name = ?", key);
    return row === undefined ? null : String(row.value);
  }

  setValue(key: string, value: string): void {
    this.#transaction(() => {
      this.#run(
        "INSERT INTO own_value (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        key,
        value,
      );
    });
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  // ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #commitBatch(batch: NewBatch, epochId: number, known_ms: EpochMs): BatchOutcome {
    const key = batchKey(epochId, batch.number);
    const deviceId = this.#deviceId(batch.gateway, batch.device);
    const isNew = this.#run(
      `INSERT INTO batch (batch_key, device_id, birth_id, from_ms, to_ms, crc32c, payload) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (batch_key) DO NOTHING`,
      key,
      deviceId,
      batch.birthId,
      batch.from_ms,
      batch.to_ms,
      batch.crc32c,
      batch.payload,
    );
    if (!isNew) return this.#held(batch, key, known_ms);

    this.#noteSpan(deviceId, batch.to_ms - batch.from_ms);
    const superseded = new Set<string>();
    for (const interval of batch.intervals) {
      if (this.#bookInterval(interval, batch, epochId, known_ms)) {
        superseded.add(`${interval.device}@${interval.from_ms}`);
      }
    }
    for (const emission of batch.emissions) {
      const follows = superseded.has(`${emission.device}@${emission.from_ms}`);
      this.#bookEmission(emission, follows, batch, epochId, known_ms);
    }
    return "stored";
  }

  #held(batch: NewBatch, key: number, known_ms: EpochMs): BatchOutcome {
    const held = this.#get("SELECT crc32c FROM batch WHERE batch_key = ?", key);
    if (Number(held?.crc32c) === batch.crc32c) return "duplicate";
    const isNews = this.#run(
      `INSERT INTO quarantine (batch_key, crc32c, gateway_id, device, at_ms, payload) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (batch_key, crc32c) DO NOTHING`,
      key,
      batch.crc32c,
      this.#names.gateways.intern(batch.gateway),
      batch.device,
      known_ms,
      batch.payload,
    );
    if (isNews) {
      const detail = { epoch: batch.epoch, batch: batch.number };
      this.#insertAlarm({ ...whereOf(batch), code: "BATCH_CONTENT_DIFFERS", at_ms: known_ms, detail });
    }
    return "differs";
  }

  /** @returns whether the interval took the place of another one. */
  #bookInterval(interval: Interval, batch: NewBatch, epochId: number, known_ms: EpochMs): boolean {
    const deviceId = this.#deviceId(batch.gateway, interval.device);
    const seriesId = this.#names.series.intern({ deviceId, quantity: interval.quantity });
    if (this.#insertInterval(interval, seriesId, batch, epochId)) return false;

    const [row] = this.#allBig(
      `SELECT i.*, e.boundaries FROM book_interval i JOIN interval_evidence e USING (series_id, from_ms)
       WHERE i.series_id = ? AND i.from_ms = ?`,
      seriesId,
      interval.from_ms,
    );
    const held = this.#storedInterval(row!);
    const verdict = precedence(held, interval);
    if (verdict === "redefined") {
      this.#insertAlarm({
        ...whereOf(batch),
        code: "INTERVAL_REDEFINED",
        at_ms: known_ms,
        detail: redefinition(held, interval, batch),
      });
    }
    if (verdict !== "supersedes") return false;
    this.#run(
      `INSERT INTO interval_superseded (${INTERVAL_COLUMNS}, boundaries, superseded_ms)
       SELECT ${INTERVAL_COLUMNS}, boundaries, ? FROM book_interval JOIN interval_evidence USING (series_id, from_ms)
       WHERE series_id = ? AND from_ms = ?`,
      known_ms,
      seriesId,
      interval.from_ms,
    );
    this.#run("DELETE FROM book_interval WHERE series_id = ? AND from_ms = ?", seriesId, interval.from_ms);
    this.#run("DELETE FROM interval_evidence WHERE series_id = ? AND from_ms = ?", seriesId, interval.from_ms);
    this.#insertInterval(interval, seriesId, batch, epochId);
    return true;
  }

  #insertInterval(interval: Interval, seriesId: number, batch: NewBatch, epochId: number): boolean {
    const isNew = this.#run(
      `INSERT INTO book_interval (${INTERVAL_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
       ON CONFLICT (series_id, from_ms) DO NOTHING`,
      seriesId,
      interval.from_ms,
      interval.to_ms - interval.from_ms,
      this.#names.ticks.intern(interval.tick),
      interval.ticks,
      interval.flag,
      interval.coverage,
      interval.pollsExpected,
      interval.pollsAnswered,
      interval.cause,
      epochId,
      batch.number,
    );
    if (!isNew) return false;
    return this.#run(
      "INSERT INTO interval_evidence (series_id, from_ms, boundaries) VALUES (?, ?, ?)",
      seriesId,
      interval.from_ms,
      boundariesText(interval),
    );
  }

  /**
   * Emissions follow their interval: an entry for a gas and interval already booked takes the older one's place only if its
   * interval, in the same batch, did so too; otherwise the first entry stands and the difference is an alarm.
   */
  #bookEmission(emission: Emission, follows: boolean, batch: NewBatch, epochId: number, known_ms: EpochMs): void {
    const deviceId = this.#deviceId(batch.gateway, emission.device);
    const seriesId = this.#names.emissionSeries.intern({ deviceId, gas: emission.gas });
    const sourceId = this.#names.emissionSources.intern(emission);
    const length_ms = emission.to_ms - emission.from_ms;
    const insert = (version: number): boolean =>
      this.#run(
        `INSERT INTO book_emission (series_id, from_ms, version, id, length_ms, source_id, mg, known_from_ms,
           superseded_by, superseded_ms, epoch_id, batch)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?) ON CONFLICT (series_id, from_ms, version) DO NOTHING`,
        seriesId,
        emission.from_ms,
        version,
        this.#nextEmissionId,
        length_ms,
        sourceId,
        emission.mg,
        known_ms,
        epochId,
        batch.number,
      );
    if (insert(1)) {
      this.#nextEmissionId += 1;
      return;
    }
    const [held] = this.#allBig(
      "SELECT * FROM book_emission WHERE series_id = ? AND from_ms = ? ORDER BY version DESC LIMIT 1",
      seriesId,
      emission.from_ms,
    );
    const isSame =
      held?.mg === emission.mg && Number(held.source_id) === sourceId && Number(held.length_ms) === length_ms;
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
      this.#insertAlarm({ ...whereOf(batch), code: "EMISSION_REDEFINED", at_ms: known_ms, detail });
      return;
    }
    insert(Number(held.version) + 1);
    this.#run(
      "UPDATE book_emission SET superseded_by = ?, superseded_ms = ? WHERE series_id = ? AND from_ms = ? AND version = ?",
      this.#nextEmissionId,
      known_ms,
      seriesId,
      emission.from_ms,
      held.version as bigint,
    );
    this.#nextEmissionId += 1;
  }

  #addToRanges(epochId: number, numbers: readonly number[]): void {
    for (const [first, last] of runsOf(numbers)) {
      // The ranges that overlap or touch [first, last]: those that start in it, and the one that starts before it.
      const touched = this.#all(
        `DELETE FROM batch_range WHERE epoch_id = ?1 AND first <= ?3 + 1 AND last >= ?2 - 1 AND first >=
           coalesce((SELECT max(first) FROM batch_range WHERE epoch_id = ?1 AND first <= ?2), ?2)
         RETURNING first, last`,
        epochId,
        first,
        last,
      );
      const from = Math.min(first, ...touched.map((row) => Number(row.first)));
      const until = Math.max(last, ...touched.map((row) => Number(row.last)));
      this.#run("INSERT INTO batch_range (epoch_id, first, last) VALUES (?, ?, ?)", epochId, from, until);
    }
  }

  #putMeter(meter: MeterRow): void {
    this.#run(
      `INSERT INTO meter (device_id, model, model_version, carrier, role, parent, interval_ms, time_zone, name_vi, name_en)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (device_id) DO UPDATE SET model = excluded.model, model_version = excluded.model_version,
         carrier = excluded.carrier, role = excluded.role, parent = excluded.parent, interval_ms = excluded.interval_ms,
         time_zone = excluded.time_zone, name_vi = excluded.name_vi, name_en = excluded.name_en`,
      this.#deviceId(meter.gateway, meter.device),
      meter.model,
      meter.modelVersion,
      meter.carrier,
      meter.role,
      meter.parent,
      meter.interval_ms,
      meter.time_zone,
      meter.name?.vi ?? null,
      meter.name?.en ?? null,
    );
  }

  #insertAlarm(alarm: Alarm): void {
    const { lastInsertRowid } = this.#statement(
      "INSERT INTO alarm (code, gateway_id, device, at_ms, detail) VALUES (?, ?, ?, ?, ?)",
    ).run(
      alarm.code,
      alarm.gateway === null ? null : this.#names.gateways.intern(alarm.gateway),
      alarm.device,
      alarm.at_ms,
      JSON.stringify(alarm.detail),
    );
    this.#run("DELETE FROM alarm WHERE id <= ?", Number(lastInsertRowid) - ALARMS_MAX);
  }

  #noteSpan(deviceId: number, span_ms: number): void {
    if (span_ms <= this.#span_ms(deviceId)) return;
    this.#spans_ms.set(deviceId, span_ms);
    this.#run("UPDATE device SET batch_span_ms = ? WHERE id = ?", span_ms, deviceId);
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #storedBatch(row: Record<string, unknown>): StoredBatch {
    const key = Number(row.batch_key);
    const { gatewayId, epoch } = this.#names.epochs.value(Math.floor(key / (BATCH_NUMBER_MAX + 1)));
    return {
      gateway: this.#names.gateways.value(gatewayId),
      epoch,
      number: key % (BATCH_NUMBER_MAX + 1),
      device: this.#names.devices.value(Number(row.device_id)).device,
      birthId: Number(row.birth_id),
      from_ms: Number(row.from_ms),
      to_ms: Number(row.to_ms),
      payload: row.payload as Uint8Array,
    };
  }

  #storedInterval(row: Record<string, unknown>): StoredInterval {
    const { deviceId, quantity } = this.#names.series.value(Number(row.series_id));
    const from_ms = Number(row.from_ms);
    return {
      device: this.#names.devices.value(deviceId).device,
      quantity,
      from_ms,
      to_ms: from_ms + Number(row.length_ms),
      tick: this.#names.ticks.value(Number(row.tick_id)),
      ticks: row.ticks as bigint | null,
      flag: row.flag as IntervalFlag,
      coverage: Number(row.coverage),
      pollsExpected: Number(row.polls_expected),
      pollsAnswered: Number(row.polls_answered),
      cause: row.cause as IntervalCause | null,
      ...parseBoundaries(String(row.boundaries)),
      ...this.#epochOf(row),
      batch: Number(row.batch),
      verification: VERIFICATIONS[Number(row.verification)]!,
    };
  }

  #storedEmission(row: Record<string, unknown>): StoredEmission {
    const { deviceId, gas } = this.#names.emissionSeries.value(Number(row.series_id));
    const from_ms = Number(row.from_ms);
    return {
      id: Number(row.id),
      device: this.#names.devices.value(deviceId).device,
      from_ms,
      to_ms: from_ms + Number(row.length_ms),
      gas,
      mg: row.mg as bigint,
      ...this.#names.emissionSources.value(Number(row.source_id)),
      ...this.#epochOf(row),
      batch: Number(row.batch),
      version: Number(row.version),
      knownFrom_ms: Number(row.known_from_ms),
      supersededBy: row.superseded_by === null ? null : Number(row.superseded_by),
    };
  }

  #epochOf(row: Record<string, unknown>): { readonly gateway: GatewayKey; readonly epoch: string } {
    const { gatewayId, epoch } = this.#names.epochs.value(Number(row.epoch_id));
    return { gateway: this.#names.gateways.value(gatewayId), epoch };
  }

  #countOf(table: "dead_letter" | "quarantine", gateway: GatewayKey): number {
    const gatewayId = this.#names.gateways.find(gateway);
    if (gatewayId === null) return 0;
    return Number(this.#get(`SELECT count(*) AS n FROM ${table} WHERE gateway_id = ?`, gatewayId)?.n);
  }

  // ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #epochId(gateway: GatewayKey, epoch: string): number {
    return this.#names.epochs.intern({ gatewayId: this.#names.gateways.intern(gateway), epoch });
  }

  #deviceId(gateway: GatewayKey, device: string): number {
    return this.#names.devices.intern({ gatewayId: this.#names.gateways.intern(gateway), device });
  }

  #findEpoch(gateway: GatewayKey, epoch: string): number | null {
    const gatewayId = this.#names.gateways.find(gateway);
    return gatewayId === null ? null : this.#names.epochs.find({ gatewayId, epoch });
  }

  #findDevice(gateway: GatewayKey, device: string): number | null {
    const gatewayId = this.#names.gateways.find(gateway);
    return gatewayId === null ? null : this.#names.devices.find({ gatewayId, device });
  }

  #span_ms(deviceId: number): number {
    return this.#spans_ms.get(deviceId) ?? 0;
  }

  #loadMemory(): void {
    this.#spans_ms.clear();
    for (const row of this.#all("SELECT id, batch_span_ms FROM device")) {
      this.#spans_ms.set(Number(row.id), Number(row.batch_span_ms));
    }
    this.#nextEmissionId = Number(this.#get("SELECT coalesce(max(id), 0) + 1 AS id FROM book_emission")?.id);
  }

  // ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────

  #transaction<T>(work: () => T): T {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      reloadNames(this.#names);
      this.#loadMemory();
      throw diskError(error);
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** @returns whether any row was written. */
  #run(sql: string, ...values: readonly SQLInputValue[]): boolean {
    return this.#statement(sql).run(...values).changes !== 0;
  }

  #get(sql: string, ...values: readonly SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: readonly SQLInputValue[]): readonly Record<string, unknown>[] {
    return this.#statement(sql).all(...values);
  }

  /** Integers as bigints: for rows with ticks or milligrams, which may be beyond 2^53. */
  #allBig(sql: string, ...values: readonly SQLInputValue[]): readonly Record<string, unknown>[] {
    const statement = this.#statement(sql);
    statement.setReadBigInts(true);
    return statement.all(...values);
  }
}

function batchKey(epochId: number, number: number): number {
  if (!Number.isSafeInteger(number) || number < 1 || number > BATCH_NUMBER_MAX) {
    throw new KhuXanhError("INTERNAL", `${number} is no batch number`, {
      hint: `Report this as a bug: the collector passes batch numbers from 1 to ${BATCH_NUMBER_MAX}.`,
      context: { number },
    });
  }
  return epochId * (BATCH_NUMBER_MAX + 1) + number;
}

/** Ascending runs [first, last] of consecutive numbers. */
function runsOf(numbers: readonly number[]): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && number === run[1] + 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

/** The same content gives the same text, whatever the order of its properties. */
function canonicalMetric(metric: BornMetric): BornMetric {
  const properties = Object.fromEntries(Object.entries(metric.properties).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { name: metric.name, alias: metric.alias, datatype: metric.datatype, properties };
}

function whereOf(batch: NewBatch): Pick<Alarm, "gateway" | "device"> {
  return { gateway: batch.gateway, device: batch.device };
}

function redefinition(held: StoredInterval, arrived: Interval, batch: NewBatch): Alarm["detail"] {
  return {
    quantity: held.quantity,
    from_ms: held.from_ms,
    held: `${held.flag} ${held.ticks} × ${held.tick.amount} ${held.tick.unit}`,
    held_batch: `${held.epoch} ${held.batch}`,
    arrived: `${arrived.flag} ${arrived.ticks} × ${arrived.tick.amount} ${arrived.tick.unit}`,
    arrived_batch: `${batch.epoch} ${batch.number}`,
  };
}

/** SQLite's result codes: 13 disk full, 10 input/output error. */
function diskError(error: unknown): unknown {
  const code = typeof error === "object" && error !== null && "errcode" in error ? Number(error.errcode) & 0xff : null;
  if (code === 13) {
    return new KhuXanhError("DISK_FULL", "the zone store cannot grow: the disk is full", {
      hint: "Free space on the disk of the data directory; gateways keep their batches until then.",
      cause: error,
    });
  }
  if (code === 10) {
    return new KhuXanhError("DISK_UNUSABLE", `the zone store cannot be written: ${messageOf(error)}`, {
      hint: "Check the disk of the data directory; gateways keep their batches until then.",
      cause: error,
    });
  }
  return error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
