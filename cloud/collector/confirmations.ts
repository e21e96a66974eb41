import type { Cancel, Clock, Random, Timers } from "../../core/ports.ts";
import { ackMetric, formatAcks, formatHello, formatMissing, nodeCommand, rebirthMetric } from "../../core/wire/ack.ts";
import { encodePayload, type Metric } from "../../core/wire/payload.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import { topicOf } from "../../core/wire/topics.ts";
import { BATCH_NUMBER_MAX, type GatewayKey } from "../store/store.ts";
import { GatewayMap } from "./gatewayMap.ts";

/**
 * What is said to the gateways: which batches are committed, up to where, that a birth is wanted. All of it
 * is NCMD at QoS 0 and may be lost: acks are repeated for every duplicate, hellos until the first ack, what is missing as long as it is, objections for every
 * batch that calls for one, and a birth is asked for again by the next message that needs it.
 */
export interface ConfirmationsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly isConnected: () => boolean;
  readonly publish: (topic: string, payload: Uint8Array) => void;
  readonly onRebirthAsked: (gateway: GatewayKey) => void;
}

/** So many numbers are acked at once; fewer wait for {@link ACK_MS}, which the collector's timer keeps. */
export const ACK_NUMBERS = 32;
export const ACK_MS = 500;
export const HELLO_MS = 30_000;
/**
 * A number that comes with other content than is held under it: the node is told so at most once in this time, and so often
 * in one epoch. One that does not understand gets its batch confirmed: it is in quarantine, and would come for ever.
 */
export const OBJECTION_MS = 5_000;
export const OBJECTIONS_MAX = 5;
/** At most one request for a birth per node in this time. */
const REBIRTH_MS = 5_000;
/** A whole zone that comes back at once is not answered at once. */
const JITTER_MS = 500;
/** Texts of missing numbers said at once, the oldest; the others when these have come. */
const MISSING_TEXTS_MAX = 8;
/** Ranges waiting for an ack; beyond it they go out at once. */
const RANGES_MAX = 1000;

/** The numbers of one epoch: the highest that is held, and which below it are neither held nor known lost, ascending. */
export interface HeldNumbers {
  highest(): number;
  missing(): readonly BatchRange[];
}

const NOTHING_HELD: HeldNumbers = { highest: () => 0, missing: () => [] };

interface NodeWords {
  readonly gateway: GatewayKey;
  /** Null until a birth says it. */
  epoch: string | null;
  toAck: BatchRanges;
  hasGreeted: boolean;
  hasAcked: boolean;
  /** How often this epoch's numbers were objected to, and when last. */
  objections: number;
  objected_ms: number;
  isOnline: boolean;
  held: HeldNumbers;
  rebirthAsked_ms: number;
  cancelHello: Cancel;
  cancelRebirth: Cancel;
}

const NO_OBJECTIONS = { objections: 0, objected_ms: Number.NEGATIVE_INFINITY } as const;

export class Confirmations {
  readonly #o: ConfirmationsOptions;
  readonly #nodes = new GatewayMap<NodeWords>();

  constructor(options: ConfirmationsOptions) {
    this.#o = options;
  }

  /** A node that speaks acks was born: hello. @param held what there is of its epoch when it is said */
  born(gateway: GatewayKey, epoch: string, held: HeldNumbers): void {
    const node = this.#node(gateway);
    if (node.epoch !== epoch) Object.assign(node, { toAck: new BatchRanges(), ...NO_OBJECTIONS });
    Object.assign(node, { epoch, held, hasGreeted: false, hasAcked: false, isOnline: true });
    node.cancelHello();
    node.cancelHello = this.#soon(() => this.#sayHello(node));
    // A birth answers whatever was about to be asked.
    node.cancelRebirth();
  }

  died(gateway: GatewayKey): void {
    this.#node(gateway).isOnline = false;
  }

  /** To be named in the next ack; a batch of an epoch that is over is nobody's to confirm any more. */
  ack(gateway: GatewayKey, epoch: string, number: number): void {
    const node = this.#node(gateway);
    if (epoch !== node.epoch) return;
    node.toAck.add(number);
    if (node.toAck.ranges >= RANGES_MAX) this.#flush(node);
  }

  /**
   * A batch came under a number that is held with other content: the node's journal went back in time, and confirming the
   * number would make it drop what nobody holds. It is told that no number of this epoch is free, whatever it has come to
   * since, and sends anew, under another epoch, what is not confirmed (reference sparkplug §17: journal went back).
   */
  contest(gateway: GatewayKey, epoch: string, number: number): void {
    const node = this.#node(gateway);
    if (epoch !== node.epoch || !this.#o.isConnected()) return;
    const now_ms = this.#o.clock.mono_ms();
    if (now_ms - node.objected_ms < OBJECTION_MS) return;
    if (node.objections >= OBJECTIONS_MAX) return this.ack(gateway, epoch, number);
    node.objections += 1;
    node.objected_ms = now_ms;
    this.#say(node, ackMetric(this.#o.clock.now_ms(), formatHello(epoch, BATCH_NUMBER_MAX)));
  }

  /** Nodes with much to confirm; called after every commit. */
  flushMany(): void {
    for (const node of this.#nodes.values()) if (node.toAck.count >= ACK_NUMBERS) this.#flush(node);
  }

  /** @returns how many nodes still wait to be told, because there is no connection. */
  flushAll(): number {
    let waiting = 0;
    for (const node of this.#nodes.values()) {
      this.#flush(node);
      if (node.toAck.count > 0 && node.epoch !== null) waiting += 1;
    }
    return waiting;
  }

  sayHellos(): void {
    for (const node of this.#nodes.values()) {
      if (!node.isOnline) continue;
      if (node.hasAcked) this.#sayMissing(node);
      else this.#sayHello(node);
    }
  }

  askRebirth(gateway: GatewayKey): void {
    const node = this.#node(gateway);
    const now_ms = this.#o.clock.mono_ms();
    if (now_ms - node.rebirthAsked_ms < REBIRTH_MS) return;
    node.rebirthAsked_ms = now_ms;
    node.cancelRebirth = this.#soon(() => {
      this.#o.onRebirthAsked(gateway);
      this.#say(node, rebirthMetric(this.#o.clock.now_ms()));
    });
  }

  stop(): void {
    for (const node of this.#nodes.values()) {
      node.cancelHello();
      node.cancelRebirth();
    }
  }

  #flush(node: NodeWords): void {
    const { toAck, epoch } = node;
    if (toAck.count === 0 || epoch === null || !this.#o.isConnected()) return;
    node.toAck = new BatchRanges();
    node.hasAcked = true;
    for (const text of formatAcks(epoch, toAck.toRanges())) this.#say(node, ackMetric(this.#o.clock.now_ms(), text));
    // In the same breath, and after it: what is held is not sent again should the hello make the node begin a new epoch.
    if (!node.hasGreeted) this.#sayHello(node);
  }

  /** Also the only way for a node to learn that its journal went back: no session goes without. */
  #sayHello(node: NodeWords): void {
    if (node.epoch === null) return;
    node.hasGreeted = true;
    node.cancelHello();
    this.#say(node, ackMetric(this.#o.clock.now_ms(), formatHello(node.epoch, node.held.highest())));
    this.#sayMissing(node);
  }

  /** What the node took for confirmed among them it sends again (`decisions/009`). */
  #sayMissing(node: NodeWords): void {
    if (node.epoch === null || !this.#o.isConnected()) return;
    const texts = formatMissing(node.epoch, node.held.missing()).slice(0, MISSING_TEXTS_MAX);
    for (const text of texts) this.#say(node, ackMetric(this.#o.clock.now_ms(), text));
  }

  #say({ gateway }: NodeWords, metric: Metric): void {
    const payload = encodePayload(nodeCommand(this.#o.clock.now_ms(), [metric]));
    this.#o.publish(topicOf({ kind: "NCMD", ...gateway }), payload);
  }

  #soon(run: () => void): Cancel {
    return this.#o.timers.after(JITTER_MS * this.#o.random.unit(), run);
  }

  #node(gateway: GatewayKey): NodeWords {
    let node = this.#nodes.get(gateway);
    if (node === undefined) {
      node = {
        gateway,
        epoch: null,
        toAck: new BatchRanges(),
        hasGreeted: false,
        hasAcked: false,
        ...NO_OBJECTIONS,
        isOnline: false,
        held: NOTHING_HELD,
        rebirthAsked_ms: Number.NEGATIVE_INFINITY,
        cancelHello: () => {},
        cancelRebirth: () => {},
      };
      this.#nodes.set(gateway, node);
    }
    return node;
  }
}
