import type { CarrierId } from "../emission/carriers.ts";
import type { Constant, EmissionFactor, GasId, Refrigerant, RefusedValue } from "../emission/factor.ts";
import type { Fraction } from "../emission/fraction.ts";
import type { UseId } from "../emission/uses.ts";
import type { IntervalFlag } from "../interval/interval.ts";
import type { EpochMs } from "../reading/reading.ts";
import type { QuantityId } from "../units/quantities.ts";
import type { UnitNotation } from "../units/units.ts";
import type { RegisterStretch } from "./registers.ts";

/**
 * An activity: so much of a carrier, used for something, in a period. Metered ones (from intervals) and stated ones (from
 * an invoice, a weighing slip) are the same thing with different provenance, and go through the same calculation.
 */
export interface Activity {
  readonly id: string;
  /** Factory it belongs to; null = the file is about one. */
  readonly site: string | null;
  /** The factory of the same zone that sold it: its emission is already there in scope 1. */
  readonly supplier: string | null;
  readonly carrier: CarrierId;
  readonly use: UseId;
  readonly period: Span;
  readonly amount: Amount;
  readonly conditions: GasConditions | null;
  /** Calorific value of a certificate, MJ/Nm3 or GJ/t. */
  readonly ncv: Figure | null;
  /** Of the delivery note, kg/L. */
  readonly density: Figure | null;
  readonly factor: OwnFactor | null;
  readonly supply: HeatSupply | null;
  readonly mix: RefrigerantMix | null;
  /** Share of the carbon that is biogenic, 0…1; null = as the carrier. */
  readonly biogenicShare: Fraction | null;
  readonly losses: Losses | null;
  /** MWh of on-site generation whose certificates were sold: grid electricity in the market-based figure. */
  readonly certificatesSold_MWh: Fraction | null;
  readonly toe: Figure | null;
  readonly coalGrade: CoalGrade | null;
  readonly maxPower_kW: Fraction | null;
  readonly uncertainty: StatedUncertainty;
  readonly provenance: Provenance;
  /** Why a figure outside its plausibility band is right after all; null = it is refused. */
  readonly accepted: string | null;
}

/** Half-open, UTC. */
export interface Span {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

export type Amount =
  | { readonly kind: "quantity"; readonly value: Fraction; readonly unit: UnitNotation }
  | { readonly kind: "registers"; readonly stretches: readonly RegisterStretch[]; readonly unit: UnitNotation }
  | ({ readonly kind: "life_cycle" } & LifeCycle)
  | ({ readonly kind: "waste_water" } & WasteWater);

/** Refrigerant by the life of the equipment (Circular 38/2023 point 2.2); masses in kg, rates as fractions. */
export interface LifeCycle {
  readonly newCharge_kg: Fraction;
  readonly assemblyLoss: Fraction;
  readonly operatingCharge_kg: Fraction;
  readonly operatingLoss: Fraction;
  readonly disposedCharge_kg: Fraction;
  /** Share of the charge still in the equipment at its end. */
  readonly remaining: Fraction;
  /** Share of that which is recovered. */
  readonly recovered: Fraction;
}

export interface WasteWater {
  /** Organic load into the treatment, kg COD (industrial) or BOD (domestic). */
  readonly load_kg: Fraction;
  readonly sludge_kg: Fraction;
  readonly recovered_CH4_kg: Fraction;
  /** Nitrogen in the effluent, kg N; domestic only. */
  readonly nitrogen_kg: Fraction;
  /** Own values; null = of the national list. */
  readonly b0: Fraction | null;
  readonly mcf: Fraction | null;
}

/** Condition of a gas as it was metered; without it a cubic metre has no mass. */
export interface GasConditions {
  readonly pressure_kPa_abs: Fraction;
  readonly temperature_degC: Fraction;
  /** Compressibility at the meter over that at the reference. */
  readonly zRatio: Fraction;
}

/** A figure the user states, with where it comes from. */
export interface Figure {
  readonly value: Fraction;
  readonly unit: string;
  readonly source: string;
  readonly uncertainty_pct: number | null;
}

/** An emission factor of the file: the supplier's, or an own approved one. Goes before all lists (Circular 38/2023 Art. 18). */
export interface OwnFactor {
  /** mg of gas for one `per` of activity. */
  readonly mgPer: Readonly<Partial<Record<GasId, Fraction>>>;
  readonly per: UnitNotation;
  readonly stated: { readonly value: string; readonly unit: string };
  readonly source: string;
  readonly uncertainty_pct: number | null;
}

/** How bought heat or cold was made: the fall-back where the supplier states no factor. */
export interface HeatSupply {
  /** kJ per kg of steam; null where the heat itself is metered. */
  readonly enthalpy_kJ_per_kg: Fraction | null;
  readonly feedwater_kJ_per_kg: Fraction;
  /** Boiler efficiency as a fraction, or a chiller's coefficient of performance. */
  readonly efficiency: Fraction;
  readonly isCop: boolean;
  readonly inputs: readonly SupplyInput[];
}

export interface SupplyInput {
  readonly carrier: CarrierId;
  /** Share of the energy put in; the shares add up to 1. */
  readonly share: Fraction;
  /** kg CO2 per TJ of the supplier; null = of the lists. */
  readonly ef_kg_per_TJ: Fraction | null;
}

export interface RefrigerantMix {
  readonly name: string;
  /** Own mass fractions; null = by the refrigerant's number. */
  readonly composition: Readonly<Record<string, Fraction>> | null;
}

/** Network losses of bought electricity, scope 3 category 3 (methods §5). */
export type Losses =
  | { readonly kind: "settlement"; readonly k: Fraction; readonly kPp: Fraction; readonly source: string }
  | { readonly kind: "rate"; readonly rate: Fraction; readonly source: string }
  /** The published settlement factors of a voltage level. */
  | { readonly kind: "listed"; readonly voltage: VoltageLevel };

export const VOLTAGE_LEVELS = ["ge_110kv", "22_110kv", "below_22kv"] as const;
export type VoltageLevel = (typeof VOLTAGE_LEVELS)[number];

export const COAL_GRADES = ["cam_1_2", "cam_3_4", "cam_5_6"] as const;
export type CoalGrade = (typeof COAL_GRADES)[number];

/** 95 % half-widths in per cent; null = unknown, which is not zero. */
export interface StatedUncertainty {
  readonly activity_pct: number | null;
  readonly ncv_pct: number | null;
  readonly factor_pct: number | null;
  readonly meter: MeterChain | null;
  /** Two activities measured by one meter err together. */
  readonly meterId: string | null;
}

/** Class limits of the chain, per cent; null = there is none. */
export interface MeterChain {
  readonly meter_pct: number;
  readonly ct_pct: number | null;
  readonly vt_pct: number | null;
  /** limit: the class limit is the half-width; rectangular: u = limit / √3, times 1.96. */
  readonly rule: "limit" | "rectangular";
}

export type Provenance =
  | { readonly kind: "stated"; readonly evidence: string | null }
  | {
      readonly kind: "metered";
      readonly device: string;
      readonly quantity: QuantityId;
      readonly flag: IntervalFlag;
      readonly coverage: number;
    };

/** What is known of factors, at one moment of knowledge. */
export interface Book {
  readonly factors: readonly EmissionFactor[];
  readonly constants: readonly Constant[];
  readonly refrigerants: readonly Refrigerant[];
  readonly refused: readonly RefusedValue[];
  readonly knownAt_ms: EpochMs;
}
