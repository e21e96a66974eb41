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
  /** Loads that several meters refer to with `{ref: name}`. */
  readonly loads?: Readonly<Record<string, LoadSpec>> | undefined;
  readonly lines: readonly SimLine[];
}

export interface SimLine {
  readonly listen: SimListen;
  readonly meters: readonly SimMeterSpec[];
}

/** `tcp://host:port`, `rtu:///dev/pts/3?baud=9600`, `rtu+tcp://host:port`; port 0 = any free one. */
export type SimListen =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "rtu"; readonly path: string; readonly baud: number }
  | { readonly kind: "rtu+tcp"; readonly host: string; readonly port: number };

export interface SimMeterSpec {
  /** Modbus unit id, 1 … 247 (255 on TCP devices that use it). */
  readonly unit: number;
  /** Model id of the device library, or the model file as written: the key under which the caller hands the model in. */
  readonly model: string;
  readonly load: LoadSpec;
  /** Text for people: the name in the truth file. */
  readonly name?: string | undefined;
  /** What the main counter showed at `since`: kWh for electricity, m3 for gas and water. Default 0. */
  readonly start?: number | undefined;
  /** Local day the meter was put in, `YYYY-MM-DD`, not before 2018-01-01 (the default). Before it, the counters stand. */
  readonly since?: string | undefined;
  /** Volume of one count of a gas meter, m3; a whole number of litres. Required by models that count in `count`. */
  readonly m3_per_count?: number | undefined;
  /** Registers that the model marks `site_factor: ct_ratio` show secondary values: divided by this. Default 1. */
  readonly ct_ratio?: number | undefined;
  /** Phase to neutral, V. Default 230. */
  readonly nominal_V?: number | undefined;
  /** Full load, W: sets voltage sag and the scale exponents of an inverter. Default 1,000,000. */
  readonly rated_power_W?: number | undefined;
  /** Length of SunSpec model 1: real inverters differ, so readers must not assume. Default 66. */
  readonly sunspec_common_length?: 65 | 66 | undefined;
}

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

export type LoadSpec =
  /** Measured data, constant within each 15 minutes. `weekly`: over and over, weekdays kept. */
  | {
      readonly csv: (typeof PROFILE_NAMES)[number];
      readonly column: (typeof PROFILE_COLUMNS)[number];
      readonly repeat: "weekly";
    }
  /** A formula with seeded noise. `peak_W` is the upper end of ordinary operation. */
  | { readonly shape: ElectricShape; readonly peak_W: number; readonly seed?: number | undefined }
  /** Gas in normal m3/h, water in m3/h. */
  | { readonly shape: FlowShape; readonly peak_m3_per_h: number; readonly seed?: number | undefined }
  /** A load of the `loads` table. */
  | { readonly ref: string }
  /** Sum of loads less other loads (solar): what is over flows out and counts as export. */
  | { readonly sum: readonly LoadSpec[]; readonly minus?: readonly LoadSpec[] | undefined }
  /** A part of another load, `percent` ± `vary_percent` drawn anew every 15 minutes. */
  | { readonly share: LoadSpec; readonly percent: number; readonly vary_percent?: number | undefined };
