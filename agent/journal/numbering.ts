import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import { epochNumber } from "./blob.ts";
import { formatRanges, parseRanges } from "./values.ts";

/** Until the newest segment was read. */
export const NO_EPOCH = "0".repeat(16);
/** Names of the state it is kept as. */
export const NUMBERING_KEYS: readonly string[] = ["epoch", "base", "next", "confirmed"];

/**
 * Positions and numbers. A position is a record's place in the journal for ever; a number is its name towards the collector:
 * the position less `base`, in one epoch. A new epoch moves the base, and nothing has to be written anew.
 */
export class Numbering {
  #epoch: string;
  #epochNumber: bigint;
  #base: number;
  /** Position the next record gets. */
  next: number;
  #confirmed: BatchRanges;
  #isDirty = false;

  private constructor(epoch: string, base: number, next: number, confirmed: BatchRanges) {
    this.#epoch = epoch;
    this.#epochNumber = epochNumber(epoch);
    this.#base = base;
    this.next = next;
    this.#confirmed = confirmed;
  }

  static fresh(epoch: string, next: number): Numbering {
    return new Numbering(epoch, next - 1, next, BatchRanges.of(next > 1 ? [{ first: 1, last: next - 1 }] : []));
  }

  /** Null if the state does not say. */
  static from(state: ReadonlyMap<string, string>): Numbering | null {
    const epoch = state.get("epoch");
    const next = Number(state.get("next"));
    const base = Number(state.get("base"));
    if (epoch === undefined || !/^[0-9a-f]{16}$/.test(epoch)) return null;
    if (!Number.isSafeInteger(next) || !Number.isSafeInteger(base) || base < 0 || next <= base) return null;
    return new Numbering(epoch, base, next, BatchRanges.of(parseRanges(state.get("confirmed") ?? "")));
  }

  get epoch(): string {
    return this.#epoch;
  }

  get epochNumber(): bigint {
    return this.#epochNumber;
  }

  get isConfirmedDirty(): boolean {
    return this.#isDirty;
  }

  get unconfirmed(): number {
    return this.next - 1 - this.#confirmed.count;
  }

  /** Ranges it takes to say what is confirmed. */
  get holes(): number {
    return this.#confirmed.ranges;
  }

  numberOf(position: number): number {
    return position - this.#base;
  }

  positionOf(number: number): number {
    return number + this.#base;
  }

  isConfirmed(position: number): boolean {
    return this.#confirmed.has(position);
  }

  areConfirmed(first: number, last: number): boolean {
    return last < first || this.#confirmed.covers(first, last);
  }

  /** Numbers not given yet count for nothing. */
  confirm(ranges: readonly BatchRange[]): void {
    this.confirmPositions(
      ranges.map(({ first, last }) => ({
        first: this.positionOf(first),
        last: Math.min(this.positionOf(last), this.next - 1),
      })),
    );
  }

  confirmPositions(ranges: readonly BatchRange[]): void {
    for (const { first, last } of ranges) {
      if (first <= last && this.#confirmed.addRange(first, last) > 0) this.#isDirty = true;
    }
  }

  /** Not confirmed after all. @param ranges of positions, ascending */
  reopen(ranges: readonly BatchRange[]): void {
    if (ranges.length === 0) return;
    const open = BatchRanges.of(ranges);
    this.#confirmed = BatchRanges.of(
      this.#confirmed.toRanges().flatMap(({ first, last }) => open.missingIn(first, last)),
    );
    this.#isDirty = true;
  }

  /** Positions of this epoch that are confirmed. */
  confirmedIn(first: number, last: number): BatchRange[] {
    const from = Math.max(first, this.#base + 1);
    const to = Math.min(last, this.next - 1);
    return from > to ? [] : BatchRanges.of(this.#confirmed.missingIn(from, to)).missingIn(from, to);
  }

  unconfirmedIn(first: number, last: number): BatchRange[] {
    return first > last ? [] : this.#confirmed.missingIn(first, last);
  }

  /** Position of the oldest that is not confirmed; `next` if all are. */
  oldestOpen(): number {
    return this.#confirmed.contiguousThrough() + 1;
  }

  /** As it would be in a new epoch: what is open from the oldest on gets numbers from 1, confirmed or not. */
  renewed(epoch: string): Numbering {
    const base = this.oldestOpen() - 1;
    const confirmed = BatchRanges.of(base > 0 ? [{ first: 1, last: base }] : []);
    return new Numbering(epoch, base, this.next, confirmed);
  }

  /** The same numbers in another epoch. */
  under(epoch: string): Numbering {
    return new Numbering(epoch, this.#base, this.next, this.#confirmed);
  }

  /** What was confirmed is on disk. */
  saved(): void {
    this.#isDirty = false;
  }

  state(): [key: string, value: string][] {
    return [
      ["epoch", this.#epoch],
      ["base", String(this.#base)],
      ["next", String(this.next)],
      ["confirmed", this.confirmedText()],
    ];
  }

  confirmedText(): string {
    return formatRanges(this.#confirmed.toRanges());
  }
}
