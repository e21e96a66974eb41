import { KhuXanhError } from "../../core/errors.ts";
import type { Log } from "../../core/ports.ts";
import type { BatchOutcome, NewBatch, ZoneStore } from "../store/store.ts";

/**
 * Batches on their way into the store: gathered, committed in one transaction, and only then given on to be confirmed.
 *
 * when      after {@link COMMIT_MS} (the collector's timer) or {@link COMMIT_BYTES}, whichever is first
 * refused   a commit that fails for the disk or a lock confirms nothing and keeps nothing: the gateways send again. A batch
 *           that the store cannot hold is set aside with its reason and confirmed, and stops no other
 */
export const COMMIT_MS = 200;
export const COMMIT_BYTES = 256 * 1024;

export interface CommitsOptions {
  readonly store: Pick<ZoneStore, "commitBatches">;
  readonly log: Log;
  readonly onCommitted: (batches: readonly NewBatch[], outcomes: readonly BatchOutcome[]) => void;
  /** The store cannot hold this one: set it aside, confirm it. */
  readonly onRefused: (batch: NewBatch, why: string) => void;
}

export class Commits {
  readonly #o: CommitsOptions;
  #queue: NewBatch[] = [];
  #bytes = 0;
  /** Batches that were not taken because the store could not take any; they come again. */
  notTaken = 0;

  constructor(options: CommitsOptions) {
    this.#o = options;
  }

  add(batch: NewBatch): void {
    this.#queue.push(batch);
    this.#bytes += batch.payload.length;
    if (this.#bytes >= COMMIT_BYTES) this.commit();
  }

  commit(): void {
    if (this.#queue.length === 0) return;
    const batches = this.#queue;
    this.#queue = [];
    this.#bytes = 0;
    const error = this.#tryCommit(batches);
    if (error === null) return;
    const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
    this.#o.log.error("collector.commit-failed", { batches: batches.length, code, error: String(error) });
    if (!isOfABatch(error)) this.notTaken += batches.length;
    // One batch that can never be stored must not stop the others: alone it fails alone.
    else for (const batch of batches) this.#commitAlone(batch);
  }

  #commitAlone(batch: NewBatch): void {
    const error = this.#tryCommit([batch]);
    if (error === null) return;
    if (isOfABatch(error)) this.#o.onRefused(batch, String(error));
    else this.notTaken += 1;
  }

  #tryCommit(batches: readonly NewBatch[]): unknown {
    let outcomes: readonly BatchOutcome[];
    try {
      outcomes = this.#o.store.commitBatches(batches);
    } catch (error) {
      return error;
    }
    this.#o.onCommitted(batches, outcomes);
    return null;
  }
}

/** Whether the store refused what is in a batch. Anything else (disk, lock, the unknown) may pass and confirms nothing. */
function isOfABatch(error: unknown): boolean {
  return error instanceof KhuXanhError && (error.code === "STORE_REFUSED" || error.code === "INTERNAL");
}
