import type { Journal } from "../journal/journal.ts";

/**
 * Name → alias, persistent and append-only per journal: a number never means another name, so a stale alias table at a host
 * decodes nothing wrong (reference sparkplug §6). Device and name together make the key; the numbers are node-wide.
 */
export class Aliases {
  static readonly STATE_KEY = "aliases";
  readonly #journal: Pick<Journal, "getState">;
  readonly #numbers: Map<string, number>;
  /** The same by device, for who sends a hundred thousand metrics a second. */
  readonly #byDevice = new Map<string, (name: string) => number>();

  constructor(journal: Pick<Journal, "getState">) {
    this.#journal = journal;
    this.#numbers = new Map(JSON.parse(journal.getState(Aliases.STATE_KEY) ?? "[]") as [string, number][]);
  }

  of(device: string, name: string): number {
    const key = `${device} ${name}`;
    let alias = this.#numbers.get(key);
    if (alias === undefined) {
      alias = this.#numbers.size + 1;
      this.#numbers.set(key, alias);
    }
    return alias;
  }

  /** `of` for one device. */
  named(device: string): (name: string) => number {
    let aliasOf = this.#byDevice.get(device);
    if (aliasOf !== undefined) return aliasOf;
    const known = new Map<string, number>();
    aliasOf = (name) => {
      let alias = known.get(name);
      if (alias === undefined) {
        alias = this.of(device, name);
        known.set(name, alias);
      }
      return alias;
    };
    this.#byDevice.set(device, aliasOf);
    return aliasOf;
  }

  /**
   * The state to keep before anything with a new alias is published; null if the journal holds it. Asked of the journal and
   * not remembered, so that a commit that failed is asked for again.
   */
  takeChange(): readonly [string, string] | null {
    const text = JSON.stringify([...this.#numbers]);
    return this.#journal.getState(Aliases.STATE_KEY) === text ? null : [Aliases.STATE_KEY, text];
  }
}
