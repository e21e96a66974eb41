import type { Emission } from "../../core/emission/emission.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import type { StoredEmission, StoredInterval, ZoneStore } from "../store/store.ts";

/** Entries in force of one interval: one a gas. */
const EMISSIONS_MAX = 16;

export function entriesInForce(
  { gateway, device, from_ms, to_ms }: StoredInterval,
  store: Pick<ZoneStore, "emissions">,
): readonly StoredEmission[] {
  return store.emissions(gateway, device, from_ms, to_ms, EMISSIONS_MAX);
}

/** Those of the factors, in their versions, that the entries were calculated with. */
export function factorsOf(entries: readonly Emission[], factors: readonly EmissionFactor[]): readonly EmissionFactor[] {
  const used: EmissionFactor[] = [];
  // In the order of the factors, and each once.
  for (const factor of factors) {
    for (const { factorId, factorVersion } of entries) {
      if (factorId !== factor.id || factorVersion !== factor.version) continue;
      used.push(factor);
      break;
    }
  }
  return used;
}
