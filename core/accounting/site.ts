import { CARRIERS } from "../emission/carriers.ts";
import type { FullGwpSet, Refrigerant } from "../emission/factor.ts";
import { compare, type Fraction, fraction, minus, over, plus, sum, times, ZERO } from "../emission/fraction.ts";
import { co2eOf } from "./co2e.ts";
import { refuse } from "./refuse.ts";
import type { ActivityResult } from "./result.ts";

/**
 * The electricity of one site: consumption = import + solar + genset − export. All export is taken for solar. The blended
 * factor, own generation and location-based purchase over what was consumed, is for allocation inside the site only
 * (methods §3, W08): an inventory reports the scopes.
 */
export interface SiteBalance {
  readonly site: string | null;
  readonly import_MWh: Fraction;
  readonly export_MWh: Fraction;
  readonly solar_MWh: Fraction;
  readonly genset_MWh: Fraction;
  readonly consumption_MWh: Fraction;
  readonly selfConsumedSolar_MWh: Fraction;
  /** Of the solar output; null without solar. */
  readonly selfConsumption: Fraction | null;
  /** mg CO2e of own generation and of what was bought. */
  readonly generation_mg: Fraction;
  readonly purchased_mg: Fraction;
  /** t CO2e per MWh; null where nothing was consumed. */
  readonly blended_t_per_MWh: Fraction | null;
}

const MWH_PER_TJ = fraction(10_000n, 36n);

export function siteBalance(
  site: string | null,
  results: readonly ActivityResult[],
  set: FullGwpSet,
  refrigerants: readonly Refrigerant[],
): SiteBalance | null {
  const own = results.filter(({ activity }) => activity.site === site);
  const MWh = (isOne: (result: ActivityResult) => boolean): Fraction =>
    sum(own.filter(isOne).map(({ energy_TJ }) => (energy_TJ === null ? ZERO : times(energy_TJ, MWH_PER_TJ))));
  const isPower = ({ activity: { carrier } }: ActivityResult): boolean =>
    ["electricity", "own_power"].includes(CARRIERS[carrier].kind);
  if (!own.some(isPower)) return null;
  const isBought = ({ activity }: ActivityResult): boolean =>
    activity.carrier === "electricity" && activity.use !== "export";
  const import_MWh = MWh(isBought);
  const export_MWh = MWh(({ activity }) => activity.carrier === "electricity" && activity.use === "export");
  const solar_MWh = MWh(({ activity }) => activity.carrier === "solar");
  const genset_MWh = MWh(({ activity }) => activity.carrier === "genset_electricity");
  const consumption_MWh = minus(sum([import_MWh, solar_MWh, genset_MWh]), export_MWh);
  if (compare(consumption_MWh, ZERO) < 0)
    refuse(
      "activities",
      `${site ?? "the site"} exports more electricity than it draws and makes: a generation meter is missing`,
    );
  const selfConsumedSolar_MWh = minus(solar_MWh, export_MWh);
  const mgOf = (isOne: (result: ActivityResult) => boolean): Fraction =>
    own.filter(isOne).reduce((total, { mg }) => plus(total, co2eOf(mg, set, refrigerants)), ZERO);
  const generation_mg = mgOf(({ activity }) => activity.use === "genset");
  const purchased_mg = mgOf(isBought);
  return {
    site,
    import_MWh,
    export_MWh,
    solar_MWh,
    genset_MWh,
    consumption_MWh,
    selfConsumedSolar_MWh: compare(selfConsumedSolar_MWh, ZERO) < 0 ? ZERO : selfConsumedSolar_MWh,
    selfConsumption:
      solar_MWh.n === 0n
        ? null
        : over(compare(selfConsumedSolar_MWh, ZERO) < 0 ? ZERO : selfConsumedSolar_MWh, solar_MWh),
    generation_mg,
    purchased_mg,
    blended_t_per_MWh:
      consumption_MWh.n === 0n
        ? null
        : over(plus(generation_mg, purchased_mg), times(consumption_MWh, fraction(1_000_000_000n))),
  };
}
