import { KhuXanhError } from "../../core/errors.ts";
import type { Clock, Log } from "../../core/ports.ts";
import { isEpoch, MetricName } from "../../core/wire/ack.ts";
import { DataMessage } from "../../core/wire/dataMessage.ts";
import {
  DataType,
  decodePayload,
  encodePayload,
  type Metric,
  valueOf as metricValue,
  type Payload,
  type PayloadHead,
} from "../../core/wire/payload.ts";
import type { DeviceTopic, NodeTopic, Topic } from "../../core/wire/topics.ts";
import { NODE_DEVICE, SESSIONS_TOO_MANY, type ZoneStore } from "../store/store.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Confirmations } from "./confirmations.ts";
import type { Epochs } from "./epochs.ts";
import { inflated, openInflated } from "./inflate.ts";
import { deviceIntake, nodeIntake } from "./intake.ts";
import type { Node, Nodes } from "./nodes.ts";
import type { Outcomes } from "./outcomes.ts";
import { valuesOfBirth } from "./plain.ts";
import {
  bornMetrics,
  bornOf,
  deviceSession,
  integerOf,
  liveValues,
  type NodeSession,
  showBorn,
  showContent,
  textOf,
} from "./session.ts";
import { SESSIONS_MS } from "./sessionWatch.ts";

/** Of a message that cannot be decoded this much is kept; the reason is in the beginning. */
const DEAD_LETTER_BYTES_MAX = 64 * 1024;

export interface MessagesOptions {
  readonly zone: string;
  readonly store: Pick<ZoneStore, "putBirth" | "putAlarm">;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodes: Nodes;
  readonly epochs: Epochs;
  readonly confirmations: Confirmations;
  readonly outcomes: Outcomes;
  readonly arrivals: Arrivals;
  /** What the API shows changed. */
  readonly onChanged: () => void;
}

/** What each message of a gateway means: births and deaths of nodes and devices, and data in the session they belong to. */
export class Messages {
  readonly #o: MessagesOptions;
  /** The data message at hand. */
  readonly #data = new DataMessage();
  received = 0;

  constructor(options: MessagesOptions) {
    this.#o = options;
  }

  take(topic: Topic, bytes: Uint8Array, topicText: string): void {
    if (topic.kind === "STATE" || topic.kind === "NCMD" || topic.kind === "DCMD" || topic.group !== this.#o.zone)
      return;
    this.received += 1;
    const node = this.#o.nodes.of(topic);
    if (topic.kind === "DDATA") {
      const head = this.#opened(node, bytes, topicText);
      if (head === null) return;
      this.#noteSent(node, topic.kind, head);
      return this.#onDeviceData(node, topic.device, bytes, topicText);
    }
    const payload = this.#decoded(node, bytes, topicText);
    if (payload === null) return;
    this.#noteSent(node, topic.kind, payload);
    this.#dispatch(topic, node, payload, bytes, topicText);
  }

  /** A data message is read in place; null: it cannot be, and was set aside. */
  #opened(node: Node, bytes: Uint8Array, topicText: string): PayloadHead | null {
    try {
      return openInflated(this.#data, bytes);
    } catch (error) {
      return this.#undecodable(node, bytes, topicText, error);
    }
  }

  #decoded(node: Node, bytes: Uint8Array, topicText: string): Payload | null {
    try {
      return inflated(decodePayload(bytes));
    } catch (error) {
      return this.#undecodable(node, bytes, topicText, error);
    }
  }

  #undecodable({ gateway }: Node, bytes: Uint8Array, topicText: string, error: unknown): null {
    const why = error instanceof KhuXanhError ? error.message : String(error);
    this.#o.log.warn("collector.undecodable", { topic: topicText, why });
    const payload = bytes.subarray(0, DEAD_LETTER_BYTES_MAX);
    this.#o.outcomes.setAside({ gateway, topic: topicText, why, payload, content: null }, null);
    this.#o.confirmations.askRebirth(gateway);
    return null;
  }

  #noteSent(node: Node, kind: Topic["kind"], { timestamp_ms, seq }: PayloadHead): void {
    this.#o.nodes.seen(node, timestamp_ms, kind !== "NDEATH");
    if (seq !== undefined && kind !== "NBIRTH") node.seq.came(seq, this.#o.clock.mono_ms());
  }

  #dispatch(topic: NodeTopic | DeviceTopic, node: Node, payload: Payload, bytes: Uint8Array, topicText: string): void {
    switch (topic.kind) {
      case "NBIRTH":
        return this.#onNodeBirth(node, payload);
      case "NDEATH":
        return this.#onNodeDeath(node, payload.metrics);
      case "NDATA":
        return this.#onNodeData(node, payload, bytes, topicText);
      case "DBIRTH":
        return this.#onDeviceBirth(node, topic.device, payload);
      case "DDEATH":
        return this.#onDeviceDeath(node, topic.device, payload);
    }
  }

  #onNodeBirth(node: Node, { metrics, seq, timestamp_ms }: Payload): void {
    const { gateway, row } = node;
    const bdSeq = integerOf(metrics, MetricName.bdSeq, DataType.Int64);
    if (bdSeq === null) {
      const why = "a node birth without bdSeq";
      this.#o.outcomes.setAside(
        { gateway, topic: "NBIRTH", why, payload: encodePayload({ metrics }), content: null },
        null,
      );
      return;
    }
    const epochText = textOf(metrics, MetricName.deliveryEpoch);
    const epoch = epochText !== null && isEpoch(epochText) ? epochText : null;
    const born = bornMetrics(metrics);
    const birthId = this.#o.store.putBirth({ gateway, epoch: epoch ?? "", device: NODE_DEVICE, metrics: born }, null);
    // Another epoch is another journal with other aliases: what was born before says nothing about it.
    const previous = node.session?.epoch === epoch ? node.session?.devices : undefined;
    const now_ms = this.#o.clock.now_ms();
    node.session = {
      gateway,
      bdSeq,
      epoch,
      site: textOf(metrics, "Properties/Site"),
      software: textOf(metrics, "Properties/Software"),
      self: deviceSession(NODE_DEVICE, birthId, born),
      devices: new Map(),
      isOnline: true,
    };
    // Devices stay known, but stale, until their own birth of this session.
    for (const [id, device] of previous ?? []) {
      node.session.devices.set(id, { ...device, isAlive: false, staleSince_ms: device.staleSince_ms ?? now_ms });
    }
    node.seq.born(seq ?? 0);
    this.#watchSessions(node, bdSeq);
    Object.assign(row, {
      epoch,
      bdSeq,
      bornAt_ms: now_ms,
      software: node.session.software,
      pending: integerOf(metrics, MetricName.deliveryPending, DataType.Int64),
      oldestPending_ms: integerOf(metrics, MetricName.deliveryOldest, DataType.DateTime),
    });
    this.#o.nodes.setOnline(node);
    if (epoch !== null) {
      const { epochs } = this.#o;
      this.#o.confirmations.born(gateway, epoch, {
        highest: () => epochs.highest(gateway, epoch),
        missing: () => epochs.missing(gateway, epoch),
      });
    } else {
      this.#sayForeign(node);
      this.#o.arrivals.keepPlain(gateway, node.session.self, valuesOfBirth(metrics), timestamp_ms);
    }
    this.#o.log.info("collector.node-born", { ...gateway, bdSeq, epoch });
    this.#o.onChanged();
  }

  #watchSessions({ gateway, sessions: watch }: Node, bdSeq: number): void {
    const { clock, log, store } = this.#o;
    const sessions = watch.born(bdSeq, clock.mono_ms());
    if (sessions === null) return;
    log.warn("collector.sessions-too-many", { ...gateway, sessions, within_ms: SESSIONS_MS, code: SESSIONS_TOO_MANY });
    const detail = { sessions, within_ms: SESSIONS_MS };
    store.putAlarm({ code: SESSIONS_TOO_MANY, gateway, device: null, at_ms: clock.now_ms(), detail });
  }

  #sayForeign(node: Node): void {
    if (node.isForeignSaid) return;
    node.isForeignSaid = true;
    const why = "it does not number batches: stored by metric and time, readable under /readings, not booked";
    this.#o.log.warn("collector.foreign-node", { ...node.gateway, why });
  }

  #onNodeDeath(node: Node, metrics: readonly Metric[]): void {
    const bdSeq = integerOf(metrics, MetricName.bdSeq, DataType.Int64);
    if (node.session === null || bdSeq !== node.session.bdSeq) return;
    if (this.#o.nodes.setOffline(node, "offline")) this.#o.onChanged();
    this.#o.confirmations.died(node.gateway);
    this.#o.log.info("collector.node-dead", { ...node.gateway, bdSeq });
  }

  /**
   * The session that a message belongs to. After a death only a birth begins the next one: if that was lost, numbers and
   * aliases may be those of another epoch, and what comes is not to be read as of the old one.
   */
  #bornSession(node: Node): NodeSession | null {
    if (node.session?.isOnline === true) return node.session;
    this.#o.confirmations.askRebirth(node.gateway);
    return null;
  }

  #onNodeData(node: Node, payload: Payload, bytes: Uint8Array, topicText: string): void {
    const session = this.#bornSession(node);
    if (session === null) return;
    const { epoch } = session;
    if (epoch === null) return this.#o.arrivals.takePlain(node, session.self, payload, topicText);
    this.#notePending(node, session, payload.metrics);
    const intake = nodeIntake(session, payload, this.#o.clock.now_ms());
    if (intake !== null) this.#o.arrivals.take(node, epoch, intake, NODE_DEVICE, bytes, topicText);
  }

  #notePending({ row }: Node, { self }: NodeSession, metrics: readonly Metric[]): void {
    for (const metric of metrics) {
      const name = bornOf(self, metric)?.born.name;
      if (name === MetricName.deliveryPending) row.pending = Number(metricValue(metric, DataType.Int64));
      if (name === MetricName.deliveryOldest) {
        row.oldestPending_ms = metricValue(metric, DataType.DateTime) as number | null;
      }
    }
  }

  #onDeviceBirth(node: Node, device: string, { metrics, timestamp_ms }: Payload): void {
    const session = this.#bornSession(node);
    if (session === null) return;
    const born = bornMetrics(metrics);
    const birth = { gateway: session.gateway, epoch: session.epoch ?? "", device, metrics: born };
    const before = session.devices.get(device);
    const draft = deviceSession(device, 0, born, before === undefined ? undefined : liveValues(before));
    const { profile } = draft;
    const meter = profile === null ? null : { gateway: session.gateway, ...profile };
    const added = { ...draft, birthId: this.#o.store.putBirth(birth, meter) };
    session.devices.set(device, added);
    node.births += 1;
    for (const metric of metrics) showBorn(added, metric);
    if (session.epoch === null) this.#o.arrivals.keepPlain(node.gateway, added, valuesOfBirth(metrics), timestamp_ms);
    this.#o.onChanged();
  }

  #onDeviceDeath(node: Node, device: string, payload: Payload): void {
    const session = this.#bornSession(node);
    if (session === null) return;
    const dead = session.devices.get(device);
    if (dead === undefined) return;
    dead.isAlive = false;
    dead.staleSince_ms = payload.timestamp_ms ?? this.#o.clock.now_ms();
    this.#o.onChanged();
  }

  /** Of the message that is open. */
  #onDeviceData(node: Node, device: string, bytes: Uint8Array, topicText: string): void {
    const session = this.#bornSession(node);
    if (session === null) return;
    const born = session.devices.get(device);
    const { epoch } = session;
    if (born === undefined || born.birthId === 0) {
      // A gateway that waits for its ack sends it again.
      if (epoch === null) this.#o.arrivals.setAsideUnborn(node, device, bytes, topicText);
      return this.#o.confirmations.askRebirth(node.gateway);
    }
    if (epoch === null) return this.#o.arrivals.takePlain(node, born, this.#data.payload(), topicText);
    const intake = deviceIntake(born, this.#data, this.#o.clock.now_ms());
    if (intake.kind === "batch" || intake.kind === "plain") {
      if (intake.content !== null) showContent(intake.content, this.#data);
      this.#o.onChanged();
    }
    this.#o.arrivals.take(node, epoch, intake, device, bytes, topicText);
  }
}
