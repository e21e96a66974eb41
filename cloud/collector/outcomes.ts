import type { Clock, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { BatchOutcome, DeadLetter, NewBatch, ZoneStore } from "../store/store.ts";
import type { Confirmations } from "./confirmations.ts";
import type { Epochs } from "./epochs.ts";
import type { Nodes } from "./nodes.ts";
import type { Restater } from "./restater.ts";
import type { Verifier } from "./verifier.ts";

/** A message, or a part of one, that cannot be used. */
export type Unusable = Omit<DeadLetter, "at_ms" | "code" | "batch">;

export interface OutcomesOptions {
  readonly store: Pick<ZoneStore, "deadLetter" | "outdoneIntervals">;
  readonly clock: Pick<Clock, "now_ms">;
  readonly log: Log;
  readonly nodes: Nodes;
  readonly epochs: Epochs;
  readonly confirmations: Confirmations;
  readonly verifier: Verifier;
  readonly restater: Restater;
  /** There is work of this kind. */
  readonly wake: (what: "ack" | "verify" | "notify") => void;
}

/** What became of a batch, and who is to know of it: the gateway (confirmed, or objected to), whoever compares and restates. */
export class Outcomes {
  readonly #o: OutcomesOptions;
  #booksTo_ms: EpochMs | null = null;
  #outdone = 0;
  readonly counts = { malformed: 0, committed: 0, duplicates: 0, differing: 0 };

  constructor(options: OutcomesOptions) {
    this.#o = options;
  }

  /** Newest interval end committed to the books. */
  get booksTo_ms(): EpochMs | null {
    return this.#booksTo_ms;
  }

  committed(batches: readonly NewBatch[], outcomes: readonly BatchOutcome[]): void {
    const { confirmations, epochs, restater, verifier } = this.#o;
    batches.forEach((batch, i) => {
      const { gateway, epoch, number, record } = batch;
      this.#count(outcomes[i], batch);
      if (outcomes[i] === "differs") {
        epochs.of(gateway, epoch).isContested = true;
        confirmations.contest(gateway, epoch, number);
        return;
      }
      confirmations.ack(gateway, epoch, number);
      epochs.accounted(gateway, epoch, number, number);
      if (batch.intervals.length > 0) verifier.booked(gateway, epoch, number);
      if (record?.kind === "loss") {
        for (const { first, last } of record.batches ?? []) epochs.accounted(gateway, record.epoch, first, last);
      }
      if (outcomes[i] === "stored") restater.noteBooked(batch);
      for (const { to_ms } of batch.intervals) this.#booksTo_ms = Math.max(this.#booksTo_ms ?? 0, to_ms);
    });
    this.#sayOutdone();
    this.#o.wake("notify");
    confirmations.flushMany();
    this.#o.wake("ack");
    this.#o.wake("verify");
  }

  /** Set aside for good, and confirmed: it would come for ever. */
  giveUp(letter: Unusable, epoch: string, number: number): void {
    this.setAside(letter, { epoch, number });
    this.#o.confirmations.ack(letter.gateway, epoch, number);
    this.#o.wake("ack");
    this.#o.epochs.accounted(letter.gateway, epoch, number, number);
  }

  /** Kept whole with the reason, so that it can be looked at. */
  setAside(letter: Unusable, batch: DeadLetter["batch"]): void {
    this.counts.malformed += 1;
    this.#o.store.deadLetter({ ...letter, batch, at_ms: this.#o.clock.now_ms(), code: "WIRE_MALFORMED" });
  }

  /** Gateways that lost what they had sent share out what is measured here: no harm, and worth a word. */
  #sayOutdone(): void {
    const outdone = this.#o.store.outdoneIntervals();
    if (outdone > this.#outdone) {
      this.#o.log.info("collector.intervals-known-better", { intervals: outdone - this.#outdone });
    }
    this.#outdone = outdone;
  }

  #count(outcome: BatchOutcome | undefined, { gateway, number }: NewBatch): void {
    const node = this.#o.nodes.of(gateway);
    node.isDirty = true;
    this.counts.committed += 1;
    if (outcome === "stored") {
      node.row.received += 1;
      return;
    }
    node.row.duplicates += 1;
    this.counts.duplicates += 1;
    if (outcome !== "differs") return;
    this.counts.differing += 1;
    this.#o.log.error("collector.batch-differs", { ...gateway, batch: number, code: "BATCH_CONTENT_DIFFERS" });
  }
}
