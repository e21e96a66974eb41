import type { Log } from "../../core/ports.ts";
import { readBlob } from "./blob.ts";
import { type Chain, type Held, isOfDisk } from "./chain.ts";
import { type HeldRecord, unpackChunk } from "./chunk.ts";

/** Rows fetched at once for whoever reads on. */
const ROWS_AHEAD = 8;

/** What lies in one row, and the first ordinal after it. */
interface Item {
  readonly end: number;
  /** Null: damaged. */
  readonly records: readonly HeldRecord[] | null;
}

export type Look =
  | { readonly kind: "records"; readonly records: readonly HeldRecord[] }
  | { readonly kind: "none" }
  | { readonly kind: "damaged"; readonly held: Held };

/** Reads records through the segments of a chain, and notices what is not there that should be. */
export class Reader {
  readonly #chain: Chain;
  readonly #log: Log;
  /** Whether each of these positions is confirmed: what is may be missing where samples gave way. */
  readonly #areConfirmed: (first: number, last: number) => boolean;
  #ahead: { readonly held: Held; readonly first: number; readonly items: readonly Item[] } | null = null;
  /** How often the disk refused to read. */
  refusals = 0;
  /** Damaged, and the disk would not take the mended one: read as they are. */
  readonly #unmended = new Set<Held>();

  constructor(chain: Chain, log: Log, areConfirmed: (first: number, last: number) => boolean) {
    this.#chain = chain;
    this.#log = log;
    this.#areConfirmed = areConfirmed;
  }

  /** The records that lie together with the first one at or after `ordinal`, below `next`. */
  from(ordinal: number, next: number): Look {
    const { segments } = this.#chain;
    for (let at = Math.max(0, this.#chain.indexOf(ordinal)); at < segments.length; at++) {
      const held = segments[at]!;
      const end = segments[at + 1]?.first ?? next;
      const look = this.#in(held, Math.max(ordinal, held.first), end);
      if (look.kind !== "none") return look;
    }
    return { kind: "none" };
  }

  acceptAsIs(held: Held): void {
    this.#unmended.add(held);
  }

  /** Those are damage again: the disk takes writes by now. */
  doubtUnmended(): readonly Held[] {
    const held = [...this.#unmended];
    this.#unmended.clear();
    return held;
  }

  forget(): void {
    this.#ahead = null;
  }

  #in(held: Held, ordinal: number, end: number): Look {
    const isAccepted = this.#unmended.has(held);
    try {
      for (let from = ordinal; ; ) {
        const item = this.#itemFrom(held, from, end);
        if (item !== null && item.records === null) {
          if (!isAccepted) return { kind: "damaged", held };
          from = item.end;
          continue;
        }
        const found = item?.records?.[0]?.ordinal ?? end;
        if (!isAccepted && found > ordinal && this.#isHoleWrong(held, ordinal, found - 1))
          return { kind: "damaged", held };
        return item?.records == null ? { kind: "none" } : { kind: "records", records: item.records };
      }
    } catch (cause) {
      if (!isOfDisk(cause) && !isAccepted) return { kind: "damaged", held };
      this.refusals += 1;
      this.#log.error("journal.segment-unreadable", { file: held.name, ordinal, why: String(cause) });
      return { kind: "none" };
    }
  }

  /** A whole segment has no holes; in others only what is confirmed may be missing. */
  #isHoleWrong(held: Held, first: number, last: number): boolean {
    return this.#chain.facts(held).level === "whole" || !this.#areConfirmed(first, last);
  }

  /** The first row that ends after this ordinal. Rows beyond `end` are remains of a merge that was cut short. */
  #itemFrom(held: Held, ordinal: number, end: number): Item | null {
    const isIn = (item: Item): boolean => item.end > ordinal;
    const ahead = this.#ahead;
    if (ahead?.held === held && ahead.first <= ordinal) {
      const item = ahead.items.find(isIn);
      if (item !== undefined) return item;
    }
    const rows = this.#chain.open(held).rows(ordinal, ROWS_AHEAD);
    const items = rows.filter(({ key }) => key < end).map(itemOf);
    this.#ahead = { held, first: ordinal, items };
    return items.find(isIn) ?? null;
  }
}

function itemOf(row: { readonly key: number; readonly blob: Uint8Array }): Item {
  const blob = readBlob(row.blob);
  if (blob.kind === "damaged" || blob.kind === "value" || blob.ordinal !== row.key) {
    return { end: row.key + 1, records: null };
  }
  return { end: row.key + blob.count, records: unpackChunk(blob) };
}
