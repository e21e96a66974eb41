import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../cli/io/system.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { startSim } from "../../hw-sim/sim.ts";
import { agentOfOneMeter, startZone, tempDir, until } from "./harness.ts";
import { type SmallDisk, smallDisk } from "./kill/smallDisk.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function fullDisk(path: string): SmallDisk | null {
  const disk = smallDisk(path, 3);
  if (disk === null) {
    process.stderr.write("skipped: a full disk needs root (a tmpfs of its own)\n");
    return null;
  }
  cleanups.push(disk.unmount);
  disk.fill();
  return disk;
}

test("a gateway whose first start finds its disk full polls, shows what it reads, and delivers all of it once there is room", {
  timeout: 60_000,
}, async ({ skip }) => {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const disk = fullDisk(`${dir.path}/disk`) ?? skip();
  const meter = {
    unit: 1,
    model: "schneider-pm5000",
    name: "a",
    load: { shape: "continuous", peak_W: 90_000 },
  } as const;
  const sim = await startSim(
    {
      seed: 3,
      time_zone: "Asia/Ho_Chi_Minh",
      lines: [{ listen: { kind: "tcp", host: "127.0.0.1", port: 0 }, meters: [meter] }],
    },
    { models: loadModelLibrary(), clock: systemClock, readProfile },
  );
  cleanups.push(() => sim.close());
  const zone = await startZone(dir.path);
  cleanups.push(() => zone.close());
  const at = { dir: disk.path, port: sim.lines[0]!.port, brokerUrl: zone.brokerUrl };
  const agent = await zone.startAgent(agentOfOneMeter({ ...at, meter: "id: a, every: 200ms" }));
  agent.gateway.start();
  await until("the meter was read some times", () => agent.status().counts.polls >= 5);
  const page = await fetch(`http://127.0.0.1:${agent.port}/api/status`);
  expect(await page.text()).toContain("The disk cannot be written: readings wait in memory");
  expect(agent.gateway.devices()[0]?.last.size).toBeGreaterThan(5);
  expect(agent.status()).toMatchObject({ journal: { isWritable: false, segments: 0 }, counts: { droppedSamples: 0 } });
  // What no journal holds is not published.
  expect(agent.status().uplink).toMatchObject({ sent: 0 });
  expect(zone.store.gateways()).toEqual([]);

  disk.free();
  await until("the journal was delivered", () => {
    const { isWritable, nextNumber, unconfirmed } = agent.status().journal;
    return isWritable && nextNumber > 5 && unconfirmed === 0;
  });
  await agent.stop();
  const { epoch } = agent.status().journal;
  const [range] = zone.store.batchRanges({ group: "kcn-test", edge: "gw-01" }, epoch);
  expect(range?.[0]).toBe(1);
  expect(range?.[1]).toBeGreaterThanOrEqual(5);
  expect(agent.status().counts.droppedSamples).toBe(0);
});
