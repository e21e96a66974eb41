import { zoneOffset_ms } from "../interval/calendar.ts";
import type { EpochMs } from "../reading/reading.ts";

/**
 * Energy by tariff band, its cost, and maximum demand (methods §1, W26).
 *
 * Units    Wh, W, VND per kWh before VAT. Money is a view of energy: changing a table changes cost, never energy.
 * Source   the tables are data (config/tariffs/): windows and prices each with a validity and a document.
 */
export const TARIFF_BANDS = ["peak", "normal", "offpeak"] as const;
export type TariffBand = (typeof TARIFF_BANDS)[number];

/** Minutes of the local day, half-open; `to` below `from` runs past midnight and belongs to the day it starts on. */
export interface TariffWindow {
  readonly band: Exclude<TariffBand, "normal">;
  readonly from_min: number;
  readonly to_min: number;
  /** 0 = Sunday … 6 = Saturday: the days on which the window begins. */
  readonly weekdays: readonly number[];
}

/** What is in no window is normal. Of two windows that overlap the first listed holds. */
export interface TariffTable {
  readonly id: string;
  /** Half-open; null = open. */
  readonly valid_from_ms: EpochMs;
  readonly valid_to_ms: EpochMs | null;
  readonly windows: readonly TariffWindow[];
  readonly document: string;
}

const DAY_MIN = 1440;
const MINUTE_MS = 60_000;

/** The table in force, or null. Of several the one that began last. */
export function tableAt(tables: readonly TariffTable[], at_ms: EpochMs): TariffTable | null {
  let found: TariffTable | null = null;
  for (const table of tables) {
    const holds = table.valid_from_ms <= at_ms && (table.valid_to_ms === null || at_ms < table.valid_to_ms);
    if (holds && (found === null || table.valid_from_ms > found.valid_from_ms)) found = table;
  }
  return found;
}

export function bandAt(table: TariffTable, at_ms: EpochMs, timeZone: string): TariffBand {
  const local = new Date(at_ms + zoneOffset_ms(timeZone, at_ms));
  const weekday = local.getUTCDay();
  const at_min = local.getUTCHours() * 60 + local.getUTCMinutes();
  const window = table.windows.find(({ from_min, to_min, weekdays }) => {
    if (from_min < to_min) return weekdays.includes(weekday) && from_min <= at_min && at_min < to_min;
    const yesterday = (weekday + 6) % 7;
    return (weekdays.includes(weekday) && at_min >= from_min) || (weekdays.includes(yesterday) && at_min < to_min);
  });
  return window?.band ?? "normal";
}

/** What was counted in [from, to); spread evenly over it where a band begins inside. */
export interface EnergyPart {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly energy_Wh: number;
}

export interface BandSplit {
  readonly energy_Wh: Readonly<Record<TariffBand, number>>;
  /** Energy of intervals that a band or table boundary cuts: its split is by time, not measured. */
  readonly splitByTime_Wh: number;
  /** Energy of times no table is in force for: in no band, so a cost without it is a lower bound. */
  readonly uncovered_Wh: number;
}

/** @throws {RangeError} for an interval that ends before it begins or is longer than a day. */
export function splitByBand(parts: readonly EnergyPart[], tables: readonly TariffTable[], timeZone: string): BandSplit {
  const energy_Wh: Record<TariffBand, number> = { peak: 0, normal: 0, offpeak: 0 };
  let splitByTime_Wh = 0;
  let uncovered_Wh = 0;
  for (const part of parts) {
    const length_ms = part.to_ms - part.from_ms;
    if (!(length_ms > 0 && length_ms <= DAY_MIN * MINUTE_MS)) throw new RangeError(`an interval of ${length_ms} ms`);
    const stretches = stretchesOf(part, tables, timeZone);
    if (stretches.length > 1) splitByTime_Wh += part.energy_Wh;
    for (const { band, length_ms: stretch_ms } of stretches) {
      const share_Wh = stretches.length === 1 ? part.energy_Wh : (part.energy_Wh * stretch_ms) / length_ms;
      if (band === null) uncovered_Wh += share_Wh;
      else energy_Wh[band] += share_Wh;
    }
  }
  return { energy_Wh, splitByTime_Wh, uncovered_Wh };
}

interface Stretch {
  readonly band: TariffBand | null;
  length_ms: number;
}

/** Runs of one band inside the interval. Bands begin on whole minutes. */
function stretchesOf(part: EnergyPart, tables: readonly TariffTable[], timeZone: string): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (let at_ms = part.from_ms; at_ms < part.to_ms; ) {
    const next_ms = Math.min(part.to_ms, Math.floor(at_ms / MINUTE_MS) * MINUTE_MS + MINUTE_MS);
    const table = tableAt(tables, at_ms);
    const band = table === null ? null : bandAt(table, at_ms, timeZone);
    const last = stretches.at(-1);
    if (last?.band === band) last.length_ms += next_ms - at_ms;
    else stretches.push({ band, length_ms: next_ms - at_ms });
    at_ms = next_ms;
  }
  return stretches;
}

export type BandPrices_VND_per_kWh = Readonly<Record<TariffBand, number>>;

export function costOf_VND(split: BandSplit, prices: BandPrices_VND_per_kWh): number {
  return TARIFF_BANDS.reduce((sum, band) => sum + (split.energy_Wh[band] / 1000) * prices[band], 0);
}

/** Price of power and of energy: bill = capacity price × maximum demand + energy by band. */
export function twoPartCost_VND(
  split: BandSplit,
  prices: BandPrices_VND_per_kWh,
  capacity_VND_per_kW: number,
  demandMax_W: number,
): number {
  return (capacity_VND_per_kW * demandMax_W) / 1000 + costOf_VND(split, prices);
}

export interface Demand {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly mean_W: number;
}

const DEMAND_MS = 30 * MINUTE_MS;

/**
 * Highest mean power of a clock half hour, from intervals that divide it; null when no half hour is whole: a half hour
 * with a hole has no mean. Source: two-component tariff pilot (7646/BCT-DL), "Pmax = highest 30-minute mean kW".
 */
export function maximumDemand(parts: readonly EnergyPart[]): Demand | null {
  const halves = new Map<number, { covered_ms: number; energy_Wh: number }>();
  for (const { from_ms, to_ms, energy_Wh } of parts) {
    const start_ms = Math.floor(from_ms / DEMAND_MS) * DEMAND_MS;
    if (to_ms > start_ms + DEMAND_MS) throw new RangeError("an interval that crosses a half hour has no demand");
    const half = halves.get(start_ms) ?? { covered_ms: 0, energy_Wh: 0 };
    half.covered_ms += to_ms - from_ms;
    half.energy_Wh += energy_Wh;
    halves.set(start_ms, half);
  }
  let highest: Demand | null = null;
  for (const [from_ms, { covered_ms, energy_Wh }] of halves) {
    if (covered_ms < DEMAND_MS) continue;
    const mean_W = energy_Wh * (3_600_000 / DEMAND_MS);
    if (highest === null || mean_W > highest.mean_W) highest = { from_ms, to_ms: from_ms + DEMAND_MS, mean_W };
  }
  return highest;
}
