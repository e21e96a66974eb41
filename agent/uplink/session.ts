import type { Clock, MqttLink } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { encodeMessage, type Metric, type MetricWriter } from "../../core/wire/payload.ts";
import { type DeviceKind, type NodeKind, topicOf } from "../../core/wire/topics.ts";
import { deviceBirthMetrics, type LiveDevice, type NodeFacts, nodeBirthMetrics } from "./births.ts";

/**
 * One born MQTT session: what was announced in it, and the one path on which `seq` is given, at the instant a packet goes to
 * the link. A rebirth begins it anew on the same link.
 */
export interface SessionOptions {
  readonly group: string;
  readonly edge: string;
  readonly link: MqttLink;
  readonly clock: Pick<Clock, "now_ms">;
  readonly aliasOf: (device: string, name: string) => number;
  /** Called before anything is announced: an alias that is not on disk must not leave the house. @throws if it cannot be kept */
  readonly keepAliases: () => void;
  readonly onFailed: (error: unknown) => void;
}

interface BornDevice {
  isAlive: boolean;
  /** The definition its metrics are to be read by. */
  readonly hash: string;
  readonly dataTopic: string;
  /** Newest reading that went as live. */
  newest_ms: EpochMs;
}

export class BornSession {
  readonly #o: SessionOptions;
  readonly #nodeDataTopic: string;
  readonly #born = new Map<string, BornDevice>();
  #seq = 0;
  #newestOfNode_ms = Number.NEGATIVE_INFINITY;

  constructor(options: SessionOptions) {
    this.#o = options;
    this.#nodeDataTopic = this.#nodeTopic("NDATA");
  }

  /**
   * NBIRTH, then a DBIRTH for each device given that answers; nothing comes between them [payloads-dbirth-order]. The others
   * get their aliases in the same commit: one sync, not one for each that is born later.
   */
  bear(facts: NodeFacts, devices: readonly LiveDevice[]): void {
    const { clock, aliasOf, keepAliases } = this.#o;
    const now_ms = clock.now_ms();
    const node = nodeBirthMetrics(facts, (name) => aliasOf("", name), now_ms);
    const births = devices.map((device) => [device, this.#birthOf(device, now_ms)] as const);
    keepAliases();
    this.#seq = 0;
    this.#born.clear();
    this.#newestOfNode_ms = Number.NEGATIVE_INFINITY;
    this.#publish(this.#nodeTopic("NBIRTH"), node);
    for (const [device, metrics] of births) if (device.isAnswering) this.#publishBirth(device, metrics);
  }

  bearDevice(device: LiveDevice): void {
    const metrics = this.#birthOf(device, this.#o.clock.now_ms());
    this.#o.keepAliases();
    this.#publishBirth(device, metrics);
  }

  killDevice(device: string): void {
    this.#publish(this.#deviceTopic("DDEATH", device), []);
    const born = this.#born.get(device);
    if (born !== undefined) born.isAlive = false;
  }

  isAlive(device: string): boolean {
    return this.#born.get(device)?.isAlive === true;
  }

  /** The definition a device was born with in this session; undefined = not born. */
  hashOf(device: string): string | undefined {
    return this.#born.get(device)?.hash;
  }

  /** Whether content of that time may go as live: newer than all that did. Then it is the newest. */
  takesAsLive(device: string | null, from_ms: EpochMs, to_ms: EpochMs): boolean {
    if (device === null) {
      if (from_ms < this.#newestOfNode_ms) return false;
      this.#newestOfNode_ms = to_ms;
      return true;
    }
    const born = this.#born.get(device);
    if (born?.isAlive !== true || from_ms <= born.newest_ms) return false;
    born.newest_ms = to_ms;
    return true;
  }

  /** @returns the bytes of the payload. */
  publishData(device: string | null, write: (to: MetricWriter) => void): number {
    if (device === null) return this.#send(this.#nodeDataTopic, write);
    return this.#send(this.#born.get(device)?.dataTopic ?? this.#deviceTopic("DDATA", device), write);
  }

  #nodeTopic(kind: NodeKind): string {
    const { group, edge } = this.#o;
    return topicOf({ kind, group, edge });
  }

  #deviceTopic(kind: DeviceKind, device: string): string {
    const { group, edge } = this.#o;
    return topicOf({ kind, group, edge, device });
  }

  #birthOf(device: LiveDevice, now_ms: EpochMs): Metric[] {
    return deviceBirthMetrics(device, (name) => this.#o.aliasOf(device.definition.device, name), now_ms);
  }

  #publishBirth({ definition: { device }, hash }: LiveDevice, metrics: readonly Metric[]): void {
    this.#publish(this.#deviceTopic("DBIRTH", device), metrics);
    const dataTopic = this.#deviceTopic("DDATA", device);
    this.#born.set(device, { isAlive: true, hash, dataTopic, newest_ms: Number.NEGATIVE_INFINITY });
  }

  #publish(topic: string, metrics: readonly Metric[]): void {
    this.#send(topic, (to) => {
      for (const metric of metrics) to.metric(metric);
    });
  }

  #send(topic: string, write: (to: MetricWriter) => void): number {
    const payload = encodeMessage(this.#o.clock.now_ms(), this.#seq, write);
    this.#seq = (this.#seq + 1) % 256;
    this.#o.link.publish(topic, payload, { qos: 0, retain: false }).catch(this.#o.onFailed);
    return payload.length;
  }
}
