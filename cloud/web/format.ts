import { localParts, zoneOffset_ms } from "../../core/interval/calendar.ts";
import { energy_Wh, isEnergy, isMass, type Lang, mass_kg, unitText } from "./units.ts";

/**
 * Numbers, units and times as a person reads them: vi-VN or English digits, the zone's time zone, a dash for unknown.
 * Everything here is pure; instants are `*_ms`, UTC epoch.
 */
export interface Shown {
  readonly number: string;
  readonly unit: string;
}

export const UNKNOWN = "–";
const NARROW_GAP = "\u00a0";
const LOCALES: Readonly<Record<Lang, string>> = { vi: "vi-VN", en: "en-GB" };

const numberFormats = new Map<string, Intl.NumberFormat>();

export function numberText(value: number | null, digits: number, lang: Lang): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  const key = `${lang}${digits}`;
  let format = numberFormats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(LOCALES[lang], { minimumFractionDigits: digits, maximumFractionDigits: digits });
    numberFormats.set(key, format);
  }
  const rounded = Number(value.toFixed(digits));
  const text = format.format(Math.abs(rounded));
  return rounded < 0 ? `−${NARROW_GAP}${text}` : text;
}

/** Decimals that keep at least three significant figures, at most `most`. */
export function digitsFor(value: number | null, most = 3): number {
  const size = Math.abs(value ?? 0);
  if (size >= 1000) return Math.min(most, 1);
  if (size >= 100) return Math.min(most, 1);
  if (size >= 10) return Math.min(most, 2);
  return Math.min(most, 3);
}

export function percentText(value_pct: number | null, lang: Lang, digits = 1): string {
  if (value_pct === null) return UNKNOWN;
  return `${numberText(value_pct, digits, lang)}${lang === "vi" ? NARROW_GAP : ""}%`;
}

/** Coverage never rounds up to a hundred: 99.97 % measured is not all of it. */
export function coverageText(value_pct: number | null, lang: Lang): string {
  if (value_pct === null) return UNKNOWN;
  const cut = value_pct >= 100 ? 100 : Math.floor(value_pct * 10) / 10;
  return percentText(cut, lang, value_pct >= 100 ? 0 : 1);
}

export function changeText(value_pct: number | null, lang: Lang): string {
  if (value_pct === null) return UNKNOWN;
  const text = percentText(Math.abs(value_pct), lang);
  if (Number(value_pct.toFixed(1)) === 0) return text;
  return `${value_pct < 0 ? "−" : "+"}${NARROW_GAP}${text}`;
}

/** Tonnes of CO₂e, whatever unit of mass the figure came in. */
export function tonnesShown(value: number | null, ucum: string, lang: Lang): Shown {
  const kg = mass_kg(value, ucum);
  const t = kg === null ? null : kg / 1000;
  return { number: numberText(t, t !== null && Math.abs(t) < 10 ? 2 : 1, lang), unit: "t CO₂e" };
}

/** Power in the unit that keeps the number short: W, kW or MW. */
export function powerShown(power_W: number | null, lang: Lang): Shown {
  if (power_W === null) return { number: UNKNOWN, unit: "kW" };
  const size = Math.abs(power_W);
  if (size >= 1e6) return { number: numberText(power_W / 1e6, 2, lang), unit: "MW" };
  if (size >= 1e4) return { number: numberText(power_W / 1e3, 0, lang), unit: "kW" };
  return { number: numberText(power_W / 1e3, 1, lang), unit: "kW" };
}

/** Energy in kWh, MWh or GWh by size. */
export function energyShown(energy: number | null, lang: Lang): Shown {
  if (energy === null) return { number: UNKNOWN, unit: "MWh" };
  const size = Math.abs(energy);
  if (size >= 1e10) return { number: numberText(energy / 1e9, 2, lang), unit: "GWh" };
  if (size >= 1e6) return { number: numberText(energy / 1e6, digitsFor(energy / 1e6, 2), lang), unit: "MWh" };
  return { number: numberText(energy / 1e3, size >= 1e5 ? 0 : 1, lang), unit: "kWh" };
}

/** Any figure of the API: masses as tonnes, energies by size, the rest with its own unit. */
export function amountShown(value: number | null, ucum: string, lang: Lang): Shown {
  if (isMass(ucum)) return tonnesShown(value, ucum, lang);
  if (isEnergy(ucum)) return energyShown(energy_Wh(value, ucum), lang);
  const digits = value !== null && Math.abs(value) >= 1000 ? 0 : digitsFor(value, 1);
  return { number: numberText(value, digits, lang), unit: unitText(ucum, lang) };
}

/** A live reading: power in kW, cos φ with two decimals, voltages with one. */
export function readingShown(value: number | null, ucum: string, lang: Lang): Shown {
  if (ucum === "W") return powerShown(value, lang);
  if (ucum === "1" || ucum === "") return { number: numberText(value, 2, lang), unit: "" };
  return { number: numberText(value, digitsFor(value, ucum === "kW.h" ? 1 : 2), lang), unit: unitText(ucum, lang) };
}

// ---- time -----------------------------------------------------------------------------------------------------------

const two = (value: number): string => String(value).padStart(2, "0");
const MONTHS_EN = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

export function dayText(at_ms: number, timeZone: string, lang: Lang, withYear = true): string {
  const { day, month, year } = localParts(timeZone, at_ms);
  if (lang === "vi") return `${two(day)}/${two(month)}${withYear ? `/${year}` : ""}`;
  return `${day} ${MONTHS_EN[month - 1]}${withYear ? ` ${year}` : ""}`;
}

export function timeText(at_ms: number, timeZone: string, withSeconds = false): string {
  const { hour, minute, second } = localParts(timeZone, at_ms);
  return `${two(hour)}:${two(minute)}${withSeconds ? `:${two(second)}` : ""}`;
}

export function dayTimeText(at_ms: number, timeZone: string, lang: Lang): string {
  return `${dayText(at_ms, timeZone, lang, false)} ${timeText(at_ms, timeZone)}`;
}

export function monthText(at_ms: number, timeZone: string, lang: Lang): string {
  const { month, year } = localParts(timeZone, at_ms);
  return lang === "vi" ? `${two(month)}/${year}` : `${MONTHS_EN[month - 1]} ${year}`;
}

/** "01/11 – 22/11/2026" of a half-open period; one day is one date. */
export function rangeText(from_ms: number, to_ms: number, timeZone: string, lang: Lang): string {
  const last_ms = Math.max(from_ms, to_ms - 1);
  const first = dayText(from_ms, timeZone, lang);
  const last = dayText(last_ms, timeZone, lang);
  if (first === last) return last;
  const sameYear = localParts(timeZone, from_ms).year === localParts(timeZone, last_ms).year;
  return `${dayText(from_ms, timeZone, lang, !sameYear)} – ${last}`;
}

/** "UTC+7" as in force at that instant. */
export function offsetText(timeZone: string, at_ms: number): string {
  const minutes = Math.round(zoneOffset_ms(timeZone, at_ms) / 60_000);
  const hours = Math.trunc(Math.abs(minutes) / 60);
  const rest = Math.abs(minutes) % 60;
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest === 0 ? "" : `:${two(rest)}`}`;
}

const AGE_WORDS = {
  vi: { s: "giây", m: "phút", h: "giờ", d: "ngày" },
  en: { s: "s", m: "min", h: "h", d: "d" },
} as const;

/** How long: "2 giây", "3 phút", "5 giờ 12 phút", "4 ngày". Never negative: clocks differ a little. */
export function durationText(duration_ms: number, lang: Lang): string {
  const words = AGE_WORDS[lang];
  const seconds = Math.max(0, Math.floor(duration_ms / 1000));
  if (seconds < 60) return `${seconds} ${words.s}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} ${words.m}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} ${words.h}` : `${hours} ${words.h} ${minutes % 60} ${words.m}`;
  return `${Math.floor(hours / 24)} ${words.d}`;
}

export function agoText(age_ms: number, lang: Lang): string {
  return lang === "vi" ? `${durationText(age_ms, lang)} trước` : `${durationText(age_ms, lang)} ago`;
}
