import { KhuXanhError } from "../../core/errors.ts";
import type { MqttConnect, MqttConnector, MqttLink } from "../../core/ports.ts";
import { decodePayload, type Payload } from "../../core/wire/payload.ts";
import { parseTopic, type Topic } from "../../core/wire/topics.ts";

/**
 * An MQTT broker in memory that writes down every packet of its clients in the order it got them. What is retained reaches a
 * subscriber before its SUBACK: brokers may do that, and it is the harder case.
 */
export type Packet =
  | { readonly kind: "CONNECT"; readonly connect: MqttConnect; readonly client: number; readonly at_ms: number }
  | { readonly kind: "SUBSCRIBE"; readonly filters: readonly Filter[]; readonly client: number }
  | { readonly kind: "SUBACK"; readonly client: number }
  | Publish
  | { readonly kind: "DISCONNECT"; readonly client: number }
  | { readonly kind: "CUT"; readonly client: number };

export interface Publish {
  readonly kind: "PUBLISH";
  /** Which CONNECT it came through; 0: from the test. */
  readonly client: number;
  readonly isWill: boolean;
  readonly topicText: string;
  readonly topic: Topic;
  readonly bytes: Uint8Array;
  /** Empty for STATE, which is no protobuf. */
  readonly payload: Payload;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly at_ms: number;
}

interface Filter {
  readonly filter: string;
  readonly qos: 0 | 1;
}

interface Session {
  readonly client: number;
  readonly connect: MqttConnect;
  readonly filters: string[];
  isOpen: boolean;
}

export class RecordedBroker {
  readonly packets: Packet[] = [];
  readonly #now_ms: () => number;
  readonly #sessions: Session[] = [];
  readonly #retained = new Map<string, Uint8Array>();
  isReachable = true;

  constructor(now_ms: () => number) {
    this.#now_ms = now_ms;
  }

  readonly connector: MqttConnector = {
    connect: async (connect) => {
      if (!this.isReachable) throw new KhuXanhError("BROKER_UNREACHABLE", "no broker", { hint: "Wait." });
      const session: Session = { client: this.#sessions.length + 1, connect, filters: [], isOpen: true };
      this.#sessions.push(session);
      this.packets.push({ kind: "CONNECT", connect, client: session.client, at_ms: this.#now_ms() });
      return this.#link(session);
    },
  };

  /** Somebody else publishes: the test in the part of a host or of a gateway. */
  publish(topic: string, bytes: Uint8Array, { qos = 0, retain = false }: { qos?: 0 | 1; retain?: boolean } = {}): void {
    this.#publish(0, topic, bytes, qos, retain, false);
  }

  /** The connection breaks: the client hears of it, the broker publishes the will. */
  cut(client: number): void {
    const session = this.#sessions[client - 1]!;
    this.packets.push({ kind: "CUT", client });
    this.#close(session, true);
    session.connect.onClose("cut");
  }

  retained(topic: string): Uint8Array | undefined {
    return this.#retained.get(topic);
  }

  #link(session: Session): MqttLink {
    const { client, connect } = session;
    return {
      publish: async (topic, payload, { qos, retain }) => {
        if (!session.isOpen) throw new Error("the connection is closed");
        this.#publish(client, topic, payload, qos, retain, false);
      },
      subscribe: async (filters) => {
        this.packets.push({ kind: "SUBSCRIBE", filters, client });
        session.filters.push(...filters.map(({ filter }) => filter));
        for (const [topic, bytes] of this.#retained) {
          if (filters.some(({ filter }) => matches(filter, topic))) connect.onMessage(topic, bytes);
        }
        await Promise.resolve();
        this.packets.push({ kind: "SUBACK", client });
      },
      end: async () => {
        if (session.isOpen) this.packets.push({ kind: "DISCONNECT", client });
        this.#close(session, false);
      },
      destroy: () => {
        if (session.isOpen) queueMicrotask(() => connect.onClose("destroyed"));
        this.#close(session, true);
      },
    };
  }

  #close(session: Session, withWill: boolean): void {
    if (!session.isOpen) return;
    session.isOpen = false;
    const { topic, payload, qos, retain } = session.connect.will;
    if (withWill) this.#publish(session.client, topic, payload, qos, retain, true);
  }

  #publish(client: number, topicText: string, bytes: Uint8Array, qos: 0 | 1, retain: boolean, isWill: boolean): void {
    const topic = parseTopic(topicText);
    if (topic === null) throw new Error(`no Sparkplug topic: ${topicText}`);
    const payload = topic.kind === "STATE" ? { metrics: [] } : decodePayload(bytes);
    const at_ms = this.#now_ms();
    this.packets.push({ kind: "PUBLISH", client, isWill, topicText, topic, bytes, payload, qos, retain, at_ms });
    if (retain) this.#retained.set(topicText, bytes);
    for (const session of this.#sessions) {
      if (session.isOpen && session.filters.some((filter) => matches(filter, topicText))) {
        queueMicrotask(() => session.connect.onMessage(topicText, bytes));
      }
    }
  }
}

function matches(filter: string, topic: string): boolean {
  const levels = topic.split("/");
  const wanted = filter.split("/");
  return (
    wanted.every((level, i) => level === "#" || (i < levels.length && (level === "+" || level === levels[i]))) &&
    (wanted.at(-1) === "#" || wanted.length === levels.length)
  );
}
