import { KhuXanhError } from "../../core/errors.ts";
import { type Course, minuteCourse, remembered, SLOT_MINUTES, stepCourse } from "../course/course.ts";
import { hash32, unitNoise } from "../course/noise.ts";
import type { DayTypeLoad } from "../simConfig.ts";
import {
  type IsHoliday,
  MINUTES_PER_DAY,
  type TimeSpan,
  timeSpan,
  WEEKDAYS,
  type WorkTime,
  weekdayOf,
  workTime,
} from "./calendar.ts";

/**
 * Day-type loads with everything to set. Rates are whole W, worked out minute by minute (base load: quarter hour by quarter
 * hour), seeded noise included; none passes its peak.
 */
export interface DayTypeCourse {
  readonly active: Course;
  /** Reactive over active power, thousandths, where the file says no power factor. */
  readonly tan_permille: number;
}

interface Surroundings {
  readonly seed: number;
  readonly isHoliday: IsHoliday;
  readonly place: string;
}

/** @throws {KhuXanhError} CONFIG_INVALID: times, weekdays, figures out of their limits. */
export function dayTypeCourse(spec: DayTypeLoad, around: Surroundings): DayTypeCourse {
  switch (spec.shape) {
    case "shifts":
      return { active: shifts(spec, around), tan_permille: 484 };
    case "furnace":
      return { active: furnace(spec, around), tan_permille: 620 };
    case "compressors":
      return { active: compressors(spec, around), tan_permille: 593 };
    case "base-load":
      return { active: baseLoad(spec, around), tan_permille: 426 };
  }
}

type Of<Name extends DayTypeLoad["shape"]> = Extract<DayTypeLoad, { shape: Name }>;

/** Idle outside the shifts; a straight ramp of `ramp_min` at both ends of a shift; breaks at half load. */
function shifts(spec: Of<"shifts">, { seed, isHoliday, place }: Surroundings): Course {
  const isWorkday = workdays(spec.weekdays, isHoliday, place);
  const working = workTime(spansOf(spec.shifts, `${place}.shifts`), isWorkday);
  const breaks = workTime(spansOf(spec.breaks ?? [], `${place}.breaks`), isWorkday);
  const idle = percent(spec.idle_percent ?? 10, `${place}.idle_percent`);
  const ramp = minutes(spec.ramp_min ?? 15, 0, 240, `${place}.ramp_min`);
  return minuteCourse((minute) => {
    const wobble = 0.06 * slotNoise(seed, minute) + 0.04 * unitNoise(seed ^ RIPPLE, minute);
    const into = working.into(minute);
    if (into < 0) return Math.round(spec.peak_W * idle * (1 - wobble));
    const day = 0.05 * unitNoise(seed ^ DAY, Math.floor((minute - into) / MINUTES_PER_DAY));
    const rise = ramp === 0 ? 1 : Math.min(1, (into + 1) / ramp, working.left(minute) / ramp);
    const pause = breaks.into(minute) < 0 ? 1 : 0.5;
    const full = idle + (1 - idle) * rise * pause;
    return Math.round(spec.peak_W * full * (1 - wobble) * (1 - day));
  });
}

/** Heats of `melt_min` with `charge_min` between, one after another from a start that differs by day; holding else. */
function furnace(spec: Of<"furnace">, { seed, isHoliday, place }: Surroundings): Course {
  const melt = minutes(spec.melt_min ?? 55, 1, MINUTES_PER_DAY, `${place}.melt_min`);
  const charge = minutes(spec.charge_min ?? 15, 1, MINUTES_PER_DAY, `${place}.charge_min`);
  const hold = percent(spec.hold_percent ?? 8, `${place}.hold_percent`);
  const hours = hoursOf(spec.hours ?? "06:00-22:00", spec.weekdays, isHoliday, place);
  const cycle = melt + charge;
  return minuteCourse((minute) => {
    const noise = unitNoise(seed, minute);
    const begun = hours.into(minute);
    const holding = Math.round(spec.peak_W * hold * (1 - 0.1 * noise));
    if (begun < 0) return holding;
    const day = Math.floor((minute - begun) / MINUTES_PER_DAY);
    const into = (begun + (hash32(seed, day) % cycle)) % cycle;
    return into < melt ? Math.round(spec.peak_W * (1 - 0.12 * noise)) : holding;
  });
}

/**
 * A compressed-air station: the demand of the quarter hour is met by compressors at full load and one that loads and unloads
 * within each cycle to make up the rest; an unloaded one still draws `unloaded_percent`, the others are off.
 */
function compressors(spec: Of<"compressors">, { seed, isHoliday, place }: Surroundings): Course {
  const count = minutes(spec.count ?? 2, 1, 20, `${place}.count`);
  const demand = percent(spec.demand_percent ?? 65, `${place}.demand_percent`);
  const night = percent(spec.night_demand_percent ?? 15, `${place}.night_demand_percent`);
  const cycle = minutes(spec.cycle_min ?? 6, 2, 120, `${place}.cycle_min`);
  const unloaded = percent(spec.unloaded_percent ?? 28, `${place}.unloaded_percent`);
  const hours = hoursOf(spec.hours ?? "05:30-22:00", spec.weekdays, isHoliday, place);
  const each_W = spec.peak_W / count;
  return minuteCourse((minute) => {
    const usual = hours.into(minute) < 0 ? night : demand;
    const asked = count * Math.min(1, usual * (0.85 + 0.3 * slotNoise(seed, minute)));
    const full = Math.min(count, Math.floor(asked));
    const trimming = (asked - full) * cycle;
    if (full === count || trimming < 0.5) return Math.round(each_W * full);
    const into = (((minute + seed) % cycle) + cycle) % cycle;
    return Math.round(each_W * (full + (into < trimming ? 1 : unloaded)));
  });
}

/** Lighting, cooling, standby: full in `hours` (at night), `day_percent` of it else. */
function baseLoad(spec: Of<"base-load">, { seed, place }: Surroundings): Course {
  const hours = workTime([timeSpan(spec.hours ?? "18:00-06:00", `${place}.hours`)], () => true);
  const day = percent(spec.day_percent ?? 40, `${place}.day_percent`);
  return stepCourse(
    remembered((slot) => {
      const isFull = hours.into(slot * SLOT_MINUTES) >= 0;
      return Math.round(spec.peak_W * (isFull ? 1 : day) * (1 - 0.05 * unitNoise(seed, slot)));
    }),
  );
}

const WORKWEEK = WEEKDAYS.slice(0, 6);
const RIPPLE = 0x5bd1e995;
const DAY = 0x3c6ef372;
const SLOT = 0x1b873593;

function slotNoise(seed: number, minute: number): number {
  return unitNoise(seed ^ SLOT, Math.floor(minute / SLOT_MINUTES));
}

function spansOf(texts: readonly string[], place: string): readonly TimeSpan[] {
  return texts.map((text, at) => timeSpan(text, `${place}.${at}`));
}

function hoursOf(text: string, weekdays: readonly string[] | undefined, isHoliday: IsHoliday, place: string): WorkTime {
  return workTime([timeSpan(text, `${place}.hours`)], workdays(weekdays, isHoliday, place));
}

function workdays(
  written: readonly string[] | undefined,
  isHoliday: IsHoliday,
  place: string,
): (day: number) => boolean {
  const names = written ?? WORKWEEK;
  const unknown = names.find((name) => !WEEKDAYS.some((known) => known === name));
  if (unknown !== undefined) {
    throw invalid(`${place}.weekdays`, `"${unknown}" is no weekday (allowed: ${WEEKDAYS.join(", ")})`);
  }
  const works = WEEKDAYS.map((name) => names.includes(name));
  return (day) => works[weekdayOf(day)] === true && !isHoliday(day);
}

function percent(value: number, place: string): number {
  if (!(value >= 0 && value <= 100)) throw invalid(place, `${value} is not within 0 … 100`);
  return value / 100;
}

function minutes(value: number, least: number, most: number, place: string): number {
  if (!(Number.isInteger(value) && value >= least && value <= most)) {
    throw invalid(place, `${value} is no whole number within ${least} … ${most}`);
  }
  return value;
}

function invalid(place: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: ${message}`, {
    hint: "Correct the load in the simulation file; hw-sim/README.md lists what each shape takes.",
    context: { place },
  });
}
