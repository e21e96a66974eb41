import type { GatewayKey } from "../store/store.ts";

/** What is known of each gateway. One level for each part of its name: a key joined of both would be a new string at every look. */
export class GatewayMap<T> {
  readonly #groups = new Map<string, Map<string, T>>();

  get({ group, edge }: GatewayKey): T | undefined {
    return this.#groups.get(group)?.get(edge);
  }

  set({ group, edge }: GatewayKey, value: T): void {
    const edges = this.#groups.get(group);
    if (edges === undefined) this.#groups.set(group, new Map([[edge, value]]));
    else edges.set(edge, value);
  }

  *values(): Generator<T> {
    for (const edges of this.#groups.values()) yield* edges.values();
  }
}
