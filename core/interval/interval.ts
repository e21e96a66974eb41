import type { EpochMs } from "../reading/reading.ts";
import type { QuantityId } from "../units/quantities.ts";
import type { UnitNotation } from "../units/units.ts";

/**
 * How the figure of an interval came about (methods §9).
 * M measured · C computed from measured values · S its share of an exactly known sum is estimated ·
 * E estimated · X something is missing: the figure is a lower bound, or there is none
 */
export type IntervalFlag = "M" | "C" | "S" | "E" | "X";

/** Why part of an interval was not measured. */
export const INTERVAL_CAUSES = [
  "first-reading",
  "meter-silent",
  "meter-exception",
  "bus-unreachable",
  "not-polled",
  "bad-values",
  "meter-replaced",
  "counter-reset",
  "rate-too-high",
  "interval-too-long",
  "clock",
] as const;
export type IntervalCause = (typeof INTERVAL_CAUSES)[number];

/** Register words as read, evidence for a count: which registers, what they held, when. */
export interface CounterWords {
  readonly fc: 3 | 4;
  readonly address: number;
  /** 4 hex digits a register, no blanks. */
  readonly hex: string;
  readonly at_ms: EpochMs;
}

/**
 * A boundary of an interval: the count there, and the readings it was made of, so that anybody can make it again:
 * count = before + round-half-even((after − before) × (boundary − t_before) / (t_after − t_before)), modulo the register,
 * where before and after are the counts in `words` and `across`, whichever is earlier.
 */
export interface Boundary {
  /** Count at the boundary, interpolated between the readings around it and rounded to a tick. */
  readonly count: bigint;
  /** The reading at or before the opening, at or after the closing; null when its words were not kept. */
  readonly words: CounterWords | null;
  /**
   * The reading on the other side, when the boundary lies between two readings: the first one after the opening, the last
   * one before the closing. Null when a reading lies on the boundary, or when its words were not kept.
   */
  readonly across: CounterWords | null;
}

/**
 * What one counter counted in one wall-clock interval, half-open [from, to).
 * Conserves: over any run of intervals the ticks add up to last − first to the tick, whatever polls were missed.
 */
export interface Interval {
  readonly device: string;
  readonly quantity: QuantityId;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly tick: { readonly amount: string; readonly unit: UnitNotation };
  /** null = nothing is known of this interval; that is not zero. With flag X a number is a lower bound. */
  readonly ticks: bigint | null;
  readonly flag: IntervalFlag;
  /** Share of the interval's time whose energy is measured to this interval, 0…1. */
  readonly coverage: number;
  readonly pollsExpected: number;
  readonly pollsAnswered: number;
  readonly cause: IntervalCause | null;
  readonly opening: Boundary | null;
  readonly closing: Boundary | null;
}
