import type { EmissionFactor } from "../../core/emission/factor.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { type Clock, type Log, type MqttConnector, OnDemand, type Random, type Timers } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { isEpoch, MetricName } from "../../core/wire/ack.ts";
import {
  DataType,
  decodePayload,
  encodePayload,
  type Metric,
  valueOf as metricValue,
  type Payload,
} from "../../core/wire/payload.ts";
import type { DeviceTopic, NodeTopic, Topic } from "../../core/wire/topics.ts";
import {
  type BatchOutcome,
  type DeadLetter,
  type GatewayKey,
  type NewBatch,
  NODE_DEVICE,
  SESSIONS_TOO_MANY,
  type ZoneStore,
} from "../store/store.ts";
import { BirthReader } from "./births.ts";
import { COMMIT_MS, Commits } from "./commits.ts";
import { ACK_MS, Confirmations, HELLO_MS } from "./confirmations.ts";
import { Epochs } from "./epochs.ts";
import { HostSession } from "./hostSession.ts";
import { inflated } from "./inflate.ts";
import { deviceIntake, type Intake, nodeIntake } from "./intake.ts";
import type { LiveMeter, LiveView } from "./live.ts";
import { type Node, Nodes } from "./nodes.ts";
import { NOT_ANNOUNCED, PlainMessages, plainIntake, valuesOfBirth } from "./plain.ts";
import { Restater } from "./restater.ts";
import {
  bornMetrics,
  bornOf,
  type DeviceSession,
  deviceSession,
  integerOf,
  liveValues,
  type NodeSession,
  showBorn,
  showLive,
  textOf,
} from "./session.ts";
import { SESSIONS_MS } from "./sessionWatch.ts";
import { VERIFY_MS, Verifier } from "./verifier.ts";

/**
 * The collector: the zone's primary Sparkplug host. It decodes what the gateways send, commits it, and only then confirms it.
 *
 * commit    `commits.ts`: one synced transaction of many batches
 * confirm   `confirmations.ts`: right after the commit of many, within half a second of a few; duplicates again
 * rebirth   asked for when data cannot be read for want of a birth
 * order     everything is stored whatever its order. With a reorder timeout, a gap in `seq` that stays open asks for a birth
 */
export interface CollectorOptions {
  readonly hostId: string;
  readonly zone: string;
  readonly connect: { readonly url: string; readonly username?: string; readonly password?: string };
  readonly connector: MqttConnector;
  readonly store: ZoneStore;
  readonly factors: readonly EmissionFactor[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** How long a gap in a node's `seq` may stay open before a birth is asked for; 0 (when left out) = for ever. */
  readonly reorderTimeout_ms?: number;
}

/** Of a message that cannot be decoded this much is kept; the reason is in the beginning. */
const DEAD_LETTER_BYTES_MAX = 64 * 1024;
const GATEWAY_ROW_MS = 5_000;
const NOTIFY_MS = 250;
const REORDER_CHECK_MS = 250;
/** Batches of one gateway remembered as unexplained by any birth; beyond it the oldest are forgotten, and asked about again. */
const UNEXPLAINED_MAX = 1_000;

type Unusable = Omit<DeadLetter, "at_ms" | "code" | "batch">;

/** Each is armed when there is something for it, and by nothing else: an idle collector sleeps. */
interface Wakes {
  readonly commit: OnDemand;
  readonly ack: OnDemand;
  readonly verify: OnDemand;
  readonly notify: OnDemand;
}

export class Collector implements LiveView {
  readonly #o: CollectorOptions;
  readonly #nodes: Nodes;
  readonly #host: HostSession;
  readonly #commits: Commits;
  readonly #plain: PlainMessages;
  readonly #confirmations: Confirmations;
  readonly #epochs: Epochs;
  readonly #verifier: Verifier;
  readonly #restater: Restater;
  readonly #listeners = new Set<() => void>();
  #booksTo_ms: EpochMs | null = null;
  /** While it runs: what wakes it up when there is something to do. */
  #wakes: Wakes | null = null;
  readonly #counts = { messages: 0, malformed: 0, committed: 0, duplicates: 0, differing: 0, foreign: 0 };

  constructor(options: CollectorOptions) {
    this.#o = options;
    const { store, clock, timers, random, log, factors } = options;
    this.#nodes = new Nodes(store, clock);
    const births = new BirthReader(store);
    this.#epochs = new Epochs(store, log);
    this.#verifier = new Verifier({ store, factors, clock, log, births, epochs: this.#epochs });
    this.#restater = new Restater({ store, factors, clock, log, births });
    this.#host = new HostSession({
      ...options,
      onMessage: (topic, bytes, topicText) => this.#guarded(topicText, () => this.#onMessage(topic, bytes, topicText)),
      onLost: () => this.#guarded("session", () => this.#onLost()),
    });
    this.#confirmations = new Confirmations({
      clock,
      timers,
      random,
      isConnected: () => this.#host.isConnected,
      publish: (topic, payload) => this.#host.publish(topic, payload),
      onRebirthAsked: (gateway) => log.info("collector.rebirth-asked", { ...gateway }),
    });
    this.#plain = new PlainMessages({
      store,
      clock,
      log,
      onRefused: ({ gateway, device, samples }, why) => {
        const content = { device, at_ms: Math.max(...samples.map(({ at_ms }) => at_ms)) };
        const payload = Buffer.concat(samples.map((sample) => sample.payload));
        this.#setAside({ gateway, topic: device, why, payload, content }, null);
      },
    });
    this.#commits = new Commits({
      store,
      log,
      onCommitted: (batches, outcomes) => this.#onCommitted(batches, outcomes),
      onRefused: ({ gateway, epoch, number, device, to_ms, payload }, why) =>
        this.#giveUp({ gateway, topic: device, why, payload, content: { device, at_ms: to_ms } }, epoch, number),
    });
  }

  get isConnected(): boolean {
    return this.#host.isConnected;
  }

  get counts() {
    return {
      ...this.#counts,
      plainStored: this.#plain.stored,
      plainGivenUp: this.#plain.givenUp,
      refused: this.#commits.notTaken,
      disagreed: this.#verifier.disagreed,
      restated: this.#restater.restated,
    };
  }

  /** Connects and reconnects until stopped; an unreachable broker never ends a collector. */
  async run(): Promise<void> {
    const { timers, reorderTimeout_ms = 0 } = this.#o;
    const every = (period_ms: number, what: string, run: () => void) =>
      timers.every(period_ms, () => this.#guarded(what, run));
    const wake = (delay_ms: number, what: string, run: () => void) =>
      new OnDemand(timers, delay_ms, () => this.#guarded(what, run));
    const wakes: Wakes = {
      commit: wake(COMMIT_MS, "commit", () => this.#commit()),
      ack: wake(ACK_MS, "ack", () => this.#flushAcks()),
      verify: wake(VERIFY_MS, "verify", () => this.#verify()),
      notify: wake(NOTIFY_MS, "notify", () => this.#notify()),
    };
    this.#wakes = wakes;
    for (const one of Object.values(wakes)) one.arm();
    const stops = [
      every(GATEWAY_ROW_MS, "gateways", () => this.#keep()),
      every(HELLO_MS, "hello", () => this.#confirmations.sayHellos()),
    ];
    if (reorderTimeout_ms > 0) {
      stops.push(every(REORDER_CHECK_MS, "reorder", () => this.#checkOrder(reorderTimeout_ms)));
    }
    await this.#host.run();
    this.#wakes = null;
    for (const one of Object.values(wakes)) one.cancel();
    for (const stop of stops) stop();
  }

  /** Commits and confirms what has arrived, says STATE offline, disconnects. */
  async stop(): Promise<void> {
    this.#guarded("stop", () => {
      this.#commit();
      this.#confirmations.flushAll();
      this.#nodes.keepAll();
    });
    this.#confirmations.stop();
    await this.#host.stop();
  }

  // What the API shows

  meters(): readonly LiveMeter[] {
    return [...this.#nodes.values()].flatMap(({ session }) =>
      session === null
        ? []
        : [...session.devices.values()].map((device) => ({
            gateway: session.gateway,
            device: device.device,
            online: session.isOnline && device.isAlive,
            staleSince_ms: device.staleSince_ms,
            values: liveValues(device),
          })),
    );
  }

  isOnline(gateway: GatewayKey): boolean {
    return this.#nodes.find(gateway)?.session?.isOnline ?? false;
  }

  booksTo_ms(): EpochMs | null {
    return this.#booksTo_ms;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Messages

  #onMessage(topic: Topic, bytes: Uint8Array, topicText: string): void {
    if (topic.kind === "STATE" || topic.kind === "NCMD" || topic.kind === "DCMD" || topic.group !== this.#o.zone)
      return;
    this.#counts.messages += 1;
    const node = this.#nodes.of({ group: topic.group, edge: topic.edge });
    let payload: Payload;
    try {
      payload = inflated(decodePayload(bytes));
    } catch (error) {
      const why = error instanceof KhuXanhError ? error.message : String(error);
      this.#o.log.warn("collector.undecodable", { topic: topicText, why });
      const payload = bytes.subarray(0, DEAD_LETTER_BYTES_MAX);
      this.#setAside({ gateway: node.gateway, topic: topicText, why, payload, content: null }, null);
      this.#confirmations.askRebirth(node.gateway);
      return;
    }
    this.#nodes.seen(node, payload, topic.kind !== "NDEATH");
    if (payload.seq !== undefined && topic.kind !== "NBIRTH") node.seq.came(payload.seq, this.#o.clock.mono_ms());
    this.#dispatch(topic, node, payload, bytes, topicText);
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
      case "DDATA":
        return this.#onDeviceData(node, topic.device, payload, bytes, topicText);
    }
  }

  #onNodeBirth(node: Node, { metrics, seq, timestamp_ms }: Payload): void {
    const { gateway, row } = node;
    const bdSeq = integerOf(metrics, MetricName.bdSeq, DataType.Int64);
    if (bdSeq === null) {
      const why = "a node birth without bdSeq";
      this.#setAside({ gateway, topic: "NBIRTH", why, payload: encodePayload({ metrics }), content: null }, null);
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
    this.#nodes.setOnline(node);
    if (epoch !== null) this.#confirmations.born(gateway, epoch, () => this.#epochs.highest(gateway, epoch));
    else {
      this.#sayForeign(node);
      this.#keepPlain(gateway, node.session.self, valuesOfBirth(metrics), timestamp_ms);
    }
    this.#o.log.info("collector.node-born", { ...gateway, bdSeq, epoch });
    this.#changed();
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
    if (this.#nodes.setOffline(node, "offline")) this.#changed();
    this.#confirmations.died(node.gateway);
    this.#o.log.info("collector.node-dead", { ...node.gateway, bdSeq });
  }

  /**
   * The session that a message belongs to. After a death only a birth begins the next one: if that was lost, numbers and
   * aliases may be those of another epoch, and what comes is not to be read as of the old one.
   */
  #bornSession(node: Node): NodeSession | null {
    if (node.session?.isOnline === true) return node.session;
    this.#confirmations.askRebirth(node.gateway);
    return null;
  }

  #onNodeData(node: Node, payload: Payload, bytes: Uint8Array, topicText: string): void {
    const session = this.#bornSession(node);
    if (session === null) return;
    const { epoch } = session;
    if (epoch === null) return this.#takePlain(node, session.self, payload, topicText);
    this.#notePending(node, session, payload.metrics);
    const intake = nodeIntake(session, payload, this.#o.clock.now_ms());
    if (intake !== null) this.#take(node, epoch, intake, NODE_DEVICE, bytes, topicText);
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
    if (session.epoch === null) this.#keepPlain(node.gateway, added, valuesOfBirth(metrics), timestamp_ms);
    this.#changed();
  }

  #onDeviceDeath(node: Node, device: string, payload: Payload): void {
    const session = this.#bornSession(node);
    if (session === null) return;
    const dead = session.devices.get(device);
    if (dead === undefined) return;
    dead.isAlive = false;
    dead.staleSince_ms = payload.timestamp_ms ?? this.#o.clock.now_ms();
    this.#changed();
  }

  #onDeviceData(node: Node, device: string, payload: Payload, bytes: Uint8Array, topicText: string): void {
    const session = this.#bornSession(node);
    if (session === null) return;
    const born = session.devices.get(device);
    const { epoch } = session;
    if (born === undefined || born.birthId === 0) {
      // A gateway that waits for its ack sends it again.
      if (epoch === null) this.#setAsideUnborn(node, device, bytes, topicText);
      return this.#confirmations.askRebirth(node.gateway);
    }
    if (epoch === null) return this.#takePlain(node, born, payload, topicText);
    const intake = deviceIntake(born, payload, this.#o.clock.now_ms(), bytes);
    if (intake.kind === "batch" || intake.kind === "plain") {
      showLive(intake.sent, session.isOnline);
      this.#changed();
    }
    this.#take(node, epoch, intake, device, bytes, topicText);
  }

  #take(node: Node, epoch: string, intake: Intake, device: string, bytes: Uint8Array, topic: string): void {
    const { gateway } = node;
    if (intake.kind === "unknown-metric") return this.#onUnexplained(node, epoch, intake.number, bytes, topic);
    if (intake.kind === "malformed") {
      const { why, number, at_ms } = intake;
      const content = at_ms === null ? null : { device, at_ms };
      const letter = { gateway, topic, why, payload: bytes, content };
      return number === null ? this.#setAside(letter, null) : this.#giveUp(letter, epoch, number);
    }
    if (intake.kind === "plain") {
      this.#counts.foreign += 1;
      return;
    }
    this.#verifier.noteArrival();
    const { batch, isLive } = intake;
    if (isLive) this.#epochs.cameLive(gateway, epoch, batch.number);
    const mayBeRenumbered = this.#epochs.mayBeRenumbered(gateway, epoch, batch.number);
    this.#commits.add({ gateway, epoch, ...batch, device, mayBeRenumbered });
    this.#wakes?.commit.arm();
  }

  /** Of a node that does not number batches: what can be read is shown and kept, the rest is set aside. */
  #takePlain(node: Node, born: DeviceSession, payload: Payload, topic: string): void {
    const { gateway } = node;
    const at_ms = payload.timestamp_ms ?? this.#o.clock.now_ms();
    const { sent, unusable, why, isUnexplained } = plainIntake(born, payload.metrics, at_ms);
    this.#counts.foreign += 1;
    showLive(sent, node.session?.isOnline === true);
    this.#changed();
    this.#plain.add(gateway, born, sent);
    this.#wakes?.commit.arm();
    if (isUnexplained) this.#confirmations.askRebirth(gateway);
    if (why === null) return;
    const content = { device: born.device, at_ms };
    this.#setAside({ gateway, topic, why, payload: encodePayload({ metrics: unusable }), content }, null);
  }

  #setAsideUnborn({ gateway }: Node, device: string, payload: Uint8Array, topic: string): void {
    const content = { device, at_ms: this.#o.clock.now_ms() };
    this.#setAside({ gateway, topic, why: "data of a device that was not born", payload, content }, null);
  }

  #keepPlain(gateway: GatewayKey, born: DeviceSession, metrics: readonly Metric[], sent_ms: EpochMs | undefined): void {
    const at_ms = sent_ms ?? this.#o.clock.now_ms();
    this.#plain.add(gateway, born, plainIntake(born, metrics, at_ms).sent);
    this.#wakes?.commit.arm();
  }

  /**
   * A metric no birth explains: a birth is asked for, and the batch comes again. If it does so after a birth and is still
   * not explained, it never will be: it is set aside, so that it is not sent for ever.
   */
  #onUnexplained(node: Node, epoch: string, number: number | null, bytes: Uint8Array, topic: string): void {
    const { unexplained, births, gateway } = node;
    const before = number === null ? undefined : unexplained.get(number);
    if (number !== null && before !== undefined && before < births) {
      unexplained.delete(number);
      return this.#giveUp({ gateway, topic, why: NOT_ANNOUNCED, payload: bytes, content: null }, epoch, number);
    }
    if (number !== null && before === undefined) {
      const oldest = unexplained.keys().next();
      if (unexplained.size >= UNEXPLAINED_MAX && oldest.done !== true) unexplained.delete(oldest.value);
      unexplained.set(number, births);
    }
    this.#confirmations.askRebirth(gateway);
  }

  // Commit and confirm

  #commit(): void {
    this.#commits.commit();
    this.#plain.commit();
  }

  #onCommitted(batches: readonly NewBatch[], outcomes: readonly BatchOutcome[]): void {
    batches.forEach((batch, i) => {
      const { gateway, epoch, number, record } = batch;
      this.#countOutcome(outcomes[i], batch);
      if (outcomes[i] === "differs") {
        this.#epochs.of(gateway, epoch).isContested = true;
        this.#confirmations.contest(gateway, epoch, number);
        return;
      }
      this.#confirmations.ack(gateway, epoch, number);
      this.#epochs.accounted(gateway, epoch, number, number);
      if (batch.intervals.length > 0) this.#verifier.booked(gateway, epoch, number);
      if (record?.kind === "loss") {
        for (const { first, last } of record.batches ?? []) {
          this.#epochs.accounted(gateway, record.epoch, first, last);
        }
      }
      if (outcomes[i] === "stored") this.#restater.noteBooked(batch);
      for (const { to_ms } of batch.intervals) this.#booksTo_ms = Math.max(this.#booksTo_ms ?? 0, to_ms);
    });
    this.#changed();
    this.#confirmations.flushMany();
    this.#wakes?.ack.arm();
    this.#wakes?.verify.arm();
  }

  #countOutcome(outcome: BatchOutcome | undefined, { gateway, number }: NewBatch): void {
    const node = this.#nodes.of(gateway);
    node.isDirty = true;
    this.#counts.committed += 1;
    if (outcome === "stored") {
      node.row.received += 1;
      return;
    }
    node.row.duplicates += 1;
    this.#counts.duplicates += 1;
    if (outcome !== "differs") return;
    this.#counts.differing += 1;
    this.#o.log.error("collector.batch-differs", { ...gateway, batch: number, code: "BATCH_CONTENT_DIFFERS" });
  }

  /** Set aside for good, and confirmed: it would come for ever. */
  #giveUp(letter: Unusable, epoch: string, number: number): void {
    this.#setAside(letter, { epoch, number });
    this.#confirmations.ack(letter.gateway, epoch, number);
    this.#wakes?.ack.arm();
    this.#epochs.accounted(letter.gateway, epoch, number, number);
  }

  /** Kept whole with the reason, so that it can be looked at. */
  #setAside(letter: Unusable, batch: DeadLetter["batch"]): void {
    this.#counts.malformed += 1;
    this.#o.store.deadLetter({ ...letter, batch, at_ms: this.#o.clock.now_ms(), code: "WIRE_MALFORMED" });
  }

  // Beside it

  #verify(): void {
    const nodes = [...this.#nodes.values()].map(({ gateway, row: { epoch } }) => ({ gateway, epoch }));
    const isVerified = this.#verifier.run(nodes);
    const isRestated = this.#restater.run();
    if (!isVerified || !isRestated) this.#wakes?.verify.arm();
  }

  /** And now and then what may have stopped half way (a store that was busy, a day that came) goes on. */
  #keep(): void {
    this.#wakes?.verify.arm();
    if (this.#plain.isWaiting) this.#wakes?.commit.arm();
    this.#nodes.keepAll();
  }

  /** What could not be said, for want of a connection, is said later. */
  #flushAcks(): void {
    if (this.#confirmations.flushAll() > 0) this.#wakes?.ack.arm();
  }

  #checkOrder(timeout_ms: number): void {
    const now_ms = this.#o.clock.mono_ms();
    for (const node of this.#nodes.values()) {
      if (node.seq.isOverdue(timeout_ms, now_ms)) this.#confirmations.askRebirth(node.gateway);
    }
  }

  /** Our own session is over: nobody hears the gateways, whether they are there or not. */
  #onLost(): void {
    for (const node of this.#nodes.values()) {
      this.#confirmations.died(node.gateway);
      if (this.#nodes.setOffline(node, "unknown")) this.#changed();
    }
    this.#nodes.keepAll();
  }

  #changed(): void {
    this.#wakes?.notify.arm();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** A store that is locked or full for a while is no reason to end: what was not stored is not confirmed and comes again. */
  #guarded(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
      const stack = code === "INTERNAL" && error instanceof Error ? error.stack : String(error);
      this.#o.log.error("collector.failed", { what, code, error: stack });
    }
  }
}
