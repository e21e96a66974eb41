import { expect, onTestFinished, test } from "vitest";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { PlainMessages, WAITING_MAX } from "../../../cloud/collector/plain.ts";
import { bornMetrics, deviceSession } from "../../../cloud/collector/session.ts";
import {
  type Alarm,
  MESSAGES_GIVEN_UP,
  NODE_DEVICE,
  PLAIN_EPOCH,
  type PlainMessage,
} from "../../../cloud/store/store.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import { MetricName } from "../../../core/wire/ack.ts";
import { data, decodePayload, metric } from "../../../core/wire/payload.ts";
import { HostStage, PlayedNode, ZONE } from "../../conformance/hostStage.ts";
import { recordingLog } from "../../recordingLog.ts";

const GATEWAY = { group: ZONE, edge: "vendor" };
const COUNTER = "Energy/Active/Import/Total";

/** An edge node of another maker: Sparkplug, and nothing of our delivery. */
async function vendorNode() {
  const host = new HostStage();
  onTestFinished(async () => {
    await host.collector.stop();
    host.close();
  });
  await host.start();
  const node = new PlayedNode(host, "vendor");
  const at = { timestamp_ms: host.now_ms };
  await node.send("NBIRTH", null, [metric.int64({ ...at, name: MetricName.bdSeq }, 0)]);
  await node.send("DBIRTH", "press", [
    metric.double({ ...at, name: "Temperature", alias: 1 }, 20),
    metric.int64({ ...at, name: COUNTER }, 5),
  ]);
  await host.pass(10);
  return { host, node };
}

const heldBy = ({ store }: HostStage) =>
  store
    .batches(GATEWAY, "press", 0, Number.MAX_SAFE_INTEGER, 100)
    .map((batch) => ({ batch, metrics: decodePayload(batch.payload).metrics }));

test("what a node sends that numbers no batches is shown, stored once by metric and time, and confirmed to nobody", async () => {
  const { host, node } = await vendorNode();
  const { now_ms } = host;
  const sent = [
    data.double({ alias: 1, timestamp_ms: now_ms }, 21.5),
    data.int64({ name: COUNTER, timestamp_ms: now_ms }, 6),
    data.double({ alias: 1, timestamp_ms: now_ms + 1, isTransient: true }, 99),
  ];
  await node.send("DDATA", "press", sent);
  await node.send("DDATA", "press", [...sent, data.int64({ name: COUNTER, timestamp_ms: now_ms + 2 }, 7)]);
  await host.pass(1000);
  const [ofBirth, first, second, ...more] = heldBy(host);
  expect(ofBirth?.metrics).toHaveLength(2);
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    batch: { epoch: PLAIN_EPOCH, from_ms: now_ms, to_ms: now_ms },
    metrics: sent.slice(0, 2),
  });
  expect(second?.metrics).toEqual([data.int64({ name: COUNTER, timestamp_ms: now_ms + 2 }, 7)]);
  const births = new BirthReader(host.store);
  expect(births.counts(second!.batch)).toMatchObject([{ count: 7n, at_ms: now_ms + 2 }]);
  expect(host.meter("vendor", "press")?.values.get("active_energy_import_total")).toMatchObject({ at_ms: now_ms + 2 });
  expect(host.said("NCMD")).toEqual([]);
  expect(host.collector.counts).toMatchObject({ foreign: 2, committed: 0 });
});

/** Messages of one metric on their way into a store that the test lets refuse. */
function waitingFor(commitPlain: (messages: readonly PlainMessage[]) => number) {
  const log = recordingLog();
  const alarms: Alarm[] = [];
  const refused: PlainMessage[] = [];
  const plain = new PlainMessages({
    store: { commitPlain, putAlarm: (alarm) => void alarms.push(alarm) },
    clock: { now_ms: () => 77 },
    log,
    onRefused: (message) => void refused.push(message),
  });
  const born = bornMetrics([metric.double({ name: "Temperature", alias: 1, timestamp_ms: 5 }, 20)]);
  const session = deviceSession("press", 1, born);
  const add = (at_ms: number) => {
    const metrics = [data.double({ alias: 1, timestamp_ms: at_ms }, 1)];
    plain.add(GATEWAY, session, { metrics, of: [session.byAlias.get(1)!], at_ms });
  };
  return { plain, add, log, alarms, refused };
}

const timesOf = (messages: readonly PlainMessage[]) => messages.flatMap(({ samples }) => samples.map((s) => s.at_ms));
const refusal = (code: "DISK_FULL" | "STORE_REFUSED") => new KhuXanhError(code, "no", { hint: "none" });

test("messages wait for a store that is full", () => {
  let isFull = true;
  const stored: PlainMessage[] = [];
  const { plain, add, log } = waitingFor((messages) => {
    if (isFull) throw refusal("DISK_FULL");
    return stored.push(...messages);
  });
  add(1);
  plain.commit();
  expect(plain.isWaiting).toBe(true);
  isFull = false;
  add(2);
  plain.commit();
  expect([timesOf(stored), plain.isWaiting, plain.givenUp, log.events.length]).toEqual([[1, 2], false, 0, 1]);
});

test("the one message that the store can never hold is refused, and none beside it", () => {
  const stored: PlainMessage[] = [];
  const { plain, add, refused } = waitingFor((messages) => {
    if (timesOf(messages).includes(5)) throw refusal("STORE_REFUSED");
    stored.push(...messages);
    return messages.length;
  });
  for (let at_ms = 1; at_ms <= 9; at_ms++) add(at_ms);
  plain.commit();
  expect(timesOf(stored)).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
  expect([timesOf(refused), plain.stored, plain.givenUp, plain.isWaiting]).toEqual([[5], 8, 1, false]);
});

test("what could not wait any longer is counted, and an alarm once the store takes one", () => {
  let isFull = true;
  const { plain, add, alarms } = waitingFor((messages) => {
    if (isFull) throw refusal("DISK_FULL");
    return messages.length;
  });
  for (let at_ms = 0; at_ms < WAITING_MAX + 3; at_ms++) add(at_ms);
  plain.commit();
  expect([plain.givenUp, alarms]).toEqual([3, []]);
  isFull = false;
  plain.commit();
  plain.commit();
  expect(plain.stored).toBe(WAITING_MAX);
  expect(alarms).toEqual([
    { code: MESSAGES_GIVEN_UP, gateway: GATEWAY, device: null, at_ms: 77, detail: { messages: 3 } },
  ]);
});

test("a metric that makes no sense is set aside alone, and the others of its message are kept", async () => {
  const { host, node } = await vendorNode();
  const timestamp_ms = host.now_ms + 1;
  await node.send("DDATA", "press", [
    data.double({ alias: 1, timestamp_ms }, 21.5),
    data.double({ alias: 7, timestamp_ms }, 1),
    metric.string({ name: COUNTER, timestamp_ms }, "abc"),
  ]);
  await host.pass(1000);
  expect(heldBy(host).at(-1)?.metrics).toEqual([data.double({ alias: 1, timestamp_ms }, 21.5)]);
  expect(host.store.deadLetterCount(GATEWAY)).toBe(1);
});

test("values of births and of the node itself are stored: one that never changes comes in no other message", async () => {
  const { host, node } = await vendorNode();
  const { now_ms } = host;
  await node.send("NBIRTH", null, [
    metric.int64({ timestamp_ms: now_ms, name: MetricName.bdSeq }, 1),
    metric.double({ timestamp_ms: now_ms, name: "Cabinet", alias: 9 }, 33),
    metric.double({ timestamp_ms: now_ms, name: "Unread" }, null),
  ]);
  await node.send("NDATA", null, [data.double({ alias: 9, timestamp_ms: now_ms + 5 }, 34)]);
  await host.pass(1000);
  const ofNode = host.store.batches(GATEWAY, NODE_DEVICE, 0, Number.MAX_SAFE_INTEGER, 9);
  const values = ofNode.flatMap(({ payload }) =>
    decodePayload(payload).metrics.map((m) => [m.timestamp_ms, m.doubleValue]),
  );
  expect(values).toEqual([
    [now_ms, 33],
    [now_ms + 5, 34],
  ]);
  const [born] = heldBy(host);
  expect(born?.metrics.map(({ name }) => name)).toEqual(["Temperature", COUNTER]);
  expect(new BirthReader(host.store).counts(born!.batch)).toMatchObject([{ count: 5n }]);
});

test("data of a device that was not born is set aside, because nobody sends it again", async () => {
  const { host, node } = await vendorNode();
  await node.send("DDATA", "saw", [data.double({ alias: 1, timestamp_ms: host.now_ms }, 1)]);
  await host.pass(1000);
  expect(host.store.deadLetterCount(GATEWAY)).toBe(1);
});
