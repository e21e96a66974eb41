import { KhuXanhError } from "../core/errors.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import type { Clock } from "../core/ports.ts";
import { listenTcp, type TcpLine, type TcpLineOptions } from "./bus/tcpServer.ts";
import { seedOf } from "./course/noise.ts";
import { localMidnight, originOf } from "./course/origin.ts";
import { type SimMeter, simMeter } from "./meters/simMeter.ts";
import { loadBuilder, type Profiles, profilesOf } from "./profiles/load.ts";
import { placedMeters, treeLoads } from "./profiles/tree.ts";
import type { SimConfig, SimLine, SimMeterSpec } from "./simConfig.ts";
import { type TruthLine, truthLines } from "./truthFile.ts";

const METERS_MAX = 1000;
const UNIT_MAX = 255;

/** The meters of a simulation, line by line, without any socket: a pure function of configuration, models and profiles. */
export interface BuiltLine {
  readonly listen: SimLine["listen"];
  readonly meters: readonly SimMeter[];
}

/**
 * @throws {KhuXanhError} CONFIG_INVALID (unit twice, too many meters, loads), MODEL_UNKNOWN, COUNTER_RESOLUTION_UNKNOWN; the
 * message begins with the place in the file.
 */
export function buildSim(
  config: SimConfig,
  models: ReadonlyMap<string, MeterModel>,
  profiles: Profiles,
): readonly BuiltLine[] {
  const count = config.lines.reduce((sum, line) => sum + line.meters.length, 0);
  if (count > METERS_MAX) throw invalid("lines", `${count} meters, at most ${METERS_MAX}`);
  const origin_ms = originOf(config.time_zone);
  config.lines.forEach(({ meters }, line) => {
    const units = new Set<number>();
    meters.forEach((spec, at) => {
      assertUnit(spec, units, `lines.${line}.meters.${at}`);
    });
  });
  const placed = placedMeters(config, (spec, place) => modelOf(spec, models, place).measures.includes("pv"));
  const loads = treeLoads(placed, loadBuilder(config, profiles));
  const meters = placed.map(({ spec, place, identity }, at) => {
    const since_ms = spec.since === undefined ? origin_ms : localMidnight(spec.since, config.time_zone);
    const seed = seedOf(config.seed, identity);
    return simMeter(spec, modelOf(spec, models, place), loads[at]!, { seed, origin_ms, since_ms });
  });
  let next = 0;
  return config.lines.map((line) => ({
    listen: line.listen,
    meters: meters.slice(next, (next += line.meters.length)),
  }));
}

export interface RunningSim {
  /** Where each line listens, in the order of the configuration. */
  readonly lines: readonly { readonly host: string; readonly port: number; readonly meters: readonly SimMeter[] }[];
  readonly meters: readonly SimMeter[];
  truthAt(at_ms: number): readonly TruthLine[];
  close(): Promise<void>;
}

export interface SimDependencies {
  readonly models: ReadonlyMap<string, MeterModel>;
  /** Domain time: what the meters' counters follow. */
  readonly clock: Clock;
  readonly readProfile: (name: string) => Promise<string>;
  readonly onRequest?: TcpLineOptions["onRequest"];
}

/**
 * Builds the meters and opens their lines; none stays open if one fails.
 * @throws {KhuXanhError} as `buildSim`; PORT_TAKEN; LISTEN_NOT_LOOPBACK; CONFIG_INVALID for serial lines, which are not
 * simulated yet.
 */
export async function startSim(
  config: SimConfig,
  { models, clock, readProfile, onRequest }: SimDependencies,
): Promise<RunningSim> {
  const addresses = config.lines.map(({ listen }, lineNumber) => tcpAddress(listen, lineNumber));
  const profiles = new Map<string, string>();
  for (const name of profilesOf(config)) profiles.set(name, await readProfile(name));
  const built = buildSim(config, models, profiles);

  const open: TcpLine[] = [];
  const closeAll = async () => {
    await Promise.all(open.map((line) => line.close()));
  };
  try {
    for (const [lineNumber, { meters }] of built.entries()) {
      const byUnit = new Map(meters.map((meter) => [meter.unit, meter]));
      const options = { ...addresses[lineNumber]!, meters: byUnit, clock };
      open.push(await listenTcp(onRequest === undefined ? options : { ...options, onRequest }));
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
  return {
    lines: open.map(({ host, port }, lineNumber) => ({ host, port, meters: built[lineNumber]!.meters })),
    meters: built.flatMap(({ meters }) => meters),
    truthAt: (at_ms) => truthLines(built, at_ms),
    close: closeAll,
  };
}

function tcpAddress(listen: SimLine["listen"], lineNumber: number): { readonly host: string; readonly port: number } {
  if (listen.kind === "tcp") return { host: listen.host, port: listen.port };
  throw new KhuXanhError("CONFIG_INVALID", `lines.${lineNumber}.listen: ${listen.kind} lines are not simulated yet`, {
    hint: "Use tcp://host:port; a serial meter behind a gateway is reached the same way.",
    context: { line: lineNumber },
  });
}

function assertUnit(spec: SimMeterSpec, units: Set<number>, place: string): void {
  if (!Number.isInteger(spec.unit) || spec.unit < 1 || spec.unit > UNIT_MAX) {
    throw invalid(place, `unit ${spec.unit} is not within 1 … ${UNIT_MAX}`);
  }
  if (units.has(spec.unit)) throw invalid(place, `unit ${spec.unit} is on this line twice`);
  units.add(spec.unit);
}

function modelOf(spec: SimMeterSpec, models: ReadonlyMap<string, MeterModel>, place: string): MeterModel {
  const model = models.get(spec.model);
  if (model !== undefined) return model;
  throw new KhuXanhError("MODEL_UNKNOWN", `${place}: there is no model "${spec.model}"`, {
    hint: "`khuxanh models` lists the models.",
    context: { place, model: spec.model },
  });
}

function invalid(place: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: ${message}`, {
    hint: "Correct the simulation file.",
    context: { place },
  });
}
