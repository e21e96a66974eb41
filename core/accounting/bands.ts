import type { Properties } from "../emission/basis.ts";
import { CARRIERS, type CarrierId } from "../emission/carriers.ts";
import type { EmissionFactor } from "../emission/factor.ts";
import { type Fraction, fraction, fractionNumber, fractionText, over, times } from "../emission/fraction.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity } from "./activity.ts";
import { unitRatio } from "./convert.ts";
import { refuse } from "./refuse.ts";

/**
 * Plausibility bands (methods §11): a figure outside its band is refused with the mistake that most likely made it, unless
 * the author says why it is right (`accept`). They catch what arithmetic cannot: kWh for MWh, litres for kilograms, 85 for
 * 0.85, a divisor of 1e6 for 1e9, 0.086 for 0.1543.
 */
interface Band {
  readonly from: number;
  readonly to: number;
}

/** The mistake in one value, or null if the band holds it. */
function outside(value: number, { from, to }: Band): "below" | "above" | null {
  return value < from ? "below" : value > to ? "above" : null;
}

/** Refuses unless the author accepted it; then the note is the reason. */
function judge(activity: Activity, key: string, message: string): void {
  if (activity.accepted === null) {
    refuse(key, `${message}; if it is right, say why with accept: "…"`);
  }
}

const near = (value: number, target: number): boolean => value > target * 0.8 && value < target * 1.25;

/** A factor a thousand times off is a unit mistake; the message names the usual ones. */
function thousandfold(ratio: number): string {
  if (near(ratio, 1e3)) return "1000 times too large: kg written as t, or per kWh as per MWh?";
  if (near(ratio, 1e-3)) return "1000 times too small: t written as kg, or per MWh as per kWh?";
  if (near(ratio, 1e6)) return "1,000,000 times too large: g written as t?";
  if (near(ratio, 1e-6)) return "1,000,000 times too small: t written as g?";
  if (near(ratio, 100)) return "100 times too large: per cent written as a fraction?";
  if (near(ratio, 0.01)) return "100 times too small: a fraction written as per cent?";
  return "check value and unit";
}

const GRID: Band = { from: 0.3, to: 1.0 };
const GRID_CENTRE = 0.6592;
const STEAM: Band = { from: 0.1, to: 0.5 };
const STEAM_CENTRE = 0.24;

/** Grid electricity, t CO2/MWh. Zero is a claim of a contract, which only the market-based figure knows. */
export function checkGridFactor(activity: Activity, t_per_MWh: Fraction): void {
  const value = fractionNumber(t_per_MWh);
  if (outside(value, GRID) === null) return;
  const why =
    value === 0
      ? "a purchase without emissions lowers only the market-based figure: give it as an instrument, or as use: direct if it comes over a private line"
      : thousandfold(value / GRID_CENTRE);
  judge(activity, "factor.value", `${fractionText(t_per_MWh)} t CO2/MWh is no grid factor (usual: 0.3 to 1.0): ${why}`);
}

/** Bought directly, t CO2/MWh: anything from a wind farm to the worst coal plant. */
export function checkDirectFactor(activity: Activity, t_per_MWh: Fraction): void {
  const value = fractionNumber(t_per_MWh);
  if (outside(value, { from: 0, to: 1.4 }) === null) return;
  const stated = `${fractionText(t_per_MWh)} t CO2/MWh is no factor of electricity (usual: 0 to 1.4)`;
  judge(activity, "factor.value", `${stated}: ${thousandfold(value / GRID_CENTRE)}`);
}

/** Steam, t CO2 per t. */
export function checkSteamFactor(activity: Activity, t_per_t: Fraction, isWorkedOut: boolean): void {
  const value = fractionNumber(t_per_t);
  if (outside(value, STEAM) === null) return;
  const ratio = value / STEAM_CENTRE;
  const why = near(ratio, 1000)
    ? "1000 times too large: divisor 1e6 of the 2023 print of Circular 38; Decision 334/QD-BCT corrects it to 1e9"
    : near(ratio, 0.01)
      ? "100 times too small: efficiency taken as 85 instead of 0.85?"
      : thousandfold(ratio);
  // A boiler on biomass or with waste heat is far below; its own working shows why.
  if (isWorkedOut && value < STEAM.from) return;
  judge(activity, "factor.value", `${fractionText(t_per_t)} t CO2/t is no steam factor (usual: 0.1 to 0.5): ${why}`);
}

/** An efficiency as a fraction. */
export function checkEfficiency(key: string, value: Fraction, isCop: boolean): void {
  const number = fractionNumber(value);
  if (isCop) {
    if (number <= 0 || number > 12) refuse(key, `a COP of ${fractionText(value)} is not possible (usual: 2.5 to 7)`);
    return;
  }
  if (number > 1) {
    const hint =
      number <= 100 ? `: ${fractionText(value)} % is written ${fractionText(times(value, fraction(1n, 100n)))}` : "";
    refuse(key, `${fractionText(value)} is no efficiency as a fraction (allowed: more than 0, at most 1)${hint}`);
  }
  if (number < 0.2)
    refuse(key, `an efficiency of ${fractionText(value)} is not possible for a boiler (usual: 0.65 to 0.95)`);
}

const NCV_BAND: Readonly<Record<"solid" | "liquid" | "gas", Band>> = {
  solid: { from: 0.5, to: 1.6 },
  liquid: { from: 0.85, to: 1.15 },
  gas: { from: 0.6, to: 1.4 },
};

/** A stated calorific value against the fall-back of the lists. */
export function checkNcv(activity: Activity, factor: EmissionFactor): void {
  const { ncv } = activity;
  const listed = [factor.ncv, ...(factor.otherNcvs ?? [])].find((value) => value?.unit === ncv?.unit);
  if (ncv === null || listed === undefined) return;
  const ratio = fractionNumber(ncv.value) / Number(listed.value);
  const phase = CARRIERS[activity.carrier].phase ?? "solid";
  const band = CARRIERS[activity.carrier].isBiogenic ? { from: 0.4, to: 2.2 } : NCV_BAND[phase];
  if (outside(ratio, band) === null) return;
  const why = near(ratio, 1000)
    ? "1000 times too large: kJ written as MJ?"
    : near(ratio, 0.001)
      ? "1000 times too small: TJ/t written as GJ/t?"
      : near(ratio, 1 / 3.6)
        ? "3.6 times too small: kWh/kg or kWh/Nm3 written as MJ?"
        : near(ratio, 1 / 4.1868)
          ? "4.19 times too small: Mcal written as MJ?"
          : near(ratio, 238.85)
            ? "239 times too large: kcal/kg written as MJ/kg?"
            : "check value and unit";
  judge(
    activity,
    "ncv.value",
    `${fractionText(ncv.value)} ${ncv.unit} is no net calorific value of ${activity.carrier} (usual: about ${listed.value}): ${why}`,
  );
}

export function checkDensity(activity: Activity, factor: EmissionFactor): void {
  const { density } = activity;
  if (density === null || factor.density === undefined) return;
  const value = fractionNumber(density.value);
  const ratio = value / Number(factor.density.value);
  if (outside(ratio, { from: 0.88, to: 1.12 }) === null) return;
  const why = near(ratio, 1000)
    ? "1000 times too large: kg/m3 written as kg/L?"
    : near(value, 1)
      ? "taken as water?"
      : "check it";
  judge(
    activity,
    "density.value",
    `${fractionText(density.value)} kg/L is no density of ${activity.carrier} (usual: about ${factor.density.value}): ${why}`,
  );
}

/** CO2 of one unit of a fuel, where the mistake of another unit is usual. */
const PER_UNIT: readonly {
  readonly carrier: CarrierId;
  readonly unit: UnitNotation;
  readonly band: Band;
  readonly kg: number;
}[] = [
  { carrier: "diesel", unit: "L", band: { from: 2.5, to: 2.8 }, kg: 2.68 },
  { carrier: "diesel", unit: "kg", band: { from: 3.0, to: 3.35 }, kg: 3.19 },
  { carrier: "gasoline", unit: "L", band: { from: 2.1, to: 2.5 }, kg: 2.29 },
  { carrier: "gasoline", unit: "kg", band: { from: 2.9, to: 3.25 }, kg: 3.07 },
  { carrier: "fuel_oil", unit: "L", band: { from: 2.7, to: 3.25 }, kg: 3.0 },
  { carrier: "fuel_oil", unit: "kg", band: { from: 2.95, to: 3.3 }, kg: 3.13 },
  { carrier: "natural_gas", unit: "Nm3", band: { from: 1.8, to: 2.3 }, kg: 2.1 },
  { carrier: "lpg", unit: "kg", band: { from: 2.8, to: 3.15 }, kg: 2.98 },
  { carrier: "lpg", unit: "L", band: { from: 1.4, to: 1.75 }, kg: 1.58 },
];

/** A factor of the file against what the fuel's carbon allows. */
export function checkFuelFactor(
  activity: Activity,
  perOwn: Fraction,
  MJ_per_unit: Fraction | null,
  reference: EmissionFactor | null,
  known: Properties,
): void {
  const own = activity.factor!;
  const mg = own.mgPer.co2 ?? own.mgPer.co2_biogenic;
  if (mg === undefined) return;
  const stated = `${own.stated.value} ${own.stated.unit}`;
  const row =
    PER_UNIT.find(({ carrier, unit: of }) => carrier === activity.carrier && of === own.per) ??
    PER_UNIT.find(
      ({ carrier, unit: of }) =>
        carrier === activity.carrier && unitRatio(own.per, of, carrier, known).kind === "amount",
    );
  if (row !== undefined) {
    const ratio = unitRatio(own.per, row.unit, activity.carrier, known);
    const kg = ratio.kind === "amount" ? fractionNumber(over(mg, ratio.perUnit)) / 1e6 : row.kg;
    if (outside(kg, row.band) === null) return;
    const other = PER_UNIT.find(
      ({ carrier, unit: of, band }) => carrier === row.carrier && of !== row.unit && outside(kg, band) === null,
    );
    const why =
      other === undefined
        ? thousandfold(kg / row.kg)
        : `that is the figure per ${other.unit}: litres taken for kilograms?`;
    judge(
      activity,
      "factor.value",
      `${stated} is no factor of ${activity.carrier} (usual: ${row.band.from} to ${row.band.to} kg CO2/${row.unit}): ${why}`,
    );
    return;
  }
  const listed = reference?.mg_per_basis.co2 ?? reference?.mg_per_basis.co2_biogenic;
  if (listed === undefined || MJ_per_unit === null) return;
  const ratio = fractionNumber(over(times(mg, perOwn), MJ_per_unit)) / Number(listed);
  if (outside(ratio, { from: 0.7, to: 1.4 }) === null) return;
  judge(
    activity,
    "factor.value",
    `${stated} is no factor of ${activity.carrier} (lists: ${listed} kg CO2/TJ): ${thousandfold(ratio)}`,
  );
}

/** Greatest mean power of one activity that is believed without being asked: the largest plants and zones of the country draw less. */
const POWER_MAX_KW = 500_000;

export function checkPower(activity: Activity, energy_kWh: Fraction, hours: Fraction): void {
  if (hours.n === 0n) return;
  const mean_kW = fractionNumber(over(energy_kWh, hours));
  const limit_kW = activity.maxPower_kW === null ? POWER_MAX_KW : fractionNumber(activity.maxPower_kW);
  if (mean_kW <= limit_kW) return;
  const what =
    activity.maxPower_kW === null ? "more than any plant or zone draws" : `more than max_power_kW ${limit_kW}`;
  judge(
    activity,
    "quantity",
    `is a mean of ${Math.round(mean_kW)} kW over the period, ${what}: kWh written as MWh, or the wrong period?`,
  );
}

/** Heat input of one activity that is believed: 2 GW of fuel. */
const FUEL_MAX_KW = 2_000_000;

export function checkFuelPower(activity: Activity, energy_TJ: Fraction, hours: Fraction): void {
  if (hours.n === 0n) return;
  const mean_kW = (fractionNumber(energy_TJ) * 1e9) / 3600 / fractionNumber(hours);
  if (mean_kW <= FUEL_MAX_KW) return;
  judge(
    activity,
    "quantity",
    `is ${Math.round(mean_kW / 1000)} MW of heat over the period, more than any plant burns: kg written as t, or litres as m3?`,
  );
}

/** toe/MWh of electricity is 0.1543 by the Vietnamese convention. */
export function checkToeCoefficient(activity: Activity, toe_per_MWh: number): void {
  if (Math.abs(toe_per_MWh - 0.1543) < 0.02) return;
  const why = near(toe_per_MWh, 0.086)
    ? "0.0860 is the physical value; Vietnamese reports use 0.1543 (letter 3505/BCT-KHCN)"
    : thousandfold(toe_per_MWh / 0.1543);
  judge(activity, "toe_coefficient.value", `${toe_per_MWh} toe/MWh is no coefficient of electricity: ${why}`);
}
