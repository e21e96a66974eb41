import type { Cancel, Clock, Log, Random, Timers } from "../../core/ports.ts";

/** Time that the test moves: clock and timers of one stage, nothing else runs. */
export class Stage implements Timers {
  now_ms = Date.UTC(2026, 10, 2, 1);
  readonly #due = new Set<{ at_ms: number; readonly every_ms: number | null; readonly run: () => void }>();
  readonly clock: Clock = { now_ms: () => this.now_ms, mono_ms: () => this.now_ms };
  #drawn = 0;
  readonly random: Random = {
    unit: () => 0.5,
    hex: (bytes) => (++this.#drawn).toString(16).padStart(2 * bytes, "0"),
  };
  readonly log: Log = { debug() {}, info() {}, warn() {}, error() {} };

  after(delay_ms: number, run: () => void): Cancel {
    return this.#add({ at_ms: this.now_ms + delay_ms, every_ms: null, run });
  }

  every(period_ms: number, run: () => void): Cancel {
    return this.#add({ at_ms: this.now_ms + period_ms, every_ms: period_ms, run });
  }

  /** Lets the time pass and everybody answer. */
  async pass(ms: number): Promise<void> {
    const until_ms = this.now_ms + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#due].filter(({ at_ms }) => at_ms <= until_ms).sort((a, b) => a.at_ms - b.at_ms);
      if (next === undefined) break;
      this.now_ms = Math.max(this.now_ms, next.at_ms);
      if (next.every_ms === null) this.#due.delete(next);
      else next.at_ms += next.every_ms;
      next.run();
      await settle();
    }
    this.now_ms = until_ms;
  }

  #add(one: { at_ms: number; readonly every_ms: number | null; readonly run: () => void }): Cancel {
    this.#due.add(one);
    return () => void this.#due.delete(one);
  }
}

/** Promises that wait for nothing but each other are through. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
