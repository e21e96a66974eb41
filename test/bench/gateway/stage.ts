import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ModbusTap } from "../../e2e/kill/modbusTap.ts";
import { type Mosquitto, startMosquitto } from "../../e2e/mosquitto.ts";
import { freePort } from "../../e2e/processes.ts";

/** The ordinary gateway and everything around it, each in a process of its own. */
export const METERS = 50;
export const LINES = 5;
export const VALUES = 20;
export const ZONE = "kcn-bench";
export const EDGE = "gw-01";
const HOST = "zone-collector";

const root = fileURLToPath(new URL("../../../", import.meta.url));

export interface Stage {
  readonly dir: string;
  readonly mosquitto: Mosquitto;
  /** One a line. */
  readonly taps: readonly ModbusTap[];
  readonly storeFile: string;
  /** `khuxanh agent` as it is installed: built, no loader. */
  startAgent(): Khuxanh;
  /** The agent's own word, or null while it is not there. */
  health(): Promise<Health | null>;
  readonly collector: Khuxanh;
  /** What all of them said last. */
  said(): string;
  close(): Promise<void>;
}

export interface Health {
  readonly journal: { readonly epoch: string; readonly nextNumber: number; readonly unconfirmed: number };
  readonly uplink: { readonly state: string };
  readonly meters: readonly { readonly answering: boolean }[];
}

export interface Khuxanh {
  readonly pid: number;
  readonly started_ms: number;
  said(): string;
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-bench-"));
  const undo: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const bin = build(dir);
    const { flags, env } = unitOfAgent(dir);
    const all: { readonly name: string; readonly process: Khuxanh }[] = [];
    const run = (...args: string[]): Khuxanh => {
      const started = runNode([bin, ...args]);
      all.push({ name: args[0]!, process: started });
      undo.push(() => started.end("SIGKILL"));
      return started;
    };
    const mosquitto = await startMosquitto();
    undo.push(() => mosquitto.close());
    const modbus = await Promise.all(Array.from({ length: LINES }, freePort));
    const [local, page] = await Promise.all([freePort(), freePort()]);
    writeFileSync(join(dir, "meter.yaml"), meterModel());
    writeFileSync(join(dir, "sim.yaml"), simYaml(modbus));
    run("sim", "--config", join(dir, "sim.yaml"));
    const taps = await Promise.all(modbus.map((port) => ModbusTap.open(port)));
    for (const tap of taps) undo.push(() => tap.close());
    writeFileSync(join(dir, "collector.yaml"), collectorYaml(mosquitto.port, page));
    writeFileSync(
      join(dir, "agent.yaml"),
      agentYaml({ ports: taps.map(({ port }) => port), broker: mosquitto.port, local }),
    );
    const collector = run("collector", "--config", join(dir, "collector.yaml"));
    return {
      dir,
      mosquitto,
      taps,
      collector,
      storeFile: join(dir, "zone", "zone.sqlite"),
      startAgent: () => {
        const started = runNode([...flags, bin, "agent", "--config", join(dir, "agent.yaml")], env);
        all.push({ name: "agent", process: started });
        undo.push(() => started.end("SIGKILL"));
        return started;
      },
      async health() {
        try {
          const response = await fetch(`http://127.0.0.1:${local}/health`, { signal: AbortSignal.timeout(2000) });
          return (await response.json()) as Health;
        } catch {
          return null;
        }
      },
      said: () => all.map(({ name, process }) => `${name}: ${process.said().slice(-1500)}`).join("\n"),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @returns the command of a build of its own, so that no old one is measured and nobody's is replaced. */
function build(dir: string): string {
  symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
  const { status, stdout, stderr } = spawnSync(process.execPath, ["build.ts", "code", join(dir, "dist")], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`);
  return join(dir, "dist/cli/bin.js");
}

/** Node's flags and the environment that the agent's systemd unit gives it: it is measured as it is installed. */
function unitOfAgent(dir: string): {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  const text = readFileSync(join(root, "packaging/systemd/khuxanh-agent.service"), "utf8");
  const command = /^ExecStart=\S+ (.*)$/m.exec(text)?.[1] ?? "";
  const variables = /^Environment=(.*)$/m.exec(text)?.[1] ?? "";
  const pairs = variables
    .replace("%C", dir)
    .split(" ")
    .map((pair) => pair.split("=", 2) as [string, string]);
  return {
    flags: command.split(" ").filter((part) => part.startsWith("--") && part !== "--config"),
    env: Object.fromEntries(pairs.filter(([name]) => name !== "TMPDIR")),
  };
}

export function runNode(args: readonly string[], env: Readonly<Record<string, string>> = {}): Khuxanh {
  const started_ms = Date.now();
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  let said = "";
  child.stderr!.on("data", (chunk) => {
    said = (said + chunk).slice(-100_000);
  });
  return {
    pid: child.pid!,
    started_ms,
    said: () => said,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
  };
}

/** Twenty values of an SDM630: voltages, currents, powers, power factors, frequency and the energy counter. */
const QUANTITIES = [
  ...["voltage", "current", "active_power", "apparent_power", "reactive_power", "power_factor"].flatMap((name) =>
    [1, 2, 3].map((phase) => `${name}_l${phase}`),
  ),
  "frequency",
  "active_energy_import_total",
];

function meterModel(): string {
  const text = readFileSync(join(root, "drivers/models/eastron/sdm630.yaml"), "utf8");
  const lines = text.split("\n").filter((line) => {
    const register = /^ {2}- \{name: (\w+), fc:/.exec(line);
    return register === null || QUANTITIES.includes(register[1]!);
  });
  const kept = lines.filter((line) => /^ {2}- \{name: \w+, fc:/.test(line)).length;
  if (kept !== VALUES) throw new Error(`the meter has ${kept} values instead of ${VALUES}`);
  const withoutGolden = lines.join("\n").replace(/^golden:\n(?: .*\n)*/m, "");
  return withoutGolden.replace("id: eastron-sdm630", "id: bench-sdm630");
}

export const meterName = (n: number) => `m${String(n).padStart(2, "0")}`;
/** Which tap hears a meter, and its unit there. */
export const placeOf = (n: number) => ({ line: (n - 1) % LINES, unit: Math.ceil(n / LINES) });
export const numbers = Array.from({ length: METERS }, (_, i) => i + 1);
const onLine = (line: number) => numbers.filter((n) => placeOf(n).line === line);

function simYaml(ports: readonly number[]): string {
  const lines = ports.map((port, line) => {
    const meters = onLine(line).map(
      (n) =>
        `      - {unit: ${placeOf(n).unit}, model: ./meter.yaml, name: ${meterName(n)}, load: {shape: continuous, peak_W: ${n * 2000}}}`,
    );
    return `  - listen: tcp://127.0.0.1:${port}\n    meters:\n${meters.join("\n")}`;
  });
  return `seed: 5\nlines:\n${lines.join("\n")}\n`;
}

function agentYaml(places: {
  readonly ports: readonly number[];
  readonly broker: number;
  readonly local: number;
}): string {
  const buses = places.ports.map((port, line) => {
    const meters = onLine(line).map(
      (n) =>
        `      - {id: ${meterName(n)}, unit: ${placeOf(n).unit}, model: ./meter.yaml, carrier: electricity, role: use, every: 1s}`,
    );
    return `  - id: line-${line}\n    url: tcp://127.0.0.1:${port}\n    timeout: 500ms\n    meters:\n${meters.join("\n")}`;
  });
  return `
zone: ${ZONE}
site: steel
gateway: ${EDGE}
data_dir: ./gw-01
interval: 1min
buses:
${buses.join("\n")}
uplink: {url: "mqtt://127.0.0.1:${places.broker}", host_id: ${HOST}, delivery: required}
listen: 127.0.0.1:${places.local}
`;
}

function collectorYaml(broker: number, page: number): string {
  return `
zone: {id: ${ZONE}, name: {vi: Thử, en: Bench}, time_zone: Asia/Ho_Chi_Minh}
host_id: ${HOST}
data_dir: ./zone
sites: [{id: steel, name: {vi: Thép, en: Steel}, sector: steel, gateways: [${EDGE}]}]
broker: {url: "mqtt://127.0.0.1:${broker}"}
listen: 127.0.0.1:${page}
`;
}
