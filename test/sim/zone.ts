import { DatabaseSync } from "node:sqlite";
import { type AssembledAgent, assembleAgent } from "../../agent/assemble.ts";
import type { Journal } from "../../agent/journal/journal.ts";
import { Collector } from "../../cloud/collector/collector.ts";
import { databaseOn } from "../../cloud/store/database.ts";
import { storeOn } from "../../cloud/store/sqlite.ts";
import type { ZoneStore } from "../../cloud/store/store.ts";
import { loadFactors } from "../../config/factors.ts";
import type { AgentConfig } from "../../config/files/agent.ts";
import { loadModelLibrary } from "../../config/models.ts";
import type { Log } from "../../core/ports.ts";
import type { SimMeter } from "../../hw-sim/meters/simMeter.ts";
import { buildSim } from "../../hw-sim/sim.ts";
import { SimLine } from "../../hw-sim/world/line.ts";
import type { EndOfLife, Life, Machine } from "../../hw-sim/world/machine.ts";
import { createWorld, type World } from "../../hw-sim/world/world.ts";
import type { WorldMeter } from "./meters.ts";
import { settling } from "./settle.ts";

/** A zone in a world: gateways with their lines of meters, a broker, a collector - the code of production on other ports. */
export interface ZonePlan {
  readonly seed: number;
  /** True wall time at the beginning. */
  readonly origin_ms: number;
  readonly interval_ms: number;
  readonly gateways: readonly GatewayPlan[];
}

export interface GatewayPlan {
  readonly name: string;
  readonly lines: readonly (readonly WorldMeter[])[];
}

export const ZONE = "kcn-sim";
const HOST_ID = "zone-collector";
const TIME_ZONE = "Asia/Ho_Chi_Minh";
const LINE_LATENCY = { least_ms: 4, most_ms: 30 };
const LINE_TIMEOUT_MS = 500;

const LIBRARY = loadModelLibrary();
const { factors: FACTORS } = loadFactors();

/** Databases in memory are shared by name within a process. */
let zonesMade = 0;

export class SimZone {
  readonly world: World;
  readonly agents: readonly SimAgent[];
  readonly collector: SimCollector;

  constructor(plan: ZonePlan, openJournal: OpenJournal) {
    this.world = createWorld({ seed: plan.seed, origin_ms: plan.origin_ms, settle: settling() });
    this.agents = plan.gateways.map((gateway) => new SimAgent(this.world, plan, gateway, openJournal));
    this.collector = new SimCollector(this.world);
  }

  start(): void {
    this.collector.start();
    for (const agent of this.agents) agent.start();
  }

  run(until_ms: number): Promise<void> {
    return this.world.scheduler.run(until_ms);
  }
}

export type OpenJournal = (life: Life, config: AgentConfig, log: Log) => Journal;

export interface MeterInWorld {
  readonly device: string;
  readonly config: WorldMeter["config"];
  readonly meter: SimMeter;
}

export class SimAgent {
  readonly config: AgentConfig;
  readonly machine: Machine;
  readonly lines: readonly SimLine[];
  readonly meters: readonly MeterInWorld[];
  readonly #world: World;
  readonly #openJournal: OpenJournal;
  #running: AssembledAgent | null = null;

  constructor(world: World, plan: ZonePlan, gateway: GatewayPlan, openJournal: OpenJournal) {
    this.#world = world;
    this.#openJournal = openJournal;
    this.machine = world.machine(gateway.name);
    this.config = agentConfig(plan, gateway);
    const built = buildSim(
      {
        seed: plan.seed,
        time_zone: TIME_ZONE,
        lines: gateway.lines.map((meters, i) => ({
          listen: { kind: "tcp", host: gateway.name, port: i },
          meters: meters.map(({ sim, config }) => ({ ...sim, name: `${gateway.name}/${i}/${config.id}` })),
        })),
      },
      LIBRARY,
      new Map(),
    );
    this.lines = built.map(
      ({ meters }, i) =>
        new SimLine({
          name: `${gateway.name} line ${i}`,
          scheduler: world.scheduler,
          random: world.random(`${gateway.name}/line/${i}`),
          trace: world.trace,
          meters: new Map(meters.map((meter) => [meter.unit, meter])),
          true_ms: world.true_ms,
          latency: LINE_LATENCY,
        }),
    );
    this.meters = gateway.lines.flatMap((meters, line) =>
      meters.map(({ config }, i) => ({ device: idOf(line, config.id), config, meter: built[line]!.meters[i]! })),
    );
  }

  get running(): AssembledAgent | null {
    return this.machine.life?.isAlive === true ? this.#running : null;
  }

  start(): void {
    const { trace } = this.#world;
    const life = this.machine.start();
    trace.note(`${this.machine.name} starts`);
    const log = traceLog(this.#world, this.machine.name, life);
    const journal = this.#openJournal(life, this.config, log);
    this.#running = assembleAgent(this.config, {
      resolveModel: (id) => LIBRARY.get(id)!,
      factors: FACTORS,
      journal: tracedJournal(journal, this.#world, this.machine.name),
      clock: life.clock,
      timers: life.timers,
      random: life.random,
      connector: this.#world.network.connectorOf(life),
      openBus: (bus) => this.lines[Number(bus.id.slice(1))]!.busOf(life),
      log,
      version: "sim",
    });
    this.#running.run();
    this.#running.gateway.start();
  }

  crash(how: EndOfLife): void {
    this.#world.trace.note(`${this.machine.name} crashes (${how})`);
    this.machine.life?.end(how);
  }
}

export class SimCollector {
  readonly machine: Machine;
  readonly #world: World;
  /** Holds the database in memory while no collector has it open. */
  readonly #disk: DatabaseSync;
  readonly #path: string;
  #store: ZoneStore;
  #running: Collector | null = null;

  constructor(world: World) {
    this.#world = world;
    this.machine = world.machine("zone-server");
    this.#path = `file:/khuxanh-sim-${zonesMade++}?vfs=memdb`;
    this.#disk = new DatabaseSync(this.#path);
    this.#store = this.#open(() => this.machine.wall_ms());
  }

  /** What is on its disk, whether it runs or not. */
  get store(): ZoneStore {
    return this.#store;
  }

  get running(): Collector | null {
    return this.machine.life?.isAlive === true ? this.#running : null;
  }

  start(): void {
    const life = this.machine.start();
    this.#world.trace.note("collector starts");
    this.#store.close();
    this.#store = this.#open(life.clock.now_ms);
    this.#running = new Collector({
      hostId: HOST_ID,
      zone: ZONE,
      connect: { url: "mqtt://broker" },
      connector: this.#world.network.connectorOf(life),
      store: tracedStore(this.#store, this.#world),
      factors: FACTORS,
      clock: life.clock,
      timers: life.timers,
      random: life.random,
      log: traceLog(this.#world, "collector", life),
    });
    void this.#running.run();
  }

  crash(how: EndOfLife): void {
    this.#world.trace.note(`collector crashes (${how})`);
    this.machine.life?.end(how);
  }

  /** Frees the memory. */
  close(): void {
    this.#store.close();
    this.#disk.close();
  }

  #open(now_ms: () => number): ZoneStore {
    return storeOn(databaseOn(new DatabaseSync(this.#path, { enableForeignKeyConstraints: true })), now_ms);
  }
}

function idOf(line: number, id: string): string {
  return `l${line}-${id}`;
}

function agentConfig(plan: ZonePlan, { name, lines }: GatewayPlan): AgentConfig {
  return {
    zone: ZONE,
    site: `site-${name}`,
    gateway: name,
    data_dir: name,
    interval_ms: plan.interval_ms,
    time_zone: TIME_ZONE,
    buses: lines.map((meters, i) => ({
      id: `b${i}`,
      url: { kind: "tcp", host: `${name}-${i}`, port: 502, unit: null },
      timeout_ms: LINE_TIMEOUT_MS,
      meters: meters.map(({ config }) => ({ ...config, id: idOf(i, config.id) })),
    })),
    uplink: {
      url: { kind: "mqtt", host: "broker", port: 1883, url: "mqtt://broker:1883" },
      host_id: HOST_ID,
      delivery: "required",
    },
    journal: { max_bytes: 1024 ** 3, max_age_ms: 60 * 86_400_000 },
    listen: { host: "127.0.0.1", port: 0 },
  };
}

/** What a process says is part of what happened; a dead one says nothing. */
function traceLog(world: World, who: string, life: Life): Log {
  const at = (level: string) => (event: string, fields?: Readonly<Record<string, unknown>>) => {
    if (!life.isAlive) return;
    world.trace.note(`${who} ${level} ${event} ${fields === undefined ? "" : JSON.stringify(fields, textOfBigint)}`);
  };
  return { debug() {}, info: at("info"), warn: at("warn"), error: at("error") };
}

function textOfBigint(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** Own properties before the class's methods: the object stays what it is, private fields and all. */
function tracedJournal(journal: Journal, { trace }: World, who: string): Journal {
  const commit = journal.commit.bind(journal);
  return Object.assign(journal, {
    commit(write: Parameters<Journal["commit"]>[0]) {
      const numbers = commit(write);
      trace.note(`${who} journal commits ${numbers.length === 0 ? "state" : `${numbers[0]}…${numbers.at(-1)}`}`);
      return numbers;
    },
  });
}

function tracedStore(store: ZoneStore, { trace }: World): ZoneStore {
  const commitBatches = store.commitBatches.bind(store);
  return Object.assign(store, {
    commitBatches(batches: Parameters<ZoneStore["commitBatches"]>[0]) {
      const outcomes = commitBatches(batches);
      trace.note(`store commits ${batches.map(({ number }, i) => `${number} ${outcomes[i]}`).join(", ")}`);
      return outcomes;
    },
  });
}
