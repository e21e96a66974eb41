import { KhuXanhError } from "../../core/errors.ts";
import { DAY_ms } from "../course/course.ts";

/**
 * When a plant works. Days count from 2018-01-01, a Monday; everything is local time, pure and without a clock.
 */
export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export const MINUTES_PER_DAY = 1440;
const DAY0_ms = Date.UTC(2018, 0, 1);

/** 0 = Monday … 6 = Sunday. */
export function weekdayOf(day: number): number {
  return ((day % 7) + 7) % 7;
}

/** Calendar parts of a day. */
export function dateOf(day: number): {
  readonly year: number;
  readonly month: number;
  readonly date: number;
  readonly dayOfYear: number;
} {
  const at = new Date(DAY0_ms + day * DAY_ms);
  const year = at.getUTCFullYear();
  return {
    year,
    month: at.getUTCMonth() + 1,
    date: at.getUTCDate(),
    dayOfYear: Math.round((at.getTime() - Date.UTC(year, 0, 1)) / DAY_ms) + 1,
  };
}

/** Days since 2018-01-01 of a date `YYYY-MM-DD`; null if there is no such day. */
export function dayNumber(text: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (match === null) return null;
  const [year, month, date] = match.slice(1).map(Number) as [number, number, number];
  const at = new Date(Date.UTC(year, month - 1, date));
  return at.getUTCMonth() === month - 1 && at.getUTCDate() === date
    ? Math.round((at.getTime() - DAY0_ms) / DAY_ms)
    : null;
}

export type IsHoliday = (day: number) => boolean;

/**
 * Holidays: `MM-DD` every year, `YYYY-MM-DD` once, `YYYY-MM-DD..YYYY-MM-DD` from and including.
 * @throws {KhuXanhError} CONFIG_INVALID.
 */
export function holidaysOf(written: readonly string[]): IsHoliday {
  const yearly = new Set<string>();
  const spans: (readonly [number, number])[] = [];
  written.forEach((text, at) => {
    const place = `holidays.${at}`;
    if (/^\d{2}-\d{2}$/.test(text)) {
      if (dayNumber(`2020-${text}`) === null) throw invalid(place, `"${text}" is no day of the year`);
      yearly.add(text);
      return;
    }
    const [from, to = from] = text.split("..").map(dayNumber);
    if (
      from === undefined ||
      from === null ||
      to === undefined ||
      to === null ||
      to < from ||
      text.split("..").length > 2
    ) {
      throw invalid(place, `"${text}" is no day (allowed: MM-DD, YYYY-MM-DD, YYYY-MM-DD..YYYY-MM-DD)`);
    }
    spans.push([from, to]);
  });
  if (written.length === 0) return () => false;
  let last = { day: Number.NaN, is: false };
  return (day) => {
    if (day !== last.day) {
      const { month, date } = dateOf(day);
      const key = `${String(month).padStart(2, "0")}-${String(date).padStart(2, "0")}`;
      last = { day, is: yearly.has(key) || spans.some(([from, to]) => day >= from && day <= to) };
    }
    return last.is;
  };
}

/** Minutes since local midnight, `to` may lie after midnight: 22:00-06:00 is 1320 … 1800. */
export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

/** `06:00-14:00`; the end may be 24:00, or earlier than the start: then it is of the next day. @throws {KhuXanhError} */
export function timeSpan(text: string, place: string): TimeSpan {
  const match = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$/.exec(text);
  const [from_h = 0, from_m = 0, to_h = 0, to_m = 0] = (match ?? []).slice(1).map(Number);
  const from = from_h * 60 + from_m;
  const to = to_h * 60 + to_m;
  if (match === null || from === to || to > MINUTES_PER_DAY) {
    throw invalid(place, `"${text}" is no span of time (allowed: like 06:00-14:00, 22:00-06:00)`);
  }
  return { from, to: to > from ? to : to + MINUTES_PER_DAY };
}

/** How far a minute is into a span of a working day, and how long that goes on; `into` is −1 outside. */
export interface WorkTime {
  into(minute: number): number;
  left(minute: number): number;
}

/**
 * Spans of working days as tables: a span that passes midnight belongs to the day it began on. Asked minute by minute over
 * years, so one look-up an answer; of overlapping spans the first one counts.
 */
export function workTime(spans: readonly TimeSpan[], isWorkday: (day: number) => boolean): WorkTime {
  const tables = [0, 1, 2, 3].map((works) => dayTables(spans, (works & 1) !== 0, (works & 2) !== 0));
  let last = { day: Number.NaN, table: tables[0]! };
  const tableOf = (day: number) => {
    if (day !== last.day) last = { day, table: tables[(isWorkday(day) ? 1 : 0) + (isWorkday(day - 1) ? 2 : 0)]! };
    return last.table;
  };
  const dayOf = (minute: number) => Math.floor(minute / MINUTES_PER_DAY);
  return {
    into: (minute) => tableOf(dayOf(minute)).into[minute - dayOf(minute) * MINUTES_PER_DAY]!,
    left: (minute) => tableOf(dayOf(minute)).left[minute - dayOf(minute) * MINUTES_PER_DAY]!,
  };
}

function dayTables(spans: readonly TimeSpan[], today: boolean, yesterday: boolean) {
  const into = new Int16Array(MINUTES_PER_DAY).fill(-1);
  const left = new Int16Array(MINUTES_PER_DAY);
  const begun = [...(today ? [0] : []), ...(yesterday ? [-MINUTES_PER_DAY] : [])];
  for (const midnight of begun) {
    for (const { from, to } of spans) {
      for (let at = Math.max(0, from + midnight); at < Math.min(MINUTES_PER_DAY, to + midnight); at++) {
        if (into[at] !== -1) continue;
        into[at] = at - from - midnight;
        left[at] = to + midnight - at;
      }
    }
  }
  return { into, left };
}

function invalid(place: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: ${message}`, {
    hint: "Correct the day or time in the simulation file.",
    context: { place },
  });
}
