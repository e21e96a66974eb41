import { expect, onTestFinished, test } from "vitest";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { Epochs } from "../../../cloud/collector/epochs.ts";
import { Verifier } from "../../../cloud/collector/verifier.ts";
import { STORED_EXCEEDS_READ, STORED_TWICE, type StoredBatch, type ZoneStore } from "../../../cloud/store/store.ts";
import { loadFactors } from "../../../config/factors.ts";
import { recordingLog } from "../../recordingLog.ts";
import { equalMeters, type WorldMeter } from "../../sim/meters.ts";
import { SimZone, ZONE } from "../../sim/zone.ts";

const INTERVAL_MS = 900_000;
const ORIGIN_MS = Date.parse("2026-03-02T10:00:00+07:00");
const GATEWAY = { group: ZONE, edge: "gw" };
const METERS = 2;
const INTERVALS = 4;
const QUANTITIES = 3;

/** What a gateway and a collector put into the store in an hour. */
async function storeOfAnHour(): Promise<{ store: ZoneStore; epoch: string }> {
  const plan = { seed: 3, origin_ms: ORIGIN_MS, interval_ms: INTERVAL_MS };
  const lines = [equalMeters(METERS, 10_000)];
  const zone = new SimZone({ ...plan, gateways: [{ name: "gw", lines }] }, { isChecked: false });
  onTestFinished(() => zone.close());
  zone.start();
  await zone.run(INTERVALS * INTERVAL_MS + 60_000);
  const { store } = zone.collector;
  return { store, epoch: store.gateways()[0]!.epoch! };
}

const everything = (store: ZoneStore) =>
  store
    .meters()
    .flatMap(({ device }) =>
      (["active_energy_import_total", "active_energy_export_total", "reactive_energy_import_total"] as const).flatMap(
        (quantity) => store.intervals(GATEWAY, device, quantity, 0, Number.MAX_SAFE_INTEGER, 1000),
      ),
    );

/** Compares all of it again, and counts what it asks the store for. */
function comparing(store: ZoneStore) {
  const asked: string[] = [];
  const watched = new Proxy(store, {
    get(target, name: keyof ZoneStore) {
      const method = target[name] as (...args: readonly unknown[]) => unknown;
      return (...args: readonly unknown[]) => {
        asked.push(name);
        return method(...args);
      };
    },
  });
  const clock = { now_ms: () => ORIGIN_MS + 5 * INTERVAL_MS, mono_ms: () => 0 };
  const births = new BirthReader(watched);
  const log = recordingLog();
  const epochs = new Epochs(watched, log);
  const verifier = new Verifier({ store: watched, factors: loadFactors().factors, clock, log, births, epochs });
  const count = (name: keyof ZoneStore) => asked.filter((one) => one === name).length;
  return { verifier, count, asked };
}

test("the batches of a meter are read once for all its counters, and nothing is looked for when nothing waits", async () => {
  const { store, epoch } = await storeOfAnHour();
  const intervals = everything(store);
  expect(intervals.length).toBe(QUANTITIES * INTERVALS * METERS);
  expect(new Set(intervals.map(({ verification }) => verification))).toEqual(new Set(["agreed"]));
  store.setVerifications(intervals.map((interval) => [interval, "pending"]));
  const { verifier, count, asked } = comparing(store);
  const nodes = [{ gateway: GATEWAY, epoch }];
  expect(verifier.run(nodes)).toBe(true);
  expect(new Set(everything(store).map(({ verification }) => verification))).toEqual(new Set(["agreed"]));
  // Before the first interval there is nothing, however far one looks: in the last two minutes, ten, and two hours.
  expect(count("batches")).toBe(INTERVALS * METERS + 2 * QUANTITIES * METERS);
  asked.length = 0;
  expect(verifier.run(nodes)).toBe(true);
  expect(asked).toEqual([]);
  verifier.booked(GATEWAY, epoch, 1);
  expect(verifier.run(nodes)).toBe(true);
  expect(asked).toEqual(["intervalsToVerify", "intervalsToVerify"]);
});

test.each([
  {
    where: "under the number before",
    again: (batch: StoredBatch): StoredBatch => ({ ...batch, number: batch.number - 1 }),
    code: STORED_EXCEEDS_READ,
    more: {},
  },
  {
    where: "under another epoch, after a journal was rebuilt",
    again: (batch: StoredBatch): StoredBatch => ({ ...batch, epoch: "00000000000000ff" }),
    code: STORED_TWICE,
    more: { copies: 1 },
  },
])("readings stored once more $where raise an alarm, and change no figure", async ({ again, code, more }) => {
  const { store, epoch } = await storeOfAnHour();
  const [device] = store.meters().map((meter) => meter.device);
  const QUANTITY = "active_energy_import_total";
  const [, second] = store.intervals(GATEWAY, device!, QUANTITY, 0, Number.MAX_SAFE_INTEGER, 1000);
  const [once] = store.batches(GATEWAY, device!, second!.from_ms + 300_000, second!.to_ms, 1);
  const doubled: ZoneStore = {
    ...store,
    batches: (...query) =>
      store.batches(...query).flatMap((batch) => (batch.number === once!.number ? [again(batch), batch] : [batch])),
  };
  store.setVerifications([[second!, "pending"]]);
  const { verifier } = comparing(doubled);
  verifier.run([{ gateway: GATEWAY, epoch }]);
  const [after] = store.intervals(GATEWAY, device!, QUANTITY, second!.from_ms, second!.to_ms, 1);
  expect(after).toMatchObject({ ticks: second!.ticks, verification: "agreed" });
  const { pollsAnswered: read } = second!;
  expect(store.alarms(5)).toMatchObject([
    {
      code,
      device,
      detail: { quantity: QUANTITY, from_ms: second!.from_ms, read, stored: read + 1, ...more },
    },
  ]);
});

test("what lies between a clock that was behind and a restart with a right one is compared with what was recorded next, not with older readings", async () => {
  const plan = { seed: 3, origin_ms: ORIGIN_MS, interval_ms: INTERVAL_MS };
  const [{ config, sim }] = equalMeters(1, 10_000) as [WorldMeter];
  const lines = [[{ config, sim: { ...sim, since: "2026-02-01" } }]];
  const zone = new SimZone({ ...plan, gateways: [{ name: "gw", lines }] }, { isChecked: false });
  onTestFinished(() => zone.close());
  zone.start();
  await zone.run(3 * INTERVAL_MS + 60_000);
  const [agent] = zone.agents;
  agent!.machine.jump(-12 * INTERVAL_MS);
  await zone.run(5 * INTERVAL_MS);
  agent!.crash("process-killed");
  agent!.machine.jump(12 * INTERVAL_MS);
  await zone.run(5 * INTERVAL_MS + 10_000);
  agent!.start();
  await zone.run(7 * INTERVAL_MS + 60_000);
  const intervals = everything(zone.collector.store);
  const shared = intervals.filter(({ flag, cause }) => flag === "S" && cause !== "clock");
  expect(shared.length).toBeGreaterThanOrEqual(3 * QUANTITIES);
  expect(intervals.filter(({ verification }) => verification === "disagreed")).toEqual([]);
  expect(new Set(shared.map(({ verification }) => verification))).toEqual(new Set(["agreed"]));
});
