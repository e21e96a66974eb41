import type { Cancel } from "../../core/ports.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import type { Stream } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import { levelsMatch, levelsOf, matchesFilter } from "./topicFilter.ts";
import type { Trace } from "./trace.ts";

/**
 * An MQTT 3.1.1 broker in virtual time, as far as Sparkplug needs one: clean sessions, QoS 0 and 1, retained messages,
 * wills, wildcards, take-over by client id, keep-alive. It misbehaves on demand: it loses, doubles and delays QoS 0
 * messages, and one that goes to a slow subscriber overflows its queue.
 *
 * Limits   {@link QUEUE_MAX} messages wait for a slow subscriber; beyond it QoS 0 messages are dropped, as brokers do.
 */
export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** Shares of QoS 0 messages, 0…1, drawn anew for each message on its way in and on its way out. */
export interface BrokerFaults {
  lost: number;
  doubled: number;
  /** Delivered late, so that others overtake it. */
  reordered: number;
}

/** The broker's side of a connection; the client's side is `mqttClient.ts`. */
export interface Peer {
  readonly clientId: string;
  readonly keepalive_ms: number;
  readonly will: Message | null;
  /** Towards the client; `late_ms` later than it would be, and overtaken by others, if that is not 0. */
  deliver(message: Message, late_ms: number): void;
  /** The broker closes the connection. */
  close(): void;
}

interface Session {
  readonly peer: Peer;
  readonly filters: Map<string, Subscription>;
  heard_ms: number;
  cancelWatch: Cancel;
  /** What waits for a slow subscriber, oldest first; it is busy with the first. */
  queue: { readonly message: Message; readonly late_ms: number }[];
}

interface Subscription {
  readonly levels: readonly string[];
  readonly qos: 0 | 1;
}

/** Who gets messages of a topic, and how at most. */
interface Route {
  readonly session: Session;
  readonly qos: 0 | 1;
}

const QUEUE_MAX = 1000;
const TOPICS_MAX = 10_000;
const REORDER_MAX_MS = 2000;
/** MQTT-3.1.2-24: one and a half times the keep-alive without a packet, and the client is gone. */
const KEEPALIVE_FACTOR = 1.5;

export class SimBroker {
  readonly faults: BrokerFaults = { lost: 0, doubled: 0, reordered: 0 };
  /** ms per message that a client of this id takes; absent = as fast as they come. */
  readonly slow_ms = new Map<string, number>();
  readonly counts = { published: 0, delivered: 0, lost: 0, doubled: 0, reordered: 0, overflowed: 0 };
  readonly #scheduler: Scheduler;
  readonly #random: Stream;
  readonly #trace: Trace;
  readonly #sessions = new Map<string, Session>();
  readonly #retained = new Map<string, Message>();
  /** By topic, the same few again and again, as long as nobody comes, goes or subscribes. */
  readonly #routes = new Map<string, readonly Route[]>();
  #isUp = true;

  constructor(scheduler: Scheduler, random: Stream, trace: Trace) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#trace = trace;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Stops; with it go all sessions, their wills, and the retained messages unless they are on disk. */
  stop({
    how,
    keepsRetained,
  }: {
    readonly how: "process-killed" | "power-cut";
    readonly keepsRetained: boolean;
  }): void {
    this.#trace.note(`broker stops (${how}, retained ${keepsRetained ? "kept" : "lost"})`);
    this.#isUp = false;
    for (const session of this.#sessions.values()) {
      session.cancelWatch();
      if (how === "process-killed") session.peer.close();
    }
    this.#sessions.clear();
    this.#routes.clear();
    if (!keepsRetained) this.#retained.clear();
  }

  start(): void {
    this.#trace.note("broker starts");
    this.#isUp = true;
  }

  /** CONNECT: an older session of the same client is taken over. */
  connect(peer: Peer): void {
    const { clientId } = peer;
    this.#trace.note(`connect ${clientId}`);
    const older = this.#sessions.get(clientId);
    if (older !== undefined) {
      this.#end(older, "taken over");
      older.peer.close();
    }
    const now_ms = this.#scheduler.now_ms;
    const session: Session = {
      peer,
      filters: new Map(),
      heard_ms: now_ms,
      cancelWatch: () => {},
      queue: [],
    };
    this.#sessions.set(clientId, session);
    this.#watch(session);
  }

  /** SUBSCRIBE; retained messages follow. */
  subscribe(peer: Peer, filters: readonly { readonly filter: string; readonly qos: 0 | 1 }[]): void {
    const session = this.#heard(peer);
    if (session === undefined) return;
    for (const { filter, qos } of filters) session.filters.set(filter, { levels: levelsOf(filter), qos });
    this.#routes.clear();
    for (const message of this.#retained.values()) {
      const granted = filters.filter(({ filter }) => matchesFilter(filter, message.topic));
      if (granted.length === 0) continue;
      const qos = Math.min(message.qos, Math.max(...granted.map((one) => one.qos))) as 0 | 1;
      this.#deliver(session, { ...message, qos });
    }
  }

  /** PUBLISH. @returns whether the sender is still connected, and so gets its PUBACK. */
  publish(peer: Peer, message: Message): boolean {
    if (this.#heard(peer) === undefined) return false;
    this.#take(message);
    return true;
  }

  ping(peer: Peer): boolean {
    return this.#heard(peer) !== undefined;
  }

  /** DISCONNECT: the will is dropped. */
  disconnect(peer: Peer): void {
    const session = this.#heard(peer);
    if (session === undefined) return;
    this.#trace.note(`disconnect ${peer.clientId}`);
    this.#drop(session);
  }

  /** The connection broke without DISCONNECT. */
  broken(peer: Peer): void {
    const session = this.#sessions.get(peer.clientId);
    if (session?.peer === peer) this.#end(session, "connection broken");
  }

  #heard(peer: Peer): Session | undefined {
    const session = this.#sessions.get(peer.clientId);
    if (session?.peer !== peer) return undefined;
    session.heard_ms = this.#scheduler.now_ms;
    return session;
  }

  #watch(session: Session): void {
    const limit_ms = session.peer.keepalive_ms * KEEPALIVE_FACTOR;
    if (!(limit_ms > 0)) return;
    const { heard_ms } = session;
    session.cancelWatch = this.#scheduler.at(heard_ms + limit_ms, () => {
      if (session.heard_ms > heard_ms) return this.#watch(session);
      this.#end(session, "keep-alive");
      session.peer.close();
    });
  }

  #drop(session: Session): void {
    session.cancelWatch();
    session.queue = [];
    this.#sessions.delete(session.peer.clientId);
    this.#routes.clear();
  }

  #end(session: Session, why: string): void {
    this.#trace.note(`session of ${session.peer.clientId} ends: ${why}`);
    this.#drop(session);
    if (session.peer.will !== null) this.#take(session.peer.will);
  }

  #take(message: Message): void {
    this.counts.published += 1;
    const { topic, payload, qos, retain } = message;
    const about = ` qos ${qos}${retain ? " retained" : ""} ${payload.length} ${crc32c(payload)}`;
    this.#trace.note("publish ", topic, about);
    if (message.retain) {
      if (message.payload.length === 0) this.#retained.delete(message.topic);
      else this.#retained.set(message.topic, message);
    }
    if (message.qos === 0 && this.#random.chance(this.faults.lost)) {
      this.counts.lost += 1;
      this.#trace.note(`lost on its way in: ${message.topic}`);
      return;
    }
    // Who is subscribed already gets it as an ordinary message, not as a retained one [MQTT-3.3.1-9].
    const live = retain ? { ...message, retain: false } : message;
    for (const { session, qos: granted } of this.#routesOf(topic)) {
      this.#deliver(session, granted < qos ? { ...live, qos: granted } : live);
    }
  }

  #routesOf(topic: string): readonly Route[] {
    let routes = this.#routes.get(topic);
    if (routes === undefined) {
      if (this.#routes.size >= TOPICS_MAX) this.#routes.clear();
      const levels = levelsOf(topic);
      routes = [...this.#sessions.values()].flatMap((session): Route[] => {
        const qos = grantedQos(session, levels);
        return qos === null ? [] : [{ session, qos }];
      });
      this.#routes.set(topic, routes);
    }
    return routes;
  }

  #deliver(session: Session, message: Message): void {
    if (message.qos === 0 && this.#random.chance(this.faults.lost)) {
      this.counts.lost += 1;
      this.#trace.note(`lost on its way to ${session.peer.clientId}: ${message.topic}`);
      return;
    }
    this.#send(session, message);
    if (message.qos === 0 && this.#random.chance(this.faults.doubled)) {
      this.counts.doubled += 1;
      this.#send(session, message);
    }
  }

  #send(session: Session, message: Message): void {
    const { queue, peer } = session;
    const isWaiting = queue.length > 0 || this.slow_ms.has(peer.clientId);
    if (isWaiting && queue.length >= QUEUE_MAX && message.qos === 0) {
      this.counts.overflowed += 1;
      this.#trace.note(`queue of ${peer.clientId} is full: ${message.topic}`);
      return;
    }
    this.counts.delivered += 1;
    this.#trace.note("to ", peer.clientId, ": ", message.topic);
    const isLate = message.qos === 0 && this.#random.chance(this.faults.reordered);
    if (isLate) this.counts.reordered += 1;
    const late_ms = isLate ? this.#random.between(1, REORDER_MAX_MS) : 0;
    if (!isWaiting) {
      peer.deliver(message, late_ms);
      return;
    }
    queue.push({ message, late_ms });
    if (queue.length === 1) this.#serve(session);
  }

  /** Delivers what waits, as fast as the subscriber takes it by then: one that is slow no longer catches up. */
  #serve(session: Session): void {
    this.#scheduler.after(this.slow_ms.get(session.peer.clientId) ?? 0, () => {
      const first = session.queue.shift();
      if (first === undefined) return;
      session.peer.deliver(first.message, first.late_ms);
      if (session.queue.length > 0) this.#serve(session);
    });
  }
}

/** The highest QoS of the subscriptions that a topic matches; null = none of them. */
function grantedQos({ filters }: Session, topic: readonly string[]): 0 | 1 | null {
  let granted: 0 | 1 | null = null;
  for (const { levels, qos } of filters.values()) {
    if (granted !== 1 && levelsMatch(levels, topic)) granted = qos;
  }
  return granted;
}
