import { energyPerUnit, NM3_OF, NO_PROPERTIES } from "../emission/basis.ts";
import { CARRIERS } from "../emission/carriers.ts";
import {
  type Fraction,
  fraction,
  fractionNumber,
  fractionText,
  fromText,
  over,
  product,
  times,
} from "../emission/fraction.ts";
import { lookupConstant } from "../emission/lookup.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity, Book } from "./activity.ts";
import { checkToeCoefficient } from "./bands.ts";
import { amountOf, properties, unitRatio } from "./convert.ts";
import { refuse } from "./refuse.ts";
import type { ToeResult } from "./result.ts";

/**
 * Tonnes of oil equivalent by the Vietnamese coefficients (letter 3505/BCT-KHCN; W15). What the letter does not list is
 * counted by its energy: GJ / 41.868. Energy made on site from a counted fuel or the sun, and what is fed back, count nothing.
 */
export function toeOf(
  activity: Activity,
  value: Fraction,
  unit: UnitNotation,
  size: { readonly energy_TJ: Fraction | null; readonly mass_t: Fraction | null },
  book: Book,
): ToeResult | null {
  const { kind } = CARRIERS[activity.carrier];
  const counts = kind === "fuel" || kind === "heat" || (kind === "electricity" && activity.use !== "export");
  if (!counts) return null;
  if (activity.toe !== null) return byOwn(activity, value, unit);
  return byLetter(activity, value, unit, size.mass_t, book) ?? byEnergy(size.energy_TJ, activity, book);
}

/** Coefficients the letter gives by volume of liquid, by volume of gas, by mass and for electricity. */
function byLetter(
  activity: Activity,
  value: Fraction,
  unit: UnitNotation,
  mass_t: Fraction | null,
  book: Book,
): ToeResult | null {
  const { carrier } = activity;
  if (carrier === "electricity") {
    const MJ = energyPerUnit(unit);
    return MJ === null ? null : counted(activity, "toe.electricity", times(value, over(MJ, fraction(3600n))), book);
  }
  const isLiquid = CARRIERS[carrier].phase === "liquid" && (unit === "L" || unit === "m3");
  if (isLiquid) {
    const volume = counted(
      activity,
      `toe.${carrier}.volume`,
      times(value, fraction(1n, unit === "L" ? 1000n : 1n)),
      book,
    );
    if (volume !== null) return volume;
  }
  const Nm3 = NM3_OF[unit];
  if (Nm3 !== undefined)
    return counted(activity, `toe.${carrier}.volume`, product(value, Nm3, fraction(1n, 1000n)), book);
  if (mass_t === null || energyPerUnit(unit) !== null) return null;
  const grade = activity.coalGrade === null ? carrier : `coal_${activity.coalGrade}`;
  return counted(activity, `toe.${grade}.mass`, mass_t, book);
}

function counted(activity: Activity, id: string, amount: Fraction, book: Book): ToeResult | null {
  const constant = lookupConstant(book.constants, id, activity.period.from_ms, book.knownAt_ms);
  if (constant?.value == null) return null;
  const value = times(amount, fromText(constant.value));
  return { value, how: `${fractionText(amount)} × ${constant.value} ${constant.unit} (${constant.document})` };
}

function byEnergy(energy_TJ: Fraction | null, activity: Activity, book: Book): ToeResult | null {
  if (energy_TJ === null) return null;
  const constant = lookupConstant(book.constants, "toe_in_gj", activity.period.from_ms, book.knownAt_ms);
  const GJ_per_toe = constant?.value ?? "41.868";
  const GJ = times(energy_TJ, fraction(1000n));
  const what = CARRIERS[activity.carrier].kind === "heat" ? "delivered heat" : "energy";
  return {
    value: over(GJ, fromText(GJ_per_toe)),
    how: `not in the letter: ${what} ${fractionText(GJ)} GJ / ${GJ_per_toe}`,
  };
}

const TOE_PER = /^toe\/(1000 )?(.+)$/;

function byOwn(activity: Activity, value: Fraction, unit: UnitNotation): ToeResult {
  const own = activity.toe!;
  const [, thousand, per] = TOE_PER.exec(own.unit) ?? [];
  if (per === undefined)
    return refuse(
      "toe_coefficient.unit",
      `"${own.unit}" is not known (allowed: toe/MWh, toe/t, toe/1000 L, toe/1000 Nm3)`,
    );
  const perUnit =
    per === "m3" && NM3_OF[unit] !== undefined
      ? NM3_OF[unit]!
      : amountOf(
          unitRatio(unit, per as UnitNotation, activity.carrier, properties(activity, NO_PROPERTIES)),
          activity,
          unit,
          per,
        );
  if (activity.carrier === "electricity") {
    const MJ = energyPerUnit(per as UnitNotation);
    if (MJ !== null) checkToeCoefficient(activity, fractionNumber(over(times(own.value, fraction(3600n)), MJ)));
  }
  const amount = times(times(value, perUnit), fraction(1n, thousand === undefined ? 1n : 1000n));
  return {
    value: times(amount, own.value),
    how: `${fractionText(amount)} × ${fractionText(own.value)} ${own.unit} (${own.source})`,
  };
}
