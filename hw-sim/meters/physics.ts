import type { QuantityId } from "../../core/units/quantities.ts";
import type { UnitNotation } from "../../core/units/units.ts";
import { type Integral, type Minute, totalWithin } from "../course/integral.ts";

/**
 * What a simulated meter knows about the world at an instant, before any register.
 *
 * Counters are exact, in ticks of rate x ms (1 mJ; 3,600,000 to the Wh, varh, VAh, litre or second), with what the meter showed on
 * its first day; gauges are doubles in the unit of `core/units/quantities.ts`. Each is asked for by itself: a read computes
 * what it shows and nothing else.
 */
export interface Physics {
  readonly counters: ReadonlyMap<QuantityId, SimCounter>;
  /** By quantity or register name. */
  readonly gauges: ReadonlyMap<string, Gauge>;
}

/** A value at an instant; `null` = the meter has none now (an inverter at night). Text: a name, or the state of a machine. */
export interface Gauge {
  (at_ms: number): number | string | null;
  /** Set if it is one of those that are worked out together; always a number then. */
  readonly column?: Column;
}

/** The numbers of an instant that are worked out together. */
export type Sheet = (at_ms: number) => readonly number[];

/** Where a gauge stands in a sheet: who reads many of one sheet asks for it once. */
export interface Column {
  readonly sheet: Sheet;
  readonly index: number;
}

export function columnGauge(sheet: Sheet, index: number): Gauge {
  return Object.assign((at_ms: number) => sheet(at_ms)[index]!, { column: { sheet, index } });
}

export type Gauges = Readonly<Record<string, number | string | null>>;

export interface SimCounter {
  /** Unit of the truth: Wh, varh, VAh for energy, m3 or Nm3 for volume, L of fuel, s of running. */
  readonly unit: UnitNotation;
  /** The minute an instant lies in: the same object within a minute, its total with the start value. */
  minute(at_ms: number): CountedMinute;
  total(at_ms: number): bigint;
}

export type CountedMinute = Omit<Minute, "rate">;

/** A counter that showed `start_ticks` when its integral began. */
export function runningCounter(unit: UnitNotation, { minute }: Integral, start_ticks = 0n): SimCounter {
  if (start_ticks === 0n) return counterOf(unit, minute);
  return counterOf(
    unit,
    perMinute(minute, ({ from_ms, total, counted }) => ({ from_ms, total: start_ticks + total, counted })),
  );
}

/** The same counter, `by_ticks` further on; it may show less than nothing where it is not asked. */
export function shiftedCounter({ unit, minute }: SimCounter, by_ticks: bigint): SimCounter {
  const shift = ({ from_ms, total, counted }: CountedMinute): CountedMinute => ({
    from_ms,
    total: total + by_ticks,
    counted,
  });
  return counterOf(unit, perMinute(minute, shift));
}

/** A counter that shows the sum of two. */
export function addedCounter(a: SimCounter, b: SimCounter): SimCounter {
  const of = (at: CountedMinute): CountedMinute => {
    const other = b.minute(at.from_ms);
    return { from_ms: at.from_ms, total: at.total + other.total, counted: at.counted + other.counted };
  };
  return counterOf(a.unit, perMinute(a.minute, of));
}

/** What is left of a sum when one of its parts is turned round: the sum less that part twice. */
export function turnedCounter(sum: SimCounter, part: SimCounter): SimCounter {
  const of = (at: CountedMinute): CountedMinute => {
    const turned = part.minute(at.from_ms);
    return { from_ms: at.from_ms, total: at.total - 2n * turned.total, counted: at.counted - 2 * turned.counted };
  };
  return counterOf(sum.unit, perMinute(sum.minute, of));
}

/** `over` parts of `under` of what a counter counts, in `unit`; within a minute it never runs ahead of the next one. */
export function sharedCounter({ minute }: SimCounter, over: number, under: number, unit: UnitNotation): SimCounter {
  const share = ({ from_ms, total, counted }: CountedMinute): CountedMinute => ({
    from_ms,
    total: (total * BigInt(over)) / BigInt(under),
    counted: Math.floor((counted * over) / under),
  });
  return counterOf(unit, perMinute(minute, share));
}

/** A counter nothing ever moves. */
export function standingCounter(unit: UnitNotation): SimCounter {
  const minute: CountedMinute = { from_ms: 0, total: 0n, counted: 0 };
  return counterOf(unit, () => minute);
}

function counterOf(unit: UnitNotation, minute: (at_ms: number) => CountedMinute): SimCounter {
  return { unit, minute, total: (at_ms) => totalWithin(minute(at_ms), at_ms) };
}

function perMinute(
  minute: (at_ms: number) => CountedMinute,
  compute: (of: CountedMinute) => CountedMinute,
): (at_ms: number) => CountedMinute {
  let from: CountedMinute | undefined;
  let held: CountedMinute | undefined;
  return (at_ms) => {
    const now = minute(at_ms);
    if (held !== undefined && now === from) return held;
    from = now;
    held = compute(now);
    return held;
  };
}

/** All gauges of an instant. */
export function gaugesAt(gauges: ReadonlyMap<string, Gauge>, at_ms: number): Gauges {
  return Object.fromEntries([...gauges].map(([name, gauge]) => [name, gauge(at_ms)]));
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
  const periods = at_ms / period_ms;
  const phase = (seed % 6283) / 1000;
  return 0.6 * Math.sin(turned(periods) + phase) + 0.4 * Math.sin(turned(periods * 2.414) + phase * 1.7);
}

/** Within one turn: the sine of a great angle costs ten times that of a small one. */
function turned(periods: number): number {
  return 2 * Math.PI * (periods - Math.floor(periods));
}
