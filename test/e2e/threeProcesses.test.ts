import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openSqliteStore } from "../../cloud/store/sqlite.ts";
import type { StoredInterval } from "../../cloud/store/store.ts";
import type { TruthLine } from "../../hw-sim/truthFile.ts";
import { BROKERS, tempDir, until } from "./harness.ts";
import { startMosquitto } from "./mosquitto.ts";
import { freePort, type Khuxanh, khuxanh } from "./processes.ts";

/**
 * Simulated meters, agent and collector as three processes in real time; the collector is killed for a while, then the
 * agent. Afterwards the books must hold every interval the truth file knows, each once, and the energy must be the meter's.
 * Short form by default; KHUXANH_LONG=1 keeps the collector away for 30 s and runs for minutes.
 */
const LONG = process.env.KHUXANH_LONG === "1";
const INTERVAL_S = LONG ? 10 : 5;
const COLLECTOR_AWAY_S = LONG ? 30 : 7;
const AGENT_AWAY_S = LONG ? 12 : 3;
const BEFORE_AND_AFTER_S = LONG ? 60 : 11;
/** A poll's time is known to some milliseconds; at 600 kW a millisecond is 0.17 Wh. */
const TOLERANCE_TICKS = 12;
const METERS = ["incomer", "furnace"] as const;
const GATEWAY = { group: "kcn-test", edge: "gw-01" };
const QUANTITY = "active_energy_import_total";

const running: Khuxanh[] = [];
const cleanups: (() => unknown)[] = [];
afterEach(async ({ task }) => {
  if (task.result?.state === "fail")
    for (const { child, stderr } of running) console.error(child.spawnargs.at(4), stderr());
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map(({ exited }) => exited));
  for (const clean of cleanups.splice(0)) await clean();
});

function start(...args: string[]): Khuxanh {
  const process = khuxanh(...args);
  running.push(process);
  return process;
}

const seconds = (s: number) => new Promise((resolve) => setTimeout(resolve, s * 1000));

async function api(port: number, path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return await response.json();
}

describe.each(BROKERS)("with $broker", ({ kind, isSkipped }) => {
  test.skipIf(isSkipped)(
    "after the collector and then the agent were killed, the books hold every interval of the truth, each once",
    {
      timeout: LONG ? 600_000 : 180_000,
    },
    async () => {
      const mosquitto = kind === "mosquitto" ? await startMosquitto() : null;
      cleanups.push(() => mosquitto?.close());
      const dir = tempDir();
      cleanups.push(dir.remove);
      const [modbus, embedded, page, local] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
      const brokerUrl = mosquitto?.url ?? `mqtt://127.0.0.1:${embedded}`;
      const write = (name: string, text: string): string => {
        const file = join(dir.path, name);
        writeFileSync(file, text);
        return file;
      };
      const simFile = write(
        "sim.yaml",
        `
seed: 7
time_zone: Asia/Ho_Chi_Minh
loads:
  steel: {csv: steel, column: energy_kwh, repeat: weekly}
lines:
  - listen: tcp://127.0.0.1:${modbus}
    meters:
      - {unit: 1, model: schneider-pm5000, name: incomer, load: {ref: steel}}
      - {unit: 2, model: schneider-iem3155-iem3255, name: furnace, load: {share: {ref: steel}, percent: 40}}
`,
      );
      const collectorFile = write(
        "collector.yaml",
        `
zone: {id: kcn-test, name: {vi: Thử, en: Test}, time_zone: Asia/Ho_Chi_Minh}
host_id: zone-collector
data_dir: ./zone
sites: [{id: steel, name: {vi: Thép, en: Steel}, sector: steel, gateways: [gw-01]}]
broker: ${mosquitto === null ? `{embedded: "127.0.0.1:${embedded}"}` : `{url: "${brokerUrl}"}`}
listen: 127.0.0.1:${page}
`,
      );
      const agentFile = write(
        "agent.yaml",
        `
zone: kcn-test
site: steel
gateway: gw-01
data_dir: ./gw-01
interval: ${INTERVAL_S}s
buses:
  - id: main
    url: tcp://127.0.0.1:${modbus}
    timeout: 500ms
    meters:
      - {id: incomer, unit: 1, model: schneider-pm5000, carrier: electricity, role: import, every: {power: 1s, energy: 500ms}}
      - {id: furnace, unit: 2, model: schneider-iem3155-iem3255, carrier: electricity, parent: incomer, every: {power: 1s, energy: 500ms}}
uplink: {url: "${brokerUrl}", host_id: zone-collector, delivery: required}
listen: 127.0.0.1:${local}
`,
      );
      const truthFile = join(dir.path, "truth.jsonl");

      start("sim", "--config", simFile, "--truth", truthFile, "--truth-every", `${INTERVAL_S}s`);
      const collector = start("collector", "--config", collectorFile);
      const agent = start("agent", "--config", agentFile);
      type Health = { uplink: { state: string }; journal: { unconfirmed: number }; meters: { answering: boolean }[] };
      const health = async (): Promise<Health | null> =>
        (await api(local, "/health").catch(() => null)) as Health | null;
      await until("the agent's meters answer and it is born", async () => {
        const now = await health();
        return (
          now?.uplink.state === "born" && now.meters.length === 2 && now.meters.every(({ answering }) => answering)
        );
      });
      await seconds(BEFORE_AND_AFTER_S);

      collector.child.kill("SIGKILL");
      await seconds(COLLECTOR_AWAY_S);
      expect((await health())?.journal.unconfirmed).toBeGreaterThan(0);
      const collectorAgain = start("collector", "--config", collectorFile);
      await until("the backlog has drained", async () => ((await health())?.journal.unconfirmed ?? 1) < 8);

      agent.child.kill("SIGKILL");
      await agent.exited;
      await seconds(AGENT_AWAY_S);
      const again = start("agent", "--config", agentFile);
      await until("the agent is born again", async () => (await health())?.uplink.state === "born");
      await seconds(BEFORE_AND_AFTER_S);

      again.child.kill("SIGTERM");
      expect(await again.exited).toBe(0);
      collectorAgain.child.kill("SIGTERM");
      expect(await collectorAgain.exited).toBe(0);

      const truth = readFileSync(truthFile, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as TruthLine);
      const store = openSqliteStore({ path: join(dir.path, "zone", "zone.sqlite") });
      cleanups.push(() => store.close());
      for (const meter of METERS)
        checkBooks(meter, truth, store.intervals(GATEWAY, meter, QUANTITY, 0, Date.now(), 10_000));
      expect(store.alarms(10)).toEqual([]);
      const [row] = store.gateways();
      expect(store.deadLetterCount(GATEWAY)).toBe(0);
      const epochs = store.batchRanges(GATEWAY, row?.epoch ?? "");
      expect(epochs).toHaveLength(1);
      expect(epochs[0]?.[0]).toBe(1);
    },
  );
});

function checkBooks(meter: string, truth: readonly TruthLine[], intervals: readonly StoredInterval[]): void {
  const truthAt = new Map(
    truth
      .filter(({ name }) => name === meter)
      .map((line) => [Date.parse(line.at), Math.round(Number(line.counters[QUANTITY]?.value))]),
  );
  const whole = intervals.filter(({ flag }) => flag !== "X");
  expect(whole.length).toBeGreaterThanOrEqual(4);
  // Each once, none missing in between: they follow each other without a gap.
  const starts = intervals.map(({ from_ms }) => from_ms);
  expect(starts).toEqual(starts.map((_, i) => (starts[0] ?? 0) + i * INTERVAL_S * 1000));
  // Only the first one, in which the meter was first read, may be incomplete.
  expect(intervals.slice(1).filter(({ flag }) => flag === "X")).toEqual([]);
  whole.forEach((interval, i) => {
    const { opening, closing, ticks, from_ms, to_ms, flag } = interval;
    expect(closing!.count - opening!.count).toBe(ticks);
    if (i > 0) expect(opening!.count).toBe(whole[i - 1]!.closing!.count);
    for (const [at_ms, boundary] of [
      [from_ms, opening],
      [to_ms, closing],
    ] as const) {
      const true_Wh = truthAt.get(at_ms);
      if (flag !== "M" || true_Wh === undefined) continue;
      expect(Math.abs(Number(boundary!.count) - true_Wh)).toBeLessThanOrEqual(TOLERANCE_TICKS);
    }
  });
  // Every boundary the truth file knows within the agent's life is in the books.
  const last_ms = whole.at(-1)!.to_ms;
  const known = [...truthAt.keys()].filter((at_ms) => at_ms > whole[0]!.from_ms && at_ms <= last_ms);
  expect(known.length).toBeGreaterThanOrEqual(4);
  for (const at_ms of known) expect(whole.some(({ to_ms }) => to_ms === at_ms)).toBe(true);
}
