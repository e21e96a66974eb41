import { instantOfLocal, localParts, type Step, stepStart, zoneOffset_ms } from "../../core/interval/calendar.ts";

/**
 * The period a page looks at. Whole local days of the zone, half-open; a running period reaches to its calendar end, so
 * that the axis shows what is still to come.
 */
export type PeriodChoice =
  | { readonly kind: "today" | "week" | "month" | "year" }
  | { readonly kind: "custom"; readonly from: string; readonly to: string };

export interface Range {
  readonly from_ms: number;
  readonly to_ms: number;
}

export const DAY_MS = 86_400_000;
export const QUARTER_MS = 900_000;
/** A custom period longer than this is cut: the API answers at most 40 000 steps, and nobody compares ten years by eye. */
export const CUSTOM_DAYS_MAX = 3660;

/** Whether a text like "2026-11-22" names a day that the calendar has. */
export function isLocalDay(text: string): boolean {
  const at_ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return Number.isFinite(at_ms) && new Date(at_ms).toISOString().startsWith(text);
}

function localDay_ms(text: string, timeZone: string, plusDays = 0): number {
  const [year = 1970, month = 1, day = 1] = text.split("-").map(Number);
  return instantOfLocal(timeZone, year, month, day + plusDays);
}

/** "2026-11-22" of the zone's calendar, as date inputs want it. */
export function localDayOf(at_ms: number, timeZone: string): string {
  const { year, month, day } = localParts(timeZone, at_ms);
  return `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}

export function rangeOf(choice: PeriodChoice, now_ms: number, timeZone: string): Range {
  const { year, month, day } = localParts(timeZone, now_ms);
  switch (choice.kind) {
    case "today":
      return {
        from_ms: instantOfLocal(timeZone, year, month, day),
        to_ms: instantOfLocal(timeZone, year, month, day + 1),
      };
    case "week":
      return {
        from_ms: instantOfLocal(timeZone, year, month, day - 6),
        to_ms: instantOfLocal(timeZone, year, month, day + 1),
      };
    case "month":
      return { from_ms: instantOfLocal(timeZone, year, month, 1), to_ms: instantOfLocal(timeZone, year, month + 1, 1) };
    case "year":
      return { from_ms: instantOfLocal(timeZone, year, 1, 1), to_ms: instantOfLocal(timeZone, year + 1, 1, 1) };
    case "custom": {
      const [first, last] = choice.from <= choice.to ? [choice.from, choice.to] : [choice.to, choice.from];
      const from_ms = localDay_ms(first, timeZone);
      return { from_ms, to_ms: Math.min(localDay_ms(last, timeZone, 1), from_ms + CUSTOM_DAYS_MAX * DAY_MS) };
    }
  }
}

/** The part of the period that has passed, to the last full quarter of an hour. */
export function elapsedOf(range: Range, now_ms: number): Range {
  const passed_ms = Math.floor(now_ms / QUARTER_MS) * QUARTER_MS;
  return { from_ms: range.from_ms, to_ms: Math.max(range.from_ms, Math.min(range.to_ms, passed_ms)) };
}

/** What the API compares with: the period of the same length before, up to the same elapsed time. */
export function previousOf(range: Range, now_ms: number): Range {
  const length_ms = range.to_ms - range.from_ms;
  const elapsed = elapsedOf(range, now_ms);
  return { from_ms: range.from_ms - length_ms, to_ms: elapsed.to_ms - length_ms };
}

const days = (range: Range): number => (range.to_ms - range.from_ms) / DAY_MS;

/** Bars of the emission charts. */
export function barStep(range: Range): Step {
  if (days(range) <= 2.1) return "hour";
  return days(range) <= 100 ? "day" : "month";
}

/** Points of the load curve: every interval up to about 45 days, then coarser, so that at most some 10 000 travel. */
export function loadStep(range: Range): Step {
  if (days(range) <= 46) return "15min";
  return days(range) <= 400 ? "hour" : "day";
}

/** ISO 8601 with the zone's offset, as the API takes it. */
export function isoLocal(at_ms: number, timeZone: string): string {
  const offset_ms = zoneOffset_ms(timeZone, at_ms);
  const minutes = Math.abs(Math.round(offset_ms / 60_000));
  const sign = offset_ms < 0 ? "-" : "+";
  const two = (value: number): string => String(value).padStart(2, "0");
  const local = new Date(at_ms + offset_ms).toISOString().slice(0, 19);
  return `${local}${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Local midnight to midnight around now. */
export function todayOf(now_ms: number, timeZone: string): Range {
  const from_ms = stepStart(now_ms, "day", timeZone);
  return rangeOf({ kind: "today" }, from_ms, timeZone);
}
