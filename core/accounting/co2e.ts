import type { FullGwpSet, Refrigerant } from "../emission/factor.ts";
import { type Fraction, fraction, fromText, plus, times, ZERO } from "../emission/fraction.ts";
import { refuse } from "./refuse.ts";

/** Whole milligrams by gas: co2, co2_biogenic, ch4, ch4_fossil, n2o, and fluorinated gases by their names (HFC32, SF6, R-290). */
export type Masses = Readonly<Record<string, bigint>>;

/** Methane from fossil sources that was not burnt: AR6 gives it a figure of its own. */
export const CH4_FOSSIL = "ch4_fossil";

/** kg CO2e per kg of a gas under one set; biogenic CO2 is outside the scopes and weighs nothing. */
export function gwpOf(gas: string, set: FullGwpSet, refrigerants: readonly Refrigerant[]): Fraction {
  if (gas === "co2_biogenic") return ZERO;
  if (gas === CH4_FOSSIL) return fromText(set.ch4_fossil_fugitive);
  if (gas === "co2" || gas === "ch4" || gas === "n2o") return fromText(set.gwp[gas]);
  const listed = Object.hasOwn(set.others, gas)
    ? set.others[gas]
    : refrigerants.find(({ id }) => id === gas)?.gwp?.[set.id];
  if (typeof listed === "string") return fromText(listed);
  return refuse(
    "refrigerant",
    `${set.id} has no warming potential for ${gas} (allowed with ${set.id}: ${known(set, refrigerants)})`,
  );
}

function known(set: FullGwpSet, refrigerants: readonly Refrigerant[]): string {
  return [
    ...Object.keys(set.others),
    ...refrigerants.filter(({ gwp }) => gwp?.[set.id] != null).map(({ id }) => id),
  ].join(", ");
}

/** CO2e of gas masses in mg, exact. */
export function co2eOf(masses: Masses, set: FullGwpSet, refrigerants: readonly Refrigerant[]): Fraction {
  let total = ZERO;
  for (const [gas, mg] of Object.entries(masses))
    total = plus(total, times(fraction(mg), gwpOf(gas, set, refrigerants)));
  return total;
}

export function addMasses(all: readonly Masses[]): Masses {
  const total: Record<string, bigint> = {};
  for (const masses of all) for (const [gas, mg] of Object.entries(masses)) total[gas] = (total[gas] ?? 0n) + mg;
  return total;
}
