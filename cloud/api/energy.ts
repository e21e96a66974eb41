import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { CARRIERS, type CarrierId } from "../../core/emission/carriers.ts";
import { add, type Decimal, integer, multiply, parseDecimal, toNumber } from "../../core/emission/decimal.ts";
import { type Bucket, zoneOffset_ms } from "../../core/interval/calendar.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import { UNITS, type UnitNotation } from "../../core/units/units.ts";
import type { EnergySum, ZoneStore } from "../store/store.ts";
import { type CatalogMeter, isBoundaryImport, mainQuantity } from "./catalogue.ts";
import type { ApiDeps, SiteInfo } from "./deps.ts";
import { bucketTimes, checkSize, type Period, PeriodQuery, periodHead, periodOf, placeOf } from "./query.ts";
import { Energy } from "./schemas.ts";
import { type Expectation, elapsed_ms, expectation, measureOf, NOTHING, sumTallies, type Tally } from "./tally.ts";
import { energyUncertainty } from "./uncertainty.ts";

type EnergyGroup = Energy["groups"][number];

/** One line of the answer: which counters add up to it. */
export interface EnergyStream extends Pick<EnergyGroup, "key" | "name" | "colour" | "direction" | "meter"> {
  readonly carrier: CarrierId;
  readonly quantity: QuantityId;
  readonly meters: readonly CatalogMeter[];
}

export const ENERGY_BY = ["carrier", "meter", "site"] as const;

/**
 * The lines of each way to divide. Sub-meters show as meters only: what they count is in their parent already. Export is
 * a line of its own and is never taken off the import.
 */
export function energyStreams(
  by: (typeof ENERGY_BY)[number],
  meters: readonly CatalogMeter[],
  sites: readonly SiteInfo[],
): readonly EnergyStream[] {
  if (by === "meter") return meters.map(meterStream);
  const imports = meters.filter(isBoundaryImport);
  const electricity = imports.filter((meter) => meter.row.carrier === "electricity");
  if (by === "site") {
    return sites.map((site) => ({
      ...carrierStream(
        "electricity",
        "import",
        electricity.filter((meter) => meter.site === site.id),
      ),
      key: site.id,
      name: site.name,
    }));
  }
  const generating = meters.filter((meter) => meter.row.role === "generation");
  const streams = carriersOf(imports).map((carrier) =>
    carrierStream(
      carrier,
      "import",
      imports.filter((meter) => meter.row.carrier === carrier),
    ),
  );
  if (electricity.length > 0) streams.push(exportStream(electricity));
  for (const carrier of carriersOf(generating)) {
    const own = generating.filter((meter) => meter.row.carrier === carrier);
    streams.push(carrierStream(carrier, "generation", own));
  }
  return streams;
}

function carriersOf(meters: readonly CatalogMeter[]): readonly CarrierId[] {
  return [...new Set(meters.map((meter) => meter.row.carrier))];
}

function carrierStream(
  carrier: CarrierId,
  direction: EnergyStream["direction"],
  meters: readonly CatalogMeter[],
): EnergyStream {
  const { display, colour, counters } = CARRIERS[carrier];
  return {
    key: direction === "generation" && carrier === "electricity" ? "electricity-generation" : carrier,
    name: display,
    colour,
    carrier,
    direction,
    meter: null,
    quantity: counters[0]!,
    meters,
  };
}

function exportStream(meters: readonly CatalogMeter[]): EnergyStream {
  return {
    ...carrierStream("electricity", "export", meters),
    key: "electricity-export",
    name: { vi: "Điện phát lên lưới", en: "Electricity fed into the grid" },
    quantity: "active_energy_export_total",
  };
}

function meterStream(meter: CatalogMeter): EnergyStream {
  const direction = meter.row.role === "use" ? "use" : meter.row.role;
  return {
    ...carrierStream(meter.row.carrier, direction, [meter]),
    key: meter.id,
    name: meter.name,
    meter: meter.id,
    quantity: mainQuantity(meter),
  };
}

/** Exact: what one of the first unit is in the second. */
const CONVERSIONS: Readonly<Record<string, string>> = {
  "Wh>kWh": "0.001",
  "MWh>kWh": "1000",
  "varh>kvarh": "0.001",
  "VAh>kVAh": "0.001",
  "L>m3": "0.001",
};

/** @throws {RangeError} for a tick that is no amount of the quantity's kind. */
export function amountIn(unit: UnitNotation, ticks: bigint, tick: EnergySum["tick"]): Decimal {
  const amount = multiply(integer(ticks), parseDecimal(tick.amount));
  if (tick.unit === unit) return amount;
  const factor = CONVERSIONS[`${tick.unit}>${unit}`];
  if (factor === undefined) throw new RangeError(`a tick in ${tick.unit} is no amount in ${unit}`);
  return multiply(amount, parseDecimal(factor));
}

/** Sums by meter and quantity, then by bucket. */
export type EnergyIndex = ReadonlyMap<string, ReadonlyMap<number, readonly EnergySum[]>>;

export function indexEnergy(sums: readonly EnergySum[]): EnergyIndex {
  const index = new Map<string, Map<number, EnergySum[]>>();
  for (const sum of sums) {
    const key = `${sum.gateway.edge}/${sum.device} ${sum.quantity}`;
    let buckets = index.get(key);
    if (buckets === undefined) index.set(key, (buckets = new Map()));
    const held = buckets.get(sum.bucket);
    if (held === undefined) buckets.set(sum.bucket, [sum]);
    else held.push(sum);
  }
  return index;
}

export function energyTally(
  index: EnergyIndex,
  meter: CatalogMeter,
  quantity: QuantityId,
  at: number,
  bucket: Bucket,
  expected: Expectation,
): Tally {
  const sums = index.get(`${meter.id} ${quantity}`)?.get(at) ?? [];
  const elapsed = elapsed_ms(expected, bucket);
  if (sums.length === 0) return elapsed === 0 ? NOTHING : { ...NOTHING, elapsed_ms: elapsed };
  const { unit } = QUANTITIES[quantity];
  return sumTallies(
    sums.map((sum, part) => ({
      amount: amountIn(unit, sum.ticks, sum.tick),
      estimated: estimatedOf(sum, unit),
      known: sum.rows - sum.unknown,
      rows_ms: sum.rows_ms,
      covered_ms: sum.covered_ms,
      // The bucket's time is counted once, however many ticks share it.
      elapsed_ms:
        part === sums.length - 1 ? elapsed - sums.slice(0, -1).reduce((ms, one) => ms + one.rows_ms, 0) : sum.rows_ms,
      isLacking: sum.incomplete > 0,
      isProvisional: false,
    })),
  );
}

function estimatedOf(sum: EnergySum, unit: UnitNotation): number {
  if (sum.estimatedTicks === 0n) return 0;
  const { digits, scale } = amountIn(unit, sum.estimatedTicks, sum.tick);
  return Number(digits) / 10 ** scale;
}

/** From when and until when each of these meters should have intervals. */
export function expectations(
  deps: Pick<ApiDeps, "zone" | "clock"> & { readonly store: Pick<ZoneStore, "intervalSpan"> },
  meters: readonly CatalogMeter[],
): ReadonlyMap<string, Expectation> {
  const now_ms = deps.clock.now_ms();
  return new Map(
    meters.map((meter) => {
      const { interval_ms, time_zone } = meter.row;
      const span = deps.store.intervalSpan(meter.key, meter.key.device);
      return [meter.id, expectation(now_ms, interval_ms, zoneOffset_ms(time_zone, now_ms), span)];
    }),
  );
}

/** The whole answer's groups. A meter that never counted export is no line of zeros: its export stream is left out. */
export function energyGroups(
  deps: Pick<ApiDeps, "store">,
  streams: readonly EnergyStream[],
  index: EnergyIndex,
  expected: ReadonlyMap<string, Expectation>,
  period: Pick<Period, "from_ms" | "to_ms" | "buckets">,
  times: readonly { readonly from: string; readonly to: string }[],
): readonly EnergyGroup[] {
  return streams
    .filter((stream) => stream.direction !== "export" || hasRows(stream, index))
    .map((stream) => {
      const { quantity, meters, ...head } = stream;
      const unit = UNITS[QUANTITIES[quantity].unit].ucum;
      const tallies = period.buckets.map((bucket, at) =>
        sumTallies(meters.map((meter) => energyTally(index, meter, quantity, at, bucket, expected.get(meter.id)!))),
      );
      const uncertainty = energyUncertainty(deps, partsOf(stream, index), unit, period);
      return {
        ...head,
        total: { ...measureOf(sumTallies(tallies), unit), uncertainty_pct: uncertainty.pct },
        uncertainty,
        points: tallies.map((tally, at) => ({ ...measureOf(tally, unit), ...times[at]! })),
      };
    });
}

/** What each meter of the line adds to it. */
function partsOf({ meters, quantity }: EnergyStream, index: EnergyIndex) {
  const { unit } = QUANTITIES[quantity];
  return meters.map((meter) => ({
    meter,
    amount: toNumber(
      [...(index.get(`${meter.id} ${quantity}`)?.values() ?? [])]
        .flat()
        .reduce((sum, { ticks, tick }) => add(sum, amountIn(unit, ticks, tick)), integer(0n)),
    ),
  }));
}

function hasRows(stream: EnergyStream, index: EnergyIndex): boolean {
  return stream.meters.some((meter) => index.has(`${meter.id} ${stream.quantity}`));
}

export function energyRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/energy",
    {
      schema: {
        tags: ["figures"],
        summary: "Energy and volumes of a site or the zone",
        description:
          "by=carrier: what came across the fences (import and export apart, never netted) and what was made on site; " +
          "by=meter: the main counter of every meter, sub-meters included; by=site: electricity drawn per site. " +
          "Meters of gateways that belong to no site are in no total.",
        querystring: PeriodQuery.extend({ by: z.enum(ENERGY_BY).default("carrier") }),
        response: { 200: Energy },
      },
    },
    async (request) => {
      const { query } = request;
      const place = placeOf(deps, query);
      const period = periodOf(deps.zone.time_zone, query);
      const streams = energyStreams(query.by, place.meters, place.sites);
      checkSize(period, streams.length);
      const meters = [...new Set(streams.flatMap((stream) => stream.meters))];
      const quantities = [...new Set(streams.map((stream) => stream.quantity))];
      const sums = deps.store.sumEnergy(
        meters.map((meter) => meter.key),
        period.buckets,
        quantities,
      );
      const times = bucketTimes(period, deps.zone.time_zone);
      const groups = energyGroups(deps, streams, indexEnergy(sums), expectations(deps, meters), period, times);
      return { ...periodHead(deps, place, period), by: query.by, groups: [...groups] };
    },
  );
}
