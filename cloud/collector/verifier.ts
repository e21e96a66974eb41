import type { EmissionFactor } from "../../core/emission/factor.ts";
import type { Clock, Log } from "../../core/ports.ts";
import { BatchRanges } from "../../core/wire/ranges.ts";
import type { GatewayKey, StoredInterval, Verification, ZoneStore } from "../store/store.ts";
import { type BirthReader, verifyInterval } from "./verify.ts";

/** Recomputes in small helpings what the edge booked, when there is nothing more urgent, and raises what disagrees. */
export const VERIFY_MS = 50;
/** Time given to comparing before other work gets its turn: at most this share of VERIFY_MS of one core. */
const BUDGET_MS = 12;
const CHUNK = 60;
/** More batches than this in VERIFY_MS and comparing steps back: storing and confirming comes first. */
const IDLE_BATCHES = 20;

export class Verifier {
  readonly #store: ZoneStore;
  readonly #factors: readonly EmissionFactor[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #births: BirthReader;
  readonly #held = new Map<string, BatchRanges>();
  /** Epochs of which something came in since all that could be compared was: the others need not be looked at. */
  readonly #fresh = new Set<string>();
  #arrived = 0;
  disagreed = 0;

  constructor(parts: {
    readonly store: ZoneStore;
    readonly factors: readonly EmissionFactor[];
    readonly clock: Clock;
    readonly log: Log;
    readonly births: BirthReader;
  }) {
    this.#store = parts.store;
    this.#factors = parts.factors;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#births = parts.births;
  }

  /** A batch arrived: there is more urgent work than comparing. */
  noteArrival(): void {
    this.#arrived += 1;
  }

  /** The number is held from now on, or lost for good: nobody waits for it. */
  accounted(gateway: GatewayKey, epoch: string, first: number, last: number): void {
    this.#fresh.add(keyOf(gateway, epoch));
    try {
      this.#accountedOf(gateway, epoch).addRange(first, last);
    } catch (error) {
      // More holes than an honest counter makes: what lies beyond them stays uncompared.
      this.#log.warn("collector.too-many-gaps", { ...gateway, epoch, error: String(error) });
    }
  }

  /** The highest number of the epoch that is held or known lost. */
  highest(gateway: GatewayKey, epoch: string): number {
    return this.#accountedOf(gateway, epoch).highest;
  }

  /** @returns whether all that came in is compared. */
  run(nodes: Iterable<{ readonly gateway: GatewayKey; readonly epoch: string | null }>): boolean {
    const isIdle = this.#arrived < IDLE_BATCHES;
    this.#arrived = 0;
    const until_ms = this.#clock.mono_ms() + (isIdle ? BUDGET_MS : 1);
    for (const { gateway, epoch } of nodes) {
      if (epoch === null) continue;
      const through = this.#accountedOf(gateway, epoch).contiguousThrough();
      if (through === 0 || !this.#fresh.has(keyOf(gateway, epoch))) continue;
      for (;;) {
        const intervals = this.#store.intervalsToVerify(gateway, epoch, through, CHUNK);
        if (intervals.length > 0) {
          this.#store.setVerifications(intervals.map((interval) => [interval, this.#verify(interval)]));
        }
        if (intervals.length < CHUNK) {
          this.#fresh.delete(keyOf(gateway, epoch));
          break;
        }
        if (this.#clock.mono_ms() > until_ms) return false;
      }
    }
    return true;
  }

  #verify(interval: StoredInterval): Verification {
    const verdict = verifyInterval(interval, this.#store, this.#factors, this.#births);
    if (verdict.kind !== "disagreed") return verdict.kind;
    this.disagreed += 1;
    const { gateway, device, quantity, from_ms } = interval;
    this.#log.error("collector.books-disagree", { device, quantity, from_ms, ...verdict, code: "BOOKS_DISAGREE" });
    this.#store.putAlarm({
      code: "BOOKS_DISAGREE",
      gateway,
      device,
      at_ms: this.#clock.now_ms(),
      detail: { quantity, from_ms, edge: verdict.edge, cloud: verdict.cloud },
    });
    return verdict.kind;
  }

  #accountedOf(gateway: GatewayKey, epoch: string): BatchRanges {
    const key = keyOf(gateway, epoch);
    let numbers = this.#held.get(key);
    if (numbers !== undefined) return numbers;
    numbers = new BatchRanges();
    this.#held.set(key, numbers);
    for (const [first, last] of this.#store.batchRanges(gateway, epoch)) this.accounted(gateway, epoch, first, last);
    for (const [first, last] of this.#store.lostRanges(gateway, epoch)) this.accounted(gateway, epoch, first, last);
    return numbers;
  }
}

function keyOf({ group, edge }: GatewayKey, epoch: string): string {
  return `${group}/${edge} ${epoch}`;
}
