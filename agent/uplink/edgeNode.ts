import { KhuXanhError } from "../../core/errors.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import {
  atMost,
  type Clock,
  type Log,
  type MqttConnector,
  type MqttLink,
  type Random,
  type Timers,
} from "../../core/ports.ts";
import type { Reading } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import { DELIVERY_VERSION, MetricName, parseAck } from "../../core/wire/ack.ts";
import { batchMetric, deviceMetrics, type Naming, readingMetric } from "../../core/wire/content.ts";
import {
  type DataTypeCode,
  data,
  decodePayload,
  encodePayload,
  type Metric,
  metric,
  property,
} from "../../core/wire/payload.ts";
import { parseState } from "../../core/wire/state.ts";
import { deviceCommandFilter, parseTopic, topicOf } from "../../core/wire/topics.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";
import { contentMetrics } from "../account/contentRecord.ts";
import { decodeSampleRecord } from "../journal/record.ts";
import type { Journal, StoredRecord } from "../journal/journal.ts";
import { Aliases } from "./aliases.ts";
import { Delivery, type Pick } from "./delivery.ts";

/**
 * The Sparkplug Edge Node: one MQTT session at a time, births, data out of the journal, commands in.
 *
 * It reads batches from the journal only, never from memory of a poll: what is published has been synced. Transport timers
 * (reconnect, RTO) are real time; everything with a timestamp is domain time.
 */
export interface EdgeNodeOptions {
  readonly group: string;
  readonly edge: string;
  readonly hostId: string | null;
  readonly delivery: "required" | "auto" | "off";
  readonly software: string;
  readonly site: string;
  readonly connect: { readonly url: string; readonly username?: string; readonly password?: string };
  readonly connector: MqttConnector;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Monotonic transport time. */
  readonly mono_ms: () => number;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** Devices configured now, and whether their meter answers. */
  readonly devices: () => readonly LiveDevice[];
}

export interface LiveDevice {
  readonly definition: DeviceDefinition;
  /** Its hash in the journal. */
  readonly hash: string;
  readonly isAnswering: boolean;
  readonly last: ReadonlyMap<QuantityId, Reading>;
}

export interface EdgeNodeStatus {
  readonly state: "connecting" | "waiting-for-host" | "born" | "stopped";
  readonly bdSeq: number;
  readonly inFlight_bytes: number;
  readonly window_bytes: number;
  readonly sent: number;
  readonly resent: number;
  readonly ignoredCommands: number;
}

const KEEPALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 10_000;
const RECONNECT_MIN_MS = 500;
/** Long enough for a broker under repair, short enough that a zone is whole again soon after it. */
const RECONNECT_MAX_MS = 10_000;
/** After a host went offline we are back and listening well within the 2 s that hosts expect. */
const RECONNECT_AFTER_HOST_OFFLINE_MS = 500;
/** How long a death certificate may wait for its PUBACK, and a DISCONNECT for the socket to close. */
const DEATH_MS = 2000;
const DISCONNECT_MS = 1000;
const PUMP_MS = 100;
const PENDING_REPORT_MS = 60_000;
/** Batches handed to the link in one go, before other work gets its turn. */
const BURST_MAX = 100;
const READ_AHEAD = 64;

export class EdgeNode {
  readonly #o: EdgeNodeOptions;
  readonly #delivery: Delivery;
  readonly #aliases: Aliases;
  readonly #topics: { readonly ncmd: string; readonly state: string | null };
  /** Devices born in this session: whether they are dead since, and by which definition their metrics are to be read. */
  readonly #born = new Map<string, { isAlive: boolean; readonly hash: string }>();
  readonly #newestSent_ms = new Map<string, number>();
  #readAhead: readonly StoredRecord[] = [];
  #link: MqttLink | null = null;
  #state: EdgeNodeStatus["state"] = "connecting";
  #seq = 0;
  #bdSeq: number;
  #hostStateAt_ms = Number.NEGATIVE_INFINITY;
  #isStopping = false;
  #ignoredCommands = 0;
  #hasSaidUnknown = false;
  #endSession: (why: string) => void = () => {};
  #reconnectDelay_ms = RECONNECT_MIN_MS;

  constructor(options: EdgeNodeOptions) {
    this.#o = options;
    const { journal, group, edge, hostId } = options;
    this.#delivery = new Delivery(journal.status().nextNumber, (n) => journal.isConfirmed(n), options.random);
    this.#aliases = new Aliases(journal);
    this.#bdSeq = Number(journal.getState("bdSeq") ?? -1);
    this.#topics = {
      ncmd: topicOf({ kind: "NCMD", group, edge }),
      state: hostId === null ? null : topicOf({ kind: "STATE", host: hostId }),
    };
  }

  /** Connects and reconnects until stopped. Never rejects: an unreachable broker never ends an agent. */
  async run(): Promise<void> {
    while (!this.#isStopping) {
      const why = await this.#session().catch((error: unknown) => errorText(error));
      this.#sessionIsOver();
      if (this.#isStopping) break;
      this.#o.log.warn("uplink.session-ended", {
        why,
        bdSeq: this.#bdSeq,
        retry_ms: Math.round(this.#reconnectDelay_ms),
      });
      await this.#sleep(this.#reconnectDelay_ms * (0.5 + this.#o.random.unit()));
      this.#reconnectDelay_ms = Math.min(this.#reconnectDelay_ms * 2, RECONNECT_MAX_MS);
    }
    this.#state = "stopped";
  }

  /** Batches were committed; `isLive` = captured just now, not history. */
  appended(numbers: readonly number[], isLive: boolean): void {
    this.#delivery.appended(numbers, isLive && this.#state === "born");
    if (this.#state === "born") this.#pump();
  }

  /** A meter fell silent or came back, or its definition became known. */
  deviceChanged(device: LiveDevice): void {
    if (this.#state !== "born") return;
    const id = device.definition.device;
    const isAlive = this.#born.get(id)?.isAlive === true;
    if (device.isAnswering && !isAlive) this.#publishDeviceBirth(device);
    if (!device.isAnswering && isAlive) this.#publishDeviceDeath(id);
  }

  status(): EdgeNodeStatus {
    return {
      state: this.#state,
      bdSeq: this.#bdSeq,
      inFlight_bytes: this.#delivery.inFlight_bytes,
      window_bytes: this.#delivery.window_bytes,
      sent: this.#delivery.counts.sent,
      resent: this.#delivery.counts.resent,
      ignoredCommands: this.#ignoredCommands,
    };
  }

  /** NDEATH, DISCONNECT, done. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#leave();
    this.#endSession("stopped");
  }

  async #session(): Promise<string> {
    this.#state = "connecting";
    this.#hasSaidUnknown = false;
    this.#bdSeq = (this.#bdSeq + 1) % 256;
    // Synced before CONNECT, so that a crash or power cut still counts up [topics-nbirth-bdseq-increment].
    this.#o.journal.commit({ entries: [], state: () => [["bdSeq", String(this.#bdSeq)]] });
    const { group, edge } = this.#o;
    const ended = new Promise<string>((resolve) => {
      this.#endSession = resolve;
    });
    const link = await this.#o.connector.connect({
      ...this.#o.connect,
      clientId: `khuxanh-${group}-${edge}`,
      will: { topic: topicOf({ kind: "NDEATH", group, edge }), payload: this.#deathPayload(), qos: 1, retain: false },
      keepalive_s: KEEPALIVE_S,
      connectTimeout_ms: CONNECT_TIMEOUT_MS,
      onMessage: (topic, payload) => this.#onMessage(topic, payload),
      onClose: (why) => this.#endSession(why),
    });
    this.#link = link;
    if (this.#isStopping) return "stopped";
    this.#state = "waiting-for-host";
    const filters = [this.#topics.ncmd, deviceCommandFilter({ group, edge })];
    if (this.#topics.state !== null) filters.push(this.#topics.state);
    await link.subscribe(filters.map((filter) => ({ filter, qos: 1 as const })));
    this.#o.log.info("uplink.connected", { bdSeq: this.#bdSeq, waitsForHost: this.#o.hostId });
    this.#reconnectDelay_ms = RECONNECT_MIN_MS;
    if (this.#topics.state === null) this.#publishBirths();
    const stopPump = this.#o.timers.every(PUMP_MS, () => this.#tick());
    const stopReport = this.#o.timers.every(PENDING_REPORT_MS, () => this.#reportPending());
    try {
      return await ended;
    } finally {
      stopPump();
      stopReport();
    }
  }

  #sessionIsOver(): void {
    this.#link?.destroy();
    this.#link = null;
    this.#state = "connecting";
    this.#born.clear();
    this.#delivery.sessionEnded();
  }

  /** An intended end: NDEATH first, at QoS 1 and acknowledged, then DISCONNECT [operational-behavior-edge-node-intentional-disconnect-ndeath]. */
  async #leave(): Promise<void> {
    const link = this.#link;
    if (link === null) return;
    this.#link = null;
    const { group, edge } = this.#o;
    try {
      if (this.#state === "born") {
        this.#state = "connecting";
        const topic = topicOf({ kind: "NDEATH", group, edge });
        await atMost(DEATH_MS, link.publish(topic, this.#deathPayload(), { qos: 1, retain: false }), this.#o.timers);
      }
      await atMost(DISCONNECT_MS, link.end(), this.#o.timers);
    } catch {
      link.destroy();
    }
  }

  #onMessage(topic: string, bytes: Uint8Array): void {
    const parsed = parseTopic(topic);
    if (parsed?.kind === "STATE") this.#onHostState(bytes);
    else if (parsed?.kind === "NCMD") this.#onCommand(bytes);
  }

  #onHostState(bytes: Uint8Array): void {
    const state = parseState(bytes);
    if (state === null || state.timestamp_ms < this.#hostStateAt_ms) return;
    this.#hostStateAt_ms = state.timestamp_ms;
    if (state.online && this.#state === "waiting-for-host") this.#publishBirths();
    if (!state.online && this.#state === "born") {
      this.#o.log.info("uplink.host-offline", { host: this.#o.hostId });
      this.#reconnectDelay_ms = RECONNECT_AFTER_HOST_OFFLINE_MS;
      void this.#leave().then(() => this.#endSession("host offline"));
    }
  }

  #onCommand(bytes: Uint8Array): void {
    let metrics: readonly Metric[];
    try {
      metrics = decodePayload(bytes).metrics;
    } catch {
      this.#ignoredCommands += 1;
      return;
    }
    for (const command of metrics) {
      if (command.name === MetricName.rebirth && command.booleanValue === true) this.#rebirth();
      else if (command.name === MetricName.deliveryAck && command.stringValue !== undefined) {
        this.#onAck(command.stringValue);
      } else if (command.booleanValue !== false) this.#ignoredCommands += 1;
    }
  }

  #rebirth(): void {
    if (this.#state !== "born") return;
    this.#publishBirths();
    this.#delivery.restartTimers(this.#o.mono_ms());
  }

  #onAck(text: string): void {
    const ack = parseAck(text);
    const { journal } = this.#o;
    if (ack.kind === "malformed" || ack.epoch !== journal.epoch) {
      this.#ignoredCommands += 1;
      return;
    }
    if (journal.getState("ackSeen") === null) journal.commit({ entries: [], state: () => [["ackSeen", "1"]] });
    const highest = ack.kind === "hello" ? ack.highest : (ack.ranges.at(-1)?.last ?? 0);
    if (highest >= journal.nextNumber()) this.#onUnknownBatches(highest);
    if (ack.kind === "hello") return;
    this.#delivery.confirmed(ack.ranges, this.#o.mono_ms());
    journal.confirm(ack.ranges);
    this.#pump();
  }

  /**
   * The host holds batches this journal never numbered: a restored image or a cloned card. Said once a session. Taking a new
   * epoch and numbering afresh (reference sparkplug §17.4) is not built yet; the host keeps what differs in quarantine.
   */
  #onUnknownBatches(highest: number): void {
    if (this.#hasSaidUnknown) return;
    this.#hasSaidUnknown = true;
    this.#o.log.error("uplink.journal-went-back", { highest, next: this.#o.journal.nextNumber() });
  }

  #waitsForAcks(): boolean {
    const { delivery, journal } = this.#o;
    return delivery === "required" || (delivery === "auto" && journal.getState("ackSeen") !== null);
  }

  #tick(): void {
    if (this.#state !== "born") return;
    const now_ms = this.#o.mono_ms();
    if (this.#waitsForAcks()) this.#delivery.expire(now_ms);
    else {
      const done = this.#delivery.olderThan(2 * KEEPALIVE_S * 1000, now_ms);
      if (done.length > 0) {
        this.#delivery.confirmed(done, now_ms);
        this.#o.journal.confirm(done);
      }
    }
    this.#pump();
  }

  #pump(): void {
    for (let burst = 0; burst < BURST_MAX && this.#state === "born"; burst++) {
      const pick = this.#delivery.next();
      if (pick === null) return;
      this.#send(pick);
    }
  }

  #send(pick: Pick): void {
    const batch = this.#batch(pick.number);
    if (batch === null) {
      this.#o.log.error("uplink.batch-unreadable", { number: pick.number });
      this.#delivery.skip(pick);
      return;
    }
    const { record, definition, hash, sample } = batch;
    this.#ensureBorn(definition, hash, sample !== null);
    const newest_ms = this.#newestSent_ms.get(record.device) ?? Number.NEGATIVE_INFINITY;
    const isLive = pick.isLive && record.from_ms > newest_ms && this.#born.get(record.device)?.isAlive === true;
    if (isLive) this.#newestSent_ms.set(record.device, record.to_ms);
    const naming: Naming = { isHistorical: !isLive, aliasOf: (name) => this.#aliases.of(record.device, name) };
    const metrics =
      sample === null
        ? contentMetrics(record.body, naming)
        : decodeSample(definition, sample).map((reading) => readingMetric(reading, naming));
    metrics.push(batchMetric(record.number, this.#o.clock.now_ms(), naming.aliasOf));
    const bytes = this.#publishDevice("DDATA", record.device, metrics);
    this.#delivery.sent(pick, bytes, this.#o.mono_ms());
  }

  /** A batch with the definition that reads it: samples name theirs, intervals carry their own tick and take the device's. */
  #batch(number: number) {
    const record = this.#record(number);
    if (record === null) return null;
    const { journal } = this.#o;
    if (record.kind === "sample") {
      const { sample, definition: hash } = decodeSampleRecord(record.body);
      const definition = journal.definition(hash);
      return definition === null ? null : { record, definition, hash, sample };
    }
    const hash = this.#born.get(record.device)?.hash ?? journal.getState(`definition:${record.device}`) ?? "";
    const definition = journal.definition(hash);
    return definition === null ? null : { record, definition, hash, sample: null };
  }

  #record(number: number): StoredRecord | null {
    const ahead = this.#readAhead.find((record) => record.number === number);
    if (ahead !== undefined) return ahead;
    this.#readAhead = this.#o.journal.read(number, READ_AHEAD);
    const first = this.#readAhead[0];
    return first?.number === number ? first : null;
  }

  /**
   * A device with unconfirmed batches is born even if its meter is silent or no longer configured; else they could never
   * drain. Samples taken under another definition (other ticks) are sent after a birth by that definition.
   */
  #ensureBorn(definition: DeviceDefinition, hash: string, isSample: boolean): void {
    const { device } = definition;
    const born = this.#born.get(device);
    if (born !== undefined && (born.hash === hash || !isSample)) return;
    const live = this.#o
      .devices()
      .find((candidate) => candidate.hash === hash && candidate.definition.device === device);
    this.#publishDeviceBirth(live ?? { definition, hash, isAnswering: false, last: new Map() });
    if (live?.isAnswering !== true) this.#publishDeviceDeath(device);
  }

  #publishBirths(): void {
    const { group, edge, journal, clock } = this.#o;
    const now_ms = clock.now_ms();
    const head = { timestamp_ms: now_ms };
    const status = journal.status();
    this.#seq = 0;
    this.#born.clear();
    const metrics: Metric[] = [
      metric.int64({ ...head, name: MetricName.bdSeq }, this.#bdSeq),
      metric.boolean({ ...head, name: MetricName.rebirth }, false),
      metric.int32({ ...head, name: MetricName.deliveryVersion }, DELIVERY_VERSION),
      metric.string({ ...head, name: MetricName.deliveryEpoch }, journal.epoch),
      metric.string({ ...head, name: MetricName.deliveryAck }, ""),
      metric.int64(
        { ...head, name: MetricName.deliveryPending, alias: this.#aliases.of("", MetricName.deliveryPending) },
        status.unconfirmed,
      ),
      metric.dateTime(
        { ...head, name: MetricName.deliveryOldest, alias: this.#aliases.of("", MetricName.deliveryOldest) },
        status.oldestUnconfirmed_ms,
      ),
      metric.string({ ...head, name: "Properties/Site" }, this.#o.site),
      metric.string({ ...head, name: "Properties/Software" }, this.#o.software),
    ];
    const devices = this.#o.devices();
    for (const { definition } of devices) {
      for (const { name } of deviceMetrics(definition)) this.#aliases.of(definition.device, name);
    }
    this.#keepAliases();
    this.#state = "born";
    this.#publish(topicOf({ kind: "NBIRTH", group, edge }), metrics);
    for (const device of devices) {
      if (device.isAnswering) this.#publishDeviceBirth(device);
    }
    this.#o.log.info("uplink.born", { bdSeq: this.#bdSeq, epoch: journal.epoch, pending: status.unconfirmed });
    this.#pump();
  }

  #publishDeviceBirth({ definition, hash, last }: LiveDevice): void {
    const { device } = definition;
    const now_ms = this.#o.clock.now_ms();
    const byWire = new Map([...last].map(([quantity, reading]) => [QUANTITIES[quantity].wire as string, reading]));
    const metrics = deviceMetrics(definition).map(({ name, datatype, properties: { value, ...texts } }): Metric => {
      const alias = this.#aliases.of(device, name);
      const reading = byWire.get(name);
      const shown = value === undefined && reading !== undefined ? withValue(reading) : textOrNull(value);
      const properties = new Map(Object.entries(texts).map(([key, text]) => [key, property.string(text)]));
      return {
        name,
        alias,
        timestamp_ms: reading?.at_ms ?? now_ms,
        datatype: datatype as DataTypeCode,
        ...shown,
        ...(properties.size === 0 ? {} : { properties }),
        ...(name === MetricName.deliveryBatch ? { isTransient: true } : {}),
      };
    });
    this.#keepAliases();
    this.#publishDevice("DBIRTH", device, metrics);
    this.#born.set(device, { isAlive: true, hash });
  }

  #publishDeviceDeath(device: string): void {
    this.#publishDevice("DDEATH", device, []);
    const born = this.#born.get(device);
    if (born !== undefined) born.isAlive = false;
  }

  #publishDevice(kind: "DBIRTH" | "DDATA" | "DDEATH", device: string, metrics: readonly Metric[]): number {
    const { group, edge } = this.#o;
    return this.#publish(topicOf({ kind, group, edge, device }), metrics);
  }

  /** The one serialised path: `seq` is given at the instant the packet goes to the link. */
  #publish(topic: string, metrics: readonly Metric[]): number {
    const payload = encodePayload({ timestamp_ms: this.#o.clock.now_ms(), metrics, seq: this.#seq });
    this.#seq = (this.#seq + 1) % 256;
    this.#link?.publish(topic, payload, { qos: 0, retain: false }).catch((error: unknown) => {
      this.#endSession(errorText(error));
    });
    return payload.length;
  }

  #reportPending(): void {
    if (this.#state !== "born") return;
    const { unconfirmed, oldestUnconfirmed_ms } = this.#o.journal.status();
    const timestamp_ms = this.#o.clock.now_ms();
    const { group, edge } = this.#o;
    this.#publish(topicOf({ kind: "NDATA", group, edge }), [
      data.int64({ timestamp_ms, alias: this.#aliases.of("", MetricName.deliveryPending) }, unconfirmed),
      data.dateTime({ timestamp_ms, alias: this.#aliases.of("", MetricName.deliveryOldest) }, oldestUnconfirmed_ms),
    ]);
  }

  #keepAliases(): void {
    const change = this.#aliases.takeChange();
    if (change !== null) this.#o.journal.commit({ entries: [], state: () => [change] });
  }

  #deathPayload(): Uint8Array {
    const timestamp_ms = this.#o.clock.now_ms();
    return encodePayload({
      timestamp_ms,
      metrics: [metric.int64({ name: MetricName.bdSeq, timestamp_ms }, this.#bdSeq)],
    });
  }

  #sleep(delay_ms: number): Promise<void> {
    return new Promise((resolve) => this.#o.timers.after(delay_ms, resolve));
  }
}

function withValue({ value }: Reading): Partial<Metric> {
  if (value === null) return { isNull: true };
  return typeof value === "bigint" ? { longValue: value } : { doubleValue: value };
}

function textOrNull(value: string | undefined): Partial<Metric> {
  return value === undefined ? { isNull: true } : { stringValue: value };
}

function errorText(error: unknown): string {
  return error instanceof KhuXanhError || error instanceof Error ? error.message : String(error);
}
