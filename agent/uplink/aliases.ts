import type { Journal } from "../journal/journal.ts";

/**
 * Name → alias, persistent and append-only per journal: a number never means another name, so a stale alias table at a host
 * decodes nothing wrong (reference sparkplug §6). Device and name together make the key; the numbers are node-wide.
 */
export class Aliases {
  static readonly STATE_KEY = "aliases";
  readonly #numbers: Map<string, number>;
  #isDirty = false;

  constructor(journal: Journal) {
    this.#numbers = new Map(JSON.parse(journal.getState(Aliases.STATE_KEY) ?? "[]") as [string, number][]);
  }

  of(device: string, name: string): number {
    const key = `${device} ${name}`;
    let alias = this.#numbers.get(key);
    if (alias === undefined) {
      alias = this.#numbers.size + 1;
      this.#numbers.set(key, alias);
      this.#isDirty = true;
    }
    return alias;
  }

  /** The state to keep before anything with a new alias is published; null if nothing changed since the last call. */
  takeChange(): readonly [string, string] | null {
    if (!this.#isDirty) return null;
    this.#isDirty = false;
    return [Aliases.STATE_KEY, JSON.stringify([...this.#numbers])];
  }
}
