import type { Clock, Timers } from "../../core/ports.ts";

/** A clock and its timers, moved by the test. */
export interface VirtualTime {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Runs what falls due, in order, and stands at the end. Promises settle in between. */
  pass(duration_ms: number): Promise<void>;
}

export function virtualTime(start_ms: number): VirtualTime {
  let now_ms = start_ms;
  const due: { at_ms: number; run: () => void }[] = [];
  const after = (delay_ms: number, run: () => void) => {
    const entry = { at_ms: now_ms + delay_ms, run };
    due.push(entry);
    return () => {
      const place = due.indexOf(entry);
      if (place >= 0) due.splice(place, 1);
    };
  };
  return {
    clock: { now_ms: () => now_ms, mono_ms: () => now_ms - start_ms },
    timers: {
      after,
      every: () => {
        throw new Error("not needed here");
      },
    },
    async pass(duration_ms) {
      const end_ms = now_ms + duration_ms;
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        due.sort((a, b) => a.at_ms - b.at_ms);
        const next = due[0];
        if (next === undefined || next.at_ms > end_ms) break;
        due.shift();
        now_ms = Math.max(now_ms, next.at_ms);
        next.run();
      }
      now_ms = end_ms;
    },
  };
}
