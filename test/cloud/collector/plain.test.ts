import { expect, onTestFinished, test } from "vitest";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { PlainMessages } from "../../../cloud/collector/plain.ts";
import { bornMetrics, deviceSession } from "../../../cloud/collector/session.ts";
import { PLAIN_EPOCH, type PlainMessage } from "../../../cloud/store/store.ts";
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
  const [first, second, ...more] = heldBy(host);
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    batch: { epoch: PLAIN_EPOCH, from_ms: now_ms, to_ms: now_ms },
    metrics: sent.slice(0, 2),
  });
  expect(second?.metrics).toEqual([data.int64({ name: COUNTER, timestamp_ms: now_ms + 2 }, 7)]);
  const births = new BirthReader(host.store);
  expect(births.counts(second!.batch)).toMatchObject([{ value: 7n, at_ms: now_ms + 2, quality: "good" }]);
  expect(host.meter("vendor", "press")?.values.get("active_energy_import_total")).toMatchObject({ at_ms: now_ms + 2 });
  expect(host.said("NCMD")).toEqual([]);
  expect(host.collector.counts).toMatchObject({ foreign: 2, committed: 0 });
});

test("messages wait for a store that is full, and one it can never hold stops none after it", () => {
  let refusal: "DISK_FULL" | "STORE_REFUSED" | null = "DISK_FULL";
  const stored: PlainMessage[] = [];
  const log = recordingLog();
  const commitPlain = (messages: readonly PlainMessage[]): number => {
    if (refusal !== null) throw new KhuXanhError(refusal, "no", { hint: "none" });
    stored.push(...messages);
    return messages.length;
  };
  const plain = new PlainMessages({ commitPlain }, log);
  const born = bornMetrics([metric.double({ name: "Temperature", alias: 1, timestamp_ms: 5 }, 20)]);
  const session = deviceSession("press", 1, born);
  const send = (at_ms: number) => {
    const metrics = [data.double({ alias: 1, timestamp_ms: at_ms }, 1)];
    plain.add(GATEWAY, session, { metrics, of: [session.byAlias.get(1)!], at_ms });
    plain.commit();
  };
  send(1);
  refusal = null;
  send(2);
  expect(stored.flatMap(({ samples }) => samples.map(({ at_ms }) => at_ms))).toEqual([1, 2]);
  refusal = "STORE_REFUSED";
  send(3);
  refusal = null;
  send(4);
  expect(stored.flatMap(({ samples }) => samples.map(({ at_ms }) => at_ms))).toEqual([1, 2, 4]);
  expect([plain.stored, plain.givenUp, log.events.length]).toEqual([3, 1, 2]);
});
