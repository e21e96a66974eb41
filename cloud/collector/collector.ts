import type { EmissionFactor } from "../../core/emission/factor.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { intervalStart } from "../../core/interval/calendar.ts";
import type { Interval } from "../../core/interval/interval.ts";
import {
  atMost,
  type Clock,
  type Log,
  type MqttConnector,
  type MqttLink,
  type Random,
  type Timers,
} from "../../core/ports.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import {
  ackMetric,
  formatAcks,
  formatHello,
  isEpoch,
  MetricName,
  nodeCommand,
  rebirthMetric,
} from "../../core/wire/ack.ts";
import {
  type BornMetric,
  counterValue,
  type DeviceProfile,
  metricContent,
  parseTick,
} from "../../core/wire/content.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { DataType, decodePayload, encodePayload, type Metric, type Payload } from "../../core/wire/payload.ts";
import { BatchRanges } from "../../core/wire/ranges.ts";
import { encodeState, parseState } from "../../core/wire/state.ts";
import { ALL_TOPICS_FILTER, parseTopic, topicOf } from "../../core/wire/topics.ts";
import {
  BATCH_NUMBER_MAX,
  type BatchOutcome,
  type GatewayKey,
  type GatewayRow,
  type NewBatch,
  type StoredInterval,
  type Verification,
  type ZoneStore,
} from "../store/store.ts";
import type { LiveMeter, LiveValue, LiveView } from "./live.ts";
import {
  bornMetrics,
  bornOf,
  type DeviceSession,
  deviceSession,
  integerOf,
  type NodeSession,
  textOf,
} from "./session.ts";
import { BirthReader, verifyInterval } from "./verify.ts";

/**
 * The collector: the zone's primary Sparkplug host. It decodes what the gateways send, commits it, and only then confirms it.
 *
 * commit    after {@link COMMIT_MS} or {@link COMMIT_BYTES}, whichever is first: one synced transaction
 * confirm   right after the commit of many, within {@link ACK_MS} of a few; duplicates are confirmed again
 * rebirth   asked for when data cannot be read for want of a birth, at most once per node in {@link REBIRTH_MS}
 * order     reordering is off (timeout 0): everything is stored whatever its order; `seq` matters to no figure
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
}

const COMMIT_MS = 200;
const COMMIT_BYTES = 256 * 1024;
const ACK_MS = 500;
const ACK_NUMBERS = 32;
const REBIRTH_MS = 5_000;
const HELLO_MS = 30_000;
const KEEPALIVE_S = 10;
const RECONNECT_MS = 1_000;
/** How long STATE offline may wait for its PUBACK when we stop. */
const FAREWELL_MS = 1_500;
const VERIFY_MS = 50;
/** Time given to comparing before other work gets its turn: at most this share of VERIFY_MS of one core. */
const VERIFY_BUDGET_MS = 12;
const VERIFY_CHUNK = 60;
/** More batches than this in VERIFY_MS and comparing steps back: storing and confirming comes first. */
const VERIFY_IDLE_BATCHES = 20;
/** Of a message that cannot be decoded this much is kept; the reason is in the beginning. */
const DEAD_LETTER_BYTES_MAX = 64 * 1024;
const DAY_MS = 86_400_000;
/** A gateway's clock may be this far ahead of ours before its intervals are taken for a clock that was never set. */
const AHEAD_MAX_MS = DAY_MS;
/** 2000-01-01: an interval before it comes from a clock that starts in 1970. */
const EARLIEST_MS = 946_684_800_000;
const GATEWAY_ROW_MS = 5_000;
const NOTIFY_MS = 250;
/** Decoded batches waiting for a commit that fails (disk full): beyond it new ones are not taken, and so not confirmed. */
const QUEUE_MAX_BYTES = 64 * 1024 * 1024;

interface Node {
  session: NodeSession | null;
  row: GatewayRow;
  toAck: BatchRanges;
  ackEpoch: string | null;
  rebirthAsked_ms: number;
  hasAcked: boolean;
  isDirty: boolean;
  isForeignSaid: boolean;
}

export class Collector implements LiveView {
  readonly #o: CollectorOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #births: BirthReader;
  readonly #listeners = new Set<() => void>();
  readonly #held = new Map<string, BatchRanges>();
  #queue: NewBatch[] = [];
  #queueBytes = 0;
  #link: MqttLink | null = null;
  #isStopping = false;
  #endSession: (why: string) => void = () => {};
  #stateAt_ms = 0;
  #booksTo_ms: EpochMs | null = null;
  #arrivedSinceVerify = 0;
  #hasChanged = false;
  readonly counts = {
    messages: 0,
    malformed: 0,
    committed: 0,
    duplicates: 0,
    differing: 0,
    disagreed: 0,
    foreign: 0,
    refused: 0,
  };

  constructor(options: CollectorOptions) {
    this.#o = options;
    this.#births = new BirthReader(options.store);
    for (const row of options.store.gateways()) {
      this.#nodes.set(nodeKey(row.gateway), newNode({ ...row, online: false }));
    }
    this.#stateAt_ms = Number(options.store.getValue("state_at_ms") ?? 0);
  }

  get isConnected(): boolean {
    return this.#link !== null;
  }

  /** Connects and reconnects until stopped; an unreachable broker never ends a collector. */
  async run(): Promise<void> {
    const { timers } = this.#o;
    const stops = [
      timers.every(COMMIT_MS, () => this.#commit()),
      timers.every(ACK_MS, () => this.#flushAllAcks()),
      timers.every(VERIFY_MS, () => this.#verify()),
      timers.every(GATEWAY_ROW_MS, () => this.#keepRows()),
      timers.every(NOTIFY_MS, () => this.#notify()),
      timers.every(HELLO_MS, () => this.#sayHellos()),
    ];
    while (!this.#isStopping) {
      const why = await this.#session().catch((error: unknown) => String(error));
      this.#link = null;
      for (const node of this.#nodes.values()) this.#setOffline(node);
      if (this.#isStopping) break;
      this.#o.log.warn("collector.session-ended", { why });
      await new Promise<void>((resolve) => timers.after(RECONNECT_MS * (0.5 + this.#o.random.unit()), resolve));
    }
    for (const stop of stops) stop();
  }

  /** Commits and confirms what has arrived, says STATE offline, disconnects. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#commit();
    this.#flushAllAcks();
    this.#keepRows();
    const link = this.#link;
    if (link !== null) {
      const state = encodeState({ online: false, timestamp_ms: Math.max(this.#o.clock.now_ms(), this.#stateAt_ms) });
      const said = link.publish(this.#stateTopic(), state, { qos: 1, retain: true }).then(() => link.end());
      await atMost(FAREWELL_MS, said, this.#o.timers).catch(() => link.destroy());
    }
    this.#endSession("stopped");
  }

  // What the API shows

  meters(): readonly LiveMeter[] {
    return [...this.#nodes.values()].flatMap(({ session }) =>
      session === null
        ? []
        : [...session.devices.values()].map(({ device, isAlive, values }) => ({
            gateway: session.gateway,
            device,
            online: session.isOnline && isAlive,
            values,
          })),
    );
  }

  isOnline(gateway: GatewayKey): boolean {
    return this.#nodes.get(nodeKey(gateway))?.session?.isOnline ?? false;
  }

  booksTo_ms(): EpochMs | null {
    return this.#booksTo_ms;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Host session

  async #session(): Promise<string> {
    const { clock, store, hostId, connector, connect, log } = this.#o;
    this.#stateAt_ms = Math.max(clock.now_ms(), this.#stateAt_ms + 1);
    store.setValue("state_at_ms", String(this.#stateAt_ms));
    const ended = new Promise<string>((resolve) => {
      this.#endSession = resolve;
    });
    const death = encodeState({ online: false, timestamp_ms: this.#stateAt_ms });
    const link = await connector.connect({
      ...connect,
      clientId: `khuxanh-host-${hostId}`,
      will: { topic: this.#stateTopic(), payload: death, qos: 1, retain: true },
      keepalive_s: KEEPALIVE_S,
      connectTimeout_ms: 5_000,
      onMessage: (topic, payload) => this.#onMessage(topic, payload),
      onClose: (why) => this.#endSession(why),
    });
    await link.subscribe([
      { filter: this.#stateTopic(), qos: 1 },
      { filter: ALL_TOPICS_FILTER, qos: 1 },
    ]);
    this.#link = link;
    this.#sayOnline();
    log.info("collector.online", { host: hostId });
    return await ended;
  }

  #sayOnline(): void {
    const state = encodeState({ online: true, timestamp_ms: this.#stateAt_ms });
    this.#link
      ?.publish(this.#stateTopic(), state, { qos: 1, retain: true })
      .catch((error) => this.#endSession(String(error)));
  }

  #stateTopic(): string {
    return topicOf({ kind: "STATE", host: this.#o.hostId });
  }

  #onMessage(topicText: string, bytes: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (topic === null) return;
    if (topic.kind === "STATE") {
      if (topic.host === this.#o.hostId) this.#onOwnState(bytes);
      return;
    }
    if (topic.kind === "NCMD" || topic.kind === "DCMD" || topic.group !== this.#o.zone) return;
    this.counts.messages += 1;
    const gateway: GatewayKey = { group: topic.group, edge: topic.edge };
    const node = this.#node(gateway);
    let payload: Payload;
    try {
      payload = decodePayload(bytes);
    } catch (error) {
      const why = error instanceof KhuXanhError ? error.message : String(error);
      this.#o.log.warn("collector.undecodable", { topic: topicText, why });
      this.#setAside(gateway, topicText, why, bytes.subarray(0, DEAD_LETTER_BYTES_MAX));
      this.#askRebirth(node);
      return;
    }
    this.#seen(node, payload);
    switch (topic.kind) {
      case "NBIRTH":
        return this.#onNodeBirth(gateway, node, payload.metrics);
      case "NDEATH":
        return this.#onNodeDeath(node, payload.metrics);
      case "NDATA":
        return this.#onNodeData(node, payload.metrics);
      case "DBIRTH":
        return this.#onDeviceBirth(node, topic.device, payload.metrics);
      case "DDEATH":
        return this.#onDeviceDeath(node, topic.device);
      case "DDATA":
        return this.#onDeviceData(node, topicText, topic.device, payload, bytes);
    }
  }

  /** Someone (an old will of ours) says we are offline: contradict at once, or, if that is newer, with a newer session. */
  #onOwnState(bytes: Uint8Array): void {
    const state = parseState(bytes);
    if (state === null || state.online || this.#link === null || this.#isStopping) return;
    this.#sayOnline();
    if (state.timestamp_ms <= this.#stateAt_ms) return;
    this.#stateAt_ms = state.timestamp_ms;
    this.#o.log.warn("collector.state-from-the-future", { timestamp_ms: state.timestamp_ms });
    this.#link.destroy();
  }

  #onNodeBirth(gateway: GatewayKey, node: Node, metrics: readonly Metric[]): void {
    const bdSeq = integerOf(metrics, MetricName.bdSeq, DataType.Int64);
    if (bdSeq === null) {
      this.#setAside(gateway, "NBIRTH", "a node birth without bdSeq", encodePayload({ metrics }));
      return;
    }
    const epochText = textOf(metrics, MetricName.deliveryEpoch);
    const epoch = epochText !== null && isEpoch(epochText) ? epochText : null;
    // Another epoch is another journal with other aliases: what was born before says nothing about it.
    const previous = node.session?.epoch === epoch ? node.session?.devices : undefined;
    node.session = {
      gateway,
      bdSeq,
      epoch,
      site: textOf(metrics, "Properties/Site"),
      software: textOf(metrics, "Properties/Software"),
      aliases: new Map(
        metrics.flatMap(({ name, alias }) => (name === undefined || alias === undefined ? [] : [[name, alias]])),
      ),
      devices: new Map(),
      isOnline: true,
    };
    // Devices stay known, but dead, until their own birth of this session.
    for (const [id, device] of previous ?? []) node.session.devices.set(id, { ...device, isAlive: false });
    node.row = {
      ...node.row,
      epoch,
      online: true,
      bdSeq,
      bornAt_ms: this.#o.clock.now_ms(),
      software: node.session.software,
      pending: integerOf(metrics, MetricName.deliveryPending, DataType.Int64),
      oldestPending_ms: integerOf(metrics, MetricName.deliveryOldest, DataType.DateTime),
    };
    node.isDirty = true;
    this.#keepRow(node);
    if (epoch !== null) {
      node.ackEpoch = epoch;
      node.toAck = new BatchRanges();
      node.hasAcked = false;
      this.#sayHello(node);
    } else if (!node.isForeignSaid) {
      node.isForeignSaid = true;
      this.#o.log.warn("collector.foreign-node", {
        ...gateway,
        why: "it does not number batches: shown live, not booked",
      });
    }
    this.#o.log.info("collector.node-born", { ...gateway, bdSeq, epoch });
    this.#hasChanged = true;
  }

  #onNodeDeath(node: Node, metrics: readonly Metric[]): void {
    const bdSeq = integerOf(metrics, MetricName.bdSeq, DataType.Int64);
    if (node.session === null || bdSeq !== node.session.bdSeq) return;
    this.#setOffline(node);
    this.#o.log.info("collector.node-dead", { ...node.row.gateway, bdSeq });
  }

  #onNodeData(node: Node, metrics: readonly Metric[]): void {
    if (node.session === null) return this.#askRebirth(node);
    const named = (name: string): Metric | undefined =>
      metrics.find(
        (metric) =>
          metric.name === name || (metric.alias !== undefined && metric.alias === node.session?.aliases.get(name)),
      );
    const [pending, oldest] = [named(MetricName.deliveryPending), named(MetricName.deliveryOldest)];
    if (pending?.longValue === undefined) return;
    node.row = {
      ...node.row,
      pending: Number(pending.longValue),
      oldestPending_ms: oldest?.longValue === undefined ? null : Number(oldest.longValue),
    };
    node.isDirty = true;
  }

  #onDeviceBirth(node: Node, device: string, metrics: readonly Metric[]): void {
    const { session } = node;
    if (session === null) return this.#askRebirth(node);
    const born = bornMetrics(metrics);
    const birth = { gateway: session.gateway, epoch: session.epoch ?? "", device, metrics: born };
    const draft = deviceSession(device, 0, born);
    const { profile } = draft;
    const meter = profile === null ? null : { gateway: session.gateway, ...profile };
    const birthId = this.#o.store.putBirth(birth, meter);
    const known = session.devices.get(device);
    const values = new Map(known?.values);
    session.devices.set(device, { ...draft, birthId, values });
    const added = session.devices.get(device)!;
    for (const metric of metrics) {
      const entry = bornOf(added, metric);
      if (entry === undefined) continue;
      const content = metricContent(device, metric, entry, metric.timestamp_ms ?? 0);
      if (content.kind === "reading") showLive(added, sentReading(content.reading, metric, entry), true);
    }
    this.#hasChanged = true;
  }

  #onDeviceDeath(node: Node, device: string): void {
    const session = node.session?.devices.get(device);
    if (session !== undefined) session.isAlive = false;
    this.#hasChanged = true;
  }

  #onDeviceData(node: Node, topic: string, device: string, payload: Payload, bytes: Uint8Array): void {
    const { session } = node;
    const deviceBorn = session?.devices.get(device);
    if (session === null || deviceBorn === undefined || deviceBorn.birthId === 0) return this.#askRebirth(node);
    const sent_ms = payload.timestamp_ms ?? this.#o.clock.now_ms();
    const content = this.#contentOf(deviceBorn, payload, sent_ms);
    if (content === "unknown-alias") return this.#askRebirth(node);
    if (content.malformed !== null) {
      this.#setAside(session.gateway, topic, content.malformed, bytes);
      if (content.number !== null && session.epoch !== null) {
        this.#ackBatch({ gateway: session.gateway, epoch: session.epoch, number: content.number });
      }
      return;
    }
    for (const reading of content.readings) showLive(deviceBorn, reading, session.isOnline);
    this.#hasChanged = true;
    if (session.epoch === null || content.number === null) {
      this.counts.foreign += 1;
      return;
    }
    if (this.#queueBytes > QUEUE_MAX_BYTES) {
      this.counts.refused += 1;
      return;
    }
    const canonical = encodePayload({ metrics: content.stored });
    this.#queue.push({
      gateway: session.gateway,
      epoch: session.epoch,
      number: content.number,
      device,
      birthId: deviceBorn.birthId,
      from_ms: content.from_ms,
      to_ms: content.to_ms,
      crc32c: crc32c(canonical),
      payload: canonical,
      intervals: content.intervals,
      emissions: content.emissions,
      record: null,
    });
    this.#queueBytes += canonical.length;
    this.#arrivedSinceVerify += 1;
    if (this.#queueBytes >= COMMIT_BYTES) this.#commit();
  }

  #contentOf(device: DeviceSession, payload: Payload, sent_ms: number) {
    const stored: Metric[] = [];
    const intervals: NewBatch["intervals"][number][] = [];
    const emissions: NewBatch["emissions"][number][] = [];
    const readings: SentReading[] = [];
    let number: number | null = null;
    let malformed: string | null = null;
    let from_ms = Number.POSITIVE_INFINITY;
    let to_ms = Number.NEGATIVE_INFINITY;
    for (const metric of payload.metrics) {
      const born = bornOf(device, metric);
      if (born === undefined) return "unknown-alias" as const;
      const content = metricContent(device.device, metric, born, sent_ms);
      if (content.kind === "batch") {
        number = content.number;
        if (number > BATCH_NUMBER_MAX) malformed = `batch ${number} is beyond ${BATCH_NUMBER_MAX}`;
        continue;
      }
      if (content.kind === "malformed") malformed = content.why;
      if (content.kind === "interval") {
        malformed ??= whyNoInterval(content.interval, device.profile, this.#o.clock.now_ms());
        intervals.push(content.interval);
      }
      if (content.kind === "emission") emissions.push(content.emission);
      if (content.kind === "reading") readings.push(sentReading(content.reading, metric, born));
      const { isHistorical: _flag, ...kept } = metric;
      stored.push(kept);
      const at_ms = metric.timestamp_ms ?? sent_ms;
      from_ms = Math.min(from_ms, at_ms);
      to_ms = Math.max(to_ms, at_ms);
    }
    if (stored.length === 0) from_ms = to_ms = sent_ms;
    return { stored, readings, intervals, emissions, number, malformed, from_ms, to_ms };
  }

  // Commit and confirm

  #commit(): void {
    if (this.#queue.length === 0) return;
    const batches = this.#queue;
    let outcomes: readonly BatchOutcome[];
    try {
      outcomes = this.#o.store.commitBatches(batches);
    } catch (error) {
      this.#queue = [];
      this.#queueBytes = 0;
      this.#o.log.error("collector.commit-failed", { batches: batches.length, error: String(error) });
      // One batch that can never be stored must not stop the others: alone it fails alone.
      if (isOfTheBatch(error)) for (const batch of batches) this.#commitAlone(batch);
      // Otherwise nothing is confirmed, so nothing is lost: the gateways send it again.
      return;
    }
    this.#queue = [];
    this.#queueBytes = 0;
    this.#committed(batches, outcomes);
  }

  #commitAlone(batch: NewBatch): void {
    try {
      this.#committed([batch], this.#o.store.commitBatches([batch]));
    } catch (error) {
      if (!isOfTheBatch(error)) return;
      this.#setAside(batch.gateway, batch.device, String(error), batch.payload);
      this.#ackBatch(batch);
    }
  }

  /** Kept whole with the reason, so that it can be confirmed and looked at. */
  #setAside(gateway: GatewayKey, topic: string, why: string, payload: Uint8Array): void {
    this.counts.malformed += 1;
    const at_ms = this.#o.clock.now_ms();
    this.#o.store.deadLetter({ gateway, topic, at_ms, code: "WIRE_MALFORMED", why, payload });
  }

  #committed(batches: readonly NewBatch[], outcomes: readonly BatchOutcome[]): void {
    batches.forEach((batch, i) => {
      const node = this.#node(batch.gateway);
      const outcome = outcomes[i];
      this.#countOutcome(node, outcome, batch);
      this.#ackBatch(batch);
      this.#heldOf(batch.gateway, batch.epoch).add(batch.number);
      for (const { to_ms } of batch.intervals) this.#booksTo_ms = Math.max(this.#booksTo_ms ?? 0, to_ms);
    });
    this.#hasChanged = true;
    for (const node of this.#nodes.values()) if (node.toAck.count >= ACK_NUMBERS) this.#flushAcks(node);
  }

  #countOutcome(node: Node, outcome: BatchOutcome | undefined, batch: NewBatch): void {
    this.counts.committed += 1;
    node.isDirty = true;
    if (outcome === "stored") {
      node.row = { ...node.row, received: node.row.received + 1 };
      return;
    }
    node.row = { ...node.row, duplicates: node.row.duplicates + 1 };
    this.counts.duplicates += 1;
    if (outcome !== "differs") return;
    this.counts.differing += 1;
    this.#o.log.error("collector.batch-differs", {
      ...batch.gateway,
      batch: batch.number,
      code: "BATCH_CONTENT_DIFFERS",
    });
  }

  /** Names it in the next ack; a batch of an epoch that is over is nobody's to confirm any more. */
  #ackBatch({ gateway, epoch, number }: Pick<NewBatch, "gateway" | "epoch" | "number">): void {
    const node = this.#node(gateway);
    if (epoch === node.ackEpoch) node.toAck.add(number);
  }

  #flushAllAcks(): void {
    for (const node of this.#nodes.values()) this.#flushAcks(node);
  }

  #flushAcks(node: Node): void {
    const { toAck, ackEpoch } = node;
    if (toAck.count === 0 || ackEpoch === null || this.#link === null) return;
    node.toAck = new BatchRanges();
    node.hasAcked = true;
    for (const text of formatAcks(ackEpoch, toAck.toRanges())) {
      this.#command(node, [ackMetric(this.#o.clock.now_ms(), text)]);
    }
  }

  #sayHellos(): void {
    for (const node of this.#nodes.values()) if (node.session?.isOnline && !node.hasAcked) this.#sayHello(node);
  }

  #sayHello(node: Node): void {
    if (node.ackEpoch === null) return;
    const { highest } = this.#heldOf(node.row.gateway, node.ackEpoch);
    this.#command(node, [ackMetric(this.#o.clock.now_ms(), formatHello(node.ackEpoch, highest))]);
  }

  #askRebirth(node: Node): void {
    const now_ms = this.#o.clock.mono_ms();
    if (now_ms - node.rebirthAsked_ms < REBIRTH_MS) return;
    node.rebirthAsked_ms = now_ms;
    this.#o.log.info("collector.rebirth-asked", { ...node.row.gateway });
    this.#command(node, [rebirthMetric(this.#o.clock.now_ms())]);
  }

  #command(node: Node, metrics: readonly Metric[]): void {
    const topic = topicOf({ kind: "NCMD", ...node.row.gateway });
    const payload = encodePayload(nodeCommand(this.#o.clock.now_ms(), metrics));
    this.#link?.publish(topic, payload, { qos: 0, retain: false }).catch((error) => this.#endSession(String(error)));
  }

  // Recompute and compare

  #verify(): void {
    const { store, clock } = this.#o;
    const isIdle = this.#arrivedSinceVerify < VERIFY_IDLE_BATCHES;
    this.#arrivedSinceVerify = 0;
    const until_ms = clock.mono_ms() + (isIdle ? VERIFY_BUDGET_MS : 1);
    for (const { row } of this.#nodes.values()) {
      if (row.epoch === null) continue;
      const through = this.#heldOf(row.gateway, row.epoch).contiguousThrough();
      if (through === 0) continue;
      for (;;) {
        const intervals = store.intervalsToVerify(row.gateway, row.epoch, through, VERIFY_CHUNK);
        if (intervals.length > 0)
          store.setVerifications(intervals.map((interval) => [interval, this.#verifyOne(interval)]));
        if (intervals.length < VERIFY_CHUNK) break;
        if (clock.mono_ms() > until_ms) return;
      }
    }
  }

  #verifyOne(interval: StoredInterval): Verification {
    const { store, factors, clock, log } = this.#o;
    const verdict = verifyInterval(interval, store, factors, this.#births);
    if (verdict.kind !== "disagreed") return verdict.kind;
    this.counts.disagreed += 1;
    const { gateway, device, quantity, from_ms } = interval;
    log.error("collector.books-disagree", { device, quantity, from_ms, ...verdict, code: "BOOKS_DISAGREE" });
    store.putAlarm({
      code: "BOOKS_DISAGREE",
      gateway,
      device,
      at_ms: clock.now_ms(),
      detail: { quantity, from_ms, edge: verdict.edge, cloud: verdict.cloud },
    });
    return verdict.kind;
  }

  #heldOf(gateway: GatewayKey, epoch: string): BatchRanges {
    const key = `${nodeKey(gateway)} ${epoch}`;
    let held = this.#held.get(key);
    if (held === undefined) {
      held = BatchRanges.of(this.#o.store.batchRanges(gateway, epoch).map(([first, last]) => ({ first, last })));
      this.#held.set(key, held);
    }
    return held;
  }

  // Nodes

  #node(gateway: GatewayKey): Node {
    const key = nodeKey(gateway);
    let node = this.#nodes.get(key);
    if (node === undefined) {
      node = newNode(emptyRow(gateway));
      this.#nodes.set(key, node);
    }
    return node;
  }

  #seen(node: Node, payload: Payload): void {
    const now_ms = this.#o.clock.now_ms();
    const clockOffset_ms = payload.timestamp_ms === undefined ? node.row.clockOffset_ms : payload.timestamp_ms - now_ms;
    node.row = { ...node.row, lastSeen_ms: now_ms, clockOffset_ms };
    node.isDirty = true;
  }

  #setOffline(node: Node): void {
    if (node.session !== null) node.session.isOnline = false;
    if (!node.row.online) return;
    node.row = { ...node.row, online: false };
    node.isDirty = true;
    this.#hasChanged = true;
  }

  #keepRows(): void {
    for (const node of this.#nodes.values()) this.#keepRow(node);
  }

  #keepRow(node: Node): void {
    if (!node.isDirty) return;
    node.isDirty = false;
    this.#o.store.putGateway(node.row);
  }

  #notify(): void {
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    for (const listener of this.#listeners) listener();
  }
}

/** Whether the store refused what is in the batch. Anything else (disk, lock, the unknown) may pass and confirms nothing. */
function isOfTheBatch(error: unknown): boolean {
  return error instanceof KhuXanhError && error.code !== "DISK_FULL" && error.code !== "DISK_UNUSABLE";
}

/** Why an interval cannot be booked, or null: it must divide its day evenly and lie in a time that can be. */
function whyNoInterval(interval: Interval, profile: DeviceProfile | null, now_ms: EpochMs): string | null {
  const { from_ms, to_ms } = interval;
  if (from_ms < EARLIEST_MS) return `an interval from ${from_ms} ms: before 2000, a clock that was never set`;
  if (to_ms > now_ms + AHEAD_MAX_MS) return `an interval to ${to_ms} ms: more than a day ahead of us`;
  if (profile === null) return "an interval of a device whose birth does not say how it counts";
  // By its own length: a backlog may be older than the present setting.
  const length_ms = to_ms - from_ms;
  const isOnGrid = DAY_MS % length_ms === 0 && intervalStart(from_ms, length_ms, profile.time_zone) === from_ms;
  return isOnGrid ? null : `an interval ${from_ms}…${to_ms} ms that does not lie on a grid of the day`;
}

/** A reading with what the live view needs beside it. */
interface SentReading {
  readonly reading: Reading;
  readonly tick: string | undefined;
  readonly isHistorical: boolean;
}

function sentReading(reading: Reading, metric: Metric, born: BornMetric): SentReading {
  return { reading, tick: born.properties.tick, isHistorical: metric.isHistorical === true };
}

/** A historical reading moves the live value only if it is newer and the node is online. */
function showLive(device: DeviceSession, { reading, tick, isHistorical }: SentReading, isOnline: boolean): void {
  if (isHistorical && !isOnline) return;
  const known = device.values.get(reading.quantity);
  if (known !== undefined && known.at_ms >= reading.at_ms) return;
  device.values.set(reading.quantity, liveValue(reading, tick));
}

function liveValue(reading: Reading, tickText: string | undefined): LiveValue {
  const { at_ms, quality, why, value } = reading;
  if (typeof value !== "bigint") return { value, at_ms, quality, why };
  const tick = parseTick(tickText ?? "");
  const { unit } = QUANTITIES[reading.quantity];
  return { value: tick === null ? null : counterValue(value, tick, unit), at_ms, quality, why };
}

function nodeKey({ group, edge }: GatewayKey): string {
  return `${group}/${edge}`;
}

function newNode(row: GatewayRow): Node {
  return {
    session: null,
    row,
    toAck: new BatchRanges(),
    ackEpoch: row.epoch,
    rebirthAsked_ms: Number.NEGATIVE_INFINITY,
    hasAcked: false,
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
