import { KhuXanhError } from "../../core/errors.ts";
import {
  backflowOf,
  type Course,
  differenceOf,
  remembered,
  ripplingCourse,
  shareOf,
  stepCourse,
  sumOf,
  ZERO,
} from "../course/course.ts";
import { seedOf, unitNoise } from "../course/noise.ts";
import type { LoadSpec, SimConfig } from "../simConfig.ts";
import { ELECTRIC, FLOWS, type Shape } from "./shapes.ts";
import { type MeasuredLoad, steelLoad } from "./steel.ts";

/**
 * What flows through a meter. Electricity: plus is drawn from the grid; `lagging` and `leading` are the two directions of
 * reactive power. Flow: litres per hour, of gas at base conditions or of water.
 */
export type Load =
  | {
      readonly kind: "electric";
      /** Net: negative when more is generated than used. */
      readonly active: Course;
      /** What flows out, never negative; drawn = active + backflow. */
      readonly backflow: Course;
      readonly lagging: Course;
      readonly leading: Course;
    }
  | { readonly kind: "flow"; readonly flow: Course };

/** Texts of the profiles a configuration names, by name. */
export type Profiles = ReadonlyMap<string, string>;

const DEPTH_MAX = 32;
const PEAK_W_MAX = 1_000_000_000;
const PEAK_m3_per_h_MAX = 1_000_000;

/**
 * Builds loads from their descriptions. A load of the `loads` table is built once, so that every meter that refers to it
 * sees the same one; each formula draws its noise from a seed of its own: the simulation's seed and the place it stands at.
 *
 * @throws {KhuXanhError} CONFIG_INVALID: unknown name, a circle, mixed kinds, a number out of its limits.
 */
export function loadBuilder(config: SimConfig, profiles: Profiles): (spec: LoadSpec, place: string) => Load {
  const named = new Map<string, Load>();
  const steel = once(() => steelLoad(profiles.get("steel") ?? ""));

  function build(spec: LoadSpec, place: string, path: readonly string[]): Load {
    if (path.length > DEPTH_MAX) throw invalid(place, `loads are nested deeper than ${DEPTH_MAX}`);
    if ("csv" in spec) return electric(steel());
    if ("shape" in spec) return formula(spec, spec.seed ?? seedOf(config.seed, place), place);
    if ("ref" in spec) return refer(spec.ref, place, path);
    if ("share" in spec) return share(spec, place, [...path, "share"]);
    return balance(spec, place, [...path, "sum"]);
  }

  function refer(name: string, place: string, path: readonly string[]): Load {
    const known = named.get(name);
    if (known !== undefined) return known;
    const spec = config.loads?.[name];
    if (spec === undefined) {
      const names = Object.keys(config.loads ?? {}).join(", ");
      throw invalid(place, `there is no load "${name}" (allowed: ${names === "" ? "none defined" : names})`);
    }
    const step = `loads.${name}`;
    if (path.includes(step)) throw invalid(place, `the load "${name}" refers to itself`);
    const load = build(spec, step, [...path, step]);
    named.set(name, load);
    return load;
  }

  function share(spec: Extract<LoadSpec, { share: LoadSpec }>, place: string, path: readonly string[]): Load {
    const vary = spec.vary_percent ?? 0;
    if (!(spec.percent - vary >= 0 && spec.percent + vary <= 100 && vary >= 0)) {
      throw invalid(place, `percent ${spec.percent} ± ${vary} leaves 0 … 100`);
    }
    const seed = seedOf(config.seed, place);
    const low = Math.round((spec.percent - vary) * 10);
    const high = Math.round((spec.percent + vary) * 10);
    const permille = (slot: number) => low + Math.floor(unitNoise(seed, slot) * (high - low + 1));
    const of = build(spec.share, `${place}.share`, path);
    const part = (course: Course) => shareOf(course, permille);
    if (of.kind === "flow") return { kind: "flow", flow: part(of.flow) };
    if (of.backflow !== ZERO) throw invalid(place, "a share of a load that can flow back has no meaning");
    return electric({ active: part(of.active), lagging: part(of.lagging), leading: part(of.leading) });
  }

  function balance(
    spec: Extract<LoadSpec, { sum: readonly LoadSpec[] }>,
    place: string,
    path: readonly string[],
  ): Load {
    if (spec.sum.length === 0) throw invalid(place, "sum needs at least one load");
    const plus = spec.sum.map((part, i) => build(part, `${place}.sum.${i}`, path));
    const minus = (spec.minus ?? []).map((part, i) => build(part, `${place}.minus.${i}`, path));
    if ([...plus, ...minus].every((load) => load.kind === "flow") && minus.length === 0) {
      return { kind: "flow", flow: sumOf(plus.map((load) => (load as Extract<Load, { kind: "flow" }>).flow)) };
    }
    const drawn = plus.map((load) => electricOf(load, place));
    const made = minus.map((load) => electricOf(load, place));
    const gross = {
      active: sumOf(drawn.map((load) => load.active)),
      lagging: sumOf([...drawn.map((load) => load.lagging), ...made.map((load) => load.leading)]),
      leading: sumOf([...drawn.map((load) => load.leading), ...made.map((load) => load.lagging)]),
    };
    if (made.length === 0 && drawn.every((load) => load.backflow === ZERO)) return electric(gross);
    const active =
      made.length === 0 ? gross.active : differenceOf(gross.active, sumOf(made.map((load) => load.active)));
    return { kind: "electric", ...gross, active, backflow: backflowOf(active) };
  }

  return (spec, place) => build(spec, place, []);
}

/** Names of the profiles a configuration needs. */
export function profilesOf(config: SimConfig): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (spec: LoadSpec): void => {
    if ("csv" in spec) names.add(spec.csv);
    else if ("share" in spec) visit(spec.share);
    else if ("sum" in spec) for (const part of [...spec.sum, ...(spec.minus ?? [])]) visit(part);
  };
  for (const spec of Object.values(config.loads ?? {})) visit(spec);
  for (const line of config.lines) for (const meter of line.meters) visit(meter.load);
  return names;
}

function formula(spec: Extract<LoadSpec, { shape: string }>, seed: number, place: string): Load {
  if ("peak_m3_per_h" in spec) {
    const peak = inside(spec.peak_m3_per_h, PEAK_m3_per_h_MAX, `${place}.peak_m3_per_h`);
    return { kind: "flow", flow: rippling(FLOWS[spec.shape], peak * 1000, seed) };
  }
  const shape = ELECTRIC[spec.shape];
  const active = rippling(shape, inside(spec.peak_W, PEAK_W_MAX, `${place}.peak_W`), seed);
  if (shape.tan_permille === 0) return electric({ active, lagging: ZERO, leading: ZERO });
  const tanSeed = seedOf(seed, "tan");
  const tan_permille = (slot: number) => Math.round(shape.tan_permille * (0.93 + 0.14 * unitNoise(tanSeed, slot)));
  return electric({ active, lagging: shareOf(active, tan_permille), leading: ZERO });
}

function rippling(shape: Shape, peak: number, seed: number): Course {
  const rate = remembered((slot) => Math.round(peak * shape.part(slot, seed)));
  if (shape.ripple_permille === 0) return stepCourse(rate);
  const rippleSeed = seedOf(seed, "ripple");
  return ripplingCourse(rate, shape.ripple_permille, (index) => unitNoise(rippleSeed, index));
}

function electric(load: MeasuredLoad): Extract<Load, { kind: "electric" }> {
  return { kind: "electric", backflow: ZERO, ...load };
}

function electricOf(load: Load, place: string): Extract<Load, { kind: "electric" }> {
  if (load.kind !== "electric") throw invalid(place, "electricity and flows cannot be added or subtracted");
  return load;
}

function inside(value: number, max: number, place: string): number {
  if (!(value > 0 && value <= max)) throw invalid(place, `${value} is not above 0 and at most ${max}`);
  return value;
}

function invalid(place: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: ${message}`, {
    hint: "Correct the load in the simulation file; hw-sim/README.md shows every kind.",
    context: { place },
  });
}

function once<T>(make: () => T): () => T {
  let held: { readonly value: T } | undefined;
  return () => (held ??= { value: make() }).value;
}
