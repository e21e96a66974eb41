import type { Cancel } from "../../core/ports.ts";

/**
 * Virtual time: a queue of events, taken in the order of their time and, at the same instant, of their making. Between two
 * events every promise reaction is done, so that code written with `await` runs in one order only.
 *
 * Units   ms since the beginning of the world; fractions are allowed.
 * Limits  a million events at one instant, each of which may have made the next, end the run: time would not go on.
 */
export class Scheduler {
  readonly #settle: Settle;
  readonly #heap: Event[] = [];
  #made = 0;
  #taken = 0;
  #now_ms = 0;
  /** Events taken since time last moved on. */
  #atOnce = 0;
  #isStopped = false;

  /** @param settle how this machine runs promise reactions dry; the caller's, for it needs the machine's event loop */
  constructor(settle: Settle) {
    this.#settle = settle;
  }

  get now_ms(): number {
    return this.#now_ms;
  }

  /** Events taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** @param owner who the event belongs to; null = the world itself */
  at(time_ms: number, run: () => void, owner: Owner | null = null): Cancel {
    const event: Event = { at_ms: Math.max(time_ms, this.#now_ms), order: this.#made++, run, owner };
    this.#push(event);
    return () => {
      event.run = null;
    };
  }

  after(delay_ms: number, run: () => void, owner: Owner | null = null): Cancel {
    return this.at(this.#now_ms + Math.max(0, delay_ms), run, owner);
  }

  /** Ends the run after the event that calls it. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Takes events until the time is reached, nothing is left, or somebody stops it. Rejects with what an event throws: in
   * production that would have ended the process.
   */
  run(until_ms: number): Promise<void> {
    this.#isStopped = false;
    return new Promise((resolve, reject) => {
      const step = (): void => {
        const event = this.#isStopped ? undefined : this.#next(until_ms);
        if (event === undefined) {
          if (!this.#isStopped) this.#now_ms = Math.max(this.#now_ms, until_ms);
          resolve();
          return;
        }
        this.#atOnce = event.at_ms > this.#now_ms ? 0 : this.#atOnce + 1;
        this.#now_ms = event.at_ms;
        this.#taken += 1;
        if (this.#atOnce > AT_ONCE_MAX) {
          reject(new Error(`time stands still: ${AT_ONCE_MAX} events at ${this.#now_ms} ms`));
          return;
        }
        try {
          if (event.owner === null) event.run!();
          else event.owner.live(event.run!);
        } catch (error) {
          reject(error);
          return;
        }
        this.#settle(step);
      };
      this.#settle(step);
    });
  }

  #next(until_ms: number): Event | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.at_ms > until_ms) return undefined;
      this.#pop();
      if (first.run !== null && first.owner?.isAlive !== false) return first;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

const AT_ONCE_MAX = 1_000_000;

/** Calls `next` once no promise reaction is left to run. */
export type Settle = (next: () => void) => void;

/** What an event happens to: it comes no more when its owner is gone. */
export interface Owner {
  readonly isAlive: boolean;
  live(run: () => void): void;
}

interface Event {
  readonly at_ms: number;
  readonly order: number;
  /** null = cancelled. */
  run: (() => void) | null;
  readonly owner: Owner | null;
}

function isBefore(a: Event, b: Event): boolean {
  return a.at_ms < b.at_ms || (a.at_ms === b.at_ms && a.order < b.order);
}
