import { intervalStart } from "../../core/interval/calendar.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { BlockRead } from "../../drivers/modbus/planner.ts";

/** Counters polled at least this often are read soon enough after the end of an interval anyway. */
const BOUNDARY_WINDOW_MS = 1000;

type Account = Pick<DeviceDefinition, "interval_ms" | "time_zone">;

/** A counter, or what one is scaled with. */
export function holdsCounter({ registers }: BlockRead): boolean {
  return registers.some(({ kind }) => kind === "counter" || kind === "scale_exponent");
}

/** Start of the accounting interval that holds `at_ms`. */
export function boundaryBefore(at_ms: EpochMs, { interval_ms, time_zone }: Account): EpochMs {
  const isKnown =
    at_ms >= known.from_ms && at_ms < known.to_ms && interval_ms === known.interval_ms && time_zone === known.time_zone;
  if (!isKnown) {
    const start_ms = intervalStart(at_ms, interval_ms, time_zone);
    const quarter_ms = Math.floor(at_ms / QUARTER_MS) * QUARTER_MS;
    const [from_ms, to_ms] = [
      Math.max(start_ms, quarter_ms),
      Math.min(start_ms + interval_ms, quarter_ms + QUARTER_MS),
    ];
    known = { interval_ms, time_zone, start_ms, from_ms, to_ms };
  }
  return known.start_ms;
}

/** All meters ask about the same interval, twice a poll. Offsets of zones change on quarters of an hour. */
const QUARTER_MS = 900_000;
let known = { interval_ms: 0, time_zone: "", start_ms: 0, from_ms: 0, to_ms: 0 };

/** When a group falls due next: multiples of its period on the wall clock; counters at the end of their interval, too. */
export function nextDue_ms(at_ms: EpochMs, every_ms: number, account: Account | null): EpochMs {
  const aligned_ms = Math.floor(at_ms / every_ms) * every_ms + every_ms;
  if (account === null || every_ms <= BOUNDARY_WINDOW_MS) return aligned_ms;
  return Math.min(aligned_ms, boundaryBefore(at_ms, account) + account.interval_ms);
}

/** A due time further off than a period was set before the clock went back: it has no meaning any more. */
export function isDue(due_ms: EpochMs, every_ms: number, at_ms: EpochMs): boolean {
  return due_ms <= at_ms || due_ms - at_ms > every_ms;
}
