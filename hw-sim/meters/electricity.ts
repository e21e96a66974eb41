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
} from "../course/course.ts";
import { type Integral, integralOf } from "../course/integral.ts";
import { hash32, unitNoise } from "../course/noise.ts";
import type { Load } from "../profiles/load.ts";
import { type Gauges, type Physics, type Placement, type SimCounter, wave } from "./physics.ts";

export interface ElectricSite extends Placement {
  /** Phases the model measures: 1 or 3. */
  readonly phases: number;
  /** Phase to neutral. */
  readonly nominal_V: number;
  /** Full load: sets the sag. */
  readonly rated_power_W: number;
}

type ElectricLoad = Extract<Load, { kind: "electric" }>;

/**
 * An electricity meter's truth.
 *
 * Every phase carries a fixed part of the load at one angle φ, so P = Σ V·I·cos φ, Q = Σ V·I·sin φ and S² = P² + Q² hold for
 * each phase and the total at every instant; currents follow from the voltage, which wanders and sags with the load.
 * Signs: plus is drawn from the grid, lagging reactive is plus; PF = P / S (1 when nothing flows).
 */
export function electricity(load: ElectricLoad, site: ElectricSite): Physics {
  const integral = (course: Course) => integralOf(course, site.origin_ms, site.since_ms);
  const parts = phaseParts(site);
  const drawn = sumOf([load.active, load.backflow]);
  const active = integral(load.active);
  const lagging = integral(load.lagging);
  const leading = integral(load.leading);
  const slotMean_W = (slot: number) => Math.max(0, load.active.upTo(slot, SLOT_MINUTES) / SLOT_MINUTES);

  const peak_W = peakSinceMidnight(slotMean_W);

  return {
    counters: electricCounters(load, drawn, parts, site, integral),
    gauges(at_ms) {
      const p_W = active.rate(at_ms);
      const q_var = lagging.rate(at_ms) - leading.rate(at_ms);
      const slot = Math.floor((at_ms - site.origin_ms) / SLOT_ms);
      return {
        ...powerGauges(p_W, q_var, parts, voltages(at_ms, Math.hypot(p_W, q_var), site)),
        frequency: frequency_Hz(at_ms, site.seed),
        active_power_demand: slotMean_W(slot - 1),
        active_power_demand_peak: peak_W(slot),
        phase_sequence: 0,
      };
    },
  };
}

/** Thousandths of the load on each phase: within 1.2 points of a third, fixed for the meter. */
function phaseParts(site: ElectricSite): readonly [number, number, number] {
  if (site.phases === 1) return [1000, 0, 0];
  const l1 = 321 + Math.floor(unitNoise(site.seed, 1) * 25);
  const l2 = 321 + Math.floor(unitNoise(site.seed, 2) * 25);
  return [l1, l2, 1000 - l1 - l2];
}

function electricCounters(
  load: ElectricLoad,
  drawn: Course,
  parts: readonly [number, number, number],
  site: ElectricSite,
  integral: (course: Course) => Integral,
): ReadonlyMap<QuantityId, SimCounter> {
  const apparent = apparentOf(load.active, differenceOf(load.lagging, load.leading));
  const outward = (slot: number) => load.active.upTo(slot, SLOT_MINUTES) < 0;
  const apparentOut = stepCourse((slot) => (outward(slot) ? apparent.upTo(slot, 1) : 0));
  const counter = (unit: SimCounter["unit"], course: Course, start_ticks = 0n): SimCounter => {
    const sum = integral(course);
    return { unit, total: (at_ms) => start_ticks + sum.total(at_ms) };
  };
  const added = (a: SimCounter, b: SimCounter): SimCounter => ({
    unit: a.unit,
    total: (at_ms) => a.total(at_ms) + b.total(at_ms),
  });

  const importTotal = counter("Wh", drawn, site.start_ticks);
  const exportTotal = counter("Wh", load.backflow);
  const importPhases = splitPhases(drawn, parts, site.start_ticks).map(([course, start]) =>
    counter("Wh", course, start),
  );
  const exportPhases = splitPhases(load.backflow, parts, 0n).map(([course]) => counter("Wh", course));
  const lagging = counter("varh", load.lagging);
  const leading = counter("varh", load.leading);
  const entries: [QuantityId, SimCounter][] = [
    ["active_energy_import_total", importTotal],
    ["active_energy_import_tariff1", importTotal],
    ["active_energy_export_total", exportTotal],
    ["active_energy_export_tariff1", exportTotal],
    ["active_energy_total", added(importTotal, exportTotal)],
    ["active_energy_import_partial", counter("Wh", drawn)],
    ["reactive_energy_import_total", lagging],
    ["reactive_energy_import_tariff1", lagging],
    ["reactive_energy_inductive_total", lagging],
    ["reactive_energy_export_total", leading],
    ["reactive_energy_export_tariff1", leading],
    ["reactive_energy_capacitive_total", leading],
    ["reactive_energy_total", added(lagging, leading)],
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
      [`active_energy_sum_${phase}`, added(inward, back)],
      [`active_energy_total_${phase}`, added(inward, back)],
    );
  }
  return new Map(entries);
}

/** The third phase is the rest, so that the phases add up to the total to the last tick. */
function splitPhases(
  course: Course,
  parts: readonly [number, number, number],
  start_ticks: bigint,
): [Course, bigint][] {
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

/** Within about 2 % of nominal, less a sag of 2 % at full load. */
function voltages(at_ms: number, s_VA: number, site: ElectricSite): readonly [number, number, number] {
  const second = Math.floor(at_ms / 1000);
  const sag = 0.02 * Math.min(1.5, s_VA / site.rated_power_W);
  const common = 1 + 0.011 * wave(at_ms, 7.3 * HOUR_ms, site.seed) - sag;
  const phase = (index: number) =>
    site.nominal_V *
    (common +
      0.004 * wave(at_ms, 0.61 * HOUR_ms, hash32(site.seed, index)) +
      0.0015 * (unitNoise(site.seed + index, second) - 0.5));
  return [phase(1), phase(2), phase(3)];
}

/** 50 Hz within ± 0.03. */
function frequency_Hz(at_ms: number, seed: number): number {
  return 50 + 0.022 * wave(at_ms, 211_000, 1) + 0.012 * (unitNoise(seed, Math.floor(at_ms / 1000)) - 0.5);
}

/** The highest slot mean since local midnight; slots that are over do not change, so the answer is kept for the slot. */
function peakSinceMidnight(slotMean_W: (slot: number) => number): (slot: number) => number {
  let last = { slot: Number.NaN, peak: 0 };
  return (slot) => {
    if (slot !== last.slot) {
      let peak = 0;
      for (let past = slot - (slot % SLOTS_PER_DAY); past < slot; past++) peak = Math.max(peak, slotMean_W(past));
      last = { slot, peak };
    }
    return last.peak;
  };
}

type Three = readonly [number, number, number];

function powerGauges(p_W: number, q_var: number, parts: Three, v_V: Three): Gauges {
  const s_VA = Math.hypot(p_W, q_var);
  const powerFactor = s_VA === 0 ? 1 : p_W / s_VA;
  const currents: Three = [
    (s_VA * parts[0]) / 1000 / v_V[0],
    (s_VA * parts[1]) / 1000 / v_V[1],
    (s_VA * parts[2]) / 1000 / v_V[2],
  ];
  const line = [lineVoltage(v_V[0], v_V[1]), lineVoltage(v_V[1], v_V[2]), lineVoltage(v_V[2], v_V[0])] as const;
  const voltageAvg = (v_V[0] + v_V[1] + v_V[2]) / 3;
  const currentSum = currents[0] + currents[1] + currents[2];
  const gauges: Record<string, number> = {
    active_power_total: p_W,
    reactive_power_total: q_var,
    apparent_power_total: s_VA,
    power_factor_total: powerFactor,
    power_factor_total_plain: powerFactor,
    power_factor_avg: powerFactor,
    cos_phi_total: powerFactor,
    phase_angle: (Math.atan2(q_var, p_W) * 180) / Math.PI,
    voltage_ln_avg: voltageAvg,
    voltage_system: voltageAvg,
    voltage_l1_l2: line[0],
    voltage_l2_l3: line[1],
    voltage_l3_l1: line[2],
    voltage_ll_avg: (line[0] + line[1] + line[2]) / 3,
    current_avg: currentSum / 3,
    current_sum: currentSum,
    current_total: currentSum,
    current_system: currentSum / 3,
    current_neutral: neutralCurrent(currents),
  };
  for (const [index, phase] of (["l1", "l2", "l3"] as const).entries()) {
    const part = parts[index]! / 1000;
    gauges[`voltage_${phase}`] = v_V[index]!;
    gauges[`current_${phase}`] = currents[index]!;
    gauges[`active_power_${phase}`] = p_W * part;
    gauges[`reactive_power_${phase}`] = q_var * part;
    gauges[`apparent_power_${phase}`] = s_VA * part;
    gauges[`power_factor_${phase}`] = powerFactor;
    gauges[`cos_phi_${phase}`] = powerFactor;
  }
  return gauges;
}

/** Two phase voltages 120° apart. */
function lineVoltage(a_V: number, b_V: number): number {
  return Math.sqrt(a_V * a_V + b_V * b_V + a_V * b_V);
}

/** Three currents 120° apart, all at the same angle to their voltage. */
function neutralCurrent([a, b, c]: Three): number {
  return Math.sqrt(Math.max(0, a * a + b * b + c * c - a * b - b * c - c * a));
}
