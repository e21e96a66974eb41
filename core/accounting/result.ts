import type { Confidence } from "../emission/factor.ts";
import type { Fraction } from "../emission/fraction.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity, Span } from "./activity.ts";
import type { Step } from "./chain.ts";
import type { Masses } from "./co2e.ts";

/** What one activity comes to. Masses are whole milligrams, rounded once, half-even; everything else is exact. */
export interface ActivityResult {
  readonly activity: Activity;
  /** null = it carries no emission of its own (solar, water, energy fed back). */
  readonly scope: 1 | 2 | null;
  readonly amount: { readonly value: Fraction; readonly unit: UnitNotation };
  readonly energy_TJ: Fraction | null;
  readonly mass_t: Fraction | null;
  readonly volume_Nm3: Fraction | null;
  /** One for each stretch of the period with a factor of its own. */
  readonly parts: readonly Part[];
  readonly mg: Masses;
  readonly toe: ToeResult | null;
  readonly losses: LossResult | null;
  readonly uncertainty: UncertaintyInputs;
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
  /** Figures on the way that belong to this kind of activity: register counts, steam factor, CH4 formed. */
  readonly details: Readonly<Record<string, Fraction | string | boolean>>;
}

export interface Part {
  readonly span: Span;
  /** In the activity's unit. */
  readonly amount: Fraction;
  readonly factor: FactorUsed;
  readonly mg: Masses;
}

/** Which factor was used, and how it was found. */
export interface FactorUsed {
  readonly id: string;
  /** null for a figure of the file. */
  readonly version: string | null;
  readonly match: "exact" | "provisional" | "fallback" | "own";
  /** Why it is not exact; null if it is. */
  readonly why: string | null;
  readonly value: string;
  readonly unit: string;
  readonly source: string;
  readonly confidence: Confidence | "stated";
  readonly level: "own" | "ministry" | "ipcc";
}

export interface ToeResult {
  readonly value: Fraction;
  /** Coefficient and its document, or how it was worked out without one. */
  readonly how: string;
}

export interface LossResult {
  readonly rate: Fraction;
  readonly lost_MWh: Fraction;
  readonly mg: Masses;
}

/** Half-widths that make up the uncertainty of the activity's CO2e; null = unknown. */
export interface UncertaintyInputs {
  readonly activity_pct: number | null;
  /** Names what is shared: two activities with the same key err together. */
  readonly activityKey: string;
  /** null key = no calorific value was used. */
  readonly ncv: { readonly pct: number | null; readonly key: string } | null;
  /** Per gas half-widths of the factor, for weighting by the GWP set, or one figure for all. */
  readonly factor: FactorUncertainty | null;
}

export interface FactorUncertainty {
  readonly key: string;
  readonly pct: number | null;
  /** By gas, where one figure for all is not stated. */
  readonly byGas: Readonly<Record<string, number | null>> | null;
}
