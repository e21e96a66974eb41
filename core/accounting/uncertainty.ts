import type { FullGwpSet, Refrigerant } from "../emission/factor.ts";
import { fraction, fractionNumber, times } from "../emission/fraction.ts";
import type { MeterChain } from "./activity.ts";
import { co2eOf, gwpOf } from "./co2e.ts";
import type { ActivityResult, FactorUncertainty } from "./result.ts";

/**
 * Uncertainty of sums, IPCC approach 1 (methods §8, W20): 95 % half-widths, products and sums in quadrature where the parts
 * are independent, linear where they err together. Unknown is null and makes the total null: it is never taken for zero.
 *
 * Correlation is handled by naming what is shared. Every source is moved by its activity, its calorific value and its factor;
 * sources moved by the same thing (all grid meters by one grid factor) add up linearly in it, and only then the different
 * things go in quadrature. This equals "first sum the activities, then multiply by the factor once".
 */
export interface Moved {
  /** What errs: `factor grid-vn@2023`, `activity boiler`. */
  readonly key: string;
  /** null = unknown. */
  readonly pct: number | null;
}

export interface UncertainSource {
  readonly name: string;
  readonly amount: number;
  readonly by: readonly Moved[];
}

export interface UncertaintySum {
  readonly total: number;
  /** null if one part that matters is unknown; the parts say which. */
  readonly pct: number | null;
  readonly half: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly sources: readonly {
    readonly name: string;
    readonly pct: number | null;
    readonly contribution_pct: number | null;
  }[];
  /** What the variance comes from: which better meter or analysis would pay. */
  readonly causes: readonly {
    readonly key: string;
    readonly half: number | null;
    readonly contribution_pct: number | null;
  }[];
}

export function combine(sources: readonly UncertainSource[]): UncertaintySum {
  const total = sources.reduce((sum, { amount }) => sum + amount, 0);
  const moving = new Map<string, number | null>();
  for (const { amount, by } of sources) {
    for (const { key, pct } of by) {
      const before = moving.has(key) ? moving.get(key)! : 0;
      moving.set(key, amount === 0 ? before : pct === null || before === null ? null : before + (pct / 100) * amount);
    }
  }
  const variance = [...moving.values()].reduce<number | null>(
    (sum, half) => (sum === null || half === null ? null : sum + half * half),
    0,
  );
  const half = variance === null || sources.length === 0 ? null : Math.sqrt(variance);
  const share = (part: number | null): number | null =>
    part === null || variance === null || variance === 0 ? null : (part / variance) * 100;
  return {
    total,
    half,
    pct: half === null || total === 0 ? null : (half / Math.abs(total)) * 100,
    low: half === null ? null : total - half,
    high: half === null ? null : total + half,
    sources: sources.map(({ name, amount, by }) => {
      const pct = quadrature(by.map((one) => one.pct));
      return { name, pct, contribution_pct: share(pct === null ? null : covariance(amount, by, moving)) };
    }),
    causes: [...moving].map(([key, part]) => ({
      key,
      half: part === null ? null : Math.abs(part),
      contribution_pct: share(part === null ? null : part * part),
    })),
  };
}

/** The source's part of the total variance: what it moves of each cause, times all that the cause moves. Parts add up to the whole. */
function covariance(amount: number, by: readonly Moved[], moving: ReadonlyMap<string, number | null>): number {
  return by.reduce((sum, { key, pct }) => sum + ((pct ?? 0) / 100) * amount * (moving.get(key) ?? 0), 0);
}

/** sqrt of the sum of squares; null if one is unknown. */
export function quadrature(parts: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const part of parts) {
    if (part === null) return null;
    sum += part * part;
  }
  return Math.sqrt(sum);
}

/** Meter, current and voltage transformer (methods §8, W21). */
export function chainHalfWidth_pct({ meter_pct, ct_pct, vt_pct, rule }: MeterChain): number {
  const limits = quadrature([meter_pct, ct_pct ?? 0, vt_pct ?? 0])!;
  return rule === "limit" ? limits : (limits / Math.sqrt(3)) * 1.96;
}

/** An activity's CO2e (kg, under one set) and what moves it. */
export function uncertainSource(
  result: ActivityResult,
  set: FullGwpSet,
  refrigerants: readonly Refrigerant[],
): UncertainSource {
  const { uncertainty, activity } = result;
  const amount = fractionNumber(times(co2eOf(result.mg, set, refrigerants), fraction(1n, 1_000_000n)));
  const by: Moved[] = [{ key: uncertainty.activityKey, pct: uncertainty.activity_pct }];
  if (uncertainty.ncv !== null) by.push(uncertainty.ncv);
  if (uncertainty.factor !== null)
    by.push({
      key: uncertainty.factor.key,
      pct: factorHalfWidth_pct(uncertainty.factor, result, set, refrigerants, amount),
    });
  return { name: activity.id, amount, by };
}

/** Of the factor as a whole: its gases in quadrature, weighted by what they come to. */
function factorHalfWidth_pct(
  factor: FactorUncertainty,
  { mg }: ActivityResult,
  set: FullGwpSet,
  refrigerants: readonly Refrigerant[],
  total_kg: number,
): number | null {
  if (factor.byGas === null) return factor.pct;
  if (total_kg === 0) return 0;
  const parts = Object.entries(mg).map(([gas, mass]) => {
    const kg = (Number(mass) / 1e6) * fractionNumber(gwpOf(gas, set, refrigerants));
    const pct = factor.byGas![gas];
    if (kg === 0) return 0;
    return pct === null || pct === undefined ? null : (pct * kg) / total_kg;
  });
  return quadrature(parts);
}
