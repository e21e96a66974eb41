/**
 * What happened in a world, in order, as one number: every line changes the hash. The same seed gives the same hash, so a
 * failure can be run again; the last lines are kept to be read.
 */
export class Trace {
  readonly #kept: string[] = [];
  #a = 0x811c9dc5 | 0;
  #b = 0x2545f491 | 0;
  #lines = 0;
  #shown_ms = Number.NaN;
  #shown = "";

  /** @param now_ms virtual time, put before every line */
  constructor(now_ms: () => number, keep = KEPT) {
    this.#now_ms = now_ms;
    this.#keep = keep;
  }

  readonly #now_ms: () => number;
  readonly #keep: number;

  note(line: string): void {
    const text = `${this.#time()} ${line}`;
    let [a, b] = [this.#a, this.#b];
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b + unit, 0x5bd1e995) ^ (b >>> 13);
    }
    [this.#a, this.#b] = [a, b];
    this.#lines += 1;
    this.#kept[this.#lines % this.#keep] = text;
  }

  /** Many lines are of one instant, and writing a number out costs more than the rest of a line. */
  #time(): string {
    const now_ms = this.#now_ms();
    if (now_ms !== this.#shown_ms) {
      this.#shown_ms = now_ms;
      this.#shown = now_ms.toFixed(3);
    }
    return this.#shown;
  }

  get lines(): number {
    return this.#lines;
  }

  /** 16 hex digits. */
  hash(): string {
    return [this.#a, this.#b].map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** The newest lines, oldest first. */
  tail(count: number): readonly string[] {
    const lines: string[] = [];
    for (let i = Math.max(1, this.#lines - Math.min(count, this.#keep) + 1); i <= this.#lines; i++) {
      lines.push(this.#kept[i % this.#keep]!);
    }
    return lines;
  }
}

/** Lines kept for reading; older ones live on in the hash only. */
const KEPT = 4000;
