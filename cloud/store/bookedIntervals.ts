import type { Interval, IntervalCause, IntervalFlag } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { Alarms } from "./alarms.ts";
import { boundariesText, parseBoundaries } from "./boundaries.ts";
import type { Database, Row } from "./database.ts";
import type { Keys } from "./keys.ts";
import { type Precedence, precedence } from "./precedence.ts";
import type {
  Alarm,
  BucketBounds,
  Disagreement,
  EarlierInterval,
  GatewayKey,
  NewBatch,
  NewCorrection,
  NewSubstitution,
  Order,
  StoredInterval,
  StoredSubstitution,
  Verification,
} from "./store.ts";
import { SUBSTITUTED_EPOCH, type Substitutions } from "./substitutions.ts";

const VERIFICATIONS: readonly Verification[] = ["pending", "agreed", "disagreed", "unverifiable", "recomputed"];
const INTERVAL_COLUMNS = `series_id, from_ms, length_ms, tick_id, ticks, flag, coverage, polls_expected, polls_answered,
  cause, epoch_id, batch, verification`;

/** What became of an interval that arrived. stands: the one that was held, the same or another. */
export type Booking = "booked" | "superseded" | "outdone" | "stands";

/** Intervals as rows: what the gateways booked, what stands in for what is missing, and whether the cloud came to the same. */
export class BookedIntervals {
  readonly #db: Database;
  readonly #keys: Keys;
  readonly #alarms: Alarms;
  /** Intervals that arrived for a time of which an earlier epoch knew more. */
  outdone = 0;

  constructor(db: Database, keys: Keys, alarms: Alarms) {
    this.#db = db;
    this.#keys = keys;
    this.#alarms = alarms;
  }

  span(gateway: GatewayKey, device: string): BucketBounds | null {
    const deviceId = this.#keys.findDevice(gateway, device);
    const starts: number[] = [];
    const ends: number[] = [];
    for (const [seriesId, name] of this.#keys.names.series.entries()) {
      if (name.deviceId !== deviceId) continue;
      const oldest = this.#db.get("SELECT min(from_ms) AS at FROM book_interval WHERE series_id = ?", seriesId)?.at;
      const newest = this.#db.get(
        "SELECT from_ms + length_ms AS at FROM book_interval WHERE series_id = ? ORDER BY from_ms DESC LIMIT 1",
        seriesId,
      )?.at;
      if (typeof oldest === "number") starts.push(oldest);
      if (typeof newest === "number") ends.push(newest);
    }
    return starts.length === 0 ? null : { from_ms: Math.min(...starts), to_ms: Math.max(...ends) };
  }

  within(
    gateway: GatewayKey,
    device: string,
    quantity: QuantityId,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
    order: Order = "oldest",
  ): readonly StoredInterval[] {
    const deviceId = this.#keys.findDevice(gateway, device);
    const seriesId = deviceId === null ? null : this.#keys.names.series.find({ deviceId, quantity });
    if (seriesId === null) return [];
    return this.#db
      .allBig(
        `SELECT i.*, e.boundaries FROM book_interval i JOIN interval_evidence e USING (series_id, from_ms)
       WHERE i.series_id = ? AND i.from_ms >= ? AND i.from_ms < ?
       ORDER BY i.from_ms ${order === "oldest" ? "ASC" : "DESC"} LIMIT +?`,
        seriesId,
        from_ms,
        to_ms,
        limit,
      )
      .map((row) => this.#storedInterval(row));
  }

  toVerify(gateway: GatewayKey, epoch: string, through: number, limit: number): readonly StoredInterval[] {
    const epochId = this.#keys.findEpoch(gateway, epoch);
    if (epochId === null) return [];
    return this.#db
      .allBig(
        `SELECT i.*, e.boundaries FROM book_interval i JOIN interval_evidence e USING (series_id, from_ms)
       WHERE i.verification = 0 AND i.epoch_id = ? AND i.batch <= ? ORDER BY i.batch, i.from_ms, i.series_id LIMIT +?`,
        epochId,
        through,
        limit,
      )
      .map((row) => this.#storedInterval(row));
  }

  setVerifications(results: readonly (readonly [StoredInterval, Verification])[]): void {
    this.#db.transaction(() => {
      for (const [interval, result] of results) this.#setVerification(interval, result);
    });
  }

  disagreements(): readonly Disagreement[] {
    return this.#db
      .all(
        `SELECT series_id, count(*) AS intervals, min(from_ms) AS oldest_ms FROM book_interval
       WHERE verification = 2 GROUP BY series_id`,
      )
      .map((row) => {
        const { names } = this.#keys;
        const { deviceId, quantity } = names.series.value(Number(row.series_id));
        const { gatewayId, device } = names.devices.value(deviceId);
        const gateway = names.gateways.value(gatewayId);
        return { gateway, device, quantity, intervals: Number(row.intervals), oldest_ms: Number(row.oldest_ms) };
      });
  }

  /** Inside the transaction that stores the batch. */
  book(interval: Interval, batch: NewBatch, epochId: number, known_ms: EpochMs): Booking {
    const deviceId = this.#keys.deviceId(batch.gateway, interval.device);
    const seriesId = this.#keys.names.series.intern({ deviceId, quantity: interval.quantity });
    if (this.#insertInterval(interval, seriesId, batch, epochId)) return "booked";

    const held = this.#heldInterval(seriesId, interval.from_ms)!;
    const verdict = held.epoch === SUBSTITUTED_EPOCH ? overFill(interval) : precedenceOf(held, interval, batch.epoch);
    if (verdict === "outdone") {
      this.outdone += 1;
      return "outdone";
    }
    if (verdict === "redefined") {
      this.#alarms.insert({
        gateway: batch.gateway,
        device: batch.device,
        code: "INTERVAL_REDEFINED",
        at_ms: known_ms,
        detail: redefinition(held, interval, batch),
      });
    }
    if (verdict !== "supersedes") return "stands";
    this.#archiveInterval(seriesId, interval.from_ms, known_ms);
    this.#insertInterval(interval, seriesId, batch, epochId);
    return "superseded";
  }

  /** Inside the transaction that restates its emissions. @returns false when the gateway's figure is not in force any more. */
  correct({ interval, figure }: NewCorrection, known_ms: EpochMs): boolean {
    const { gateway, device, quantity, from_ms, epoch, batch } = interval;
    const seriesId = this.#keys.names.series.intern({ deviceId: this.#keys.deviceId(gateway, device), quantity });
    const held = this.#heldInterval(seriesId, from_ms);
    const isOurs = held?.epoch === epoch && held.batch === batch;
    if (!isOurs || held.verification === "recomputed") return false;
    this.#setVerification(interval, "unverifiable");
    this.#archiveInterval(seriesId, from_ms, known_ms);
    this.#insertInterval(figure, seriesId, { number: batch }, this.#keys.epochId(gateway, epoch), "recomputed");
    return true;
  }

  /** Figures that gave way to another one, oldest first. */
  earlier(gateway: GatewayKey, device: string, quantity: QuantityId, from_ms: EpochMs): readonly EarlierInterval[] {
    const deviceId = this.#keys.findDevice(gateway, device);
    const seriesId = deviceId === null ? null : this.#keys.names.series.find({ deviceId, quantity });
    if (seriesId === null) return [];
    return this.#db
      .allBig("SELECT * FROM interval_superseded WHERE series_id = ? AND from_ms = ? ORDER BY id", seriesId, from_ms)
      .map((row) => ({ ...this.#storedInterval(row), superseded_ms: Number(row.superseded_ms) }));
  }

  #archiveInterval(seriesId: number, from_ms: EpochMs, known_ms: EpochMs): void {
    this.#db.run(
      `INSERT INTO interval_superseded (${INTERVAL_COLUMNS}, boundaries, superseded_ms)
       SELECT ${INTERVAL_COLUMNS}, boundaries, ? FROM book_interval JOIN interval_evidence USING (series_id, from_ms)
       WHERE series_id = ? AND from_ms = ?`,
      known_ms,
      seriesId,
      from_ms,
    );
    this.#db.run("DELETE FROM book_interval WHERE series_id = ? AND from_ms = ?", seriesId, from_ms);
    this.#db.run("DELETE FROM interval_evidence WHERE series_id = ? AND from_ms = ?", seriesId, from_ms);
  }

  /** What stands in for missing intervals; see the port. */
  substitute(fill: NewSubstitution, log: Substitutions, known_ms: EpochMs): StoredSubstitution | null {
    if (log.find(fill.name) !== null) return null;
    return this.#db.transaction(() => {
      const deviceId = this.#keys.deviceId(fill.gateway, fill.device);
      const seriesId = this.#keys.names.series.intern({ deviceId, quantity: fill.quantity });
      const gaps = fill.intervals.flatMap((interval) => {
        const held = this.#heldInterval(seriesId, interval.from_ms);
        const isOpen = held === null || held.flag === "X" || held.epoch === SUBSTITUTED_EPOCH;
        return isOpen ? [{ interval, held }] : [];
      });
      const id = log.note(fill, seriesId, gaps.length, known_ms);
      const epochId = this.#keys.epochId(fill.gateway, SUBSTITUTED_EPOCH);
      for (const { interval, held } of gaps) {
        if (held !== null) this.#archiveInterval(seriesId, interval.from_ms, known_ms);
        // There are no readings to recompute it from.
        this.#insertInterval(standIn(fill, interval, held), seriesId, { number: id }, epochId, "unverifiable");
      }
      return log.get(id);
    });
  }

  #heldInterval(seriesId: number, from_ms: EpochMs): StoredInterval | null {
    const [row] = this.#db.allBig(
      `SELECT i.*, e.boundaries FROM book_interval i JOIN interval_evidence e USING (series_id, from_ms)
       WHERE i.series_id = ? AND i.from_ms = ?`,
      seriesId,
      from_ms,
    );
    return row === undefined ? null : this.#storedInterval(row);
  }

  #insertInterval(
    interval: Interval,
    seriesId: number,
    batch: Pick<NewBatch, "number">,
    epochId: number,
    verification: Verification = "pending",
  ): boolean {
    const isNew = this.#db.run(
      `INSERT INTO book_interval (${INTERVAL_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (series_id, from_ms) DO NOTHING`,
      seriesId,
      interval.from_ms,
      interval.to_ms - interval.from_ms,
      this.#keys.names.ticks.intern(interval.tick),
      interval.ticks,
      interval.flag,
      interval.coverage,
      interval.pollsExpected,
      interval.pollsAnswered,
      interval.cause,
      epochId,
      batch.number,
      VERIFICATIONS.indexOf(verification),
    );
    if (!isNew) return false;
    return this.#db.run(
      "INSERT INTO interval_evidence (series_id, from_ms, boundaries) VALUES (?, ?, ?)",
      seriesId,
      interval.from_ms,
      boundariesText(interval),
    );
  }

  /** The batch that brought the intervals of the device that begin here. */
  broughtBy(deviceId: number, from_ms: EpochMs): { readonly epochId: number; readonly batch: number } | null {
    for (const [seriesId, name] of this.#keys.names.series.entries()) {
      if (name.deviceId !== deviceId) continue;
      const row = this.#db.get(
        "SELECT epoch_id, batch FROM book_interval WHERE series_id = ? AND from_ms = ?",
        seriesId,
        from_ms,
      );
      if (row !== undefined) return { epochId: Number(row.epoch_id), batch: Number(row.batch) };
    }
    return null;
  }

  #setVerification(interval: StoredInterval, result: Verification): void {
    const epochId = this.#keys.findEpoch(interval.gateway, interval.epoch);
    const deviceId = this.#keys.findDevice(interval.gateway, interval.device);
    const seriesId = deviceId === null ? null : this.#keys.names.series.find({ deviceId, quantity: interval.quantity });
    if (epochId === null || seriesId === null) return;
    // The batch is named too: a figure that superseded this one meanwhile keeps its own verdict.
    this.#db.run(
      "UPDATE book_interval SET verification = ? WHERE series_id = ? AND from_ms = ? AND epoch_id = ? AND batch = ?",
      VERIFICATIONS.indexOf(result),
      seriesId,
      interval.from_ms,
      epochId,
      interval.batch,
    );
  }

  #storedInterval(row: Row): StoredInterval {
    const { names } = this.#keys;
    const { deviceId, quantity } = names.series.value(Number(row.series_id));
    const from_ms = Number(row.from_ms);
    return {
      device: names.devices.value(deviceId).device,
      quantity,
      from_ms,
      to_ms: from_ms + Number(row.length_ms),
      tick: names.ticks.value(Number(row.tick_id)),
      ticks: row.ticks as bigint | null,
      flag: row.flag as IntervalFlag,
      coverage: Number(row.coverage),
      pollsExpected: Number(row.polls_expected),
      pollsAnswered: Number(row.polls_answered),
      cause: row.cause as IntervalCause | null,
      ...parseBoundaries(String(row.boundaries)),
      ...this.#keys.epochOf(row),
      batch: Number(row.batch),
      verification: VERIFICATIONS[Number(row.verification)]!,
    };
  }
}

/**
 * A gateway that lost what it had sent, and says so by another epoch, knows less than it knew: neither what was measured then
 * nor what was recomputed here is touched by what it shares out now. Within an epoch a figure that gets worse is a redefinition.
 */
function precedenceOf(held: StoredInterval, arrived: Interval, epoch: string): Precedence {
  const verdict = precedence(held, arrived);
  if (verdict === "outdone") return held.epoch === epoch ? "redefined" : "outdone";
  const isRecomputed = held.verification === "recomputed" && arrived.flag !== "M";
  return verdict === "redefined" && isRecomputed && held.epoch !== epoch ? "outdone" : verdict;
}

/** What a gateway knows of the time goes before any fill; that it knows nothing does not. */
function overFill({ flag }: Interval): Precedence {
  return flag === "X" ? "same" : "supersedes";
}

/** The fill of one interval: never less than what is known to have been counted; polls and cause stay those of the gap. */
function standIn(
  { device, quantity, tick, flag }: NewSubstitution,
  { from_ms, to_ms, ticks }: NewSubstitution["intervals"][number],
  held: StoredInterval | null,
): Interval {
  const isComparable = held?.tick.amount === tick.amount && held.tick.unit === tick.unit;
  const least = isComparable && held.flag === "X" ? (held.ticks ?? 0n) : 0n;
  return {
    device,
    quantity,
    from_ms,
    to_ms,
    tick,
    ticks: ticks > least ? ticks : least,
    flag,
    coverage: held?.coverage ?? 0,
    pollsExpected: held?.pollsExpected ?? 0,
    pollsAnswered: held?.pollsAnswered ?? 0,
    cause: held?.cause ?? null,
    opening: null,
    closing: null,
  };
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
