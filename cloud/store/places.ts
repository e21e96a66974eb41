import { createHash } from "node:crypto";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { BornMetric } from "../../core/wire/content.ts";
import type { Database, Row } from "./database.ts";
import type { Keys } from "./keys.ts";
import type { DeviceBirth, GatewayKey, GatewayRow, MeterRow, Presence } from "./store.ts";

/** Newest changes of presence kept per gateway; older ones go: one that comes and goes every second fills no disk. */
export const PRESENCE_MAX = 20_000;

/** Who is there: gateways and their presence, births, meters. */
export class Places {
  readonly #db: Database;
  readonly #keys: Keys;

  constructor(db: Database, keys: Keys) {
    this.#db = db;
    this.#keys = keys;
  }

  putBirth(birth: DeviceBirth, meter: MeterRow | null): number {
    return this.#db.transaction(() => {
      const epochId = this.#keys.epochId(birth.gateway, birth.epoch);
      const deviceId = this.#keys.deviceId(birth.gateway, birth.device);
      const metrics = JSON.stringify(birth.metrics.map(canonicalMetric));
      const sha256 = createHash("sha256").update(metrics).digest("hex");
      this.#db.run(
        `INSERT INTO birth (epoch_id, device_id, sha256, metrics) VALUES (?, ?, ?, ?)
         ON CONFLICT (epoch_id, device_id, sha256) DO NOTHING`,
        epochId,
        deviceId,
        sha256,
        metrics,
      );
      if (meter !== null) this.#putMeter(meter);
      const row = this.#db.get(
        "SELECT id FROM birth WHERE epoch_id = ? AND device_id = ? AND sha256 = ?",
        epochId,
        deviceId,
        sha256,
      );
      return Number(row?.id);
    });
  }

  birth(birthId: number): DeviceBirth | null {
    const row = this.#db.get("SELECT epoch_id, device_id, metrics FROM birth WHERE id = ?", birthId);
    if (row === undefined) return null;
    return {
      ...this.#keys.epochOf(row),
      device: this.#keys.names.devices.value(Number(row.device_id)).device,
      metrics: JSON.parse(String(row.metrics)) as readonly BornMetric[],
    };
  }

  putGateway(row: GatewayRow): void {
    this.#db.transaction(() => {
      this.#db.run(
        `INSERT INTO gateway_state (gateway_id, epoch, online, bd_seq, last_seen_ms, born_at_ms, pending,
           oldest_pending_ms, clock_offset_ms, software, duplicates, received)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (gateway_id) DO UPDATE SET epoch = excluded.epoch, online = excluded.online,
           bd_seq = excluded.bd_seq, last_seen_ms = excluded.last_seen_ms, born_at_ms = excluded.born_at_ms,
           pending = excluded.pending, oldest_pending_ms = excluded.oldest_pending_ms,
           clock_offset_ms = excluded.clock_offset_ms, software = excluded.software,
           duplicates = excluded.duplicates, received = excluded.received`,
        this.#keys.names.gateways.intern(row.gateway),
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
    return this.#db.all("SELECT * FROM gateway_state ORDER BY gateway_id").map((row) => ({
      gateway: this.#keys.names.gateways.value(Number(row.gateway_id)),
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

  putPresence({ gateway, at_ms, state }: Presence): void {
    this.#db.transaction(() => {
      const gatewayId = this.#keys.names.gateways.intern(gateway);
      this.#db.run("INSERT INTO presence (gateway_id, at_ms, state) VALUES (?, ?, ?)", gatewayId, at_ms, state);
      this.#db.run(
        `DELETE FROM presence WHERE gateway_id = ?1 AND id <=
           (SELECT id FROM presence WHERE gateway_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
        gatewayId,
        PRESENCE_MAX,
      );
    });
  }

  presence(gateway: GatewayKey, from_ms: EpochMs, to_ms: EpochMs): readonly Presence[] {
    const gatewayId = this.#keys.names.gateways.find(gateway);
    if (gatewayId === null) return [];
    // The state the period begins with is the last change before it.
    return this.#db
      .all(
        `SELECT at_ms, state FROM presence WHERE gateway_id = ?1 AND at_ms < ?3 AND at_ms >=
           coalesce((SELECT max(at_ms) FROM presence WHERE gateway_id = ?1 AND at_ms <= ?2), ?2) ORDER BY at_ms, id`,
        gatewayId,
        from_ms,
        to_ms,
      )
      .map((row) => ({ gateway, at_ms: Number(row.at_ms), state: row.state as Presence["state"] }));
  }

  meters(): readonly MeterRow[] {
    return this.#db.all("SELECT * FROM meter ORDER BY device_id").map((row) => this.#meter(row));
  }

  #meter(row: Row): MeterRow {
    const { gatewayId, device } = this.#keys.names.devices.value(Number(row.device_id));
    const { name_vi, name_en } = row;
    return {
      gateway: this.#keys.names.gateways.value(gatewayId),
      device,
      model: String(row.model),
      modelVersion: String(row.model_version),
      carrier: row.carrier as MeterRow["carrier"],
      role: row.role as MeterRow["role"],
      parent: row.parent as string | null,
      interval_ms: Number(row.interval_ms),
      time_zone: String(row.time_zone),
      name: name_vi === null ? null : { vi: String(name_vi), en: String(name_en) },
      accuracy:
        row.meter_pct === null
          ? null
          : {
              meter_pct: Number(row.meter_pct),
              ct_pct: row.ct_pct as number | null,
              vt_pct: row.vt_pct as number | null,
            },
      supplier: row.supplier as string | null,
    };
  }

  #putMeter(meter: MeterRow): void {
    this.#db.run(
      `INSERT INTO meter (device_id, model, model_version, carrier, role, parent, interval_ms, time_zone, name_vi, name_en,
         meter_pct, ct_pct, vt_pct, supplier)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (device_id) DO UPDATE SET model = excluded.model, model_version = excluded.model_version,
         carrier = excluded.carrier, role = excluded.role, parent = excluded.parent, interval_ms = excluded.interval_ms,
         time_zone = excluded.time_zone, name_vi = excluded.name_vi, name_en = excluded.name_en,
         meter_pct = excluded.meter_pct, ct_pct = excluded.ct_pct, vt_pct = excluded.vt_pct, supplier = excluded.supplier`,
      this.#keys.deviceId(meter.gateway, meter.device),
      meter.model,
      meter.modelVersion,
      meter.carrier,
      meter.role,
      meter.parent,
      meter.interval_ms,
      meter.time_zone,
      meter.name?.vi ?? null,
      meter.name?.en ?? null,
      meter.accuracy?.meter_pct ?? null,
      meter.accuracy?.ct_pct ?? null,
      meter.accuracy?.vt_pct ?? null,
      meter.supplier,
    );
  }
}

/** The same content gives the same text, whatever the order of its properties. */
function canonicalMetric(metric: BornMetric): BornMetric {
  const properties = Object.fromEntries(Object.entries(metric.properties).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { name: metric.name, alias: metric.alias, datatype: metric.datatype, properties };
}
