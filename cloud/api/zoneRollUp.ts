import { rollUp, type SiteShare, type ZoneResult } from "../../core/accounting/zone.ts";
import { CARRIERS } from "../../core/emission/carriers.ts";
import {
  type Fraction,
  fraction,
  fractionNumber,
  fromDecimal,
  plus,
  times,
  ZERO,
} from "../../core/emission/fraction.ts";
import type { CatalogMeter } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import type { MeterTallies } from "./emissions.ts";
import type { Emissions } from "./schemas.ts";
import { sumTallies } from "./tally.ts";

/**
 * What one site sells another of the zone is scope 2 of the buyer and already among the seller's own emissions: the zone's
 * total counts it once (methods §4, W30). Only what has a seller with data: without, nothing of it is counted anywhere else.
 */
export interface InternalMeter {
  readonly meter: CatalogMeter;
  readonly supplier: string;
  /** Why it stays in the zone's total all the same; null = it is taken off. */
  readonly keptBecause: "no-such-site" | "seller-without-data" | null;
}

/** @param all meters of the whole zone. */
export function internalMeters(deps: ApiDeps, all: readonly CatalogMeter[]): readonly InternalMeter[] {
  const hasData = new Map<string, boolean>();
  const sells = (site: string): boolean => {
    const known = hasData.get(site);
    if (known !== undefined) return known;
    const own = all.filter((meter) => meter.site === site);
    const found = own.some(({ key }) => deps.store.intervalSpan(key, key.device) !== null);
    hasData.set(site, found);
    return found;
  };
  return all.flatMap((meter): InternalMeter[] => {
    const { supplier } = meter.row;
    if (supplier === null || supplier === meter.site) return [];
    const isSite = deps.sites.some(({ id }) => id === supplier);
    return [
      { meter, supplier, keptBecause: !isSite ? "no-such-site" : sells(supplier) ? null : "seller-without-data" },
    ];
  });
}

/** The meters of the zone's total: all but those whose energy is counted at its seller in the zone. */
export function countedOnce(deps: ApiDeps, meters: readonly CatalogMeter[]): readonly CatalogMeter[] {
  const off = new Set(
    internalMeters(deps, meters)
      .filter(({ keptBecause }) => keptBecause === null)
      .map(({ meter }) => meter.id),
  );
  return off.size === 0 ? meters : meters.filter(({ id }) => !off.has(id));
}

const KG_PER_MG = fraction(1n, 1_000_000n);
const MG_PER_KG = fraction(1_000_000n);

/**
 * @param tallies of the meters that emit
 * @param all meters of the zone, generation and sub-meters too: they tell whether a seller has data
 */
export function zoneRollUp(
  deps: ApiDeps,
  tallies: MeterTallies,
  all: readonly CatalogMeter[],
): NonNullable<Emissions["roll_up"]> {
  const internal = internalMeters(deps, all);
  const shares = new Map<string, SiteShare>();
  const mgOf = new Map<string, Fraction>();
  for (const [meter, ofMeter] of tallies) {
    const tally = sumTallies(ofMeter);
    if (tally.known === 0 || meter.site === null) continue;
    const mg = times(fromDecimal(tally.amount), MG_PER_KG);
    mgOf.set(meter.id, mg);
    const before = shares.get(meter.site) ?? NO_SHARE(meter.site);
    const sold = internal.find((one) => one.meter.id === meter.id);
    const isScope1 = CARRIERS[meter.row.carrier].scope === 1;
    shares.set(meter.site, {
      site: meter.site,
      scope1_mg: isScope1 ? plus(before.scope1_mg, mg) : before.scope1_mg,
      scope2_mg: isScope1 ? before.scope2_mg : plus(before.scope2_mg, mg),
      internal_mg: sold === undefined ? before.internal_mg : plus(before.internal_mg, mg),
      unbacked_mg: (sold?.keptBecause ?? null) === null ? before.unbacked_mg : plus(before.unbacked_mg, mg),
    });
  }
  const result: ZoneResult = rollUp(
    [...shares.values()],
    deps.sites.map(({ id }) => id),
  );
  const kg = (mg: Fraction): number => fractionNumber(times(mg, KG_PER_MG));
  // No data is no number, which is not zero.
  const figure = (mg: Fraction): number | null => (shares.size === 0 ? null : kg(mg));
  return {
    naive_kg: figure(result.naive_mg),
    eliminated_kg: figure(result.eliminated_mg),
    scope1_kg: figure(result.scope1_mg),
    scope2_kg: figure(result.scope2_mg),
    uncovered: [...result.uncovered],
    internal: internal.map(({ meter, supplier, keptBecause }) => ({
      meter: meter.id,
      name: meter.name,
      site: meter.site,
      supplier,
      kg: mgOf.has(meter.id) ? kg(mgOf.get(meter.id)!) : null,
      eliminated: keptBecause === null,
      kept_because: keptBecause,
    })),
  };
}

const NO_SHARE = (site: string): SiteShare => ({
  site,
  scope1_mg: ZERO,
  scope2_mg: ZERO,
  internal_mg: ZERO,
  unbacked_mg: ZERO,
});
