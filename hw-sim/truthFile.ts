import { intervalStart } from "../core/interval/calendar.ts";
import type { QuantityId } from "../core/units/quantities.ts";
import type { UnitNotation } from "../core/units/units.ts";
import type { SimMeter } from "./meters/simMeter.ts";

/** Boundaries of the truth file: every quarter of an hour of the zone's wall clock. */
export const TRUTH_INTERVAL_ms = 900_000;

/** One line of the truth file (JSON Lines); README.md is its description. */
export interface TruthLine {
  /** The boundary, ISO 8601 in UTC. */
  readonly at: string;
  /** Number of the line in the simulation file, from 0. */
  readonly line: number;
  readonly unit: number;
  readonly name: string;
  readonly model: string;
  readonly counters: Readonly<Partial<Record<QuantityId, { readonly value: string; readonly unit: UnitNotation }>>>;
}

/** What every meter truly showed at an instant. */
export function truthLines(
  lines: readonly { readonly meters: readonly SimMeter[] }[],
  at_ms: number,
): readonly TruthLine[] {
  return lines.flatMap(({ meters }, line) =>
    meters.map((meter) => ({
      at: new Date(at_ms).toISOString(),
      line,
      unit: meter.unit,
      name: meter.name,
      model: meter.model.id,
      counters: meter.truth(at_ms),
    })),
  );
}

/** The first boundary after an instant: when the next truth lines are due. */
export function nextTruthBoundary(after_ms: number, timeZone: string, every_ms: number = TRUTH_INTERVAL_ms): number {
  return intervalStart(after_ms, every_ms, timeZone) + every_ms;
}
