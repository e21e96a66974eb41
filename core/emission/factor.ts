import type { EpochMs } from "../reading/reading.ts";
import type { CarrierId } from "./carriers.ts";
import type { UseId } from "./uses.ts";

/** Gases the books hold. Biogenic CO2 stands outside the scopes (GHG Protocol, methods §2). */
export const GASES = ["co2", "ch4", "n2o", "co2_biogenic"] as const;
export type GasId = (typeof GASES)[number];

export type Confidence = "official" | "secondary" | "recalled";

/** A net calorific value with its origin. */
export interface CalorificValue {
  readonly value: string;
  readonly unit: "MJ/Nm3" | "GJ/t";
  readonly source: string;
  readonly confidence: Confidence;
  /** Half width of the 95 % interval; absent = not known. */
  readonly uncertainty_pct?: number;
  /** Its limits, which need not lie evenly. */
  readonly bounds?: Bounds;
}

/** A density with its origin: a fall-back where the delivery note states none. */
export interface Density {
  readonly value: string;
  readonly unit: "kg/L";
  readonly source: string;
  readonly confidence: Confidence;
}

/**
 * An emission factor as data, bitemporal: `valid_*` says which consumption it applies to, `known_from_ms` when it became
 * known. Source of the order of levels: Circular 38/2023/TT-BCT Art. 18.
 */
export interface EmissionFactor {
  /** e.g. `grid-vn`. */
  readonly id: string;
  /** e.g. `2023`: id and version together name one entry for good, with the calorific value and density it is used with. */
  readonly version: string;
  readonly carrier: CarrierId;
  /** What the carrier is used for; absent = anything. */
  readonly use?: UseId;
  readonly level: "own" | "ministry" | "ipcc";
  readonly valid_from_ms: EpochMs;
  /** Exclusive; null = open. */
  readonly valid_to_ms: EpochMs | null;
  /** null = the day of publication is not verified; treated as always known. */
  readonly known_from_ms: EpochMs | null;
  /** What one unit of activity is: a watt-hour, a megajoule of fuel (net calorific basis), a kilogram of material. */
  readonly basis: FactorBasis;
  /** mg of gas per unit of the basis, exact decimals. (0.6592 tCO2/MWh = 659.2 mg/Wh; kg/TJ = mg/MJ; kg/t = 1000 mg/kg.) */
  readonly mg_per_basis: Readonly<Partial<Record<GasId, string>>>;
  /** The figure as the document states it. */
  readonly stated: { readonly value: string; readonly unit: string };
  /** Fallback calorific value where the site has no certificate. */
  readonly ncv?: CalorificValue;
  /** The same in another unit: natural gas is sold by volume and by mass. */
  readonly otherNcvs?: readonly CalorificValue[];
  readonly density?: Density;
  readonly document: string;
  readonly sources: readonly string[];
  readonly confidence: Confidence;
  /** Half width of the 95 % interval of the CO2 figure; null = not published, which is not zero. */
  readonly uncertainty_pct: number | null;
  /** 95 % limits per gas, in the unit stated. */
  readonly bounds?: Readonly<Partial<Record<GasId, Bounds>>>;
}

export type FactorBasis = "energy_Wh" | "fuel_MJ" | "mass_kg";

export interface Bounds {
  readonly lower: string;
  readonly upper: string;
}

/**
 * A figure that is no emission factor: coefficient, density, threshold, accuracy class. Bitemporal like a factor.
 * `value` null with a `note` is a figure that was looked for and not found: nobody shall fill it in by guessing.
 */
export interface Constant {
  /** e.g. `toe.diesel.per_t`. */
  readonly id: string;
  readonly value: string | null;
  readonly range: { readonly from: string; readonly to: string } | null;
  readonly unit: string;
  readonly valid_from_ms: EpochMs;
  readonly valid_to_ms: EpochMs | null;
  readonly known_from_ms: EpochMs | null;
  readonly document: string;
  readonly sources: readonly string[];
  readonly confidence: Confidence;
  readonly note: string | null;
}

export const GWP_SET_IDS = ["AR4", "AR5", "AR6"] as const;
export type GwpSetId = (typeof GWP_SET_IDS)[number];

/** 100-year global warming potentials of one IPCC report; a parameter of the view, never mixed. */
export interface GwpSet {
  readonly id: GwpSetId;
  /** kg CO2e per kg of gas from combustion, exact decimals. */
  readonly gwp: Readonly<Record<"co2" | "ch4" | "n2o", string>>;
  readonly sources: readonly string[];
  readonly confidence: Confidence;
}

/** A set with everything the report gives: other gases, and methane that leaks, which weighs more in AR6. */
export interface FullGwpSet extends GwpSet {
  readonly ch4_fossil_fugitive: string;
  /** By gas: HFC32, SF6, … */
  readonly others: Readonly<Record<string, string>>;
  readonly document: string;
}

/** A refrigerant by its ASHRAE 34 number: a gas, a blend of gases by mass, or a natural one with a figure of its own. */
export interface Refrigerant {
  /** e.g. `R-410A`. */
  readonly id: string;
  /** Mass fractions of gases of the sets, exact decimals that add up to 1. */
  readonly composition: Readonly<Record<string, string>> | null;
  /** For those that the sets do not list; null = the report has none. */
  readonly gwp: Readonly<Record<GwpSetId, string | null>> | null;
  readonly document: string;
  readonly sources: readonly string[];
  readonly confidence: Confidence;
  readonly note: string | null;
}

/** A figure that must never be used, and why. */
export interface RefusedValue {
  readonly value: string;
  readonly carrier: CarrierId;
  readonly why: string;
}
