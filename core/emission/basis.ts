import type { UnitNotation } from "../units/units.ts";
import { CARRIERS, type CarrierId } from "./carriers.ts";
import type { EmissionFactor, FactorBasis } from "./factor.ts";
import { type Fraction, fraction, fromText, times } from "./fraction.ts";

/**
 * What one unit of an activity is in the basis of its factor: watt-hours, megajoules of fuel (net calorific basis) or
 * kilograms. The one table of conversions; meters and stated activities both go through it.
 */
export interface Properties {
  readonly ncv_MJ_per_Nm3: Fraction | null;
  /** GJ/t = MJ/kg = TJ/Gg. */
  readonly ncv_GJ_per_t: Fraction | null;
  readonly density_kg_per_L: Fraction | null;
}

export const NO_PROPERTIES: Properties = { ncv_MJ_per_Nm3: null, ncv_GJ_per_t: null, density_kg_per_L: null };

export type PerUnit =
  | { readonly kind: "amount"; readonly perUnit: Fraction }
  /** The conversion is known, a property of the fuel is not. */
  | { readonly kind: "lacks"; readonly what: "ncv" | "density" }
  /** This unit can never become that basis. */
  | { readonly kind: "unfit" };

export type EnergyUnit = "Wh" | "kWh" | "MWh" | "GWh" | "MJ" | "GJ" | "TJ";
export type MassUnit = "mg" | "g" | "kg" | "t";

const whole = (n: number): Fraction => fraction(BigInt(n));

/** MJ of one unit of energy; exact: 1 Wh = 0.0036 MJ. */
export const MJ_OF: Readonly<Record<EnergyUnit, Fraction>> = {
  Wh: fraction(36n, 10_000n),
  kWh: fraction(36n, 10n),
  MWh: whole(3600),
  GWh: whole(3_600_000),
  MJ: whole(1),
  GJ: whole(1000),
  TJ: whole(1_000_000),
};

export const KG_OF: Readonly<Record<MassUnit, Fraction>> = {
  mg: fraction(1n, 1_000_000n),
  g: fraction(1n, 1000n),
  kg: whole(1),
  t: whole(1000),
};

/** Litres of one unit of a liquid. */
export const LITRES_OF: Readonly<Partial<Record<UnitNotation, Fraction>>> = { L: whole(1), m3: whole(1000) };

/** Normal cubic metres of one unit: 0 °C and 101.325 kPa; a standard cubic metre is at 15 °C. */
export const NM3_OF: Readonly<Partial<Record<UnitNotation, Fraction>>> = {
  Nm3: whole(1),
  Sm3: fraction(27_315n, 28_815n),
};

const MJ_PER_WH = MJ_OF.Wh;

/** Of what the factor itself brings: its calorific values and its density. */
export function propertiesOf(factor: Pick<EmissionFactor, "ncv" | "otherNcvs" | "density">): Properties {
  const values = [...(factor.ncv === undefined ? [] : [factor.ncv]), ...(factor.otherNcvs ?? [])];
  const ncv = (unit: string): Fraction | null => {
    const found = values.find((value) => value.unit === unit);
    return found === undefined ? null : fromText(found.value);
  };
  return {
    ncv_MJ_per_Nm3: ncv("MJ/Nm3"),
    ncv_GJ_per_t: ncv("GJ/t"),
    density_kg_per_L: factor.density === undefined ? null : fromText(factor.density.value),
  };
}

export function basisPerUnit(
  basis: FactorBasis,
  unit: UnitNotation,
  carrier: CarrierId,
  properties: Properties,
): PerUnit {
  switch (basis) {
    case "energy_Wh": {
      const MJ = energyPerUnit(unit);
      return MJ === null ? { kind: "unfit" } : amount(fraction(MJ.n * MJ_PER_WH.d, MJ.d * MJ_PER_WH.n));
    }
    case "fuel_MJ":
      return fuelPerUnit(unit, carrier, properties);
    case "mass_kg":
      return massPerUnit(unit, carrier, properties);
  }
}

function amount(perUnit: Fraction): PerUnit {
  return { kind: "amount", perUnit };
}

/** MJ of one unit; null if it is no unit of energy. */
export function energyPerUnit(unit: UnitNotation): Fraction | null {
  return Object.hasOwn(MJ_OF, unit) ? MJ_OF[unit as EnergyUnit] : null;
}

function fuelPerUnit(unit: UnitNotation, carrier: CarrierId, properties: Properties): PerUnit {
  const MJ = energyPerUnit(unit);
  if (MJ !== null) return amount(MJ);
  const Nm3 = NM3_OF[unit];
  if (Nm3 !== undefined) {
    return properties.ncv_MJ_per_Nm3 === null
      ? { kind: "lacks", what: "ncv" }
      : amount(times(Nm3, properties.ncv_MJ_per_Nm3));
  }
  const mass = massPerUnit(unit, carrier, properties);
  if (mass.kind !== "amount") return mass;
  return properties.ncv_GJ_per_t === null
    ? { kind: "lacks", what: "ncv" }
    : amount(times(mass.perUnit, properties.ncv_GJ_per_t));
}

/** kg of one unit. A cubic metre of a gas has no mass until its pressure and temperature are known. */
export function massPerUnit(unit: UnitNotation, carrier: CarrierId, properties: Properties): PerUnit {
  if (Object.hasOwn(KG_OF, unit)) return amount(KG_OF[unit as MassUnit]);
  const litres = CARRIERS[carrier].phase === "liquid" ? LITRES_OF[unit] : undefined;
  if (litres === undefined) return { kind: "unfit" };
  return properties.density_kg_per_L === null
    ? { kind: "lacks", what: "density" }
    : amount(times(litres, properties.density_kg_per_L));
}
