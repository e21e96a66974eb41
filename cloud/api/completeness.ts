import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Bucket } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { meterLedger } from "../ledger/gather.ts";
import { type LedgerLine, ledgerTotals } from "../ledger/ledger.ts";
import type { CauseCount } from "../store/store.ts";
import { type CatalogMeter, mainQuantity } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { type EnergyIndex, energyTally, expectations, indexEnergy } from "./energy.ts";
import { bucketTimes, checkSize, PeriodQuery, periodHead, periodOf, placeOf } from "./query.ts";
import { Completeness } from "./schemas.ts";
import { type Expectation, measureOf, sumTallies } from "./tally.ts";

type MeterCompleteness = Completeness["meters"][number];

/** Intervals of all meters that an answer looks at one by one; of more it says only what the sums say. */
const LEDGER_LINES_MAX = 60_000;

/** One meter: what of its main counter should be here, what is, and why not the rest. */
export function meterCompleteness(
  meter: CatalogMeter,
  index: EnergyIndex,
  causes: readonly CauseCount[],
  expected: Expectation,
  buckets: readonly Bucket[],
  times: readonly { readonly from: string; readonly to: string }[],
  lines: readonly LedgerLine[] | null,
): MeterCompleteness {
  const quantity = mainQuantity(meter);
  const own = causes.filter((one) => one.gateway.edge === meter.key.edge && one.device === meter.key.device);
  const tallies = buckets.map((bucket, at) => energyTally(index, meter, quantity, at, bucket, expected));
  return {
    meter: meter.id,
    name: meter.name,
    site: meter.site,
    carrier: meter.row.carrier,
    quantity,
    coverage_pct: measureOf(sumTallies(tallies), "1").coverage_pct,
    points: tallies.map((tally, at) => {
      const rows = index.get(`${meter.id} ${quantity}`)?.get(at) ?? [];
      const total = (pick: (row: (typeof rows)[number]) => number): number =>
        rows.reduce((sum, row) => sum + pick(row), 0);
      const held = total((row) => row.rows);
      const intervals = Math.round(tally.elapsed_ms / meter.row.interval_ms);
      const counts = own
        .filter((one) => one.bucket === at)
        .map((one) => [one.cause ?? "unknown", one.intervals] as const);
      const absent = Math.max(0, intervals - held);
      return {
        ...times[at]!,
        coverage_pct: measureOf(tally, "1").coverage_pct,
        expected: intervals,
        held,
        incomplete: total((row) => row.incomplete),
        unknown: total((row) => row.unknown),
        disagreed: total((row) => row.disagreed),
        causes: Object.fromEntries(absent === 0 ? counts : [...counts, ["not-received", absent]]),
        delivery: lines === null ? null : deliveryOf(lines, buckets[at]!),
      };
    }),
  };
}

/** What the ledger says of the intervals that begin in the bucket. */
function deliveryOf(
  lines: readonly LedgerLine[],
  { from_ms, to_ms }: Bucket,
): MeterCompleteness["points"][number]["delivery"] {
  const { polls, holes, redated, surplus } = ledgerTotals(
    lines.filter((line) => line.from_ms >= from_ms && line.from_ms < to_ms),
  );
  return { ...polls, surplus, redated, holes: holes.map((hole) => ({ ...hole })) };
}

/** Null for meters that would take the answer beyond {@link LEDGER_LINES_MAX}. */
function ledgerOf(
  deps: ApiDeps,
  meter: CatalogMeter,
  { from_ms, to_ms }: { readonly from_ms: EpochMs; readonly to_ms: EpochMs },
  { until_ms, interval_ms }: Expectation,
  meters: number,
): readonly LedgerLine[] | null {
  if (((to_ms - from_ms) / interval_ms) * meters > LEDGER_LINES_MAX) return null;
  const { key, row } = meter;
  const { time_zone } = row;
  const asked = { gateway: key, device: key.device, quantity: mainQuantity(meter), interval_ms, time_zone };
  return meterLedger(deps.store, asked, from_ms, Math.min(to_ms, until_ms), deps.live.isOnline(key));
}

export function completenessRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/completeness",
    {
      schema: {
        tags: ["figures"],
        summary: "What is measured and what is missing, per meter and step, and why",
        querystring: PeriodQuery,
        response: { 200: Completeness },
      },
    },
    async ({ query }) => {
      const place = placeOf(deps, query);
      const period = periodOf(deps.zone.time_zone, query);
      const { meters } = place;
      checkSize(period, meters.length);
      const keys = meters.map((meter) => meter.key);
      const quantities = [...new Set(meters.map(mainQuantity))];
      const index = indexEnergy(deps.store.sumEnergy(keys, period.buckets, quantities));
      const causes = deps.store.countCauses(keys, period.buckets, quantities);
      const expected = expectations(deps, meters);
      const times = bucketTimes(period, deps.zone.time_zone);
      return {
        ...periodHead(deps, place, period),
        meters: meters.map((meter) => {
          const quantity = mainQuantity(meter);
          const own = causes.filter((one) => one.quantity === quantity);
          const expectation = expected.get(meter.id)!;
          const lines = ledgerOf(deps, meter, period, expectation, meters.length);
          return meterCompleteness(meter, index, own, expectation, period.buckets, times, lines);
        }),
      };
    },
  );
}
