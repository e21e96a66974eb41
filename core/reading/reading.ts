import type { QuantityId } from "../units/quantities.ts";

/** Instant, milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number;

/** Why a value is not simply good. One word each, in messages, journal, wire (`QualityReason`) and API. */
export const QUALITY_REASONS = [
  "sentinel",
  "not-a-number",
  "out-of-range",
  "implausible",
  "scale-missing",
  "clock-unsynchronised",
  "frozen",
] as const;
export type QualityReason = (typeof QUALITY_REASONS)[number];

/**
 * good       use it
 * uncertain  the value is kept with its reason, left out of totals
 * bad        no value (NaN, sentinel, undecodable), with its reason
 * stale      was good, is old
 */
export type Quality = "good" | "uncertain" | "bad" | "stale";

/**
 * One quantity of one meter at one instant, decoded.
 * A `bigint` value is counter ticks (see `CounterDefinition` for what a tick is worth); a `number` is a gauge in the
 * quantity's unit; `null` is no value, and then the quality is bad and `why` says so.
 */
export interface Reading {
  readonly quantity: QuantityId;
  readonly at_ms: EpochMs;
  readonly value: number | bigint | null;
  readonly quality: Quality;
  readonly why: QualityReason | null;
}

/** Register words of one exchange, as they came off the wire. */
export interface WordBlock {
  readonly fc: 3 | 4;
  readonly address: number;
  readonly words: Uint16Array;
}

/** Why an exchange gave no words. `exception` carries the Modbus code in `detail`. */
export type ExchangeFailure = "timeout" | "exception" | "garbled" | "unreachable";

/** What one poll of one meter brought: the words of every exchange that answered, and those that did not, with why. */
export interface Sample {
  readonly device: string;
  readonly at_ms: EpochMs;
  /** Monotonic milliseconds of this boot, for ordering across clock jumps. */
  readonly mono_ms: number;
  readonly blocks: readonly WordBlock[];
  readonly failures: readonly {
    readonly fc: 3 | 4;
    readonly address: number;
    readonly count: number;
    readonly why: ExchangeFailure;
    readonly detail?: number;
  }[];
}
