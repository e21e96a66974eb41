import { expect } from "vitest";
import { MetricName } from "../../core/wire/ack.ts";
import { DataType, decodePayload, type Metric, valueOf as metricValue } from "../../core/wire/payload.ts";
import { connects, DEVICES, during, EDGE, type EdgeCourse, GROUP, HOST, sent } from "./edgeStage.ts";
import type { Checks } from "./ids.ts";
import type { Packet, Publish } from "./recordedBroker.ts";

/** What an edge node and its devices must do, proven on the packets of a real one. */
export const EDGE_CHECKS: Checks<EdgeCourse> = [
  // Topics, QoS, retain
  [
    ["topics-nbirth-topic", "message-flow-edge-node-birth-publish-nbirth-topic"],
    (course) => isSentOn(course, "NBIRTH", `spBv1.0/${GROUP}/NBIRTH/${EDGE}`),
  ],
  [["topics-ndata-topic"], (course) => isSentOn(course, "NDATA", `spBv1.0/${GROUP}/NDATA/${EDGE}`)],
  [["topics-ndeath-topic"], (course) => isSentOn(course, "NDEATH", `spBv1.0/${GROUP}/NDEATH/${EDGE}`)],
  [
    ["topics-dbirth-topic", "message-flow-device-birth-publish-dbirth-topic"],
    (course) => isSentOn(course, "DBIRTH", ...DEVICES.map((device) => `spBv1.0/${GROUP}/DBIRTH/${EDGE}/${device}`)),
  ],
  [
    ["topics-ddata-topic"],
    (course) => isSentOn(course, "DDATA", ...DEVICES.map((device) => `spBv1.0/${GROUP}/DDATA/${EDGE}/${device}`)),
  ],
  [["topics-ddeath-topic"], (course) => isSentOn(course, "DDEATH", `spBv1.0/${GROUP}/DDEATH/${EDGE}/furnace`)],
  [
    ["message-flow-device-birth-publish-dbirth-match-edge-node-topic"],
    ({ packets }) => {
      const [node] = sent(packets, "NBIRTH");
      for (const { topic } of sent(packets, "DBIRTH")) expect(topic).toMatchObject(nodeOf(node!));
    },
  ],
  [
    [
      "topics-nbirth-mqtt",
      "payloads-nbirth-qos",
      "payloads-nbirth-retain",
      "message-flow-edge-node-birth-publish-nbirth-qos",
      "message-flow-edge-node-birth-publish-nbirth-retained",
    ],
    (course) => goesAt(course, "NBIRTH", 0),
  ],
  [
    [
      "topics-dbirth-mqtt",
      "payloads-dbirth-qos",
      "payloads-dbirth-retain",
      "message-flow-device-birth-publish-dbirth-qos",
      "message-flow-device-birth-publish-dbirth-retained",
    ],
    (course) => goesAt(course, "DBIRTH", 0),
  ],
  [["topics-ndata-mqtt", "payloads-ndata-qos", "payloads-ndata-retain"], (course) => goesAt(course, "NDATA", 0)],
  [["topics-ddata-mqtt", "payloads-ddata-qos", "payloads-ddata-retain"], (course) => goesAt(course, "DDATA", 0)],
  [["topics-ddeath-mqtt"], (course) => goesAt(course, "DDEATH", 0)],

  // The will
  [
    ["payloads-ndeath-will-message", "message-flow-edge-node-birth-publish-will-message"],
    ({ packets }) => {
      for (const { will } of connects(packets)) expect(will.payload.length).toBeGreaterThan(0);
    },
  ],
  [
    ["message-flow-edge-node-birth-publish-will-message-topic"],
    ({ packets }) => {
      for (const { will } of connects(packets)) expect(will.topic).toBe(`spBv1.0/${GROUP}/NDEATH/${EDGE}`);
    },
  ],
  [
    ["payloads-ndeath-will-message-qos", "message-flow-edge-node-birth-publish-will-message-qos"],
    ({ packets }) => {
      for (const { will } of connects(packets)) expect(will.qos).toBe(1);
    },
  ],
  [
    ["payloads-ndeath-will-message-retain", "message-flow-edge-node-birth-publish-will-message-will-retained"],
    ({ packets }) => {
      for (const { will } of connects(packets)) expect(will.retain).toBe(false);
    },
  ],
  [
    ["message-flow-edge-node-birth-publish-will-message-payload", "topics-ndeath-payload"],
    (course) => {
      for (const death of deaths(course)) expect(names(death)).toEqual([MetricName.bdSeq]);
    },
  ],
  [
    ["topics-ndeath-seq", "payloads-ndeath-seq"],
    (course) => {
      for (const { payload } of deaths(course)) expect(payload).not.toHaveProperty("seq");
    },
  ],
  [
    ["message-flow-edge-node-birth-publish-will-message-payload-bdSeq", "topics-nbirth-bdseq-increment"],
    (course) => {
      // Three CONNECTs of the first process and one of the second: each one more, from 0.
      expect(wills(course).map(bdSeqOf)).toEqual([0, 1, 2].map(BigInt));
    },
  ],

  // NBIRTH
  [
    ["message-flow-edge-node-birth-publish-connect", "principles-birth-certificates-order"],
    ({ packets }) => {
      for (const client of clients(packets)) {
        const [first] = sent(ofClient(packets, client));
        expect(first?.topic.kind ?? "NBIRTH").toBe("NBIRTH");
        expect(packets.findIndex((packet) => packet.kind === "CONNECT" && packet.client === client)).toBeLessThan(
          first === undefined ? Number.POSITIVE_INFINITY : packets.indexOf(first),
        );
      }
    },
  ],
  [
    ["message-flow-edge-node-ncmd-subscribe"],
    ({ packets }) => {
      for (const client of clients(packets)) {
        const own = ofClient(packets, client);
        const filters = own.flatMap((packet) => (packet.kind === "SUBSCRIBE" ? packet.filters : []));
        expect(filters).toContainEqual({ filter: `spBv1.0/${GROUP}/NCMD/${EDGE}`, qos: 1 });
        const born = own.findIndex((packet) => packet.kind === "PUBLISH" && packet.topic.kind === "NBIRTH");
        const granted = own.findIndex((packet) => packet.kind === "SUBACK");
        if (born !== -1) expect(granted).toBeLessThan(born);
      }
    },
  ],
  [
    ["message-flow-device-dcmd-subscribe"],
    ({ packets }) => {
      const filters = packets.flatMap((packet) => (packet.kind === "SUBSCRIBE" ? packet.filters : []));
      expect(filters).toContainEqual({ filter: `spBv1.0/${GROUP}/DCMD/${EDGE}/+`, qos: 1 });
    },
  ],
  [
    ["topics-nbirth-timestamp", "payloads-nbirth-timestamp", "message-flow-edge-node-birth-publish-nbirth-payload"],
    (course) => carriesSendTime(course, "NBIRTH"),
  ],
  [
    [
      "topics-nbirth-seq-num",
      "payloads-nbirth-seq",
      "payloads-sequence-num-req-nbirth",
      "message-flow-edge-node-birth-publish-nbirth-payload-seq",
    ],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NBIRTH"))) expect(payload.seq).toBe(0);
    },
  ],
  [
    [
      "topics-nbirth-bdseq-included",
      "topics-nbirth-bdseq-matching",
      "payloads-nbirth-bdseq",
      "payloads-nbirth-bdseq-repeat",
      "payloads-ndeath-bdseq",
      "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
    ],
    (course) => {
      for (const birth of some(sent(course.packets, "NBIRTH"))) {
        const metric = metricOf(birth, MetricName.bdSeq);
        expect(metric?.datatype).toBe(DataType.Int64);
        expect(metric?.longValue).toBe(bdSeqOf(wills(course)[birth.client - 1]!));
      }
      for (const death of sent(course.packets, "NDEATH")) {
        expect(bdSeqOf(death)).toBe(bdSeqOf(wills(course)[death.client - 1]!));
      }
    },
  ],
  [
    [
      "topics-nbirth-rebirth-metric",
      "payloads-nbirth-rebirth-req",
      "operational-behavior-data-commands-rebirth-name",
      "operational-behavior-data-commands-rebirth-datatype",
      "operational-behavior-data-commands-rebirth-value",
    ],
    ({ packets }) => {
      for (const birth of some(sent(packets, "NBIRTH"))) {
        expect(metricOf(birth, "Node Control/Rebirth")).toMatchObject({
          datatype: DataType.Boolean,
          booleanValue: false,
        });
      }
    },
  ],
  [
    ["operational-behavior-data-commands-rebirth-name-aliases"],
    ({ packets }) => {
      for (const birth of some(sent(packets, "NBIRTH"))) {
        expect(metricOf(birth, "Node Control/Rebirth")).not.toHaveProperty("alias");
      }
    },
  ],
  [
    ["topics-nbirth-metric-reqs", "operational-behavior-data-publish-nbirth"],
    (course) => announcesAllIts(course, "NBIRTH", "NDATA"),
  ],
  [
    ["topics-nbirth-metrics", "operational-behavior-data-publish-nbirth-values"],
    ({ packets }) => {
      for (const birth of some(sent(packets, "NBIRTH"))) expect(whatLacksAValue(birth)).toEqual([]);
    },
  ],

  // DBIRTH
  [
    ["message-flow-device-birth-publish-nbirth-wait"],
    ({ packets }) => {
      for (const client of clients(packets)) {
        const kinds = sent(ofClient(packets, client), "NBIRTH", "DBIRTH").map(({ topic }) => topic.kind);
        expect(kinds[0] ?? "NBIRTH").toBe("NBIRTH");
      }
    },
  ],
  [
    ["message-flow-device-birth-publish-dbirth-payload", "topics-dbirth-timestamp", "payloads-dbirth-timestamp"],
    (course) => carriesSendTime(course, "DBIRTH"),
  ],
  [
    [
      "topics-dbirth-seq",
      "payloads-dbirth-seq",
      "payloads-dbirth-seq-inc",
      "message-flow-device-birth-publish-dbirth-payload-seq",
    ],
    (course) => followsInSeq(course, "DBIRTH"),
  ],
  [
    ["payloads-dbirth-order", "payloads-ndata-order", "payloads-ddata-order"],
    ({ packets }) => {
      // From an NBIRTH on: the DBIRTHs of all that answer, and only then data.
      const kinds = sent(packets).map(({ topic }) => topic.kind);
      let births = 0;
      for (const [at, kind] of kinds.entries()) {
        if (kind !== "NBIRTH") continue;
        births += 1;
        expect(kinds.slice(at + 1, at + 3)).toEqual(["DBIRTH", "DBIRTH"]);
      }
      expect(births).toBe(4);
    },
  ],
  [
    ["topics-dbirth-metric-reqs", "operational-behavior-data-publish-dbirth"],
    (course) => announcesAllIts(course, "DBIRTH", "DDATA"),
  ],
  [
    ["topics-dbirth-metrics", "operational-behavior-data-publish-dbirth-values"],
    (course) => {
      const births = some(sent(course.packets, "DBIRTH"));
      for (const birth of births) expect(whatLacksAValue(birth)).toEqual([]);
      const again = some(sent(during(course, "rebirth"), "DBIRTH"));
      for (const birth of again) expect(metricOf(birth, "Energy/Active/Import/Total")?.longValue).toBeGreaterThan(0n);
    },
  ],

  // Data
  [["topics-ndata-timestamp", "payloads-ndata-timestamp"], (course) => carriesSendTime(course, "NDATA")],
  [["topics-ddata-timestamp", "payloads-ddata-timestamp"], (course) => carriesSendTime(course, "DDATA")],
  [["topics-ndata-seq-num", "payloads-ndata-seq", "payloads-ndata-seq-inc"], (course) => followsInSeq(course, "NDATA")],
  [["topics-ddata-seq-num", "payloads-ddata-seq", "payloads-ddata-seq-inc"], (course) => followsInSeq(course, "DDATA")],
  [
    ["topics-ndata-payload"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NDATA"))) expect(payload.metrics.length).toBeGreaterThan(0);
    },
  ],
  [
    ["topics-ddata-payload"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "DDATA"))) expect(payload.metrics.length).toBeGreaterThan(1);
    },
  ],
  [
    ["payloads-sequence-num-always-included"],
    ({ packets }) => {
      const all = some(sent(packets, "NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"));
      for (const { payload } of all) expect(payload.seq).toBeTypeOf("number");
    },
  ],
  [
    ["payloads-sequence-num-incrementing"],
    ({ packets }) => {
      for (const client of clients(packets)) {
        let expected = 0;
        for (const { topic, payload } of sent(ofClient(packets, client))) {
          if (topic.kind === "NDEATH") continue;
          if (topic.kind === "NBIRTH") expected = 0;
          expect(payload.seq).toBe(expected);
          expected = (expected + 1) % 256;
        }
      }
    },
  ],
  [
    ["operational-behavior-data-publish-nbirth-order", "operational-behavior-data-publish-dbirth-order"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NDATA", "DDATA"))) {
        const times = payload.metrics.filter((metric) => metric.isHistorical !== true).map((m) => m.timestamp_ms ?? 0);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }
    },
  ],
  [
    ["payloads-name-birth-data-requirement"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NBIRTH", "DBIRTH", "NDATA", "DDATA"))) {
        for (const metric of payload.metrics) expect(metric.timestamp_ms).toBeTypeOf("number");
      }
    },
  ],
  [
    ["payloads-timestamp-in-UTC", "payloads-metric-timestamp-in-UTC"],
    ({ packets }) => {
      for (const { payload, at_ms } of some(sent(packets))) {
        const times = [payload.timestamp_ms, ...payload.metrics.map((metric) => metric.timestamp_ms)];
        for (const time of times) {
          expect(Number.isSafeInteger(time)).toBe(true);
          // Of this day, by a clock in UTC: never in another unit, never in local time.
          expect(Math.abs(at_ms - time!)).toBeLessThan(3_600_000);
          expect(time).toBeLessThanOrEqual(at_ms);
        }
      }
    },
  ],
  [
    ["payloads-name-requirement"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets))) {
        for (const { name, alias } of payload.metrics) expect(name ?? alias).toBeDefined();
      }
    },
  ],
  [
    ["payloads-metric-datatype-req"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NBIRTH", "DBIRTH"))) {
        for (const { datatype } of payload.metrics) expect(datatype).toBeTypeOf("number");
      }
    },
  ],
  [
    ["payloads-metric-datatype-value", "payloads-metric-datatype-value-type"],
    ({ packets }) => {
      const codes = new Set<number>(Object.values(DataType));
      for (const { payload } of some(sent(packets, "NBIRTH", "DBIRTH"))) {
        for (const { datatype } of payload.metrics) {
          expect(codes.has(datatype!)).toBe(true);
          expect(datatype).not.toBe(DataType.Unknown);
        }
      }
    },
  ],
  [
    ["payloads-metric-datatype-not-req"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NDATA", "DDATA"))) {
        for (const metric of payload.metrics) expect(metric).not.toHaveProperty("datatype");
      }
    },
  ],
  [
    ["payloads-alias-uniqueness"],
    ({ packets }) => {
      const meaning = new Map<number, string>();
      for (const { topic, payload } of some(sent(packets, "NBIRTH", "DBIRTH"))) {
        const device = "device" in topic ? topic.device : "";
        for (const { name, alias } of payload.metrics) {
          if (alias === undefined) continue;
          const known = meaning.get(alias);
          expect(known ?? `${device} ${name}`).toBe(`${device} ${name}`);
          meaning.set(alias, `${device} ${name}`);
        }
      }
      expect(new Set(meaning.values()).size).toBe(meaning.size);
    },
  ],
  [
    ["payloads-alias-birth-requirement"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NBIRTH", "DBIRTH"))) {
        for (const { name } of payload.metrics) expect(name).toBeTypeOf("string");
      }
    },
  ],
  [
    ["payloads-alias-data-cmd-requirement"],
    ({ packets }) => {
      for (const { payload } of some(sent(packets, "NDATA", "DDATA"))) {
        for (const metric of payload.metrics) {
          expect(metric.alias).toBeTypeOf("number");
          expect(metric).not.toHaveProperty("name");
        }
      }
    },
  ],
  [
    [
      "payloads-metric-propertyvalue-type-type",
      "payloads-metric-propertyvalue-type-value",
      "payloads-metric-propertyvalue-type-req",
    ],
    ({ packets }) => {
      const codes = new Set<number>(Object.values(DataType));
      let properties = 0;
      for (const { payload } of some(sent(packets, "NBIRTH", "DBIRTH", "DDATA"))) {
        for (const metric of payload.metrics) {
          for (const { type } of metric.properties?.values() ?? []) {
            properties += 1;
            expect(codes.has(type!)).toBe(true);
          }
        }
      }
      expect(properties).toBeGreaterThan(10);
    },
  ],

  // Deaths
  [
    [
      "operational-behavior-device-ddeath",
      "payloads-ddeath-timestamp",
      "payloads-ddeath-seq",
      "payloads-ddeath-seq-inc",
      "payloads-ddeath-seq-number",
      "topics-ddeath-seq-num",
    ],
    (course) => {
      const [death] = sent(during(course, "silent"), "DDEATH");
      expect(death?.topic).toMatchObject({ device: "furnace" });
      carriesSendTime(course, "DDEATH");
      followsInSeq(course, "DDEATH");
    },
  ],
  [
    ["operational-behavior-edge-node-intentional-disconnect-ndeath", "payloads-ndeath-will-message-publisher"],
    (course) => {
      const stopped = during(course, "stop");
      expect(kindsOf(stopped)).toEqual(["NDEATH", "DISCONNECT"]);
      expect(sent(stopped, "NDEATH")[0]).toMatchObject({ qos: 1, retain: false });
    },
  ],
  [
    [
      "operational-behavior-edge-node-intentional-disconnect-packet",
      "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
    ],
    (course) => {
      const kinds = kindsOf(during(course, "stop"));
      expect(kinds.indexOf("NDEATH")).toBeLessThan(kinds.indexOf("DISCONNECT"));
    },
  ],

  // Rebirth
  [
    ["operational-behavior-data-commands-rebirth-action-1", "operational-behavior-data-commands-rebirth-action-2"],
    (course) => {
      const kinds = sent(during(course, "rebirth")).map(({ topic }) => topic.kind);
      expect(kinds.slice(0, 3)).toEqual(["NBIRTH", "DBIRTH", "DBIRTH"]);
      expect(kinds.slice(3)).toContain("DDATA");
    },
  ],
  [
    ["operational-behavior-data-commands-rebirth-action-3"],
    (course) => {
      const [before] = sent(during(course, "hostOnline"), "NBIRTH");
      const [again] = sent(during(course, "rebirth"), "NBIRTH");
      expect(again?.client).toBe(before?.client);
      expect(bdSeqOf(again!)).toBe(bdSeqOf(before!));
    },
  ],

  // The primary host
  [
    ["message-flow-edge-node-birth-publish-phid-wait", "operational-behavior-edge-node-birth-sequence-wait"],
    (course) => {
      expect(sent(during(course, "connected"))).toEqual([]);
      expect(sent(during(course, "hostOnline"), "NBIRTH")).toHaveLength(1);
    },
  ],
  [
    ["message-flow-edge-node-birth-publish-phid-wait-id"],
    (course) => {
      expect(sent(during(course, "otherHost"))).toEqual([]);
      const filters = course.packets.flatMap((packet) => (packet.kind === "SUBSCRIBE" ? packet.filters : []));
      expect(filters).toContainEqual({ filter: `spBv1.0/STATE/${HOST}`, qos: 1 });
    },
  ],
  [
    ["message-flow-edge-node-birth-publish-phid-wait-online"],
    (course) => expect(sent(during(course, "hostOffline"))).toEqual([]),
  ],
  [
    ["message-flow-edge-node-birth-publish-phid-wait-timestamp"],
    (course) => {
      expect(sent(during(course, "awayOldOnline"))).toEqual([]);
      expect(sent(during(course, "hostReturns"), "NBIRTH")).toHaveLength(1);
    },
  ],
  [
    ["message-flow-edge-node-birth-publish-phid-offline", "operational-behavior-edge-node-termination-host-offline"],
    (course) => expect(kindsOf(during(course, "hostDies")).slice(0, 2)).toEqual(["NDEATH", "DISCONNECT"]),
  ],
  [
    ["operational-behavior-edge-node-termination-host-offline-reconnect"],
    (course) => {
      expect(kindsOf(during(course, "hostDies")).slice(2)).toEqual(["CONNECT", "SUBSCRIBE", "SUBACK"]);
    },
  ],
  [
    ["operational-behavior-edge-node-termination-host-offline-timestamp"],
    (course) => {
      const kinds = kindsOf(during(course, "oldOffline"));
      expect(kinds).not.toContain("NDEATH");
      expect(kinds).toContain("DDATA");
    },
  ],
];

function isSentOn({ packets }: EdgeCourse, kind: string, ...topics: readonly string[]): void {
  expect(new Set(some(sent(packets, kind)).map(({ topicText }) => topicText))).toEqual(new Set(topics));
}

function goesAt({ packets }: EdgeCourse, kind: string, qos: 0 | 1): void {
  for (const packet of some(sent(packets, kind))) expect(packet).toMatchObject({ qos, retain: false });
}

function carriesSendTime({ packets }: EdgeCourse, kind: string): void {
  for (const { payload, at_ms } of some(sent(packets, kind))) expect(payload.timestamp_ms).toBe(at_ms);
}

/** One more than the message of the node before it. */
function followsInSeq({ packets }: EdgeCourse, kind: string): void {
  for (const client of clients(packets)) {
    const all = sent(ofClient(packets, client));
    for (const [at, { topic, payload }] of all.entries()) {
      if (topic.kind === kind) expect(payload.seq).toBe((all[at - 1]!.payload.seq! + 1) % 256);
    }
  }
  some(sent(packets, kind));
}

/** Every alias of data stands in the newest birth before it, of the node or of its device. */
function announcesAllIts({ packets }: EdgeCourse, birthKind: string, dataKind: string): void {
  const born = new Map<string, Set<number | undefined>>();
  let looked = 0;
  for (const { topic, payload } of sent(packets)) {
    const device = "device" in topic ? topic.device : "";
    if (topic.kind === birthKind) born.set(device, new Set(payload.metrics.map(({ alias }) => alias)));
    if (topic.kind !== dataKind) continue;
    for (const { alias } of payload.metrics) {
      looked += 1;
      expect(born.get(device)?.has(alias)).toBe(true);
    }
  }
  expect(looked).toBeGreaterThan(0);
}

/** Names of metrics that are neither null nor carry a value of their type. */
function whatLacksAValue({ payload }: Publish): readonly (string | undefined)[] {
  return payload.metrics
    .filter((metric) => metric.isNull !== true && metricValue(metric, metric.datatype!) === null)
    .map(({ name }) => name);
}

type Death = Pick<Publish, "payload">;

/** Wills as given to the broker, in the order of the CONNECTs. */
function wills({ packets }: EdgeCourse): Death[] {
  return some(connects(packets).map(({ will }) => ({ payload: decodePayload(will.payload) })));
}

function deaths(course: EdgeCourse): Death[] {
  return some([...wills(course), ...sent(course.packets, "NDEATH")]);
}

function bdSeqOf({ payload }: Death): bigint | undefined {
  return payload.metrics.find(({ name }) => name === MetricName.bdSeq)?.longValue;
}

function metricOf({ payload }: Publish, name: string): Metric | undefined {
  return payload.metrics.find((metric) => metric.name === name);
}

function names({ payload }: Death): readonly (string | undefined)[] {
  return payload.metrics.map(({ name }) => name);
}

function nodeOf({ topic }: Publish) {
  return topic.kind === "STATE" ? {} : { group: topic.group, edge: topic.edge };
}

function kindsOf(packets: readonly Packet[]): string[] {
  return packets
    .filter((packet) => packet.kind !== "PUBLISH" || packet.client > 0)
    .map((packet) => (packet.kind === "PUBLISH" ? packet.topic.kind : packet.kind));
}

function clients(packets: readonly Packet[]): readonly number[] {
  return packets.flatMap((packet) => (packet.kind === "CONNECT" ? [packet.client] : []));
}

function ofClient(packets: readonly Packet[], client: number): readonly Packet[] {
  return packets.filter((packet) => packet.client === client);
}

/** A rule that was never put to the test is not kept. */
function some<T>(found: readonly T[]): T[] {
  expect(found.length).toBeGreaterThan(0);
  return [...found];
}
