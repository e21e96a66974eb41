import { KhuXanhError } from "../core/errors.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import type { Clock, Timers } from "../core/ports.ts";
import type { Readable } from "./bus/answer.ts";
import { seedOf } from "./course/noise.ts";
import { localMidnight, originOf } from "./course/origin.ts";
import type { FaultSpec } from "./faults/catalogue.ts";
import { type FaultBook, faultBook } from "./faults/faultBook.ts";
import { type FaultLine, type FaultRunner, runFaults } from "./faults/faultRunner.ts";
import { type FaultyMeter, faultyMeter } from "./faults/meterFaults.ts";
import { whyNothing } from "./faults/possible.ts";
import type { Fault } from "./faults/schedule.ts";
import { type OpenLine, openLine } from "./lines/openLine.ts";
import { generates, type SimMeter, simMeter } from "./meters/simMeter.ts";
import { gathering } from "./problems.ts";
import { loadBuilder, type Profiles, readProfiles } from "./profiles/load.ts";
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
 * @throws {KhuXanhError} CONFIG_INVALID (unit twice, too many meters, loads), MODEL_UNKNOWN, COUNTER_RESOLUTION_UNKNOWN,
 * CONFIG_UNREADABLE (a profile): all that is wrong at once, with its places in the file as `context.problems`.
 */
export function buildSim(
  config: SimConfig,
  models: ReadonlyMap<string, MeterModel>,
  profiles: Profiles,
): readonly BuiltLine[] {
  const count = config.lines.reduce((sum, line) => sum + line.meters.length, 0);
  if (count > METERS_MAX) throw invalid("lines", `${count} meters, at most ${METERS_MAX}`);
  const found = gathering();
  const origin_ms = found.attempt("time_zone", () => originOf(config.time_zone));
  config.lines.forEach(({ meters }, line) => {
    const units = new Set<number>();
    meters.forEach((spec, at) => {
      const place = `lines.${line}.meters.${at}`;
      found.attempt(place, () => assertUnit(spec, units, place));
    });
  });
  const loadOf = origin_ms === null ? null : found.attempt("holidays", () => loadBuilder(config, profiles));
  const placed = placedMeters(config, ({ model }) => models.has(model) && generates(models.get(model)!));
  const loads = loadOf === null ? [] : treeLoads(placed, loadOf, found);
  for (const name of Object.keys(config.loads ?? {})) {
    found.attempt(`loads.${name}`, () => loadOf?.({ ref: name }, `loads.${name}`));
  }
  const meters = placed.flatMap(({ spec, place, identity }, at) => {
    const model = found.attempt(place, () => modelOf(spec, models, place));
    const load = loads[at] ?? null;
    if (origin_ms === null || model === null || load === null) return [];
    const meter = found.attempt(place, () => {
      const since_ms = spec.since === undefined ? origin_ms : localMidnight(spec.since, config.time_zone);
      return simMeter(spec, model, load, { seed: seedOf(config.seed, identity), origin_ms, since_ms });
    });
    return meter ?? [];
  });
  found.assertSound();
  let next = 0;
  return config.lines.map((line) => ({
    listen: line.listen,
    meters: meters.slice(next, (next += line.meters.length)),
  }));
}

export interface RunningSim {
  /** Where each line can be reached, in the order of the configuration. */
  readonly lines: readonly (Pick<OpenLine, "url" | "host" | "port"> & { readonly meters: readonly SimMeter[] })[];
  readonly meters: readonly SimMeter[];
  readonly faults: SimFaults;
  truthAt(at_ms: number): readonly TruthLine[];
  close(): Promise<void>;
}

/** The faults of a running simulation. */
export interface SimFaults {
  all(): readonly Fault[];
  /** @throws {KhuXanhError} CONFIG_INVALID for what cannot be. */
  add(spec: FaultSpec): Fault;
  /** @throws {KhuXanhError} NOT_FOUND; BAD_REQUEST for what has happened and cannot be undone. */
  remove(id: string): Fault;
  /** When the ports are as the faults commanded so far want them. */
  settled(): Promise<void>;
}

export interface SimDependencies {
  readonly models: ReadonlyMap<string, MeterModel>;
  /** Domain time: what the meters' counters follow. */
  readonly clock: Clock;
  /** Needed by serial lines and faults. */
  readonly timers?: Timers;
  readonly readProfile: (name: string) => Promise<string>;
  /** Told of every fault that begins or ends. */
  readonly onFault?: (line: FaultLine) => void;
  /** Once a meter: what it measures is more than a register of it can show, so the read was answered with exception 4. */
  readonly onUnfit?: (line: number, unit: number, what: string) => void;
  /** A port that could not be opened again after a fault, so far. */
  readonly onTrouble?: (error: unknown) => void;
}

/**
 * Builds the meters and opens their lines; none stays open if one fails.
 * @throws {KhuXanhError} as `buildSim`; PORT_TAKEN; LISTEN_NOT_LOOPBACK; BUS_UNREACHABLE (a serial port that cannot be
 * opened); CONFIG_INVALID (a fault that cannot be). {RangeError} for serial lines or faults without timers.
 */
export async function startSim(config: SimConfig, dependencies: SimDependencies): Promise<RunningSim> {
  const { models, clock, timers = null, readProfile } = dependencies;
  const profiles = await readProfiles(config, readProfile);
  const built = buildSim(config, models, profiles);
  for (const { meters } of built) for (const meter of meters) lookOnce(meter, clock.now_ms());
  const { book, meters } = withFaults(config, built, clock.now_ms());
  if (timers === null && book.all().length > 0) throw new RangeError("faults need timers");

  const open: OpenLine[] = [];
  const closeLines = async () => {
    await Promise.all(open.map((line) => line.close()));
  };
  try {
    for (const [line, { listen }] of built.entries()) {
      const readable = told(meters[line]!, (unit, what) => dependencies.onUnfit?.(line, unit, what));
      open.push(await openLine(listen, { meters: readable, clock, timers, faults: book, line }));
    }
  } catch (error) {
    await closeLines();
    throw error;
  }
  const runner =
    timers === null
      ? null
      : runFaults({
          ...{ book, clock, timers, meters },
          onChange: dependencies.onFault ?? (() => {}),
          onTrouble: dependencies.onTrouble ?? (() => {}),
          follow: async () => {
            for (const line of open) await line.follow();
          },
        });
  return {
    lines: open.map(({ url, host, port }, line) => ({ url, host, port, meters: built[line]!.meters })),
    meters: built.flatMap((line) => line.meters),
    faults: {
      all: () => book.all(),
      add: (spec) => commanded(runner).add(spec),
      remove: (id) => commanded(runner).remove(id),
      settled: async () => runner?.settled(),
    },
    truthAt: (at_ms) => truthLines(built, at_ms, (line, unit) => meters[line]!.get(unit)!.shown(at_ms)),
    async close() {
      runner?.close();
      await closeLines();
    },
  };
}

export interface FaultySim {
  readonly book: FaultBook;
  /** By line, then unit. */
  readonly meters: readonly ReadonlyMap<number, FaultyMeter>[];
}

/**
 * Built lines with the faults of their configuration.
 * @throws {KhuXanhError} CONFIG_INVALID (a fault that cannot be).
 */
export function withFaults(
  config: SimConfig,
  built: readonly BuiltLine[],
  start_ms: number,
  canMoveClock = false,
): FaultySim {
  const lines = built.map(({ listen, meters }) => ({
    units: new Set(meters.map(({ unit }) => unit)),
    hasConnections: listen.kind !== "rtu",
  }));
  const of = built.map(({ meters }) => new Map(meters.map((meter) => [meter.unit, meter])));
  const book = faultBook(
    {
      ...{ seed: seedOf(config.seed, "faults"), lines, canMoveClock },
      whyNothing: (what, line, unit) => whyNothing(of[line]!.get(unit)!, what),
    },
    config.faults ?? [],
    start_ms,
  );
  const meters = built.map(
    (line, at) =>
      new Map(line.meters.map((meter) => [meter.unit, faultyMeter(meter, () => book.ofMeter(at, meter.unit))])),
  );
  return { book, meters };
}

/** The meters, with a word about each that cannot show what it measures. */
function told(
  meters: ReadonlyMap<number, Readable>,
  onUnfit: (unit: number, what: string) => void,
): ReadonlyMap<number, Readable> {
  const known = new Set<number>();
  const watched = (unit: number, meter: Readable): Readable => ({
    read(...request) {
      const answer = meter.read(...request);
      if (!(answer instanceof Uint16Array) && answer.unfit !== undefined && !known.has(unit)) {
        known.add(unit);
        onUnfit(unit, answer.unfit);
      }
      return answer;
    },
  });
  return new Map([...meters].map(([unit, meter]) => [unit, watched(unit, meter)]));
}

function commanded(runner: FaultRunner | null): FaultRunner {
  if (runner === null) throw new RangeError("faults need timers");
  return runner;
}

/** Counters are sums since the meter was put in: the first look at one takes long (a second in the worst case), and a reply may not. */
function lookOnce(meter: SimMeter, at_ms: number): void {
  const counter = meter.model.registers.find(({ kind }) => kind === "counter");
  if (counter !== undefined) meter.read(counter.fc, meter.base + counter.address, counter.words, at_ms);
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
