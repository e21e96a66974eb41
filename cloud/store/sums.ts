import type { DatabaseSync } from "node:sqlite";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { Names } from "./names.ts";
import type { BucketBounds, CauseCount, EmissionSum, EnergySum, GatewayKey } from "./store.ts";

/**
 * Sums of the books, cut into buckets by the database.
 *
 * The wanted series and the buckets stand in two temporary tables with integer keys: then SQLite walks series → bucket →
 * rows in the order of the groups and needs no sorting. Rows of one group that differ in tick (or in factor) are rare;
 * only such a group is asked again, divided by it.
 */
export interface Sums {
  energy(
    meters: readonly (GatewayKey & { device: string })[],
    buckets: readonly BucketBounds[],
    quantities?: readonly QuantityId[],
  ): readonly EnergySum[];
  causes(
    meters: readonly (GatewayKey & { device: string })[],
    buckets: readonly BucketBounds[],
    quantities?: readonly QuantityId[],
  ): readonly CauseCount[];
  emissions(
    meters: readonly (GatewayKey & { device: string })[],
    buckets: readonly BucketBounds[],
    knownAt_ms?: EpochMs,
  ): readonly EmissionSum[];
}

type Row = readonly bigint[];

const ENERGY_COLUMNS = "min(i.tick_id), max(i.tick_id), sum(i.ticks), sum(i.length_ms), count(*), sum(i.odd)";
const ODD_COLUMNS = `
  sum(i.ticks) FILTER (WHERE i.flag IN ('S', 'E')), CAST(round(sum((1 - i.coverage) * i.length_ms)) AS INTEGER),
  count(*) FILTER (WHERE i.flag = 'X'), count(*) FILTER (WHERE i.ticks IS NULL),
  count(*) FILTER (WHERE i.verification = 2)`;

const EMISSION_COLUMNS = "min(e.source_id), max(e.source_id), sum(e.mg), count(*)";
const NOW_IN_FORCE = "e.superseded_by IS NULL";
const THEN_IN_FORCE = "e.known_from_ms <= ?1 AND (e.superseded_ms IS NULL OR e.superseded_ms > ?1)";

export function openSums(db: DatabaseSync, names: Names): Sums {
  db.exec(`
    CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY) STRICT;
    CREATE TEMP TABLE bucket (id INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL) STRICT;
  `);
  const putWanted = db.prepare("INSERT INTO wanted SELECT value FROM json_each(?)");
  const putBuckets = db.prepare("INSERT INTO bucket SELECT key, value ->> 0, value ->> 1 FROM json_each(?)");
  const prepare = (sql: string) => {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return (...values: readonly (number | bigint)[]) => statement.all(...values) as unknown as readonly Row[];
  };

  const inBuckets = (columns: string, table: string, condition: string) =>
    prepare(
      `
      SELECT w.id, b.id, ${columns}
      FROM wanted w CROSS JOIN bucket b CROSS JOIN ${table}
      WHERE series_id = w.id AND row.from_ms >= b.from_ms AND row.from_ms < b.to_ms AND ${condition}
      GROUP BY w.id, b.id`.replaceAll("row.", table.endsWith(" i") ? "i." : "e."),
    );
  const energyInBuckets = inBuckets(ENERGY_COLUMNS, "book_interval i", "true");
  const oddInBuckets = inBuckets(ODD_COLUMNS, "book_interval i", "i.odd = 1");
  const emissionsNow = inBuckets(EMISSION_COLUMNS, "book_emission e", NOW_IN_FORCE);
  const emissionsThen = inBuckets(EMISSION_COLUMNS, "book_emission e", THEN_IN_FORCE);

  const energyByTick = prepare(`
    SELECT ${ENERGY_COLUMNS}, ${ODD_COLUMNS} FROM book_interval i
    WHERE i.series_id = ? AND i.from_ms >= ? AND i.from_ms < ? GROUP BY i.tick_id`);
  const bySource = (condition: string) =>
    prepare(`
      SELECT ${EMISSION_COLUMNS} FROM book_emission e
      WHERE ${condition} AND e.series_id = ?2 AND e.from_ms >= ?3 AND e.from_ms < ?4 GROUP BY e.source_id`);
  const emissionsBySourceNow = bySource(`${NOW_IN_FORCE} AND ?1 IS NOT NULL`);
  const emissionsBySourceThen = bySource(THEN_IN_FORCE);

  const causesInBuckets = db.prepare(`
    SELECT w.id AS series, b.id AS bucket, i.cause, count(*) AS intervals
    FROM wanted w CROSS JOIN bucket b CROSS JOIN book_interval i
    WHERE i.series_id = w.id AND i.from_ms >= b.from_ms AND i.from_ms < b.to_ms AND i.odd = 1
    GROUP BY w.id, b.id, i.cause`);

  const setQuestion = (series: readonly number[], buckets: readonly BucketBounds[]): void => {
    db.exec("DELETE FROM wanted; DELETE FROM bucket");
    putWanted.run(JSON.stringify(series));
    putBuckets.run(JSON.stringify(buckets.map((bucket) => [bucket.from_ms, bucket.to_ms])));
  };

  /** Rows of the query, groups of mixed tick or factor replaced by their parts. The first two columns are series, bucket. */
  const grouped = (
    series: readonly number[],
    buckets: readonly BucketBounds[],
    query: () => readonly Row[],
    parts: (series: bigint, bucket: BucketBounds) => readonly Row[],
  ): readonly Row[] => {
    if (series.length === 0 || buckets.length === 0) return [];
    setQuestion(series, buckets);
    return query().flatMap((row) => {
      const [id, bucket, lowest, highest] = row as readonly [bigint, bigint, bigint, bigint];
      if (lowest === highest) return [row];
      return parts(id, buckets[Number(bucket)]!).map((part) => [id, bucket, ...part]);
    });
  };

  const deviceIds = (meters: readonly (GatewayKey & { device: string })[]): ReadonlySet<number> => {
    const ids = new Set<number>();
    for (const meter of meters) {
      const gatewayId = names.gateways.find(meter);
      const id = gatewayId === null ? null : names.devices.find({ gatewayId, device: meter.device });
      if (id !== null) ids.add(id);
    }
    return ids;
  };

  const seriesOf = (
    meters: readonly (GatewayKey & { device: string })[],
    quantities: readonly QuantityId[] | undefined,
  ): readonly number[] => {
    const devices = deviceIds(meters);
    const series: number[] = [];
    for (const [id, name] of names.series.entries()) {
      if (devices.has(name.deviceId) && (quantities?.includes(name.quantity) ?? true)) series.push(id);
    }
    return series;
  };

  return {
    causes(meters, buckets, quantities) {
      setQuestion(seriesOf(meters, quantities), buckets);
      return causesInBuckets.all().map((row): CauseCount => {
        const { deviceId, quantity } = names.series.value(Number(row.series));
        const { gatewayId, device } = names.devices.value(deviceId);
        return {
          gateway: names.gateways.value(gatewayId),
          device,
          quantity,
          bucket: Number(row.bucket),
          cause: row.cause as CauseCount["cause"],
          intervals: Number(row.intervals),
        };
      });
    },

    energy(meters, buckets, quantities) {
      const series = seriesOf(meters, quantities);
      const rows = grouped(
        series,
        buckets,
        () => withOdd(energyInBuckets(), oddInBuckets()),
        (id, bucket) => energyByTick(id, bucket.from_ms, bucket.to_ms),
      );
      return rows.map((row) => energySum(names, row));
    },

    emissions(meters, buckets, knownAt_ms) {
      const devices = deviceIds(meters);
      const series: number[] = [];
      for (const [id, name] of names.emissionSeries.entries()) if (devices.has(name.deviceId)) series.push(id);
      const rows = grouped(
        series,
        buckets,
        () => (knownAt_ms === undefined ? emissionsNow() : emissionsThen(knownAt_ms)),
        (id, { from_ms, to_ms }) =>
          knownAt_ms === undefined
            ? emissionsBySourceNow(0, id, from_ms, to_ms)
            : emissionsBySourceThen(knownAt_ms, id, from_ms, to_ms),
      );
      return rows.map((row) => emissionSum(names, row));
    },
  };
}

const NOTHING_ODD: Row = [0n, 0n, 0n, 0n, 0n];

/** Both lists ascend by series and bucket; the second holds only groups that the first holds too. */
function withOdd(all: readonly Row[], odd: readonly Row[]): readonly Row[] {
  let next = 0;
  return all.map((row) => {
    const candidate = odd[next];
    if (candidate === undefined || candidate[0] !== row[0] || candidate[1] !== row[1]) return [...row, ...NOTHING_ODD];
    next += 1;
    return [...row, ...candidate.slice(2)];
  });
}

function energySum(names: Names, row: Row): EnergySum {
  const [series, bucket, tick, , ticks, length_ms, rows, , estimated, uncovered_ms, incomplete, unknown, disagreed] =
    row;
  const { deviceId, quantity } = names.series.value(Number(series));
  const { gatewayId, device } = names.devices.value(deviceId);
  return {
    gateway: names.gateways.value(gatewayId),
    device,
    quantity,
    bucket: Number(bucket),
    tick: names.ticks.value(Number(tick)),
    // SQL's sum over no numbers is null.
    ticks: ticks ?? 0n,
    estimatedTicks: estimated ?? 0n,
    rows_ms: Number(length_ms),
    covered_ms: Number(length_ms) - Number(uncovered_ms),
    rows: Number(rows),
    incomplete: Number(incomplete),
    unknown: Number(unknown),
    disagreed: Number(disagreed),
  };
}

function emissionSum(names: Names, row: Row): EmissionSum {
  const [series, bucket, source, , mg, entries] = row;
  const { deviceId, gas } = names.emissionSeries.value(Number(series));
  const { gatewayId, device } = names.devices.value(deviceId);
  const { carrier, scope, factorId, factorVersion, match } = names.emissionSources.value(Number(source));
  return {
    gateway: names.gateways.value(gatewayId),
    device,
    carrier,
    scope,
    gas,
    factorId,
    factorVersion,
    match,
    bucket: Number(bucket),
    mg: mg ?? 0n,
    entries: Number(entries),
  };
}
