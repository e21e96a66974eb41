import type { Clock, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { PolledMeter } from "./polledMeter.ts";
import type { BusStatus } from "./status.ts";
import type { Turns } from "./turns.ts";

const SAID_EVERY_MS = 60_000;
/** Domain and monotonic time may drift apart by this much between two beats before it is called a jump. */
const CLOCK_JUMP_MS = 500;

export interface OverloadOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onLeftOut?: (device: string, polls: number) => void;
}

/**
 * Polls that a line had no time for. A poll that is not begun before the next one falls due is left out, counted and said, at most
 * once in {@link SAID_EVERY_MS}, with the line time a cycle needs and has.
 */
export class Overload {
  readonly #o: OverloadOptions;
  readonly #meters: readonly PolledMeter[];
  readonly #turns: Turns;
  /** The shortest period of the line. */
  readonly #cycle_ms: number;
  overruns = 0;
  /** Monotonic time since which lateness is the line's own: it could be reached, and the clock did not jump. */
  #usableFrom_ms = 0;
  /** Monotonic end of the last search for a map. */
  #searchedUntil_ms = Number.NEGATIVE_INFINITY;
  #clockOffset_ms = Number.NaN;
  #overrunsSaid = 0;
  /** Monotonic. */
  #overrunAt_ms = Number.NEGATIVE_INFINITY;
  #overloadSaidAt_ms = Number.NEGATIVE_INFINITY;

  constructor(options: OverloadOptions, meters: readonly PolledMeter[], turns: Turns, cycle_ms: number) {
    this.#o = options;
    this.#meters = meters;
    this.#turns = turns;
    this.#cycle_ms = cycle_ms;
  }

  /** The line can be reached again. */
  noteUsable(mono_ms: number): void {
    this.#usableFrom_ms = mono_ms;
  }

  /** A map was looked for: that takes a line once, and says nothing of what its periods ask for. */
  noteSearched(mono_ms: number): void {
    this.#searchedUntil_ms = mono_ms;
  }

  noteClock(): void {
    const { clock } = this.#o;
    const mono_ms = clock.mono_ms();
    const offset_ms = clock.now_ms() - mono_ms;
    if (Math.abs(offset_ms - this.#clockOffset_ms) <= CLOCK_JUMP_MS) return;
    this.#clockOffset_ms = offset_ms;
    this.#usableFrom_ms = mono_ms;
  }

  /** A group is begun that late. A meter that is left alone misses nothing; nor does a clock that jumps make a line late. */
  noteMissed(meter: PolledMeter, every_ms: number, late_ms: number): void {
    const { clock, log, id } = this.#o;
    if (this.#turns.units.has(meter.of.unit) || late_ms === Number.POSITIVE_INFINITY) return;
    const mono_ms = clock.mono_ms();
    const from_ms = Math.max(this.#usableFrom_ms, meter.restUntil_ms);
    const missed = Math.floor(Math.min(late_ms, mono_ms - from_ms) / every_ms);
    if (missed <= 0) return;
    this.#o.onLeftOut?.(meter.of.device, missed);
    const ofLoad = Math.floor(Math.min(late_ms, mono_ms - Math.max(from_ms, this.#searchedUntil_ms)) / every_ms);
    if (ofLoad <= 0) return;
    this.overruns += ofLoad;
    this.#overrunAt_ms = mono_ms;
    if (mono_ms - this.#overloadSaidAt_ms < SAID_EVERY_MS) return;
    this.#overloadSaidAt_ms = mono_ms;
    const { cycle_ms, needed_ms, available_ms } = this.need(clock.now_ms());
    const leftOut = this.overruns - this.#overrunsSaid;
    this.#overrunsSaid = this.overruns;
    log.warn("bus.overload", { bus: id, leftOut, cycle_ms, needed_ms, available_ms, lateFor: meter.of.device });
  }

  /** Polls were left out within the last minute. */
  isRecent(mono_ms: number): boolean {
    return mono_ms - this.#overrunAt_ms < SAID_EVERY_MS;
  }

  /** Line time the periods ask for, from what exchanges have taken so far. */
  need(now_ms: EpochMs): Pick<BusStatus, "cycle_ms" | "needed_ms" | "available_ms"> {
    const cycle_ms = this.#cycle_ms;
    const share = this.#meters.reduce((sum, meter) => sum + this.#share(meter, now_ms), 0);
    return { cycle_ms, needed_ms: Math.round(10 * cycle_ms * share) / 10, available_ms: cycle_ms };
  }

  #share(meter: PolledMeter, now_ms: EpochMs): number {
    const held = this.#turns.units.get(meter.of.unit);
    if (held !== undefined) {
      const { timeout_ms } = meter.of;
      return timeout_ms / (timeout_ms + Math.max(held.until_ms - now_ms, meter.of.every_ms));
    }
    return (meter.plan?.groups ?? []).reduce((sum, { every_ms, blocks }) => {
      const took_ms = blocks.reduce((ms, block) => ms + meter.took_ms(block), 0);
      return sum + took_ms / every_ms;
    }, 0);
  }
}
