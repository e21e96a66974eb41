import { plannedMeter, unplannable } from "../../agent/plannedMeter.ts";
import { readCost } from "../../agent/poll/line.ts";
import { type CheckedFile, checkFile } from "../../config/check.ts";
import type { AgentConfig } from "../../config/files/agent.ts";
import type { SimConfig } from "../../config/files/sim.ts";
import { readBytes, readSecretFile } from "../../config/io.ts";
import { loadFills, loadInstruments } from "../../config/load.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import type { BusUrl } from "../../config/notation/busUrl.ts";
import { ConfigProblems, type ErrorCode, KhuXanhError, type Problem } from "../../core/errors.ts";
import type { MeterModel } from "../../core/model/meterModel.ts";
import { type PollGroup, planFor } from "../../drivers/modbus/planner.ts";
import { assumedDiscovery } from "../../drivers/sunspec/discover.ts";
import { type BusCycle, busLoad, type PlannedReads, type Wire } from "../../drivers/wireTime.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { readProfiles } from "../../hw-sim/profiles/load.ts";
import { buildSim, withFaults } from "../../hw-sim/sim.ts";
import { type Command, usage } from "../command.ts";
import { type FlashWrites, flashWrites } from "../flashWrites.ts";
import { calculation } from "./calc.ts";
import { table } from "./models.ts";

const command: Command = {
  summary: "validate configuration, model and factor files",
  help: `
khuxanh check FILE... [--json]

Says of each file what kind it is and lists all its problems at once; files it names (passwords, certificates) must be there
and readable. A calculation is worked out once. For an agent file it also prints the read plan: per meter and per bus the exchanges, registers, time on the wire
and load of every cycle, readings a second, and bytes a day over the uplink, and what the journal writes to disk in a day. A serial line counts at its own baud rate; behind
a TCP gateway at the meter's default. Exit code 2 if any file has a problem.`,
  options: { json: { type: "boolean" } },
  async run({ positionals, values: { json } }) {
    if (positionals.length === 0) throw usage("which file is to be checked?", "khuxanh check FILE...");
    const results = await Promise.all(positionals.map(checkOne));
    if (json === true) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
    else for (const result of results) (result.ok ? process.stdout : process.stderr).write(textOf(result));
    return results.every(({ ok }) => ok) ? 0 : 2;
  },
};

type Result =
  | {
      readonly file: string;
      readonly ok: true;
      readonly kind: CheckedFile["kind"];
      readonly plan: readonly BusPlan[] | null;
      /** Of an agent: what its journal makes the disk write. */
      readonly flash: FlashWrites | null;
    }
  | {
      readonly file: string;
      readonly ok: false;
      readonly code: ErrorCode;
      readonly problems: readonly Problem[];
      readonly hint: string;
    };

async function checkOne(file: string): Promise<Result> {
  try {
    const checked = checkFile(file);
    // What only shows when it is worked out (a unit that fits no factor, an implausible figure) is wrong all the same.
    if (checked.kind === "calc") calculation(checked.value, file, Date.now());
    if (checked.kind === "sim") await rehearse(checked.value);
    const unreadable = unreadableFiles(checked);
    if (unreadable.length > 0) throw new ConfigProblems(file, unreadable, "CONFIG_UNREADABLE");
    const wrong = startProblems(checked);
    if (wrong.length > 0) throw new ConfigProblems(file, wrong);
    const plan = checked.kind === "agent" ? planOf(checked.value) : null;
    const flash = plan === null ? null : flashWrites(plan.flatMap(({ meters }) => meters));
    return { file, ok: true, kind: checked.kind, plan, flash };
  } catch (error) {
    if (!(error instanceof KhuXanhError)) throw error;
    const { code, hint } = error;
    const problems = error instanceof ConfigProblems ? error.problems : problemsIn(error);
    return { file, ok: false, code, problems, hint };
  }
}

/** Profiles, formulas, the tree of meters and faults are put together as `khuxanh sim` does at its start; nothing is opened. */
async function rehearse(config: SimConfig): Promise<void> {
  const profiles = await readProfiles(config, readProfile);
  const models = new Map(loadModelLibrary());
  for (const { model } of config.lines.flatMap(({ meters }) => meters)) models.set(model, resolveModel(model));
  withFaults(config, buildSim(config, models, profiles), Date.now());
}

/** Those of a simulation name their places. */
function problemsIn(error: KhuXanhError): readonly Problem[] {
  const { problems } = error.context;
  return Array.isArray(problems) ? problems : [{ path: "(file)", message: plain(error) }];
}

/** The message without the code at its end, which stands beside it. */
function plain({ message, code }: KhuXanhError): string {
  return message.replace(` [${code}]`, "");
}

const REFERENCES = ["password_file", "users_file", "ca_file", "cert_file", "key_file"] as const;
/** Of these nobody else may read or change the file. */
const SECRETS: readonly string[] = ["password_file", "users_file", "key_file"];
type References = { readonly [key in (typeof REFERENCES)[number]]?: string };

/** What the file points to and agent or collector would refuse to start without. */
function unreadableFiles(checked: CheckedFile): readonly Problem[] {
  return Object.entries(clientsOf(checked)).flatMap(([section, client]: [string, References]) =>
    REFERENCES.flatMap((key) => {
      const file = client[key];
      const why = file === undefined ? null : unreadableWhy(file, SECRETS.includes(key));
      return why === null ? [] : [{ path: `${section}.${key}`, message: why }];
    }),
  );
}

/** What stops an agent or a collector when it starts: its meters, files of gaps and instruments. */
function startProblems({ kind, value }: CheckedFile): readonly Problem[] {
  if (kind === "agent") return unplannable(value, resolveModel);
  if (kind !== "collector") return [];
  const { fills_file, instruments_file, sites } = value;
  const siteIds = sites.map(({ id }) => id);
  return [
    ...(fills_file === undefined ? [] : problemsAt("fills_file", () => loadFills(fills_file))),
    ...(instruments_file === undefined
      ? []
      : problemsAt("instruments_file", () => loadInstruments(instruments_file, siteIds))),
  ];
}

function problemsAt(path: string, load: () => unknown): readonly Problem[] {
  try {
    load();
    return [];
  } catch (error) {
    if (error instanceof ConfigProblems) {
      return error.problems.map((problem) => ({ path, message: `${problem.path}: ${problem.message}` }));
    }
    if (!(error instanceof KhuXanhError)) throw error;
    return [{ path, message: plain(error) }];
  }
}

/** The sections in which this process is somebody's client. */
function clientsOf({ kind, value }: CheckedFile): Readonly<Record<string, References>> {
  if (kind === "agent") return { uplink: value.uplink };
  if (kind !== "collector") return {};
  const { broker, store } = value;
  return {
    broker,
    ...(store.kind === "influx" ? { store } : {}),
  };
}

function unreadableWhy(file: string, isSecret: boolean): string | null {
  try {
    if (isSecret) readSecretFile(file);
    else readBytes(file);
    return null;
  } catch (error) {
    if (!(error instanceof KhuXanhError)) throw error;
    return plain(error);
  }
}

interface MeterPlan {
  readonly meter: string;
  readonly every_ms: number;
  readonly blocks: number;
  readonly registers: number;
  readonly readings: number;
}

interface BusPlan {
  readonly bus: string;
  readonly meters: readonly MeterPlan[];
  /** What the bus does every period: exchanges, registers, time on the wire, time it is busy, and the share of the period. */
  readonly cycles: readonly BusCycle[];
  /** Share of the time the bus is busy with all cycles together. */
  readonly load_pct: number;
  readonly readings_per_s: number;
  readonly uplink_bytes_per_day: number;
}

/** A metric by alias is 21 bytes and 9 (reference sparkplug §20); message, topic and batch number about 90. */
const METRIC_BYTES = 30;
const MESSAGE_BYTES = 90;
/** Intervals, emissions and acks beside the readings: three quantities and three gases a quarter of an hour. */
const CONTENT_BYTES = 1200;

function planOf(config: AgentConfig): readonly BusPlan[] {
  return config.buses.map(({ id, url, meters }) => {
    const planned = meters.map((meter) => {
      const model = resolveModel(meter.model);
      const { definition } = plannedMeter(config, meter, assumedDiscovery(model));
      return { meter, model, definition, groups: planFor(definition, model.limits, readCost(url, model)) };
    });
    const reads = planned.flatMap(({ model, groups }) => groups.map((group) => plannedReads(url, model, group)));
    const { cycles, load_pct } = busLoad(reads);
    const groups = planned.flatMap(({ groups: all }) => all);
    const readings_per_s = groups.reduce((sum, group) => sum + (readingsOf(group) * 1000) / group.every_ms, 0);
    const messages_per_s = planned.reduce(
      (sum, { groups: all }) => sum + 1000 / Math.min(...all.map((g) => g.every_ms)),
      0,
    );
    const content_per_s = planned.reduce(
      (sum, { definition }) => sum + (CONTENT_BYTES * 1000) / definition.interval_ms,
      0,
    );
    return {
      bus: id,
      meters: planned.flatMap(({ meter, groups: all }) => all.map((group) => meterPlan(meter.id, group))),
      cycles: cycles.map(rounded),
      load_pct: tenths(load_pct),
      readings_per_s: Math.round(readings_per_s * 100) / 100,
      uplink_bytes_per_day: Math.round(
        86_400 * (readings_per_s * METRIC_BYTES + messages_per_s * MESSAGE_BYTES + content_per_s),
      ),
    };
  });
}

/** What most meters are shipped with; counted with where the line behind a gateway is not in the file. */
const BAUD_DEFAULT = 9600;

function plannedReads(url: BusUrl, { defaults, transport, timing }: MeterModel, group: PollGroup): PlannedReads {
  const counts = group.blocks.map(({ count }) => count);
  // A meter without a port of its own stands on a serial line behind the gateway; that line is the slow part.
  const isDirect = url.kind === "tcp" && transport.includes("tcp");
  const baud = url.kind === "rtu" ? url.baud : (defaults.baud ?? BAUD_DEFAULT);
  const wire: Wire = isDirect ? { kind: "tcp" } : { kind: "serial", baud };
  // Pauses are for lines we drive ourselves; a TCP gateway paces its own.
  return { every_ms: group.every_ms, counts, wire, min_gap_ms: url.kind === "tcp" ? 0 : timing.min_gap_ms };
}

function rounded(cycle: BusCycle): BusCycle {
  const { wire_ms, busy_ms, load_pct } = cycle;
  return { ...cycle, wire_ms: tenths(wire_ms), busy_ms: tenths(busy_ms), load_pct: tenths(load_pct) };
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function meterPlan(meter: string, group: PollGroup): MeterPlan {
  return {
    meter,
    every_ms: group.every_ms,
    blocks: group.blocks.length,
    registers: group.blocks.reduce((sum, { count }) => sum + count, 0),
    readings: readingsOf(group),
  };
}

function readingsOf({ blocks }: PollGroup): number {
  return blocks.reduce(
    (sum, { registers }) => sum + registers.filter(({ quantity }) => quantity !== undefined).length,
    0,
  );
}

function textOf(result: Result): string {
  if (!result.ok) return problemText(result);
  const head = `${result.file}: ${result.kind}, no problems\n`;
  if (result.plan === null || result.flash === null) return head;
  return `${head}${result.plan.map(planText).join("")}${flashText(result.flash)}`;
}

function problemText({ file, code, problems, hint }: Extract<Result, { ok: false }>): string {
  return `${new ConfigProblems(file, problems, code).message}\n  ${hint}\n`;
}

function flashText({ commits_per_day, bytes_per_day }: FlashWrites): string {
  return `  journal: about ${(bytes_per_day / 1e9).toPrecision(2)} GB written to disk a day, in ${commits_per_day} commits\n`;
}

function planText(plan: BusPlan): string {
  const { bus, meters, cycles, load_pct, readings_per_s, uplink_bytes_per_day } = plan;
  const rows = meters.map(({ meter, every_ms, blocks, registers, readings }) => [
    `  ${meter}`,
    every(every_ms),
    plural(blocks, "exchange"),
    `${registers} registers`,
    `${readings} readings`,
  ]);
  const cycleRows = cycles.map(({ every_ms, exchanges, registers, wire_ms, busy_ms, load_pct: load }) => [
    `  bus ${bus}`,
    every(every_ms),
    plural(exchanges, "exchange"),
    `${registers} registers`,
    `${wire_ms} ms on the wire`,
    `busy ${busy_ms} ms`,
    `load ${load} %`,
  ]);
  const total = `  bus ${bus}: load about ${load_pct} %, ${readings_per_s} readings/s, about ${(uplink_bytes_per_day / 1e6).toFixed(1)} MB a day over the uplink\n`;
  const overload = `  OVERLOAD: bus ${bus} needs ${tenths(load_pct * 10)} ms of every 1000 ms; poll less often or split the bus\n`;
  return `${table(rows)}${table(cycleRows)}${total}${load_pct > 100 ? overload : ""}`;
}

const HOUR_MS = 3_600_000;

function every(period_ms: number): string {
  return period_ms % HOUR_MS === 0 ? `every ${period_ms / HOUR_MS} h` : `every ${period_ms / 1000} s`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

export default command;
