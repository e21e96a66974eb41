import type { EpochMs } from "../reading/reading.ts";
import { type CarrierId, usualUse } from "./carriers.ts";
import type { Constant, EmissionFactor } from "./factor.ts";
import { factorUse, type UseId } from "./uses.ts";

/** How a factor was found, said with every figure. */
export type FactorMatch =
  | { readonly kind: "exact"; readonly factor: EmissionFactor }
  /** None covers the date yet: the latest published one stands in and the result is provisional (product rule, grid factor). */
  | { readonly kind: "provisional"; readonly factor: EmissionFactor; readonly why: string }
  | { readonly kind: "none"; readonly why: string };

/** The same for a stated use, which may have no factor of its own. */
export type UseMatch =
  | FactorMatch
  /** The list has none for this use: that of the carrier's usual use stands in. */
  | { readonly kind: "fallback"; readonly factor: EmissionFactor; readonly why: string };

const LEVEL_ORDER: Readonly<Record<EmissionFactor["level"], number>> = { own: 0, ministry: 1, ipcc: 2 };

/**
 * The factor for activity at `at_ms`, as known at `knownAt_ms`.
 *
 * Order: of this use; covers the date and known then; among those the highest level (own > ministry > IPCC, Circular 38/2023 Art. 18);
 * among those the one known last. If none covers the date, the newest whose validity has ended before it, marked
 * provisional. A date before the first factor has none: guessing backwards is not offered.
 */
export function lookupFactor(
  factors: readonly EmissionFactor[],
  carrier: CarrierId,
  at_ms: EpochMs,
  knownAt_ms: EpochMs,
  use: UseId = usualUse(carrier),
): FactorMatch {
  const wanted = factorUse(use);
  let exact: EmissionFactor | null = null;
  let latest: EmissionFactor | null = null;
  for (const factor of factors) {
    if (factor.carrier !== carrier || !isKnown(factor, knownAt_ms) || factor.valid_from_ms > at_ms) continue;
    if (factor.use !== undefined && factor.use !== wanted) continue;
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

/** As {@link lookupFactor}; where the lists have none for this use, the factor of the carrier's usual use stands in, and that is said. */
export function lookupForUse(
  factors: readonly EmissionFactor[],
  carrier: CarrierId,
  use: UseId,
  at_ms: EpochMs,
  knownAt_ms: EpochMs,
): UseMatch {
  const own = lookupFactor(factors, carrier, at_ms, knownAt_ms, use);
  const usual = usualUse(carrier);
  if (own.kind !== "none" || use === usual) return own;
  const other = lookupFactor(factors, carrier, at_ms, knownAt_ms, usual);
  if (other.kind === "none") return own;
  const { id, version } = other.factor;
  return {
    kind: "fallback",
    factor: other.factor,
    why: `no ${carrier} factor for ${use}; ${id} ${version} (${usual}) stands in`,
  };
}

/** The constant of this id for `at_ms`, as known at `knownAt_ms`: of those that cover the date the one known last; null if none. */
export function lookupConstant(
  constants: readonly Constant[],
  id: string,
  at_ms: EpochMs,
  knownAt_ms: EpochMs,
): Constant | null {
  let found: Constant | null = null;
  for (const constant of constants) {
    if (constant.id !== id || knownFrom_ms(constant) > knownAt_ms || constant.valid_from_ms > at_ms) continue;
    if (constant.valid_to_ms !== null && at_ms >= constant.valid_to_ms) continue;
    if (found === null || knownFrom_ms(constant) > knownFrom_ms(found)) found = constant;
  }
  return found;
}

/** A factor whose day of publication is not verified was not known before its own time began, at least. */
function isKnown({ known_from_ms, valid_from_ms }: EmissionFactor, knownAt_ms: EpochMs): boolean {
  return (known_from_ms ?? valid_from_ms) <= knownAt_ms;
}

function knownFrom_ms({ known_from_ms }: Pick<EmissionFactor, "known_from_ms">): EpochMs {
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
