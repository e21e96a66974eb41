import type { UnitNotation } from "../../core/units/units.ts";

/** Units that differ only by a factor, so a register in one may carry a quantity kept in another. */
const FAMILIES: readonly (readonly UnitNotation[])[] = [
  ["W", "kW", "MW"],
  ["Wh", "kWh", "MWh"],
  ["varh", "kvarh"],
  ["VAh", "kVAh"],
  ["m3", "L"],
  ["m3/h", "l/s"],
  ["bar", "kPa"],
];

/**
 * May a register in `unit` carry a quantity kept in `wanted`? `count` is allowed for volumes: what a count is worth comes
 * from the site's `m3_per_count`.
 */
export function unitFits(unit: UnitNotation, wanted: UnitNotation): boolean {
  if (unit === wanted) return true;
  if (unit === "count") return wanted === "m3" || wanted === "Nm3";
  return FAMILIES.some((family) => family.includes(unit) && family.includes(wanted));
}

/** The units a register of this quantity may have, for messages. */
export function fittingUnits(wanted: UnitNotation): readonly UnitNotation[] {
  const family = FAMILIES.find((units) => units.includes(wanted)) ?? [wanted];
  return wanted === "m3" || wanted === "Nm3" ? [...family, "count"] : family;
}
