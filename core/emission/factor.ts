import type { EpochMs } from "../reading/reading.ts";
import type { CarrierId } from "./carriers.ts";

/** Gases the books hold. Biogenic CO2 stands outside the scopes (GHG Protocol, methods §2). */
export const GASES = ["co2", "ch4", "n2o", "co2_biogenic"] as const;
export type GasId = (typeof GASES)[number];

export type Confidence = "official" | "secondary" | "recalled";

/**
 * An emission factor as data, bitemporal: `valid_*` says which consumption it applies to, `known_from_ms` when it became
 * known. Source of the order of levels: Circular 38/2023/TT-BCT Art. 18.
 */
export interface EmissionFactor {
  /** e.g. `grid-vn`. */
  readonly id: string;
  /** e.g. `2023`: id and version together name one entry for good. */
  readonly version: string;
  readonly carrier: CarrierId;
  readonly level: "own" | "ministry" | "ipcc";
  readonly valid_from_ms: EpochMs;
  /** Exclusive; null = open. */
  readonly valid_to_ms: EpochMs | null;
  /** null = the day of publication is not verified; treated as always known. */
  readonly known_from_ms: EpochMs | null;
  /** What one unit of activity is: a watt-hour, or a megajoule of fuel (net calorific basis). */
  readonly basis: "energy_Wh" | "fuel_MJ";
  /** mg of gas per unit of the basis, exact decimals. (0.6592 tCO2/MWh = 659.2 mg/Wh; kg/TJ = mg/MJ.) */
  readonly mg_per_basis: Readonly<Partial<Record<GasId, string>>>;
  /** The figure as the document states it. */
  readonly stated: { readonly value: string; readonly unit: string };
  /** Fallback calorific value where the site has no certificate. */
  readonly ncv?: {
    readonly value: string;
    readonly unit: "MJ/Nm3";
    readonly source: string;
    readonly confidence: Confidence;
  };
  readonly document: string;
  readonly sources: readonly string[];
  readonly confidence: Confidence;
  readonly uncertainty_pct: number | null;
}

/** 100-year global warming potentials of one IPCC report; a parameter of the view, never mixed. */
export interface GwpSet {
  readonly id: "AR4" | "AR5" | "AR6";
  /** kg CO2e per kg of gas from combustion, exact decimals. */
  readonly gwp: Readonly<Record<"co2" | "ch4" | "n2o", string>>;
  readonly sources: readonly string[];
  readonly confidence: Confidence;
}
