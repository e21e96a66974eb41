/**
 * What happened in a world, in order, as one number: every line changes the hash. The same seed gives the same hash, so a
 * failure can be run again; the last lines are kept to be read.
 *
 * Kept are characters in a ring, not strings: a line that lives until a thousand others are written is moved about by the
 * collector of garbage, which costs more than to write it.
 */
export class Trace {
  readonly #ring = new Uint16Array(KEPT);
  /** Characters ever written. */
  #end = 0;
  #a = 0x811c9dc5 | 0;
  #b = 0x2545f491 | 0;
  #lines = 0;
  #shown_ms = Number.NaN;
  #shown = "";
  readonly #now_ms: () => number;

  /** @param now_ms virtual time, put before every line */
  constructor(now_ms: () => number) {
    this.#now_ms = now_ms;
  }

  /** @param parts of the line, in turn: one that is written for every message need not be joined first */
  note(...parts: readonly string[]): void {
    this.#write(this.#time());
    for (let i = 0; i < parts.length; i++) this.#write(parts[i]!);
    this.#ring[this.#end++ % KEPT] = LINE_END;
    this.#lines += 1;
  }

  #write(text: string): void {
    const ring = this.#ring;
    let a = this.#a;
    let b = this.#b;
    let at = this.#end % KEPT;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b + unit, 0x5bd1e995) ^ (b >>> 13);
      ring[at] = unit;
      at = (at + 1) & (KEPT - 1);
    }
    this.#a = a;
    this.#b = b;
    this.#end += text.length;
  }

  /** With the blank behind it. Many lines are of one instant, and writing a number out costs more than the rest of a line. */
  #time(): string {
    const now_ms = this.#now_ms();
    if (now_ms !== this.#shown_ms) {
      this.#shown_ms = now_ms;
      this.#shown = `${now_ms.toFixed(3)} `;
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

  /** The newest lines, oldest first; at most as many as are kept whole. */
  tail(count: number): readonly string[] {
    const lines: string[] = [];
    const oldest = Math.max(0, this.#end - KEPT);
    let text = "";
    for (let at = this.#end - 2; at >= oldest && lines.length < count; at--) {
      const unit = this.#ring[at % KEPT]!;
      if (unit === LINE_END) {
        lines.push(text);
        text = "";
      } else text = String.fromCharCode(unit) + text;
    }
    if (oldest === 0 && this.#end > 0 && lines.length < count) lines.push(text);
    return lines.reverse();
  }
}

/** Characters kept for reading, some 5000 lines; older ones live on in the hash only. A power of two. */
const KEPT = 2 ** 19;
/** No character of a line: it is none of Unicode's. */
const LINE_END = 0xffff;
