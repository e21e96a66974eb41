import { basisPerUnit, energyPerUnit, massPerUnit, NM3_OF, type PerUnit, type Properties } from "../emission/basis.ts";
import { CARRIERS, type CarrierId } from "../emission/carriers.ts";
import { type Fraction, fraction, fromText, minus, over, plus, product, times } from "../emission/fraction.ts";
import { UNITS, type UnitNotation } from "../units/units.ts";
import type { Activity, GasConditions } from "./activity.ts";
import { input, type Step, step } from "./chain.ts";
import { refuse } from "./refuse.ts";

/** Units an activity of each kind may be stated in. */
const ENERGY = ["Wh", "kWh", "MWh", "GWh"] as const;
const HEAT = [...ENERGY, "MJ", "GJ", "TJ"] as const;
const MASS = ["kg", "t"] as const;

export function unitsOf(carrier: CarrierId): readonly UnitNotation[] {
  const { kind, phase } = CARRIERS[carrier];
  switch (kind) {
    case "electricity":
    case "own_power":
      return ENERGY;
    case "heat":
      return carrier === "purchased_steam" ? [...MASS, ...HEAT] : HEAT;
    case "fuel":
      if (phase === "gas") return ["Nm3", "Sm3", "m3", ...MASS, "MJ", "GJ", "TJ"];
      if (carrier === "lpg") return [...MASS, "L", "m3", "Nm3", "MJ", "GJ", "TJ"];
      return phase === "liquid" ? ["L", "m3", ...MASS, "MJ", "GJ", "TJ"] : [...MASS, "MJ", "GJ", "TJ"];
    case "refrigerant":
    case "leak":
      return ["g", ...MASS];
    case "process":
    case "waste":
      return MASS;
    case "waste_water":
      return MASS;
    case "none":
      return ["m3", "L"];
  }
}

const KELVIN = fromText("273.15");
const NORMAL_KPA = fromText("101.325");

/**
 * Volume at 0 °C and 101.325 kPa (methods §1, W04). A volume that a flow computer already converted must not be converted
 * again, and one that nobody converted must not be taken for normal cubic metres.
 */
export function normalVolume(
  volume_m3: Fraction,
  c: GasConditions,
): { readonly volume_Nm3: Fraction; readonly step: Step } {
  const kelvin = plus(KELVIN, c.temperature_degC);
  const volume_Nm3 = over(product(volume_m3, over(c.pressure_kPa_abs, NORMAL_KPA), over(KELVIN, kelvin)), c.zRatio);
  return {
    volume_Nm3,
    step: step(
      "normal volume",
      "V_n = V × (p / 101.325) × (273.15 / (273.15 + t)) / z",
      [
        input("V", volume_m3, "m3", "activity"),
        input("p", c.pressure_kPa_abs, "kPa", "condition at the meter, absolute"),
        input("t", c.temperature_degC, "degC", "condition at the meter"),
        input("z", c.zRatio, "1", "compressibility at the meter over the reference"),
      ],
      volume_Nm3,
      "Nm3",
    ),
  };
}

/** Amount and unit as they go into the factor: gas at normal conditions. */
export function normalised(
  activity: Activity,
  value: Fraction,
  unit: UnitNotation,
): {
  readonly value: Fraction;
  readonly unit: UnitNotation;
  readonly steps: readonly Step[];
} {
  const isGas = CARRIERS[activity.carrier].phase === "gas";
  if (isGas && unit === "m3") {
    if (activity.conditions === null) {
      refuse(
        "conditions",
        "is missing: a cubic metre as metered is no normal cubic metre; give pressure and temperature, or unit Nm3 (0 °C) or Sm3 (15 °C) if the flow computer converts already",
      );
    }
    const { volume_Nm3, step: made } = normalVolume(value, activity.conditions);
    return { value: volume_Nm3, unit: "Nm3", steps: [made] };
  }
  if (activity.conditions !== null) {
    refuse(
      "conditions",
      isGas
        ? `${unit} is converted already: leave conditions out, or give unit m3 if this is the volume as metered (never convert twice)`
        : `belongs to gas metered in m3, not to ${activity.carrier} in ${unit}`,
    );
  }
  return { value, unit, steps: [] };
}

/** How many `to` one `from` is. */
export function unitRatio(from: UnitNotation, to: UnitNotation, carrier: CarrierId, properties: Properties): PerUnit {
  if (from === to) return { kind: "amount", perUnit: fraction(1n) };
  const hubs: readonly ((unit: UnitNotation) => PerUnit)[] = [
    (unit) => found(energyPerUnit(unit)),
    (unit) => found(NM3_OF[unit] ?? null),
    (unit) => massPerUnit(unit, carrier, properties),
    (unit) => basisPerUnit("fuel_MJ", unit, carrier, properties),
  ];
  let lacks: PerUnit | null = null;
  for (const hub of hubs) {
    const [a, b] = [hub(from), hub(to)];
    if (a.kind === "amount" && b.kind === "amount") return { kind: "amount", perUnit: over(a.perUnit, b.perUnit) };
    if (a.kind !== "unfit" && b.kind !== "unfit") lacks ??= a.kind === "lacks" ? a : b;
  }
  return lacks ?? { kind: "unfit" };
}

function found(perUnit: Fraction | null): PerUnit {
  return perUnit === null ? { kind: "unfit" } : { kind: "amount", perUnit };
}

/** Calorific values and density: the file's own before those of the factor. */
export function properties(activity: Activity, listed: Properties): Properties {
  const { ncv, density } = activity;
  return {
    ncv_MJ_per_Nm3: ncv?.unit === "MJ/Nm3" ? ncv.value : listed.ncv_MJ_per_Nm3,
    ncv_GJ_per_t: ncv?.unit === "GJ/t" ? ncv.value : listed.ncv_GJ_per_t,
    density_kg_per_L: density?.value ?? listed.density_kg_per_L,
  };
}

/** The amount of a conversion, or a refusal that says what is missing. */
export function amountOf(perUnit: PerUnit, activity: Activity, unit: UnitNotation, wanted: string): Fraction {
  if (perUnit.kind === "amount") return perUnit.perUnit;
  if (perUnit.kind === "lacks") {
    refuse(
      perUnit.what,
      perUnit.what === "ncv"
        ? `is missing: no list has a net calorific value of ${activity.carrier} for ${unit}; give ncv: {value, unit: ${CARRIERS[activity.carrier].phase === "gas" || unit === "Nm3" ? "MJ/Nm3" : "GJ/t"}, source}`
        : `is missing: no list has a density of ${activity.carrier}; give density: {value, unit: kg/L, source}, or state the mass`,
    );
  }
  return refuse("unit", `${UNITS[unit].notation} of ${activity.carrier} cannot be turned into ${wanted}`);
}

/** MJ in TJ. */
export function inTJ(MJ: Fraction): Fraction {
  return times(MJ, fraction(1n, 1_000_000n));
}

/** Hours of a span. */
export function hoursOf({ from_ms, to_ms }: Activity["period"]): Fraction {
  return fraction(BigInt(to_ms - from_ms), 3_600_000n);
}

/** 1 − a. */
export function rest(share: Fraction): Fraction {
  return minus(fraction(1n), share);
}
