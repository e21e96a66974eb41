import type { PerformanceSections } from "../../config/files/calc/performance.ts";
import type { TariffFile, TariffPrices } from "../../config/files/tariff.ts";
import { type ChpMethod, chpShare, TJ_PER_MWH } from "../../core/allocation/chp.ts";
import { balances, type MeterNode } from "../../core/allocation/meterTree.ts";
import { allocateShared } from "../../core/allocation/shared.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { conservativeSurrogate, fillGap } from "../../core/gap/gapRules.ts";
import {
  type BaselinePoint,
  failedTests,
  fitBaseline,
  forecastYear,
  outsideRange,
  reportedPerformance,
} from "../../core/performance/baseline.ts";
import { reviewBaseYear, splitChange } from "../../core/performance/change.ts";
import { intensity } from "../../core/performance/intensity.ts";
import { powerFactorCharge } from "../../core/performance/powerFactor.ts";
import { quotaCompliance } from "../../core/performance/quota.ts";
import { allowed_t, carbonBudget, gapToPath_t, zeroYear } from "../../core/performance/targetPath.ts";
import {
  costOf_VND,
  type EnergyPart,
  maximumDemand,
  splitByBand,
  twoPartCost_VND,
} from "../../core/performance/tariff.ts";

/**
 * What the judging sections of a calculation file come to: plain objects for `--json`, keys with their units.
 * @throws {KhuXanhError} CONFIG_INVALID with the place in the file, for figures that contradict each other.
 */
export function performanceResults(
  sections: PerformanceSections,
  tariffs: TariffFile,
): Readonly<Record<string, unknown>> {
  const results: Record<string, unknown> = {};
  for (const [name, compute] of Object.entries(COMPUTE)) {
    const written = sections[name as keyof PerformanceSections];
    if (written === undefined) continue;
    try {
      results[name] = compute(written as never, tariffs);
    } catch (error) {
      throw error instanceof RangeError ? wrong(name, error.message) : error;
    }
  }
  return results;
}

type Section<K extends keyof PerformanceSections> = NonNullable<PerformanceSections[K]>;

const COMPUTE: {
  readonly [K in keyof PerformanceSections]-?: (written: Section<K>, tariffs: TariffFile) => unknown;
} = {
  targets,
  change: (changes) => changes.map(({ id, before, after }) => ({ ...named(id), ...changeOf(before, after) })),
  base_year: baseYear,
  intensity: (ratios) => ratios.map(intensityOf),
  baseline,
  tariff: (tariffs, files) => tariffs.map((one) => tariffOf(one, files)),
  power_factor: powerFactor,
  quota,
  chp: (plants) => plants.map(chp),
  shared: (plants) => plants.map(shared),
  balance,
  gap: (gaps) => gaps.map(gap),
};

function targets({ paths, years, actual_t, budget_through }: Section<"targets">) {
  const actual = actual_t ?? new Map<number, number>();
  const wanted = [...new Set([...years, ...actual.keys()])].sort((a, b) => a - b);
  return {
    paths: paths.map(({ id, path }) => ({
      id,
      zero_year: zeroYear(path),
      years: wanted
        .filter((year) => year >= path.baseYear)
        .map((year) => {
          const emitted_t = actual.get(year);
          return {
            year,
            allowed_t: allowed_t(path, year),
            actual_t: emitted_t ?? null,
            gap_t: emitted_t === undefined ? null : gapToPath_t(path, year, emitted_t),
          };
        }),
      budget: budget_through === undefined ? null : budgetOf(path, budget_through, actual),
    })),
  };
}

function budgetOf(...[path, through, actual]: Parameters<typeof carbonBudget>) {
  const later = new Map([...actual].filter(([year]) => year > path.baseYear));
  const { budget_t, spent_t, left_t, shareSpent, yearsLeft } = carbonBudget(path, through, later);
  return { through, budget_t, spent_t, left_t, share_spent_pct: shareSpent * 100, years_left: yearsLeft };
}

function changeOf(...[before, after]: Parameters<typeof splitChange>) {
  const { activityEffect, factorEffect, change } = splitChange(before, after);
  const was = before.activity * before.factor;
  return {
    before: was,
    after: after.activity * after.factor,
    change,
    change_pct: was === 0 ? null : (change / was) * 100,
    effect_of_activity: activityEffect,
    effect_of_factor: factorEffect,
  };
}

function baseYear({ base_year_t, changes, threshold_pct }: Section<"base_year">) {
  const listed = changes.map(({ kind, t, why }) => ({ kind, baseYear_t: t, why }));
  const review = reviewBaseYear(base_year_t, listed, threshold_pct);
  return {
    change_t: review.change_t,
    change_pct: review.change_pct,
    recalculate: review.isRecalculated,
    new_base_year_t: review.baseYear_t,
  };
}

function intensityOf({ id, unit, amount, output, parts }: Section<"intensity">[number]) {
  const all = parts ?? [{ amount: amount ?? 0, output: output ?? 0 }];
  return { id, value: intensity(all), unit: unit ?? null };
}

function baseline({ energy, drivers, falling, acceptance, reporting, forecast }: Section<"baseline">) {
  const names = Object.keys(drivers);
  const fit = fitBaseline(names, pointsOf(energy, drivers, names));
  const rule = {
    pointsMin: acceptance.points_min,
    r2Min: acceptance.r2_min,
    cvRmseMax: acceptance.cv_rmse_max,
    tMin: acceptance.t_min,
  };
  const failed = failedTests(fit, rule, new Set(falling));
  return {
    intercept: coefficientOf(fit.intercept),
    slopes: fit.slopes.map(coefficientOf),
    points: fit.points,
    r2: fit.r2,
    rmse: fit.rmse,
    cv_rmse_pct: fit.cvRmse * 100,
    accepted: failed.length === 0,
    failed_tests: failed,
    reporting: reporting === undefined ? null : reportingOf(fit, names, reporting),
    forecast:
      forecast === undefined ? null : forecastYear(fit, forecast.measured, rowsOf(forecast.drivers, names, null)),
  };
}

function coefficientOf({ name, value, standardError, t }: ReturnType<typeof fitBaseline>["intercept"]) {
  return { name, value, standard_error: standardError, t };
}

function reportingOf(
  fit: ReturnType<typeof fitBaseline>,
  names: readonly string[],
  { energy, drivers, adjustment }: NonNullable<Section<"baseline">["reporting"]>,
) {
  if (adjustment !== undefined && adjustment.length !== energy.length) {
    throw new RangeError(`reporting has ${energy.length} energies and ${adjustment.length} adjustments`);
  }
  const points = pointsOf(energy, drivers, names).map((point, i) => ({ ...point, adjustment: adjustment?.[i] ?? 0 }));
  const result = reportedPerformance(fit, points);
  return {
    expected_total: result.expected,
    actual_total: result.actual,
    savings: result.saving,
    savings_pct: result.savingShare * 100,
    enpi_ratio: result.enpi,
    cusum: result.cusum,
    uncertainty_of_saving_pct: result.relativeUncertainty === null ? null : result.relativeUncertainty * 100,
    significant: result.isSignificant,
    outside_baseline_range: points.flatMap(({ x }, point) =>
      outsideRange(fit, x).map((driver) => ({ point: point + 1, driver })),
    ),
  };
}

function pointsOf(
  energy: readonly number[],
  drivers: Readonly<Record<string, readonly number[]>>,
  names: readonly string[],
): readonly BaselinePoint[] {
  return rowsOf(drivers, names, energy.length).map((x, i) => ({ x, energy: energy[i]! }));
}

/** Columns by name → a row a point, in the order of the baseline's drivers. */
function rowsOf(
  drivers: Readonly<Record<string, readonly number[]>>,
  names: readonly string[],
  count: number | null,
): readonly (readonly number[])[] {
  const missing = names.filter((name) => drivers[name] === undefined);
  if (missing.length > 0) throw new RangeError(`no column for ${missing.join(", ")}`);
  const rows = count ?? drivers[names[0] ?? ""]?.length ?? 0;
  for (const name of names) {
    const length = drivers[name]!.length;
    if (length !== rows) throw new RangeError(`column ${name} has ${length} values, ${rows} are needed`);
  }
  return Array.from({ length: rows }, (_, i) => names.map((name) => drivers[name]![i]!));
}

const ZONE = "Asia/Ho_Chi_Minh";
/** An interval of the books; loads are cut into them, so that no part is longer than a half hour of demand. */
const QUARTER_MS = 900_000;

function tariffOf(written: Section<"tariff">[number], files: TariffFile) {
  const tables = files.tables.filter(({ id }) => id === written.windows);
  if (tables.length === 0) throw unknown("windows", written.windows, files.tables);
  const parts = written.load.flatMap(partsOf);
  // The set was named, so its own validity does not decide: a bill by the old windows can be worked out for any day.
  const asked = tables.map((table) => ({ ...table, valid_from_ms: Number.NEGATIVE_INFINITY, valid_to_ms: null }));
  const split = splitByBand(parts, asked.slice(-1), ZONE);
  const list = typeof written.prices === "string" ? priceList(written.prices, files) : null;
  const prices = list?.prices_VND_per_kWh ?? (typeof written.prices === "object" ? written.prices : null);
  const capacity = written.capacity_VND_per_kW ?? list?.capacity_VND_per_kW ?? null;
  const demand = maximumDemand(parts);
  return {
    ...named(written.id),
    windows: written.windows,
    document: tables.at(-1)!.document,
    peak_kwh: split.energy_Wh.peak / 1000,
    normal_kwh: split.energy_Wh.normal / 1000,
    offpeak_kwh: split.energy_Wh.offpeak / 1000,
    split_by_time_kwh: split.splitByTime_Wh / 1000,
    max_demand_kw: demand === null ? null : demand.mean_W / 1000,
    max_demand_at: demand === null ? null : new Date(demand.from_ms).toISOString(),
    cost_vnd:
      prices === null
        ? null
        : capacity === null || demand === null
          ? costOf_VND(split, prices)
          : twoPartCost_VND(split, prices, capacity, demand.mean_W),
    prices: list === null ? null : { id: list.id, document: list.document, confidence: list.confidence },
  };
}

function partsOf({ from, to, kW, kWh }: Section<"tariff">[number]["load"][number]): readonly EnergyPart[] {
  const energy_Wh = kWh === undefined ? ((kW ?? 0) * (to - from)) / 3600 : kWh * 1000;
  const parts: EnergyPart[] = [];
  for (let at = from; at < to; ) {
    const next = Math.min(to, Math.floor(at / QUARTER_MS) * QUARTER_MS + QUARTER_MS);
    parts.push({ from_ms: at, to_ms: next, energy_Wh: (energy_Wh * (next - at)) / (to - from) });
    at = next;
  }
  return parts;
}

function priceList(id: string, files: TariffFile): TariffPrices {
  const list = files.prices.filter((one) => one.id === id).at(-1);
  if (list === undefined) throw unknown("prices", id, files.prices);
  return list;
}

function unknown(key: string, id: string, known: readonly { readonly id: string }[]): RangeError {
  return new RangeError(
    `${key} "${id}" is not known (allowed: ${[...new Set(known.map((one) => one.id))].join(", ")})`,
  );
}

function powerFactor({ active_kWh, reactive_kvarh, bill_VND }: Section<"power_factor">) {
  const charge = powerFactorCharge(active_kWh, reactive_kvarh, bill_VND);
  return {
    cosphi_exact: charge.cosPhi,
    cosphi_table: charge.cosPhiTable,
    k_pct: charge.surcharge_pct,
    tq_vnd: charge.surcharge_VND,
    compensation_kvarh: charge.compensation_kvarh,
  };
}

function quota(written: Section<"quota">) {
  const { allocated_t, verified_direct_t, credits_t, borrowed_t, credit_cap, borrow_cap } = written;
  const allocation_t = Array.isArray(allocated_t) ? allocated_t.reduce((sum, t) => sum + t, 0) : allocated_t;
  const result = quotaCompliance({
    allocation_t,
    verifiedDirect_t: verified_direct_t,
    credits_t,
    borrowed_t,
    creditCap: credit_cap,
    borrowCap: borrow_cap,
  });
  return {
    allocation_t,
    max_credits_t: result.creditsMax_t,
    max_borrow_t: result.borrowMax_t,
    credits_used_t: result.creditsUsed_t,
    borrowed_used_t: result.borrowedUsed_t,
    must_surrender_t: result.toSurrender_t,
    purchase_t: result.purchase_t,
    surplus_t: result.surplus_t,
    notes: [
      ...beyondCap("credits", credits_t, result.creditsUsed_t),
      ...beyondCap("borrowed quota", borrowed_t, result.borrowedUsed_t),
    ],
  };
}

function beyondCap(what: string, wished_t: number, used_t: number): readonly string[] {
  return used_t < wished_t ? [`of ${wished_t} t of ${what} only ${used_t} t count: the rest is above the cap`] : [];
}

const ZERO_DEGC_K = 273.15;

function chp(written: Section<"chp">[number]) {
  const { emissions_t, heat_TJ, power_MWh } = written;
  const power_TJ = power_MWh * TJ_PER_MWH;
  const { heatShare, powerShare } = chpShare(heat_TJ, power_TJ, methodOf(written));
  const heat_emissions_t = heatShare * emissions_t;
  const power_emissions_t = powerShare * emissions_t;
  return {
    method: written.method,
    power_tj: power_TJ,
    heat_emissions_t,
    power_emissions_t,
    ef_heat_t_per_tj: heat_TJ === 0 ? null : heat_emissions_t / heat_TJ,
    ef_power_t_per_mwh: power_MWh === 0 ? null : power_emissions_t / power_MWh,
  };
}

function methodOf(written: Section<"chp">[number]): ChpMethod {
  if (written.method === "efficiency") {
    return { kind: "efficiency", heat: written.heat_efficiency, power: written.power_efficiency };
  }
  if (written.method === "energy-content") return { kind: "energy-content" };
  if (written.supply_degC === undefined) throw new RangeError("work-potential needs supply_degC");
  return {
    kind: "work-potential",
    surroundings_K: written.surroundings_degC + ZERO_DEGC_K,
    supply_K: written.supply_degC + ZERO_DEGC_K,
  };
}

/** Output is compared in thousandths of its unit. */
const OUTPUT_STEPS = 1000;
const MG_PER_T = 1e9;

function shared({ emissions_t, produced, users }: Section<"shared">[number]) {
  const steps = (output: number) => BigInt(Math.round(output * OUTPUT_STEPS));
  const uses = users.map(({ id, output }) => ({ user: id, output: steps(output) }));
  const { parts, operator_mg } = allocateShared(BigInt(Math.round(emissions_t * MG_PER_T)), steps(produced), uses);
  return {
    users: parts.map(({ user, mg }) => ({ id: user, emissions_t: Number(mg) / MG_PER_T })),
    operator_t: Number(operator_mg) / MG_PER_T,
  };
}

function balance({ meters }: Section<"balance">) {
  const ids = new Set(meters.map(({ id }) => id));
  if (ids.size < meters.length) throw new RangeError("a meter is listed twice");
  const orphan = meters.find(({ parent }) => parent !== undefined && !ids.has(parent));
  if (orphan !== undefined) throw new RangeError(`${orphan.id} hangs under "${orphan.parent}", which is not listed`);
  const node = (meter: (typeof meters)[number], above: readonly string[]): MeterNode => {
    if (above.includes(meter.id)) throw new RangeError(`${meter.id} hangs under itself`);
    const children = meters.filter(({ parent }) => parent === meter.id);
    const uncertainty_pct = meter.uncertainty_pct ?? chainOf(meter.classes_pct);
    const below = children.map((child) => node(child, [...above, meter.id]));
    return { id: meter.id, amount: meter.amount, uncertainty_pct, children: below };
  };
  const roots = meters.filter(({ parent }) => parent === undefined);
  if (roots.length === 0) throw new RangeError("every meter hangs under another: there is no main meter");
  return roots
    .map((root) => node(root, []))
    .flatMap((root) => balances(root))
    .map(({ id, main, subTotal, rest, rest_pct, restUncertainty, verdict, missing }) => ({
      id,
      main,
      sub_total: subTotal,
      imbalance: rest,
      imbalance_pct: rest_pct,
      u_imbalance: restUncertainty,
      unexplained: verdict === "unknown" ? null : verdict !== "within",
      verdict,
      missing,
    }));
}

function chainOf(classes_pct: readonly number[] | undefined): number | null {
  return classes_pct === undefined ? null : Math.hypot(...classes_pct);
}

const HOUR_MS = 3_600_000;
/** Readings are compared in thousandths. */
const READING_STEPS = 1000;

function gap({ before, after, multiplier, hours, profile, history }: Section<"gap">[number]) {
  return {
    ...(before === undefined || after === undefined ? {} : registerGap(before, after, multiplier, hours, profile)),
    ...(history === undefined ? {} : surrogateOf(history)),
  };
}

function registerGap(before: number, after: number, multiplier: number, hours: number | undefined, weights: number[]) {
  const count = Math.max(1, weights.length);
  const length_ms = ((hours ?? count) * HOUR_MS) / count;
  const intervals = Array.from({ length: count }, (_, i) => ({ from_ms: i * length_ms, to_ms: (i + 1) * length_ms }));
  const steps = (reading: number) => BigInt(Math.round(reading * multiplier * READING_STEPS));
  const register = { before: steps(before), after: steps(after), weights };
  const fill = fillGap({ device: "stated", quantity: "stated", intervals }, { register }, "stated", 0);
  if (fill.kind !== "filled") throw new RangeError(fill.tried[0]?.why ?? "the gap cannot be filled");
  const shape = fill.substitution.ticks.map((ticks) => Number(ticks) / READING_STEPS);
  return {
    total: shape.reduce((sum, part) => sum + part, 0),
    shape,
    rule: fill.substitution.rule,
    flag_of_sum: "C",
    flag_of_shape: fill.substitution.flag,
  };
}

function surrogateOf(history: readonly number[]) {
  const { mean, s, surrogate } = conservativeSurrogate(history);
  return { mean, s, surrogate };
}

function named(id: string | undefined): { readonly id?: string } {
  return id === undefined ? {} : { id };
}

function wrong(section: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${section}: ${message}`, {
    hint: "Correct this section of the calculation file.",
    context: { section },
  });
}
