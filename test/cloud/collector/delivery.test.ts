import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { COMPRESSED_UUID } from "../../../cloud/collector/inflate.ts";
import { SESSIONS_MAX } from "../../../cloud/collector/sessionWatch.ts";
import { BATCH_NUMBER_MAX, SESSIONS_TOO_MANY } from "../../../cloud/store/store.ts";
import { MetricName, parseAck } from "../../../core/wire/ack.ts";
import { formatNodeRecord, NODE_RECORD_METRICS, type NodeRecord } from "../../../core/wire/nodeRecord.ts";
import { data, encodePayload, type Metric, metric } from "../../../core/wire/payload.ts";
import { aliasOf, EPOCH, GAUGE, HostStage, PlayedNode, ZONE } from "../../conformance/hostStage.ts";

/** The delivery protocol at the collector (reference sparkplug §17.4), against gateways that the test plays. */
const stages: HostStage[] = [];
afterEach(async () => {
  for (const host of stages.splice(0)) {
    await host.collector.stop();
    host.close();
  }
});

const GATEWAY = { group: ZONE, edge: "gw-01" };

async function staged() {
  const host = new HostStage();
  stages.push(host);
  await host.start();
  const node = new PlayedNode(host, "gw-01");
  return { host, node };
}

async function born() {
  const { host, node } = await staged();
  await node.birth(7, nodeMetrics(host.now_ms));
  await node.deviceBirth("incomer");
  await host.pass(1000);
  return { host, node };
}

const RECORD_ALIASES = Object.fromEntries(Object.values(NODE_RECORD_METRICS).map((name, i) => [name, 910 + i]));
const BATCH_ALIAS = 920;
const nodeMetrics = (timestamp_ms: number): Metric[] => [
  ...Object.entries(RECORD_ALIASES).map(([name, alias]) => metric.string({ name, alias, timestamp_ms }, null)),
  metric.int64({ name: MetricName.deliveryBatch, alias: BATCH_ALIAS, timestamp_ms }, null),
];

/** Acks and hellos said since the start, as ranges and highest numbers. */
const acks = (host: HostStage) =>
  host.said("NCMD").flatMap(({ payload }) =>
    payload.metrics.flatMap(({ name, stringValue }) => {
      const ack = name === MetricName.deliveryAck ? parseAck(stringValue ?? "") : null;
      return ack?.kind === "ack" ? [ack.ranges.map(({ first, last }) => [first, last])] : [];
    }),
  );
const hellos = (host: HostStage) =>
  host.said("NCMD").flatMap(({ payload }) =>
    payload.metrics.flatMap(({ name, stringValue }) => {
      const ack = name === MetricName.deliveryAck ? parseAck(stringValue ?? "") : null;
      return ack?.kind === "hello" ? [ack.highest] : [];
    }),
  );
const rebirths = (host: HostStage) =>
  host.said("NCMD").filter(({ payload }) => payload.metrics.some(({ name }) => name === MetricName.rebirth)).length;

async function report(node: PlayedNode, number: number, record: NodeRecord, timestamp_ms: number): Promise<void> {
  const at = { timestamp_ms };
  await node.send("NDATA", null, [
    data.string({ ...at, alias: RECORD_ALIASES[NODE_RECORD_METRICS[record.kind]]! }, formatNodeRecord(record)),
    data.int64({ ...at, alias: BATCH_ALIAS, isTransient: true }, number),
  ]);
}

test("a birth is answered by a hello with the highest number held, again every 30 s until the first ack", async () => {
  const { host, node } = await born();
  expect(hellos(host)).toEqual([0]);
  await host.pass(60_000);
  expect(hellos(host)).toEqual([0, 0, 0]);
  await node.data("incomer", 5, 1);
  await host.pass(60_000);
  expect(hellos(host)).toEqual([0, 0, 0]);
  await node.birth(8);
  await host.pass(1000);
  expect(hellos(host)).toEqual([0, 0, 0, 5]);
});

test("an ack comes after the commit and names ranges; a duplicate is acked again", async () => {
  const { host, node } = await born();
  const { commitBatches } = host.store;
  const held = host.store as { commitBatches: typeof commitBatches };
  let isLocked = true;
  held.commitBatches = (batches) => {
    if (isLocked) throw Object.assign(new Error("database is locked"), { errcode: 5 });
    return commitBatches(batches);
  };
  for (const number of [1, 2, 3, 5]) await node.data("incomer", number, number);
  await host.pass(2000);
  expect(acks(host)).toEqual([]);
  isLocked = false;
  const at_ms = host.now_ms;
  for (const number of [1, 2, 3, 5]) {
    await node.data("incomer", number, number, [], at_ms);
    await host.pass(1);
  }
  await host.pass(2000);
  expect(acks(host).flat()).toEqual([
    [1, 3],
    [5, 5],
  ]);
  await node.data("incomer", 2, 2, [], at_ms);
  await host.pass(1000);
  expect(acks(host).at(-1)).toEqual([[2, 2]]);
  expect(host.collector.counts).toMatchObject({ committed: 5, refused: 4 });
});

test("the same batch sent again, historical and with another send time, is the same; another content is kept aside, not acked, and objected to", async () => {
  const { host, node } = await born();
  const at_ms = host.now_ms;
  const reading = (isHistorical: boolean, watts: number) => [
    data.double({ alias: aliasOf(GAUGE.name), timestamp_ms: at_ms, ...(isHistorical ? { isHistorical } : {}) }, watts),
    data.int64({ alias: aliasOf(MetricName.deliveryBatch), timestamp_ms: host.now_ms, isTransient: true }, 1),
  ];
  await node.send("DDATA", "incomer", reading(false, 5));
  await host.pass(1000);
  await node.send("DDATA", "incomer", reading(true, 5));
  await host.pass(1000);
  expect(host.store.gateways()[0]).toBeDefined();
  expect(host.store.quarantineCount(GATEWAY)).toBe(0);
  await node.send("DDATA", "incomer", reading(true, 6));
  await host.pass(1000);
  expect(host.store.quarantineCount(GATEWAY)).toBe(1);
  expect(host.store.alarms(5)).toMatchObject([{ code: "BATCH_CONTENT_DIFFERS" }]);
  expect(acks(host)).toEqual([[[1, 1]], [[1, 1]]]);
  expect(hellos(host)).toEqual([0, BATCH_NUMBER_MAX]);
});

describe("what cannot be read", () => {
  test("for want of a birth is not acked, and a birth asked for, at most once in 5 s", async () => {
    const { host, node } = await staged();
    for (let i = 0; i < 4; i++) {
      await node.data("incomer", 1, 1);
      await host.pass(1000);
    }
    expect([acks(host), rebirths(host)]).toEqual([[], 1]);
    await host.pass(2000);
    await node.data("incomer", 1, 1);
    await host.pass(1000);
    expect(rebirths(host)).toBe(2);
    await node.birth(0);
    await node.deviceBirth("incomer");
    await node.data("incomer", 1, 1);
    await host.pass(1000);
    expect(acks(host)).toEqual([[[1, 1]]]);
  });

  test("though the device was born again is set aside and acked, or it would come for ever", async () => {
    const { host, node } = await born();
    const stranger = [data.double({ alias: 777, timestamp_ms: host.now_ms }, 1)];
    await node.data("incomer", 1, 1, stranger);
    await host.pass(1000);
    expect([acks(host), rebirths(host)]).toEqual([[], 1]);
    await node.birth(7);
    await node.deviceBirth("incomer");
    await node.data("incomer", 1, 1, stranger);
    await host.pass(1000);
    expect(acks(host)).toEqual([[[1, 1]]]);
    expect(host.store.deadLetterCount(GATEWAY)).toBe(1);
    expect(host.store.lostRanges(GATEWAY, EPOCH)).toEqual([[1, 1]]);
  });

  test("because its values are nonsense is set aside and acked", async () => {
    const { host, node } = await born();
    await node.data("incomer", 3, 1, [metric.string({ alias: aliasOf(GAUGE.name), timestamp_ms: 1 }, "much")]);
    await node.data("incomer", 2 ** 40, 1);
    await host.pass(1000);
    expect(host.store.deadLetterCount(GATEWAY)).toBe(2);
    expect(acks(host).flat()).toContainEqual([3, 3]);
    expect(acks(host).flat()).toContainEqual([2 ** 40, 2 ** 40]);
  });
});

test("a compressed message is read like any other", async () => {
  const { host, node } = await born();
  const at = { timestamp_ms: host.now_ms };
  const inner = encodePayload({
    ...at,
    metrics: [
      data.double({ ...at, alias: aliasOf(GAUGE.name) }, 42),
      data.int64({ ...at, alias: aliasOf(MetricName.deliveryBatch), isTransient: true }, 1),
    ],
  });
  const outer = {
    ...at,
    seq: node.seq,
    uuid: COMPRESSED_UUID,
    metrics: [metric.string({ ...at, name: "algorithm" }, "GZIP")],
    body: gzipSync(inner),
  };
  host.broker.publish(`spBv1.0/${ZONE}/DDATA/gw-01/incomer`, encodePayload(outer));
  await host.pass(1000);
  expect(host.numbersHeld("gw-01")).toEqual([[1, 1]]);
  expect(host.meter("gw-01", "incomer")?.values.get(GAUGE.quantity)?.value).toBe(42);
});

describe("reports of the gateway", () => {
  const clock = (at_ms: number): NodeRecord => ({
    kind: "clock",
    at_ms,
    epoch: EPOCH,
    boot: 1,
    batches: [{ first: 1, last: 2 }],
    offset_ms: 5,
  });

  test("are stored once, found by their kind, and acked", async () => {
    const { host, node } = await born();
    const { now_ms } = host;
    for (let i = 0; i < 2; i++) {
      await report(node, 1, clock(now_ms), now_ms);
      await host.pass(1000);
    }
    expect(host.store.nodeRecords(GATEWAY, "clock", 0, Number.MAX_SAFE_INTEGER, 9)).toEqual([
      { gateway: GATEWAY, epoch: EPOCH, batch: 1, record: clock(now_ms) },
    ]);
    expect(acks(host)).toEqual([[[1, 1]], [[1, 1]]]);
  });

  test("that are none are set aside and acked", async () => {
    const { host, node } = await born();
    const at = { timestamp_ms: host.now_ms };
    await node.send("NDATA", null, [
      data.string({ ...at, alias: RECORD_ALIASES[MetricName.deliveryLoss]! }, "{}"),
      data.int64({ ...at, alias: BATCH_ALIAS, isTransient: true }, 1),
    ]);
    await host.pass(1000);
    expect(host.store.deadLetterCount(GATEWAY)).toBe(1);
    expect(acks(host)).toEqual([[[1, 1]]]);
  });

  test("of a loss let the books be compared beyond the numbers that never come", async () => {
    const { host, node } = await born();
    await node.data("incomer", 4, 1);
    const loss: NodeRecord = {
      kind: "loss",
      at_ms: host.now_ms,
      epoch: EPOCH,
      device: null,
      from_ms: 0,
      to_ms: 1,
      count: 3,
      what: "unknown",
      why: "damaged",
      batches: [{ first: 1, last: 3 }],
    };
    await report(node, 5, loss, host.now_ms);
    await host.pass(1000);
    expect(host.store.lostRanges(GATEWAY, EPOCH)).toEqual([[1, 3]]);
    expect(acks(host).flat()).toEqual([[4, 5]]);
  });
});

test("a gateway's clock is measured by its own messages, not by a will that was written long ago", async () => {
  const { host, node } = await born();
  await host.pass(600_000);
  await node.data("incomer", 1, 1);
  await node.death(7);
  await host.pass(6000);
  expect(host.store.gateways()[0]).toMatchObject({ clockOffset_ms: 0, online: false });
});

test("when the gateways come and go is written down, and that nobody heard them is not held against them", async () => {
  const { host, node } = await born();
  const t0 = host.now_ms;
  await host.pass(1000);
  await node.death(7);
  await node.birth(8);
  host.broker.cut(1);
  await host.pass(5000);
  const states = host.store.presence(GATEWAY, 0, Number.MAX_SAFE_INTEGER).map(({ state }) => state);
  expect(states).toEqual(["online", "offline", "online", "unknown"]);
  expect(host.store.presence(GATEWAY, t0, t0 + 60_000)[1]?.at_ms).toBe(t0 + 1000);
});

test("sessions that begin too often are an alarm: two gateways with one name", async () => {
  const { host, node } = await staged();
  for (let i = 0; i <= SESSIONS_MAX; i++) {
    await node.birth(i % 2 === 0 ? i : 200 - i);
    await host.pass(4000);
  }
  expect(host.store.alarms(5)).toMatchObject([
    { code: SESSIONS_TOO_MANY, gateway: GATEWAY, detail: { sessions: SESSIONS_MAX + 1 } },
  ]);
});

test("live values: history moves none back, and none at all of a gateway that is away; a null in a birth takes none away", async () => {
  const { host, node } = await born();
  await node.data("incomer", 1, 10);
  const shown = () => host.meter("gw-01", "incomer")?.values.get(GAUGE.quantity)?.value;
  const late = (number: number, at_ms: number, watts: number) =>
    node.send("DDATA", "incomer", [
      data.double({ alias: aliasOf(GAUGE.name), timestamp_ms: at_ms, isHistorical: true }, watts),
      data.int64({ alias: aliasOf(MetricName.deliveryBatch), timestamp_ms: host.now_ms, isTransient: true }, number),
    ]);
  await late(2, host.now_ms - 60_000, 99);
  expect(shown()).toBe(10);
  await late(3, host.now_ms + 1, 11);
  expect(shown()).toBe(11);
  await node.deviceBirth("incomer");
  expect(shown()).toBe(11);
  await node.death(7);
  await late(4, host.now_ms + 5, 12);
  expect(shown()).toBe(11);
});
