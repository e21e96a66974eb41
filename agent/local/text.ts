import { localParts } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";

/** What a person reads, in both languages of the page; the browser picks one, so switching asks nobody. */
export interface Text {
  readonly vi: string;
  readonly en: string;
}

export function both(vi: string, en: string): Text {
  return { vi, en };
}

/** Sentences one after the other. */
export function sentences(...parts: readonly Text[]): Text {
  return both(parts.map(({ vi }) => vi).join(" "), parts.map(({ en }) => en).join(" "));
}

/** Keeps a number and its unit on one line. */
const FIXED = "\u00a0";

/** "32 s", "4 phút", "3 giờ 5 phút", "2 ngày". Never negative; a part of a second counts as a whole one. */
export function durationText(duration_ms: number): Text {
  const seconds = Math.max(0, Math.ceil(duration_ms / 1000));
  if (seconds < 120) return both(`${seconds}${FIXED}s`, `${seconds}${FIXED}s`);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return both(`${minutes}${FIXED}phút`, `${minutes}${FIXED}min`);
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return both(`${Math.floor(hours / 24)}${FIXED}ngày`, `${Math.floor(hours / 24)}${FIXED}days`);
  const rest = minutes % 60;
  return rest === 0
    ? both(`${hours}${FIXED}giờ`, `${hours}${FIXED}h`)
    : both(`${hours}${FIXED}giờ ${rest}${FIXED}phút`, `${hours}${FIXED}h ${rest}${FIXED}min`);
}

/** "10:42" on the zone's clock; with the day when that is not the day of `now_ms`. */
export function clockText(at_ms: EpochMs, now_ms: EpochMs, timeZone: string): Text {
  const at = localParts(timeZone, at_ms);
  const now = localParts(timeZone, now_ms);
  const time = `${two(at.hour)}:${two(at.minute)}`;
  if (at.year === now.year && at.month === now.month && at.day === now.day) return both(time, time);
  return both(`${time} ngày ${two(at.day)}/${two(at.month)}`, `${time} on ${two(at.day)}/${two(at.month)}`);
}

/** A limit of a range as people say it: vi "0,9", en "0.9"; thousands in groups. */
export function numberText(value: number): Text {
  const options = { maximumFractionDigits: 3 };
  return both(value.toLocaleString("vi-VN", options), value.toLocaleString("en-GB", options));
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
