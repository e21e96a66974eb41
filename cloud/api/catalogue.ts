import { CARRIERS } from "../../core/emission/carriers.ts";
import { emittingQuantity } from "../../core/emission/emission.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { meterId } from "../store/meterId.ts";
import type { GatewayKey, MeterRow, ZoneStore } from "../store/store.ts";
import type { SiteInfo, ZoneInfo } from "./deps.ts";

/** A meter as the API knows it. */
export interface CatalogMeter {
  /** `<gateway>/<device>`, unique in the zone. */
  readonly id: string;
  readonly key: GatewayKey & { readonly device: string };
  readonly row: MeterRow;
  /** Null while its gateway belongs to no site: such a meter is listed, and counted in no total. */
  readonly site: string | null;
  readonly name: { readonly vi: string; readonly en: string };
  readonly parent: string | null;
}

export function siteOfGateway(sites: readonly SiteInfo[], edge: string): string | null {
  return sites.find((site) => site.gateways.includes(edge))?.id ?? null;
}

/** The meters of the zone, those of its sites first in the order of the sites. */
export function catalogue(
  store: Pick<ZoneStore, "meters">,
  zone: ZoneInfo,
  sites: readonly SiteInfo[],
): readonly CatalogMeter[] {
  const order = new Map(sites.map((site, at) => [site.id, at]));
  const place = (meter: CatalogMeter): number => order.get(meter.site ?? "") ?? sites.length;
  return store
    .meters()
    .filter((row) => row.gateway.group === zone.id)
    .map((row) => catalogMeter(row, siteOfGateway(sites, row.gateway.edge)))
    .sort((a, b) => place(a) - place(b));
}

export function catalogMeter(row: MeterRow, site: string | null): CatalogMeter {
  return {
    id: meterId(row.gateway, row.device),
    key: { ...row.gateway, device: row.device },
    row,
    site,
    name: row.name ?? { vi: row.device, en: row.device },
    parent: row.parent === null ? null : meterId(row.gateway, row.parent),
  };
}

/** Drawn across the site's fence: what counts in the site's total. */
export function isBoundaryImport({ row }: CatalogMeter): boolean {
  return row.role === "import" && row.parent === null;
}

/** The counter that stands for the meter in the books: the first of its carrier. */
export function mainQuantity({ row }: CatalogMeter): QuantityId {
  return CARRIERS[row.carrier].counters[0]!;
}

/** The counter whose intervals emit; null for sub-meters, generation and water. */
export function emitting({ row }: CatalogMeter): QuantityId | null {
  return emittingQuantity({ ...row, ncv_MJ_per_Nm3: null }) as QuantityId | null;
}
