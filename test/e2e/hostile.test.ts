import { afterEach, expect, test } from "vitest";
import { mqttConnector } from "../../cli/io/mqtt.ts";
import { loadModelLibrary } from "../../config/models.ts";
import type { MqttLink } from "../../core/ports.ts";
import { MetricName } from "../../core/wire/ack.ts";
import { deviceMetrics } from "../../core/wire/content.ts";
import { data, encodePayload, type Metric, metric, property } from "../../core/wire/payload.ts";
import { defineDevice } from "../../drivers/define.ts";
import { startZone, type TestZone, tempDir, until } from "./harness.ts";

/** A node that sends what no honest gateway sends must harm nobody but itself. */
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const EPOCH = "00000000000000aa";
const T = Date.parse("2026-11-02T08:00:00+07:00");
const GATEWAY = { group: "kcn-test", edge: "bad" };

/** A forged edge node with one meter, born; `send` publishes a DDATA of it. */
async function forgedNode(zone: TestZone) {
  const link: MqttLink = await mqttConnector().connect({
    url: zone.brokerUrl,
    clientId: "forged",
    will: { topic: "spBv1.0/kcn-test/NDEATH/bad", payload: new Uint8Array(), qos: 1, retain: false },
    keepalive_s: 30,
    connectTimeout_ms: 5000,
    onMessage: () => {},
    onClose: () => {},
  });
  cleanups.push(() => link.destroy());
  const definition = defineDevice(
    loadModelLibrary().get("schneider-pm5000")!,
    { id: "m", carrier: "electricity", role: "import", parent: null, every: { power_ms: 1000, energy_ms: 1000 } },
    { interval_ms: 900_000, time_zone: "Asia/Ho_Chi_Minh" },
  );
  const born = deviceMetrics(definition);
  const aliasOf = (name: string): number => born.findIndex((one) => one.name === name) + 1;
  const publish = (kind: string, metrics: readonly Metric[], seq = 0) =>
    link.publish(
      `spBv1.0/kcn-test/${kind}/bad${kind.startsWith("D") ? "/m" : ""}`,
      encodePayload({ timestamp_ms: T, metrics, seq }),
      { qos: 0, retain: false },
    );
  await publish("NBIRTH", [
    metric.int64({ name: MetricName.bdSeq, timestamp_ms: T }, 0),
    metric.string({ name: MetricName.deliveryEpoch, timestamp_ms: T }, EPOCH),
  ]);
  await publish(
    "DBIRTH",
    born.map(({ name, datatype, properties: { value, ...texts } }) => ({
      name,
      alias: aliasOf(name),
      timestamp_ms: T,
      datatype: datatype as never,
      ...(value === undefined ? { isNull: true } : { stringValue: value }),
      properties: new Map(Object.entries(texts).map(([key, text]) => [key, property.string(text)])),
    })),
  );
  const energy = aliasOf("Energy/Active/Import/Total");
  const interval = aliasOf("Interval/Energy/Active/Import/Total");
  const send = (number: bigint, metrics: readonly Metric[]) =>
    publish("DDATA", [...metrics, data.int64({ alias: aliasOf(MetricName.deliveryBatch), timestamp_ms: T }, number)]);
  return {
    publish,
    reading: (number: bigint, ticks: number) =>
      send(number, [data.int64({ alias: energy, timestamp_ms: T + ticks }, ticks)]),
    interval: (number: bigint, from_ms: number, to_ms: number) =>
      send(number, [
        data.int64(
          {
            alias: interval,
            timestamp_ms: to_ms,
            properties: new Map([
              ["start_ms", property.int64(from_ms)],
              ["flag", property.string("M")],
              ["coverage", property.double(1)],
              ["tick", property.string("1 W.h")],
            ]),
          },
          1000,
        ),
      ]),
  };
}

async function stage() {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const zone = await startZone(dir.path);
  cleanups.push(() => zone.close());
  await until("the collector is online", () => zone.collector.isConnected);
  const node = await forgedNode(zone);
  return { zone, node };
}

test("a batch number beyond the store's range is set aside with its reason and stops no other batch", async () => {
  const { zone, node } = await stage();
  await node.reading(1n, 100);
  await node.reading(2n ** 36n, 110);
  await node.reading(2n ** 52n, 120);
  await node.reading(2n, 130);
  await until("the sound batches are stored", () => zone.store.batchRanges(GATEWAY, EPOCH).at(-1)?.[1] === 2);
  expect(zone.store.batchRanges(GATEWAY, EPOCH)).toEqual([[1, 2]]);
  expect(zone.store.deadLetterCount(GATEWAY)).toBe(2);
});

test("batch numbers that are none are set aside, and move no live value", async () => {
  const { zone, node } = await stage();
  await node.reading(0n, 1);
  await node.reading(-1n, 2);
  await node.reading(2n ** 60n, 3);
  await until("all are set aside", () => zone.store.deadLetterCount(GATEWAY) === 3);
  const live = zone.collector.meters().find(({ device }) => device === "m");
  expect(live?.values.get("active_energy_import_total")?.value ?? null).toBeNull();
});

test("intervals of a clock that was never set, from far ahead, or off the grid of the day are set aside, not booked", async () => {
  const { zone, node } = await stage();
  await node.interval(1n, 0, 900_000);
  await node.interval(2n, T + 10 * 365 * 86_400_000, T + 10 * 365 * 86_400_000 + 900_000);
  await node.interval(3n, T + 60_000, T + 960_000);
  await node.interval(4n, T, T + 900_000);
  await until("the sound one is booked", () =>
    zone.store.batchRanges(GATEWAY, EPOCH).some(([a, b]) => a <= 4 && 4 <= b),
  );
  const rows = zone.store.intervals(GATEWAY, "m", "active_energy_import_total", 0, Number.MAX_SAFE_INTEGER, 10);
  expect(rows.map(({ from_ms }) => from_ms)).toEqual([T]);
  expect(zone.store.deadLetterCount(GATEWAY)).toBe(3);
});

test("random bytes and a birth without bdSeq are kept with a reason and make no gateway online", async () => {
  const { zone, node } = await stage();
  await node.publish("NBIRTH", []);
  await until("it is set aside", () => zone.store.deadLetterCount(GATEWAY) === 1);
  expect(zone.collector.isOnline(GATEWAY)).toBe(true);
  await node.reading(1n, 100);
  await until("the session before it goes on", () => zone.store.batchRanges(GATEWAY, EPOCH).length === 1);
});

test("a store that is locked for a while confirms nothing and sets nothing aside", async () => {
  const { zone, node } = await stage();
  const store = zone.store as { commitBatches: TestZone["store"]["commitBatches"] };
  const commit = store.commitBatches.bind(store);
  let refused = 0;
  store.commitBatches = () => {
    refused += 1;
    throw Object.assign(new Error("database is locked"), { errcode: 5 });
  };
  await node.reading(1n, 100);
  await until("a commit was refused", () => refused > 0);
  expect(refused).toBe(1);
  expect(zone.store.deadLetterCount(GATEWAY)).toBe(0);
  store.commitBatches = commit;
  await node.reading(1n, 100);
  await until("the batch sent again is stored", () => zone.store.batchRanges(GATEWAY, EPOCH).length === 1);
});
