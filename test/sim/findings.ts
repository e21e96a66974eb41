/** What the checkers of a run found wrong: who found it, when, in words. A run ends at the first. */
export interface Finding {
  readonly checker: string;
  /** Virtual ms since the beginning. */
  readonly at_ms: number;
  readonly what: string;
}

/** More than this of one run tell nothing new. */
const FINDINGS_MAX = 20;

export class Findings {
  readonly all: Finding[] = [];
  readonly #now_ms: () => number;
  readonly #onFirst: () => void;

  constructor(now_ms: () => number, onFirst: () => void) {
    this.#now_ms = now_ms;
    this.#onFirst = onFirst;
  }

  report(checker: string, what: string): void {
    if (this.all.length < FINDINGS_MAX) this.all.push({ checker, at_ms: this.#now_ms(), what });
    if (this.all.length === 1) this.#onFirst();
  }
}
