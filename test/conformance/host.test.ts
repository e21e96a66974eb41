import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HOST_CHECKS, REORDER_CHECKS } from "./hostChecks.ts";
import { HostStage } from "./hostStage.ts";

describe.each([
  ["a host", 0, HOST_CHECKS],
  ["a host with a reorder timeout", 2000, REORDER_CHECKS],
] as const)("%s", (_name, reorderTimeout_ms, checks) => {
  let host: HostStage;
  beforeEach(() => {
    host = new HostStage(reorderTimeout_ms);
  });
  afterEach(async () => {
    await host.collector.stop();
    host.close();
  });

  for (const [ids, prove] of checks) for (const id of ids) test(id, () => prove(host));
});

test("a collector that begins again says it with a newer timestamp, whatever its clock says", async () => {
  const host = new HostStage();
  await host.start();
  await host.collector.stop();
  host.now_ms -= 3_600_000;
  const second = host.newCollector();
  await host.start(second);
  const times = host.said("STATE").map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()).timestamp as number);
  expect(times.at(-1)).toBeGreaterThan(times[0]!);
  expect(host.store.alarms(5).map(({ code }) => code)).toEqual(["CLOCK_WENT_BACK"]);
  await second.stop();
  host.close();
});

test("an offline from the future is contradicted at once, and then by a session that is newer still", async () => {
  const host = new HostStage();
  await host.start();
  const future = host.now_ms + 86_400_000;
  await host.stateSays(false, future);
  await host.pass(5000);
  const [, contradiction, newer] = host.said("STATE").map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()));
  expect(contradiction).toMatchObject({ online: true });
  expect(newer).toMatchObject({ online: true, timestamp: future + 1 });
  await host.collector.stop();
  host.close();
});
