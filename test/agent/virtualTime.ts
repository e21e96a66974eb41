import type { Timers } from "../../core/ports.ts";
import { Scheduler } from "../../hw-sim/world/scheduler.ts";
import { settling } from "../sim/settle.ts";

/** Virtual time for a gateway and its buses: its timers, and what exchanges wait for, let go when a bus is closed. */
export function virtualTime() {
  const scheduler = new Scheduler(settling());
  const timers: Timers = { after: (delay_ms, run) => scheduler.after(delay_ms, run), every: () => () => {} };
  const waiting = new Set<() => void>();
  const wait = (length_ms: number) =>
    new Promise<void>((resolve) => {
      waiting.add(resolve);
      scheduler.after(length_ms, () => {
        waiting.delete(resolve);
        resolve();
      });
    });
  const close = async () => {
    for (const resolve of waiting) resolve();
  };
  return { scheduler, timers, wait, close };
}
