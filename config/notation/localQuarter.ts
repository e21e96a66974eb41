import { parseLocalDate } from "./localDate.ts";
import { type Parsed, parsed, wrong } from "./parsed.ts";

/** `2026-11-03T08:15` or `2026-11-03` → the instant in Viet Nam, ms UTC. Quarters only: the books are kept in them. */
export function parseLocalQuarter(text: string): Parsed<number> {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2}))?$/.exec(text);
  const [, day = "", hour = "00", minute = "00"] = match ?? [];
  const date = parseLocalDate(day);
  if (match === null || !date.ok) {
    return wrong(`"${text}" is no time (allowed: year-month-dayThour:minute, e.g. 2026-11-03T08:15)`);
  }
  if (Number(hour) > 23 || Number(minute) % 15 !== 0 || Number(minute) > 45) {
    return wrong(`"${text}" is no quarter of an hour (allowed: minutes 00, 15, 30, 45)`);
  }
  return parsed(date.value + (Number(hour) * 60 + Number(minute)) * 60_000);
}
