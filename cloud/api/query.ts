import { z } from "zod";
import { BUCKETS_MAX, type Bucket, buckets, intervalStart, STEPS, type Step } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { type CatalogMeter, catalogue } from "./catalogue.ts";
import type { ApiDeps, SiteInfo } from "./deps.ts";
import { badRequest, notFound } from "./problem.ts";
import { isoIn, parseInstant } from "./time.ts";

/** Parameters that every question about a period shares. */
export const PlaceQuery = z.strictObject({
  site: z.string().optional().describe("one site; give either site or zone"),
  zone: z.string().optional().describe("the whole zone (the default)"),
});

export const PeriodQuery = PlaceQuery.extend({
  from: z
    .string()
    .describe(
      "ISO 8601 with offset on a quarter of an hour, or a local date such as 2026-11-01 (the zone's midnight); " +
        "anything between quarters is refused with 400 and the nearest that fit, for energy is booked per quarter",
    ),
  to: z.string().describe("end of the period, not included; on a quarter of an hour as well"),
  step: z.enum(STEPS).default("day").describe("cut in the zone's time zone"),
});

/** The smallest accounting interval: a period begins and ends on one, or part of an interval would have to be guessed. */
const GRID_MS = 900_000;

/** Figures in one answer (steps × groups); more is asked for in parts. */
export const POINTS_MAX = 200_000;

export interface Place {
  readonly site: SiteInfo | null;
  readonly sites: readonly SiteInfo[];
  readonly meters: readonly CatalogMeter[];
}

export interface Period {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly step: Step;
  readonly buckets: readonly Bucket[];
}

/** @throws {KhuXanhError} BAD_REQUEST for both or NOT_FOUND for one that does not exist. */
export function placeOf(
  deps: ApiDeps,
  query: { readonly site?: string | undefined; readonly zone?: string | undefined },
): Place {
  if (query.site !== undefined && query.zone !== undefined) {
    throw badRequest("site and zone are both given", "Give one of them: a site, or the zone for all its sites.");
  }
  if (query.zone !== undefined && query.zone !== deps.zone.id) {
    throw notFound(`there is no zone ${query.zone}`, "Ask /api/v1/zones for the zones.");
  }
  const meters = catalogue(deps.store, deps.zone, deps.sites);
  if (query.site === undefined) return { site: null, sites: deps.sites, meters: meters.filter((m) => m.site !== null) };
  const site = deps.sites.find((one) => one.id === query.site);
  if (site === undefined) throw notFound(`there is no site ${query.site}`, "Ask /api/v1/sites for the sites.");
  return { site, sites: [site], meters: meters.filter((meter) => meter.site === site.id) };
}

/** @throws {KhuXanhError} BAD_REQUEST naming the parameter. */
export function periodOf(
  timeZone: string,
  query: { readonly from: string; readonly to: string; readonly step: Step },
): Period {
  const from_ms = instantOf("from", query.from, timeZone);
  const to_ms = instantOf("to", query.to, timeZone);
  if (from_ms >= to_ms) {
    throw badRequest(`from: ${query.from} is not before to: ${query.to}`, "Give a period that ends after it begins.");
  }
  checkAligned(timeZone, query, from_ms, to_ms);
  try {
    return { from_ms, to_ms, step: query.step, buckets: buckets(from_ms, to_ms, query.step, timeZone) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw tooMuch(`more than ${BUCKETS_MAX} steps of ${query.step}`);
  }
}

/** @throws {KhuXanhError} BAD_REQUEST naming the nearest period that holds all of the one asked for. */
function checkAligned(
  timeZone: string,
  query: { readonly from: string; readonly to: string },
  from_ms: EpochMs,
  to_ms: EpochMs,
): void {
  const first_ms = intervalStart(from_ms, GRID_MS, timeZone);
  const floor_ms = intervalStart(to_ms, GRID_MS, timeZone);
  const last_ms = floor_ms === to_ms ? to_ms : floor_ms + GRID_MS;
  const wrong = [
    ...(first_ms === from_ms ? [] : [`from: ${query.from.slice(0, 40)}`]),
    ...(last_ms === to_ms ? [] : [`to: ${query.to.slice(0, 40)}`]),
  ];
  if (wrong.length === 0) return;
  throw badRequest(
    `${wrong.join("; ")} is no boundary of a 15-minute interval`,
    `Ask for from=${isoIn(timeZone, first_ms)}, to=${isoIn(timeZone, last_ms)}.`,
  );
}

export function instantOf(name: string, text: string, timeZone: string): EpochMs {
  const at_ms = parseInstant(text, timeZone);
  if (at_ms !== null) return at_ms;
  throw badRequest(
    `${name}: ${JSON.stringify(text.slice(0, 40))} is no time`,
    "Write 2026-11-01 (the zone's midnight) or ISO 8601 with offset, e.g. 2026-11-01T06:00:00+07:00.",
  );
}

/** @throws {KhuXanhError} BAD_REQUEST if the answer would hold too many figures. */
export function checkSize(period: Period, groups: number): void {
  const points = period.buckets.length * groups;
  if (points > POINTS_MAX) throw tooMuch(`${points} figures in one answer, more than ${POINTS_MAX}`);
}

function tooMuch(what: string): Error {
  return badRequest(`the period asks for ${what}`, "Ask for a shorter period, or for a longer step.");
}

/** The head of every answer about a period. */
export function periodHead(deps: ApiDeps, place: Place, period: Period) {
  const { time_zone } = deps.zone;
  return {
    zone: deps.zone.id,
    site: place.site?.id ?? null,
    from: isoIn(time_zone, period.from_ms),
    to: isoIn(time_zone, period.to_ms),
    step: period.step,
    time_zone,
  };
}

/** ISO texts of the buckets, made once for all groups. */
export function bucketTimes(
  period: Period,
  timeZone: string,
): readonly { readonly from: string; readonly to: string }[] {
  const ends = period.buckets.map((bucket) => isoIn(timeZone, bucket.to_ms));
  const start = isoIn(timeZone, period.from_ms);
  return ends.map((to, at) => ({ from: at === 0 ? start : ends[at - 1]!, to }));
}
