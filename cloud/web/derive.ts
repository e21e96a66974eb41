import type { Emissions, Energy, Measure, Point } from "../api/schemas.ts";
import { energy_Wh, mass_kg } from "./units.ts";

/** What the page works out from the API's figures. Unknown stays null all the way; nothing here fills a hole. */
export type Change =
  | { readonly kind: "change"; readonly pct: number }
  | { readonly kind: "none"; readonly why: "no-figure" | "not-begun" | "incomplete" | "zero" };

/** Below this measured share a comparison would say more about the holes than about the factory. */
export const COMPARABLE_COVERAGE_PCT = 95;

const isIncomplete = (figure: Measure): boolean =>
  figure.lower_bound && (figure.coverage_pct ?? 0) < COMPARABLE_COVERAGE_PCT;

/**
 * `reachesBack`: whether there is data at all since the earlier period began. If not, that is the reason to give: nothing
 * went missing, it had not begun.
 */
export function changeOf(now: Measure | null, before: Measure | null, reachesBack: boolean): Change {
  if (now === null || before === null || now.value === null || before.value === null) {
    return { kind: "none", why: "no-figure" };
  }
  if (!reachesBack) return { kind: "none", why: "not-begun" };
  if (isIncomplete(now) || isIncomplete(before)) return { kind: "none", why: "incomplete" };
  const current = mass_kg(now.value, now.unit) ?? now.value;
  const earlier = mass_kg(before.value, before.unit) ?? before.value;
  if (earlier === 0) return { kind: "none", why: "zero" };
  return { kind: "change", pct: (current / earlier - 1) * 100 };
}

export type EnergyGroup = Energy["groups"][number];
export type EmissionGroup = Emissions["groups"][number];

export const groupOf = (
  energy: Energy | null,
  carrier: string,
  direction: EnergyGroup["direction"],
): EnergyGroup | null => energy?.groups.find((g) => g.carrier === carrier && g.direction === direction) ?? null;

export const gridImport = (energy: Energy | null): EnergyGroup | null => groupOf(energy, "electricity", "import");
export const gridExport = (energy: Energy | null): EnergyGroup | null => groupOf(energy, "electricity", "export");
export const solarMade = (energy: Energy | null): EnergyGroup | null => groupOf(energy, "solar", "generation");

/** Whether one is declared, booked in this period or not: the API gives such a meter its group as soon as it is born. */
export const hasGenerationMeter = (energy: Energy | null): boolean =>
  energy?.groups.some((group) => group.direction === "generation") ?? false;

export interface Renewable {
  readonly made_Wh: number;
  readonly exported_Wh: number;
  /** Share of what was used on site that came from its own roofs; null when nothing was used. */
  readonly share_pct: number | null;
}

/** (made − exported) / (drawn + made − exported). Null without a generation meter: that is no zero. */
export function renewableOf(energy: Energy | null): Renewable | null {
  const made_Wh = wh(solarMade(energy)?.total);
  if (made_Wh === null) return null;
  const drawn_Wh = wh(gridImport(energy)?.total) ?? 0;
  const exported_Wh = wh(gridExport(energy)?.total) ?? 0;
  const used_Wh = drawn_Wh + made_Wh - exported_Wh;
  return { made_Wh, exported_Wh, share_pct: used_Wh > 0 ? (100 * (made_Wh - exported_Wh)) / used_Wh : null };
}

const wh = (figure: Measure | undefined): number | null =>
  figure === undefined ? null : energy_Wh(figure.value, figure.unit);

export interface PowerPoint {
  readonly from_ms: number;
  readonly to_ms: number;
  /** Mean power over the interval; null = unknown. */
  readonly power_W: number | null;
}

export function powerPoints(points: readonly Point[]): readonly PowerPoint[] {
  return points.map((point) => {
    const from_ms = Date.parse(point.from);
    const to_ms = Date.parse(point.to);
    const energy = energy_Wh(point.value, point.unit);
    return { from_ms, to_ms, power_W: energy === null ? null : (energy * 3_600_000) / (to_ms - from_ms) };
  });
}

export function highestOf(points: readonly PowerPoint[]): PowerPoint | null {
  let highest: PowerPoint | null = null;
  for (const point of points) {
    if (point.power_W !== null && (highest === null || point.power_W > (highest.power_W ?? 0))) highest = point;
  }
  return highest;
}

/** One bar of an emission chart: what each group measured, what of it is estimated, and whether part of the time is missing. */
export interface Bar {
  readonly from_ms: number;
  readonly to_ms: number;
  readonly parts: readonly { readonly key: string; readonly t: number | null; readonly estimated_pct: number }[];
  /** t; null when no group has a figure. */
  readonly total_t: number | null;
  /** `not-begun`: the step is running and its first interval is not over. Time before the first data is `missing`. */
  readonly state: "whole" | "part-missing" | "missing" | "not-begun" | "to-come";
  readonly coverage_pct: number | null;
}

export function barsOf(groups: readonly EmissionGroup[], now_ms: number): readonly Bar[] {
  const first = groups[0];
  if (first === undefined) return [];
  return first.points.map((point, index) => {
    const own = groups.map((group) => ({ key: group.key, point: group.points[index] }));
    const parts = own.map(({ key, point: p }) => {
      const kg = p === undefined ? null : mass_kg(p.value, p.unit);
      return { key, t: kg === null ? null : kg / 1000, estimated_pct: p?.estimated_pct ?? 0 };
    });
    const known = parts.filter((part) => part.t !== null);
    const from_ms = Date.parse(point.from);
    const coverages = own.flatMap(({ point: p }) => (p?.coverage_pct == null ? [] : [p.coverage_pct]));
    const lacks = own.some(({ point: p }) => p?.lower_bound === true);
    return {
      from_ms,
      to_ms: Date.parse(point.to),
      parts,
      total_t: known.length === 0 ? null : known.reduce((sum, part) => sum + (part.t ?? 0), 0),
      state: from_ms >= now_ms ? "to-come" : stateOfBar(known.length, coverages.length, lacks),
      coverage_pct: coverages.length === 0 ? null : Math.min(...coverages),
    };
  });
}

function stateOfBar(known: number, due: number, lacks: boolean): Bar["state"] {
  if (known === 0) return due === 0 ? "not-begun" : "missing";
  return lacks ? "part-missing" : "whole";
}

export const highestBar_t = (bars: readonly Bar[]): number => Math.max(0, ...bars.map((bar) => bar.total_t ?? 0));

/** The unit all of a chart is in: kilograms where tonnes would be 0.01 at every tick of the axis. */
export function barUnit(bars: readonly Bar[]): { readonly unit: "kg" | "t"; readonly perTonne: number } {
  const highest_t = highestBar_t(bars);
  return highest_t > 0 && highest_t < 0.1 ? { unit: "kg", perTonne: 1000 } : { unit: "t", perTonne: 1 };
}

/** Greatest first; factories without a figure last, in the order given. */
export function ranked<T>(rows: readonly T[], tonnesOf: (row: T) => number | null): readonly T[] {
  return [...rows].sort((a, b) => (tonnesOf(b) ?? -1) - (tonnesOf(a) ?? -1));
}

/** Worst state of several, for a node that stands for all of them. */
export function worstState(states: readonly string[]): "ok" | "warn" | "bad" | "unknown" {
  if (states.includes("bad")) return "bad";
  if (states.includes("warn")) return "warn";
  return states.length > 0 && states.every((state) => state === "ok") ? "ok" : "unknown";
}
