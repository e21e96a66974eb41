import type { QuantityId } from "../units/quantities.ts";
import type { UseId } from "./uses.ts";

/**
 * What a carrier is, which says how its emissions are worked out.
 *
 * fuel           burnt on site: energy × factor per gas (methods §2)
 * electricity    grid power, drawn or fed back (methods §3)
 * own_power      made on site: no emission of its own, its fuel has it
 * heat           steam, heat or cold bought from a supplier (methods §3)
 * refrigerant    leaks by mass of gas
 * leak           fossil methane that escapes unburnt, by mass; weighs more than burnt methane in AR6
 * process        tonnes of product
 * waste          tonnes of waste treated
 * waste_water    kilograms of COD or BOD treated
 * none           accounted as an amount, emits nothing here
 */
export type CarrierKind =
  | "fuel"
  | "electricity"
  | "own_power"
  | "heat"
  | "refrigerant"
  | "leak"
  | "process"
  | "waste"
  | "waste_water"
  | "none";

/**
 * Energy carriers and materials whose use is accounted, metered or stated. One table: display, colour token of the page,
 * which counter of a meter is the book quantity. Source of the classes: GHG Protocol Corporate Standard ch. 4, Circular
 * 38/2023/TT-BCT Art. 16.
 */
export interface CarrierRow {
  readonly display: { readonly vi: string; readonly en: string };
  readonly kind: CarrierKind;
  /** Name of the design token `--c-<colour>`. */
  readonly colour: "electricity" | "solar" | "gas" | "liquid" | "coal" | "biomass" | "steam" | "water";
  /** Counters differenced into intervals, the first one being the activity that emits; empty = it has no meters. */
  readonly counters: readonly QuantityId[];
  /** Scope of the emission of a metered import; null = carries no emission of its own. */
  readonly scope: 1 | 2 | null;
  /** What it may be used for, the usual one first. */
  readonly uses: readonly [UseId, ...UseId[]];
  /** State in which fuels are delivered: decides which conversions make sense. */
  readonly phase: "solid" | "liquid" | "gas" | null;
  /** Its carbon was in the air a few years ago: CO2 is a memo item outside the scopes. */
  readonly isBiogenic: boolean;
}

type Rest = Partial<Pick<CarrierRow, "counters" | "uses" | "phase" | "isBiogenic">>;

const row = (
  vi: string,
  en: string,
  kind: CarrierKind,
  colour: CarrierRow["colour"],
  scope: CarrierRow["scope"],
  rest: Rest = {},
): CarrierRow => ({
  display: { vi, en },
  kind,
  colour,
  scope,
  counters: rest.counters ?? [],
  uses: rest.uses ?? ["supply"],
  phase: rest.phase ?? null,
  isBiogenic: rest.isBiogenic ?? false,
});

const STATIONARY = ["stationary", "genset", "energy_industry", "commercial"] as const;
const ENGINE = [...STATIONARY, "mobile", "mobile_rail", "mobile_water"] as const;

const fuel = (
  vi: string,
  en: string,
  colour: CarrierRow["colour"],
  phase: "solid" | "liquid" | "gas",
  rest: Rest = {},
): CarrierRow => row(vi, en, "fuel", colour, 1, { uses: STATIONARY, phase, ...rest });

const LITRES = { counters: ["fuel_used_total"], uses: ENGINE } as const;
const NORMAL_M3 = { counters: ["volume_base_total"], uses: ENGINE } as const;
const BIOGENIC = { isBiogenic: true } as const;
const PURCHASED = ["purchased"] as const;

export const CARRIERS = {
  electricity: row("Điện lưới", "Grid electricity", "electricity", "electricity", 2, {
    counters: ["active_energy_import_total", "active_energy_export_total", "reactive_energy_import_total"],
    uses: ["import", "direct", "export"],
  }),
  solar: row("Điện mặt trời", "On-site solar", "own_power", "solar", null, {
    counters: ["active_energy_export_total"],
    uses: ["generation"],
  }),
  genset_electricity: row("Điện máy phát", "Genset power", "own_power", "liquid", null, {
    counters: ["active_energy_export_total"],
    uses: ["generation"],
  }),
  natural_gas: fuel("Khí tự nhiên", "Natural gas", "gas", "gas", NORMAL_M3),
  lpg: fuel("LPG", "LPG", "gas", "liquid", NORMAL_M3),
  diesel: fuel("Dầu DO", "Diesel oil", "liquid", "liquid", LITRES),
  fuel_oil: fuel("Dầu FO", "Fuel oil", "liquid", "liquid", LITRES),
  gasoline: fuel("Xăng", "Motor gasoline", "liquid", "liquid", LITRES),
  kerosene: fuel("Dầu hỏa", "Kerosene", "liquid", "liquid", LITRES),
  crude_oil: fuel("Dầu thô", "Crude oil", "liquid", "liquid"),
  waste_oils: fuel("Dầu thải", "Waste oils", "liquid", "liquid"),
  anthracite: fuel("Than antraxit", "Anthracite", "coal", "solid"),
  coking_coal: fuel("Than mỡ", "Coking coal", "coal", "solid"),
  bituminous: fuel("Than bitum", "Other bituminous coal", "coal", "solid"),
  sub_bituminous: fuel("Than á bitum", "Sub-bituminous coal", "coal", "solid"),
  lignite: fuel("Than nâu", "Lignite", "coal", "solid"),
  petroleum_coke: fuel("Cốc dầu mỏ", "Petroleum coke", "coal", "solid"),
  coke: fuel("Than cốc", "Coke oven coke", "coal", "solid"),
  wood: fuel("Gỗ, củi", "Wood and wood waste", "biomass", "solid", BIOGENIC),
  biomass: fuel(
    "Sinh khối rắn (trấu, bã mía, viên nén)",
    "Solid biomass (husk, bagasse, pellets)",
    "biomass",
    "solid",
    BIOGENIC,
  ),
  charcoal: fuel("Than củi", "Charcoal", "biomass", "solid", BIOGENIC),
  biogas: fuel("Khí sinh học", "Biogas", "biomass", "gas", { counters: ["volume_base_total"], ...BIOGENIC }),
  purchased_steam: row("Hơi mua", "Purchased steam", "heat", "steam", 2, {
    counters: ["thermal_energy_total_mode1"],
    uses: PURCHASED,
  }),
  purchased_heat: row("Nhiệt mua", "Purchased heat", "heat", "steam", 2, {
    counters: ["thermal_energy_total_mode1"],
    uses: PURCHASED,
  }),
  purchased_chilled_water: row("Nước lạnh mua", "Purchased chilled water", "heat", "water", 2, {
    counters: ["thermal_energy_total_mode2"],
    uses: PURCHASED,
  }),
  water: row("Nước", "Water", "none", "water", null, { counters: ["volume_total_1"] }),
  refrigerant: row("Môi chất lạnh", "Refrigerant", "refrigerant", "gas", 1, { uses: ["top_up", "life_cycle"] }),
  methane_leak: row("Rò rỉ khí mê-tan hóa thạch", "Leak of fossil methane", "leak", "gas", 1),
  process: row("Quá trình công nghiệp", "Industrial process", "process", "coal", 1, {
    uses: [
      "other",
      "clinker",
      "lime_high_calcium",
      "lime_dolomitic",
      "glass_float",
      "steel_bof",
      "steel_eaf",
      "nitric_acid",
    ],
  }),
  waste: row("Xử lý chất thải", "Waste treatment", "waste", "biomass", 1, {
    uses: [
      "composting",
      "anaerobic_digestion",
      "incineration_continuous_stoker",
      "incineration_continuous_fluidised",
      "incineration_semi_continuous_stoker",
      "incineration_semi_continuous_fluidised",
      "incineration_batch_stoker",
      "incineration_batch_fluidised",
    ],
  }),
  waste_water: row("Nước thải công nghiệp", "Industrial waste water", "waste_water", "water", 1, {
    uses: ["centralised_aerobic", "semi_aerobic_shallow_anaerobic", "deep_anaerobic", "untreated_to_water"],
  }),
  domestic_waste_water: row("Nước thải sinh hoạt", "Domestic waste water", "waste_water", "water", 1, {
    uses: ["centralised_aerobic", "septic", "untreated_to_water"],
  }),
} as const satisfies Record<string, CarrierRow>;

export type CarrierId = keyof typeof CARRIERS;
export const CARRIER_IDS = Object.keys(CARRIERS) as readonly CarrierId[];

/** Carriers that a meter of ours can book; the others are stated, with evidence. */
export const METERED_CARRIER_IDS: readonly CarrierId[] = CARRIER_IDS.filter((id) => CARRIERS[id].counters.length > 0);

/** Other names people write for a carrier. */
export const CARRIER_ALIASES: Readonly<Record<string, CarrierId>> = {
  grid_electricity: "electricity",
  motor_gasoline: "gasoline",
  petrol: "gasoline",
  residual_fuel_oil: "fuel_oil",
  coke_oven_coke: "coke",
  other_solid_biomass: "biomass",
  rice_husk: "biomass",
  wastewater: "waste_water",
  steam: "purchased_steam",
};

/** What it is used for when nothing else is said. */
export function usualUse(carrier: CarrierId): UseId {
  return CARRIERS[carrier].uses[0];
}

/**
 * What a meter stands for in the site's balance.
 * import      drawn across the site's fence: counts in the totals and emits
 * generation  made on site (solar): counts as supply
 * use         a sub-meter or consumer: shown, never added to the site's total
 */
export const METER_ROLES = ["import", "generation", "use"] as const;
export type MeterRole = (typeof METER_ROLES)[number];
