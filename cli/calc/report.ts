import type { Account } from "../../core/accounting/account.ts";
import { co2eOf } from "../../core/accounting/co2e.ts";
import type { MarketResult } from "../../core/accounting/market.ts";
import type { ActivityResult, FactorUsed } from "../../core/accounting/result.ts";
import type { SiteBalance } from "../../core/accounting/site.ts";
import type { UncertaintySum } from "../../core/accounting/uncertainty.ts";
import type { ZoneResult } from "../../core/accounting/zone.ts";
import type { Refrigerant } from "../../core/emission/factor.ts";
import { type Fraction, fraction, fractionNumber, over, times } from "../../core/emission/fraction.ts";
import { vietNamDay } from "../../core/interval/vietNam.ts";

/**
 * An account as the one JSON document of `khuxanh calc --json`. Masses of gas are given twice: in kg for reading, in whole
 * milligrams as text for whoever must agree to the last digit.
 */

const KG = fraction(1n, 1_000_000n);

export const kg = (mg: Fraction): number => fractionNumber(times(mg, KG));
const kgOf = (mg: bigint): number => kg(fraction(mg));
const orNull = (value: Fraction | null): number | null => (value === null ? null : fractionNumber(value));

export function accountJson(account: Account, refrigerants: readonly Refrigerant[]) {
  const { totals, gwp } = account;
  const scope3_kg = totals.scope3_3_mg === null ? {} : { scope3_3_kg: kg(totals.scope3_3_mg) };
  return {
    activities: account.results.map((result) => activityJson(result, account, refrigerants)),
    totals: {
      scope1_kg: kg(totals.scope1_mg),
      scope2_location_kg: kg(totals.scope2Location_mg),
      scope2_market_kg: kg(totals.scope2Market_mg),
      ...scope3_kg,
      biogenic_co2_kg: kgOf(totals.biogenicCo2_mg),
      gases_kg: gasesJson(totals.masses),
      fuel_energy_tj: fractionNumber(totals.energy_TJ),
      biomass_share_energy_pct:
        totals.energy_TJ.n === 0n
          ? null
          : fractionNumber(over(times(totals.biomass_TJ, fraction(100n)), totals.energy_TJ)),
      toe: fractionNumber(totals.toe),
      designated_energy_user: totals.isDesignatedEnergyUser,
      uncertainty_pct: account.uncertainty.pct,
    },
    ...(account.market === null ? {} : { market_based: marketJson(account.market) }),
    ...(account.sites.length === 0 ? {} : { sites: account.sites.map(siteJson) }),
    ...(account.zone === null ? {} : { zone: zoneJson(account.zone) }),
    uncertainty: uncertaintyJson(account.uncertainty),
    gwp: gwp.id,
  };
}

function activityJson(result: ActivityResult, { gwp, uncertainty }: Account, refrigerants: readonly Refrigerant[]) {
  const { activity, amount, parts, mg } = result;
  const co2e_mg = co2eOf(mg, gwp, refrigerants);
  const own = uncertainty.sources.find(({ name }) => name === activity.id);
  return {
    id: activity.id,
    ...(activity.site === null ? {} : { site: activity.site }),
    carrier: activity.carrier,
    use: activity.use,
    scope: result.scope,
    period: { from: vietNamDay(activity.period.from_ms), to: vietNamDay(activity.period.to_ms) },
    quantity: { value: fractionNumber(amount.value), unit: amount.unit },
    energy_tj: orNull(result.energy_TJ),
    mass_t: orNull(result.mass_t),
    volume_nm3: orNull(result.volume_Nm3),
    gases_kg: gasesJson(mg),
    gases_mg: Object.fromEntries(Object.entries(mg).map(([gas, mass]) => [gas, String(mass)])),
    co2e_kg: kg(co2e_mg),
    co2e_kg_per_unit: amount.value.n === 0n ? null : fractionNumber(over(times(co2e_mg, KG), amount.value)),
    factor: parts.length === 0 ? null : factorJson(shownPart(parts).factor),
    ...(parts.length < 2
      ? {}
      : {
          parts: parts.map((part) => ({
            from: vietNamDay(part.span.from_ms),
            to: vietNamDay(part.span.to_ms),
            quantity: fractionNumber(part.amount),
            factor: factorJson(part.factor),
            gases_kg: gasesJson(part.mg),
          })),
        }),
    provisional: parts.some(({ factor }) => factor.match === "provisional"),
    toe: result.toe === null ? null : fractionNumber(result.toe.value),
    toe_how: result.toe?.how ?? null,
    ...(result.losses === null
      ? {}
      : {
          losses: {
            loss_rate_pct: fractionNumber(times(result.losses.rate, fraction(100n))),
            loss_mwh: fractionNumber(result.losses.lost_MWh),
            scope3_3_kg: kg(co2eOf(result.losses.mg, gwp, refrigerants)),
          },
        }),
    details: Object.fromEntries(
      Object.entries(result.details).map(([key, value]) => [
        key,
        typeof value === "object" ? fractionNumber(value) : value,
      ]),
    ),
    uncertainty_pct: own?.pct ?? null,
    uncertainty_contribution_pct: own?.contribution_pct ?? null,
    evidence:
      activity.provenance.kind === "stated"
        ? activity.provenance.evidence
        : `${activity.provenance.device} ${activity.provenance.quantity}`,
    notes: [...result.notes, ...(activity.accepted === null ? [] : [`accepted by the author: ${activity.accepted}`])],
    chain: result.steps,
  };
}

/** Of several stretches the one that says what is not final yet, or the first. */
function shownPart(parts: ActivityResult["parts"]): ActivityResult["parts"][number] {
  return parts.find(({ factor }) => factor.match === "provisional") ?? parts[0]!;
}

/** The four of combustion always, so that a reader finds them; others where there are any. */
function gasesJson(mg: Readonly<Record<string, bigint>>): Readonly<Record<string, number>> {
  return {
    co2: kgOf(mg.co2 ?? 0n),
    co2_biogenic: kgOf(mg.co2_biogenic ?? 0n),
    ch4: kgOf(mg.ch4 ?? 0n),
    n2o: kgOf(mg.n2o ?? 0n),
    ...Object.fromEntries(
      Object.entries(mg)
        .filter(([gas]) => !["co2", "co2_biogenic", "ch4", "n2o"].includes(gas))
        .map(([gas, mass]) => [gas, kgOf(mass)]),
    ),
  };
}

function factorJson({ id, version, match, why, value, unit, source, confidence, level }: FactorUsed) {
  return { id, version, match, source, value, unit, confidence, level, ...(why === null ? {} : { why }) };
}

export function marketJson(market: MarketResult) {
  return {
    consumption_mwh: fractionNumber(market.consumption_MWh),
    covered: market.covered.map(({ id, used_MWh, surplus_MWh, mg }) => ({
      id,
      used_mwh: fractionNumber(used_MWh),
      surplus_mwh: fractionNumber(surplus_MWh),
      co2_kg: kgOf(mg),
    })),
    uncovered_mwh: fractionNumber(market.uncovered_MWh),
    ineligible: market.ineligible,
    residual_mix: market.residual,
    scope2_kg: kgOf(market.mg),
    factor_t_per_mwh: orNull(market.t_per_MWh),
    chain: market.steps,
  };
}

function siteJson(site: SiteBalance) {
  return {
    site: site.site,
    import_mwh: fractionNumber(site.import_MWh),
    export_mwh: fractionNumber(site.export_MWh),
    solar_mwh: fractionNumber(site.solar_MWh),
    genset_mwh: fractionNumber(site.genset_MWh),
    consumption_mwh: fractionNumber(site.consumption_MWh),
    self_consumed_solar_mwh: fractionNumber(site.selfConsumedSolar_MWh),
    self_consumption_pct:
      site.selfConsumption === null ? null : fractionNumber(times(site.selfConsumption, fraction(100n))),
    own_generation_kg: kg(site.generation_mg),
    purchased_kg: kg(site.purchased_mg),
    blended_factor_t_per_mwh: orNull(site.blended_t_per_MWh),
  };
}

function zoneJson(zone: ZoneResult) {
  return {
    sites: zone.sites.map(({ site, scope1_mg, scope2_mg, internal_mg }) => ({
      id: site,
      scope1_kg: kg(scope1_mg),
      scope2_kg: kg(scope2_mg),
      bought_inside_kg: kg(internal_mg),
    })),
    scope1_kg: kg(zone.scope1_mg),
    scope2_kg: kg(zone.scope2_mg),
    naive_sum_kg: kg(zone.naive_mg),
    eliminated_kg: kg(zone.eliminated_mg),
    total_kg: kg(zone.total_mg),
    uncovered: zone.uncovered,
  };
}

const INDICATIVE_PCT = 30;

export function uncertaintyJson(sum: UncertaintySum) {
  return {
    total_kg: sum.total,
    uncertainty_pct: sum.pct,
    // Beyond 30 % approach 1 is only indicative (methods §8).
    indicative_only: sum.pct !== null && sum.pct > INDICATIVE_PCT,
    half_width_kg: sum.half,
    low_kg: sum.low,
    high_kg: sum.high,
    sources: sum.sources,
    causes: sum.causes,
  };
}
