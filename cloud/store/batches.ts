import type { EpochMs } from "../../core/reading/reading.ts";
import { formatNodeRecord, type NodeRecord, type NodeRecordKind, parseNodeRecord } from "../../core/wire/nodeRecord.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import type { Alarms } from "./alarms.ts";
import type { Books } from "./books.ts";
import type { Database, Row } from "./database.ts";
import { batchKey, type Keys } from "./keys.ts";
import type { Renumbered } from "./renumbered.ts";
import {
  BATCH_NUMBER_MAX,
  type BatchOutcome,
  type DeadLetter,
  type GatewayKey,
  type NewBatch,
  type RecordOfKind,
  type StoredBatch,
  type StoredNodeRecord,
} from "./store.ts";

interface BatchOrigin {
  readonly gateway: GatewayKey;
  readonly epoch: string;
  readonly gatewayId: number;
  readonly epochId: number;
}

/** Newest dead letters kept per gateway; older ones go: a gateway that sends nothing else must not fill the disk. */
export const DEAD_LETTERS_MAX = 10_000;

/** The batches as they came, which numbers of each epoch are held, and what could not be used. */
export class Batches {
  readonly #db: Database;
  readonly #keys: Keys;
  readonly #alarms: Alarms;
  readonly #books: Books;
  readonly #renumbered: Renumbered;
  /** Longest batch of each device, by device id. */
  readonly #spans_ms = new Map<number, number>();

  constructor(db: Database, keys: Keys, alarms: Alarms, books: Books, renumbered: Renumbered) {
    this.#db = db;
    this.#keys = keys;
    this.#alarms = alarms;
    this.#books = books;
    this.#renumbered = renumbered;
    this.#load();
    db.onRollback(() => this.#load());
  }

  commit(batches: readonly NewBatch[], known_ms: EpochMs): readonly BatchOutcome[] {
    if (batches.length === 0) return [];
    return this.#db.transaction(() => {
      const outcomes: BatchOutcome[] = [];
      const added = new Map<number, number[]>();
      let origin: BatchOrigin | null = null;
      for (const batch of batches) {
        origin = this.#originOf(batch, origin);
        const { epochId } = origin;
        const outcome = this.#commitOne(batch, origin, known_ms);
        outcomes.push(outcome);
        if (outcome !== "stored" && outcome !== "renumbered") continue;
        const numbers = added.get(epochId);
        if (numbers === undefined) added.set(epochId, [batch.number]);
        else numbers.push(batch.number);
      }
      for (const [epochId, numbers] of added) this.#addToRanges("batch_range", epochId, runsOf(numbers));
      return outcomes;
    });
  }

  /** Content that has no number of its own gets the next of its epoch; inside the transaction of the caller. */
  append(batch: Omit<NewBatch, "number">): void {
    const origin = this.#originOf(batch, null);
    const key = batchKey(origin.epochId, 1);
    const newest = this.#db.get(
      "SELECT max(batch_key) AS key FROM batch WHERE batch_key >= ? AND batch_key < ?",
      key,
      key + BATCH_NUMBER_MAX,
    )?.key;
    const number = typeof newest === "number" ? newest - key + 2 : 1;
    this.#commitOne({ ...batch, number }, origin, 0);
  }

  heldRanges(gateway: GatewayKey, epoch: string): readonly (readonly [number, number])[] {
    return this.#rangesOf("batch_range", gateway, epoch);
  }

  lostRanges(gateway: GatewayKey, epoch: string): readonly (readonly [number, number])[] {
    return this.#rangesOf("lost_range", gateway, epoch);
  }

  within(gateway: GatewayKey, device: string, from_ms: EpochMs, to_ms: EpochMs, limit: number): readonly StoredBatch[] {
    const deviceId = this.#keys.findDevice(gateway, device);
    if (deviceId === null) return [];
    return this.#db
      .arrays(
        `SELECT batch_key, birth_id, from_ms, to_ms, payload FROM batch
       WHERE device_id = ? AND to_ms >= ? AND to_ms <= ? AND from_ms <= ? ORDER BY to_ms, batch_key LIMIT +?`,
        deviceId,
        from_ms,
        to_ms + this.#span_ms(deviceId),
        to_ms,
        limit,
      )
      .map((row) => this.#storedBatch(row, gateway, device));
  }

  atOrBefore(gateway: GatewayKey, device: string, at_ms: EpochMs): StoredBatch | null {
    const deviceId = this.#keys.findDevice(gateway, device);
    if (deviceId === null) return null;
    const [row] = this.#db.arrays(
      `SELECT batch_key, birth_id, from_ms, to_ms, payload FROM batch
       WHERE device_id = ? AND to_ms <= ? AND from_ms <= ? ORDER BY to_ms DESC, batch_key DESC LIMIT 1`,
      deviceId,
      at_ms + this.#span_ms(deviceId),
      at_ms,
    );
    return row === undefined ? null : this.#storedBatch(row, gateway, device);
  }

  atOrAfter(gateway: GatewayKey, device: string, at_ms: EpochMs): StoredBatch | null {
    const deviceId = this.#keys.findDevice(gateway, device);
    if (deviceId === null) return null;
    const [row] = this.#db.arrays(
      `SELECT batch_key, birth_id, from_ms, to_ms, payload FROM batch
       WHERE device_id = ? AND to_ms >= ? ORDER BY to_ms, batch_key LIMIT 1`,
      deviceId,
      at_ms,
    );
    return row === undefined ? null : this.#storedBatch(row, gateway, device);
  }

  nodeRecords<K extends NodeRecordKind>(
    gateway: GatewayKey,
    kind: K,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
  ): readonly StoredNodeRecord<K>[] {
    const gatewayId = this.#keys.names.gateways.find(gateway);
    if (gatewayId === null) return [];
    return this.#db
      .all(
        `SELECT * FROM node_record WHERE gateway_id = ? AND kind = ? AND to_ms >= ? AND from_ms < ?
       ORDER BY to_ms, batch_key LIMIT +?`,
        gatewayId,
        kind,
        from_ms,
        to_ms,
        limit,
      )
      .flatMap((row) => {
        const record = parseNodeRecord(String(row.json));
        const { epoch, number } = this.#keys.batchOf(Number(row.batch_key));
        return record.kind === kind ? [{ gateway, epoch, batch: number, record: record as RecordOfKind<K> }] : [];
      });
  }

  counts(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    slot_ms: number,
  ): ReadonlyMap<EpochMs, { readonly stored: number; readonly setAside: number }> {
    const counts = new Map<EpochMs, { stored: number; setAside: number }>();
    const deviceId = this.#keys.findDevice(gateway, device);
    if (deviceId === null) return counts;
    const add = (what: "stored" | "setAside", rows: readonly Row[]): void => {
      for (const row of rows) {
        const start_ms = from_ms + Number(row.slot) * slot_ms;
        const count = counts.get(start_ms) ?? { stored: 0, setAside: 0 };
        counts.set(start_ms, { ...count, [what]: Number(row.n) });
      }
    };
    const stored = this.#db.all(
      `SELECT CAST((to_ms - ?1) / ?2 AS INTEGER) AS slot, count(*) AS n FROM batch
       WHERE device_id = ?3 AND to_ms >= ?1 AND to_ms < ?4 AND is_poll IS NOT 0 GROUP BY slot`,
      from_ms,
      slot_ms,
      deviceId,
      to_ms,
    );
    const setAside = this.#db.all(
      `SELECT CAST((content_ms - ?1) / ?2 AS INTEGER) AS slot, count(*) AS n FROM dead_letter
       WHERE gateway_id = ?3 AND device = ?4 AND content_ms >= ?1 AND content_ms < ?5 GROUP BY slot`,
      from_ms,
      slot_ms,
      this.#keys.names.gateways.intern(gateway),
      device,
      to_ms,
    );
    add("stored", stored);
    add("setAside", setAside);
    return counts;
  }

  deadLetter({ gateway, topic, at_ms, code, why, payload, content, batch }: DeadLetter): void {
    this.#db.transaction(() => {
      const gatewayId = this.#keys.names.gateways.intern(gateway);
      this.#db.run(
        `INSERT INTO dead_letter (gateway_id, topic, at_ms, code, why, payload, device, content_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        gatewayId,
        topic,
        at_ms,
        code,
        why,
        payload,
        content?.device ?? null,
        content?.at_ms ?? null,
      );
      this.#db.run(
        `DELETE FROM dead_letter WHERE gateway_id = ?1 AND id <=
           (SELECT id FROM dead_letter WHERE gateway_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
        gatewayId,
        DEAD_LETTERS_MAX,
      );
      if (batch === null || batch.number > BATCH_NUMBER_MAX) return;
      this.#addToRanges("lost_range", this.#keys.epochId(gateway, batch.epoch), [[batch.number, batch.number]]);
    });
  }

  deadLetterCount(gateway: GatewayKey): number {
    const gatewayId = this.#keys.names.gateways.find(gateway);
    return Number(this.#db.get("SELECT count(*) AS n FROM dead_letter WHERE gateway_id = ?", gatewayId)?.n);
  }

  quarantineCount(gateway: GatewayKey, epoch?: string, through = BATCH_NUMBER_MAX): number {
    const gatewayId = this.#keys.names.gateways.find(gateway);
    if (epoch === undefined) {
      return Number(this.#db.get("SELECT count(*) AS n FROM quarantine WHERE gateway_id = ?", gatewayId)?.n);
    }
    const epochId = this.#keys.findEpoch(gateway, epoch);
    if (epochId === null) return 0;
    const [from, to] = [batchKey(epochId, 1), batchKey(epochId, through)];
    return Number(
      this.#db.get("SELECT count(*) AS n FROM quarantine WHERE batch_key >= ? AND batch_key <= ?", from, to)?.n,
    );
  }

  /** Where a batch comes from, in the numbers of the tables; as a rule the same as the one before. */
  #originOf({ gateway, epoch }: Pick<NewBatch, "gateway" | "epoch">, before: BatchOrigin | null): BatchOrigin {
    if (before !== null && before.gateway === gateway && before.epoch === epoch) return before;
    const gatewayId = this.#keys.names.gateways.intern(gateway);
    return { gateway, epoch, gatewayId, epochId: this.#keys.names.epochs.intern({ gatewayId, epoch }) };
  }

  #commitOne(batch: NewBatch, { epochId, gatewayId }: BatchOrigin, known_ms: EpochMs): BatchOutcome {
    const key = batchKey(epochId, batch.number);
    const deviceId = this.#keys.names.devices.intern({ gatewayId, device: batch.device });
    const mayBeHeld = batch.mayBeRenumbered === true && this.#keys.hasManyEpochs(gatewayId);
    if (mayBeHeld && this.#renumbered.isHeld(batch, deviceId, epochId)) return "renumbered";
    const isNew = this.#db.run(
      `INSERT INTO batch (batch_key, device_id, birth_id, from_ms, to_ms, crc32c, payload, is_poll)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (batch_key) DO NOTHING`,
      key,
      deviceId,
      batch.birthId,
      batch.from_ms,
      batch.to_ms,
      batch.crc32c,
      batch.payload,
      Number(batch.isPoll ?? batch.intervals.length === 0),
    );
    if (!isNew) return this.#heldAlready(batch, key, known_ms);
    this.#noteSpan(deviceId, batch.to_ms - batch.from_ms);
    this.#books.enter(batch, epochId, known_ms);
    if (batch.record !== null) this.#putRecord(batch.record, key, batch.gateway);
    return "stored";
  }

  #putRecord(record: NodeRecord, key: number, gateway: GatewayKey): void {
    const { from_ms, to_ms } = timeOf(record);
    this.#db.run(
      "INSERT INTO node_record (batch_key, gateway_id, kind, from_ms, to_ms, json) VALUES (?, ?, ?, ?, ?, ?)",
      key,
      this.#keys.names.gateways.intern(gateway),
      record.kind,
      from_ms,
      to_ms,
      formatNodeRecord(record),
    );
    if (record.kind !== "loss" || record.batches === null) return;
    const epochId = this.#keys.epochId(gateway, record.epoch);
    this.#addToRanges("lost_range", epochId, record.batches.map(boundsOf));
  }

  #heldAlready(batch: NewBatch, key: number, known_ms: EpochMs): BatchOutcome {
    const held = this.#db.get("SELECT crc32c FROM batch WHERE batch_key = ?", key);
    if (Number(held?.crc32c) === batch.crc32c) return "duplicate";
    const isNews = this.#db.run(
      `INSERT INTO quarantine (batch_key, crc32c, gateway_id, device, at_ms, payload) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (batch_key, crc32c) DO NOTHING`,
      key,
      batch.crc32c,
      this.#keys.names.gateways.intern(batch.gateway),
      batch.device,
      known_ms,
      batch.payload,
    );
    if (isNews) {
      const { gateway, device, epoch, number } = batch;
      const detail = { epoch, batch: number };
      this.#alarms.insert({ gateway, device, code: "BATCH_CONTENT_DIFFERS", at_ms: known_ms, detail });
    }
    return "differs";
  }

  #rangesOf(table: RangeTable, gateway: GatewayKey, epoch: string): readonly (readonly [number, number])[] {
    const epochId = this.#keys.findEpoch(gateway, epoch);
    if (epochId === null) return [];
    return this.#db
      .all(`SELECT first, last FROM ${table} WHERE epoch_id = ? ORDER BY first`, epochId)
      .map((row) => [Number(row.first), Number(row.last)] as const);
  }

  #addToRanges(table: RangeTable, epochId: number, runs: readonly (readonly [number, number])[]): void {
    for (const [first, last] of runs) {
      // The ranges that overlap or touch [first, last]: those that start in it, and the one that starts before it.
      const touched = this.#db.arrays(
        `SELECT first, last FROM ${table} WHERE epoch_id = ?1 AND first <= ?3 + 1 AND last >= ?2 - 1 AND first >=
           coalesce((SELECT max(first) FROM ${table} WHERE epoch_id = ?1 AND first <= ?2), ?2) ORDER BY first`,
        epochId,
        first,
        last,
      ) as readonly (readonly [number, number])[];
      const [lowest, ...others] = touched;
      const until = touched.reduce((furthest, range) => Math.max(furthest, range[1]), last);
      if (lowest === undefined || lowest[0] > first) {
        for (const [start] of touched) this.#dropRange(table, epochId, start);
        this.#db.run(`INSERT INTO ${table} (epoch_id, first, last) VALUES (?, ?, ?)`, epochId, first, until);
        continue;
      }
      // As a rule: the range that everything so far is in grows at its end.
      for (const [start] of others) this.#dropRange(table, epochId, start);
      if (until > lowest[1]) {
        this.#db.run(`UPDATE ${table} SET last = ? WHERE epoch_id = ? AND first = ?`, until, epochId, lowest[0]);
      }
    }
  }

  #dropRange(table: RangeTable, epochId: number, first: number): void {
    this.#db.run(`DELETE FROM ${table} WHERE epoch_id = ? AND first = ?`, epochId, first);
  }

  /** @param row batch_key, birth_id, from_ms, to_ms, payload */
  #storedBatch(
    [key, birthId, from_ms, to_ms, payload]: readonly unknown[],
    gateway: GatewayKey,
    device: string,
  ): StoredBatch {
    const { epoch, number } = this.#keys.batchOf(key as number);
    return {
      gateway,
      epoch,
      number,
      device,
      birthId: birthId as number,
      from_ms: from_ms as number,
      to_ms: to_ms as number,
      payload: payload as Uint8Array,
    };
  }

  #span_ms(deviceId: number): number {
    return this.#spans_ms.get(deviceId) ?? 0;
  }

  #noteSpan(deviceId: number, span_ms: number): void {
    if (span_ms <= this.#span_ms(deviceId)) return;
    this.#spans_ms.set(deviceId, span_ms);
    this.#db.run("UPDATE device SET batch_span_ms = ? WHERE id = ?", span_ms, deviceId);
  }

  #load(): void {
    this.#spans_ms.clear();
    for (const row of this.#db.all("SELECT id, batch_span_ms FROM device")) {
      this.#spans_ms.set(Number(row.id), Number(row.batch_span_ms));
    }
  }
}

type RangeTable = "batch_range" | "lost_range";

/** The time a record speaks of. */
function timeOf(record: NodeRecord): { readonly from_ms: EpochMs; readonly to_ms: EpochMs } {
  return record.kind === "loss" || record.kind === "polls" ? record : { from_ms: record.at_ms, to_ms: record.at_ms };
}

function boundsOf({ first, last }: BatchRange): readonly [number, number] {
  return [first, last];
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
