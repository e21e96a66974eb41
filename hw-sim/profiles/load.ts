import { KhuXanhError } from "../../core/errors.ts";
import {
  type Course,
  remembered,
  ripplingCourse,
  SLOT_MINUTES,
  SLOTS_PER_DAY,
  shareOf,
  stepCourse,
  ZERO,
} from "../course/course.ts";
import { seedOf, unitNoise } from "../course/noise.ts";
import { originOf } from "../course/origin.ts";
import {
  type CsvLoad,
  type DayTypeLoad,
  type FormulaLoad,
  type LoadSpec,
  PROFILE_NAMES,
  type SimConfig,
  type SteamBoilerLoad,
} from "../simConfig.ts";
import { dateOf, holidaysOf, weekdayOf } from "./calendar.ts";
import { dayTypeCourse } from "./dayTypes.ts";
import { balanceOf, drawing, type Load, withPowerFactor } from "./electric.ts";
import { parseFormula } from "./formula.ts";
import { seriesOf } from "./series.ts";
import { ELECTRIC, FLOWS, type Shape } from "./shapes.ts";
import { steelLoad } from "./steel.ts";

/** Texts of the profiles a configuration names, by name or path; of one that cannot be read, why. */
export type Profiles = ReadonlyMap<string, string | KhuXanhError>;

const DEPTH_MAX = 32;
const PEAK_W_MAX = 1_000_000_000;
const PEAK_m3_per_h_MAX = 1_000_000;
/** W or L/h. */
const RATE_MAX = PEAK_W_MAX;

type Of<Key extends string> = Extract<LoadSpec, Readonly<Record<Key, unknown>>>;
type CurveLoad = Exclude<Of<"shape">, DayTypeLoad | SteamBoilerLoad>;

/**
 * Builds loads from their descriptions. A load of the `loads` table is built once, so that every meter that refers to it
 * sees the same one; each formula draws its noise from a seed of its own: the simulation's seed and the place it stands at.
 *
 * @throws {KhuXanhError} CONFIG_INVALID: unknown name, a circle, mixed kinds, a number out of its limits, a wrong file or formula.
 */
export function loadBuilder(config: SimConfig, profiles: Profiles): (spec: LoadSpec, place: string) => Load {
  const named = new Map<string, Load>();
  const series = new Map<string, Load>();
  const steel = once(() => steelLoad(textOf("steel", "loads")));
  const isHoliday = holidaysOf(config.holidays ?? []);
  const origin_ms = originOf(config.time_zone);
  const offset_ms = Date.UTC(2018, 0, 1) - origin_ms;

  function build(spec: LoadSpec, place: string, path: readonly string[]): Load {
    if (path.length > DEPTH_MAX) throw invalid(place, `loads are nested deeper than ${DEPTH_MAX}`);
    if ("csv" in spec) return isBuiltIn(spec) ? drawing(steel()) : measured(spec, place);
    if ("formula" in spec) return formula(spec, place);
    if ("shape" in spec) return shaped(spec, place, path);
    if ("ref" in spec) return refer(spec.ref, place, path);
    if ("share" in spec) return share(spec, place, [...path, "share"]);
    return balance(spec, place, [...path, "sum"]);
  }

  function shaped(spec: Of<"shape">, place: string, path: readonly string[]): Load {
    if (spec.shape === "steam-boiler") return steamBoiler(spec, place, path);
    const seed = spec.seed ?? seedOf(config.seed, place);
    return isDayType(spec) ? dayType(spec, seed, place) : curve(spec, seed, place);
  }

  function textOf(name: string, place: string): string {
    const text = profiles.get(name);
    if (text === undefined) throw invalid(place, `${name} was not read`);
    if (typeof text === "string") return text;
    const { code, hint, context } = text;
    const why = text.message.replace(` [${code}]`, "");
    throw new KhuXanhError(code, `${place}: ${why}`, { hint, context: { ...context, place }, cause: text });
  }

  function measured(spec: CsvLoad, place: string): Load {
    const key = JSON.stringify(spec);
    const known = series.get(key);
    if (known !== undefined) return known;
    const text = textOf(spec.csv, `${place}.csv`);
    const { kind, course, hasNegative } = seriesOf(text, spec, { origin_ms, offset_ms, place });
    const load: Load =
      kind === "flow" ? { kind, flow: course } : withPowerFactor(course, spec.power_factor ?? 1, hasNegative, place);
    series.set(key, load);
    return load;
  }

  function formula(spec: FormulaLoad, place: string): Load {
    const of = parseFormula(spec.formula, `${place}.formula`);
    const seed = spec.seed ?? seedOf(config.seed, place);
    const perUnit = spec.unit === "m3/h" ? 1000 : 1;
    const rate = (slot: number) => {
      const day = Math.floor(slot / SLOTS_PER_DAY);
      const { month, dayOfYear } = dateOf(day);
      return (
        of({
          hour: (slot - day * SLOTS_PER_DAY + 0.5) / 4,
          weekday: weekdayOf(day) + 1,
          day: dayOfYear,
          month,
          holiday: isHoliday(day) ? 1 : 0,
          noise: unitNoise(seed, slot),
        }) * perUnit
      );
    };
    const lowest = lowestOf(rate, perUnit, `${place}.formula`);
    // One rate a quarter of an hour. Noise of another year may pass the edge of a meter's world by a little: it is held there.
    const least = spec.unit === "m3/h" ? 0 : -RATE_MAX;
    const course = stepCourse(
      remembered((slot) => {
        const bounded = Math.min(RATE_MAX, Math.max(least, rate(slot)));
        return Number.isNaN(bounded) ? 0 : Math.round(bounded) + 0;
      }),
    );
    if (spec.unit !== "m3/h") return withPowerFactor(course, spec.power_factor ?? 1, lowest < 0, place);
    if (lowest < 0) throw invalid(`${place}.formula`, "a flow below 0; write max(0, …)");
    return { kind: "flow", flow: course };
  }

  function steamBoiler(spec: SteamBoilerLoad, place: string, path: readonly string[]): Load {
    const peak_L_per_h = 1000 * inside(spec.peak_m3_per_h, PEAK_m3_per_h_MAX, `${place}.peak_m3_per_h`);
    const followed = build(spec.follows, `${place}.follows`, [...path, "follows"]);
    const full = inside(spec.follows_peak, PEAK_W_MAX, `${place}.follows_peak`) * (followed.kind === "flow" ? 1000 : 1);
    const asked = followed.kind === "flow" ? followed.flow : followed.active;
    const base = (spec.base_percent ?? 15) / 100;
    const lag_slots = Math.round((spec.lag_min ?? 30) / SLOT_MINUTES);
    if (!(base >= 0 && base <= 1)) throw invalid(`${place}.base_percent`, `${spec.base_percent} is not within 0 … 100`);
    const seed = seedOf(config.seed, place);
    const rate = remembered((slot) => {
      const steam = asked.upTo(slot - lag_slots, SLOT_MINUTES) / SLOT_MINUTES / full;
      const part = base + (1 - base) * Math.min(1, Math.max(0, steam));
      return Math.round(peak_L_per_h * part * (1 - 0.04 * unitNoise(seed, slot)));
    });
    return { kind: "flow", flow: stepCourse(rate) };
  }

  function dayType(spec: DayTypeLoad, seed: number, place: string): Load {
    inside(spec.peak_W, PEAK_W_MAX, `${place}.peak_W`);
    const { active, tan_permille } = dayTypeCourse(spec, { seed, isHoliday, place });
    if (spec.power_factor !== undefined) return withPowerFactor(active, spec.power_factor, false, place);
    return drawing({ active, lagging: reactive(active, tan_permille, seed), leading: ZERO });
  }

  function curve(spec: CurveLoad, seed: number, place: string): Load {
    if ("peak_m3_per_h" in spec) {
      const peak = inside(spec.peak_m3_per_h, PEAK_m3_per_h_MAX, `${place}.peak_m3_per_h`);
      return { kind: "flow", flow: rippling(FLOWS[spec.shape], peak * 1000, seed, { isHoliday, clouds: null }) };
    }
    const shape = ELECTRIC[spec.shape];
    const clouds = spec.clouds_percent === undefined ? null : spec.clouds_percent / 100;
    const peak_W = inside(spec.peak_W, PEAK_W_MAX, `${place}.peak_W`);
    const active = rippling(shape, peak_W, seed, { isHoliday, clouds });
    if (spec.power_factor !== undefined) return withPowerFactor(active, spec.power_factor, false, place);
    return drawing({ active, lagging: reactive(active, shape.tan_permille, seed), leading: ZERO });
  }

  function refer(name: string, place: string, path: readonly string[]): Load {
    const known = named.get(name);
    if (known !== undefined) return known;
    const spec = config.loads?.[name];
    if (spec === undefined) {
      const names = Object.keys(config.loads ?? {}).join(", ");
      throw invalid(place, `there is no load "${name}" (allowed: ${names === "" ? "none defined" : names})`);
    }
    const step = `loads.${name}`;
    if (path.includes(step)) throw invalid(place, `the load "${name}" refers to itself`);
    const load = build(spec, step, [...path, step]);
    named.set(name, load);
    return load;
  }

  function share(spec: Of<"share">, place: string, path: readonly string[]): Load {
    const vary = spec.vary_percent ?? 0;
    if (!(spec.percent - vary >= 0 && spec.percent + vary <= 100 && vary >= 0)) {
      throw invalid(place, `percent ${spec.percent} ± ${vary} leaves 0 … 100`);
    }
    const seed = seedOf(config.seed, place);
    const low = Math.round((spec.percent - vary) * 10);
    const high = Math.round((spec.percent + vary) * 10);
    const permille = (slot: number) => low + Math.floor(unitNoise(seed, slot) * (high - low + 1));
    const of = build(spec.share, `${place}.share`, path);
    const part = (course: Course) => shareOf(course, permille);
    if (of.kind === "flow") return { kind: "flow", flow: part(of.flow) };
    if (of.backflow !== ZERO) throw invalid(place, "a share of a load that can flow back has no meaning");
    return drawing({ active: part(of.active), lagging: part(of.lagging), leading: part(of.leading) });
  }

  function balance(spec: Of<"sum">, place: string, path: readonly string[]): Load {
    if (spec.sum.length === 0) throw invalid(place, "sum needs at least one load");
    const plus = spec.sum.map((part, i) => build(part, `${place}.sum.${i}`, path));
    const minus = (spec.minus ?? []).map((part, i) => build(part, `${place}.minus.${i}`, path));
    return balanceOf(plus, minus, place);
  }

  return (spec, place) => build(spec, place, []);
}

/** The texts of all profiles of a configuration. */
export async function readProfiles(config: SimConfig, read: (name: string) => Promise<string>): Promise<Profiles> {
  const profiles = new Map<string, string | KhuXanhError>();
  for (const name of namesOfProfiles(config)) {
    try {
      profiles.set(name, await read(name));
    } catch (error) {
      if (!(error instanceof KhuXanhError)) throw error;
      profiles.set(name, error);
    }
  }
  return profiles;
}

function namesOfProfiles(config: SimConfig): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (spec: LoadSpec): void => {
    if ("csv" in spec) names.add(spec.csv);
    else if ("share" in spec) visit(spec.share);
    else if ("follows" in spec) visit(spec.follows);
    else if ("sum" in spec) for (const part of [...spec.sum, ...(spec.minus ?? [])]) visit(part);
  };
  for (const spec of Object.values(config.loads ?? {})) visit(spec);
  for (const { load } of config.lines.flatMap(({ meters }) => meters)) if (load !== undefined) visit(load);
  return names;
}

function isBuiltIn(spec: Of<"csv">): spec is Exclude<Of<"csv">, CsvLoad> {
  return PROFILE_NAMES.some((name) => name === spec.csv);
}

function isDayType(spec: DayTypeLoad | CurveLoad): spec is DayTypeLoad {
  return !(Object.hasOwn(ELECTRIC, spec.shape) || Object.hasOwn(FLOWS, spec.shape));
}

/** The formula must give a number all year: tried for every quarter of an hour of 2024, which has all days of all years. */
function lowestOf(rate: (slot: number) => number, perUnit: number, place: string): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (let slot = YEAR_2024_SLOT; slot < YEAR_2024_SLOT + 366 * SLOTS_PER_DAY; slot++) {
    const value = rate(slot);
    if (!Number.isFinite(value)) {
      const { month, date } = dateOf(Math.floor(slot / SLOTS_PER_DAY));
      const hour = (slot % SLOTS_PER_DAY) / 4;
      throw invalid(place, `gives no number on ${date}/${month} at hour ${hour} (${value / perUnit})`);
    }
    if (Math.abs(value) > RATE_MAX) {
      throw invalid(place, `gives ${value / perUnit}, more than ${RATE_MAX / perUnit} ${perUnit === 1 ? "W" : "m3/h"}`);
    }
    if (value < lowest) lowest = value;
  }
  return lowest;
}

const YEAR_2024_SLOT = ((Date.UTC(2024, 0, 1) - Date.UTC(2018, 0, 1)) / 86_400_000) * SLOTS_PER_DAY;

/** Reactive power of a drawing load whose power factor wanders a little from quarter hour to quarter hour. */
function reactive(active: Course, tan_permille: number, seed: number): Course {
  if (tan_permille === 0) return ZERO;
  const tanSeed = seedOf(seed, "tan");
  return shareOf(active, (slot) => Math.round(tan_permille * (0.93 + 0.14 * unitNoise(tanSeed, slot))));
}

function rippling(shape: Shape, peak: number, seed: number, around: Parameters<Shape["part"]>[2]): Course {
  const rate = remembered((slot) => Math.round(peak * shape.part(slot, seed, around)));
  if (shape.ripple_permille === 0) return stepCourse(rate);
  const rippleSeed = seedOf(seed, "ripple");
  return ripplingCourse(rate, shape.ripple_permille, (index) => unitNoise(rippleSeed, index));
}

function inside(value: number, max: number, place: string): number {
  if (!(value > 0 && value <= max)) throw invalid(place, `${value} is not above 0 and at most ${max}`);
  return value;
}

function invalid(place: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: ${message}`, {
    hint: "Correct the load in the simulation file; hw-sim/README.md shows every kind.",
    context: { place },
  });
}

function once<T>(make: () => T): () => T {
  let held: { readonly value: T } | undefined;
  return () => (held ??= { value: make() }).value;
}
