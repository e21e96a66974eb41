import { instantOfLocal, localParts, zoneOffset_ms } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";

/** Instants beyond it have no calendar: ECMA-262 §21.4.1.1, less a day for the time zone. */
export const DATE_MAX_MS = 8.64e15 - 86_400_000;

const two = (value: number): string => String(value).padStart(2, "0");

/** `2026-11-01T00:00:00+07:00`, local time of the zone; with milliseconds when there are any. */
export function isoIn(timeZone: string, at_ms: EpochMs): string {
  const whole_ms = Math.round(at_ms);
  const offset_min = offsetOf_min(timeZone, whole_ms);
  const local = new Date(whole_ms + offset_min * 60_000).toISOString();
  const sign = offset_min < 0 ? "-" : "+";
  const size = Math.abs(offset_min);
  const text = local.endsWith(".000Z") ? local.slice(0, 19) : local.slice(0, 23);
  return `${text}${sign}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/**
 * Zones change their clocks at quarter hours only, so one look at the zone's data serves a quarter of an hour. An answer
 * over a year asks for the same few thousand again and again.
 */
const OFFSETS_MAX = 50_000;
const offsets_min = new Map<string, Map<number, number>>();

function offsetOf_min(timeZone: string, at_ms: EpochMs): number {
  let ofZone = offsets_min.get(timeZone);
  if (ofZone === undefined) offsets_min.set(timeZone, (ofZone = new Map()));
  const quarter = Math.floor(at_ms / 900_000);
  let offset_min = ofZone.get(quarter);
  if (offset_min === undefined) {
    if (ofZone.size >= OFFSETS_MAX) ofZone.clear();
    offset_min = Math.round(zoneOffset_ms(timeZone, at_ms) / 60_000);
    ofZone.set(quarter, offset_min);
  }
  return offset_min;
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const INSTANT = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * An instant as people write it: ISO 8601 with offset, or a local date meaning the zone's midnight. Null for anything else,
 * also for a day that no calendar has.
 */
export function parseInstant(text: string, timeZone: string): EpochMs | null {
  const date = DATE.exec(text);
  if (date !== null) {
    if (!isCalendarDay(text)) return null;
    return instantOfLocal(timeZone, Number(date[1]), Number(date[2]), Number(date[3]));
  }
  // An unescaped plus in an address arrives as a blank; nothing else can be meant.
  const written = text.replace(/ (\d{2}:\d{2})$/, "+$1");
  const instant = INSTANT.exec(written);
  if (instant === null || !isCalendarDay(instant[1]!)) return null;
  const at_ms = Date.parse(written);
  return Number.isFinite(at_ms) ? at_ms : null;
}

function isCalendarDay(day: string): boolean {
  const at_ms = Date.parse(`${day}T00:00:00Z`);
  return Number.isFinite(at_ms) && new Date(at_ms).toISOString().startsWith(day);
}

/** `2026-11-01`, the zone's date. */
export function localDateOf(timeZone: string, at_ms: EpochMs): string {
  const { year, month, day } = localParts(timeZone, at_ms);
  return `${year}-${two(month)}-${two(day)}`;
}
