import { randomBytes } from "node:crypto";
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

export const systemRandom: Random = {
  unit: () => Math.random(),
  hex: (bytes) => randomBytes(bytes).toString("hex"),
};
