import type { QuantityId } from "../../core/units/quantities.ts";
import { type Course, SLOT_ms, shareOf } from "../course/course.ts";
import { integralOf } from "../course/integral.ts";
import { seedOf, unitNoise } from "../course/noise.ts";
import { type Physics, type Placement, type SimCounter, wave } from "./physics.ts";

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
  const startMeasured_ticks = (site.start_ticks * 27n) / 100n;
  const baseCounter: SimCounter = { unit: "Nm3", total: (at_ms) => site.start_ticks + base.total(at_ms) };
  const counters: [QuantityId, SimCounter][] = [
    ["volume_base_total", baseCounter],
    ["volume_base_all_total", baseCounter],
    ["volume_base_error_total", { unit: "Nm3", total: () => 0n }],
    ["volume_measured_total", { unit: "m3", total: (at_ms) => startMeasured_ticks + measured.total(at_ms) }],
    ["volume_measured_error_total", { unit: "m3", total: () => 0n }],
  ];
  const exponent = Math.round(Math.log10(site.litres_per_count / 1000));
  return {
    counters: new Map(counters),
    gauges(at_ms) {
      const conversion = 1000 / measuredPermille(Math.floor((at_ms - site.origin_ms) / SLOT_ms));
      const temperature_degC = 26 + 5 * wave(at_ms, 86_400_000, 3) + 0.3 * wave(at_ms, 1_300_000, site.seed);
      const flow_m3_per_h = base.rate(at_ms) / 1000;
      return {
        flow_base: flow_m3_per_h,
        flow_measured: flow_m3_per_h / conversion,
        conversion_factor: conversion,
        compressibility_ratio: COMPRESSIBILITY,
        pressure_absolute: (conversion * COMPRESSIBILITY * BASE_bar * (BASE_K + temperature_degC)) / BASE_K,
        temperature_gas: temperature_degC,
        volume_measured_exponent: exponent,
        volume_base_exponent: exponent,
        unit_system: 0,
        unix_time: Math.floor(at_ms / 1000),
      };
    },
  };
}

/** A water meter: one totalizer since ever, one since it was put in. */
export function waterMeter(flow: Course, site: Placement): Physics {
  const volume = integralOf(flow, site.origin_ms, site.since_ms);
  const counters: [QuantityId, SimCounter][] = [
    ["volume_total_1", { unit: "m3", total: (at_ms) => site.start_ticks + volume.total(at_ms) }],
    ["volume_total_2", { unit: "m3", total: (at_ms) => volume.total(at_ms) }],
  ];
  return {
    counters: new Map(counters),
    gauges(at_ms) {
      const flow_L_per_h = volume.rate(at_ms);
      return {
        volume_flow: flow_L_per_h / 1000,
        volume_flow_lps: flow_L_per_h / 3600,
        totalizer_1_direction: 1,
        totalizer_2_direction: 1,
      };
    },
  };
}
