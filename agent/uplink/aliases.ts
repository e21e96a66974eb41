import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import type { SampleNaming } from "../../core/wire/content.ts";
import type { Journal } from "../journal/journal.ts";

/**
 * Name → alias, persistent and append-only per journal: a number never means another name, so a stale alias table at a host
 * decodes nothing wrong (reference sparkplug §6). Device and name together make the key; the numbers are node-wide.
 */
export class Aliases {
  static readonly STATE_KEY = "aliases";
  readonly #journal: Pick<Journal, "getState">;
  readonly #numbers: Map<string, number>;
  readonly #namings = new Map<string, { readonly live: SampleNaming; readonly late: SampleNaming }>();

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

  /** How what is sent of one device is named. */
  naming(device: string, isHistorical: boolean): SampleNaming {
    let namings = this.#namings.get(device);
    if (namings === undefined) {
      const aliases = new DeviceAliases(this, device);
      namings = { live: new DeviceNaming(aliases, false), late: new DeviceNaming(aliases, true) };
      this.#namings.set(device, namings);
    }
    return isHistorical ? namings.late : namings.live;
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

/** Of one device, for who sends a hundred thousand metrics a second: a name is looked up once. */
class DeviceAliases {
  readonly #all: Aliases;
  readonly #device: string;
  readonly #known = new Map<string, number>();
  /** What was asked for last: with every sample it is the same. */
  #last: { readonly name: string; readonly alias: number } | null = null;
  /** What stood at each place of the last samples, and its alias. */
  readonly #placed: QuantityId[] = [];
  readonly #placedAliases: number[] = [];

  constructor(all: Aliases, device: string) {
    this.#all = all;
    this.#device = device;
  }

  of(name: string): number {
    if (this.#last?.name === name) return this.#last.alias;
    let alias = this.#known.get(name);
    if (alias === undefined) {
      alias = this.#all.of(this.#device, name);
      this.#known.set(name, alias);
    }
    this.#last = { name, alias };
    return alias;
  }

  ofReading(quantity: QuantityId, place: number): number {
    if (this.#placed[place] === quantity) return this.#placedAliases[place]!;
    const alias = this.of(QUANTITIES[quantity].wire);
    this.#placed[place] = quantity;
    this.#placedAliases[place] = alias;
    return alias;
  }
}

class DeviceNaming implements SampleNaming {
  readonly isHistorical: boolean;
  readonly #aliases: DeviceAliases;

  constructor(aliases: DeviceAliases, isHistorical: boolean) {
    this.#aliases = aliases;
    this.isHistorical = isHistorical;
  }

  aliasOf(name: string): number {
    return this.#aliases.of(name);
  }

  aliasOfReading(quantity: QuantityId, place: number): number {
    return this.#aliases.ofReading(quantity, place);
  }
}
