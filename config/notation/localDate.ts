import { VIET_NAM_OFFSET_MS } from "../../core/interval/vietNam.ts";
import { type Parsed, parsed, wrong } from "./parsed.ts";

/** `2023-01-01` → the instant that day begins in Viet Nam, ms UTC. */
export function parseLocalDate(text: string): Parsed<number> {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (match === null) return wrong(`"${text}" is not a date (allowed: year-month-day, e.g. 2023-01-01)`);
  const utc_ms = Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  if (new Date(utc_ms).toISOString().slice(0, 10) !== text) return wrong(`"${text}" is no day of the calendar`);
  return parsed(utc_ms - VIET_NAM_OFFSET_MS);
}
