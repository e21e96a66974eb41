import type { MeterConfig } from "../../config/files/agent.ts";
import type { SimMeterSpec } from "../../hw-sim/simConfig.ts";
import type { Stream } from "../../hw-sim/world/random.ts";

/** A meter as the gateway's configuration describes it, and as it is simulated. */
export interface WorldMeter {
  readonly config: MeterConfig;
  readonly sim: SimMeterSpec;
}

type Kind = Omit<MeterConfig, "id" | "unit" | "every" | "parent"> & {
  readonly load: SimMeterSpec["load"];
  readonly start: number;
};

/** Register widths, word orders, float and integer counters, other carriers: what meters differ in. */
const KINDS: readonly Kind[] = [
  {
    model: "schneider-pm5000",
    carrier: "electricity",
    role: "import",
    rated_power_W: 2_000_000,
    load: { shape: "two-shift", peak_W: 1_400_000 },
    start: 12_000,
  },
  {
    model: "eastron-sdm630",
    carrier: "electricity",
    role: "use",
    rated_power_W: 400_000,
    load: { shape: "furnace-batch", peak_W: 250_000 },
    start: 150_000,
  },
  {
    model: "carlo-gavazzi-em340-et340",
    carrier: "electricity",
    role: "use",
    rated_power_W: 120_000,
    load: { shape: "continuous", peak_W: 90_000 },
    start: 4000,
  },
  {
    model: "schneider-iem3155-iem3255",
    carrier: "electricity",
    role: "use",
    rated_power_W: 90_000,
    load: { shape: "compressor", peak_W: 55_000 },
    start: 0,
  },
  {
    model: "sick-flowsic500",
    carrier: "natural_gas",
    role: "import",
    rated_flow_m3_per_h: 400,
    m3_per_count: 0.1,
    load: { shape: "gas-boiler", peak_m3_per_h: 180 },
    start: 5000,
  },
  {
    model: "siemens-mag6000",
    carrier: "water",
    role: "import",
    rated_flow_m3_per_h: 80,
    load: { shape: "process-water", peak_m3_per_h: 26 },
    start: 100,
  },
];

/** Seldom often: a seed must not take all day. */
const PERIODS_MS = [1000, 5000, 10_000, 10_000, 15_000, 30_000, 60_000] as const;
const SETTINGS_MS = 3_600_000;

/** So many meters of mixed models on a line. */
export function drawMeters(count: number, random: Stream): readonly WorldMeter[] {
  return Array.from({ length: count }, (_, i) => worldMeter(i, random.pick(KINDS), random.pick(PERIODS_MS)));
}

/** Meters in turn, all polled with the same period: for figures that can be compared. */
export function equalMeters(count: number, every_ms: number): readonly WorldMeter[] {
  return Array.from({ length: count }, (_, i) => worldMeter(i, KINDS[i % KINDS.length]!, every_ms));
}

function worldMeter(i: number, { load, start, ...kind }: Kind, every_ms: number): WorldMeter {
  const unit = i + 1;
  const { model, rated_power_W, m3_per_count } = kind;
  return {
    config: {
      ...kind,
      id: `m${unit}`,
      unit,
      parent: null,
      every: { power_ms: every_ms, energy_ms: every_ms, settings_ms: SETTINGS_MS },
    },
    sim: {
      unit,
      model,
      load,
      start,
      since: "2026-10-01",
      ...(rated_power_W === undefined ? {} : { rated_power_W }),
      ...(m3_per_count === undefined ? {} : { m3_per_count }),
    },
  };
}
