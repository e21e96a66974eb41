import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { nearest } from "../../config/nearest.ts";
import { type Bucket, STEPS } from "../../core/interval/calendar.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { isQuantityId, QUANTITIES, QUANTITY_IDS, type QuantityId } from "../../core/units/quantities.ts";
import { UNITS, type UnitNotation } from "../../core/units/units.ts";
import { counterValue, metricContent, parseTick } from "../../core/wire/content.ts";
import { decodePayload } from "../../core/wire/payload.ts";
import type { BornMetric, DeviceBirth, StoredBatch } from "../store/store.ts";
import { catalogue } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { badRequest, notFound } from "./problem.ts";
import { instantOf, periodOf } from "./query.ts";
import { Readings } from "./schemas.ts";
import { isoIn } from "./time.ts";

/** Batches decoded for one answer: a day of one-second batches. */
export const BATCHES_MAX = 86_400;
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

/** The readings of one quantity in one batch, decoded through the birth that the batch names. */
export function readingsOfBatch(batch: StoredBatch, birth: DeviceBirth, quantity: QuantityId): readonly PlainReading[] {
  const wire = QUANTITIES[quantity].wire;
  const born = birth.metrics.find((metric) => metric.name === wire);
  if (born === undefined) return [];
  const readings: PlainReading[] = [];
  for (const metric of decodePayload(batch.payload).metrics) {
    if (metric.alias !== born.alias && metric.name !== wire) continue;
    const content = metricContent(batch.device, metric, born, batch.to_ms);
    if (content.kind === "reading") readings.push(plain(content.reading, born));
  }
  return readings;
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

export function readingRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { time_zone } = deps.zone;
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/readings",
    {
      schema: {
        tags: ["figures"],
        summary: "Readings of one quantity of one meter, as received or per step",
        description: `Decoded on demand from the stored batches: at most ${BATCHES_MAX} of them, and ${RAW_MAX} readings with step=raw.`,
        querystring: z.strictObject({
          meter: z.string().describe("<gateway>/<device>"),
          quantity: z.string().describe("quantity id, e.g. active_power_total"),
          from: z.string().describe("as in /energy"),
          to: z.string(),
          step: z.enum(["raw", ...STEPS]).default("raw"),
        }),
        response: { 200: Readings },
      },
    },
    async ({ query }) => {
      const meter = catalogue(deps.store, deps.zone, deps.sites).find(({ id }) => id === query.meter);
      if (meter === undefined) throw notFound(`there is no meter ${query.meter}`, "Ask /api/v1/meters for the meters.");
      const { quantity } = query;
      if (!isQuantityId(quantity)) throw unknownQuantity(quantity);
      const { unit, kind } = QUANTITIES[quantity];

      const from_ms = instantOf("from", query.from, time_zone);
      const to_ms = instantOf("to", query.to, time_zone);
      const buckets =
        query.step === "raw" ? [] : periodOf(time_zone, { from: query.from, to: query.to, step: query.step }).buckets;
      if (from_ms >= to_ms) throw badRequest("from is not before to", "Give a period that ends after it begins.");

      const batches = deps.store.batches(meter.key, meter.key.device, from_ms, to_ms, BATCHES_MAX + 1);
      const births = new Map<number, DeviceBirth | null>();
      const birthOf = (id: number): DeviceBirth | null => {
        if (!births.has(id)) births.set(id, deps.store.birth(id));
        return births.get(id) ?? null;
      };
      const readings = batches
        .slice(0, BATCHES_MAX)
        .flatMap((batch) => {
          const birth = birthOf(batch.birthId);
          return birth === null ? [] : readingsOfBatch(batch, birth, quantity);
        })
        .filter(({ at_ms }) => at_ms >= from_ms && at_ms < to_ms)
        .sort((a, b) => a.at_ms - b.at_ms);
      const isCut = batches.length > BATCHES_MAX;
      return {
        meter: meter.id,
        quantity,
        unit: UNITS[unit].ucum,
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

function unknownQuantity(quantity: string): Error {
  const near = nearest(quantity, QUANTITY_IDS);
  return badRequest(
    `quantity: there is no ${quantity}${near === undefined ? "" : ` (did you mean ${near}?)`}`,
    "/api/v1/meters lists the quantities of each meter.",
  );
}
