import type { QuantityId } from "../../core/units/quantities.ts";
import { type Course, SLOT_ms, shareOf } from "../course/course.ts";
import { integralOf } from "../course/integral.ts";
import { seedOf, unitNoise } from "../course/noise.ts";
import {
  type Gauge,
  type Physics,
  type Placement,
  runningCounter,
  type SimCounter,
  standingCounter,
  wave,
} from "./physics.ts";

/** Base conditions of a normal cubic metre. Source: DIN 1343, 0 °C and 1.01325 bar. */
const BASE_bar = 1.01325;
const BASE_K = 273.15;
/** Compressibility at line over base conditions for pipeline gas at a few bar. */
const COMPRESSIBILITY = 0.9915;

/** Resolution registers tell 10^n m3 a count as far as anyone knows (unverified in the model). */
export interface GasSite extends Placement {
  /** Litres of one count. */
  readonly litres_per_count: number;
}

/**
 * A gas meter with a volume converter behind a pressure regulator of about 4 bar absolute: base volume follows the load,
 * measured volume is smaller by the conversion factor, which is one number per 15 minutes so that both counters are exact.
 */
export function gasMeter(flow: Course, site: GasSite): Physics {
  const seed = seedOf(site.seed, "conversion");
  const measuredPermille = (slot: number) => 268 + Math.floor(unitNoise(seed, slot) * 5);
  const base = integralOf(flow, site.origin_ms, site.since_ms);
  const measured = integralOf(shareOf(flow, measuredPermille), site.origin_ms, site.since_ms);
  const baseCounter = runningCounter("Nm3", base, site.start_ticks);
  const counters: [QuantityId, SimCounter][] = [
    ["volume_base_total", baseCounter],
    ["volume_base_all_total", baseCounter],
    ["volume_base_error_total", standingCounter("Nm3")],
    ["volume_measured_total", runningCounter("m3", measured, (site.start_ticks * 27n) / 100n)],
    ["volume_measured_error_total", standingCounter("m3")],
  ];
  const exponent = Math.round(Math.log10(site.litres_per_count / 1000));
  const conversion = (at_ms: number) => 1000 / measuredPermille(Math.floor((at_ms - site.origin_ms) / SLOT_ms));
  const temperature_degC = (at_ms: number) =>
    26 + 5 * wave(at_ms, 86_400_000, 3) + 0.3 * wave(at_ms, 1_300_000, site.seed);
  const gauges: Readonly<Record<string, Gauge>> = {
    flow_base: (at_ms) => base.rate(at_ms) / 1000,
    flow_measured: (at_ms) => base.rate(at_ms) / 1000 / conversion(at_ms),
    conversion_factor: conversion,
    compressibility_ratio: () => COMPRESSIBILITY,
    pressure_absolute: (at_ms) =>
      (conversion(at_ms) * COMPRESSIBILITY * BASE_bar * (BASE_K + temperature_degC(at_ms))) / BASE_K,
    temperature_gas: temperature_degC,
    volume_measured_exponent: () => exponent,
    volume_base_exponent: () => exponent,
    unit_system: () => 0,
    unix_time: (at_ms) => Math.floor(at_ms / 1000),
  };
  return { counters: new Map(counters), gauges: new Map(Object.entries(gauges)) };
}

/** Heat of a litre of water, W to the L/h and K. Source: 4.1868 kJ/(kg·K), the calorie of the steam tables, at 1 kg/L. */
const HEAT_W_per_Lh_K = 1.163;
const RETURN_degC = 52;

/**
 * A heat meter in a heating circuit: water gives about 20 K of its warmth. The difference of temperatures is one number per 15
 * minutes, so that heat counts exactly. Everything runs in the first direction; the second (cooling) stands.
 */
export function heatMeter(flow: Course, site: Placement): Physics {
  const seed = seedOf(site.seed, "spread");
  const spread_K = (slot: number) => 18 + Math.floor(unitNoise(seed, slot) * 41) / 10;
  const given = shareOf(flow, (slot) => Math.round(1000 * HEAT_W_per_Lh_K * spread_K(slot)));
  const volume = integralOf(flow, site.origin_ms, site.since_ms);
  const heat = integralOf(given, site.origin_ms, site.since_ms);
  const counters: [QuantityId, SimCounter][] = [
    ["volume_total_mode1", runningCounter("m3", volume, site.start_ticks)],
    ["volume_total_mode2", standingCounter("m3")],
    ["thermal_energy_total_mode1", runningCounter("Wh", heat)],
    ["thermal_energy_total_mode2", standingCounter("Wh")],
  ];
  const return_degC = (at_ms: number) => RETURN_degC + 3 * wave(at_ms, 7_300_000, site.seed);
  const gauges: Readonly<Record<string, Gauge>> = {
    mode: () => 1,
    volume_flow: (at_ms) => volume.rate(at_ms) / 1000,
    volume_flow_lps: (at_ms) => volume.rate(at_ms) / 3600,
    thermal_power: (at_ms) => heat.rate(at_ms),
    temperature_supply: (at_ms) => return_degC(at_ms) + spread_K(Math.floor((at_ms - site.origin_ms) / SLOT_ms)),
    temperature_return: return_degC,
  };
  return { counters: new Map(counters), gauges: new Map(Object.entries(gauges)) };
}

/** A water meter: one totalizer since ever, one since it was put in. */
export function waterMeter(flow: Course, site: Placement): Physics {
  const volume = integralOf(flow, site.origin_ms, site.since_ms);
  const counters: [QuantityId, SimCounter][] = [
    ["volume_total_1", runningCounter("m3", volume, site.start_ticks)],
    ["volume_total_2", runningCounter("m3", volume)],
  ];
  const gauges: Readonly<Record<string, Gauge>> = {
    volume_flow: (at_ms) => volume.rate(at_ms) / 1000,
    volume_flow_lps: (at_ms) => volume.rate(at_ms) / 3600,
    totalizer_1_direction: () => 1,
    totalizer_2_direction: () => 1,
  };
  return { counters: new Map(counters), gauges: new Map(Object.entries(gauges)) };
}
