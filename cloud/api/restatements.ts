import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { toNumber } from "../../core/emission/decimal.ts";
import { restatement } from "../../core/performance/change.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { Restatement } from "../store/store.ts";
import type { CatalogMeter } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { co2e_kg, emittingMeters, type GasMasses, gwpSetOf } from "./emissions.ts";
import { badRequest } from "./problem.ts";
import { instantOf, PlaceQuery, placeOf } from "./query.ts";
import { Restatements } from "./schemas.ts";
import { isoIn } from "./time.ts";

/** Restatements of one meter in one answer, newest first; older ones are asked for by period. */
const PER_METER_MAX = 1000;
/** Of the earlier total: from here on a restatement is material (methods §10; own threshold per query). */
const SIGNIFICANCE_PCT = 5;

/** What one run did to one meter from one factor to another, all gases together. */
interface Change {
  readonly meter: string;
  readonly name: CatalogMeter["name"];
  readonly site: string | null;
  readonly first: Restatement;
  readonly before: Partial<Record<Restatement["gas"], bigint>>;
  readonly after: Partial<Record<Restatement["gas"], bigint>>;
  from_ms: EpochMs;
  to_ms: EpochMs;
  entries: number;
}

/** What has been restated, why and by how much. The earlier figures are read with `as_known_at`. */
export function restatementRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/restatements",
    {
      schema: {
        tags: ["figures"],
        summary: "What has been restated: from which factor to which, why, and by how much",
        description:
          "A factor that becomes known changes no entry: new ones take its place. Ask /emissions with `as_known_at` just " +
          "before `restated_at` for the earlier figure, to the last digit.",
        querystring: PlaceQuery.extend({
          from: z.string().describe("entries of this time: ISO 8601 with offset, or a local date"),
          to: z.string().describe("end, not included"),
          gwp: z.enum(["AR4", "AR5", "AR6"]).default("AR5"),
          significance_pct: z.coerce
            .number()
            .min(0)
            .max(100)
            .default(SIGNIFICANCE_PCT)
            .describe("material from here on"),
        }),
        response: { 200: Restatements },
      },
    },
    async ({ query }) => {
      const { time_zone } = deps.zone;
      const from_ms = instantOf("from", query.from, time_zone);
      const to_ms = instantOf("to", query.to, time_zone);
      if (from_ms >= to_ms) {
        throw badRequest(
          `from: ${query.from} is not before to: ${query.to}`,
          "Give a period that ends after it begins.",
        );
      }
      const gwp = gwpSetOf(deps, query.gwp);
      const kg = (masses: GasMasses) => toNumber(co2e_kg(masses, gwp));
      return {
        gwp: gwp.id,
        significance_pct: query.significance_pct,
        restatements: changesOf(deps, query, from_ms, to_ms).map(({ first, before, after, ...change }) => {
          const result = restatement(kg(before), kg(after), query.significance_pct);
          return {
            restated_at: isoIn(time_zone, first.runAt_ms),
            reason: first.reason,
            meter: change.meter,
            name: change.name,
            site: change.site,
            factor_before: first.factorBefore,
            factor_after: first.factorAfter,
            from: isoIn(time_zone, change.from_ms),
            to: isoIn(time_zone, change.to_ms),
            entries: change.entries,
            before_kg: result.before_t,
            after_kg: result.after_t,
            delta_kg: result.delta_t,
            delta_pct: result.delta_pct,
            is_material: result.isMaterial,
          };
        }),
      };
    },
  );
}

function changesOf(
  deps: ApiDeps,
  query: { readonly site?: string | undefined; readonly zone?: string | undefined },
  from_ms: EpochMs,
  to_ms: EpochMs,
): readonly Change[] {
  const changes = new Map<string, Change>();
  for (const meter of emittingMeters(placeOf(deps, query).meters)) {
    for (const part of deps.store.restatements(meter.key, meter.key.device, from_ms, to_ms, PER_METER_MAX)) {
      const key = `${part.runAt_ms} ${meter.id} ${part.factorBefore} ${part.factorAfter}`;
      let change = changes.get(key);
      if (change === undefined) {
        const { id, name, site } = meter;
        change = {
          meter: id,
          name,
          site,
          first: part,
          before: {},
          after: {},
          from_ms: part.from_ms,
          to_ms: part.to_ms,
          entries: 0,
        };
        changes.set(key, change);
      }
      change.before[part.gas] = (change.before[part.gas] ?? 0n) + part.before_mg;
      change.after[part.gas] = (change.after[part.gas] ?? 0n) + part.after_mg;
      change.from_ms = Math.min(change.from_ms, part.from_ms);
      change.to_ms = Math.max(change.to_ms, part.to_ms);
      change.entries += part.entries;
    }
  }
  return [...changes.values()].sort((a, b) => b.first.runAt_ms - a.first.runAt_ms);
}
