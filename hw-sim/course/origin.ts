import { KhuXanhError } from "../../core/errors.ts";
import { zoneOffset_ms } from "../../core/interval/calendar.ts";

/** 2018-01-01T00:00 in the zone's local time: a Monday, the first interval of the steel profile, and slot 0. */
export function originOf(timeZone: string): number {
  return localMidnight("2018-01-01", timeZone);
}

/**
 * Local midnight of a day written `YYYY-MM-DD`.
 * @throws {KhuXanhError} CONFIG_INVALID for no such day or zone, a day before 2018, or a zone that changed its offset
 * since 2018: slots of 15 minutes count through without holes.
 */
export function localMidnight(day: string, timeZone: string): number {
  const utc_ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(utc_ms) || utc_ms < Date.UTC(2018, 0, 1)) {
    throw new KhuXanhError("CONFIG_INVALID", `"${day}" is not a day a simulated meter can start on`, {
      hint: "Write a day as YYYY-MM-DD, 2018-01-01 or later.",
    });
  }
  return utc_ms - fixedOffset_ms(timeZone);
}

function fixedOffset_ms(timeZone: string): number {
  let offsets: Set<number>;
  try {
    offsets = new Set(
      Array.from({ length: 12 * 10 }, (_, month) => zoneOffset_ms(timeZone, Date.UTC(2018, month, 15))),
    );
  } catch (cause) {
    throw new KhuXanhError("CONFIG_INVALID", `time zone "${timeZone}" is not known`, {
      hint: "Use an IANA name such as Asia/Ho_Chi_Minh.",
      cause,
    });
  }
  if (offsets.size !== 1) {
    throw new KhuXanhError("CONFIG_INVALID", `time zone "${timeZone}" changes its offset from UTC`, {
      hint: "Simulated meters need a zone without daylight saving, such as Asia/Ho_Chi_Minh.",
    });
  }
  return [...offsets][0]!;
}
