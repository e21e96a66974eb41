import type { EmissionFactor } from "../../core/emission/factor.ts";
import type { Clock, Log } from "../../core/ports.ts";
import { BatchRanges } from "../../core/wire/ranges.ts";
import {
  BATCH_NUMBER_MAX,
  type GatewayKey,
  STORED_EXCEEDS_READ,
  STORED_TWICE,
  type StoredInterval,
  type Verification,
  type ZoneStore,
} from "../store/store.ts";
import type { BirthReader } from "./births.ts";
import { Evidence } from "./evidence.ts";
import { hasLostWhatArrived, verifyInterval } from "./verify.ts";

/** Recomputes in small helpings what the edge booked, when there is nothing more urgent, and raises what disagrees. */
export const VERIFY_MS = 50;
/** Time given to comparing before other work gets its turn: at most this share of VERIFY_MS of one core. */
const BUDGET_MS = 12;
const CHUNK = 60;
/** More batches than this in VERIFY_MS and comparing steps back: storing and confirming comes first. */
const IDLE_BATCHES = 20;

/** What is known of one epoch of a gateway. */
interface Epoch {
  /** Held, or lost for good. */
  readonly numbers: BatchRanges;
  /** The lowest batch with intervals that may wait to be compared: nothing is looked for before all up to it is here. */
  waiting: number;
}

export class Verifier {
  readonly #store: ZoneStore;
  readonly #factors: readonly EmissionFactor[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #evidence: Evidence;
  readonly #epochs = new Map<string, Epoch>();
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
    this.#evidence = new Evidence(parts.store, parts.births);
  }

  /** A batch arrived: there is more urgent work than comparing. */
  noteArrival(): void {
    this.#arrived += 1;
  }

  /** The number is held from now on, or lost for good: nobody waits for it. */
  accounted(gateway: GatewayKey, epoch: string, first: number, last: number): void {
    try {
      this.#epochOf(gateway, epoch).numbers.addRange(first, last);
    } catch (error) {
      // More holes than an honest counter makes: what lies beyond them stays uncompared.
      this.#log.warn("collector.too-many-gaps", { ...gateway, epoch, error: String(error) });
    }
  }

  /** The batch brought intervals to compare. */
  booked(gateway: GatewayKey, epoch: string, number: number): void {
    const known = this.#epochOf(gateway, epoch);
    known.waiting = Math.min(known.waiting, number);
  }

  /** The highest number of the epoch that is held or known lost. */
  highest(gateway: GatewayKey, epoch: string): number {
    return this.#epochOf(gateway, epoch).numbers.highest;
  }

  /** @returns whether all that came in is compared. */
  run(nodes: Iterable<{ readonly gateway: GatewayKey; readonly epoch: string | null }>): boolean {
    const isIdle = this.#arrived < IDLE_BATCHES;
    this.#arrived = 0;
    const until_ms = this.#clock.mono_ms() + (isIdle ? BUDGET_MS : 1);
    try {
      for (const { gateway, epoch } of nodes) {
        if (epoch !== null && !this.#runEpoch(gateway, epoch, until_ms)) return false;
      }
      return true;
    } finally {
      this.#evidence.forget();
    }
  }

  #runEpoch(gateway: GatewayKey, epoch: string, until_ms: number): boolean {
    const known = this.#epochOf(gateway, epoch);
    const through = known.numbers.contiguousThrough();
    if (through < known.waiting) return true;
    for (;;) {
      const intervals = this.#store.intervalsToVerify(gateway, epoch, through, CHUNK);
      if (intervals.length > 0) {
        this.#store.setVerifications(intervals.map((interval) => [interval, this.#verify(interval)]));
      }
      if (intervals.length < CHUNK) break;
      if (this.#clock.mono_ms() > until_ms) return false;
    }
    const [next] = this.#store.intervalsToVerify(gateway, epoch, BATCH_NUMBER_MAX, 1);
    known.waiting = next?.batch ?? Number.POSITIVE_INFINITY;
    return true;
  }

  #verify(interval: StoredInterval): Verification {
    const { gateway, device, quantity, from_ms, pollsExpected } = interval;
    const verdict = verifyInterval(interval, this.#store, this.#factors, this.#evidence);
    // What was taken twice changes no figure. One that was restated without its counts says 0 of both.
    if (verdict.kind === "agreed" && pollsExpected > 0) this.#checkPolls(interval);
    if (verdict.kind !== "disagreed") return verdict.kind;
    this.disagreed += 1;
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

  /**
   * More readings of the counter than the gateway says it took, and no loss of its own that would explain it. With one, the same
   * instant twice is still the same reading stored twice: sent anew under another epoch.
   */
  #checkPolls(interval: StoredInterval): void {
    const { gateway, device, quantity, from_ms, to_ms, pollsAnswered: read } = interval;
    const batches = this.#evidence.within(interval, from_ms, to_ms) ?? [];
    const readings = batches.flatMap((batch) => batch.readings);
    const times_ms = readings.map(({ at_ms }) => at_ms).filter((at_ms) => at_ms >= from_ms && at_ms < to_ms);
    const stored = times_ms.length;
    if (stored <= read) return;
    const used = batches.map(({ batch }) => batch);
    const detail = { quantity, from_ms, read, stored };
    const at_ms = this.#clock.now_ms();
    if (!hasLostWhatArrived(interval, used, this.#store)) {
      this.#log.error("collector.stored-exceeds-read", { device, ...detail, code: STORED_EXCEEDS_READ });
      this.#store.putAlarm({ code: STORED_EXCEEDS_READ, gateway, device, at_ms, detail });
      return;
    }
    const copies = stored - new Set(times_ms).size;
    if (copies === 0) return;
    this.#log.warn("collector.stored-twice", { device, ...detail, copies, code: STORED_TWICE });
    this.#store.putAlarm({ code: STORED_TWICE, gateway, device, at_ms, detail: { ...detail, copies } });
  }

  #epochOf(gateway: GatewayKey, epoch: string): Epoch {
    const key = `${gateway.group}/${gateway.edge} ${epoch}`;
    let known = this.#epochs.get(key);
    if (known !== undefined) return known;
    // What waits from before the start is not known: the first look says.
    known = { numbers: new BatchRanges(), waiting: 1 };
    this.#epochs.set(key, known);
    for (const [first, last] of this.#store.batchRanges(gateway, epoch)) this.accounted(gateway, epoch, first, last);
    for (const [first, last] of this.#store.lostRanges(gateway, epoch)) this.accounted(gateway, epoch, first, last);
    return known;
  }
}
