import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { uptime } from "node:os";
import type { ClockSetBy } from "../../config/files/agent.ts";
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

/** Whether the clock was set since the machine started, by the one who is to say so; null where nobody says. */
export function isClockSynchronised(setBy: ClockSetBy): boolean | null {
  if (setBy.kind === "nobody") return null;
  if (setBy.kind === "file") return existsSync(setBy.file);
  if (!existsSync(TIMESYNC)) return null;
  if (existsSync(`${TIMESYNC}/synchronized`)) return true;
  return uptime() > NO_SERVER_S ? null : false;
}

export const systemRandom: Random = {
  unit: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString("hex"),
};
