import { join } from "node:path";
import { type RunningAgent, startAgent } from "../../agent/main.ts";
import type { Health } from "../../cloud/api/schemas.ts";
import { startCollector } from "../../cloud/main.ts";
import { loadFactors } from "../../config/factors.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { intervalStart } from "../../core/interval/calendar.ts";
import { DEMO_FACTORIES, demoSim } from "../../hw-sim/demo.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { startSim } from "../../hw-sim/sim.ts";
import type { SimConfig } from "../../hw-sim/simConfig.ts";
import { type Command, noMoreThan, optional, untilStopped, wholeNumber } from "../command.ts";
import { keepSeed, SEED_DEFAULT, seedFor } from "../demo/folder.ts";
import {
  historyToDo,
  isHeldIn,
  readHistoryRecord,
  runSpan,
  SteppedClock,
  writeHistoryRecord,
} from "../demo/history.ts";
import { startSummary } from "../demo/summary.ts";
import { DEMO_INTERVAL_MS, demoAgent, demoCollector, LOOPBACK } from "../demo/zone.ts";
import { mqttConnector } from "../io/mqtt.ts";
import { assertPortFree } from "../io/port.ts";
import { systemClock, systemRandom, systemTimers } from "../io/system.ts";
import { createLog } from "../log.ts";
import { readLook } from "../look.ts";
import { version } from "../version.ts";
import { ensureWebBuilt } from "../webBuild.ts";
import { webDir } from "./collector.ts";

const DAY_MS = 86_400_000;

const command: Command = {
  summary: "the demo zone: three simulated factories, everything embedded (npm start)",
  help: `
khuxanh demo [--port 8080] [--days 30] [--seed N] [--data DIR]

  --port   page and API on 127.0.0.1 (default 8080)
  --days   days of history, computed in the background, newest first (default 30, 0 to 400)
  --seed   everything random follows from it (default: the one the data folder was made with, 1 for a new folder)
  --data   folder for journals and store (default data/demo); a second start goes on from it, with the same seed

Simulated meters on real Modbus TCP sockets, three agents, a broker, the collector and the page, all on loopback and open for
reading without login. Ctrl-C stops.`,
  options: { port: { type: "string" }, days: { type: "string" }, seed: { type: "string" }, data: { type: "string" } },
  async run(args) {
    noMoreThan(args, 0);
    const port = wholeNumber(args, "port", 8080, 0, 65_535);
    const days = wholeNumber(args, "days", 30, 0, 400);
    const dataDir = optional(args, "data") ?? "data/demo";
    const asked = wholeNumber(args, "seed", SEED_DEFAULT, 0, 2 ** 32 - 1);
    const seed = seedFor(dataDir, optional(args, "seed") === undefined ? null : asked);
    const stopped = untilStopped();
    const demo = await startDemo({ port, days, seed, dataDir });
    await stopped;
    await demo.stop();
    return 0;
  },
};

interface DemoOptions {
  readonly port: number;
  readonly days: number;
  readonly seed: number;
  readonly dataDir: string;
}

/** Starts everything in the order in which it depends on each other; stopping goes the other way round. */
async function startDemo({ port, days, seed, dataDir }: DemoOptions): Promise<{ stop(): Promise<void> }> {
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    await assertPortFree(LOOPBACK, port);
    const log = createLog("error");
    const { factors, gwpSets } = loadFactors();
    const around = { factors, timers: systemTimers, clock: systemClock, random: systemRandom, log, version: version() };
    const webBuilt = ensureWebBuilt();
    const progress = historyProgress(days);

    const models = loadModelLibrary();
    const simConfig = demoSim(seed);
    const sim = await startSim(simConfig, { models, clock: systemClock, readProfile });
    undo.push(() => sim.close());
    await webBuilt;
    keepSeed(dataDir, seed);
    const collector = await startCollector(demoCollector(dataDir, port), {
      ...around,
      gwpSets,
      connector: mqttConnector(),
      webDir: webDir(),
      history: progress.state,
    });
    undo.push(() => collector.stop());

    const agents: RunningAgent[] = [];
    for (const [i, factory] of DEMO_FACTORIES.entries()) {
      const places = { dataDir, modbusPort: sim.lines[i]!.port, brokerUrl: collector.brokerUrl };
      const agent = await startAgent(demoAgent(factory, places), {
        ...around,
        look: readLook,
        resolveModel,
        connector: mqttConnector(),
      });
      undo.push(() => agent.stop());
      agents.push(agent);
    }
    const summary = startSummary({ url: collector.url, collector, agents, sim, progress: progress.state, dataDir });
    undo.push(summary);
    const history = computeHistory({ agents, simConfig, days, dataDir, progress });
    undo.push(() => history.stop());
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Progress {
  readonly state: () => Health["history"];
  readonly add: (ms: number) => void;
  readonly end: () => void;
}

/** Days done by all factories together: the page shows it while it runs. */
function historyProgress(days: number): Progress {
  let done_ms = 0;
  let running = days > 0;
  return {
    state: () => ({
      done_days: Math.min(days, Math.floor(done_ms / DEMO_FACTORIES.length / DAY_MS)),
      total_days: days,
      running,
    }),
    add: (ms) => {
      done_ms += ms;
    },
    end: () => {
      running = false;
    },
  };
}

/** Every factory: the newest days, then live polling goes on from there, then further back. */
function computeHistory({
  agents,
  simConfig,
  days,
  dataDir,
  progress,
}: {
  readonly agents: readonly RunningAgent[];
  readonly simConfig: SimConfig;
  readonly days: number;
  readonly dataDir: string;
  readonly progress: Progress;
}): { stop(): Promise<void> } {
  let isStopped = false;
  const now_ms = intervalStart(systemClock.now_ms(), DEMO_INTERVAL_MS, simConfig.time_zone);
  const runOne = async (agent: RunningAgent, line: number): Promise<void> => {
    const file = join(dataDir, DEMO_FACTORIES[line]!.gateway, "history.json");
    const todo = historyToDo(readHistoryRecord(file), now_ms, days);
    let { record } = todo;
    progress.add(days * DAY_MS - todo.spans.reduce((sum, { from_ms, to_ms }) => sum + to_ms - from_ms, 0));
    const hasNewest = record.done.length > 0;
    if (hasNewest || days === 0) agent.gateway.start();
    if (todo.spans.length === 0) return;

    const clock = new SteppedClock();
    const ownLine = { ...simConfig, lines: [simConfig.lines[line]!] };
    const sim = await startSim(ownLine, { models: loadModelLibrary(), clock, readProfile });
    try {
      for (const span of todo.spans) {
        let last_ms = span.from_ms;
        const { held } = record;
        const onProgress = (at_ms: number): void => {
          progress.add(at_ms - last_ms);
          last_ms = at_ms;
          record = { ...record, held: [...held, { from_ms: span.from_ms, to_ms: at_ms }] };
          writeHistoryRecord(file, record);
        };
        const goesOn = span.to_ms === record.until_ms;
        const outcome = await runSpan({ agent, sim, clock }, span, {
          goesOn,
          isHeld: (at_ms) => isHeldIn(held, at_ms),
          onProgress,
          isCancelled: () => isStopped,
        });
        if (outcome === "cancelled") return;
        record = { ...record, done: [...record.done, span] };
        writeHistoryRecord(file, record);
        if (goesOn) agent.gateway.start();
      }
    } finally {
      await sim.close();
    }
  };
  const running = Promise.all(agents.map(runOne)).finally(progress.end);
  return {
    async stop() {
      isStopped = true;
      await running;
    },
  };
}

export default command;
