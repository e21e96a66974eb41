import type { EpochMs } from "../reading/reading.ts";
import type { CarrierId } from "./carriers.ts";
import type { EmissionFactor } from "./factor.ts";

/** How a factor was found, said with every figure. */
export type FactorMatch =
  | { readonly kind: "exact"; readonly factor: EmissionFactor }
  /** None covers the date yet: the latest published one stands in and the result is provisional (product rule, grid factor). */
  | { readonly kind: "provisional"; readonly factor: EmissionFactor; readonly why: string }
  | { readonly kind: "none"; readonly why: string };

const LEVEL_ORDER: Readonly<Record<EmissionFactor["level"], number>> = { own: 0, ministry: 1, ipcc: 2 };

/**
 * The factor for activity at `at_ms`, as known at `knownAt_ms`.
 *
 * Order: covers the date and known then; among those the highest level (own > ministry > IPCC, Circular 38/2023 Art. 18);
 * among those the one known last. If none covers the date, the newest whose validity has ended before it, marked
 * provisional. A date before the first factor has none: guessing backwards is not offered.
 */
export function lookupFactor(
  factors: readonly EmissionFactor[],
  carrier: CarrierId,
  at_ms: EpochMs,
  knownAt_ms: EpochMs,
): FactorMatch {
  let exact: EmissionFactor | null = null;
  let latest: EmissionFactor | null = null;
  for (const factor of factors) {
    if (factor.carrier !== carrier || !isKnown(factor, knownAt_ms) || factor.valid_from_ms > at_ms) continue;
    if (factor.valid_to_ms === null || at_ms < factor.valid_to_ms) exact = preferred(exact, factor);
    else latest = later(latest, factor);
  }
  if (exact !== null) return { kind: "exact", factor: exact };
  if (latest === null) return { kind: "none", why: `no ${carrier} factor covers this date or a time before it` };
  return {
    kind: "provisional",
    factor: latest,
    why: `no factor published for this date; ${latest.id} ${latest.version} is the latest`,
  };
}

function isKnown(factor: EmissionFactor, knownAt_ms: EpochMs): boolean {
  return knownFrom_ms(factor) <= knownAt_ms;
}

function knownFrom_ms({ known_from_ms }: EmissionFactor): EpochMs {
  return known_from_ms ?? Number.NEGATIVE_INFINITY;
}

function preferred(current: EmissionFactor | null, candidate: EmissionFactor): EmissionFactor {
  if (current === null) return candidate;
  const byLevel = LEVEL_ORDER[candidate.level] - LEVEL_ORDER[current.level];
  if (byLevel !== 0) return byLevel < 0 ? candidate : current;
  return knownFrom_ms(candidate) > knownFrom_ms(current) ? candidate : current;
}

/** The newer one; of two for the same time, the one that is preferred there too: a restated figure stands in restated. */
function later(current: EmissionFactor | null, candidate: EmissionFactor): EmissionFactor {
  if (current === null || candidate.valid_from_ms > current.valid_from_ms) return candidate;
  return candidate.valid_from_ms === current.valid_from_ms ? preferred(current, candidate) : current;
}
