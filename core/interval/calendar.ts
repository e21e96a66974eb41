import type { EpochMs } from "../reading/reading.ts";

/**
 * Local time of a named zone: where intervals, days, months and years begin. Offsets come from the runtime's IANA data
 * (Intl), but for zones of one offset; nothing here reads a clock.
 */
export const STEPS = ["15min", "hour", "day", "month", "year"] as const;
export type Step = (typeof STEPS)[number];

/** At the limit of buckets one query may ask for; more is a caller's mistake and said so. */
export const BUCKETS_MAX = 40_000;

const DAY_MS = 86_400_000;
/** The last instant that a Date can hold. */
const DATE_MAX_MS = 8.64e15;

/**
 * Zones that have had one offset since an instant, by the same IANA data (a test compares the two). A gateway that asks for no
 * other never loads Intl, which takes 7 MB of its memory.
 */
const ONE_OFFSET = new Map([
  ["Asia/Ho_Chi_Minh", { since_ms: Date.UTC(1975, 5, 13), offset_ms: 7 * 3_600_000 }],
  ["UTC", { since_ms: -DATE_MAX_MS, offset_ms: 0 }],
]);

/** Whether its local time needs no Intl, at least of late. */
export function hasOneOffset(timeZone: string): boolean {
  return ONE_OFFSET.has(timeZone);
}

function oneOffset_ms(timeZone: string, at_ms: EpochMs): number | null {
  const zone = ONE_OFFSET.get(timeZone);
  return zone !== undefined && at_ms >= zone.since_ms && at_ms <= DATE_MAX_MS ? zone.offset_ms : null;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Offset of the zone from UTC at this instant, ms; +25 200 000 for Asia/Ho_Chi_Minh. @throws {RangeError} unknown zone. */
export function zoneOffset_ms(timeZone: string, at_ms: EpochMs): number {
  const one_ms = oneOffset_ms(timeZone, at_ms);
  if (one_ms !== null) return one_ms;
  const quarter = Math.floor(at_ms / QUARTER_MS);
  if (knownZone !== timeZone || knownOffsets_ms.size > OFFSETS_MAX) {
    knownZone = timeZone;
    knownOffsets_ms.clear();
  }
  const known_ms = knownOffsets_ms.get(quarter);
  if (known_ms !== undefined) return known_ms;
  const local = localParts(timeZone, at_ms);
  const asUtc_ms = Date.UTC(local.year, local.month - 1, local.day, local.hour, local.minute, local.second);
  const offset_ms = asUtc_ms - Math.floor(at_ms / 1000) * 1000;
  knownOffsets_ms.set(quarter, offset_ms);
  return offset_ms;
}

/** Offsets change on quarters of an hour; Intl takes microseconds, and most questions are about the same few quarters. */
const QUARTER_MS = 900_000;
const OFFSETS_MAX = 1000;
let knownZone = "";
const knownOffsets_ms = new Map<number, number>();

export interface LocalParts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

export function localParts(timeZone: string, at_ms: EpochMs): LocalParts {
  const one_ms = oneOffset_ms(timeZone, at_ms);
  if (one_ms !== null) return utcParts(at_ms + one_ms);
  const parts: Record<string, number> = {};
  for (const part of formatterOf(timeZone).formatToParts(at_ms)) {
    if (part.type !== "literal") parts[part.type] = Number(part.value);
  }
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return { year, month, day, hour: hour % 24, minute, second };
}

function utcParts(at_ms: EpochMs): LocalParts {
  const date = new Date(at_ms);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/**
 * The instant at which the zone's clocks show this local time: the first of two where they show it twice, and where they
 * skip it (midnight of a day that begins at 01:00) the instant they jump past it.
 */
export function instantOfLocal(timeZone: string, year: number, month: number, day: number, hour = 0): EpochMs {
  const asUtc_ms = Date.UTC(year, month - 1, day, hour);
  const before_ms = zoneOffset_ms(timeZone, asUtc_ms - DAY_MS);
  const after_ms = zoneOffset_ms(timeZone, asUtc_ms + DAY_MS);
  const [earlier_ms, later_ms] = [asUtc_ms - Math.max(before_ms, after_ms), asUtc_ms - Math.min(before_ms, after_ms)];
  if (earlier_ms + zoneOffset_ms(timeZone, earlier_ms) === asUtc_ms) return earlier_ms;
  return later_ms;
}

/**
 * Start of the accounting interval that holds `at_ms`: multiples of `interval_ms` from local midnight.
 * Limit: an interval longer than an hour is cut by the offset in force at `at_ms`; zones with daylight saving should not
 * use one.
 */
export function intervalStart(at_ms: EpochMs, interval_ms: number, timeZone: string): EpochMs {
  const offset_ms = zoneOffset_ms(timeZone, at_ms);
  return Math.floor((at_ms + offset_ms) / interval_ms) * interval_ms - offset_ms;
}

/** Start of the calendar step that holds `at_ms`. */
export function stepStart(at_ms: EpochMs, step: Step, timeZone: string): EpochMs {
  if (step === "15min") return intervalStart(at_ms, 900_000, timeZone);
  if (step === "hour") return intervalStart(at_ms, 3_600_000, timeZone);
  const local = localParts(timeZone, at_ms);
  if (step === "day") return instantOfLocal(timeZone, local.year, local.month, local.day);
  if (step === "month") return instantOfLocal(timeZone, local.year, local.month, 1);
  return instantOfLocal(timeZone, local.year, 1, 1);
}

/** Start of the step after the one that holds `at_ms`. */
export function nextStep(at_ms: EpochMs, step: Step, timeZone: string): EpochMs {
  if (step === "15min") return stepStart(at_ms, step, timeZone) + 900_000;
  if (step === "hour") return stepStart(at_ms, step, timeZone) + 3_600_000;
  const local = localParts(timeZone, at_ms);
  if (step === "day") return instantOfLocal(timeZone, local.year, local.month, local.day + 1);
  if (step === "month") return instantOfLocal(timeZone, local.year, local.month + 1, 1);
  return instantOfLocal(timeZone, local.year + 1, 1, 1);
}

export interface Bucket {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

/**
 * The buckets of [from, to) cut at the zone's calendar steps; the first and last are clipped to the period asked for.
 * @throws {RangeError} for more than {@link BUCKETS_MAX} buckets.
 */
export function buckets(from_ms: EpochMs, to_ms: EpochMs, step: Step, timeZone: string): readonly Bucket[] {
  const result: Bucket[] = [];
  for (let start = from_ms; start < to_ms; ) {
    if (result.length === BUCKETS_MAX) throw new RangeError(`more than ${BUCKETS_MAX} steps of ${step} in the period`);
    const end = Math.min(nextStep(start, step, timeZone), to_ms);
    result.push({ from_ms: start, to_ms: end });
    start = end;
  }
  return result;
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formatters.set(timeZone, formatter);
  }
  return formatter;
}
