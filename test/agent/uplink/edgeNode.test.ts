import { afterEach, describe, expect, test } from "vitest";
import { ackMetric, formatAcks, formatHello, formatMissing, MetricName } from "../../../core/wire/ack.ts";
import { parseNodeRecord } from "../../../core/wire/nodeRecord.ts";
import { DataType, data, type Metric, metric, valueOf as metricValue } from "../../../core/wire/payload.ts";
import { connects, EDGE, EdgeStage, GROUP, sent } from "../../conformance/edgeStage.ts";
import type { Publish } from "../../conformance/recordedBroker.ts";

/** The delivery protocol at the gateway (reference sparkplug §17.4), on a real journal, in time that the test moves. */
const stages: EdgeStage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) {
    await stage.edge.stop();
    stage.close();
  }
});

function staged(...[state, change]: ConstructorParameters<typeof EdgeStage>): EdgeStage {
  const stage = new EdgeStage(state, change);
  stages.push(stage);
  return stage;
}

/** Batch number of a data message: its last metric. */
function numberOf({ payload }: Publish): number {
  return Number(metricValue(payload.metrics.at(-1)!, DataType.Int64));
}

/** Messages with a batch; the report of what is pending is none. */
const dataOf = (stage: EdgeStage) =>
  sent(stage.broker.packets, "DDATA", "NDATA").filter(({ payload }) => payload.metrics.at(-1)?.isTransient === true);
const numbers = (packets: readonly Publish[]) => packets.map(numberOf);
const isHistorical = ({ payload }: Publish) =>
  payload.metrics.slice(0, -1).every((one: Metric) => one.isHistorical === true);
const ack = (stage: EdgeStage, ...ranges: readonly (readonly [number, number])[]) =>
  stage.command([
    ackMetric(
      stage.now_ms,
      formatAcks(
        stage.journal.epoch,
        ranges.map(([first, last]) => ({ first, last })),
      )[0]!,
    ),
  ]);
const hello = (stage: EdgeStage, highest: number, epoch = stage.journal.epoch) =>
  stage.command([ackMetric(stage.now_ms, formatHello(epoch, highest))]);

test("NBIRTH says version, epoch and what is pending; Ack and bdSeq go by name only", async () => {
  const stage = staged();
  stage.poll();
  const oldest_ms = stage.now_ms;
  await stage.born();
  const [birth] = sent(stage.broker.packets, "NBIRTH");
  const of = (name: string) => birth?.payload.metrics.find((one) => one.name === name);
  expect(of(MetricName.deliveryVersion)).toMatchObject({ intValue: 1, datatype: DataType.Int32 });
  expect(of(MetricName.deliveryEpoch)).toMatchObject({ stringValue: stage.journal.epoch });
  expect(of(MetricName.deliveryAck)).toMatchObject({ stringValue: "" });
  expect(of(MetricName.deliveryPending)).toMatchObject({ longValue: 2n, alias: expect.any(Number) });
  expect(of(MetricName.deliveryOldest)).toMatchObject({ longValue: BigInt(oldest_ms) });
  expect(of(MetricName.deliveryAck)).not.toHaveProperty("alias");
});

test("a batch is one message with its number last, transient, stamped with the time of sending; readings keep theirs", async () => {
  const stage = staged();
  await stage.born();
  const at_ms = stage.now_ms;
  stage.poll();
  await stage.pass(1000);
  const [first, second] = dataOf(stage);
  expect(numbers([first!, second!])).toEqual([1, 2]);
  expect(first?.payload.metrics.at(-1)).toMatchObject({ isTransient: true, timestamp_ms: first?.at_ms });
  expect(first?.payload.metrics[0]).toMatchObject({ timestamp_ms: at_ms });
  expect(first?.payload.metrics.some((one) => one.isHistorical === true)).toBe(false);
});

test("the aliases of all devices are kept in one commit before the births, whoever answers only later", async () => {
  const stage = staged();
  stage.meters[1]!.isAnswering = false;
  const { commit } = stage.journal;
  let commits = 0;
  stage.journal.commit = (batch) => {
    if (batch.entries.length === 0 && [...batch.state([], 0)].some(([key]) => key === "aliases")) commits += 1;
    return commit.call(stage.journal, batch);
  };
  await stage.born();
  const before = sent(stage.broker.packets, "DBIRTH").length;
  expect(commits).toBe(1);
  stage.answers("furnace", true);
  await stage.pass(1000);
  expect(sent(stage.broker.packets, "DBIRTH").length).toBe(before + 1);
  expect(commits).toBe(1);
});

test("what waited goes after what is live, oldest first, marked historical, with the times it was taken at", async () => {
  const stage = staged();
  const taken: number[] = [];
  for (let i = 0; i < 3; i++) {
    taken.push(stage.now_ms);
    stage.poll();
    await stage.pass(1000);
  }
  await stage.born();
  expect(numbers(dataOf(stage))).toEqual([1, 2, 3, 4, 5, 6]);
  expect(dataOf(stage).every(isHistorical)).toBe(true);
  expect(dataOf(stage).map(({ payload }) => payload.metrics[0]?.timestamp_ms)).toEqual(taken.flatMap((t) => [t, t]));
  stage.poll();
  await stage.pass(1000);
  expect(numbers(dataOf(stage)).slice(6)).toEqual([7, 8]);
  expect(dataOf(stage).slice(6).some(isHistorical)).toBe(false);
});

test("what is not confirmed in time goes again: the same number, the same readings, historical; and never after its ack", async () => {
  const stage = staged();
  await stage.born();
  stage.poll();
  await stage.pass(9000);
  await ack(stage, [2, 2]);
  await stage.pass(5000);
  const again = dataOf(stage);
  expect(numbers(again)).toEqual([1, 2, 1]);
  const values = ({ payload }: Publish) =>
    payload.metrics.slice(0, -1).map(({ alias, timestamp_ms, doubleValue, longValue }) => ({
      alias,
      timestamp_ms,
      doubleValue,
      longValue,
    }));
  expect(values(again[2]!)).toEqual(values(again[0]!));
  expect(isHistorical(again[2]!)).toBe(true);
  await ack(stage, [1, 1]);
  await stage.pass(600_000);
  expect(dataOf(stage)).toHaveLength(3);
  expect(stage.journal.unconfirmed()).toBe(0);
});

test("the next session begins with births and sends what the last one did not get confirmed", async () => {
  const stage = staged();
  await stage.born();
  stage.poll();
  await stage.pass(1000);
  await ack(stage, [1, 1]);
  stage.broker.cut(1);
  await stage.pass(5000);
  const later = sent(stage.broker.packets).filter(({ client }) => client === 2);
  expect(later.map(({ topic }) => topic.kind)).toEqual(["NBIRTH", "DBIRTH", "DBIRTH", "DDATA"]);
  expect(numberOf(later[3]!)).toBe(2);
});

test("a device whose meter is silent, or that is no longer configured, is born for its backlog and dies at once", async () => {
  const stage = staged();
  stage.poll();
  const [gone] = stage.meters.splice(0, 1);
  stage.meters[0]!.isAnswering = false;
  await stage.born();
  const course = sent(stage.broker.packets).map(({ topic }) => [topic.kind, "device" in topic ? topic.device : ""]);
  expect(course).toEqual([
    ["NBIRTH", ""],
    ["DBIRTH", gone?.definition.device],
    ["DDEATH", gone?.definition.device],
    ["DDATA", gone?.definition.device],
    ["DBIRTH", "furnace"],
    ["DDEATH", "furnace"],
    ["DDATA", "furnace"],
  ]);
  expect(dataOf(stage).every(isHistorical)).toBe(true);
});

test("a report of the node goes as NDATA with its number last, and is confirmed like any batch", async () => {
  const stage = staged();
  await stage.born();
  stage.report();
  await stage.pass(1000);
  const [report] = dataOf(stage);
  expect(report?.topicText).toBe(`spBv1.0/${GROUP}/NDATA/${EDGE}`);
  expect(parseNodeRecord(report?.payload.metrics[0]?.stringValue ?? "").kind).toBe("polls");
  expect(numberOf(report!)).toBe(1);
  await ack(stage, [1, 1]);
  expect(stage.journal.unconfirmed()).toBe(0);
});

describe("a batch that cannot be sent", () => {
  test("is given up with a loss record that names it, and holds up no other", async () => {
    const stage = staged();
    const at_ms = stage.now_ms;
    const body = new TextEncoder().encode("{}");
    stage.append([{ device: "", from_ms: at_ms, to_ms: at_ms, kind: "node", body }]);
    stage.poll();
    await stage.born();
    stage.poll();
    await stage.pass(1000);
    expect(numbers(dataOf(stage))).not.toContain(1);
    const reports = sent(stage.broker.packets, "NDATA").map(({ payload }) =>
      parseNodeRecord(payload.metrics[0]?.stringValue ?? ""),
    );
    expect(reports).toMatchObject([
      { kind: "loss", why: "unsendable", what: "unknown", count: 1, batches: [{ first: 1, last: 1 }] },
    ]);
    await stage.ackAll();
    expect(stage.journal.unconfirmed()).toBe(0);
  });
});

test("a sample with a sound checksum that nobody can read is given up, and jams nothing", async () => {
  const stage = staged();
  const at_ms = stage.now_ms;
  const from = { device: "incomer", from_ms: at_ms, to_ms: at_ms };
  stage.append([
    { ...from, kind: "sample", body: new Uint8Array([1, 2, 3]) },
    { ...from, kind: "content", body: new Uint8Array([0xff]) },
  ]);
  stage.poll();
  await stage.born();
  await stage.pass(5000);
  stage.poll();
  await stage.pass(1000);
  expect(connects(stage.broker.packets)).toHaveLength(1);
  const devices = dataOf(stage).filter(({ topic }) => topic.kind === "DDATA");
  expect(numbers(devices)).toEqual([3, 4, 7, 8]);
  await stage.ackAll();
  expect(stage.journal.unconfirmed()).toBe(0);
});

describe("a hello or an ack", () => {
  test("that names a number not given yet means the journal went back: what is unconfirmed goes on under a new epoch", async () => {
    const stage = staged();
    await stage.born();
    stage.poll();
    await stage.pass(1000);
    await ack(stage, [1, 1]);
    const { epoch } = stage.journal;
    await hello(stage, 99);
    await stage.pass(10_000);
    expect(stage.journal.epoch).not.toBe(epoch);
    const birth = sent(stage.broker.packets, "NBIRTH").at(-1)!;
    const said = birth.payload.metrics.find(({ name }) => name === MetricName.deliveryEpoch)?.stringValue;
    expect(said).toBe(stage.journal.epoch);
    const after = dataOf(stage).filter(
      (one) => stage.broker.packets.indexOf(one) > stage.broker.packets.indexOf(birth),
    );
    expect(numbers(after), "batch 2 of the old epoch is 1 of the new").toEqual([1]);
    await ack(stage, [1, 1]);
    expect(stage.journal.unconfirmed()).toBe(0);
  });

  test("that names less than was confirmed means the host went back: what is still here is sent again", async () => {
    const stage = staged();
    await stage.born();
    for (let round = 0; round < 3; round++) stage.poll();
    await stage.pass(1000);
    await ack(stage, [1, 6]);
    const before = dataOf(stage).length;
    await hello(stage, 4);
    const [missing] = formatMissing(stage.journal.epoch, [{ first: 2, last: 2 }]);
    await stage.command([ackMetric(stage.now_ms, missing!)]);
    await stage.pass(1000);
    const again = dataOf(stage).slice(before);
    expect(numbers(again).sort()).toEqual([2, 5, 6]);
    expect(again.every(isHistorical)).toBe(true);
    await ack(stage, [2, 2], [5, 6]);
    expect(stage.journal.unconfirmed()).toBe(0);
  });

  test("that says so again in the same session sends nothing twice; in the next one it does", async () => {
    const stage = staged();
    await stage.born();
    for (let round = 0; round < 3; round++) stage.poll();
    await stage.pass(1000);
    await ack(stage, [1, 6]);
    const again = async (): Promise<readonly number[]> => {
      const before = dataOf(stage).length;
      await hello(stage, 0);
      await stage.pass(1000);
      await ack(stage, [1, 6]);
      return numbers(dataOf(stage).slice(before)).sort();
    };
    expect(await again()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await again()).toEqual([]);
    await stage.hostSays(false, stage.now_ms);
    await stage.hostSays(true, stage.now_ms + 1);
    await stage.pass(1000);
    expect(await again()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("of another epoch, of another version, or that is none is ignored and counted", async () => {
    const stage = staged();
    await stage.born();
    stage.poll();
    await hello(stage, 99, "00000000000000ff");
    for (const text of [
      "2 0000000000000001 1",
      "1 0000000000000001 2-1",
      "x",
      `1 0000000000000001 ${"1,".repeat(700)}`,
    ]) {
      await stage.command([ackMetric(stage.now_ms, text)]);
    }
    expect(stage.edge.status().ignoredCommands).toBe(5);
    expect(stage.journal.unconfirmed()).toBe(2);
    expect(stage.journal.epoch).not.toBe("00000000000000ff");
  });
});

test("commands that are none, also to meters, and bytes that are no payload are ignored, counted and answered by nothing", async () => {
  const stage = staged();
  await stage.born();
  const before = stage.broker.packets.length;
  const at = { timestamp_ms: stage.now_ms };
  await stage.command([metric.string({ ...at, name: "Node Control/Next Server" }, "elsewhere")]);
  await stage.command([metric.string({ ...at, name: MetricName.rebirth }, "true")]);
  await stage.command([data.boolean({ ...at, name: MetricName.rebirth }, false)]);
  await stage.command([metric.double({ ...at, name: "Power" }, 1)], `spBv1.0/${GROUP}/DCMD/${EDGE}/incomer`);
  expect(stage.edge.status().ignoredCommands).toBe(3);
  expect(sent(stage.broker.packets.slice(before))).toEqual([]);
});

describe("mode off", () => {
  test("takes a batch for delivered after two keep-alives of one unbroken session", async () => {
    const stage = staged([], { delivery: "off" });
    await stage.born();
    stage.poll();
    await stage.pass(59_000);
    expect(stage.journal.unconfirmed()).toBe(2);
    await stage.pass(2000);
    expect(stage.journal.unconfirmed()).toBe(0);
    expect(numbers(dataOf(stage)), "sent once").toEqual([1, 2]);
  });

  test("sends again what a broken session may have lost", async () => {
    const stage = staged([], { delivery: "off" });
    await stage.born();
    stage.poll();
    await stage.pass(30_000);
    stage.broker.cut(1);
    await stage.pass(5000);
    expect(numbers(dataOf(stage))).toEqual([1, 2, 1, 2]);
  });
});

describe("mode auto", () => {
  test("is off until a host of this id speaks acks, and required from then on, also after a restart", async () => {
    const stage = staged([], { delivery: "auto" });
    await stage.born();
    stage.poll();
    await stage.pass(61_000);
    expect(stage.journal.unconfirmed()).toBe(0);
    await hello(stage, 2);
    stage.poll();
    await stage.pass(61_000);
    expect(stage.journal.unconfirmed()).toBe(2);
    await stage.edge.stop();
    stage.restart();
    await stage.pass(61_000);
    expect(stage.journal.unconfirmed()).toBe(2);
  });
});

test("without a primary host births follow the SUBACK", async () => {
  const stage = staged([], { hostId: null });
  stage.start();
  await stage.pass(1000);
  expect(sent(stage.broker.packets).map(({ topic }) => topic.kind)).toEqual(["NBIRTH", "DBIRTH", "DBIRTH"]);
});

test("a meter that comes back is born alone, or with all the others for hosts that want it so", async () => {
  for (const [returnIsBorn, kinds] of [
    ["alone", ["DDEATH", "DBIRTH"]],
    ["with-node", ["DDEATH", "NBIRTH", "DBIRTH", "DBIRTH"]],
  ] as const) {
    const stage = staged([], { returnIsBorn });
    await stage.born();
    const before = stage.broker.packets.length;
    stage.answers("furnace", false);
    stage.answers("furnace", true);
    await stage.pass(0);
    expect(sent(stage.broker.packets.slice(before)).map(({ topic }) => topic.kind)).toEqual(kinds);
  }
});

test("bdSeq goes from 255 to 0", async () => {
  const stage = staged([["bdSeq", "255"]]);
  await stage.born();
  const [birth] = sent(stage.broker.packets, "NBIRTH");
  expect(birth?.payload.metrics.find(({ name }) => name === "bdSeq")?.longValue).toBe(0n);
});

test("bdSeq counts a CONNECT that came to nothing, and is on disk before it goes out", async () => {
  const stage = staged();
  stage.broker.isReachable = false;
  stage.start();
  await stage.pass(1);
  expect(stage.journal.getState("bdSeq")).toBe("0");
  await stage.pass(1000);
  stage.broker.isReachable = true;
  await stage.pass(10_000);
  expect(connects(stage.broker.packets)).toHaveLength(1);
  expect(stage.edge.status().bdSeq).toBeGreaterThan(0);
  expect(stage.journal.getState("bdSeq")).toBe(String(stage.edge.status().bdSeq));
});

test("pending is reported once a minute, and only in a session", async () => {
  const stage = staged();
  await stage.born();
  stage.poll();
  await stage.pass(121_000);
  const reports = sent(stage.broker.packets, "NDATA");
  expect(reports).toHaveLength(2);
  expect(reports[1]?.payload.metrics.map(({ longValue }) => longValue)).toEqual([2n, expect.any(BigInt)]);
});

test("a long backlog goes out in bursts, as much as the window holds, and goes on with every ack", async () => {
  const stage = staged();
  for (let i = 0; i < 400; i++) stage.poll();
  await stage.born();
  expect(numbers(dataOf(stage))).toEqual(Array.from({ length: 800 }, (_, i) => i + 1));
  await ack(stage, [1, 800]);
  expect(stage.journal.unconfirmed()).toBe(0);
});

test("a host that is online with an older time than it once said is not believed, and the log says what to do", async () => {
  const stage = staged();
  const said: string[] = [];
  stage.log.warn = (event) => said.push(event);
  stage.start();
  await stage.pass(1000);
  await stage.hostSays(false, stage.now_ms + 3_600_000);
  await stage.hostSays(true, stage.now_ms);
  expect(sent(stage.broker.packets, "NBIRTH")).toEqual([]);
  expect(said).toContain("uplink.host-state-older");
  await stage.edge.stop();
  stage.restart();
  await stage.pass(1000);
  expect(sent(stage.broker.packets, "NBIRTH")).toHaveLength(1);
});
