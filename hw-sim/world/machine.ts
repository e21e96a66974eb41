import type { Cancel, Clock, Random, Timers } from "../../core/ports.ts";
import { type Stream, stream } from "./random.ts";
import type { Owner, Scheduler } from "./scheduler.ts";

/**
 * A computer of the world: its wall clock, and one life of its process after another. A life that was ended does nothing
 * any more: its timers are gone and its ports are deaf.
 */
export class Machine {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #seed: number;
  readonly #origin_ms: number;
  /** What the wall clock shows in this event. */
  #shownAt_ms = Number.NaN;
  #shown_ms = 0;
  /** How it runs now, and how it ran, oldest first. */
  #setting: ClockSetting = { from_ms: 0, offset_ms: 0, drift_ppm: 0 };
  readonly #settings: ClockSetting[] = [this.#setting];
  #starts = 0;
  #life: Life | null = null;

  /** @param origin_ms true wall time at the beginning of the world, ms since the epoch */
  constructor(name: string, at: { readonly scheduler: Scheduler; readonly seed: number; readonly origin_ms: number }) {
    this.name = name;
    this.#scheduler = at.scheduler;
    this.#seed = at.seed;
    this.#origin_ms = at.origin_ms;
  }

  /** What the machine takes for the time, whole ms since the epoch. */
  wall_ms(): number {
    const now_ms = this.#scheduler.now_ms;
    // It is asked a thousand times an event, and shows the same until the next.
    if (now_ms !== this.#shownAt_ms) {
      const { from_ms, offset_ms, drift_ppm } = this.#setting;
      const drifted_ms = drift_ppm === 0 ? 0 : ((now_ms - from_ms) * drift_ppm) / 1e6;
      this.#shown_ms = Math.floor(this.#origin_ms + now_ms + offset_ms + drifted_ms);
      this.#shownAt_ms = now_ms;
    }
    return this.#shown_ms;
  }

  /** By how much the wall clock is ahead of true time. */
  offset_ms(): number {
    const { from_ms, offset_ms, drift_ppm } = this.#setting;
    return offset_ms + ((this.#scheduler.now_ms - from_ms) * drift_ppm) / 1e6;
  }

  /** The wall clock is set: by hand, by NTP, by an empty battery. */
  jump(delta_ms: number): void {
    this.#set(this.offset_ms() + delta_ms, this.#setting.drift_ppm);
  }

  /** From now on the wall clock gains so many µs a second. */
  drift(ppm: number): void {
    this.#set(this.offset_ms(), ppm);
  }

  #set(offset_ms: number, drift_ppm: number): void {
    this.#setting = { from_ms: this.#scheduler.now_ms, offset_ms, drift_ppm };
    this.#settings.push(this.#setting);
    this.#shownAt_ms = Number.NaN;
  }

  /** True times, ms since the epoch, at which the wall clock showed this; several if it was put back, none if it leapt over. */
  trueTimesOf(wall_ms: number): readonly number[] {
    return this.#settings.flatMap((setting, i) => {
      const rate = 1 + setting.drift_ppm / 1e6;
      const at_ms = setting.from_ms + (wall_ms - this.#origin_ms - setting.from_ms - setting.offset_ms) / rate;
      // The wall clock shows whole ms: a reading of w was taken up to 1 ms after w.
      const until_ms = this.#settings[i + 1]?.from_ms ?? this.#scheduler.now_ms;
      return at_ms > setting.from_ms - 1 && at_ms <= until_ms + ROUNDING_MS ? [this.#origin_ms + at_ms] : [];
    });
  }

  get life(): Life | null {
    return this.#life;
  }

  /** Begins the next life of its process. */
  start(): Life {
    this.#life?.end("process-killed");
    this.#starts += 1;
    this.#life = new Life(this, this.#scheduler, stream(this.#seed, `${this.name}#${this.#starts}`));
    return this.#life;
  }
}

/** A sum of a date and a time of the world is exact to this. */
const ROUNDING_MS = 0.001;

interface ClockSetting {
  readonly from_ms: number;
  readonly offset_ms: number;
  readonly drift_ppm: number;
}

/** process-killed: the kernel closes its connections. power-cut: nobody is told. */
export type EndOfLife = "process-killed" | "power-cut";

/** One run of a process, from start to stop or crash, with the ports it was given. */
export class Life implements Owner {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly #scheduler: Scheduler;
  readonly #onEnd: ((how: EndOfLife) => void)[] = [];
  #isAlive = true;

  constructor(machine: Machine, scheduler: Scheduler, random: Stream) {
    this.machine = machine;
    this.#scheduler = scheduler;
    this.random = random;
    const born_ms = scheduler.now_ms;
    this.clock = {
      now_ms: () => machine.wall_ms(),
      mono_ms: () => scheduler.now_ms - born_ms,
    };
    this.timers = {
      after: (delay_ms, run) => this.after(delay_ms, run),
      every: (period_ms, run) => this.#every(period_ms, run),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Runs code of the process. What it throws after its own end in the middle of it is no news any more. */
  live(run: () => void): void {
    if (!this.#isAlive) return;
    try {
      run();
    } catch (error) {
      if (this.#isAlive) throw error;
    }
  }

  /** As a timer of the process: it does not fire after its end. */
  after(delay_ms: number, run: () => void): Cancel {
    return this.#isAlive ? this.#scheduler.after(delay_ms, run, this) : () => {};
  }

  #every(period_ms: number, run: () => void): Cancel {
    let cancel: Cancel = () => {};
    let isCancelled = false;
    const again = (): void => {
      cancel = this.after(period_ms, () => {
        run();
        if (!isCancelled) again();
      });
    };
    again();
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  onEnd(run: (how: EndOfLife) => void): void {
    this.#onEnd.push(run);
  }

  end(how: EndOfLife): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    for (const run of this.#onEnd) run(how);
  }
}
