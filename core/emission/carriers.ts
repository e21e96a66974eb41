import type { QuantityId } from "../units/quantities.ts";

/**
 * Energy carriers and materials whose use is accounted. One table: display, colour token of the page, and which counter of
 * a meter is the book quantity. Source of the classes: GHG Protocol Corporate Standard ch. 4, Circular 38/2023/TT-BCT Art. 16.
 */
export interface CarrierRow {
  readonly display: { readonly vi: string; readonly en: string };
  /** Name of the design token `--c-<colour>`. */
  readonly colour: "electricity" | "solar" | "gas" | "liquid" | "coal" | "biomass" | "steam" | "water";
  /** Counters differenced into intervals, the first one being the activity that emits. */
  readonly counters: readonly QuantityId[];
  /** Scope of the emission of a metered import; null = carries no emission of its own. */
  readonly scope: 1 | 2 | null;
}

const row = (
  vi: string,
  en: string,
  colour: CarrierRow["colour"],
  counters: readonly QuantityId[],
  scope: CarrierRow["scope"],
): CarrierRow => ({ display: { vi, en }, colour, counters, scope });

export const CARRIERS = {
  electricity: row(
    "Điện lưới",
    "Grid electricity",
    "electricity",
    ["active_energy_import_total", "active_energy_export_total", "reactive_energy_import_total"],
    2,
  ),
  solar: row("Điện mặt trời", "On-site solar", "solar", ["active_energy_export_total"], null),
  natural_gas: row("Khí tự nhiên", "Natural gas", "gas", ["volume_base_total"], 1),
  water: row("Nước", "Water", "water", ["volume_total_1"], null),
} as const satisfies Record<string, CarrierRow>;

export type CarrierId = keyof typeof CARRIERS;
export const CARRIER_IDS = Object.keys(CARRIERS) as readonly CarrierId[];

/**
 * What a meter stands for in the site's balance.
 * import      drawn across the site's fence: counts in the totals and emits
 * generation  made on site (solar): counts as supply
 * use         a sub-meter or consumer: shown, never added to the site's total
 */
export const METER_ROLES = ["import", "generation", "use"] as const;
export type MeterRole = (typeof METER_ROLES)[number];
