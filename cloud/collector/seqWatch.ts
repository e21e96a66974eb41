/**
 * Whether a node's messages come in their order: `seq` counts 0 to 255 over all of a node's messages from its NBIRTH on.
 * What is stored does not depend on it; a gap that stays open means that a message was lost, and a birth may have been
 * among them. Pure: it is told what came and when.
 */
export class SeqWatch {
  /** The next number that has not come; null before the birth. */
  #expected: number | null = null;
  /** Numbers that came before their turn, by how far ahead. */
  readonly #ahead = new Set<number>();
  #gapSince_ms: number | null = null;

  born(seq: number): void {
    this.#expected = (seq + 1) % 256;
    this.#ahead.clear();
    this.#gapSince_ms = null;
  }

  /** A message came; the first gap starts the clock, and a message that closes the gap stops it. */
  came(seq: number, now_ms: number): void {
    if (this.#expected === null) return;
    if (seq !== this.#expected) {
      // Half of the circle ahead is early, the other half late: a repeat of what came.
      const isEarly = (seq - this.#expected + 256) % 256 < 128;
      if (!isEarly) return;
      this.#ahead.add(seq);
      this.#gapSince_ms ??= now_ms;
      return;
    }
    do {
      this.#ahead.delete(this.#expected);
      this.#expected = (this.#expected + 1) % 256;
    } while (this.#ahead.has(this.#expected));
    this.#gapSince_ms = this.#ahead.size === 0 ? null : now_ms;
  }

  /** True once for a gap that stayed open for the time; then nothing is expected until the birth that was asked for. */
  isOverdue(timeout_ms: number, now_ms: number): boolean {
    if (this.#gapSince_ms === null || now_ms - this.#gapSince_ms < timeout_ms) return false;
    this.#expected = null;
    this.#ahead.clear();
    this.#gapSince_ms = null;
    return true;
  }
}
