import { basisPerUnit, energyPerUnit, KG_OF, NO_PROPERTIES } from "../emission/basis.ts";
import { CARRIERS, usualUse } from "../emission/carriers.ts";
import {
  compare,
  type Fraction,
  fraction,
  fractionText,
  fromText,
  minus,
  ONE,
  over,
  plus,
  product,
  roundFraction,
  sum,
  times,
  ZERO,
} from "../emission/fraction.ts";
import { lookupForUse } from "../emission/lookup.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity, Book, SupplyInput } from "./activity.ts";
import { checkEfficiency, checkSteamFactor } from "./bands.ts";
import { type Input, input, type Step, step } from "./chain.ts";
import { amountOf, inTJ, unitRatio } from "./convert.ts";
import { statedFactor } from "./factors.ts";
import { refuse } from "./refuse.ts";
import type { FactorUncertainty, FactorUsed, Part } from "./result.ts";

export interface HeatResult {
  readonly parts: readonly Part[];
  readonly energy_TJ: Fraction | null;
  readonly mass_t: Fraction | null;
  readonly factor: FactorUncertainty;
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
  readonly details: Readonly<Record<string, Fraction | string | boolean>>;
}

const MJ_PER_TJ = fraction(1_000_000n);

/**
 * Steam, heat or cold bought from a supplier (methods §3, W09, W10): the supplier's evidenced factor; else how it was made,
 * by Circular 38/2023 as corrected by Decision 334: EF = h / η × EF_fuel / 1e9 t/t, η a fraction. CO2 of biomass in the
 * supplier's boiler is a memo item.
 */
export function buyHeat(activity: Activity, value: Fraction, unit: UnitNotation, book: Book): HeatResult {
  if (activity.factor !== null) return byOwnFactor(activity, value, unit);
  if (activity.supply !== null) return bySupply(activity, value, unit, book);
  return refuse(
    "factor",
    `is missing: no list has a factor for ${activity.carrier}; state the supplier's (factor: {value, unit: ${activity.carrier === "purchased_steam" ? "t/t" : "kg/GJ"}, source}), or how it was made (supply: {${activity.carrier === "purchased_steam" ? "enthalpy_kJ_per_kg, " : ""}efficiency, fuel})`,
    "FACTOR_MISSING",
  );
}

function byOwnFactor(activity: Activity, value: Fraction, unit: UnitNotation): HeatResult {
  const own = activity.factor!;
  const ratio = amountOf(
    unitRatio(unit, own.per, activity.carrier, NO_PROPERTIES),
    activity,
    unit,
    `the ${own.per} of its factor`,
  );
  const amount = times(value, ratio);
  const mg: Record<string, bigint> = {};
  const steps: Step[] = [];
  for (const [gas, mgPer] of Object.entries(own.mgPer)) {
    const exact = times(amount, mgPer);
    mg[gas] = roundFraction(exact);
    steps.push(
      step(
        gas === "co2" ? "CO2" : gas,
        "mass = amount × supplier's factor",
        [
          input("amount", amount, own.per, "activity"),
          input("factor", times(mgPer, fraction(1n, 1_000_000n)), `kg/${own.per}`, own.source),
        ],
        times(exact, fraction(1n, 1_000_000n)),
        "kg",
      ),
    );
  }
  const kgPer = Object.hasOwn(KG_OF, own.per) ? KG_OF[own.per as keyof typeof KG_OF] : null;
  if (activity.carrier === "purchased_steam" && kgPer !== null && own.mgPer.co2 !== undefined) {
    checkSteamFactor(activity, over(own.mgPer.co2, times(kgPer, MJ_PER_TJ)), false);
  }
  return {
    parts: [{ span: activity.period, amount: value, factor: statedFactor(own), mg }],
    ...sizes(activity, value, unit),
    factor: {
      key: `factor of ${own.source}`,
      pct: own.uncertainty_pct ?? activity.uncertainty.factor_pct,
      byGas: null,
    },
    steps,
    notes: [],
    details: {},
  };
}

function bySupply(activity: Activity, value: Fraction, unit: UnitNotation, book: Book): HeatResult {
  const supply = activity.supply!;
  checkEfficiency(supply.isCop ? "supply.cop" : "supply.efficiency", supply.efficiency, supply.isCop);
  const shares = sum(supply.inputs.map(({ share }) => share));
  if (compare(shares, ONE) !== 0) refuse("supply.fuels", `the shares add up to ${fractionText(shares)}, not to 1`);
  const inputs = supply.inputs.map((one) => ({ one, ...inputFactor(one, activity, book) }));
  const fossil = mixed(inputs.filter(({ isBiogenic }) => !isBiogenic));
  const biogenic = mixed(inputs.filter(({ isBiogenic }) => isBiogenic));
  const { MJ, per, enthalpy } = heatOf(activity, value, unit);
  const putIn_TJ = inTJ(over(MJ, supply.efficiency));
  const kg_per = (ef: Fraction): Fraction => times(over(inTJ(per.MJ), supply.efficiency), ef);
  const mgOf = (ef: Fraction): bigint => roundFraction(product(putIn_TJ, ef, MJ_PER_TJ));
  const mg: Record<string, bigint> = { co2: mgOf(fossil) };
  if (biogenic.n !== 0n) mg.co2_biogenic = mgOf(biogenic);

  const efficiency = input(supply.isCop ? "COP" : "η", supply.efficiency, "1", "stated");
  const factorInputs: Input[] = [
    ...enthalpy,
    efficiency,
    ...inputs.map(({ one, ef, source }) =>
      input(`EF ${one.carrier} × ${fractionText(one.share)}`, ef, "kg/TJ", source),
    ),
  ];
  const perUnit = per.unit;
  const factorText = per.unit === "t" ? "EF = h / η × Σ(share × EF_fuel) / 10^9" : "EF = 1 / η × Σ(share × EF_fuel)";
  const ef_unit = kg_per(fossil);
  const steps = [
    step(
      "factor of the mix",
      "EF_mix = Σ(share × EF) over fossil inputs",
      factorInputs.slice(enthalpy.length + 1),
      fossil,
      "kg/TJ",
    ),
    step(
      "factor",
      factorText,
      factorInputs,
      per.unit === "t" ? times(ef_unit, fraction(1n, 1000n)) : ef_unit,
      per.unit === "t" ? "t/t" : `kg/${perUnit}`,
    ),
    step(
      "CO2",
      "mass = amount × factor",
      [input("amount", value, unit, "activity"), input("factor", ef_unit, `kg/${perUnit}`, "step factor")],
      product(putIn_TJ, fossil),
      "kg",
    ),
  ];
  const isSteam = per.unit === "t";
  const t_per_t = times(ef_unit, fraction(1n, 1000n));
  if (isSteam && supply.inputs.every(({ carrier }) => !CARRIERS[carrier].isBiogenic))
    checkSteamFactor(activity, t_per_t, true);
  const used: FactorUsed = {
    id: isSteam ? "circular-38-steam" : "supply",
    version: isSteam ? "334/QD-BCT" : null,
    match: inputs.some(({ match }) => match === "provisional") ? "provisional" : "exact",
    why: null,
    value: fractionText(isSteam ? t_per_t : ef_unit),
    unit: isSteam ? "t/t" : `kg/${perUnit}`,
    source: "Circular 38/2023/TT-BCT Annex II as corrected by Decision 334/QD-BCT (divisor 1e9)",
    confidence: "official",
    level: "ministry",
  };
  const memo = kg_per(biogenic);
  return {
    parts: [{ span: activity.period, amount: value, factor: used, mg }],
    ...sizes(activity, value, unit),
    energy_TJ: inTJ(MJ),
    factor: { key: `supply of ${activity.carrier}`, pct: activity.uncertainty.factor_pct, byGas: null },
    steps,
    notes:
      supply.feedwater_kJ_per_kg.n === 0n
        ? []
        : ["feedwater heat was taken off, which Circular 38 does not do: for internal allocation only"],
    details: {
      ef_mix_kg_per_TJ: fossil,
      [isSteam ? "ef_t_per_t" : `ef_kg_per_${perUnit}`]: isSteam ? t_per_t : ef_unit,
      ...(biogenic.n === 0n
        ? {}
        : {
            [isSteam ? "biogenic_memo_t_per_t" : `biogenic_memo_kg_per_${perUnit}`]: isSteam
              ? times(memo, fraction(1n, 1000n))
              : memo,
          }),
    },
  };
}

function mixed(inputs: readonly { readonly one: SupplyInput; readonly ef: Fraction }[]): Fraction {
  return inputs.reduce((total, { one, ef }) => plus(total, times(one.share, ef)), ZERO);
}

/** kg CO2 per TJ that goes into the boiler or chiller, as the lists or the supplier have it. */
function inputFactor(one: SupplyInput, activity: Activity, book: Book) {
  const { isBiogenic } = CARRIERS[one.carrier];
  if (one.ef_kg_per_TJ !== null) return { ef: one.ef_kg_per_TJ, isBiogenic, source: "stated", match: "own" as const };
  const match = lookupForUse(
    book.factors,
    one.carrier,
    usualUse(one.carrier),
    activity.period.from_ms,
    book.knownAt_ms,
  );
  if (match.kind === "none") return refuse("supply.fuel", match.why, "FACTOR_MISSING");
  const { factor } = match;
  const mg = fromText(factor.mg_per_basis.co2 ?? factor.mg_per_basis.co2_biogenic ?? "0");
  // mg/MJ = kg/TJ; mg/Wh × 1e6 / 3600 = mg/MJ
  const ef = factor.basis === "energy_Wh" ? times(mg, fraction(10_000n, 36n)) : mg;
  return { ef, isBiogenic, source: `${factor.id} ${factor.version}: ${factor.document}`, match: match.kind };
}

/** Heat in the amount, and in one unit of it. */
function heatOf(activity: Activity, value: Fraction, unit: UnitNotation) {
  const supply = activity.supply!;
  const direct = energyPerUnit(unit);
  if (direct !== null)
    return { MJ: times(value, direct), per: { unit: "GJ", MJ: fraction(1000n) }, enthalpy: [] as Input[] };
  if (supply.enthalpy_kJ_per_kg === null) {
    return refuse(
      "supply.enthalpy_kJ_per_kg",
      "is missing: tonnes of steam have no heat until the enthalpy at their pressure and temperature is given",
    );
  }
  const h = minus(supply.enthalpy_kJ_per_kg, supply.feedwater_kJ_per_kg);
  const kg = amountOf(basisPerUnit("mass_kg", unit, activity.carrier, NO_PROPERTIES), activity, unit, "mass");
  const MJ_per_kg = times(h, fraction(1n, 1000n));
  return {
    MJ: product(value, kg, MJ_per_kg),
    per: { unit: "t", MJ: times(MJ_per_kg, fraction(1000n)) },
    enthalpy: [input("h", h, "kJ/kg", "stated")] as Input[],
  };
}

function sizes(activity: Activity, value: Fraction, unit: UnitNotation) {
  const MJ = energyPerUnit(unit);
  const h = activity.supply?.enthalpy_kJ_per_kg ?? null;
  const isMass = Object.hasOwn(KG_OF, unit);
  const kg = isMass ? times(value, KG_OF[unit as keyof typeof KG_OF]) : null;
  return {
    energy_TJ:
      MJ !== null
        ? inTJ(times(value, MJ))
        : h !== null && kg !== null
          ? inTJ(product(kg, h, fraction(1n, 1000n)))
          : null,
    mass_t: kg === null ? null : times(kg, fraction(1n, 1000n)),
  };
}
