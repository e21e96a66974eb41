import { type BusFacts, type GatewayFacts, gatewayView, type MeterFacts } from "../../../agent/local/view.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import type { Reading } from "../../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId } from "../../../core/units/quantities.ts";
import { defineDevice } from "../../../drivers/define.ts";

/** A gateway with one bus, as the page is told of it; tests change what they are about. */
export const NOW = Date.parse("2026-11-22T10:42:10+07:00");

export function definition(
  model: string,
  carrier: "electricity" | "natural_gas" | "solar" = "electricity",
  rated_power_W = 400_000,
) {
  const found = loadModelLibrary().get(model);
  if (found === undefined) throw new Error(`no model ${model}`);
  return defineDevice(
    found,
    {
      id: "m",
      carrier,
      role: "use",
      parent: null,
      every: { power_ms: 1000, energy_ms: 10_000 },
      rated_power_W,
      ct_ratio: 1,
      ...(carrier === "natural_gas" ? { m3_per_count: 0.1 } : {}),
    },
    { interval_ms: 900_000, time_zone: "Asia/Ho_Chi_Minh" },
  );
}

export function reading(quantity: QuantityId, value: number | bigint | null, change: Partial<Reading> = {}): Reading {
  return { quantity, at_ms: NOW - 400, value, quality: value === null ? "bad" : "good", why: null, ...change };
}

export function readings(
  values: Partial<Record<QuantityId, number | bigint | null>>,
): ReadonlyMap<QuantityId, Reading> {
  const all = Object.entries(values) as [QuantityId, number | bigint | null][];
  return new Map(all.map(([quantity, value]) => [quantity, reading(quantity, value)]));
}

export const GOOD_VALUES: Partial<Record<QuantityId, number | bigint>> = {
  active_power_total: 182_400,
  voltage_l1: 231.2,
  voltage_l2: 229.9,
  voltage_l3: 230.4,
  current_l1: 271.5,
  current_l2: 268.1,
  current_l3: 270,
  frequency: 50.01,
  power_factor_total: 0.962,
  active_energy_import_total: 812_345_670n,
};

export function meter(change: Partial<MeterFacts> = {}): MeterFacts {
  return {
    device: "line-1",
    name: { vi: "Dây chuyền 1", en: "Line 1" },
    unit: 1,
    model: "eastron-sdm630",
    carrier: "electricity",
    role: "use",
    isAnswering: true,
    lastError: null,
    lastAnswer_ms: NOW - 400,
    backoffUntil_ms: null,
    lastPollDuration_ms: 41,
    settings: [],
    blocks: [],
    definition: definition("eastron-sdm630"),
    last: readings(GOOD_VALUES),
    intervals: new Map(),
    ...change,
  };
}

export function bus(meters: readonly MeterFacts[], change: Partial<BusFacts> = {}): BusFacts {
  return {
    id: "main",
    sharedWith: [],
    url: "tcp://127.0.0.1:5020",
    load_pct: 23.4,
    cycle_ms: 1000,
    needed_ms: 234,
    available_ms: 1000,
    overruns: 0,
    isOverloaded: false,
    backoffUntil_ms: null,
    meters,
    ...change,
  };
}

export function facts(buses: readonly BusFacts[], change: Partial<GatewayFacts> = {}): GatewayFacts {
  return {
    gateway: "gw-01",
    site: "thep-gia-minh",
    zone: "kcn-demo",
    version: "0.1.0",
    pid: 4711,
    now_ms: NOW,
    timeZone: "Asia/Ho_Chi_Minh",
    uplink: {
      state: "born",
      bdSeq: 3,
      inFlight_bytes: 18_400,
      window_bytes: 262_144,
      sent: 812_345,
      resent: 12,
      ignoredCommands: 0,
      url: "mqtt://127.0.0.1:1883",
    },
    journal: {
      epoch: "a1b2",
      nextNumber: 812_358,
      unconfirmed: 4,
      oldestUnconfirmed_ms: NOW - 2000,
      bytes: 812_345_678,
      segments: 13,
      setAside: [],
      isBeyondBound: false,
      bound_bytes: 4 * 1024 ** 3,
      lost: 0,
      gaveWay: null,
      isBacklogAlarming: false,
      isWritable: true,
    },
    buses,
    ...change,
  };
}

export const view = (buses: readonly BusFacts[], change: Partial<GatewayFacts> = {}) =>
  gatewayView(facts(buses, change));

export const GAUGES = (Object.keys(QUANTITIES) as QuantityId[]).filter((id) => QUANTITIES[id].kind === "gauge");
