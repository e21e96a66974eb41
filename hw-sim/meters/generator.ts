import type { QuantityId } from "../../core/units/quantities.ts";
import type { Load } from "../profiles/electric.ts";
import { type ElectricSite, electricity } from "./electricity.ts";
import type { Physics } from "./physics.ts";

/**
 * What a generator's own instruments see: power is positive while it generates, and what it generates counts as export. What
 * it draws itself (a load below zero) is negative power and counts as import.
 */
export function generated(load: Extract<Load, { kind: "electric" }>, site: ElectricSite): Physics {
  const { counters, gauges } = electricity(load, site);
  const turned = [...counters].map(([quantity, counter]) => [turnedRound(quantity), counter] as const);
  return { counters: new Map(turned), gauges };
}

function turnedRound(quantity: QuantityId): QuantityId {
  return quantity.replace(
    /^(active_energy|apparent_energy)_(import|export)/,
    (_all, kind, way) => `${kind}_${way === "import" ? "export" : "import"}`,
  ) as QuantityId;
}
