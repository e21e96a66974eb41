import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../cli/io/system.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { startSim } from "../../hw-sim/sim.ts";
import { agentOfOneMeter, startAgentOf, tempDir, until } from "./harness.ts";
import { smallDisk } from "./kill/smallDisk.ts";
import { freePort, khuxanhIn, khuxanhRun } from "./processes.ts";

// One that was killed leaves the index of its store behind; one that was stopped does not, and there is no room for it.
test.for([
  { signal: "SIGKILL", isAlone: false },
  { signal: "SIGTERM", isAlone: true },
] as const)(
  "a collector that starts on a full disk after $signal serves what it has, confirms nothing, and takes everything once there is room",
  {
    timeout: 120_000,
  },
  async ({ signal, isAlone }, { skip }) => {
    const dir = tempDir();
    onTestFinished(dir.remove);
    const disk = smallDisk(join(dir.path, "disk"), 6);
    if (disk === null) process.stderr.write("skipped: a full disk needs root (a tmpfs of its own)\n");
    if (disk === null) return skip();
    onTestFinished(disk.unmount);
    const [broker, page] = await Promise.all([freePort(), freePort()]);
    const file = join(dir.path, "collector.yaml");
    writeFileSync(
      file,
      `
zone: {id: kcn-test, name: {vi: Thử, en: Test}}
data_dir: ${disk.path}/zone
sites: [{id: steel, name: {vi: Thép, en: Steel}, gateways: [gw-01]}]
broker: {embedded: "127.0.0.1:${broker}"}
listen: 127.0.0.1:${page}
`,
    );
    const ask = async (path: string): Promise<unknown> =>
      (await fetch(`http://127.0.0.1:${page}/api/v1${path}`)).json();
    const startCollector = async () => {
      const collector = khuxanhIn({}, "collector", "--config", file);
      onTestFinished(() => void collector.child.kill("SIGKILL"));
      await until("the page answers", () =>
        ask("/health").then(
          () => true,
          () => {
            expect(collector.child.exitCode, collector.stderr()).toBeNull();
            return false;
          },
        ),
      );
      return collector;
    };
    const meter = { unit: 1, model: "schneider-pm5000", load: { shape: "continuous", peak_W: 90_000 } } as const;
    const listen = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
    const sim = await startSim(
      { seed: 3, time_zone: "Asia/Ho_Chi_Minh", lines: [{ listen, meters: [{ ...meter, name: "a" }] }] },
      { models: loadModelLibrary(), clock: systemClock, readProfile },
    );
    onTestFinished(() => sim.close());
    const first = await startCollector();
    const at = { dir: dir.path, port: sim.lines[0]!.port, brokerUrl: `mqtt://127.0.0.1:${broker}` };
    const agent = await startAgentOf(agentOfOneMeter({ ...at, meter: "id: a, every: 200ms" }));
    onTestFinished(() => agent.stop());
    agent.gateway.start();
    const recorded = () => agent.status().journal.nextNumber - 1;
    const confirmed = () => recorded() - agent.status().journal.unconfirmed;
    await until("something is confirmed", () => confirmed() > 5);
    first.child.kill(signal);
    await first.exited;
    disk.fill();

    const second = await startCollector();
    expect(await ask("/meters")).toMatchObject([{ id: "gw-01/a" }]);
    expect((second.stderr() + second.stdout()).includes("store.opened-alone")).toBe(isAlone);
    const held = confirmed();
    const sofar = recorded();
    await until("more is recorded", () => recorded() > sofar + 10);
    expect(confirmed()).toBe(held);
    const ledger = ["ledger", "--config", file, "--site", "steel", "--from", "2026-11-01", "--to", "2026-11-02"];
    const beside = await khuxanhRun(...ledger);
    expect(beside.code).toBe(isAlone ? 1 : 0);
    expect(beside.stderr.includes("STORE_BUSY")).toBe(isAlone);

    disk.free();
    await until("all is confirmed", () => confirmed() > sofar + 10 && confirmed() >= recorded() - 1);
    second.child.kill("SIGTERM");
    expect(await second.exited).toBe(0);
  },
);
