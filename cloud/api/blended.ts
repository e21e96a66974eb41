import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { add, type Decimal, toNumber } from "../../core/emission/decimal.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import type { EnergySum } from "../store/store.ts";
import { type CatalogMeter, isBoundaryImport } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { co2e_kg, GwpQuery, gasMasses, gwpSetOf } from "./emissions.ts";
import { amountIn } from "./energy.ts";
import { badRequest } from "./problem.ts";
import { bucketTimes, checkSize, PeriodQuery, periodHead, periodOf, placeOf } from "./query.ts";
import { BlendedFactor } from "./schemas.ts";

const IMPORT: QuantityId = "active_energy_import_total";
const EXPORT: QuantityId = "active_energy_export_total";
const NOTHING: Decimal = { digits: 0n, scale: 0 };

/**
 * What a kilowatt-hour consumed at a site brings with it: emissions of bought electricity over import + solar − export
 * (methods §3, W08). For allocation inside the site only; an inventory reports the scopes. Location-based.
 */
export function blendedRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/blended-factor",
    {
      schema: {
        tags: ["figures"],
        summary: "Blended factor of a site's electricity, kg CO2e per kWh consumed, for allocation inside the site",
        querystring: PeriodQuery.extend({ gwp: GwpQuery }),
        response: { 200: BlendedFactor },
      },
    },
    async ({ query }) => {
      const place = placeOf(deps, query);
      if (place.site === null) {
        throw badRequest("site: is missing: a blended factor is of one site", "Ask with site=<id of the site>.");
      }
      const period = periodOf(deps.zone.time_zone, query);
      checkSize(period, 1);
      const gwp = gwpSetOf(deps, query.gwp);
      const grid = place.meters.filter((meter) => meter.row.carrier === "electricity" && isBoundaryImport(meter));
      const solar = place.meters.filter(({ row }) => row.carrier === "solar" && row.role === "generation");
      const hasGenset = place.meters.some(({ row }) => row.carrier === "genset_electricity");
      const energy = deps.store.sumEnergy(
        [...grid, ...solar].map(({ key }) => key),
        period.buckets,
        [IMPORT, EXPORT],
      );
      const emissions = deps.store.sumEmissions(
        grid.map(({ key }) => key),
        period.buckets,
      );
      const times = bucketTimes(period, deps.zone.time_zone);
      const points = period.buckets.map((_, at) => {
        const sums = energy.filter(({ bucket }) => bucket === at);
        const kWh = (meters: readonly CatalogMeter[], quantity: QuantityId) => toNumber(total(sums, meters, quantity));
        const figures = {
          import_kWh: kWh(grid, IMPORT),
          export_kWh: kWh(grid, EXPORT),
          solar_kWh: kWh(solar, EXPORT),
          purchased_kg: toNumber(co2e_kg(gasMasses(emissions.filter(({ bucket }) => bucket === at)), gwp)),
        };
        const consumption_kWh = figures.import_kWh + figures.solar_kWh - figures.export_kWh;
        const isKnown = sums.length > 0 && consumption_kWh > 0 && !hasGenset;
        const isWhole = sums.every(({ incomplete, unknown }) => incomplete === 0 && unknown === 0);
        return {
          ...times[at]!,
          ...figures,
          consumption_kWh,
          kg_per_kWh: isKnown ? figures.purchased_kg / consumption_kWh : null,
          is_complete: isWhole,
        };
      });
      const why = hasGenset ? "the fuel of the generating set is not told apart from other fuel" : null;
      return { ...periodHead(deps, place, period), gwp: gwp.id, why_unknown: why, points };
    },
  );
}

function total(sums: readonly EnergySum[], meters: readonly CatalogMeter[], quantity: QuantityId): Decimal {
  const { unit } = QUANTITIES[quantity];
  return sums
    .filter(
      (sum) =>
        sum.quantity === quantity &&
        meters.some(({ key }) => key.edge === sum.gateway.edge && key.device === sum.device),
    )
    .reduce((all, { ticks, tick }) => add(all, amountIn(unit, ticks, tick)), NOTHING);
}
