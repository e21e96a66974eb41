import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Collector } from "../../cloud/collector/collector.ts";
import type { LiveMeter } from "../../cloud/collector/live.ts";
import { openSqliteStore } from "../../cloud/store/sqlite.ts";
import type { ZoneStore } from "../../cloud/store/store.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { MetricName } from "../../core/wire/ack.ts";
import { deviceMetrics } from "../../core/wire/content.ts";
import { data, encodePayload, type Metric, metric, property } from "../../core/wire/payload.ts";
import { encodeState } from "../../core/wire/state.ts";
import { topicOf } from "../../core/wire/topics.ts";
import { floatMeter, limitsOf } from "../bench/poll/meters.ts";
import { type Packet, type Publish, RecordedBroker } from "./recordedBroker.ts";
import { Stage } from "./stage.ts";

export const ZONE = "kcn";
export const HOST = "zone-collector";
export const STATE_TOPIC = `spBv1.0/STATE/${HOST}`;
export const EPOCH = "00000000000000aa";
const METER = floatMeter(3, limitsOf(120));
const BORN = deviceMetrics(METER);
/** The first gauge of the played meters. */
export const GAUGE = { quantity: "voltage_l1", name: QUANTITIES.voltage_l1.wire } as const;

/** A real collector with a real store on a recorded broker, in time that the test moves; the test plays the gateways. */
export class HostStage extends Stage {
  readonly broker = new RecordedBroker(() => this.now_ms);
  readonly store: ZoneStore;
  readonly collector: Collector;
  readonly #dir = mkdtempSync(join(tmpdir(), "khuxanh-conformance-"));

  constructor(reorderTimeout_ms = 0) {
    super();
    this.store = openSqliteStore({ path: join(this.#dir, "zone.sqlite"), now_ms: () => this.now_ms });
    this.collector = this.newCollector(reorderTimeout_ms);
  }

  newCollector(reorderTimeout_ms = 0): Collector {
    return new Collector({
      hostId: HOST,
      zone: ZONE,
      connect: { url: "mqtt://recorded" },
      connector: this.broker.connector,
      store: this.store,
      factors: [],
      clock: this.clock,
      timers: this,
      random: this.random,
      log: this.log,
      reorderTimeout_ms,
    });
  }

  async start(collector = this.collector): Promise<void> {
    void collector.run();
    await this.pass(1000);
  }

  async stateSays(online: boolean, timestamp_ms: number): Promise<void> {
    this.broker.publish(STATE_TOPIC, encodeState({ online, timestamp_ms }), { qos: 1, retain: true });
    await this.pass(1000);
  }

  meter(edge: string, device: string): LiveMeter | undefined {
    return this.collector.meters().find((one) => one.gateway.edge === edge && one.device === device);
  }

  numbersHeld(edge: string): readonly (readonly [number, number])[] {
    return this.store.batchRanges({ group: ZONE, edge }, EPOCH);
  }

  /** What the collector sent, of these kinds. */
  said(...kinds: readonly string[]): Publish[] {
    return saidIn(this.broker.packets, ...kinds);
  }

  close(): void {
    this.store.close();
    rmSync(this.#dir, { recursive: true });
  }
}

/** A gateway that the test plays. */
export class PlayedNode {
  readonly #stage: HostStage;
  readonly edge: string;
  epoch = EPOCH;
  seq = 0;

  constructor(stage: HostStage, edge: string) {
    this.#stage = stage;
    this.edge = edge;
  }

  async birth(bdSeq: number, more: readonly Metric[] = []): Promise<void> {
    const at = { timestamp_ms: this.#stage.now_ms };
    this.seq = 0;
    await this.send("NBIRTH", null, [
      metric.int64({ ...at, name: MetricName.bdSeq }, bdSeq),
      metric.boolean({ ...at, name: MetricName.rebirth }, false),
      metric.string({ ...at, name: MetricName.deliveryEpoch }, this.epoch),
      metric.string({ ...at, name: MetricName.deliveryAck }, ""),
      metric.int64({ ...at, name: MetricName.deliveryPending, alias: 900 }, 3),
      metric.dateTime({ ...at, name: MetricName.deliveryOldest, alias: 901 }, at.timestamp_ms - 60_000),
      ...more,
    ]);
  }

  async deviceBirth(device: string): Promise<void> {
    await this.send(
      "DBIRTH",
      device,
      BORN.map(({ name, datatype, properties: { value, ...texts } }) => ({
        name,
        alias: aliasOf(name),
        timestamp_ms: this.#stage.now_ms,
        datatype: datatype as never,
        ...(value === undefined ? { isNull: true } : { stringValue: value }),
        properties: new Map(Object.entries(texts).map(([key, text]) => [key, property.string(text)])),
      })),
    );
  }

  async data(
    device: string,
    number: number,
    value: number,
    more: readonly Metric[] = [],
    at_ms = this.#stage.now_ms,
  ): Promise<void> {
    const { now_ms } = this.#stage;
    await this.send("DDATA", device, [
      data.double({ alias: aliasOf(GAUGE.name), timestamp_ms: at_ms }, value),
      ...more,
      data.int64({ alias: aliasOf(MetricName.deliveryBatch), timestamp_ms: now_ms, isTransient: true }, number),
    ]);
  }

  async death(bdSeq: number): Promise<void> {
    const { now_ms } = this.#stage;
    const metrics = [metric.int64({ name: MetricName.bdSeq, timestamp_ms: now_ms }, bdSeq)];
    const topic = topicOf({ kind: "NDEATH", group: ZONE, edge: this.edge });
    this.#stage.broker.publish(topic, encodePayload({ metrics }), { qos: 1 });
    await this.#stage.pass(1000);
  }

  async send(
    kind: "NBIRTH" | "NDATA" | "DBIRTH" | "DDATA" | "DDEATH",
    device: string | null,
    metrics: readonly Metric[],
  ) {
    const { now_ms, broker } = this.#stage;
    const topic = `spBv1.0/${ZONE}/${kind}/${this.edge}${device === null ? "" : `/${device}`}`;
    const { seq } = this;
    this.seq = (seq + 1) % 256;
    broker.publish(topic, encodePayload({ timestamp_ms: now_ms, metrics, seq }));
    await this.#stage.pass(0);
  }
}

export function aliasOf(name: string): number {
  return BORN.findIndex((one) => one.name === name) + 1;
}

export function saidIn(packets: readonly Packet[], ...kinds: readonly string[]): Publish[] {
  return packets.filter(
    (packet): packet is Publish =>
      packet.kind === "PUBLISH" &&
      packet.client > 0 &&
      !packet.isWill &&
      (kinds.length === 0 || kinds.includes(packet.topic.kind)),
  );
}
