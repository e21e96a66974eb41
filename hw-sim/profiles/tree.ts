import { KhuXanhError } from "../../core/errors.ts";
import { type Gathering, relocated } from "../problems.ts";
import type { LoadSpec, SimConfig, SimMeterSpec } from "../simConfig.ts";
import { balanceOf, type Load, lossesOf } from "./electric.ts";

/**
 * Loads of all meters, where meters are fed through meters: a meter measures its own `load`, all its sub-meters, and what is lost
 * on the way to them, to the millijoule. A meter that generates (a solar inverter, a generating set) feeds into its parent, and what nobody
 * below uses flows out through it.
 */
export interface PlacedMeter {
  readonly spec: SimMeterSpec;
  /** Where it stands in the file, for messages. */
  readonly place: string;
  /** What its own load draws its seeds from. */
  readonly identity: string;
  readonly generates: boolean;
}

/** Null for a meter with something wrong, gathered: no load, an unknown parent, a name used twice, a circle, gas below electricity. */
export function treeLoads(
  meters: readonly PlacedMeter[],
  loadOf: (spec: LoadSpec, place: string) => Load,
  found: Gathering,
): readonly (Load | null)[] {
  const parents = meters.map((meter) => found.attempt(`${meter.place}.parent`, () => parentOf(meter, meters)));
  const done = new Map<PlacedMeter, Load>();

  function measured(meter: PlacedMeter, path: readonly PlacedMeter[]): Load {
    const known = done.get(meter);
    if (known !== undefined) return known;
    if (path.includes(meter)) throw invalid(meter.place, `"${meter.spec.name}" is fed through itself`);
    const below = meters.filter((_, at) => parents[at] === meter);
    const load = total(meter, below, [...path, meter]);
    done.set(meter, load);
    return load;
  }

  function total(meter: PlacedMeter, below: readonly PlacedMeter[], path: readonly PlacedMeter[]): Load {
    const { spec, place, identity } = meter;
    const own = spec.load === undefined ? [] : [ownLoad(spec.load, identity, place)];
    const plus = [...own, ...below.filter(({ generates }) => !generates).map((child) => measured(child, path))];
    const minus = below.filter(({ generates }) => generates).map((child) => measured(child, path));
    if (plus.length + minus.length === 0)
      throw invalid(place, "needs a load, or sub-meters that name it as their parent");
    if (meter.generates && below.length > 0) throw invalid(place, "what generates has no sub-meters");
    const lost = spec.losses === undefined ? [] : [lossesOf(plus, spec.losses, place)];
    const parts = [...plus, ...lost];
    return parts.length === 1 && minus.length === 0 ? parts[0]! : balanceOf(parts, minus, place);
  }

  /** Seeds go by the meter's name, messages by its place. */
  function ownLoad(spec: LoadSpec, identity: string, place: string): Load {
    try {
      return loadOf(spec, `${identity}.load`);
    } catch (error) {
      throw error instanceof KhuXanhError ? relocated(error, `${identity}.load`, `${place}.load`) : error;
    }
  }

  return meters.map((meter) => found.attempt(meter.place, () => measured(meter, [])));
}

function parentOf({ spec, place }: PlacedMeter, meters: readonly PlacedMeter[]): PlacedMeter | null {
  if (spec.parent === undefined) return null;
  const named = meters.filter((other) => other.spec.name === spec.parent);
  if (named.length > 1) {
    throw invalid(
      place,
      `parent "${spec.parent}" is the name of ${named.length} meters (${named.map((one) => one.place).join(", ")})`,
    );
  }
  const [parent] = named;
  if (parent === undefined) {
    const names = meters.flatMap((other) => other.spec.name ?? []).join(", ");
    throw invalid(
      place,
      `there is no meter named "${spec.parent}" (allowed: ${names === "" ? "none has a name" : names})`,
    );
  }
  return parent;
}

/** All meters of a configuration in its order, and where each stands. */
export function placedMeters(
  config: SimConfig,
  generates: (spec: SimMeterSpec, place: string) => boolean,
): readonly PlacedMeter[] {
  return config.lines.flatMap(({ meters }, line) =>
    meters.map((spec, at) => {
      const place = `lines.${line}.meters.${at}`;
      // Seeds go by name where there is one, so that a meter stays itself when its line is simulated alone.
      return { spec, place, identity: spec.name ?? place, generates: generates(spec, place) };
    }),
  );
}

function invalid(place: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: ${message}`, {
    hint: "Correct the meter in the simulation file; hw-sim/README.md tells how meters hang together.",
    context: { place },
  });
}
