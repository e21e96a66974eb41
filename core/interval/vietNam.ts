import type { EpochMs } from "../reading/reading.ts";

/** Viet Nam is at UTC+7 all year, without daylight saving, since 1975: days of laws, factors and calculation files. */
export const VIET_NAM_OFFSET_MS = 7 * 3_600_000;

/** The day there, `2023-01-01`. */
export function vietNamDay(at_ms: EpochMs): string {
  return new Date(at_ms + VIET_NAM_OFFSET_MS).toISOString().slice(0, 10);
}
