import { type Parsed, parsed, wrong } from "./parsed.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Spellings people bring from elsewhere, and the one we use. */
const USUAL: Readonly<Record<string, string>> = {
  msec: "ms",
  millisecond: "ms",
  milliseconds: "ms",
  sec: "s",
  secs: "s",
  second: "s",
  seconds: "s",
  m: "min",
  mins: "min",
  minute: "min",
  minutes: "min",
  hr: "h",
  hrs: "h",
  hour: "h",
  hours: "h",
  day: "d",
  days: "d",
};

/** Ten years: longer is a slip of the keyboard. */
const LONGEST_MS = 3650 * 86_400_000;

/** `500ms`, `1s`, `15min`, `1.5h`, `60d` → milliseconds, a whole number above 0. */
export function parseDuration(text: string): Parsed<number> {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  const allowed = "allowed: a number and ms, s, min, h or d";
  if (match === null) return wrong(`"${text}" is not a duration (${allowed})`);
  const [, amount = "", unit = ""] = match;
  const unit_ms = Object.hasOwn(UNIT_MS, unit) ? UNIT_MS[unit] : undefined;
  if (unit_ms === undefined) {
    const known =
      USUAL[unit.toLowerCase()] ?? (Object.hasOwn(UNIT_MS, unit.toLowerCase()) ? unit.toLowerCase() : undefined);
    if (unit === "") return wrong(`"${text}" has no unit of time (${allowed})`);
    return wrong(
      `"${text}" is not a duration (${allowed}${known === undefined ? "" : `; did you mean ${amount}${known}?`})`,
    );
  }
  // Through a rounding, so that 1.1s is 1100 and not 1100.0000000000002.
  const duration_ms = Math.round(Number(amount) * unit_ms * 1000) / 1000;
  if (!Number.isInteger(duration_ms)) return wrong(`"${text}" is finer than a millisecond`);
  if (duration_ms <= 0) return wrong(`"${text}" must be longer than 0`);
  if (duration_ms > LONGEST_MS) return wrong(`"${text}" is longer than 3650d`);
  return parsed(duration_ms);
}

/** Shortest notation of a duration, for messages: 900000 → `15min`. */
export function formatDuration(duration_ms: number): string {
  for (const unit of ["d", "h", "min", "s"]) {
    const unit_ms = UNIT_MS[unit]!;
    if (duration_ms >= unit_ms && duration_ms % unit_ms === 0) return `${duration_ms / unit_ms}${unit}`;
  }
  return `${duration_ms}ms`;
}
