import {
  basisPerUnit,
  energyPerUnit,
  massPerUnit,
  NM3_OF,
  NO_PROPERTIES,
  type Properties,
  propertiesOf,
} from "../emission/basis.ts";
import { CARRIERS } from "../emission/carriers.ts";
import { type EmissionFactor, GASES, type GasId } from "../emission/factor.ts";
import { type Fraction, fraction, fromText, product, roundFraction, sum, times } from "../emission/fraction.ts";
import { lookupForUse } from "../emission/lookup.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity, Book } from "./activity.ts";
import { checkDensity, checkFuelFactor, checkNcv } from "./bands.ts";
import { type Input, input, type Step, step } from "./chain.ts";
import { addMasses, type Masses } from "./co2e.ts";
import { amountOf, inTJ, properties, rest, unitRatio } from "./convert.ts";
import {
  assertNotRefused,
  factorStretches,
  listedFactor,
  listedUncertainty,
  shareOf,
  statedFactor,
} from "./factors.ts";
import type { FactorUncertainty, Part } from "./result.ts";

/** What burning a fuel comes to (methods §2, W03-W05). */
export interface FuelResult {
  readonly parts: readonly Part[];
  readonly energy_TJ: Fraction | null;
  readonly mass_t: Fraction | null;
  readonly volume_Nm3: Fraction | null;
  readonly ncv: { readonly pct: number | null; readonly key: string } | null;
  readonly factor: FactorUncertainty;
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
  /** MJ of one unit of the amount; null where no calorific value is known. */
  readonly MJ_per_unit: Fraction | null;
}

export function burn(activity: Activity, value: Fraction, unit: UnitNotation, book: Book): FuelResult {
  const usual = lookupForUse(book.factors, activity.carrier, activity.use, activity.period.from_ms, book.knownAt_ms);
  const reference = usual.kind === "none" ? null : usual.factor;
  if (reference !== null) {
    checkNcv(activity, reference);
    checkDensity(activity, reference);
  }
  return activity.factor === null
    ? burnByLists(activity, value, unit, book)
    : burnByOwn(activity, value, unit, reference, book);
}

function burnByLists(activity: Activity, value: Fraction, unit: UnitNotation, book: Book): FuelResult {
  const stretches = factorStretches(activity, book);
  const first = stretches[0]!.match.factor;
  const steps: Step[] = [];
  const notes: string[] =
    stretches.length > 1 ? ["the factor changes inside the period: the amount was divided by time"] : [];
  const made = stretches.map((stretch): { part: Part; MJ: Fraction } => {
    const { factor } = stretch.match;
    const own = properties(activity, propertiesOf(factor));
    const perUnit = amountOf(basisPerUnit("fuel_MJ", unit, activity.carrier, own), activity, unit, "energy");
    const amount = shareOf(value, stretch);
    const MJ = times(amount, perUnit);
    steps.push(...energySteps(activity, amount, unit, MJ, factor, own));
    const mg: Record<string, bigint> = {};
    for (const gas of GASES) {
      const mg_per_MJ = factor.mg_per_basis[gas];
      if (mg_per_MJ === undefined) continue;
      const exact = times(MJ, fromText(mg_per_MJ));
      for (const [booked, part] of carbonSplit(activity, gas, exact)) {
        mg[booked] = (mg[booked] ?? 0n) + roundFraction(part);
        steps.push(gasStep(booked, MJ, mg_per_MJ, factor, part));
      }
    }
    return { part: { span: stretch.span, amount, factor: listedFactor(stretch.match), mg }, MJ };
  });
  notes.push(...weakNotes(activity, first, unit));
  const known = properties(activity, propertiesOf(first));
  const MJ = sum(made.map((one) => one.MJ));
  return {
    parts: made.map(({ part }) => part),
    energy_TJ: inTJ(MJ),
    mass_t: massOf(activity, value, unit, known),
    volume_Nm3: volumeOf(value, unit),
    ncv: energyPerUnit(unit) === null ? ncvUncertainty(activity, first, unit) : null,
    factor: listedUncertainty(first, activity.uncertainty.factor_pct),
    steps,
    notes,
    MJ_per_unit: ratioOrNull(MJ, value),
  };
}

function burnByOwn(
  activity: Activity,
  value: Fraction,
  unit: UnitNotation,
  reference: EmissionFactor | null,
  book: Book,
): FuelResult {
  const own = activity.factor!;
  assertNotRefused(own, activity.carrier, book);
  const known = properties(activity, reference === null ? NO_PROPERTIES : propertiesOf(reference));
  const ratio = amountOf(
    unitRatio(unit, own.per, activity.carrier, known),
    activity,
    unit,
    `the ${own.per} of its factor`,
  );
  const perUnit = basisPerUnit("fuel_MJ", unit, activity.carrier, known);
  const MJ_per_unit = perUnit.kind === "amount" ? perUnit.perUnit : null;
  checkFuelFactor(activity, ratio, MJ_per_unit, reference, known);
  const amount = times(value, ratio);
  const mg: Record<string, bigint> = {};
  const steps: Step[] = [];
  for (const gas of GASES) {
    const mgPer = own.mgPer[gas];
    if (mgPer === undefined) continue;
    const exact = times(amount, mgPer);
    for (const [booked, part] of carbonSplit(activity, gas, exact)) {
      mg[booked] = (mg[booked] ?? 0n) + roundFraction(part);
      const kg = times(mgPer, fraction(1n, 1_000_000n));
      steps.push(
        step(
          GAS_NAMES[booked] ?? booked,
          "mass = amount × factor",
          [input("amount", amount, own.per, "activity"), input("factor", kg, `kg/${own.per}`, own.source)],
          times(part, fraction(1n, 1_000_000n)),
          "kg",
        ),
      );
    }
  }
  const usedNcv = energyPerUnit(own.per) !== null && energyPerUnit(unit) === null;
  const key = `factor of ${own.source}`;
  return {
    parts: [{ span: activity.period, amount: value, factor: statedFactor(own), mg }],
    energy_TJ: MJ_per_unit === null ? null : inTJ(times(value, MJ_per_unit)),
    mass_t: massOf(activity, value, unit, known),
    volume_Nm3: volumeOf(value, unit),
    ncv:
      usedNcv && reference !== null
        ? ncvUncertainty(activity, reference, unit)
        : usedNcv
          ? { pct: activity.ncv?.uncertainty_pct ?? null, key }
          : null,
    factor: { key, pct: own.uncertainty_pct ?? activity.uncertainty.factor_pct, byGas: null },
    steps,
    notes: [],
    MJ_per_unit,
  };
}

export const GAS_NAMES: Readonly<Record<string, string>> = {
  co2: "CO2",
  co2_biogenic: "biogenic CO2 (memo)",
  ch4: "CH4",
  n2o: "N2O",
};

/** CO2 of a mixed fuel parts into fossil and biogenic; other gases stay in scope 1 whatever the carbon was. */
function carbonSplit(activity: Activity, gas: GasId, exact: Fraction): readonly (readonly [GasId, Fraction])[] {
  const isCarbon = gas === "co2" || gas === "co2_biogenic";
  if (!isCarbon) return [[gas, exact]];
  const { biogenicShare, carrier } = activity;
  if (biogenicShare === null) return [[CARRIERS[carrier].isBiogenic ? "co2_biogenic" : gas, exact]];
  const parts: readonly (readonly [GasId, Fraction])[] = [
    ["co2", times(exact, rest(biogenicShare))],
    ["co2_biogenic", times(exact, biogenicShare)],
  ];
  return parts.filter(([, part]) => part.n !== 0n);
}

function energySteps(
  activity: Activity,
  amount: Fraction,
  unit: UnitNotation,
  MJ: Fraction,
  factor: EmissionFactor,
  own: Properties,
): readonly Step[] {
  const inputs: Input[] = [input("amount", amount, unit, "activity")];
  const isMass = massPerUnit(unit, activity.carrier, own).kind === "amount";
  if (isMass && own.density_kg_per_L !== null && (unit === "L" || unit === "m3")) {
    inputs.push(
      input("density", own.density_kg_per_L, "kg/L", activity.density?.source ?? factor.density?.source ?? ""),
    );
  }
  const isVolume = NM3_OF[unit] !== undefined;
  const ncv = isVolume ? own.ncv_MJ_per_Nm3 : own.ncv_GJ_per_t;
  if (energyPerUnit(unit) === null && ncv !== null) {
    const ncvUnit = isVolume ? "MJ/Nm3" : "GJ/t";
    const listed = [factor.ncv, ...(factor.otherNcvs ?? [])].find((value) => value?.unit === ncvUnit);
    const source = activity.ncv?.unit === ncvUnit ? activity.ncv.source : (listed?.source ?? "");
    inputs.push(input("NCV", ncv, ncvUnit, source));
  }
  const formula = inputs.some(({ name }) => name === "density")
    ? "energy = amount × density × NCV / 10^6"
    : inputs.length > 1
      ? isVolume
        ? "energy = amount × NCV / 10^6"
        : "energy = mass × NCV / 1000"
      : "energy = amount";
  return [step("energy", formula, inputs, inTJ(MJ), "TJ")];
}

function gasStep(gas: GasId, MJ: Fraction, mg_per_MJ: string, factor: EmissionFactor, part: Fraction): Step {
  return step(
    GAS_NAMES[gas] ?? gas,
    "mass = energy × factor",
    [
      input("energy", inTJ(MJ), "TJ", "step energy"),
      { name: "factor", value: mg_per_MJ, unit: "kg/TJ", source: `${factor.id} ${factor.version}: ${factor.document}` },
    ],
    times(part, fraction(1n, 1_000_000n)),
    "kg",
  );
}

function massOf(activity: Activity, value: Fraction, unit: UnitNotation, known: Properties): Fraction | null {
  const perUnit = massPerUnit(unit, activity.carrier, known);
  return perUnit.kind === "amount" ? product(value, perUnit.perUnit, fraction(1n, 1000n)) : null;
}

function volumeOf(value: Fraction, unit: UnitNotation): Fraction | null {
  const perUnit = NM3_OF[unit];
  return perUnit === undefined ? null : times(value, perUnit);
}

function ncvUncertainty(activity: Activity, factor: EmissionFactor, unit: UnitNotation) {
  const wanted = NM3_OF[unit] === undefined ? "GJ/t" : "MJ/Nm3";
  if (activity.ncv?.unit === wanted) {
    const { source, uncertainty_pct } = activity.ncv;
    return { pct: activity.uncertainty.ncv_pct ?? uncertainty_pct, key: `NCV of ${activity.carrier}: ${source}` };
  }
  const listed = [factor.ncv, ...(factor.otherNcvs ?? [])].find((value) => value?.unit === wanted);
  const pct = activity.uncertainty.ncv_pct ?? listed?.uncertainty_pct ?? null;
  return { pct, key: `NCV of ${activity.carrier}: ${listed?.source ?? ""}` };
}

/** Fall-backs that a filing should not rest on. */
function weakNotes(activity: Activity, factor: EmissionFactor, unit: UnitNotation): readonly string[] {
  const notes: string[] = [];
  const usesDensity = CARRIERS[activity.carrier].phase === "liquid" && (unit === "L" || unit === "m3");
  if (usesDensity && activity.density === null && factor.density !== undefined) {
    notes.push(`density ${factor.density.value} kg/L is a fall-back (${factor.density.source})`);
  }
  if (energyPerUnit(unit) !== null || activity.ncv !== null) return notes;
  const wanted = NM3_OF[unit] === undefined ? "GJ/t" : "MJ/Nm3";
  const listed = [factor.ncv, ...(factor.otherNcvs ?? [])].find((value) => value?.unit === wanted);
  if (listed !== undefined) {
    notes.push(
      `calorific value ${listed.value} ${listed.unit} is a fall-back, ${listed.confidence} (${listed.source})`,
    );
  }
  return notes;
}

function ratioOrNull(a: Fraction, b: Fraction): Fraction | null {
  return b.n === 0n ? null : fraction(a.n * b.d, a.d * b.n);
}

/** Of all parts. */
export function massesOf(parts: readonly Part[]): Masses {
  return addMasses(parts.map(({ mg }) => mg));
}
