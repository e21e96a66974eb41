import type { QuantityId } from "../../core/units/quantities.ts";
import type { UnitNotation } from "../../core/units/units.ts";

/**
 * What a simulated meter knows about the world at an instant, before any register.
 *
 * Counters are exact, in ticks of rate x ms (1 mJ; 3,600,000 to the Wh, varh, VAh or litre), with what the meter showed on
 * its first day; gauges are doubles in the unit of `core/units/quantities.ts`.
 */
export interface Physics {
  readonly counters: ReadonlyMap<QuantityId, SimCounter>;
  /** By quantity or register name. `null` = the meter has no value now (an inverter at night). */
  gauges(at_ms: number): Gauges;
}

export type Gauges = Readonly<Record<string, number | string | null>>;

export interface SimCounter {
  /** Unit of the truth: Wh, varh, VAh for energy, m3 or Nm3 for volume. */
  readonly unit: UnitNotation;
  total(at_ms: number): bigint;
}

/** Where and since when a meter stands, and what it showed then. */
export interface Placement {
  readonly seed: number;
  /** Local midnight of slot 0. */
  readonly origin_ms: number;
  /** Local midnight the counters run from. */
  readonly since_ms: number;
  /** What the main counter showed at `since_ms`, ticks. */
  readonly start_ticks: bigint;
}

/** A slow, seeded wave in −1 … 1: two sines whose periods have no common measure. */
export function wave(at_ms: number, period_ms: number, seed: number): number {
  const turn = (2 * Math.PI * at_ms) / period_ms;
  const phase = (seed % 6283) / 1000;
  return 0.6 * Math.sin(turn + phase) + 0.4 * Math.sin(turn * 2.414 + phase * 1.7);
}
