import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { nearest } from "../../config/nearest.ts";
import { type Bucket, STEPS } from "../../core/interval/calendar.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { isQuantityId, QUANTITIES, QUANTITY_IDS, type QuantityId } from "../../core/units/quantities.ts";
import { UNITS, type UnitNotation } from "../../core/units/units.ts";
import { type BornMetric, counterValue, metricContent, parseTick } from "../../core/wire/content.ts";
import {
  type DataTypeCode,
  decodePayload,
  type Metric,
  valueOf as metricValue,
  QUALITY_PROPERTY,
  QualityCode,
} from "../../core/wire/payload.ts";
import type { DeviceBirth, StoredBatch } from "../store/store.ts";
import { type CatalogMeter, catalogue } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { badRequest, notFound } from "./problem.ts";
import { instantOf, periodOf } from "./query.ts";
import { Readings } from "./schemas.ts";
import { isoIn } from "./time.ts";

/** Batches decoded for one answer: a day of one-second batches. */
export const BATCHES_MAX = 86_400;
/** Decoded at a stretch. */
const WINDOW_MS = 3_600_000;
/** Readings given one by one in an answer. */
export const RAW_MAX = 20_000;

type Point = Readings["points"][number];

/** A reading in the quantity's unit. */
export interface PlainReading {
  readonly at_ms: EpochMs;
  readonly value: number | null;
  readonly quality: Reading["quality"];
  readonly why: Reading["why"];
}

/**
 * The readings of one metric in one batch, decoded through the birth that the batch names.
 * @param name as its birth names it: `wire` of a quantity, or what a node of another maker calls its own
 */
export function readingsOfBatch(batch: StoredBatch, birth: DeviceBirth, name: string): readonly PlainReading[] {
  const born = birth.metrics.find((metric) => metric.name === name);
  if (born === undefined) return [];
  const readings: PlainReading[] = [];
  for (const metric of decodePayload(batch.payload).metrics) {
    if (metric.alias !== born.alias && metric.name !== name) continue;
    const content = metricContent(batch.device, metric, born, batch.to_ms);
    if (content.kind === "reading") readings.push(plain(content.reading, born));
    else if (content.kind === "other") readings.push(unnamed(metric, born, batch.to_ms));
  }
  return readings;
}

/** Of a metric that has none of our names: a number, or a switch as 0 and 1, with the quality its sender gave it. */
function unnamed(metric: Metric, born: BornMetric, sent_ms: EpochMs): PlainReading {
  const raw = metricValue(metric, (metric.datatype ?? born.datatype) as DataTypeCode);
  const isNumber = typeof raw === "number" || typeof raw === "bigint" || typeof raw === "boolean";
  const code = metric.properties?.get(QUALITY_PROPERTY)?.intValue;
  const isBad = !isNumber || code === QualityCode.Bad;
  const quality = isBad ? "bad" : code === QualityCode.Stale ? "stale" : "good";
  return { at_ms: metric.timestamp_ms ?? sent_ms, value: isNumber ? Number(raw) : null, quality, why: null };
}

function plain({ at_ms, value, quality, why, quantity }: Reading, born: BornMetric): PlainReading {
  const unit: UnitNotation = QUANTITIES[quantity].unit;
  const tick = parseTick(born.properties.tick ?? "");
  const number = typeof value !== "bigint" ? value : tick === null ? null : counterValue(value, tick, unit);
  return { at_ms, value: number, quality, why };
}

export function rawPoint(reading: PlainReading, timeZone: string): Point {
  const { at_ms, value, quality, why } = reading;
  return { at: isoIn(timeZone, at_ms), value, min: value, max: value, count: quality === "good" ? 1 : 0, quality, why };
}

/**
 * One point a step: a gauge's mean (every reading weighs the same), a counter's last count, from good readings only.
 * A step without any has no point with a value; it is told as bad or uncertain if there were such readings.
 */
export function stepPoints(
  readings: readonly PlainReading[],
  buckets: readonly Bucket[],
  kind: "counter" | "gauge",
  timeZone: string,
): readonly Point[] {
  let next = 0;
  return buckets.flatMap((bucket): Point[] => {
    const own: PlainReading[] = [];
    for (; next < readings.length && readings[next]!.at_ms < bucket.to_ms; next++) own.push(readings[next]!);
    const [first] = own;
    if (first === undefined) return [];
    const good = own.flatMap(({ value, quality }) => (quality === "good" && value !== null ? [value] : []));
    const at = isoIn(timeZone, bucket.from_ms);
    if (good.length === 0) {
      return [{ at, value: null, min: null, max: null, count: 0, quality: first.quality, why: first.why }];
    }
    const mean = good.reduce((sum, value) => sum + value, 0) / good.length;
    return [
      {
        at,
        value: kind === "gauge" ? mean : (good.at(-1) ?? null),
        min: good.reduce((a, b) => Math.min(a, b)),
        max: good.reduce((a, b) => Math.max(a, b)),
        count: good.length,
        quality: "good" as const,
        why: null,
      },
    ];
  });
}

/**
 * The readings of a period, oldest first. Decoding a day of one-second batches takes a while and the collector lives in the
 * same process: so it goes hour by hour, and others have their turn in between.
 */
async function readingsIn(
  deps: Pick<ApiDeps, "store" | "timers">,
  key: CatalogMeter["key"],
  name: string,
  period: Bucket,
): Promise<{ readonly readings: readonly PlainReading[]; readonly isCut: boolean }> {
  const { store, timers } = deps;
  const births = new Map<number, DeviceBirth | null>();
  const readings: PlainReading[] = [];
  let left = BATCHES_MAX;
  for (let from_ms = period.from_ms; from_ms < period.to_ms; ) {
    const next = store.batchAtOrAfter(key, key.device, from_ms);
    if (next === null) break;
    // Over a long gap in one leap, but not past a batch that ends later and begins earlier: none lasts a window.
    const start_ms = Math.max(from_ms, next.from_ms - WINDOW_MS);
    const end_ms = Math.min(start_ms + WINDOW_MS, period.to_ms);
    const batches = store.batches(key, key.device, start_ms, end_ms - 1, left + 1);
    const inWindow: PlainReading[] = [];
    for (const batch of batches.slice(0, left)) {
      let birth = births.get(batch.birthId);
      if (birth === undefined) births.set(batch.birthId, (birth = store.birth(batch.birthId)));
      if (birth !== null) inWindow.push(...readingsOfBatch(batch, birth, name));
    }
    // A batch may reach into two windows: each takes its own readings.
    const own = inWindow.filter(({ at_ms }) => at_ms >= start_ms && at_ms < end_ms);
    for (const reading of own.sort((a, b) => a.at_ms - b.at_ms)) readings.push(reading);
    if (batches.length > left) return { readings, isCut: true };
    left -= batches.length;
    from_ms = Math.max(end_ms, from_ms + 1);
    await new Promise<void>((resolve) => void timers.after(0, resolve));
  }
  return { readings, isCut: false };
}

export function readingRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { time_zone } = deps.zone;
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/readings",
    {
      schema: {
        tags: ["figures"],
        summary: "Readings of one quantity of one meter, as received or per step",
        description: `Of a device of a node that numbers no batches also by the name of any of its metrics. Decoded on demand from the stored batches: at most ${BATCHES_MAX} of them, and ${RAW_MAX} readings with step=raw.`,
        querystring: z.strictObject({
          meter: z.string().describe("<gateway>/<device>"),
          quantity: z.string().max(1000).describe("quantity id, e.g. active_power_total"),
          from: z.string().describe("as in /energy"),
          to: z.string(),
          step: z.enum(["raw", ...STEPS]).default("raw"),
        }),
        response: { 200: Readings },
      },
    },
    async ({ query }) => {
      const { key, isMeter } = sourceOf(deps, query.meter);
      const { quantity } = query;
      if (!isQuantityId(quantity) && isMeter) throw unknownQuantity(quantity);
      const { name, unit, kind } = isQuantityId(quantity) ? named(quantity) : strange(deps, key, quantity);

      const from_ms = instantOf("from", query.from, time_zone);
      const to_ms = instantOf("to", query.to, time_zone);
      const buckets =
        query.step === "raw" ? [] : periodOf(time_zone, { from: query.from, to: query.to, step: query.step }).buckets;
      if (from_ms >= to_ms) throw badRequest("from is not before to", "Give a period that ends after it begins.");

      const { readings, isCut } = await readingsIn(deps, key, name, { from_ms, to_ms });
      return {
        meter: query.meter,
        quantity,
        unit,
        from: isoIn(time_zone, from_ms),
        to: isoIn(time_zone, to_ms),
        step: query.step,
        truncated: isCut || (query.step === "raw" && readings.length > RAW_MAX),
        points:
          query.step === "raw"
            ? readings.slice(0, RAW_MAX).map((reading) => rawPoint(reading, time_zone))
            : [...stepPoints(readings, buckets, kind, time_zone)],
      };
    },
  );
}

/** A meter, or a device that was never born as one and has something stored. */
function sourceOf(deps: ApiDeps, id: string): { readonly key: CatalogMeter["key"]; readonly isMeter: boolean } {
  const meter = catalogue(deps.store, deps.zone, deps.sites).find((one) => one.id === id);
  if (meter !== undefined) return { key: meter.key, isMeter: true };
  const slash = id.indexOf("/");
  const key = { group: deps.zone.id, edge: id.slice(0, slash), device: id.slice(slash + 1) };
  if (slash > 0 && deps.store.batchAtOrAfter(key, key.device, 0) !== null) return { key, isMeter: false };
  throw notFound(
    `there is no meter ${id}`,
    "Ask /api/v1/meters for the meters, /api/v1/others for devices of other makers.",
  );
}

interface Series {
  readonly name: string;
  /** UCUM; "": its birth says none. */
  readonly unit: string;
  readonly kind: "counter" | "gauge";
}

function named(quantity: QuantityId): Series {
  const { wire: name, unit, kind } = QUANTITIES[quantity];
  return { name, unit: UNITS[unit].ucum, kind };
}

function strange({ store, clock }: ApiDeps, key: CatalogMeter["key"], name: string): Series {
  const newest = store.batchAtOrBefore(key, key.device, clock.now_ms());
  const born = newest === null ? null : store.birth(newest.birthId)?.metrics.find((metric) => metric.name === name);
  if (born == null) throw badRequest(`quantity: no metric ${name} was born`, "Give the name its birth gives it.");
  return { name, unit: born.properties.engUnit ?? "", kind: "gauge" };
}

function unknownQuantity(quantity: string): Error {
  const near = nearest(quantity, QUANTITY_IDS);
  return badRequest(
    `quantity: there is no ${quantity}${near === undefined ? "" : ` (did you mean ${near}?)`}`,
    "/api/v1/meters lists the quantities of each meter.",
  );
}
