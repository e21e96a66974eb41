import { expect } from "vitest";
import { MetricName } from "../../core/wire/ack.ts";
import { DataType } from "../../core/wire/payload.ts";
import { parseState } from "../../core/wire/state.ts";
import { type HostStage, PlayedNode, STATE_TOPIC, ZONE } from "./hostStage.ts";
import type { Checks } from "./ids.ts";
import type { Publish } from "./recordedBroker.ts";

/** What a host application must do, proven on a real collector; each check has a stage of its own. */
export const HOST_CHECKS: Checks<HostStage> = [
  // Its session
  [
    ["host-topic-phid-birth-topic", "operational-behavior-host-application-connect-birth-topic"],
    async (host) => {
      await host.start();
      expect(host.said()[0]?.topicText).toBe(STATE_TOPIC);
    },
  ],
  [
    [
      "host-topic-phid-death-topic",
      "operational-behavior-host-application-connect-will-topic",
      "operational-behavior-host-application-death-topic",
    ],
    async (host) => {
      await host.start();
      expect(willOf(host).topic).toBe(STATE_TOPIC);
      await host.collector.stop();
      expect(host.said("STATE").at(-1)?.topicText).toBe(STATE_TOPIC);
    },
  ],
  [
    [
      "host-topic-phid-birth-qos",
      "host-topic-phid-birth-retain",
      "operational-behavior-host-application-connect-birth-qos",
      "operational-behavior-host-application-connect-birth-retained",
    ],
    async (host) => {
      await host.start();
      expect(host.said("STATE")[0]).toMatchObject({ qos: 1, retain: true });
    },
  ],
  [
    [
      "host-topic-phid-death-qos",
      "host-topic-phid-death-retain",
      "payloads-state-will-message-qos",
      "payloads-state-will-message-retain",
      "operational-behavior-host-application-connect-will-qos",
      "operational-behavior-host-application-connect-will-retained",
    ],
    async (host) => {
      await host.start();
      expect(willOf(host)).toMatchObject({ qos: 1, retain: true });
    },
  ],
  [
    [
      "host-topic-phid-death-required",
      "host-topic-phid-death-payload",
      "host-topic-phid-death-payload-timestamp-connect",
      "payloads-state-will-message",
      "payloads-state-will-message-payload",
      "operational-behavior-host-application-connect-will",
      "operational-behavior-host-application-connect-will-payload",
    ],
    async (host) => {
      const at_ms = host.now_ms;
      await host.start();
      expect(parseState(willOf(host).payload)).toEqual({ online: false, timestamp_ms: at_ms });
    },
  ],
  [
    ["message-flow-phid-sparkplug-subscription", "host-topic-phid-birth-sub-required", "payloads-state-subscribe"],
    async (host) => {
      await host.start();
      expect(host.broker.packets.slice(0, 4).map(({ kind }) => kind)).toEqual([
        "CONNECT",
        "SUBSCRIBE",
        "SUBACK",
        "PUBLISH",
      ]);
      const filters = host.broker.packets.flatMap((packet) => (packet.kind === "SUBSCRIBE" ? packet.filters : []));
      expect(filters.map(({ filter }) => filter).sort()).toEqual(["spBv1.0/#", STATE_TOPIC]);
    },
  ],
  [
    [
      "host-topic-phid-birth-message",
      "host-topic-phid-birth-required",
      "host-topic-phid-birth-payload",
      "payloads-state-birth",
      "payloads-state-birth-payload",
      "message-flow-phid-sparkplug-state-publish",
      "message-flow-phid-sparkplug-state-publish-payload",
      "operational-behavior-host-application-connect-birth",
      "operational-behavior-host-application-connect-birth-payload",
    ],
    async (host) => {
      await host.start();
      const [first] = host.said();
      expect(first?.topic.kind).toBe("STATE");
      expect(JSON.parse(Buffer.from(first!.bytes).toString())).toEqual({
        online: true,
        timestamp: expect.any(Number),
      });
    },
  ],
  [
    ["host-topic-phid-birth-payload-timestamp", "message-flow-phid-sparkplug-state-publish-payload-timestamp"],
    async (host) => {
      await host.start();
      expect(stateOf(host.said("STATE")[0]!)?.timestamp_ms).toBe(parseState(willOf(host).payload)?.timestamp_ms);
    },
  ],
  [
    ["intro-sparkplug-host-state", "components-ph-state", "conformance-primary-host"],
    async (host) => {
      await host.start();
      host.broker.cut(1);
      expect(parseState(host.broker.retained(STATE_TOPIC)!)?.online).toBe(false);
      await host.pass(5000);
      expect(parseState(host.broker.retained(STATE_TOPIC)!)?.online).toBe(true);
      await host.collector.stop();
      expect(parseState(host.broker.retained(STATE_TOPIC)!)?.online).toBe(false);
    },
  ],
  [
    ["message-flow-hid-sparkplug-state-message-delivered"],
    async (host) => {
      await host.start();
      const [first] = host.said("STATE");
      const before = stateOf(first!)!.timestamp_ms;
      await host.stateSays(false, before - 5);
      expect(host.said("STATE").map(stateOf)).toEqual([
        { online: true, timestamp_ms: before },
        { online: true, timestamp_ms: before },
      ]);
    },
  ],
  [
    [
      "operational-behavior-host-application-termination",
      "operational-behavior-host-application-death-payload",
      "operational-behavior-host-application-death-qos",
      "operational-behavior-host-application-death-retained",
      "host-topic-phid-death-payload-timestamp-disconnect-clean",
      "host-topic-phid-death-payload-timestamp-disconnect-with-no-disconnect-packet",
      "operational-behavior-host-application-disconnect-intentional",
    ],
    async (host) => {
      await host.start();
      await host.pass(60_000);
      const at_ms = host.now_ms;
      await host.collector.stop();
      const last = host.said("STATE").at(-1)!;
      expect(last).toMatchObject({ qos: 1, retain: true });
      expect(stateOf(last)).toEqual({ online: false, timestamp_ms: at_ms });
      const kinds = host.broker.packets.map((packet) => packet.kind);
      expect(kinds.slice(-2)).toEqual(["PUBLISH", "DISCONNECT"]);
    },
  ],

  // Commands
  [
    ["topics-ncmd-topic", "operational-behavior-data-commands-ncmd-verb"],
    async (host) => {
      await withCommands(host);
      for (const { topicText } of commands(host)) expect(topicText).toBe(`spBv1.0/${ZONE}/NCMD/gw-01`);
    },
  ],
  [
    ["topics-ncmd-mqtt", "payloads-ncmd-qos", "payloads-ncmd-retain"],
    async (host) => {
      await withCommands(host);
      for (const command of commands(host)) expect(command).toMatchObject({ qos: 0, retain: false });
    },
  ],
  [
    ["topics-ncmd-timestamp", "payloads-ncmd-timestamp", "payloads-name-cmd-requirement"],
    async (host) => {
      await withCommands(host);
      for (const { payload, at_ms } of commands(host)) {
        expect(payload.timestamp_ms).toBe(at_ms);
        for (const metric of payload.metrics) expect(metric.timestamp_ms).toBe(at_ms);
      }
    },
  ],
  [
    ["payloads-ncmd-seq"],
    async (host) => {
      await withCommands(host);
      for (const { payload } of commands(host)) expect(payload).not.toHaveProperty("seq");
    },
  ],
  [
    ["topics-ncmd-payload", "operational-behavior-data-commands-ncmd-metric-name"],
    async (host) => {
      await withCommands(host);
      const written = new Set(commands(host).flatMap(({ payload }) => payload.metrics.map(({ name }) => name)));
      expect(written).toEqual(new Set([MetricName.deliveryAck, MetricName.rebirth]));
    },
  ],
  [
    ["operational-behavior-data-commands-ncmd-metric-value"],
    async (host) => {
      await withCommands(host);
      for (const { payload } of commands(host)) {
        for (const { name, datatype, stringValue, booleanValue } of payload.metrics) {
          if (name === MetricName.rebirth) expect([datatype, booleanValue]).toEqual([DataType.Boolean, true]);
          else expect([datatype, typeof stringValue]).toEqual([DataType.String, "string"]);
        }
      }
    },
  ],
  [
    [
      "operational-behavior-data-commands-ncmd-rebirth-verb",
      "operational-behavior-data-commands-ncmd-rebirth-name",
      "operational-behavior-data-commands-ncmd-rebirth-value",
    ],
    async (host) => {
      await withCommands(host);
      const rebirths = commands(host).filter(({ payload }) => payload.metrics[0]?.name === "Node Control/Rebirth");
      expect(rebirths).toHaveLength(1);
      expect(rebirths[0]?.topic.kind).toBe("NCMD");
      expect(rebirths[0]?.payload.metrics).toMatchObject([{ booleanValue: true }]);
    },
  ],

  // Receiving
  [
    ["operational-behavior-edge-node-termination-host-action-ndeath-node-offline"],
    async (host) => {
      const node = await bornNode(host);
      await node.death(6);
      expect(host.collector.isOnline({ group: ZONE, edge: "gw-01" })).toBe(true);
      await node.death(7);
      expect(host.collector.isOnline({ group: ZONE, edge: "gw-01" })).toBe(false);
      await host.pass(6000);
      expect(host.store.gateways()[0]?.online).toBe(false);
    },
  ],
  [
    ["operational-behavior-edge-node-termination-host-action-ndeath-devices-offline"],
    async (host) => {
      const node = await bornNode(host);
      expect(host.meter("gw-01", "incomer")?.online).toBe(true);
      await node.death(7);
      expect(host.meter("gw-01", "incomer")?.online).toBe(false);
    },
  ],
  [
    [
      "operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale",
      "operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale",
    ],
    async (host) => {
      const node = await bornNode(host);
      expect(host.meter("gw-01", "incomer")?.staleSince_ms).toBeNull();
      const at_ms = host.now_ms;
      await node.death(7);
      expect(host.meter("gw-01", "incomer")?.staleSince_ms, "by the host's own clock").toBe(at_ms);
    },
  ],
  [
    [
      "operational-behavior-edge-node-termination-host-action-ddeath-devices-offline",
      "operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale",
    ],
    async (host) => {
      const node = await bornNode(host);
      await node.deviceBirth("furnace");
      await host.pass(5000);
      const at_ms = host.now_ms;
      await node.send("DDEATH", "incomer", []);
      await host.pass(5000);
      expect(host.meter("gw-01", "incomer")).toMatchObject({ online: false, staleSince_ms: at_ms });
      expect(host.meter("gw-01", "furnace")).toMatchObject({ online: true, staleSince_ms: null });
    },
  ],
  [
    ["topic-structure-namespace-duplicate-device-id-across-edge-node"],
    async (host) => {
      await bornNode(host);
      const other = new PlayedNode(host, "gw-02");
      await other.birth(0);
      await other.deviceBirth("incomer");
      await other.data("incomer", 1, 77);
      await host.pass(1000);
      const values = ["gw-01", "gw-02"].map(
        (edge) => [...(host.meter(edge, "incomer")?.values.values() ?? [])][0]?.value,
      );
      expect(values).toEqual([230, 77]);
    },
  ],
];

/** The same with a reorder timeout of two seconds. */
export const REORDER_CHECKS: Checks<HostStage> = [
  [
    ["operational-behavior-host-reordering-param", "operational-behavior-host-reordering-start"],
    async (host) => {
      const node = await bornNode(host);
      node.seq += 1;
      await node.data("incomer", 2, 231);
      await host.pass(1500);
      expect(rebirthsAsked(host)).toBe(0);
      await host.pass(2000);
      expect(rebirthsAsked(host)).toBe(1);
    },
  ],
  [
    ["operational-behavior-host-reordering-success"],
    async (host) => {
      const node = await bornNode(host);
      const missing = node.seq;
      node.seq += 1;
      await node.data("incomer", 3, 231);
      const next = node.seq;
      node.seq = missing;
      await node.data("incomer", 2, 230);
      node.seq = next;
      await host.pass(10_000);
      await node.data("incomer", 4, 232);
      await host.pass(10_000);
      expect(rebirthsAsked(host)).toBe(0);
      expect(host.numbersHeld("gw-01")).toEqual([[1, 4]]);
    },
  ],
  [
    ["operational-behavior-host-reordering-rebirth"],
    async (host) => {
      const node = await bornNode(host);
      node.seq += 1;
      await node.data("incomer", 2, 231);
      await host.pass(10_000);
      expect(rebirthsAsked(host), "once, not for ever").toBe(1);
      expect(host.numbersHeld("gw-01"), "what came is stored all the same").toEqual([[1, 2]]);
      await node.birth(7);
      await node.deviceBirth("incomer");
      await node.data("incomer", 3, 232);
      await host.pass(10_000);
      expect(rebirthsAsked(host)).toBe(1);
    },
  ],
];

async function bornNode(host: HostStage): Promise<PlayedNode> {
  await host.start();
  const node = new PlayedNode(host, "gw-01");
  await node.birth(7);
  await node.deviceBirth("incomer");
  await node.data("incomer", 1, 230);
  await host.pass(1000);
  return node;
}

/** Hello, acks, and a request for a birth because of a device that was never born. */
async function withCommands(host: HostStage): Promise<void> {
  const node = await bornNode(host);
  await node.data("stranger", 2, 1);
  await host.pass(2000);
}

function commands(host: HostStage): Publish[] {
  const found = host.said("NCMD");
  expect(found.length).toBeGreaterThanOrEqual(3);
  return found;
}

function rebirthsAsked(host: HostStage): number {
  return host.said("NCMD").filter(({ payload }) => payload.metrics[0]?.name === MetricName.rebirth).length;
}

function willOf(host: HostStage) {
  const [first] = host.broker.packets;
  if (first?.kind !== "CONNECT") throw new Error("it did not connect");
  return first.connect.will;
}

function stateOf({ bytes }: Publish) {
  return parseState(bytes);
}
