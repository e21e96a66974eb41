import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { type MarketPart, massesOf } from "../../core/accounting/marketBook.ts";
import { CARRIERS, type CarrierId } from "../../core/emission/carriers.ts";
import { type Decimal, toNumber } from "../../core/emission/decimal.ts";
import { co2e_mg } from "../../core/emission/emission.ts";
import { GASES, type GasId, type GwpSet } from "../../core/emission/factor.ts";
import { REVIEW_LIMITS, reviewPeriod } from "../../core/gap/review.ts";
import type { Bucket } from "../../core/interval/calendar.ts";
import { intervalStart } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { EmissionSum } from "../store/store.ts";
import { type CatalogMeter, emitting } from "./catalogue.ts";
import type { ApiDeps, SiteInfo } from "./deps.ts";
import { type EnergyIndex, energyTally, expectations, indexEnergy } from "./energy.ts";
import { factorsUsed } from "./factorUse.ts";
import { type Question, questionId } from "./figureId.ts";
import { type MarketBooks, readMarket } from "./market.ts";
import { marketUse } from "./marketUse.ts";
import { badRequest } from "./problem.ts";
import {
  bucketTimes,
  checkSize,
  instantOf,
  type Period,
  PeriodQuery,
  type Place,
  periodHead,
  periodOf,
  placeOf,
} from "./query.ts";
import { Emissions, type Measure, type Uncertainty } from "./schemas.ts";
import { type Expectation, measureOf, NOTHING, sumTallies, type Tally } from "./tally.ts";
import { emissionSources, emissionUncertainty, marketUncertainty } from "./uncertainty.ts";
import { countedOnce, zoneRollUp } from "./zoneRollUp.ts";

type EmissionGroup = Emissions["groups"][number];

export const EMISSIONS_BY = ["scope", "carrier", "site"] as const;
export type EmissionsBy = (typeof EMISSIONS_BY)[number];
export const CO2E_UNIT = "kg";

/** Part of the total: which meters it is made of. The meters of all parts are the emitting ones, each in one part. */
export interface EmissionPart extends Pick<EmissionGroup, "key" | "name" | "colour"> {
  readonly meters: readonly CatalogMeter[];
}

/** Meters whose intervals emit: at a site's boundary, of a carrier with a scope. */
export function emittingMeters(meters: readonly CatalogMeter[]): readonly CatalogMeter[] {
  return meters.filter((meter) => emitting(meter) !== null);
}

export function emissionParts(
  by: EmissionsBy,
  meters: readonly CatalogMeter[],
  sites: readonly SiteInfo[],
): readonly EmissionPart[] {
  if (by === "site") {
    return sites.map((site) => ({
      key: site.id,
      name: site.name,
      colour: null,
      meters: meters.filter((meter) => meter.site === site.id),
    }));
  }
  if (by === "scope") {
    return ([1, 2] as const)
      .map((scope) => ({
        key: `scope${scope}`,
        name: { vi: `Phạm vi ${scope}`, en: `Scope ${scope}` },
        colour: `scope-${scope}`,
        meters: meters.filter((meter) => CARRIERS[meter.row.carrier].scope === scope),
      }))
      .filter((part) => part.meters.length > 0);
  }
  const carriers = [...new Set(meters.map((meter) => meter.row.carrier))];
  return carriers.map((carrier: CarrierId) => ({
    key: carrier,
    name: CARRIERS[carrier].display,
    colour: CARRIERS[carrier].colour,
    meters: meters.filter((meter) => meter.row.carrier === carrier),
  }));
}

export type GasMasses = Readonly<Partial<Record<GasId, bigint>>>;

export function gasMasses(sums: readonly Pick<EmissionSum, "gas" | "mg">[]): GasMasses {
  const masses: Partial<Record<GasId, bigint>> = {};
  for (const { gas, mg } of sums) masses[gas] = (masses[gas] ?? 0n) + mg;
  return masses;
}

export function addMasses(all: readonly GasMasses[]): GasMasses {
  return gasMasses(
    all.flatMap((masses) => GASES.flatMap((gas) => (masses[gas] === undefined ? [] : [{ gas, mg: masses[gas] }]))),
  );
}

/** kg CO2e, exact. */
export function co2e_kg(masses: GasMasses, gwp: GwpSet): Decimal {
  const { digits, scale } = co2e_mg(masses, gwp);
  return { digits, scale: scale + 6 };
}

/** Sums by meter, then by bucket. */
export type EmissionIndex = ReadonlyMap<string, ReadonlyMap<number, readonly EmissionSum[]>>;

export function indexEmissions(sums: readonly EmissionSum[]): EmissionIndex {
  const index = new Map<string, Map<number, EmissionSum[]>>();
  for (const sum of sums) {
    const key = `${sum.gateway.edge}/${sum.device}`;
    let buckets = index.get(key);
    if (buckets === undefined) index.set(key, (buckets = new Map()));
    const held = buckets.get(sum.bucket);
    if (held === undefined) buckets.set(sum.bucket, [sum]);
    else held.push(sum);
  }
  return index;
}

/** What the emission figures of a question are counted from. */
export interface EmissionBooks {
  readonly emissions: EmissionIndex;
  readonly energy: EnergyIndex;
  readonly expected: ReadonlyMap<string, Expectation>;
  readonly gwp: GwpSet;
  /** null = location-based. */
  readonly market: MarketBooks | null;
}

/** What the meter's electricity of the bucket is made of; null where the entries of the books stand. */
export function marketParts(books: EmissionBooks, meter: CatalogMeter, at: number): readonly MarketPart[] | null {
  return books.market?.parts(meter.id, at) ?? null;
}

/** Gases of one meter in one bucket, by the basis of the books. */
export function massesIn(books: EmissionBooks, meter: CatalogMeter, at: number): GasMasses {
  const parts = marketParts(books, meter, at);
  return parts === null ? gasMasses(books.emissions.get(meter.id)?.get(at) ?? []) : massesOf(parts);
}

/** One meter in one bucket. Time and holes are those of its intervals; an interval without an entry is a hole as well. */
export function emissionTally(books: EmissionBooks, meter: CatalogMeter, at: number, bucket: Bucket): Tally {
  const quantity = emitting(meter);
  if (quantity === null) return NOTHING;
  const activity = energyTally(books.energy, meter, quantity, at, bucket, books.expected.get(meter.id)!);
  const sums = books.emissions.get(meter.id)?.get(at) ?? [];
  const parts = marketParts(books, meter, at);
  const amount = co2e_kg(parts === null ? gasMasses(sums) : massesOf(parts), books.gwp);
  const booked = entriesOf(sums);
  const isCovered = parts?.every(({ source }) => source.kind !== "grid average") ?? false;
  return {
    ...activity,
    amount,
    estimated: activity.estimated === 0 ? 0 : (toNumber(amount) * activity.estimated) / toNumber(activity.amount),
    // Certificates sold are known without a reading.
    known: booked === 0 && parts?.some(({ isSold }) => isSold) ? 1 : booked,
    covered_ms: activity.known === 0 ? 0 : Math.floor(activity.covered_ms * Math.min(1, booked / activity.known)),
    isLacking: activity.isLacking || booked < activity.known,
    isProvisional: !isCovered && sums.some((sum) => sum.match === "provisional"),
  };
}

/** Each meter's tallies, by bucket. */
export type MeterTallies = ReadonlyMap<CatalogMeter, readonly Tally[]>;

function meterTallies(books: EmissionBooks, meters: readonly CatalogMeter[], buckets: readonly Bucket[]): MeterTallies {
  return new Map(meters.map((meter) => [meter, buckets.map((bucket, at) => emissionTally(books, meter, at, bucket))]));
}

/** Gases of these meters in the whole period, by the basis of the books. */
function massesOfAll(
  { market }: EmissionBooks,
  sums: readonly EmissionSum[],
  meters: readonly CatalogMeter[],
): GasMasses {
  const ids = new Set(meters.map(({ id }) => id));
  const matched = new Map(meters.map(({ id }) => [id, market?.partsOfAll(id) ?? null]));
  const booked = sums.filter(({ gateway, device }) => {
    const id = `${gateway.edge}/${device}`;
    return ids.has(id) && (matched.get(id) ?? null) === null;
  });
  return addMasses([
    gasMasses(booked),
    ...[...matched.values()].flatMap((parts) => (parts === null ? [] : [massesOf(parts)])),
  ]);
}

/** Intervals that have entries: every factor gives one entry a gas, so it is the gas with the most. */
export function entriesOf(sums: readonly Pick<EmissionSum, "gas" | "entries">[]): number {
  const byGas = new Map<string, number>();
  for (const { gas, entries } of sums) byGas.set(gas, (byGas.get(gas) ?? 0) + entries);
  return Math.max(0, ...byGas.values());
}

/** Reads the books of these meters in these buckets. */
export function readBooks(
  deps: ApiDeps,
  meters: readonly CatalogMeter[],
  buckets: readonly Bucket[],
  gwp: GwpSet,
  knownAt_ms: EpochMs | null,
): EmissionBooks & { readonly sums: readonly EmissionSum[] } {
  const keys = meters.map((meter) => meter.key);
  const quantities = [...new Set(meters.flatMap((meter) => emitting(meter) ?? []))];
  const sums = deps.store.sumEmissions(keys, buckets, knownAt_ms ?? undefined);
  const energy = deps.store.sumEnergy(keys, buckets, quantities);
  return {
    sums,
    emissions: indexEmissions(sums),
    energy: indexEnergy(energy),
    expected: expectations(deps, meters),
    gwp,
    market: null,
  };
}

export function tallyOf(books: EmissionBooks, meters: readonly CatalogMeter[], at: number, bucket: Bucket): Tally {
  return sumTallies(meters.map((meter) => emissionTally(books, meter, at, bucket)));
}

/** @throws {KhuXanhError} BAD_REQUEST if the set is not among the configured ones. */
export function gwpSetOf(deps: Pick<ApiDeps, "gwpSets">, id: GwpSet["id"]): GwpSet {
  const set = deps.gwpSets.find((one) => one.id === id);
  if (set === undefined) {
    const known = deps.gwpSets.map((one) => one.id).join(", ");
    throw badRequest(`gwp: the set ${id} is not configured here`, `Ask for one of ${known}.`);
  }
  return set;
}

/**
 * The period of the same length that ends where this one begins, cut to the part of it that has elapsed by now in this one;
 * null while nothing of this one has.
 */
export function previousPeriod(period: Bucket, elapsedUntil_ms: EpochMs): Bucket | null {
  const length_ms = period.to_ms - period.from_ms;
  const elapsed = Math.min(period.to_ms, elapsedUntil_ms) - period.from_ms;
  if (elapsed <= 0) return null;
  return { from_ms: period.from_ms - length_ms, to_ms: period.from_ms - length_ms + elapsed };
}

function previousOf(
  deps: ApiDeps,
  meters: readonly CatalogMeter[],
  period: Period,
  gwp: GwpSet,
  knownAt_ms: EpochMs | null,
  basis: Basis,
): Measure | null {
  const now_ms = intervalStart(deps.clock.now_ms(), meters[0]?.row.interval_ms ?? 900_000, deps.zone.time_zone);
  const bucket = previousPeriod(period, now_ms);
  if (bucket === null) return null;
  const location = readBooks(deps, meters, [bucket], gwp, knownAt_ms);
  const market = basis === "market" ? readMarket(deps, meters, [bucket], knownAt_ms) : null;
  const books = { ...location, market };
  const measure = measureOf(tallyOf(books, meters, 0, bucket), CO2E_UNIT);
  return measure.value === null ? null : measure;
}

export const BASES = ["location", "market"] as const;
export type Basis = (typeof BASES)[number];

export interface EmissionsQuestion {
  readonly place: Place;
  readonly period: Period;
  readonly by: EmissionsBy;
  readonly basis: Basis;
  readonly gwp: GwpSet;
  readonly knownAt_ms: EpochMs | null;
}

export function answerEmissions(deps: ApiDeps, question: EmissionsQuestion): Emissions {
  const { place, period, by, basis, gwp, knownAt_ms } = question;
  const all = emittingMeters(place.meters);
  const meters = countedMeters(deps, place, all);
  // What each site reports is its own; the zone's scopes and carriers leave out what it counts at the seller.
  const parts = emissionParts(by, by === "site" ? all : meters, place.sites);
  checkSize(period, parts.length);
  const location = readBooks(deps, all, period.buckets, gwp, knownAt_ms);
  const market = { ...location, market: readMarket(deps, all, period.buckets, knownAt_ms) };
  const [books, other] = basis === "location" ? [location, market] : [market, location];
  const times = bucketTimes(period, deps.zone.time_zone);
  const { from_ms, to_ms } = period;
  const idOf = (part: Question["part"]): string =>
    questionId({ site: place.site?.id ?? null, from_ms, to_ms, gwp: gwp.id, part, knownAt_ms, basis });

  const sources = emissionSources(deps, location, all, period);
  const uncertaintyOf = (of: readonly CatalogMeter[]): Uncertainty =>
    of.some((meter) => books.market !== null && isByContract(books.market.partsOfAll(meter.id) ?? []))
      ? marketUncertainty(CO2E_UNIT)
      : emissionUncertainty(deps, sources, of, CO2E_UNIT);

  const tallies = meterTallies(books, all, period.buckets);
  const groups = parts.map((part) => {
    const points = period.buckets.map((_, at) => sumTallies(part.meters.map((meter) => tallies.get(meter)![at]!)));
    const total = sumTallies(points);
    return {
      id: idOf({ by, key: part.key }),
      key: part.key,
      name: part.name,
      colour: part.colour,
      total: { ...measureOf(total, CO2E_UNIT), uncertainty_pct: uncertaintyOf(part.meters).pct },
      points: points.map((tally, at) => ({ ...measureOf(tally, CO2E_UNIT), ...times[at]! })),
    };
  });
  const totalBy = (of: MeterTallies): Measure =>
    measureOf(sumTallies(meters.map((meter) => sumTallies(of.get(meter)!))), CO2E_UNIT);
  const total = totalBy(tallies);
  // Without instruments both bases are one figure.
  const otherTotal = market.market === null ? total : totalBy(meterTallies(other, meters, period.buckets));
  const uncertainty = uncertaintyOf(meters);
  return {
    ...periodHead(deps, place, period),
    by,
    basis,
    gwp: gwp.id,
    total: { ...total, uncertainty_pct: uncertainty.pct, id: idOf(null) },
    uncertainty,
    bases: basis === "location" ? { location: total, market: otherTotal } : { location: otherTotal, market: total },
    market: marketUse(
      deps,
      market.market,
      place.sites.map(({ id }) => id),
      meters,
      period.buckets,
      knownAt_ms,
    ),
    roll_up: place.site === null ? zoneRollUp(deps, tallies, place.meters) : null,
    review: reviewOf(total, period),
    previous: previousOf(deps, meters, period, gwp, knownAt_ms, basis),
    groups,
    gases_kg: gases_kg(massesOfAll(books, books.sums, meters)),
    factors: [...factorsUsed(books.sums, deps.factors, deps.zone.time_zone)],
  };
}

/** The meters of a place's total: in the zone, what is sold inside it counts once. */
export function countedMeters(deps: ApiDeps, place: Place, emitters: readonly CatalogMeter[]): readonly CatalogMeter[] {
  if (place.site !== null) return emitters;
  const counted = new Set(countedOnce(deps, place.meters));
  return emitters.filter((meter) => counted.has(meter));
}

function isByContract(parts: readonly MarketPart[]): boolean {
  return parts.some(({ source, isSold }) => isSold || source.kind !== "grid average");
}

const YEAR_MS = 300 * 86_400_000;

/** A period up to ten months is judged as a month, a longer one as a year. */
function reviewOf(total: Measure, { from_ms, to_ms }: Bucket): Emissions["review"] {
  const length = to_ms - from_ms >= YEAR_MS ? "year" : "month";
  const quality = {
    total: 100,
    substituted: total.estimated_pct ?? 0,
    coverage: total.lower_bound || total.value === null ? 0 : 1,
  };
  const review = reviewPeriod(quality, length);
  const limit = length === "year" ? REVIEW_LIMITS.yearShareMax : REVIEW_LIMITS.monthShareMax;
  return { status: review.kind, limit_pct: limit * 100, needs_approval: review.needsApproval };
}

function gases_kg(masses: GasMasses): Record<string, number> {
  return Object.fromEntries(
    GASES.flatMap((gas) => {
      const mg = masses[gas];
      return mg === undefined ? [] : [[gas, toNumber({ digits: mg, scale: 6 })]];
    }),
  );
}

export const GwpQuery = z.enum(["AR4", "AR5", "AR6"]).default("AR5").describe("global warming potentials, 100 years");

export function emissionRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/emissions",
    {
      schema: {
        tags: ["figures"],
        summary: "Greenhouse-gas emissions of a site or the zone, kg CO2e",
        description:
          "Sums of book entries in whole milligrams of gas, weighted with the GWP set asked for. Every figure has an id " +
          "that /emissions/{id}/trace explains. `previous` is the period of the same length before, cut to the part " +
          "that has elapsed in this one. `bases` gives the total by both bases of scope 2. basis=market: contractual " +
          "instruments cover a site's grid electricity of their period local day by local day, from the first day on, and " +
          "within a day evenly per kWh; steps add up to the total to the milligram, whichever period is asked for. " +
          "Without instruments it equals the location-based figure, as `market.statement` says. as_known_at gives the figures as the books stood at that instant.",
        querystring: PeriodQuery.extend({
          by: z.enum(EMISSIONS_BY).default("scope"),
          basis: z.enum(BASES).default("location"),
          gwp: GwpQuery,
          as_known_at: z.string().optional().describe("instant, as from"),
        }),
        response: { 200: Emissions },
      },
    },
    async ({ query }) => {
      const { time_zone } = deps.zone;
      return answerEmissions(deps, {
        place: placeOf(deps, query),
        period: periodOf(time_zone, query),
        by: query.by,
        basis: query.basis,
        gwp: gwpSetOf(deps, query.gwp),
        knownAt_ms: query.as_known_at === undefined ? null : instantOf("as_known_at", query.as_known_at, time_zone),
      });
    },
  );
}
