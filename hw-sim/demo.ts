import type { CarrierId, MeterRole } from "../core/emission/carriers.ts";
import type { LoadSpec, SimConfig, SimMeterSpec } from "./simConfig.ts";

/**
 * "KCN Demo": three factories whose loads add up, so that balances on the page can be checked by eye. In every factory the
 * sub-meters leave 5 to 15 % of the use unmetered.
 *
 * The steel plant's main meter replays real measurements (profiles/README.md has the credit); the rest is formula. Names
 * are invented.
 */
export interface DemoFactory {
  readonly site: string;
  readonly gateway: string;
  readonly sector: string;
  readonly name: { readonly vi: string; readonly en: string };
  /** Place on the zone plan, 0…1 from the north-west corner. */
  readonly plan: { readonly x: number; readonly y: number };
  readonly meters: readonly DemoMeter[];
}

/** A meter as the gateway's configuration describes it, and as it is simulated. */
export interface DemoMeter {
  /** Meter id in the agent's configuration. */
  readonly id: string;
  readonly name: { readonly vi: string; readonly en: string };
  readonly carrier: CarrierId;
  readonly role: MeterRole;
  readonly parent: string | null;
  /** Of gas and water meters: what the pipe can carry, for the agent's plausibility limit. */
  readonly rated_flow_m3_per_h?: number;
  readonly sim: SimMeterSpec;
}

/** First day of the demo's younger meters: keeps float registers fine-grained and the first start quick. */
const PUT_IN = "2025-01-01";

const steel: LoadSpec = { ref: "steel" };
const partOfSteel = (percent: number, vary_percent: number): LoadSpec => ({ share: steel, percent, vary_percent });

export const DEMO_FACTORIES: readonly DemoFactory[] = [
  {
    site: "thep-gia-minh",
    gateway: "gw-01",
    sector: "steel",
    name: { vi: "Thép Gia Minh", en: "Gia Minh Steel" },
    plan: { x: 0.2, y: 0.28 },
    meters: [
      {
        id: "incomer",
        name: { vi: "Công tơ tổng", en: "Main incomer" },
        carrier: "electricity",
        role: "import",
        parent: null,
        sim: { unit: 1, model: "schneider-pm5000", load: steel, name: "thep-gia-minh/incomer", rated_power_W: 800_000 },
      },
      {
        id: "furnace",
        name: { vi: "Lò nung", en: "Reheating furnace" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 2,
          model: "eastron-sdm630",
          load: partOfSteel(40, 2),
          name: "thep-gia-minh/furnace",
          since: PUT_IN,
          rated_power_W: 320_000,
        },
      },
      {
        id: "rolling-mill",
        name: { vi: "Dây chuyền cán", en: "Rolling mill" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 3,
          model: "schneider-iem3155-iem3255",
          load: partOfSteel(32, 1.5),
          name: "thep-gia-minh/rolling-mill",
          since: PUT_IN,
          rated_power_W: 260_000,
        },
      },
      {
        id: "compressors",
        name: { vi: "Trạm khí nén", en: "Compressed air" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 4,
          model: "schneider-iem3155-iem3255",
          load: partOfSteel(18, 1),
          name: "thep-gia-minh/compressors",
          since: PUT_IN,
          rated_power_W: 150_000,
        },
      },
    ],
  },
  {
    site: "dien-tu-bac-son",
    gateway: "gw-02",
    sector: "electronics",
    name: { vi: "Điện tử Bắc Sơn", en: "Bac Son Electronics" },
    plan: { x: 0.72, y: 0.3 },
    meters: [
      {
        id: "incomer",
        name: { vi: "Công tơ tổng", en: "Main incomer" },
        carrier: "electricity",
        role: "import",
        parent: null,
        sim: {
          unit: 1,
          model: "schneider-pm5000",
          load: {
            sum: [{ ref: "smt" }, { ref: "chiller" }, { ref: "air" }, { ref: "electronics-rest" }],
            minus: [{ ref: "roof" }],
          },
          name: "dien-tu-bac-son/incomer",
          since: PUT_IN,
          start: 18_204_117.25,
          rated_power_W: 1_200_000,
        },
      },
      {
        id: "smt",
        name: { vi: "Dây chuyền SMT", en: "SMT lines" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 2,
          model: "eastron-sdm630",
          load: { ref: "smt" },
          name: "dien-tu-bac-son/smt",
          since: PUT_IN,
          rated_power_W: 450_000,
        },
      },
      {
        id: "chiller",
        name: { vi: "Điều hòa trung tâm", en: "Chiller plant" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 3,
          model: "carlo-gavazzi-em340-et340",
          load: { ref: "chiller" },
          name: "dien-tu-bac-son/chiller",
          since: PUT_IN,
          start: 1_150_000,
          rated_power_W: 400_000,
        },
      },
      {
        id: "air",
        name: { vi: "Trạm khí nén", en: "Compressed air" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 4,
          model: "schneider-iem3155-iem3255",
          load: { ref: "air" },
          name: "dien-tu-bac-son/air",
          since: PUT_IN,
          rated_power_W: 130_000,
        },
      },
      {
        id: "solar",
        name: { vi: "Điện mặt trời mái nhà", en: "Rooftop solar" },
        carrier: "solar",
        role: "generation",
        parent: null,
        sim: {
          unit: 5,
          model: "sunspec-inverter-101-103",
          load: { ref: "roof" },
          name: "dien-tu-bac-son/solar",
          since: PUT_IN,
          rated_power_W: 700_000,
        },
      },
    ],
  },
  {
    site: "thuc-pham-an-lao",
    gateway: "gw-03",
    sector: "food",
    name: { vi: "Thực phẩm An Lão", en: "An Lao Foods" },
    plan: { x: 0.44, y: 0.74 },
    meters: [
      {
        id: "incomer",
        name: { vi: "Công tơ tổng", en: "Main incomer" },
        carrier: "electricity",
        role: "import",
        parent: null,
        sim: {
          unit: 1,
          model: "schneider-iem3155-iem3255",
          load: { sum: [{ ref: "cold-store" }, { ref: "food-line" }, { ref: "food-rest" }] },
          name: "thuc-pham-an-lao/incomer",
          since: PUT_IN,
          start: 6_480_930.5,
          rated_power_W: 600_000,
        },
      },
      {
        id: "refrigeration",
        name: { vi: "Kho lạnh", en: "Refrigeration" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 2,
          model: "carlo-gavazzi-em340-et340",
          load: { ref: "cold-store" },
          name: "thuc-pham-an-lao/refrigeration",
          since: PUT_IN,
          rated_power_W: 280_000,
        },
      },
      {
        id: "processing",
        name: { vi: "Dây chuyền chế biến", en: "Processing line" },
        carrier: "electricity",
        role: "use",
        parent: "incomer",
        sim: {
          unit: 3,
          model: "eastron-sdm630",
          load: { ref: "food-line" },
          name: "thuc-pham-an-lao/processing",
          since: PUT_IN,
          rated_power_W: 200_000,
        },
      },
      {
        id: "boiler-gas",
        name: { vi: "Khí cho lò hơi", en: "Boiler gas" },
        carrier: "natural_gas",
        role: "import",
        parent: null,
        rated_flow_m3_per_h: 400,
        sim: {
          unit: 9,
          model: "sick-flowsic500",
          load: { shape: "gas-boiler", peak_m3_per_h: 180 },
          name: "thuc-pham-an-lao/boiler-gas",
          since: PUT_IN,
          start: 412_870.3,
          m3_per_count: 0.1,
        },
      },
      {
        id: "water",
        name: { vi: "Nước sạch", en: "Process water" },
        carrier: "water",
        role: "import",
        parent: null,
        rated_flow_m3_per_h: 80,
        sim: {
          unit: 10,
          model: "siemens-mag6000",
          load: { shape: "process-water", peak_m3_per_h: 26 },
          name: "thuc-pham-an-lao/water",
          since: PUT_IN,
          start: 95_310,
        },
      },
    ],
  },
];

const LOADS: Readonly<Record<string, LoadSpec>> = {
  steel: { csv: "steel", column: "energy_kwh", repeat: "weekly" },
  smt: { shape: "three-shift", peak_W: 420_000 },
  chiller: { shape: "office", peak_W: 380_000 },
  air: { shape: "compressor", peak_W: 110_000 },
  "electronics-rest": { shape: "continuous", peak_W: 80_000 },
  // 800 kWp of modules behind inverters of 700 kW.
  roof: { shape: "solar", peak_W: 700_000 },
  "cold-store": { shape: "continuous", peak_W: 260_000 },
  "food-line": { shape: "two-shift", peak_W: 180_000 },
  "food-rest": { shape: "continuous", peak_W: 48_000 },
};

/** The demo zone's meters: one TCP line a factory, in the order of `DEMO_FACTORIES`. @param ports one each; 0 = any. */
export function demoSim(seed: number, ports: readonly [number, number, number] = [0, 0, 0]): SimConfig {
  return {
    seed,
    time_zone: "Asia/Ho_Chi_Minh",
    loads: LOADS,
    lines: DEMO_FACTORIES.map(({ meters }, index) => ({
      listen: { kind: "tcp", host: "127.0.0.1", port: ports[index] ?? 0 },
      meters: meters.map(({ sim }) => sim),
    })),
  };
}
