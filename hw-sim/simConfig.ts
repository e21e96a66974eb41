import type { FaultSpec } from "./faults/catalogue.ts";

/**
 * The content of `sim.yaml` after parsing (contracts.md "Files people write"; the schema is in `config/`).
 *
 * Units    W, m3/h and percent as people write them; the simulator keeps whole watts and whole litres per hour inside.
 * Limits   1,000 meters a simulation, 247 units a line, 32 levels of nested loads (checked by `buildSim`).
 */
export interface SimConfig {
  /** Everything random follows from this number: same seed and time, same registers. 0 … 2^32 − 1. */
  readonly seed: number;
  /** IANA name; profiles and shapes live in its local time. It must have kept one UTC offset since 2018. */
  readonly time_zone: string;
  /** Days on which day-type loads rest as on a Sunday: `MM-DD`, `YYYY-MM-DD`, `YYYY-MM-DD..YYYY-MM-DD`. */
  readonly holidays?: readonly string[] | undefined;
  /** Loads that several meters refer to with `{ref: name}`. */
  readonly loads?: Readonly<Record<string, LoadSpec>> | undefined;
  readonly lines: readonly SimLine[];
  readonly faults?: readonly FaultSpec[] | undefined;
  /** Loopback port on which faults are commanded; port 0 = any free one. */
  readonly control?: { readonly host: string; readonly port: number } | undefined;
}

export interface SimLine {
  readonly listen: SimListen;
  readonly meters: readonly SimMeterSpec[];
}

/** `tcp://host:port`, `rtu:///dev/pts/3?baud=9600`, `rtu+tcp://host:port`; port 0 = any free one. */
export type SimListen =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | {
      readonly kind: "rtu";
      /** A device that is there; a path outside /dev that is not there becomes a pseudo terminal. */
      readonly path: string;
      readonly baud: number;
      readonly parity: "none" | "even" | "odd";
      readonly stop_bits: 1 | 2;
    }
  | { readonly kind: "rtu+tcp"; readonly host: string; readonly port: number };

export interface SimMeterSpec {
  /** Modbus unit id, 1 … 247 (255 on TCP devices that use it). */
  readonly unit: number;
  /** Model id of the device library, or the model file as written: the key under which the caller hands the model in. */
  readonly model: string;
  /** What the meter measures beside its sub-meters; required where there are none. */
  readonly load?: LoadSpec | undefined;
  /** Text for people: the name in the truth file, and what `parent` refers to. */
  readonly name?: string | undefined;
  /** Name of the meter this one is fed through: that meter measures it too. A solar inverter feeds into its parent. */
  readonly parent?: string | undefined;
  /** Lost between this meter and its sub-meters: part of what they and `load` draw, and something fixed. */
  readonly losses?: Losses | undefined;
  /** What the main counter showed at `since`: kWh for electricity, m3 for gas and water. Default 0. */
  readonly start?: number | undefined;
  /** Local day the meter was put in, `YYYY-MM-DD`, not before 2018-01-01 (the default). Before it, the counters stand. */
  readonly since?: string | undefined;
  /** Volume of one count of a gas meter, m3; a whole number of litres. Required by models that count in `count`. */
  readonly m3_per_count?: number | undefined;
  /** Registers that the model marks `site_factor: ct_ratio` show secondary values: divided by this. Default 1. */
  readonly ct_ratio?: number | undefined;
  /** Parts of the load on L1, L2, L3, %, in tenths, 100 in all. Default: about a third each, a little different meter by meter. */
  readonly phase_percent?: readonly [number, number, number] | undefined;
  /** Voltage lost at full load, % of nominal; less load, less sag. Default 2. */
  readonly sag_percent?: number | undefined;
  /** Phase to neutral, V. Default 230. */
  readonly nominal_V?: number | undefined;
  /** Full load, W: sets voltage sag and the scale exponents of an inverter. Default 1,000,000. */
  readonly rated_power_W?: number | undefined;
  /** Length of SunSpec model 1: real inverters differ, so readers must not assume. Default 66. */
  readonly sunspec_common_length?: 65 | 66 | undefined;
}

/** Whole tenths of a percent; W for electricity, m3/h for flows. */
export interface Losses {
  readonly percent?: number | undefined;
  readonly fixed_W?: number | undefined;
  readonly fixed_m3_per_h?: number | undefined;
}

/** Curves of the right look with nothing to set but their height. */
export const ELECTRIC_SHAPES = [
  "two-shift",
  "three-shift",
  "continuous",
  "office",
  "furnace-batch",
  "compressor",
  "solar",
] as const;
export type ElectricShape = (typeof ELECTRIC_SHAPES)[number];

export const FLOW_SHAPES = ["gas-boiler", "process-water"] as const;
export type FlowShape = (typeof FLOW_SHAPES)[number];

/** Columns of the profiles: the active energy; its reactive columns come along by themselves. */
export const PROFILE_COLUMNS = ["energy_kwh"] as const;
export const PROFILE_NAMES = ["steel"] as const;

/** What a column of a person's file is in: power or flow as it was, or an amount for each interval. */
export const SERIES_UNITS = ["W", "kW", "MW", "Wh", "kWh", "MWh", "L/h", "m3/h", "L", "m3"] as const;
export type SeriesUnit = (typeof SERIES_UNITS)[number];

/** Lagging as motors are, unless it says leading. 1 = no reactive power. */
export type PowerFactor = number | { readonly lagging: number } | { readonly leading: number };

export interface CsvLoad {
  /** Path of the file, from the simulation file. */
  readonly csv: string;
  readonly column: string;
  readonly unit: SeriesUnit;
  /** Column of the times. */
  readonly time: string;
  /** Whether a row's time is where its interval begins or ends. */
  readonly label: "start" | "end";
  /** What the times are in where they do not say so themselves. Default local. */
  readonly clock?: "local" | "utc" | undefined;
  /** weekly: whole weeks over and over; yearly: by date; none: nothing before and after. */
  readonly repeat: "weekly" | "yearly" | "none";
  readonly power_factor?: PowerFactor | undefined;
}

export interface FormulaLoad {
  readonly formula: string;
  /** Default W. */
  readonly unit?: "W" | "m3/h" | undefined;
  readonly power_factor?: PowerFactor | undefined;
  readonly seed?: number | undefined;
}

/** What every day-type load may say. */
interface DayType {
  readonly peak_W: number;
  readonly power_factor?: PowerFactor | undefined;
  readonly seed?: number | undefined;
}

/** Day types with everything to set; figures left out have the defaults of `profiles/dayTypes.ts`. */
export type DayTypeLoad =
  | (DayType & {
      readonly shape: "shifts";
      /** `["06:00-14:00", "14:00-22:00"]`. */
      readonly shifts: readonly string[];
      readonly breaks?: readonly string[] | undefined;
      readonly weekdays?: readonly string[] | undefined;
      readonly idle_percent?: number | undefined;
      readonly ramp_min?: number | undefined;
    })
  | (DayType & {
      readonly shape: "furnace";
      readonly melt_min?: number | undefined;
      readonly charge_min?: number | undefined;
      readonly hold_percent?: number | undefined;
      readonly hours?: string | undefined;
      readonly weekdays?: readonly string[] | undefined;
    })
  | (DayType & {
      readonly shape: "compressors";
      readonly count?: number | undefined;
      readonly demand_percent?: number | undefined;
      readonly night_demand_percent?: number | undefined;
      readonly cycle_min?: number | undefined;
      readonly unloaded_percent?: number | undefined;
      readonly hours?: string | undefined;
      readonly weekdays?: readonly string[] | undefined;
    })
  | (DayType & {
      readonly shape: "base-load";
      readonly hours?: string | undefined;
      readonly day_percent?: number | undefined;
    });

/** A boiler whose gas follows the steam that another load asks for. */
export interface SteamBoilerLoad {
  readonly shape: "steam-boiler";
  readonly peak_m3_per_h: number;
  readonly follows: LoadSpec;
  /** Size of the followed load at which the boiler is at its peak: W, or m3/h if it is a flow. */
  readonly follows_peak: number;
  readonly base_percent?: number | undefined;
  readonly lag_min?: number | undefined;
}

export type LoadSpec =
  /** Measured data, constant within each 15 minutes. `weekly`: over and over, weekdays kept. */
  | {
      readonly csv: (typeof PROFILE_NAMES)[number];
      readonly column: (typeof PROFILE_COLUMNS)[number];
      readonly repeat: "weekly";
    }
  | CsvLoad
  | FormulaLoad
  /** A curve with seeded noise. `peak_W` is the upper end of ordinary operation. */
  | {
      readonly shape: ElectricShape;
      readonly peak_W: number;
      readonly power_factor?: PowerFactor | undefined;
      /** Of solar: how cloudy days are on average. Default: anything from clear to overcast. */
      readonly clouds_percent?: number | undefined;
      readonly seed?: number | undefined;
    }
  /** Gas in normal m3/h, water in m3/h. */
  | { readonly shape: FlowShape; readonly peak_m3_per_h: number; readonly seed?: number | undefined }
  | DayTypeLoad
  | SteamBoilerLoad
  /** A load of the `loads` table. */
  | { readonly ref: string }
  /** Sum of loads less other loads (solar): what is over flows out and counts as export. */
  | { readonly sum: readonly LoadSpec[]; readonly minus?: readonly LoadSpec[] | undefined }
  /** A part of another load, `percent` ± `vary_percent` drawn anew every 15 minutes. */
  | { readonly share: LoadSpec; readonly percent: number; readonly vary_percent?: number | undefined };
