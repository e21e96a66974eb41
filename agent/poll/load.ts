/** How busy a line was over the last window, on the monotonic clock. */
export class BusLoad {
  #windowFrom_ms: number | null = null;
  #busy_ms = 0;
  #last_pct: number | null = null;

  /** An exchange took the line from `from_ms` to `to_ms`. */
  used(from_ms: number, to_ms: number): void {
    this.#turn(from_ms);
    this.#busy_ms += to_ms - from_ms;
  }

  /** Share of the last whole window, or of the current one before there is one. */
  load_pct(now_ms: number): number {
    this.#turn(now_ms);
    return this.#last_pct ?? this.#share_pct(now_ms);
  }

  #turn(now_ms: number): void {
    this.#windowFrom_ms ??= now_ms;
    const length_ms = now_ms - this.#windowFrom_ms;
    if (length_ms < WINDOW_MS) return;
    this.#last_pct = length_ms < 2 * WINDOW_MS ? this.#share_pct(now_ms) : 0;
    this.#windowFrom_ms = now_ms;
    this.#busy_ms = 0;
  }

  #share_pct(now_ms: number): number {
    const length_ms = now_ms - (this.#windowFrom_ms ?? now_ms);
    return length_ms <= 0 ? 0 : Math.min(100, Math.round((1000 * this.#busy_ms) / length_ms) / 10);
  }
}

const WINDOW_MS = 10_000;

/** Smoothed duration: the last ten or so exchanges. */
export function smoothed(before_ms: number | null | undefined, took_ms: number): number {
  return before_ms == null ? took_ms : before_ms + (took_ms - before_ms) * 0.2;
}
