import type { QuantityId } from "../../core/units/quantities.ts";
import {
  apparentOf,
  type Course,
  differenceOf,
  SLOT_MINUTES,
  SLOT_ms,
  SLOTS_PER_DAY,
  shareOf,
  stepCourse,
  sumOf,
  whileFlowing,
} from "../course/course.ts";
import { type Integral, integralOf, type Minute } from "../course/integral.ts";
import { hash32, unitNoise } from "../course/noise.ts";
import type { Load } from "../profiles/electric.ts";
import {
  addedCounter,
  columnGauge,
  type Gauge,
  type Physics,
  type Placement,
  runningCounter,
  type SimCounter,
  standingCounter,
  wave,
} from "./physics.ts";

export interface ElectricSite extends Placement {
  /** Phases the model measures: 1 or 3. */
  readonly phases: number;
  /** Phase to neutral. */
  readonly nominal_V: number;
  /** Full load: sets the sag. */
  readonly rated_power_W: number;
  /** Voltage lost at full load, thousandths of nominal. */
  readonly sag_permille: number;
  /** Thousandths of the load on each phase, 1000 in all; null = about a third each, a little different meter by meter. */
  readonly phase_permille: Three | null;
}

type ElectricLoad = Extract<Load, { kind: "electric" }>;

/**
 * An electricity meter's truth.
 *
 * Every phase carries a fixed part of the load at one angle φ, so P = Σ V·I·cos φ, Q = Σ V·I·sin φ and S² = P² + Q² hold for
 * each phase and the total at every instant; currents follow from the voltage, which wanders second by second and sags with
 * the load.
 * Signs: plus is drawn from the grid, lagging reactive is plus; PF = P / S (1 when nothing flows).
 */
export function electricity(load: ElectricLoad, site: ElectricSite): Physics {
  const integral = (course: Course) => integralOf(course, site.origin_ms, site.since_ms);
  const parts = phaseParts(site);
  const drawn = sumOf([load.active, load.backflow]);
  const active = integral(load.active);
  const lagging = integral(load.lagging);
  const leading = integral(load.leading);
  const slotMean = (course: Course) => (slot: number) => course.upTo(slot, SLOT_MINUTES) / SLOT_MINUTES;
  const mean_W = slotMean(load.active);
  const mean_var = slotMean(differenceOf(load.lagging, load.leading));
  const demand_W = (slot: number) => Math.max(0, mean_W(slot));
  const peak_W = peakSinceMidnight(demand_W);
  const peak_var = peakSinceMidnight((slot) => Math.abs(mean_var(slot)));
  const peak_VA = peakSinceMidnight((slot) => Math.hypot(mean_W(slot), mean_var(slot)));

  const net = netPower(active, lagging, leading);
  const slotOf = (at_ms: number) => Math.floor((at_ms - site.origin_ms) / SLOT_ms);
  const own: Readonly<Record<string, Gauge>> = {
    frequency: perSecond((at_ms) => frequency_Hz(at_ms, site.seed)),
    active_power_demand: (at_ms) => demand_W(slotOf(at_ms) - 1),
    active_power_demand_peak: (at_ms) => peak_W(slotOf(at_ms)),
    active_power_demand_max: (at_ms) => peak_W(slotOf(at_ms)),
    reactive_power_demand_max: (at_ms) => peak_var(slotOf(at_ms)),
    apparent_power_demand_max: (at_ms) => peak_VA(slotOf(at_ms)),
    phase_sequence: () => 0,
  };
  const gauges = new Map([...powerGauges(net, parts, site), ...Object.entries(own)]);
  return { counters: electricCounters(load, drawn, parts, site, integral), gauges };
}

/** Thousandths of the load on each phase: as configured, else within 1.2 points of a third, fixed for the meter. */
function phaseParts(site: ElectricSite): Three {
  if (site.phases === 1) return [1000, 0, 0];
  if (site.phase_permille !== null) return site.phase_permille;
  const l1 = 321 + Math.floor(unitNoise(site.seed, 1) * 25);
  const l2 = 321 + Math.floor(unitNoise(site.seed, 2) * 25);
  return [l1, l2, 1000 - l1 - l2];
}

function electricCounters(
  load: ElectricLoad,
  drawn: Course,
  parts: Three,
  site: ElectricSite,
  integral: (course: Course) => Integral,
): ReadonlyMap<QuantityId, SimCounter> {
  const apparent = apparentOf(load.active, differenceOf(load.lagging, load.leading));
  const outward = (slot: number) => load.active.upTo(slot, SLOT_MINUTES) < 0;
  const apparentOut = stepCourse((slot) => (outward(slot) ? apparent.upTo(slot, 1) : 0));
  const counter = (unit: SimCounter["unit"], course: Course, start_ticks = 0n) =>
    runningCounter(unit, integral(course), start_ticks);

  const importTotal = counter("Wh", drawn, site.start_ticks);
  const exportTotal = counter("Wh", load.backflow);
  const importPhases = splitPhases(drawn, parts, site.start_ticks).map(([course, start]) =>
    counter("Wh", course, start),
  );
  const exportPhases = splitPhases(load.backflow, parts, 0n).map(([course]) => counter("Wh", course));
  const lagging = counter("varh", load.lagging);
  const leading = counter("varh", load.leading);
  const laggingOut = whileFlowing(load.lagging, load.active, -1);
  const leadingOut = whileFlowing(load.leading, load.active, -1);
  const entries: [QuantityId, SimCounter][] = [
    ["active_energy_import_total", importTotal],
    ["active_energy_import_tariff1", importTotal],
    ["active_energy_import_tariff2", standingCounter("Wh")],
    ["active_energy_export_total", exportTotal],
    ["active_energy_export_tariff1", exportTotal],
    ["active_energy_export_tariff2", standingCounter("Wh")],
    ["active_energy_total", addedCounter(importTotal, exportTotal)],
    ["active_energy_import_partial", counter("Wh", drawn)],
    ["reactive_energy_import_total", lagging],
    ["reactive_energy_import_tariff1", lagging],
    ["reactive_energy_inductive_total", lagging],
    ["reactive_energy_export_total", leading],
    ["reactive_energy_export_tariff1", leading],
    ["reactive_energy_capacitive_total", leading],
    ["reactive_energy_total", addedCounter(lagging, leading)],
    ["reactive_energy_q1_total", counter("varh", differenceOf(load.lagging, laggingOut))],
    ["reactive_energy_q2_total", counter("varh", laggingOut)],
    ["reactive_energy_q3_total", counter("varh", leadingOut)],
    ["reactive_energy_q4_total", counter("varh", differenceOf(load.leading, leadingOut))],
    ["apparent_energy_total", counter("VAh", apparent)],
    ["apparent_energy_import_total", counter("VAh", differenceOf(apparent, apparentOut))],
    ["apparent_energy_export_total", counter("VAh", apparentOut)],
  ];
  for (const [index, phase] of (["l1", "l2", "l3"] as const).entries()) {
    const inward = importPhases[index]!;
    const back = exportPhases[index]!;
    entries.push(
      [`active_energy_import_${phase}`, inward],
      [`active_energy_export_${phase}`, back],
      [`active_energy_sum_${phase}`, addedCounter(inward, back)],
      [`active_energy_total_${phase}`, addedCounter(inward, back)],
    );
  }
  return new Map(entries);
}

/** The third phase is the rest, so that the phases add up to the total to the last tick. */
function splitPhases(course: Course, parts: Three, start_ticks: bigint): [Course, bigint][] {
  const l1 = shareOf(course, () => parts[0]);
  const l2 = shareOf(course, () => parts[1]);
  const start1 = (start_ticks * BigInt(parts[0])) / 1000n;
  const start2 = (start_ticks * BigInt(parts[1])) / 1000n;
  return [
    [l1, start1],
    [l2, start2],
    [differenceOf(course, sumOf([l1, l2])), start_ticks - start1 - start2],
  ];
}

const HOUR_ms = 3_600_000;

/** Within about 2 % of nominal, less the sag under load; `at_ms` is a whole second. */
function voltages(at_ms: number, s_VA: number, site: ElectricSite): Three {
  const second = at_ms / 1000;
  const sag = (site.sag_permille / 1000) * Math.min(1.5, s_VA / site.rated_power_W);
  const common = 1 + 0.011 * wave(at_ms, 7.3 * HOUR_ms, site.seed) - sag;
  const phase = (index: number) =>
    site.nominal_V *
    (common +
      0.004 * wave(at_ms, 0.61 * HOUR_ms, hash32(site.seed, index)) +
      0.0015 * (unitNoise(site.seed + index, second) - 0.5));
  return [phase(1), phase(2), phase(3)];
}

/** 50 Hz within ± 0.03; `at_ms` is a whole second. */
function frequency_Hz(at_ms: number, seed: number): number {
  return 50 + 0.022 * wave(at_ms, 211_000, 1) + 0.012 * (unitNoise(seed, at_ms / 1000) - 0.5);
}

/** The highest slot mean since local midnight; slots that are over do not change, so the answer is kept for the slot. */
function peakSinceMidnight(slotMean: (slot: number) => number): (slot: number) => number {
  let last = { slot: Number.NaN, peak: 0 };
  return (slot) => {
    if (slot !== last.slot) {
      let peak = 0;
      for (let past = slot - (slot % SLOTS_PER_DAY); past < slot; past++) peak = Math.max(peak, slotMean(past));
      last = { slot, peak };
    }
    return last.peak;
  };
}

export type Three = readonly [number, number, number];

/** Active and reactive power through the meter at an instant: constant within a minute. */
type NetPower = (at_ms: number) => {
  readonly p_W: number;
  readonly q_var: number;
  readonly s_VA: number;
  readonly factor: number;
};

function netPower(active: Integral, lagging: Integral, leading: Integral): NetPower {
  let minute: Minute | undefined;
  let held = { p_W: 0, q_var: 0, s_VA: 0, factor: 1 };
  return (at_ms) => {
    const now = active.minute(at_ms);
    if (now === minute) return held;
    minute = now;
    const p_W = now.rate;
    const q_var = lagging.rate(at_ms) - leading.rate(at_ms);
    const s_VA = Math.hypot(p_W, q_var);
    held = { p_W, q_var, s_VA, factor: s_VA === 0 ? 1 : p_W / s_VA };
    return held;
  };
}

/** What is worked out together once a second, in this order: what is of all phases, then what is of each. */
const OF_ALL = [
  "active_power_total",
  "reactive_power_total",
  "apparent_power_total",
  "power_factor_total",
  "voltage_ln_avg",
  "voltage_l1_l2",
  "voltage_l2_l3",
  "voltage_l3_l1",
  "voltage_ll_avg",
  "current_sum",
  "current_avg",
  "current_neutral",
] as const;
const OF_PHASE = ["voltage", "current", "active_power", "reactive_power", "apparent_power"] as const;

/** Other names for the same. */
const ALSO: Readonly<Record<string, string>> = {
  power_factor_total_plain: "power_factor_total",
  power_factor_avg: "power_factor_total",
  power_factor_l1: "power_factor_total",
  power_factor_l2: "power_factor_total",
  power_factor_l3: "power_factor_total",
  cos_phi_total: "power_factor_total",
  cos_phi_l1: "power_factor_total",
  cos_phi_l2: "power_factor_total",
  cos_phi_l3: "power_factor_total",
  voltage_system: "voltage_ln_avg",
  current_total: "current_sum",
  current_system: "current_avg",
};

function powerGauges(net: NetPower, parts: Three, site: ElectricSite): readonly [string, Gauge][] {
  const sheet = perSecond((at_ms) => sheetAt(at_ms, net(at_ms), parts, site));
  const names = [...OF_ALL, ...(["l1", "l2", "l3"] as const).flatMap((of) => OF_PHASE.map((name) => `${name}_${of}`))];
  const gauges = new Map<string, Gauge>(names.map((name, i) => [name, columnGauge(sheet, i)]));
  return [
    ...gauges,
    ...Object.entries(ALSO).map(([name, of]): [string, Gauge] => [name, gauges.get(of)!]),
    ["phase_angle", (at_ms) => (Math.atan2(net(at_ms).q_var, net(at_ms).p_W) * 180) / Math.PI],
  ];
}

/** Values of {@link OF_ALL} and of {@link OF_PHASE} for each phase; `at_ms` is a whole second. */
function sheetAt(
  at_ms: number,
  { p_W, q_var, s_VA, factor }: ReturnType<NetPower>,
  parts: Three,
  site: ElectricSite,
): readonly number[] {
  const [a_V, b_V, c_V] = voltages(at_ms, s_VA, site);
  const [a, b, c] = [parts[0] / 1000, parts[1] / 1000, parts[2] / 1000];
  const a_A = (s_VA * parts[0]) / 1000 / a_V;
  const b_A = (s_VA * parts[1]) / 1000 / b_V;
  const c_A = (s_VA * parts[2]) / 1000 / c_V;
  const [ab_V, bc_V, ca_V] = [lineVoltage(a_V, b_V), lineVoltage(b_V, c_V), lineVoltage(c_V, a_V)];
  const sum_A = a_A + b_A + c_A;
  const all = [p_W, q_var, s_VA, factor, (a_V + b_V + c_V) / 3, ab_V, bc_V, ca_V, (ab_V + bc_V + ca_V) / 3];
  all.push(sum_A, sum_A / 3, neutralCurrent(a_A, b_A, c_A));
  all.push(a_V, a_A, p_W * a, q_var * a, s_VA * a);
  all.push(b_V, b_A, p_W * b, q_var * b, s_VA * b);
  all.push(c_V, c_A, p_W * c, q_var * c, s_VA * c);
  return all;
}

/** As meters do, which show a second's mean: the reads of one poll, block by block, mostly share it. */
function perSecond<T>(compute: (at_ms: number) => T): (at_ms: number) => T {
  let last = Number.NaN;
  let held: T | undefined;
  return (at_ms) => {
    const second = Math.floor(at_ms / 1000);
    if (held === undefined || second !== last) {
      held = compute(second * 1000);
      last = second;
    }
    return held;
  };
}

/** Two phase voltages 120° apart. */
function lineVoltage(a_V: number, b_V: number): number {
  return Math.sqrt(a_V * a_V + b_V * b_V + a_V * b_V);
}

/** Three currents 120° apart, all at the same angle to their voltage. */
function neutralCurrent(a: number, b: number, c: number): number {
  return Math.sqrt(Math.max(0, a * a + b * b + c * c - a * b - b * c - c * a));
}
