import { type AssembledAgent, assembleAgent } from "../../agent/assemble.ts";
import { type Journal, openJournal } from "../../agent/journal/journal.ts";
import { Collector } from "../../cloud/collector/collector.ts";
import type { ZoneStore } from "../../cloud/store/store.ts";
import { loadFactors } from "../../config/factors.ts";
import type { AgentConfig, BusConfig } from "../../config/files/agent.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { Bus, Log, MqttConnector } from "../../core/ports.ts";
import { type BusAddress, openBus } from "../../drivers/modbus/client.ts";
import { simLine } from "../../hw-sim/bus/line.ts";
import { type FaultBook, faultBook } from "../../hw-sim/faults/faultBook.ts";
import { type FaultyMeter, faultyMeter } from "../../hw-sim/faults/meterFaults.ts";
import type { Wire } from "../../hw-sim/faults/wireFaults.ts";
import { buildSim } from "../../hw-sim/sim.ts";
import { type DiskBackup, SimDisk } from "../../hw-sim/world/disk.ts";
import { SimLine } from "../../hw-sim/world/line.ts";
import type { EndOfLife, Life, Machine } from "../../hw-sim/world/machine.ts";
import { SimRtuLine } from "../../hw-sim/world/rtuLine.ts";
import { createWorld, type World } from "../../hw-sim/world/world.ts";
import { AckChecker } from "./checkers/acks.ts";
import { BooksChecker } from "./checkers/books.ts";
import { RepliesChecker } from "./checkers/replies.ts";
import { WireChecker } from "./checkers/wire.ts";
import { Findings } from "./findings.ts";
import type { WorldMeter } from "./meters.ts";
import { settling } from "./settle.ts";
import { type StoreBackup, StoreDisk } from "./storeDisk.ts";

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
  /** What each line is; left out: Modbus TCP. On RTU lines stands the client of production. */
  readonly wires?: readonly WirePlan[];
}

export interface WirePlan {
  readonly kind: Wire;
  /** RTU: replies may be repeated, and none is lost. Else they may be lost, and none is repeated: `drivers/decisions/001`. */
  readonly isRepeating: boolean;
}

const TCP: WirePlan = { kind: "tcp", isRepeating: false };

export const ZONE = "kcn-sim";
const HOST_ID = "zone-collector";
const TIME_ZONE = "Asia/Ho_Chi_Minh";
const LINE_LATENCY = { least_ms: 4, most_ms: 30 };
export const LINE_TIMEOUT_MS = 500;

export const LIBRARY = loadModelLibrary();
const { factors: FACTORS } = loadFactors();

/** systemd's RestartSec of our unit: a process that ended is started again after it. */
const RESTART_MS = 5000;

export class SimZone {
  readonly world: World;
  readonly findings: Findings;
  readonly checkers: Checkers;
  readonly agents: readonly SimAgent[];
  readonly collector: SimCollector;

  constructor(plan: ZonePlan, { isChecked = true } = {}) {
    this.world = createWorld({ seed: plan.seed, origin_ms: plan.origin_ms, settle: settling() });
    const { scheduler } = this.world;
    this.findings = new Findings(
      () => scheduler.now_ms,
      () => scheduler.stop(),
    );
    const store = (): ZoneStore => this.collector.store;
    this.checkers = {
      wire: new WireChecker(this.findings),
      acks: new AckChecker(this.findings, ZONE, store),
      books: new BooksChecker(this.findings, store),
      replies: new RepliesChecker(this.findings),
    };
    const watched = isChecked ? this.checkers : null;
    this.agents = plan.gateways.map((gateway) => new SimAgent(this.world, plan, gateway, watched));
    this.collector = new SimCollector(this.world, watched);
  }

  start(): void {
    this.collector.start();
    for (const agent of this.agents) agent.start();
  }

  run(until_ms: number): Promise<void> {
    return this.world.scheduler.run(until_ms);
  }

  close(): void {
    for (const agent of this.agents) agent.machine.life?.end("process-killed");
    this.collector.machine.life?.end("process-killed");
    this.collector.close();
  }
}

export interface Checkers {
  readonly wire: WireChecker;
  readonly acks: AckChecker;
  readonly books: BooksChecker;
  readonly replies: RepliesChecker;
}

export interface MeterInWorld {
  readonly device: string;
  readonly config: WorldMeter["config"];
  /** Number of its line at the gateway. */
  readonly line: number;
  /** As it answers, with what befalls it. */
  readonly faulty: FaultyMeter;
}

export class SimAgent {
  readonly config: AgentConfig;
  readonly machine: Machine;
  readonly lines: readonly (SimLine | SimRtuLine)[];
  readonly wires: readonly WirePlan[];
  readonly meters: readonly MeterInWorld[];
  /** What befalls its meters; in true time. */
  readonly faults: FaultBook;
  readonly disk: SimDisk;
  /** How often its medium lost what it held. */
  damages = 0;
  /** How often a backup took its place. */
  restores = 0;
  /** Of its journal, oldest first. */
  readonly epochs: string[] = [];
  readonly #world: World;
  readonly #checkers: Checkers | null;
  #running: AssembledAgent | null = null;

  constructor(world: World, plan: ZonePlan, gateway: GatewayPlan, checkers: Checkers | null) {
    this.#world = world;
    this.#checkers = checkers;
    this.disk = new SimDisk(`disk of ${gateway.name}`, world.random(`${gateway.name}/disk`), world.trace);
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
    const units = built.map(({ meters }) => new Set(meters.map(({ unit }) => unit)));
    this.faults = faultBook({
      seed: plan.seed,
      lines: units.map((own, i) => ({ units: own, hasConnections: wireOf(gateway, i).kind !== "rtu" })),
    });
    const faulty = built.map(({ meters }, line) =>
      meters.map((meter) => faultyMeter(meter, () => this.faults.ofMeter(line, meter.unit))),
    );
    this.wires = gateway.lines.map((_, i) => wireOf(gateway, i));
    this.lines = faulty.map((meters, i) =>
      this.#lineOf(wireOf(gateway, i), i, new Map(meters.map((one) => [one.meter.unit, one]))),
    );
    this.meters = gateway.lines.flatMap((meters, line) =>
      meters.map(({ config }, i) => ({ device: idOf(line, config.id), config, line, faulty: faulty[line]![i]! })),
    );
  }

  #lineOf(
    { kind: wire, isRepeating }: WirePlan,
    i: number,
    meters: ReadonlyMap<number, FaultyMeter>,
  ): SimLine | SimRtuLine {
    const { scheduler, trace, true_ms, random } = this.#world;
    const { name } = this.machine;
    const line = {
      name: `${name} line ${i}`,
      scheduler,
      random: random(`${name}/line/${i}`),
      trace,
      true_ms,
      latency: LINE_LATENCY,
    };
    return wire === "tcp"
      ? new SimLine({
          ...line,
          meters,
          hitting: (unit, at_ms) => this.faults.hitting({ line: i, unit, connection: null, at_ms }),
        })
      : new SimRtuLine({
          ...line,
          isRepeating,
          end: simLine({ meters, wire, line: i, faults: this.faults }),
          onAnswer: (question, words, at_ms) => this.#checkers?.replies.answered(name, i, question, words, at_ms),
        });
  }

  #busOf(i: number, life: Life): Bus {
    const line = this.lines[i]!;
    if (line instanceof SimLine) return line.busOf(life);
    return openBus(this.config.buses[i]!.url as BusAddress, {}, line.machineOf(life));
  }

  get running(): AssembledAgent | null {
    return this.machine.life?.isAlive === true ? this.#running : null;
  }

  /** A process that cannot start ends, and is started again as systemd does. */
  start(): void {
    const { trace } = this.#world;
    const life = this.machine.start();
    trace.note(`${this.machine.name} starts`);
    try {
      this.#running = this.#assemble(life);
    } catch (error) {
      if (life.isAlive && !(error instanceof KhuXanhError)) throw error;
      startAgain(this.#world, this, life, error);
      return;
    }
    this.#running.run();
    this.#running.gateway.start();
  }

  #assemble(life: Life): AssembledAgent {
    const { name } = this.machine;
    const log = traceLog(this.#world, name, life);
    const journal = openJournal({
      disk: this.disk.of(life),
      maxBytes: this.config.journal.max_bytes,
      maxAge_ms: this.config.journal.max_age_ms,
      now_ms: life.clock.now_ms,
      random: life.random,
      log,
    });
    return assembleAgent(this.config, {
      resolveModel: (id) => LIBRARY.get(id)!,
      factors: FACTORS,
      journal: watchedJournal(journal, this.#world, this, life, this.#checkers),
      clock: life.clock,
      timers: life.timers,
      random: life.random,
      connector: watchedAgentLink(this, life, this.#world.network.connectorOf(life), this.#checkers),
      openBus: (bus) => this.#busOf(Number(bus.id.slice(1)), life),
      log,
      version: "sim",
    });
  }

  /** What lies on its disk is what lay there when the backup was made. While no process runs. */
  restore(backup: DiskBackup): void {
    this.disk.restore(backup);
    this.restores += 1;
    this.damages += 1;
    this.#checkers?.acks.restored(this.machine.name);
    this.#checkers?.wire.restored(this.machine.name);
  }

  crash(how: EndOfLife): void {
    this.#world.trace.note(`${this.machine.name} crashes (${how})`);
    this.machine.life?.end(how);
  }

  /** As asked by a person: it says goodbye and ends. */
  async stop(): Promise<void> {
    const { life } = this.machine;
    const { running } = this;
    if (life === null || running === null) return;
    this.#world.trace.note(`${this.machine.name} is stopped`);
    await running.stop();
    if (!life.isAlive) return;
    running.journal.close();
    life.end("process-killed");
  }
}

export class SimCollector {
  readonly machine: Machine;
  readonly disk = new StoreDisk();
  /** How often a backup took its place. */
  restores = 0;
  readonly #world: World;
  readonly #checkers: Checkers | null;
  #store: ZoneStore;
  #running: Collector | null = null;

  constructor(world: World, checkers: Checkers | null) {
    this.#world = world;
    this.#checkers = checkers;
    this.machine = world.machine("zone-server");
    this.#store = this.disk.open(null, () => this.machine.wall_ms());
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
    try {
      this.#running = this.#assemble(life);
    } catch (error) {
      if (life.isAlive && !(error instanceof KhuXanhError)) throw error;
      startAgain(this.#world, this, life, error);
      return;
    }
    void this.#running.run();
  }

  #assemble(life: Life): Collector {
    this.#store.close();
    this.#store = watchedStore(this.disk.open(life, life.clock.now_ms), this.#world);
    return new Collector({
      hostId: HOST_ID,
      zone: ZONE,
      connect: { url: "mqtt://broker" },
      connector: watchedHostLink(this.#world.network.connectorOf(life), this.#checkers),
      store: this.#store,
      factors: FACTORS,
      clock: life.clock,
      timers: life.timers,
      random: life.random,
      log: traceLog(this.#world, "collector", life),
    });
  }

  /** What lies on its disk is what lay there when the backup was made. While no process runs. */
  restore(backup: StoreBackup): void {
    this.#world.trace.note("the collector's store is a backup");
    this.#store.close();
    this.disk.restore(backup);
    this.#store = this.disk.open(null, () => this.machine.wall_ms());
    this.restores += 1;
  }

  crash(how: EndOfLife): void {
    this.#world.trace.note(`collector crashes (${how})`);
    this.machine.life?.end(how);
  }

  async stop(): Promise<void> {
    const { life } = this.machine;
    const { running } = this;
    if (life === null || running === null) return;
    this.#world.trace.note("collector is stopped");
    await running.stop();
    life.end("process-killed");
  }

  /** Frees the memory. */
  close(): void {
    this.#store.close();
    this.disk.close();
  }
}

function startAgain({ trace, scheduler }: World, process: SimAgent | SimCollector, life: Life, error: unknown): void {
  const { machine } = process;
  trace.note(`${machine.name} cannot start: ${error}`);
  life.end("process-killed");
  scheduler.after(RESTART_MS, () => {
    if (machine.life === life) process.start();
  });
}

function idOf(line: number, id: string): string {
  return `l${line}-${id}`;
}

function wireOf({ wires }: GatewayPlan, line: number): WirePlan {
  return wires?.[line] ?? TCP;
}

function urlOf(name: string, i: number, wire: Wire): BusConfig["url"] {
  if (wire !== "rtu") return { kind: wire, host: `${name}-${i}`, port: 502, unit: null };
  return { kind: "rtu", path: `/dev/${name}-${i}`, baud: 9600, parity: "none", stop_bits: 1, unit: null };
}

function agentConfig(plan: ZonePlan, gateway: GatewayPlan): AgentConfig {
  const { name, lines } = gateway;
  return {
    zone: ZONE,
    site: `site-${name}`,
    gateway: name,
    data_dir: name,
    interval_ms: plan.interval_ms,
    time_zone: TIME_ZONE,
    buses: lines.map((meters, i) => ({
      id: `b${i}`,
      url: urlOf(name, i, wireOf(gateway, i).kind),
      timeout_ms: LINE_TIMEOUT_MS,
      meters: meters.map(({ config }) => ({ ...config, id: idOf(i, config.id) })),
    })),
    uplink: {
      url: { kind: "mqtt", host: "broker", port: 1883, url: "mqtt://broker:1883" },
      host_id: HOST_ID,
      delivery: "required",
      meter_return: "alone",
    },
    clock: { set_by: { kind: "system" }, wait_ms: 600_000 },
    journal: { max_bytes: 1024 ** 3, max_age_ms: 60 * 86_400_000 },
    listen: { host: "127.0.0.1", port: 0 },
  };
}

/** What a process says is part of what happened; a dead one says nothing. */
/** Errors of its own that an agent lives with in the field; here each ends the run. */
const DEFECTS: readonly string[] = ["meter.failed", "account.failed"];

function traceLog(world: World, who: string, life: Life): Log {
  const at = (level: string) => (event: string, fields?: Readonly<Record<string, unknown>>) => {
    if (!life.isAlive) return;
    world.trace.note(`${who} ${level} ${event} ${fields === undefined ? "" : JSON.stringify(fields, textOfBigint)}`);
    if (DEFECTS.includes(event)) throw new Error(`${who} ${event}: ${JSON.stringify(fields, textOfBigint)}`);
  };
  return { debug() {}, info: at("info"), warn: at("warn"), error: at("error") };
}

function textOfBigint(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** Own properties before the class's methods: the object stays what it is, private fields and all. */
function watchedJournal(
  journal: Journal,
  { trace }: World,
  agent: SimAgent,
  life: Life,
  checkers: Checkers | null,
): Journal {
  const { machine, epochs } = agent;
  const who = machine.name;
  const commit = journal.commit.bind(journal);
  const confirm = journal.confirm.bind(journal);
  return Object.assign(journal, {
    commit(write: Parameters<Journal["commit"]>[0]) {
      const numbers = commit(write);
      if (!epochs.includes(journal.epoch)) epochs.push(journal.epoch);
      trace.note(`${who} journal commits ${numbers.length === 0 ? "state" : `${numbers[0]}…${numbers.at(-1)}`}`);
      if (life.isAlive) checkers?.acks.numbered(who, journal.epoch, numbers);
      if (life.isAlive) checkers?.replies.recorded(agent, write.entries);
      return numbers;
    },
    confirm(ranges: Parameters<Journal["confirm"]>[0]) {
      if (life.isAlive) checkers?.acks.confirmed(who, journal.epoch, ranges);
      confirm(ranges);
    },
  });
}

function watchedStore(store: ZoneStore, { trace }: World): ZoneStore {
  const commitBatches = store.commitBatches.bind(store);
  return Object.assign(store, {
    commitBatches(batches: Parameters<ZoneStore["commitBatches"]>[0]) {
      const outcomes = commitBatches(batches);
      trace.note(`store commits ${batches.map(({ number }, i) => `${number} ${outcomes[i]}`).join(", ")}`);
      return outcomes;
    },
  });
}

function watchedAgentLink(
  { machine, disk }: SimAgent,
  life: Life,
  connector: MqttConnector,
  checkers: Checkers | null,
): MqttConnector {
  if (checkers === null) return connector;
  return {
    async connect(options) {
      // What a process does after its end in the same event reaches nobody.
      if (!life.isAlive) return connector.connect(options);
      const see = checkers.wire.connection(machine.name, options, disk.counts.refused);
      const link = await connector.connect(options);
      return {
        ...link,
        publish(topic, payload, how) {
          see(topic, payload);
          return link.publish(topic, payload, how);
        },
      };
    },
  };
}

function watchedHostLink(connector: MqttConnector, checkers: Checkers | null): MqttConnector {
  if (checkers === null) return connector;
  return {
    async connect(options) {
      const link = await connector.connect(options);
      return {
        ...link,
        publish(topic, payload, how) {
          checkers.acks.command(topic, payload);
          return link.publish(topic, payload, how);
        },
      };
    },
  };
}
