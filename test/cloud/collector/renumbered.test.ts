import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { Epochs } from "../../../cloud/collector/epochs.ts";
import { Verifier } from "../../../cloud/collector/verifier.ts";
import type { ZoneStore } from "../../../cloud/store/store.ts";
import { loadFactors } from "../../../config/factors.ts";
import { MetricName, parseAck } from "../../../core/wire/ack.ts";
import { data } from "../../../core/wire/payload.ts";
import { aliasOf, EPOCH, GAUGE, HostStage, PlayedNode, ZONE } from "../../conformance/hostStage.ts";
import { recordingLog } from "../../recordingLog.ts";
import { equalMeters } from "../../sim/meters.ts";
import { ZONE as SIM_ZONE, SimZone } from "../../sim/zone.ts";

/** A gateway that begins a new epoch and does not know what was confirmed in the one before. */
const GATEWAY = { group: ZONE, edge: "gw-01" };
const NEXT_EPOCH = "00000000000000bb";

const stages: HostStage[] = [];
afterEach(async () => {
  for (const host of stages.splice(0)) {
    await host.collector.stop();
    host.close();
  }
});

/** Three polls came live and are confirmed; then the journal was rebuilt, and all of it is numbered from 1. */
async function rebuilt() {
  const host = new HostStage();
  stages.push(host);
  await host.start();
  const node = new PlayedNode(host, "gw-01");
  await node.birth(7);
  await node.deviceBirth("incomer");
  await host.pass(1000);
  const times_ms: number[] = [];
  for (const number of [11, 12, 13]) {
    times_ms.push(host.now_ms);
    await node.data("incomer", number, number);
    await host.pass(1000);
  }
  await node.death(7);
  node.epoch = NEXT_EPOCH;
  const begin = async (bdSeq: number) => {
    await node.birth(bdSeq);
    await node.deviceBirth("incomer");
    await host.pass(1000);
  };
  await begin(8);
  /** What was number 10 + n goes out as n. */
  const again = async (n: number, value = 10 + n) => {
    const head = { alias: aliasOf(GAUGE.name), timestamp_ms: times_ms[n - 1]!, isHistorical: true };
    const sent = { alias: aliasOf(MetricName.deliveryBatch), timestamp_ms: host.now_ms, isTransient: true };
    await node.send("DDATA", "incomer", [data.double(head, value), data.int64(sent, n)]);
    await host.pass(1000);
  };
  return { host, node, again, begin, times_ms };
}

const confirmed = (host: HostStage) =>
  host.said("NCMD").flatMap(({ payload }) =>
    payload.metrics.flatMap(({ name, stringValue }) => {
      const ack = name === MetricName.deliveryAck ? parseAck(stringValue ?? "") : null;
      return ack?.kind === "ack" && ack.epoch === NEXT_EPOCH ? ack.ranges.map(({ first, last }) => [first, last]) : [];
    }),
  );
const held = (host: HostStage) =>
  host.store.batches(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 100).map(({ epoch, number }) => [epoch, number]);
const ONCE = [11, 12, 13].map((number) => [EPOCH, number]);

test("what is held under the epoch before is confirmed under the new one, and stored once", async () => {
  const { host, again } = await rebuilt();
  for (const n of [1, 2, 3]) await again(n);
  expect(held(host)).toEqual(ONCE);
  expect(confirmed(host)).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  expect(host.store.batchRanges(GATEWAY, NEXT_EPOCH)).toEqual([[1, 3]]);
  expect(host.collector.counts).toMatchObject({ committed: 6, duplicates: 3, differing: 0 });
});

test("so it is after the collector began anew in between, and when it is sent once more", async () => {
  const { host, again, begin } = await rebuilt();
  await again(1);
  await host.collector.stop();
  const second = host.newCollector();
  await host.start(second);
  await begin(9);
  for (const n of [1, 2, 3]) await again(n);
  await second.stop();
  expect(held(host)).toEqual(ONCE);
  expect(host.store.batchRanges(GATEWAY, NEXT_EPOCH)).toEqual([[1, 3]]);
});

test("other content of the same instant is stored", async () => {
  const { host, again } = await rebuilt();
  await again(2, 99);
  expect(held(host)).toEqual([...ONCE.slice(0, 2), [NEXT_EPOCH, 2], ...ONCE.slice(2)]);
});

test("what is live is new, and so is what was recorded after it: a clock that was set back makes no poll disappear", async () => {
  const { host, node, again, times_ms } = await rebuilt();
  await node.data("incomer", 2, 13, [], times_ms[2]!);
  await host.pass(1000);
  await again(3);
  await again(1);
  expect(held(host)).toEqual([...ONCE, [NEXT_EPOCH, 2], [NEXT_EPOCH, 3]].toSorted((a, b) => order(a, b, times_ms)));
});

/** By time, then by epoch and number: as the store gives them. */
function order(
  [epochA, a]: (string | number)[],
  [epochB, b]: (string | number)[],
  times_ms: readonly number[],
): number {
  const at = (epoch: string | number, number: number) => (epoch === EPOCH ? times_ms[number - 11]! : times_ms[2]!);
  return at(epochA!, Number(a)) - at(epochB!, Number(b)) || (epochA! < epochB! ? -1 : 1) || Number(a) - Number(b);
}

describe("intervals of an epoch that is over", () => {
  const INTERVAL_MS = 900_000;
  const NODE = { group: SIM_ZONE, edge: "gw" };

  /** Two hours of one meter, the last interval of which was not compared before the gateway began another epoch. */
  async function stage() {
    const plan = { seed: 3, origin_ms: Date.parse("2026-03-02T10:00:00+07:00"), interval_ms: INTERVAL_MS };
    const zone = new SimZone(
      { ...plan, gateways: [{ name: "gw", lines: [equalMeters(1, 10_000)] }] },
      { isChecked: false },
    );
    onTestFinished(() => zone.close());
    zone.start();
    await zone.run(4 * INTERVAL_MS + 60_000);
    const { store } = zone.collector;
    const [{ device } = { device: "" }] = store.meters();
    const rows = () => store.intervals(NODE, device, "active_energy_import_total", 0, Number.MAX_SAFE_INTEGER, 10);
    const last = rows().at(-1)!;
    store.setVerifications([[last, "pending"]]);
    const log = recordingLog();
    const verifying = (of: ZoneStore) => {
      const epochs = new Epochs(of, log);
      const clock = { now_ms: () => last.to_ms, mono_ms: () => 0 };
      const births = new BirthReader(of);
      const verifier = new Verifier({ store: of, factors: loadFactors().factors, clock, log, births, epochs });
      return { epochs, run: (epoch = NEXT_EPOCH) => verifier.run([{ gateway: NODE, epoch }]) };
    };
    return { store, last, device, verifying, verdict: () => rows().at(-1)!.verification };
  }

  test("wait until all that was recorded before the new one is here, and are compared then", async () => {
    const { store, verifying, verdict } = await stage();
    const { epochs, run } = verifying(store);
    epochs.accounted(NODE, NEXT_EPOCH, 1, 4);
    expect(run()).toBe(true);
    expect(verdict()).toBe("pending");
    epochs.cameLive(NODE, NEXT_EPOCH, 9);
    epochs.accounted(NODE, NEXT_EPOCH, 9, 9);
    expect(run()).toBe(true);
    expect(verdict()).toBe("pending");
    epochs.accounted(NODE, NEXT_EPOCH, 5, 8);
    expect(run()).toBe(true);
    expect(verdict()).toBe("agreed");
  });

  test("wait for the next one where a number came with two contents: what is held then says nothing of what the gateway has", async () => {
    const { store, last, verifying, verdict } = await stage();
    const { epochs, run } = verifying({ ...store, quarantineCount: (_, epoch) => (epoch === last.epoch ? 1 : 0) });
    expect(run(last.epoch)).toBe(true);
    expect(verdict()).toBe("pending");
    epochs.cameLive(NODE, NEXT_EPOCH, 1);
    epochs.accounted(NODE, NEXT_EPOCH, 1, 1);
    expect(run()).toBe(true);
    expect(verdict()).toBe("agreed");
  });

  test("are unverifiable, and no disagreement, where batches before them never came", async () => {
    const { store, last, verifying, verdict } = await stage();
    const missing = store.batches(NODE, last.device, last.from_ms - 60_000, last.from_ms + 60_000, 100);
    const gone = new Set(missing.map(({ number }) => number));
    const before = Math.min(...gone);
    const { epochs, run } = verifying({
      ...store,
      batches: (...query) => store.batches(...query).filter(({ number }) => !gone.has(number)),
      batchRanges: (_, epoch) =>
        epoch === NEXT_EPOCH
          ? []
          : [
              [1, before - 1],
              [Math.max(...gone) + 1, last.batch],
            ],
    });
    epochs.cameLive(NODE, NEXT_EPOCH, 1);
    epochs.accounted(NODE, NEXT_EPOCH, 1, 1);
    expect(run()).toBe(true);
    expect(verdict()).toBe("unverifiable");
    expect(store.alarms(10)).toEqual([]);
  });
});
