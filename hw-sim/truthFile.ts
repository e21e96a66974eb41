import { intervalStart } from "../core/interval/calendar.ts";
import type { SimMeter, Truth } from "./meters/simMeter.ts";

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
  /** What was truly counted. */
  readonly counters: Truth;
  /** What the counters stand at instead, before they wrap: after a reset, a replacement, a reversed transformer, a rollover. */
  readonly shown?: Truth;
}

/** What every meter truly counted up to an instant; `shownBy` says what a meter with faults stands at, null = the same. */
export function truthLines(
  lines: readonly { readonly meters: readonly SimMeter[] }[],
  at_ms: number,
  shownBy: (line: number, unit: number, at_ms: number) => Truth | null = () => null,
): readonly TruthLine[] {
  return lines.flatMap(({ meters }, line) =>
    meters.map((meter) => ({
      at: new Date(at_ms).toISOString(),
      line,
      unit: meter.unit,
      name: meter.name,
      model: meter.model.id,
      counters: meter.truth(at_ms),
      ...shownPart(shownBy(line, meter.unit, at_ms)),
    })),
  );
}

function shownPart(shown: Truth | null): { readonly shown?: Truth } {
  return shown === null ? {} : { shown };
}

/** The first boundary after an instant: when the next truth lines are due. */
export function nextTruthBoundary(after_ms: number, timeZone: string, every_ms: number = TRUTH_INTERVAL_ms): number {
  return intervalStart(after_ms, every_ms, timeZone) + every_ms;
}
