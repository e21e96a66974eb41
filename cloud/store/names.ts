import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { Emission } from "../../core/emission/emission.ts";
import type { GasId } from "../../core/emission/factor.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { UnitNotation } from "../../core/units/units.ts";
import type { GatewayKey } from "./store.ts";

/** Ids by the columns of their names, one level a column: a key joined of them would be a new string at every look. */
type Ids = Map<SQLInputValue, Ids | number>;

/** One table of names: rows are interned once and kept in memory both ways. */
class NameTable<T> {
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #names: readonly string[];
  readonly #columns: (value: T) => readonly SQLInputValue[];
  readonly #parse: (row: Record<string, unknown>) => T;
  readonly #ids: Ids = new Map();
  readonly #values = new Map<number, T>();

  constructor(
    db: DatabaseSync,
    table: string,
    columns: readonly string[],
    toColumns: (value: T) => readonly SQLInputValue[],
    parse: (row: Record<string, unknown>) => T,
  ) {
    const marks = columns.map(() => "?").join(", ");
    this.#insert = db.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${marks})`);
    this.#select = db.prepare(`SELECT id, ${columns.join(", ")} FROM ${table} ORDER BY id`);
    this.#names = columns;
    this.#columns = toColumns;
    this.#parse = parse;
    this.load();
  }

  load(): void {
    this.#ids.clear();
    this.#values.clear();
    for (const row of this.#select.all()) this.#remember(Number(row.id), this.#parse(row));
  }

  find(value: T): number | null {
    let found: Ids | number | undefined = this.#ids;
    for (const column of this.#columns(value)) {
      if (!(found instanceof Map)) return null;
      found = found.get(column);
    }
    return typeof found === "number" ? found : null;
  }

  /** Id of the name, given to it now if it is new: call it inside a transaction or let it be one of its own. */
  intern(value: T): number {
    const known = this.find(value);
    if (known !== null) return known;
    const columns = this.#columns(value);
    const id = Number(this.#insert.run(...columns).lastInsertRowid);
    // The caller's object may hold more than the name: keep what the row holds.
    this.#remember(id, this.#parse(Object.fromEntries(this.#names.map((name, at) => [name, columns[at]]))));
    return id;
  }

  value(id: number): T {
    const value = this.#values.get(id);
    if (value === undefined) throw new RangeError(`the store has no name ${id}`);
    return value;
  }

  get size(): number {
    return this.#values.size;
  }

  entries(): Iterable<[number, T]> {
    return this.#values;
  }

  #remember(id: number, value: T): void {
    const columns = this.#columns(value);
    let level = this.#ids;
    for (const column of columns.slice(0, -1)) {
      const known = level.get(column);
      const next: Ids = known instanceof Map ? known : new Map();
      level.set(column, next);
      level = next;
    }
    level.set(columns.at(-1)!, id);
    this.#values.set(id, value);
  }
}

export interface EpochName {
  readonly gatewayId: number;
  readonly epoch: string;
}
export interface DeviceName {
  readonly gatewayId: number;
  readonly device: string;
}
export interface SeriesName {
  readonly deviceId: number;
  readonly quantity: QuantityId;
}
export interface PlainMetricName {
  readonly deviceId: number;
  readonly metric: string;
}
export interface EmissionSeriesName {
  readonly deviceId: number;
  readonly gas: GasId;
}
export type EmissionSource = Pick<
  Emission,
  "carrier" | "scope" | "factorId" | "factorVersion" | "match" | "ncv_MJ_per_Nm3"
>;

/** The names of the zone: hundreds of gateways, thousands of series. All of them fit in memory. */
export interface Names {
  readonly gateways: NameTable<GatewayKey>;
  readonly epochs: NameTable<EpochName>;
  readonly devices: NameTable<DeviceName>;
  readonly series: NameTable<SeriesName>;
  readonly ticks: NameTable<Interval["tick"]>;
  readonly emissionSeries: NameTable<EmissionSeriesName>;
  readonly emissionSources: NameTable<EmissionSource>;
  readonly plainMetrics: NameTable<PlainMetricName>;
}

export function openNames(db: DatabaseSync): Names {
  return {
    gateways: new NameTable<GatewayKey>(
      db,
      "gateway",
      ["zone", "edge"],
      (key) => [key.group, key.edge],
      (row) => ({ group: String(row.zone), edge: String(row.edge) }),
    ),
    epochs: new NameTable<EpochName>(
      db,
      "epoch",
      ["gateway_id", "epoch"],
      (name) => [name.gatewayId, name.epoch],
      (row) => ({ gatewayId: Number(row.gateway_id), epoch: String(row.epoch) }),
    ),
    devices: new NameTable<DeviceName>(
      db,
      "device",
      ["gateway_id", "device"],
      (name) => [name.gatewayId, name.device],
      (row) => ({ gatewayId: Number(row.gateway_id), device: String(row.device) }),
    ),
    series: new NameTable<SeriesName>(
      db,
      "series",
      ["device_id", "quantity"],
      (name) => [name.deviceId, name.quantity],
      (row) => ({ deviceId: Number(row.device_id), quantity: row.quantity as QuantityId }),
    ),
    ticks: new NameTable<Interval["tick"]>(
      db,
      "tick",
      ["amount", "unit"],
      (tick) => [tick.amount, tick.unit],
      (row) => ({ amount: String(row.amount), unit: row.unit as UnitNotation }),
    ),
    plainMetrics: new NameTable<PlainMetricName>(
      db,
      "plain_metric",
      ["device_id", "metric"],
      (name) => [name.deviceId, name.metric],
      (row) => ({ deviceId: Number(row.device_id), metric: String(row.metric) }),
    ),
    emissionSeries: new NameTable<EmissionSeriesName>(
      db,
      "emission_series",
      ["device_id", "gas"],
      (name) => [name.deviceId, name.gas],
      (row) => ({ deviceId: Number(row.device_id), gas: row.gas as GasId }),
    ),
    emissionSources: new NameTable<EmissionSource>(
      db,
      "emission_source",
      ["carrier", "scope", "factor_id", "factor_version", "match", "ncv"],
      (source) => [
        source.carrier,
        source.scope,
        source.factorId,
        source.factorVersion,
        source.match,
        source.ncv_MJ_per_Nm3 ?? "",
      ],
      (row) => ({
        carrier: row.carrier as EmissionSource["carrier"],
        scope: Number(row.scope) as 1 | 2,
        factorId: String(row.factor_id),
        factorVersion: String(row.factor_version),
        match: row.match as EmissionSource["match"],
        ncv_MJ_per_Nm3: row.ncv === "" ? null : String(row.ncv),
      }),
    ),
  };
}

/** After a rollback the memory holds names that the file does not: read them again. */
export function reloadNames(names: Names): void {
  for (const table of Object.values(names) as readonly { load(): void }[]) table.load();
}
