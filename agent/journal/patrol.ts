import type { Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { Chain } from "./chain.ts";
import type { Mender } from "./mender.ts";

/** Chunks looked at in one step: a millisecond or two. */
const CHUNKS = 64;
/** From step to step, if commits come as often: 4 GiB take about a day. */
const STEP_MS = 5000;
/** From the begin of a round to that of the next one. */
const ROUND_MS = 86_400_000;

/** Looks through the older segments, a little with a commit now and then, so that damage is found before anybody needs them. */
export class Patrol {
  readonly #chain: Chain;
  readonly #mender: Mender;
  readonly #log: Log;
  readonly #now_ms: () => EpochMs;
  /** Where it goes on; the newest segment was looked through at the start and is guarded by who writes to it. */
  #at = 1;
  #stepped_ms: EpochMs;
  #began_ms: EpochMs;

  constructor(chain: Chain, mender: Mender, log: Log, now_ms: () => EpochMs) {
    this.#chain = chain;
    this.#mender = mender;
    this.#log = log;
    this.#now_ms = now_ms;
    this.#stepped_ms = now_ms();
    this.#began_ms = this.#stepped_ms;
  }

  /** Call it as often as you like: it does its little when it is time. */
  step(): void {
    const now_ms = this.#now_ms();
    if (Math.abs(now_ms - this.#stepped_ms) < STEP_MS) return;
    this.#stepped_ms = now_ms;
    const end = this.#chain.newest?.first ?? 1;
    if (this.#at >= end) {
      if (Math.abs(now_ms - this.#began_ms) < ROUND_MS) return;
      this.#at = 1;
      this.#began_ms = now_ms;
    }
    try {
      for (let chunk = 0; chunk < CHUNKS && this.#at < end; chunk++) this.#at = this.#after(this.#at) ?? end;
    } catch (cause) {
      this.#log.error("journal.patrol-failed", { ordinal: this.#at, error: String(cause) });
      this.#at = end;
    }
  }

  /** Where the next chunk begins: in the next segment, if of this one nothing more can be read. */
  #after(ordinal: number): number | null {
    const look = this.#mender.look(ordinal);
    if (look.kind === "records") return look.records.at(-1)!.ordinal + 1;
    const { segments } = this.#chain;
    return segments[this.#chain.indexOf(ordinal) + 1]?.first ?? null;
  }
}
