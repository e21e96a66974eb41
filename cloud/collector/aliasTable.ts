/**
 * What aliases of one device stand for. A gateway numbers the metrics of a device in a row as a rule: these stand in an array,
 * the first alias first, where a look-up is an index. Aliases far from the lowest stand in a map.
 */
export class AliasTable<T> {
  readonly #first: number;
  readonly #row: (T | undefined)[] = [];
  readonly #far = new Map<number, T>();

  constructor(entries: readonly (readonly [alias: number, value: T])[]) {
    this.#first = entries.reduce((least, [alias]) => Math.min(least, alias), Number.POSITIVE_INFINITY);
    for (const [alias, value] of entries) {
      const place = alias - this.#first;
      if (place >= ROOM_PER_ENTRY * entries.length) {
        this.#far.set(alias, value);
        continue;
      }
      while (this.#row.length <= place) this.#row.push(undefined);
      this.#row[place] = value;
    }
  }

  get(alias: number): T | undefined {
    const place = alias - this.#first;
    return place >= 0 && place < this.#row.length ? this.#row[place] : this.#far.get(alias);
  }
}

/** Places of the array for each entry, at most. */
const ROOM_PER_ENTRY = 4;
