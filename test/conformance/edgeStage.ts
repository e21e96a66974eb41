import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeContent } from "../../agent/account/contentRecord.ts";
import { type Journal, type JournalEntry, openJournal } from "../../agent/journal/journal.ts";
import { sampleEntry } from "../../agent/journal/sample.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import { EdgeNode, type EdgeNodeOptions, type LiveDevice } from "../../agent/uplink/edgeNode.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { MqttConnect } from "../../core/ports.ts";
import type { Reading } from "../../core/reading/reading.ts";
import { ackMetric, formatAcks, nodeCommand, rebirthMetric } from "../../core/wire/ack.ts";
import { formatNodeRecord } from "../../core/wire/nodeRecord.ts";
import { encodePayload, type Metric } from "../../core/wire/payload.ts";
import { encodeState } from "../../core/wire/state.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";
import { floatMeter, limitsOf } from "../bench/poll/meters.ts";
import { interval } from "../contract/store.ts";
import { type Packet, type Publish, RecordedBroker } from "./recordedBroker.ts";
import { Stage } from "./stage.ts";

export const GROUP = "kcn";
export const EDGE = "gw-01";
export const HOST = "zone-collector";
export const DEVICES = ["incomer", "furnace"] as const;

type Change = Partial<Pick<EdgeNodeOptions, "hostId" | "delivery" | "returnIsBorn">>;

/** A real edge node with a real journal on a recorded broker, in time that the test moves; the test plays the host. */
export class EdgeStage extends Stage {
  readonly broker = new RecordedBroker(() => this.now_ms);
  readonly journal: Journal;
  readonly meters: { definition: DeviceDefinition; hash: string; isAnswering: boolean; last: LiveDevice["last"] }[];
  readonly #dir = mkdtempSync(join(tmpdir(), "khuxanh-conformance-"));
  #edge: EdgeNode;
  #poll = 0;

  readonly #change: Change;

  constructor(state: readonly (readonly [string, string])[] = [], change: Change = {}) {
    super();
    this.#change = change;
    this.journal = openJournal({
      disk: sqliteDisk(join(this.#dir, "journal")),
      maxBytes: null,
      maxAge_ms: 60 * 86_400_000,
      now_ms: () => this.now_ms,
      random: this.random,
      log: this.log,
    });
    this.journal.commit({ entries: [], state: () => state });
    this.meters = DEVICES.map((device) => {
      const definition = { ...floatMeter(3, limitsOf(120)), device };
      return { definition, hash: this.journal.putDefinition(definition), isAnswering: true, last: new Map() };
    });
    this.#edge = this.#newEdge();
  }

  get edge(): EdgeNode {
    return this.#edge;
  }

  start(): void {
    void this.#edge.run();
  }

  /** The process begins again on the same journal. */
  restart(): void {
    this.#edge = this.#newEdge();
    this.start();
  }

  /** The edge node is up, the host there, and what was born is confirmed. */
  async born(): Promise<void> {
    this.start();
    await this.pass(1000);
    await this.hostSays(true, this.now_ms);
    await this.pass(1000);
  }

  /** Every meter is read once, committed and given to the edge node, as live data. */
  poll(): void {
    this.#poll += 1;
    this.append(this.meters.filter(({ isAnswering }) => isAnswering).map((meter) => this.#sample(meter)));
  }

  append(entries: readonly JournalEntry[], isLive = true): void {
    this.#edge.appended(this.journal.commit({ entries, state: () => [] }), isLive);
  }

  closeInterval(): void {
    const from_ms = Math.floor(this.now_ms / 900_000) * 900_000 - 900_000;
    const closed = { ...interval(0), device: DEVICES[0], from_ms, to_ms: from_ms + 900_000 };
    const body = encodeContent([closed], []);
    this.append([{ device: DEVICES[0], from_ms, to_ms: from_ms + 900_000, kind: "content", body }]);
  }

  report(): void {
    const at_ms = this.now_ms;
    const record = { kind: "polls", at_ms, boot: 1, from_ms: at_ms - 1000, to_ms: at_ms, meters: [] } as const;
    const body = new TextEncoder().encode(formatNodeRecord(record));
    this.append([{ device: "", from_ms: at_ms, to_ms: at_ms, kind: "node", body }]);
  }

  answers(device: (typeof DEVICES)[number], isAnswering: boolean): void {
    const meter = this.meters.find(({ definition }) => definition.device === device)!;
    meter.isAnswering = isAnswering;
    this.#edge.deviceChanged(meter);
  }

  async hostSays(online: boolean, timestamp_ms: number, host = HOST): Promise<void> {
    const state = encodeState({ online, timestamp_ms });
    this.broker.publish(`spBv1.0/STATE/${host}`, state, { qos: 1, retain: true });
    await this.pass(0);
  }

  async command(metrics: readonly Metric[], topic = `spBv1.0/${GROUP}/NCMD/${EDGE}`): Promise<void> {
    this.broker.publish(topic, encodePayload(nodeCommand(this.now_ms, metrics)));
    await this.pass(0);
  }

  askRebirth(): Promise<void> {
    return this.command([rebirthMetric(this.now_ms)]);
  }

  async ackAll(): Promise<void> {
    const last = this.journal.nextNumber() - 1;
    for (const text of formatAcks(this.journal.epoch, last === 0 ? [] : [{ first: 1, last }])) {
      await this.command([ackMetric(this.now_ms, text)]);
    }
  }

  close(): void {
    this.journal.close();
    rmSync(this.#dir, { recursive: true });
  }

  #newEdge(): EdgeNode {
    return new EdgeNode({
      group: GROUP,
      edge: EDGE,
      hostId: HOST,
      delivery: "required",
      software: "khuxanh test",
      site: "steel",
      connect: { url: "mqtt://recorded" },
      connector: this.broker.connector,
      journal: this.journal,
      clock: this.clock,
      mono_ms: this.clock.mono_ms,
      timers: this,
      random: this.random,
      log: this.log,
      devices: () => this.meters,
      ...this.#change,
    });
  }

  #sample(meter: EdgeStage["meters"][number]): JournalEntry {
    const { definition, hash } = meter;
    const floats = new DataView(new ArrayBuffer(12));
    for (let i = 0; i < 3; i++) floats.setFloat32(4 * i, 230 + this.#poll + i);
    const words = Uint16Array.from({ length: 6 }, (_, i) => floats.getUint16(2 * i));
    const blocks = [{ fc: 4 as const, address: 0, words }];
    const sample = { device: definition.device, at_ms: this.now_ms, mono_ms: this.now_ms, blocks, failures: [] };
    meter.last = new Map(decodeSample(definition, sample).map((reading: Reading) => [reading.quantity, reading]));
    return sampleEntry({ sample, definition: hash, boot: 1, clock: "set" });
  }
}

/** What an edge node did in the course of a day that has everything in it; `connect[i]` with all that came through it. */
export interface EdgeCourse {
  readonly packets: readonly Packet[];
  /** Where in the packets each act began. */
  readonly marks: Readonly<Record<Mark, number>>;
  readonly hostTimes: { readonly first: number; readonly death: number; readonly second: number };
}

type Mark =
  | "connected"
  | "otherHost"
  | "hostOffline"
  | "hostOnline"
  | "data"
  | "rebirth"
  | "silent"
  | "back"
  | "oldOffline"
  | "hostDies"
  | "awayOldOnline"
  | "hostReturns"
  | "stop"
  | "restart";

export async function edgeCourse(): Promise<EdgeCourse> {
  const stage = new EdgeStage();
  const { broker } = stage;
  const marks: Partial<Record<Mark, number>> = {};
  const mark = (name: Mark): void => {
    marks[name] = broker.packets.length;
  };
  const first = stage.now_ms - 3_600_000;
  stage.start();
  mark("connected");
  await stage.pass(5000);
  stage.poll();
  await stage.pass(1000);
  mark("otherHost");
  await stage.hostSays(true, first, "another-host");
  mark("hostOffline");
  await stage.hostSays(false, first - 10);
  await stage.pass(1000);
  mark("hostOnline");
  await stage.hostSays(true, first);
  await stage.pass(1000);
  await stage.ackAll();
  mark("data");
  for (let i = 0; i < 3; i++) {
    stage.poll();
    if (i === 1) stage.closeInterval();
    if (i === 1) stage.report();
    await stage.pass(1000);
  }
  await stage.ackAll();
  await stage.pass(60_000);
  mark("rebirth");
  await stage.askRebirth();
  stage.poll();
  await stage.pass(1000);
  mark("silent");
  stage.answers("furnace", false);
  await stage.pass(1000);
  stage.poll();
  await stage.pass(1000);
  mark("back");
  stage.answers("furnace", true);
  stage.poll();
  await stage.pass(1000);
  mark("oldOffline");
  await stage.hostSays(false, first - 1);
  stage.poll();
  await stage.pass(1000);
  mark("hostDies");
  const death = first + 1000;
  await stage.hostSays(false, death);
  await stage.pass(2000);
  stage.poll();
  await stage.pass(1000);
  mark("awayOldOnline");
  await stage.hostSays(true, death - 1);
  await stage.pass(1000);
  mark("hostReturns");
  const second = death + 1000;
  await stage.hostSays(true, second);
  stage.poll();
  await stage.pass(1000);
  mark("stop");
  await stage.edge.stop();
  await stage.pass(1000);
  mark("restart");
  stage.restart();
  await stage.pass(1000);
  await stage.edge.stop();
  stage.close();
  return { packets: broker.packets, marks: marks as EdgeCourse["marks"], hostTimes: { first, death, second } };
}

// Looking at a course

export function publishes(packets: readonly Packet[]): Publish[] {
  return packets.filter((packet): packet is Publish => packet.kind === "PUBLISH");
}

/** What the edge node itself sent, of these kinds; not wills, which the broker sends. */
export function sent(packets: readonly Packet[], ...kinds: readonly string[]): Publish[] {
  return publishes(packets).filter(
    ({ client, isWill, topic }) => client > 0 && !isWill && (kinds.length === 0 || kinds.includes(topic.kind)),
  );
}

export function connects(packets: readonly Packet[]): MqttConnect[] {
  return packets.flatMap((packet) => (packet.kind === "CONNECT" ? [packet.connect] : []));
}

/** From one mark to the next. */
export function during({ packets, marks }: EdgeCourse, mark: Mark): readonly Packet[] {
  const from = marks[mark];
  const until = Math.min(...Object.values(marks).filter((at) => at > from), packets.length);
  return packets.slice(from, until);
}
