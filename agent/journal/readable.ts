import type { JournalDisk } from "../../core/ports.ts";
import { type Blob, readBlob } from "./blob.ts";
import { allRows, type Chain, type Held, isOfDisk } from "./chain.ts";
import { type Salvage, salvage } from "./salvage.ts";
import { readValues } from "./values.ts";

/**
 * Segments as who may write nothing reads them: as they lie, and of those that are not what was written, that which the agent
 * would save of them.
 */
export class Readable {
  readonly #disk: JournalDisk;
  readonly #chain: Chain;
  /** Files that are not what was written, as far as they were read. */
  readonly damaged = new Set<string>();
  /** Of which nothing can be read. */
  readonly unreadableFiles = new Set<string>();
  /** Parts of damaged files of which nothing is left. */
  readonly missingParts = new Set<string>();
  /** Of the damaged one that was read last: one is held at a time. */
  #saved: { readonly held: Held; readonly found: Salvage } | null = null;

  constructor(disk: JournalDisk, chain: Chain) {
    this.#disk = disk;
    this.#chain = chain;
  }

  values(held: Held): ReadonlyMap<string, string> {
    try {
      if (!this.#isDamaged(held)) {
        const { texts, isSound } = readValues(this.#chain.open(held).values());
        if (isSound) return texts;
        this.damaged.add(held.name);
      }
    } catch (cause) {
      if (this.#isRefused(held, cause)) return new Map();
    }
    const { values, end } = this.#savedOf(held);
    // As the agent goes on when it begins anew behind what it saved.
    return values.has("next") ? new Map([...values, ["next", `${Math.max(Number(values.get("next")), end)}`]]) : values;
  }

  /** Sound chunks in their order, from the one that reaches to this ordinal on. */
  *chunks(held: Held, from: number): Iterable<Blob> {
    const end = this.#endOf(held);
    let next = from;
    try {
      if (!this.#isDamaged(held)) {
        for (const { key, blob: bytes } of allRows(this.#chain.open(held))) {
          const blob = readBlob(bytes);
          if (blob.kind === "damaged" || blob.kind === "value" || blob.ordinal !== key) {
            this.damaged.add(held.name);
            break;
          }
          if (key + blob.count <= next || key >= end) continue;
          next = key + blob.count;
          yield blob;
        }
      }
    } catch (cause) {
      if (this.#isRefused(held, cause)) return;
    }
    if (!this.damaged.has(held.name)) return;
    for (const { key, blob: bytes } of this.#savedOf(held).rows) {
      const blob = readBlob(bytes);
      if (blob.kind !== "damaged" && key + blob.count > next) yield blob;
    }
  }

  #isDamaged({ name }: Held): boolean {
    if (!this.damaged.has(name) && this.#disk.leavesOut(name)) this.damaged.add(name);
    return this.damaged.has(name);
  }

  /** The disk does not read just now, or the agent gave the file way meanwhile: that is no damage. */
  #isRefused({ name }: Held, cause: unknown): boolean {
    if (!this.#disk.list().some((file) => file.name === name)) return true;
    (isOfDisk(cause) ? this.unreadableFiles : this.damaged).add(name);
    return isOfDisk(cause);
  }

  #savedOf(held: Held): Salvage {
    if (this.#saved?.held === held) return this.#saved.found;
    const found = salvage(this.#disk, held.name, held.first, this.#endOf(held), "go-on");
    this.#saved = { held, found };
    if (found.rows.length === 0 && found.values.size === 0) this.unreadableFiles.add(held.name);
    // In a file that gave way in part, holes are no damage.
    const isWhole = this.#chain.factsNow(held).level === "whole";
    const lost = isWhole ? found.holes : found.broken.filter(({ first }) => found.holes.some(isIn(first)));
    for (const { first } of lost) this.missingParts.add(`${held.name} ${first}`);
    return found;
  }

  #endOf(held: Held): number {
    return this.#chain.endOf(held, Number.POSITIVE_INFINITY);
  }
}

const isIn = (ordinal: number) => (range: { readonly first: number; readonly last: number }) =>
  range.first <= ordinal && ordinal <= range.last;
