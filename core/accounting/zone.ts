import { type Fraction, minus, plus, sum, ZERO } from "../emission/fraction.ts";

/**
 * Zone roll-up: zone total = scope 1 of all + scope 2 of the energy that crosses the zone's fence. What one factory sells
 * another inside the zone is scope 2 of the buyer and already in scope 1 of the seller: it is taken off once (methods §4,
 * W30). A factory without data is listed as uncovered, never counted as zero.
 */
export interface SiteShare {
  readonly site: string;
  /** mg CO2e, exact. */
  readonly scope1_mg: Fraction;
  readonly scope2_mg: Fraction;
  /** Of scope 2: bought from a factory of this zone. */
  readonly internal_mg: Fraction;
  /** Of the internal: the seller has no data, so nothing of it is in any scope 1. */
  readonly unbacked_mg: Fraction;
}

export interface ZoneResult {
  readonly sites: readonly SiteShare[];
  readonly scope1_mg: Fraction;
  /** Scope 2 of what crosses the fence. */
  readonly scope2_mg: Fraction;
  readonly naive_mg: Fraction;
  readonly eliminated_mg: Fraction;
  readonly total_mg: Fraction;
  readonly uncovered: readonly string[];
}

/** @param known all factories of the zone, with or without data. */
export function rollUp(shares: readonly SiteShare[], known: readonly string[]): ZoneResult {
  const scope1_mg = sum(shares.map((share) => share.scope1_mg));
  const scope2All_mg = sum(shares.map((share) => share.scope2_mg));
  // Only what is counted at the seller can be counted twice.
  const eliminated_mg = sum(shares.map(({ internal_mg, unbacked_mg }) => minus(internal_mg, unbacked_mg)));
  const naive_mg = plus(scope1_mg, scope2All_mg);
  return {
    sites: shares,
    scope1_mg,
    scope2_mg: minus(scope2All_mg, eliminated_mg),
    naive_mg,
    eliminated_mg,
    total_mg: minus(naive_mg, eliminated_mg),
    uncovered: known.filter((site) => !shares.some((share) => share.site === site)),
  };
}

export const NO_SHARE: Omit<SiteShare, "site"> = {
  scope1_mg: ZERO,
  scope2_mg: ZERO,
  internal_mg: ZERO,
  unbacked_mg: ZERO,
};
