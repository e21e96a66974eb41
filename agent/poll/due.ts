import { intervalStart } from "../../core/interval/calendar.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { BlockRead } from "../../drivers/modbus/planner.ts";

/** Counters polled at least this often are read soon enough after the end of an interval anyway. */
const BOUNDARY_WINDOW_MS = 1000;

/** A counter, or what one is scaled with. */
export function holdsCounter({ registers }: BlockRead): boolean {
  return registers.some(({ kind }) => kind === "counter" || kind === "scale_exponent");
}

/** When a group falls due next: multiples of its period on the wall clock; counters at the end of their interval, too. */
export function nextDue_ms(
  at_ms: EpochMs,
  every_ms: number,
  account: Pick<DeviceDefinition, "interval_ms" | "time_zone"> | null,
): EpochMs {
  const aligned_ms = Math.floor(at_ms / every_ms) * every_ms + every_ms;
  if (account === null || every_ms <= BOUNDARY_WINDOW_MS) return aligned_ms;
  const boundary_ms = intervalStart(at_ms, account.interval_ms, account.time_zone) + account.interval_ms;
  return Math.min(aligned_ms, boundary_ms);
}

/** A due time further off than a period was set before the clock went back: it has no meaning any more. */
export function isDue(due_ms: EpochMs, every_ms: number, at_ms: EpochMs): boolean {
  return due_ms <= at_ms || due_ms - at_ms > every_ms;
}
