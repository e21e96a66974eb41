import type { Clock } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { GatewayKey, GatewayRow, Presence, ZoneStore } from "../store/store.ts";
import { ClockOffset } from "./clockOffset.ts";
import { GatewayMap } from "./gatewayMap.ts";
import { SeqWatch } from "./seqWatch.ts";
import type { NodeSession } from "./session.ts";
import { SessionWatch } from "./sessionWatch.ts";

/** Changes of presence that wait for a store that takes nothing; beyond it the oldest go. */
const UNWRITTEN_MAX = 10_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One gateway as the collector knows it: its present session in memory, its row in the store. */
export interface Node {
  readonly gateway: GatewayKey;
  session: NodeSession | null;
  readonly row: Mutable<GatewayRow>;
  readonly seq: SeqWatch;
  readonly sessions: SessionWatch;
  readonly clockOffset: ClockOffset;
  /** Batches that came with a metric no birth explains, by how many births of their device had been seen then. */
  readonly unexplained: Map<number, number>;
  births: number;
  isDirty: boolean;
  isForeignSaid: boolean;
}

/** All gateways that were ever heard of. Rows are written when they changed, a few seconds later at most. */
export class Nodes {
  readonly #store: Pick<ZoneStore, "gateways" | "putGateway" | "putPresence">;
  readonly #clock: Clock;
  readonly #nodes = new GatewayMap<Node>();
  /** Changes of presence that are not written yet: a store that takes nothing is asked again. */
  #unwritten: Presence[] = [];

  constructor(store: Pick<ZoneStore, "gateways" | "putGateway" | "putPresence">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    for (const row of store.gateways()) {
      const node = newNode({ ...row, online: false });
      this.#nodes.set(row.gateway, node);
      // It was online when we last wrote; what became of it since, nobody saw.
      if (row.online) this.#notePresence(node, row.lastSeen_ms ?? clock.now_ms(), "unknown");
    }
  }

  values(): Iterable<Node> {
    return this.#nodes.values();
  }

  find(gateway: GatewayKey): Node | undefined {
    return this.#nodes.get(gateway);
  }

  of(gateway: GatewayKey): Node {
    let node = this.#nodes.get(gateway);
    if (node === undefined) {
      node = newNode(emptyRow({ group: gateway.group, edge: gateway.edge }));
      this.#nodes.set(gateway, node);
    }
    return node;
  }

  /** A message came: when, and by how much the gateway's clock is off. A will is of the broker's sending, whenever it was written. */
  seen(node: Node, sent_ms: EpochMs | undefined, isOwnSending: boolean): void {
    const now_ms = this.#clock.now_ms();
    node.row.lastSeen_ms = now_ms;
    node.isDirty = true;
    if (!isOwnSending || sent_ms === undefined) return;
    node.row.clockOffset_ms = node.clockOffset.heard(sent_ms - now_ms, this.#clock.mono_ms());
  }

  setOnline(node: Node): void {
    if (!node.row.online) this.#notePresence(node, this.#clock.now_ms(), "online");
    node.row.online = true;
    node.isDirty = true;
    this.keep(node);
  }

  /** @param state offline: its death was seen; unknown: it is we who no longer hear it. */
  setOffline(node: Node, state: "offline" | "unknown"): boolean {
    const now_ms = this.#clock.now_ms();
    if (node.session !== null) {
      node.session.isOnline = false;
      for (const device of node.session.devices.values()) device.staleSince_ms ??= now_ms;
    }
    if (!node.row.online) return false;
    node.row.online = false;
    node.isDirty = true;
    this.#notePresence(node, now_ms, state);
    this.#keepPresence();
    return true;
  }

  keepAll(): void {
    this.#keepPresence();
    for (const node of this.#nodes.values()) this.keep(node);
  }

  keep(node: Node): void {
    this.#keepPresence();
    if (!node.isDirty) return;
    this.#store.putGateway(node.row);
    node.isDirty = false;
  }

  #notePresence({ gateway }: Node, at_ms: EpochMs, state: Presence["state"]): void {
    if (this.#unwritten.length >= UNWRITTEN_MAX) this.#unwritten.shift();
    this.#unwritten.push({ gateway, at_ms, state });
  }

  #keepPresence(): void {
    for (let next = this.#unwritten[0]; next !== undefined; next = this.#unwritten[0]) {
      this.#store.putPresence(next);
      this.#unwritten.shift();
    }
  }
}

function newNode(row: GatewayRow): Node {
  return {
    gateway: row.gateway,
    session: null,
    row: { ...row },
    seq: new SeqWatch(),
    sessions: new SessionWatch(),
    clockOffset: new ClockOffset(),
    unexplained: new Map(),
    births: 0,
    isDirty: true,
    isForeignSaid: false,
  };
}

function emptyRow(gateway: GatewayKey): GatewayRow {
  return {
    gateway,
    epoch: null,
    online: false,
    bdSeq: null,
    lastSeen_ms: null,
    bornAt_ms: null,
    pending: null,
    oldestPending_ms: null,
    clockOffset_ms: null,
    software: null,
    duplicates: 0,
    received: 0,
  };
}
