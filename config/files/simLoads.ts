import { z } from "zod";
import { positive, section, text, wholeNumber } from "../fields.ts";

/**
 * What simulated meters measure. The shapes, profiles and units are those of `hw-sim/simConfig.ts`, which this folder may not
 * import; a test holds the lists together.
 */
export const SIM_ELECTRIC_SHAPES = [
  "two-shift",
  "three-shift",
  "continuous",
  "office",
  "furnace-batch",
  "compressor",
  "solar",
] as const;
export const SIM_FLOW_SHAPES = ["gas-boiler", "process-water"] as const;
export const SIM_PROFILES = ["steel"] as const;
export const SIM_PROFILE_COLUMNS = ["energy_kwh"] as const;
export const SIM_SERIES_UNITS = ["W", "kW", "MW", "Wh", "kWh", "MWh", "L/h", "m3/h", "L", "m3"] as const;

type PowerFactor = number | { readonly lagging: number } | { readonly leading: number };

interface DayType {
  readonly peak_W: number;
  readonly power_factor?: PowerFactor;
  readonly seed?: number;
}

export type Load =
  | { readonly csv: "steel"; readonly column: "energy_kwh"; readonly repeat: "weekly" }
  | {
      readonly csv: string;
      readonly column: string;
      readonly unit: (typeof SIM_SERIES_UNITS)[number];
      readonly time: string;
      readonly label: "start" | "end";
      readonly clock?: "local" | "utc";
      readonly repeat: "weekly" | "yearly" | "none";
      readonly power_factor?: PowerFactor;
    }
  | {
      readonly formula: string;
      readonly unit?: "W" | "m3/h";
      readonly power_factor?: PowerFactor;
      readonly seed?: number;
    }
  | (DayType & { readonly shape: (typeof SIM_ELECTRIC_SHAPES)[number]; readonly clouds_percent?: number })
  | { readonly shape: (typeof SIM_FLOW_SHAPES)[number]; readonly peak_m3_per_h: number; readonly seed?: number }
  | (DayType & {
      readonly shape: "shifts";
      readonly shifts: readonly string[];
      readonly breaks?: readonly string[];
      readonly weekdays?: readonly string[];
      readonly idle_percent?: number;
      readonly ramp_min?: number;
    })
  | (DayType & {
      readonly shape: "furnace";
      readonly melt_min?: number;
      readonly charge_min?: number;
      readonly hold_percent?: number;
      readonly hours?: string;
      readonly weekdays?: readonly string[];
    })
  | (DayType & {
      readonly shape: "compressors";
      readonly count?: number;
      readonly demand_percent?: number;
      readonly night_demand_percent?: number;
      readonly cycle_min?: number;
      readonly unloaded_percent?: number;
      readonly hours?: string;
      readonly weekdays?: readonly string[];
    })
  | (DayType & { readonly shape: "base-load"; readonly hours?: string; readonly day_percent?: number })
  | {
      readonly shape: "steam-boiler";
      readonly peak_m3_per_h: number;
      readonly follows: Load;
      readonly follows_peak: number;
      readonly base_percent?: number;
      readonly lag_min?: number;
    }
  | { readonly ref: string }
  | { readonly sum: readonly Load[]; readonly minus?: readonly Load[] }
  | { readonly share: Load; readonly percent: number; readonly vary_percent?: number };

export const seed = wholeNumber(0, 2 ** 32 - 1, "Everything random follows from this number");

const percent = (description: string) => z.number().min(0).max(100).describe(description);
const factorValue = z.number().min(0.1).max(1);
const powerFactor = z
  .union([factorValue, section({ lagging: factorValue }), section({ leading: factorValue })])
  .describe("Power factor: a number is lagging, as motors are; {leading: 0.95} the other way");

const times = (description: string, example: string) =>
  z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/, {
      error: (issue) => `"${issue.input}" is no span of time (allowed: like ${example})`,
    })
    .describe(`${description} (like ${example}; the end may be of the next day)`);

const weekdays = z
  .array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
  .min(1)
  .max(7)
  .readonly()
  .describe("Days worked (default mon to sat)")
  .exactOptional();

const dayType = {
  peak_W: positive("Upper end of ordinary operation, W"),
  power_factor: powerFactor.exactOptional(),
  seed: seed.exactOptional(),
};

export const load: z.ZodType<Load> = z.lazy(() =>
  z.union([
    section({
      csv: z.enum(SIM_PROFILES).describe("Name of a profile of measured data"),
      column: z.enum(SIM_PROFILE_COLUMNS).describe("Column of the profile"),
      repeat: z.enum(["weekly"]).describe("weekly: over and over, weekdays kept"),
    }),
    section({
      shape: z.enum(SIM_ELECTRIC_SHAPES).describe("How an electric load runs"),
      ...dayType,
      clouds_percent: percent("Of solar: how cloudy days are on average, %").exactOptional(),
    }),
    section({
      shape: z.enum(SIM_FLOW_SHAPES).describe("How gas or water flows"),
      peak_m3_per_h: positive("Upper end of ordinary flow: normal m³/h of gas, m³/h of water"),
      seed: seed.exactOptional(),
    }),
    section({ ref: text("Name of an entry of `loads`") }),
    section({
      sum: z.array(load).min(1).max(100).readonly().describe("Loads that add up"),
      minus: z.array(load).max(100).readonly().describe("Loads taken off, e.g. solar").exactOptional(),
    }),
    section({
      share: load,
      percent: z.number().positive().max(100).describe("Part of that load, %"),
      vary_percent: percent("How much the part wanders, %").exactOptional(),
    }),
    csvFile,
    section({
      formula: z
        .union([z.string().min(1).max(1000), z.number()])
        .transform(String)
        .describe("W (or m³/h) at each quarter of an hour, e.g. 200e3 + 50e3 * sin(2 * pi * hour / 24)"),
      unit: z.enum(["W", "m3/h"]).describe("What the formula gives (default W)").exactOptional(),
      power_factor: powerFactor.exactOptional(),
      seed: seed.exactOptional(),
    }),
    ...dayTypes,
    section({
      shape: z.literal("steam-boiler").describe("Gas that follows the steam another load asks for"),
      peak_m3_per_h: positive("Gas at full steam, normal m³/h"),
      follows: load,
      follows_peak: positive("Size of that load at which the boiler is at its peak, W (or m³/h)"),
      base_percent: percent("Gas that burns without any demand, % of the peak (default 15)").exactOptional(),
      lag_min: z
        .number()
        .min(0)
        .max(240)
        .describe("How far gas is behind demand, in quarters of an hour, min (default 30)")
        .exactOptional(),
    }),
  ]),
);

const csvFile = section({
  csv: z
    .string()
    .regex(/\.csv(\.gz)?$/, {
      error: (issue) =>
        `"${issue.input}" is no path of a .csv file and no profile (allowed: ${SIM_PROFILES.join(", ")})`,
    })
    .describe("Path of a file of your own, from the folder of this file"),
  column: text("Name of the column of values"),
  unit: z.enum(SIM_SERIES_UNITS).describe("What the column is in: a rate, or an amount for each interval"),
  time: text("Name of the column of times"),
  label: z.enum(["start", "end"]).describe("Whether a row's time is where its interval starts or ends"),
  clock: z.enum(["local", "utc"]).describe("What times without an offset are in (default local)").exactOptional(),
  repeat: z
    .enum(["weekly", "yearly", "none"])
    .describe("weekly: whole weeks over and over; yearly: by date; none: nothing before and after"),
  power_factor: powerFactor.exactOptional(),
});

const dayTypes = [
  section({
    shape: z.literal("shifts").describe("Works in shifts"),
    ...dayType,
    shifts: z.array(times("A shift", "06:00-14:00")).min(1).max(6).readonly().describe("Shifts of a working day"),
    breaks: z
      .array(times("A break, at half load", "11:30-12:15"))
      .max(12)
      .readonly()
      .describe("Breaks")
      .exactOptional(),
    weekdays,
    idle_percent: percent("Load outside the shifts, % of the peak (default 10)").exactOptional(),
    ramp_min: wholeNumber(0, 240, "Start and end of a shift take this long, min (default 15)").exactOptional(),
  }),
  section({
    shape: z.literal("furnace").describe("Melts in batches"),
    ...dayType,
    melt_min: wholeNumber(1, 1440, "A heat takes, min (default 55)").exactOptional(),
    charge_min: wholeNumber(1, 1440, "Charging between heats, min (default 15)").exactOptional(),
    hold_percent: percent("Load outside heats, % of the peak (default 8)").exactOptional(),
    hours: times("Hours of melting", "06:00-22:00").exactOptional(),
    weekdays,
  }),
  section({
    shape: z.literal("compressors").describe("Compressors of which one loads and unloads"),
    ...dayType,
    count: wholeNumber(1, 20, "Compressors, of equal size (default 2)").exactOptional(),
    demand_percent: percent("Air asked for in `hours`, % of all compressors (default 65)").exactOptional(),
    night_demand_percent: percent("Air asked for else, % (default 15)").exactOptional(),
    cycle_min: wholeNumber(2, 120, "One loading and unloading, min (default 6)").exactOptional(),
    unloaded_percent: percent("What an unloaded compressor draws, % of its load (default 28)").exactOptional(),
    hours: times("Hours of work", "05:30-22:00").exactOptional(),
    weekdays,
  }),
  section({
    shape: z.literal("base-load").describe("Lighting, cooling, standby: most of it at night"),
    ...dayType,
    hours: times("Hours of full load", "18:00-06:00").exactOptional(),
    day_percent: percent("Load in the other hours, % (default 40)").exactOptional(),
  }),
] as const;
