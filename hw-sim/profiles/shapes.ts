import { hash32, unitNoise } from "../course/noise.ts";
import type { ElectricShape, FlowShape } from "../simConfig.ts";
import { type IsHoliday, weekdayOf } from "./calendar.ts";

/**
 * Loads by formula: the part of the peak used in each 15 minutes of local time, with seeded noise from day to day and slot
 * to slot. Calendar: slot 0 is Monday 2018-01-01; Sunday is the day off, and a holiday is like a Sunday.
 *
 * The figures are ordinary practice, not measurements: they give curves of the right look, no statement about a plant.
 */
export interface Shape {
  /** Part of the peak in a slot, 0 … 1. */
  readonly part: (slot: number, seed: number, around?: Around) => number;
  /** Ripple from minute to minute, thousandths of the slot's rate. */
  readonly ripple_permille: number;
  /** Reactive over active energy, thousandths (tan φ); 484 is a power factor of 0.90. */
  readonly tan_permille: number;
}

/** What the simulation file says of all days. */
export interface Around {
  readonly isHoliday: IsHoliday;
  /** How cloudy days are on average, 0 … 1; null = anything from clear to overcast. */
  readonly clouds: number | null;
}

const NOTHING_SPECIAL: Around = { isHoliday: () => false, clouds: null };
const SUNDAY = 6;

const SLOTS_PER_DAY = 96;

interface Moment {
  /** Local hours since midnight at the start of the slot: 0 … 23.75. */
  readonly hour: number;
  /** 0 = Monday … 6 = Sunday. */
  readonly weekday: number;
  /** Days since 2018-01-01. */
  readonly day: number;
  /** One number a day, 0 … 1. */
  readonly dayNoise: number;
  /** One number a slot, 0 … 1. */
  readonly noise: number;
  readonly clouds: number | null;
}

function momentOf(slot: number, seed: number, { isHoliday, clouds }: Around): Moment {
  const day = Math.floor(slot / SLOTS_PER_DAY);
  return {
    hour: (slot - day * SLOTS_PER_DAY) / 4,
    weekday: isHoliday(day) ? SUNDAY : weekdayOf(day),
    day,
    dayNoise: unitNoise(seed ^ 0x5bd1e995, day),
    noise: unitNoise(seed, slot),
    clouds,
  };
}

const shape = (
  ripple_permille: number,
  tan_permille: number,
  part: (moment: Moment, seed: number, slot: number) => number,
): Shape => ({
  ripple_permille,
  tan_permille,
  part: (slot, seed, around = NOTHING_SPECIAL) =>
    Math.min(1, Math.max(0, part(momentOf(slot, seed, around), seed, slot))),
});

const between = (hour: number, from: number, to: number) => hour >= from && hour < to;

/** Warm months of northern Vietnam: 0 in mid January, 1 in mid July. */
const warmth = (day: number) => (1 - Math.cos((2 * Math.PI * (day - 14)) / 365.2425)) / 2;

/** Two shifts 06-22 with meal breaks, Monday to Saturday. */
function twoShift({ hour, weekday, dayNoise, noise }: Moment): number {
  const idle = 0.1 + 0.03 * noise;
  if (weekday === 6 || !between(hour, 6, 22)) return idle;
  if (hour < 6.5 || hour >= 21.5) return 0.45 + 0.08 * noise;
  const meal = between(hour, 11.5, 12.25) || between(hour, 18, 18.5);
  return (meal ? 0.5 : 0.82) + 0.1 * dayNoise + 0.08 * noise;
}

/** Round the clock with a dip at each shift change, a third on Sunday. */
function threeShift({ hour, weekday, dayNoise, noise }: Moment): number {
  if (weekday === 6) return 0.28 + 0.06 * noise;
  const change = between(hour, 6, 6.5) || between(hour, 14, 14.5) || between(hour, 22, 22.5);
  return (change ? 0.6 : 0.84) + 0.08 * dayNoise + 0.08 * noise;
}

/** Cold stores: never off, more in the afternoon and in summer. */
function continuous({ hour, day, noise }: Moment): number {
  const afternoon = Math.max(0, Math.sin(((hour - 8) / 24) * 2 * Math.PI));
  return 0.48 + 0.22 * warmth(day) + 0.16 * afternoon + 0.1 * noise;
}

/** Air conditioning and lighting of a working day, Saturday half. */
function office({ hour, weekday, day, dayNoise, noise }: Moment): number {
  const night = 0.08 + 0.03 * noise;
  if (weekday === 6 || !between(hour, 7, 18.5)) return night;
  const sun = Math.sin(((hour - 7) / 11.5) * Math.PI);
  const full = 0.3 + 0.35 * warmth(day) * (0.4 + 0.6 * sun) + 0.12 * dayNoise + 0.08 * noise;
  return weekday === 5 ? 0.5 * full + 0.05 : full;
}

/** Melts of an hour with a quarter to charge between, from a start that differs by day; warm-holding else. */
function furnaceBatch({ hour, weekday, day, noise }: Moment, seed: number): number {
  const hold = 0.07 + 0.02 * noise;
  if (weekday === 6 || !between(hour, 6, 22)) return hold;
  const phase = (Math.floor(hour * 4) + (hash32(seed, -day - 1) % 5)) % 5;
  return phase === 4 ? 0.14 + 0.05 * noise : 0.88 + 0.12 * noise;
}

/** Load and unload with the air demand of the shifts. */
function compressor({ hour, weekday, noise }: Moment): number {
  const working = weekday < 6 && between(hour, 5.5, 22);
  return working ? 0.48 + 0.42 * noise : 0.15 + 0.1 * noise;
}

/** Latitude of Hai Phong, degrees north, and true noon by the local clock (longitude 106.7° against UTC+7's 105°). */
const LATITUDE_deg = 20.8;
const NOON_h = 11.89;

/**
 * Clear sky by the sun's height (Cooper's declination, air-mass loss as in the Haurwitz model), dimmed by a cloudiness of
 * the day and of the hour. Zero when the sun is down.
 */
function solar({ hour, day, dayNoise, noise, clouds }: Moment, seed: number): number {
  const rad = Math.PI / 180;
  const declination = 23.45 * rad * Math.sin((2 * Math.PI * (284 + (day % 365.2425))) / 365.2425);
  const hourAngle = (hour + 0.125 - NOON_h) * 15 * rad;
  const sine =
    Math.sin(LATITUDE_deg * rad) * Math.sin(declination) +
    Math.cos(LATITUDE_deg * rad) * Math.cos(declination) * Math.cos(hourAngle);
  if (sine <= 0.01) return 0;
  const clear = sine * Math.exp(-0.057 / sine);
  const cloudiness = clouds === null ? dayNoise ** 0.7 : Math.min(1, Math.max(0, clouds + 0.4 * (dayNoise - 0.5)));
  const hourly = unitNoise(seed ^ 0x3c6ef372, day * 24 + Math.floor(hour));
  return clear * (1 - 0.85 * cloudiness * (0.45 + 0.35 * hourly + 0.2 * noise));
}

export const ELECTRIC: Readonly<Record<ElectricShape, Shape>> = {
  "two-shift": shape(40, 484, twoShift),
  "three-shift": shape(35, 426, threeShift),
  continuous: shape(90, 540, continuous),
  office: shape(50, 329, office),
  "furnace-batch": shape(110, 620, furnaceBatch),
  compressor: shape(240, 593, compressor),
  solar: shape(45, 0, solar),
};

/** A boiler with a morning heat-up, steam through both shifts, banked at night. */
function gasBoiler({ hour, weekday, dayNoise, noise }: Moment): number {
  if (weekday === 6 || !between(hour, 4.5, 21.5)) return 0.04 + 0.02 * noise;
  if (hour < 6.5) return 0.85 + 0.15 * noise;
  return 0.5 + 0.18 * dayNoise + 0.2 * noise;
}

/** Washing and process water with cleaning in place after each shift. */
function processWater({ hour, weekday, dayNoise, noise }: Moment): number {
  if (weekday === 6 || !between(hour, 5.5, 23)) return 0.03 * noise;
  if (between(hour, 13.5, 14.25) || between(hour, 21.75, 22.75)) return 0.85 + 0.15 * noise;
  return hour >= 22.75 ? 0.1 * noise : 0.32 + 0.12 * dayNoise + 0.2 * noise;
}

export const FLOWS: Readonly<Record<FlowShape, Shape>> = {
  "gas-boiler": shape(60, 0, gasBoiler),
  "process-water": shape(150, 0, processWater),
};
