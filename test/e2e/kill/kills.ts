import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSimConfig } from "../../../config/load.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import { buildSim } from "../../../hw-sim/sim.ts";
import { type Mosquitto, startMosquitto } from "../mosquitto.ts";
import { freePort } from "../processes.ts";
import { type BooksReport, checkBooks } from "./books.ts";
import { ModbusTap } from "./modbusTap.ts";
import { LinkProxy } from "./proxy.ts";
import { type SmallDisk, smallDisk } from "./smallDisk.ts";
import { Supervised } from "./supervised.ts";

/**
 * Real processes under load - simulator, agent, collector, Mosquitto - and everything that may befall them: SIGKILL at any
 * moment, the broker gone, the link cut, half-open or slow, the disk of either full. Then the faults end, everything must arrive, and the
 * books must be the meters'.
 */
export interface KillOptions {
  /** SIGKILLs of agent and collector together. */
  readonly kills: number;
  /** What happens when follows from it; the moments themselves are real time. */
  readonly seed: number;
  /** Longest time between two events; default 2.5 s. */
  readonly calm_ms?: number;
  readonly say: (line: string) => void;
}

export interface KillReport extends BooksReport {
  readonly seed: number;
  readonly seconds: number;
  readonly events: Readonly<Record<string, number>>;
  /** Ends that nobody asked for, by process; each was started again half a second later. */
  readonly unaskedEnds: Readonly<Record<string, readonly string[]>>;
}

const INTERVAL_S = 3;
const METERS = 12;
const ZONE = "kcn-test";
const HOST = "zone-collector";
const DISK_MiB = 48;
/** The store of a long run; the journal's bound is a quarter of its disk, the store has none. */
const ZONE_DISK_MiB = 256;
/** Counters are polled every half second; what one tick brought and the next had under way may die with the agent. */
const TICK_POLLS = 3;
/** While the disk is full samples wait in memory, and one who is killed then loses them; a disk is full for some seconds. */
const FULL_DISK_TICKS = 10;
/** Everything must have arrived by then. */
const SETTLE_MS = 120_000;
const SAY_EVERY = 25;

/** What may happen, and how often of a hundred. */
const FATES: readonly (readonly [Fate, number])[] = [
  ["kill agent", 40],
  ["kill collector", 24],
  ["kill both", 4],
  ["stop broker", 4],
  ["kill broker", 4],
  ["cut link", 6],
  ["half-open link", 4],
  ["slow link", 4],
  ["fill disk", 4],
  ["fill zone disk", 4],
  ["nothing", 2],
];
type Fate =
  | "kill agent"
  | "kill collector"
  | "kill both"
  | "stop broker"
  | "kill broker"
  | "cut link"
  | "half-open link"
  | "slow link"
  | "fill disk"
  | "fill zone disk"
  | "nothing";

interface Stage {
  readonly dir: string;
  readonly mosquitto: Mosquitto;
  readonly links: readonly LinkProxy[];
  /** Of the agent and of the collector; null where we may not mount any. */
  readonly disk: SmallDisk | null;
  readonly zoneDisk: SmallDisk | null;
  readonly tap: ModbusTap;
  readonly sim: Supervised;
  readonly agent: Supervised;
  readonly collector: Supervised;
  readonly health: () => Promise<Health | null>;
  close(): Promise<void>;
}

interface Health {
  readonly journal: { readonly epoch: string; readonly nextNumber: number; readonly unconfirmed: number };
  readonly uplink: { readonly state: string };
  readonly meters: readonly { readonly answering: boolean }[];
}

/** @throws {Error} if it cannot even start, or if what was journaled has not arrived long after the faults ended. */
export async function runKills({ kills, seed, say, calm_ms = 2500 }: KillOptions): Promise<KillReport> {
  const start_ms = performance.now();
  const stage = await openStage(say);
  const events: Record<string, number> = {};
  try {
    await until("the meters answer and the agent is born", async () => isBorn(await stage.health()), SETTLE_MS);
    let done = 0;
    const random = randomOf(seed);
    while (done < kills) {
      const fate = fateOf(random(), stage.disk !== null && stage.zoneDisk !== null);
      events[fate] = (events[fate] ?? 0) + 1;
      const before = done;
      done += await befall(stage, fate, random);
      await wait(100 + random() ** 2 * calm_ms);
      if (Math.floor(done / SAY_EVERY) > Math.floor(before / SAY_EVERY)) say(`${done} kills, ${seconds(start_ms)} s`);
    }
    const journal = await settle(stage, start_ms);
    await stage.sim.kill();
    await stage.agent.stop();
    await stage.collector.stop();
    const { agent, collector, sim } = stage;
    const config = loadSimConfig(join(stage.dir, "sim.yaml"));
    const books = checkBooks({
      storeFile: join(stage.zoneDisk?.path ?? stage.dir, "zone", "zone.sqlite"),
      gateway: { group: ZONE, edge: "gw-01" },
      journal: journal.journal,
      lines: buildSim(config, loadModelLibrary(), new Map()),
      answered: (unit) => stage.tap.polls(unit),
      lostMax: TICK_POLLS * (agent.deaths + FULL_DISK_TICKS * (events["fill disk"] ?? 0)),
      interval_ms: INTERVAL_S * 1000,
    });
    return {
      seed,
      seconds: seconds(start_ms),
      events,
      unaskedEnds: { agent: agent.unasked, collector: collector.unasked, sim: sim.unasked },
      ...books,
    };
  } catch (error) {
    for (const { name, said } of [stage.agent, stage.collector]) say(`${name} said last:\n${said.slice(-4000)}`);
    throw error;
  } finally {
    await stage.close();
  }
}

/** @returns how many SIGKILLs it was. */
async function befall(stage: Stage, fate: Fate, random: () => number): Promise<number> {
  const { agent, collector, mosquitto, links, disk, zoneDisk } = stage;
  const away = () => wait(random() * 800);
  const link = links[random() < 0.6 ? 0 : 1]!;
  switch (fate) {
    case "kill agent":
      await agent.kill();
      await away();
      agent.start();
      return 1;
    case "kill collector":
      await collector.kill();
      await away();
      collector.start();
      return 1;
    case "kill both":
      await Promise.all([agent.kill(), collector.kill()]);
      await away();
      agent.start();
      collector.start();
      return 2;
    case "stop broker":
    case "kill broker":
      await mosquitto.stop(fate === "kill broker" ? "SIGKILL" : "SIGTERM");
      await wait(random() * 3000);
      await mosquitto.start();
      return 0;
    case "cut link":
    case "half-open link":
    case "slow link":
      link.set(fate === "cut link" ? "cut" : fate === "slow link" ? "slow" : "half-open");
      await wait(500 + random() * 3000);
      if (random() < 0.5) {
        // A death on a broken link.
        await agent.kill();
        agent.start();
        await wait(random() * 1500);
        link.set("through");
        return 1;
      }
      link.set("through");
      return 0;
    case "fill disk":
      return await fillDisk(disk, agent, random);
    case "fill zone disk":
      return await fillDisk(zoneDisk, collector, random);
    case "nothing":
      await wait(random() * 4000);
      return 0;
  }
}

/** For some seconds; in half of all cases its process dies meanwhile and starts on a disk that takes nothing. */
async function fillDisk(disk: SmallDisk | null, process: Supervised, random: () => number): Promise<number> {
  disk?.fill();
  await wait(500 + random() * 2500);
  const isKilled = random() < 0.5;
  if (isKilled) {
    await process.kill();
    process.start();
    await wait(random() * 2000);
  }
  disk?.free();
  return isKilled ? 1 : 0;
}

/** Faults off; intervals close, everything is confirmed. Then the meters fall silent, so that nothing new comes. */
async function settle(stage: Stage, start_ms: number): Promise<Health> {
  for (const link of stage.links) link.set("through");
  stage.disk?.free();
  stage.zoneDisk?.free();
  await stage.mosquitto.start();
  stage.agent.start();
  stage.collector.start();
  await until("the agent is born again", async () => isBorn(await stage.health()), SETTLE_MS);
  await wait(2.5 * INTERVAL_S * 1000);
  await stage.sim.kill();
  let last: Health | null = null;
  await until(
    `all is confirmed (${seconds(start_ms)} s after the start)`,
    async () => {
      last = await stage.health();
      return last?.journal.unconfirmed === 0;
    },
    SETTLE_MS,
  );
  return last!;
}

const isBorn = (health: Health | null) =>
  health?.uplink.state === "born" &&
  health.meters.length === METERS &&
  health.meters.every(({ answering }) => answering);

async function openStage(say: (line: string) => void): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-kill-"));
  const undo: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const disk = smallDisk(join(dir, "disk"), DISK_MiB);
    const zoneDisk = smallDisk(join(dir, "zone-disk"), ZONE_DISK_MiB);
    if (disk === null || zoneDisk === null) say("skipped: the full disks need root (a tmpfs of their own)");
    undo.push(() => disk?.unmount());
    undo.push(() => zoneDisk?.unmount());
    const mosquitto = await startMosquitto();
    undo.push(() => mosquitto.close());
    const links = [await LinkProxy.open(mosquitto.port), await LinkProxy.open(mosquitto.port)];
    for (const link of links) undo.push(() => link.close());
    const [modbus, local, page] = await Promise.all([freePort(), freePort(), freePort()]);
    const journalDir = join(disk?.path ?? dir, "gw-01");
    mkdirSync(journalDir, { recursive: true, mode: 0o700 });
    const write = (name: string, text: string): string => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const simFile = write("sim.yaml", simYaml(modbus));
    const tap = await ModbusTap.open(modbus);
    undo.push(() => tap.close());
    const agentFile = write("agent.yaml", agentYaml({ modbus: tap.port, broker: links[0]!.port, local, journalDir }));
    const collectorFile = write(
      "collector.yaml",
      collectorYaml(links[1]!.port, page, join(zoneDisk?.path ?? dir, "zone")),
    );
    const sim = new Supervised("sim", ["sim", "--config", simFile]);
    const agent = new Supervised("agent", ["agent", "--config", agentFile]);
    const collector = new Supervised("collector", ["collector", "--config", collectorFile]);
    for (const process of [sim, agent, collector]) {
      undo.push(() => process.kill());
      process.start();
    }
    const health = async (): Promise<Health | null> => {
      try {
        const response = await fetch(`http://127.0.0.1:${local}/health`, { signal: AbortSignal.timeout(2000) });
        return (await response.json()) as Health;
      } catch {
        return null;
      }
    };
    return { dir, mosquitto, links, disk, zoneDisk, tap, sim, agent, collector, health, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const meterName = (n: number) => `m${String(n).padStart(2, "0")}`;
const modelOf = (n: number) => (n % 2 === 0 ? "schneider-pm5000" : "schneider-iem3155-iem3255");
const numbers = Array.from({ length: METERS }, (_, i) => i + 1);

function simYaml(port: number): string {
  const meters = numbers.map(
    (n) =>
      `      - {unit: ${n}, model: ${modelOf(n)}, name: ${meterName(n)}, load: {shape: continuous, peak_W: ${n * 5000}}}`,
  );
  return `seed: 11\nlines:\n  - listen: tcp://127.0.0.1:${port}\n    meters:\n${meters.join("\n")}\n`;
}

interface Places {
  readonly modbus: number;
  readonly broker: number;
  readonly local: number;
  readonly journalDir: string;
}

function agentYaml({ modbus, broker, local, journalDir }: Places): string {
  const meters = numbers.map(
    (n) =>
      `      - {id: ${meterName(n)}, unit: ${n}, model: ${modelOf(n)}, carrier: electricity, role: use, every: {power: 1s, energy: 500ms}}`,
  );
  return `
zone: ${ZONE}
site: steel
gateway: gw-01
data_dir: ${journalDir}
interval: ${INTERVAL_S}s
buses:
  - id: main
    url: tcp://127.0.0.1:${modbus}
    timeout: 500ms
    meters:
${meters.join("\n")}
uplink: {url: "mqtt://127.0.0.1:${broker}", host_id: ${HOST}, delivery: required}
listen: 127.0.0.1:${local}
`;
}

function collectorYaml(broker: number, page: number, dataDir: string): string {
  return `
zone: {id: ${ZONE}, name: {vi: Thử, en: Test}, time_zone: Asia/Ho_Chi_Minh}
host_id: ${HOST}
data_dir: ${dataDir}
sites: [{id: steel, name: {vi: Thép, en: Steel}, sector: steel, gateways: [gw-01]}]
broker: {url: "mqtt://127.0.0.1:${broker}"}
listen: 127.0.0.1:${page}
`;
}

function fateOf(at: number, hasDisk: boolean): Fate {
  const sum = FATES.reduce((total, [, weight]) => total + weight, 0);
  let left = at * sum;
  for (const [fate, weight] of FATES) {
    left -= weight;
    if (left < 0) return fate.startsWith("fill") && !hasDisk ? "kill agent" : fate;
  }
  return "nothing";
}

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const wait = (length_ms: number) => new Promise<void>((resolve) => setTimeout(resolve, length_ms));
const seconds = (since_ms: number) => Math.round((performance.now() - since_ms) / 1000);

async function until(what: string, isTrue: () => Promise<boolean>, limit_ms: number): Promise<void> {
  const start_ms = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - start_ms > limit_ms) throw new Error(`gave up waiting until ${what}`);
    await wait(100);
  }
}
