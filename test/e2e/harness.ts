import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningAgent, startAgent } from "../../agent/main.ts";
import { SteppedClock } from "../../cli/demo/history.ts";
import { mqttConnector } from "../../cli/io/mqtt.ts";
import { systemClock, systemRandom, systemTimers } from "../../cli/io/system.ts";
import { startBroker } from "../../cloud/broker/embedded.ts";
import { Collector } from "../../cloud/collector/collector.ts";
import { openSqliteStore } from "../../cloud/store/sqlite.ts";
import type { ZoneStore } from "../../cloud/store/store.ts";
import { loadFactors } from "../../config/factors.ts";
import { agentSpec } from "../../config/files/agent.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { parseConfig } from "../../config/parse.ts";
import type { Clock, Log } from "../../core/ports.ts";
import { startMosquitto, withoutMosquitto } from "./mosquitto.ts";

/** Domain time that the test moves. */
export { SteppedClock };

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Keeps what was logged, for tests that ask what was said. */
export { recordingLog } from "../recordingLog.ts";

export function tempDir(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "khuxanh-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface TestZone {
  readonly store: ZoneStore;
  readonly collector: Collector;
  readonly brokerUrl: string;
  startAgent(yaml: string, clock?: Clock): Promise<RunningAgent>;
  close(): Promise<void>;
}

/** The brokers that links are tested on: name, and whether it cannot run here. */
export const BROKERS = [
  { kind: "embedded", broker: "the embedded broker", isSkipped: false },
  {
    kind: "mosquitto",
    broker: `Mosquitto${withoutMosquitto ? ", skipped: needs mosquitto" : ""}`,
    isSkipped: withoutMosquitto,
  },
] as const;
export type BrokerKind = (typeof BROKERS)[number]["kind"];

/** A real broker, a real store and the collector, on loopback ports of their own. */
export async function startZone(dir: string, log: Log = quiet, kind: BrokerKind = "embedded"): Promise<TestZone> {
  const { factors } = loadFactors();
  const broker = kind === "mosquitto" ? await startMosquitto() : await startBroker({ host: "127.0.0.1", port: 0, log });
  const brokerUrl = `mqtt://127.0.0.1:${broker.port}`;
  const store = openSqliteStore({ path: join(dir, "zone.sqlite") });
  const collector = new Collector({
    hostId: "zone-collector",
    zone: "kcn-test",
    connect: { url: brokerUrl },
    connector: mqttConnector(),
    store,
    factors,
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    log,
  });
  void collector.run();
  const agents: RunningAgent[] = [];
  return {
    store,
    collector,
    brokerUrl,
    async startAgent(yaml, clock = systemClock) {
      const agent = await startAgentOf(yaml, { clock, log });
      agents.push(agent);
      return agent;
    },
    async close() {
      for (const agent of agents) await agent.stop();
      await collector.stop();
      await broker.close();
      store.close();
    },
  };
}

/** An agent with all its real parts, by the text of its file. */
export function startAgentOf(
  yaml: string,
  change: Partial<Parameters<typeof startAgent>[1]> = {},
): Promise<RunningAgent> {
  const library = loadModelLibrary();
  const spec = agentSpec({ ids: [...library.keys()], find: (id) => library.get(id) });
  return startAgent(parseConfig(yaml, spec, "agent.yaml"), {
    resolveModel,
    factors: loadFactors().factors,
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    connector: mqttConnector(),
    log: quiet,
    version: "test",
    ...change,
  });
}

/** The file of an agent with one meter, the first of a simulated line. `meter`: its keys beside unit and model. */
export function agentOfOneMeter(at: {
  readonly dir: string;
  readonly port: number;
  readonly brokerUrl: string;
  readonly meter: string;
}): string {
  return `
zone: kcn-test
site: steel
gateway: gw-01
data_dir: ${at.dir}/gw-01
buses:
  - id: main
    url: tcp://127.0.0.1:${at.port}
    meters: [{unit: 1, model: schneider-pm5000, carrier: electricity, ${at.meter}}]
uplink: {url: "${at.brokerUrl}", host_id: zone-collector, delivery: required}
listen: 127.0.0.1:0
`;
}

/** Waits for a condition of the world outside (a broker, another process); fails loudly instead of hanging. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, limit_ms = 60_000): Promise<void> {
  const start_ms = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - start_ms > limit_ms) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
