import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { uptime } from "node:os";
import type { Clock, Random, Timers } from "../../core/ports.ts";

/** The machine's own clock, timers and randomness: what production wires into the ports. */
export const systemClock: Clock = {
  now_ms: () => Date.now(),
  mono_ms: () => performance.now(),
};

export const systemTimers: Timers = {
  after(delay_ms, run) {
    const timer = setTimeout(run, delay_ms);
    return () => clearTimeout(timer);
  },
  every(period_ms, run) {
    const timer = setInterval(run, period_ms);
    return () => clearInterval(timer);
  },
};

const TIMESYNC = "/run/systemd/timesync";
/** A machine that has been up for longer and was not set has no time server; then its own clock is all there is. */
const NO_SERVER_S = 600;

/** Whether systemd's time service has set the clock since the machine started; null where nobody says. */
export function isClockSynchronised(): boolean | null {
  if (!existsSync(TIMESYNC)) return null;
  if (existsSync(`${TIMESYNC}/synchronized`)) return true;
  return uptime() > NO_SERVER_S ? null : false;
}

export const systemRandom: Random = {
  unit: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString("hex"),
};
