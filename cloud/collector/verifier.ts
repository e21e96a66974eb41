import type { EmissionFactor } from "../../core/emission/factor.ts";
import type { Clock, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import {
  BATCH_NUMBER_MAX,
  COUNTS_APART,
  type GatewayKey,
  STORED_EXCEEDS_READ,
  STORED_TWICE,
  type StoredInterval,
  type Verification,
  type ZoneStore,
} from "../store/store.ts";
import type { BirthReader } from "./births.ts";
import { joined } from "./correction.ts";
import type { Epochs } from "./epochs.ts";
import { Evidence } from "./evidence.ts";
import { seamsAt } from "./seams.ts";
import { hasLostWhatArrived, type Verdict, verifyInterval } from "./verify.ts";

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
  readonly #epochs: Epochs;
  readonly #evidence: Evidence;
  /** The epoch of each gateway since which its earlier ones have nothing left to compare. */
  readonly #settled = new Map<string, string>();
  #arrived = 0;
  /** Of this helping: what could be recomputed and would not join the books. */
  readonly #refused = new Set<string>();
  /** When this helping began: what it corrects belongs together. */
  #runAt_ms: EpochMs = 0;
  disagreed = 0;

  constructor(parts: {
    readonly store: ZoneStore;
    readonly factors: readonly EmissionFactor[];
    readonly clock: Clock;
    readonly log: Log;
    readonly births: BirthReader;
    readonly epochs: Epochs;
  }) {
    this.#store = parts.store;
    this.#factors = parts.factors;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#epochs = parts.epochs;
    this.#evidence = new Evidence(parts.store, parts.births);
  }

  /** A batch arrived: there is more urgent work than comparing. */
  noteArrival(): void {
    this.#arrived += 1;
  }

  /** The batch brought intervals to compare. */
  booked(gateway: GatewayKey, epoch: string, number: number): void {
    const known = this.#epochs.of(gateway, epoch);
    known.waiting = Math.min(known.waiting, number);
  }

  /** @param nodes with their present epoch @returns whether all that came in is compared. */
  run(nodes: Iterable<{ readonly gateway: GatewayKey; readonly epoch: string | null }>): boolean {
    const isIdle = this.#arrived < IDLE_BATCHES;
    this.#arrived = 0;
    const until_ms = this.#clock.mono_ms() + (isIdle ? BUDGET_MS : 1);
    this.#runAt_ms = this.#clock.now_ms();
    try {
      for (const { gateway, epoch } of nodes) {
        if (epoch === null) continue;
        const { numbers, isContested } = this.#epochs.of(gateway, epoch);
        if (isContested) continue;
        if (!this.#runEpoch(gateway, epoch, numbers.contiguousThrough(), until_ms)) return false;
        if (!this.#runEarlier(gateway, epoch, until_ms)) return false;
      }
      return true;
    } finally {
      this.#evidence.forget();
      this.#refused.clear();
    }
  }

  /** What earlier epochs left uncompared: they never become whole, but no more comes of them than is here. */
  #runEarlier(gateway: GatewayKey, epoch: string, until_ms: number): boolean {
    const key = `${gateway.group}/${gateway.edge}`;
    if (this.#settled.get(key) === epoch || !this.#epochs.isCaughtUp(gateway, epoch)) return true;
    for (const earlier of this.#store.epochs(gateway)) {
      if (earlier !== epoch && !this.#runEpoch(gateway, earlier, BATCH_NUMBER_MAX, until_ms)) return false;
    }
    this.#settled.set(key, epoch);
    return true;
  }

  #runEpoch(gateway: GatewayKey, epoch: string, through: number, until_ms: number): boolean {
    const known = this.#epochs.of(gateway, epoch);
    if (through < known.waiting) return true;
    for (;;) {
      const intervals = this.#store.intervalsToVerify(gateway, epoch, through, CHUNK);
      if (intervals.length > 0) {
        this.#store.setVerifications(intervals.map((interval) => [interval, this.#verify(interval)]));
        if (this.#store.epochs(gateway).length > 1) this.#checkSeams(intervals);
      }
      if (intervals.length < CHUNK) break;
      if (this.#clock.mono_ms() > until_ms) return false;
    }
    const [next] = this.#store.intervalsToVerify(gateway, epoch, BATCH_NUMBER_MAX, 1);
    known.waiting = next?.batch ?? Number.POSITIVE_INFINITY;
    return true;
  }

  #verify(interval: StoredInterval): Verification {
    const { gateway, device, quantity, from_ms, pollsExpected, epoch, batch } = interval;
    const verdict = verifyInterval(interval, this.#store, this.#factors, this.#evidence, this.#clock.now_ms());
    // What was taken twice changes no figure. One that was restated without its counts says 0 of both.
    if (verdict.kind === "agreed" && pollsExpected > 0) this.#checkPolls(interval);
    if (verdict.kind === "recomputed") return this.#correct(interval, verdict);
    if (verdict.kind !== "disagreed") return verdict.kind;
    // Of an epoch that is over: what it rests on may have been lost on its way and with the journal, or may be of its other life.
    const { numbers, isContested } = this.#epochs.of(gateway, epoch);
    if (isContested || numbers.contiguousThrough() < batch) return "unverifiable";
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

  /** With all that stand or fall with it. */
  #correct(interval: StoredInterval, { correction, edge, cloud }: Verdict & { kind: "recomputed" }): Verification {
    const otherwise = edge === cloud ? "agreed" : "unverifiable";
    if (this.#refused.has(keyOf(interval))) return otherwise;
    const tried = new Set([keyOf(interval)]);
    const run = joined(correction, this.#store, (stored) => {
      tried.add(keyOf(stored));
      const verdict = verifyInterval(stored, this.#store, this.#factors, this.#evidence, this.#clock.now_ms());
      return verdict.kind === "recomputed" ? verdict.correction : null;
    });
    if (run === null) {
      for (const key of tried) this.#refused.add(key);
      return otherwise;
    }
    const { gateway, device, quantity } = interval;
    const made = run.filter((one) => this.#store.correct({ ...one, runAt_ms: this.#runAt_ms }));
    if (made.length > 0) {
      const [from_ms, to_ms] = [interval.from_ms, made.at(-1)!.interval.to_ms];
      this.#log.warn("collector.intervals-recomputed", { ...gateway, device, quantity, from_ms, to_ms, edge, cloud });
    }
    return "recomputed";
  }

  #checkSeams(compared: readonly StoredInterval[]): void {
    for (const { after, ticks } of seamsAt(compared, this.#store)) {
      const { gateway, device, quantity, from_ms } = after;
      const detail = { quantity, from_ms, ticks: String(ticks) };
      this.#log.error("collector.counts-apart", { ...gateway, device, ...detail, code: COUNTS_APART });
      this.#store.putAlarm({ code: COUNTS_APART, gateway, device, at_ms: this.#clock.now_ms(), detail });
    }
  }

  /**
   * More readings of the counter than the gateway says it took, and no loss of its own that would explain it. With one, the same
   * instant twice is still the same reading stored twice: sent anew under another epoch.
   */
  #checkPolls(interval: StoredInterval): void {
    const { gateway, device, quantity, from_ms, to_ms, pollsAnswered: read } = interval;
    const counts = this.#evidence.within(interval, from_ms, to_ms) ?? [];
    const inside = counts.filter(({ at_ms }) => at_ms >= from_ms && at_ms < to_ms);
    const stored = inside.length;
    if (stored <= read) return;
    const detail = { quantity, from_ms, read, stored };
    const at_ms = this.#clock.now_ms();
    if (!hasLostWhatArrived(interval, counts, this.#store)) {
      this.#log.error("collector.stored-exceeds-read", { device, ...detail, code: STORED_EXCEEDS_READ });
      this.#store.putAlarm({ code: STORED_EXCEEDS_READ, gateway, device, at_ms, detail });
      return;
    }
    const copies = stored - new Set(inside.map(({ at_ms }) => at_ms)).size;
    if (copies === 0) return;
    this.#log.warn("collector.stored-twice", { device, ...detail, copies, code: STORED_TWICE });
    this.#store.putAlarm({ code: STORED_TWICE, gateway, device, at_ms, detail: { ...detail, copies } });
  }
}

function keyOf({ gateway, device, quantity, from_ms }: StoredInterval): string {
  return `${gateway.edge}/${device} ${quantity} ${from_ms}`;
}
