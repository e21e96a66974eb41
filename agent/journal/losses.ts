import type { EpochMs } from "../../core/reading/reading.ts";
import { formatNodeRecord, type LossRecord, RANGES_IN_RECORD_MAX } from "../../core/wire/nodeRecord.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import type { JournalEntry } from "./chunk.ts";
import type { Loss } from "./journal.ts";

/** Losses that wait for a commit. Beyond it the newest of a kind are told as one. */
const WAITING_MAX = 1000;

/** A loss by positions: its numbers are those of the epoch in which it is told. */
interface Waiting extends Loss {
  readonly positions: readonly BatchRange[] | null;
}

/** What was lost and is not in the journal yet as a record of its own. */
export class Losses {
  readonly #now_ms: () => EpochMs;
  #waiting: Waiting[] = [];
  /** The first so many are in the commit that is being made: nothing joins them. */
  #telling = 0;

  constructor(now_ms: () => EpochMs) {
    this.#now_ms = now_ms;
  }

  /** Batches and samples that no record names yet. */
  get count(): number {
    return this.#waiting.reduce((sum, { count }) => sum + count, 0);
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** @param positions of the batches, ascending; null if they never had a number. */
  note(loss: Loss, positions: readonly BatchRange[] | null): void {
    const last = this.#waiting.length > this.#telling ? this.#waiting.at(-1) : undefined;
    if (positions === null && last?.positions === null && isAlike(last, loss)) {
      this.#waiting[this.#waiting.length - 1] = together(last, loss);
    } else if (this.#waiting.length >= WAITING_MAX && last !== undefined) {
      const { what, device, ...rest } = together(last, loss);
      const isOneKind = last.what === loss.what;
      const both = [...(last.positions ?? []), ...(positions ?? [])];
      this.#waiting[this.#waiting.length - 1] = {
        ...rest,
        what: isOneKind ? what : "unknown",
        device: last.device === loss.device ? device : null,
        positions: both.length === 0 ? null : both.sort((a, b) => a.first - b.first),
      };
    } else this.#waiting.push({ ...loss, positions });
  }

  /** Records for all that waits, a record no longer than it may be. They wait on until {@link areTold}. */
  entries(epoch: string, numberOf: (position: number) => number): JournalEntry[] {
    this.#telling = this.#waiting.length;
    return this.#waiting.flatMap((loss) => this.#recordsOf(loss, epoch, numberOf)).map(entryOf);
  }

  /** All that waits, as text for {@link restore}. */
  text(): string {
    return JSON.stringify(this.#waiting);
  }

  /** What waited when a process ended: it waits again. @returns positions it names */
  restore(text: string): BatchRange[] {
    const waited = text === "" ? [] : (JSON.parse(text) as Waiting[]);
    this.#waiting.push(...waited);
    return waited.flatMap(({ positions }) => positions ?? []);
  }

  /** Those of the last {@link entries} are on disk; what was noted meanwhile waits on. */
  areTold(): void {
    this.#waiting = this.#waiting.slice(this.#telling);
    this.#telling = 0;
  }

  /** The commit failed: all wait on. */
  areNotTold(): void {
    this.#telling = 0;
  }

  #recordsOf({ positions, ...loss }: Waiting, epoch: string, numberOf: (position: number) => number): LossRecord[] {
    const numbered = (positions ?? [])
      .map(({ first, last }) => ({ first: Math.max(1, numberOf(first)), last: numberOf(last) }))
      .filter(({ first, last }) => first <= last);
    const at_ms = Math.max(0, Math.round(this.#now_ms()));
    const from_ms = Math.max(0, Math.round(loss.from_ms));
    const head = {
      ...loss,
      kind: "loss",
      at_ms,
      epoch,
      from_ms,
      to_ms: Math.max(from_ms, Math.round(loss.to_ms)),
    } as const;
    if (numbered.length <= RANGES_IN_RECORD_MAX) return [{ ...head, batches: numbered.length === 0 ? null : numbered }];
    const records: LossRecord[] = [];
    for (let from = 0; from < numbered.length; from += RANGES_IN_RECORD_MAX) {
      const batches = numbered.slice(from, from + RANGES_IN_RECORD_MAX);
      const count = batches.reduce((sum, { first, last }) => sum + last - first + 1, 0);
      records.push({ ...head, count, batches });
    }
    return records;
  }
}

/** What damage took from the history is told hole by hole. */
function isAlike(a: Loss, b: Loss): boolean {
  return a.what !== "history" && a.device === b.device && a.what === b.what && a.why === b.why;
}

function together(a: Waiting, b: Loss): Waiting {
  return {
    ...a,
    from_ms: Math.min(a.from_ms, b.from_ms),
    to_ms: Math.max(a.to_ms, b.to_ms),
    count: a.count + b.count,
  };
}

/** A record of the node itself in the journal: its text as UTF-8. */
export function entryOf(record: Parameters<typeof formatNodeRecord>[0]): JournalEntry {
  const { at_ms } = record;
  return {
    device: "",
    from_ms: at_ms,
    to_ms: at_ms,
    kind: "node",
    body: new TextEncoder().encode(formatNodeRecord(record)),
  };
}
