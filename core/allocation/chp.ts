/**
 * Emissions of a combined heat and power plant, divided between its heat and its power (methods §4, W11).
 *
 * Source   GHG Protocol, allocation of emissions from a combined heat and power plant; default efficiencies recalled.
 * Rule     one method per plant, disclosed, kept for all years.
 */
export type ChpMethod =
  /** By the fuel that heat and power would need apart: the GHG Protocol's default. */
  | { readonly kind: "efficiency"; readonly heat: number; readonly power: number }
  /** By energy delivered. */
  | { readonly kind: "energy-content" }
  /** By the work that heat could do: its energy × (1 − surroundings / supply), temperatures in kelvin. */
  | { readonly kind: "work-potential"; readonly surroundings_K: number; readonly supply_K: number };

export const CHP_DEFAULT: ChpMethod = { kind: "efficiency", heat: 0.8, power: 0.35 };

/** 1 MWh = 0.0036 TJ, exactly. */
export const TJ_PER_MWH = 0.0036;

export interface ChpShare {
  readonly heatShare: number;
  readonly powerShare: number;
}

/** @throws {RangeError} for a plant without output, efficiencies that are no fractions, heat colder than its surroundings. */
export function chpShare(heat_TJ: number, power_TJ: number, method: ChpMethod): ChpShare {
  if (!(heat_TJ >= 0 && power_TJ >= 0 && heat_TJ + power_TJ > 0)) {
    throw new RangeError(`a plant with ${heat_TJ} TJ of heat and ${power_TJ} TJ of power`);
  }
  const [heat, power] = weights(heat_TJ, power_TJ, method);
  if (!(heat + power > 0)) throw new RangeError("the method gives neither heat nor power any weight");
  const heatShare = heat / (heat + power);
  return { heatShare, powerShare: 1 - heatShare };
}

function weights(heat_TJ: number, power_TJ: number, method: ChpMethod): readonly [number, number] {
  if (method.kind === "energy-content") return [heat_TJ, power_TJ];
  if (method.kind === "efficiency") {
    assertFraction("heat efficiency", method.heat);
    assertFraction("power efficiency", method.power);
    return [heat_TJ / method.heat, power_TJ / method.power];
  }
  const { surroundings_K, supply_K } = method;
  if (!(surroundings_K > 0 && supply_K > surroundings_K)) {
    throw new RangeError(`heat at ${supply_K} K in surroundings of ${surroundings_K} K does no work`);
  }
  return [heat_TJ * (1 - surroundings_K / supply_K), power_TJ];
}

function assertFraction(name: string, value: number): void {
  if (!(value > 0 && value <= 1)) throw new RangeError(`${name} of ${value} is no fraction: 85 % is 0.85`);
}
