import type { QuantityId } from "../../core/units/quantities.ts";
import { type Gauge, type Physics, type SimCounter, shiftedCounter, turnedCounter } from "../meters/physics.ts";
import type { SimMeter } from "../meters/simMeter.ts";
import type { Fault } from "./schedule.ts";

/**
 * What faults that leave a mark have made of a meter: a row of eras, in each of which it counts in one way. Pure; the meter
 * itself goes on telling the truth.
 *
 * Within an era a register shows what its source counts plus a fixed number of ticks, so what it shows between two instants
 * of one era is exact: true energy, or under a reversed transformer the energy of the other direction.
 */
export interface Era {
  /** −Infinity for the first. */
  readonly from_ms: number;
  readonly meter: SimMeter;
  readonly reversed: Reversed;
}

/** Which transformers are turned round. Of several faults at a time the last one counts. */
type Reversed = "none" | "all" | 1 | 2 | 3;

type Event =
  | { readonly at_ms: number; readonly kind: "reset" }
  | { readonly at_ms: number; readonly kind: "turn"; readonly reversed: Reversed }
  /** A counter is moved so that it passes its end at `end_ms`. */
  | { readonly at_ms: number; readonly kind: "approach"; readonly quantity: QuantityId | null; readonly end_ms: number }
  | { readonly at_ms: number; readonly kind: "replace"; readonly serial: number | null; readonly start: number };

/** @param faults those of this unit's registers, in the order they were given */
export function erasOf(meter: SimMeter, faults: readonly Fault[]): readonly Era[] {
  const eras: Era[] = [{ from_ms: -Infinity, meter: atItsEnd(meter, faults), reversed: "none" }];
  for (const event of eventsOf(faults)) eras.push(next(meter, eras.at(-1)!, event));
  return eras;
}

/** The era of an instant. */
export function eraAt(eras: readonly Era[], at_ms: number): Era {
  return eras.findLast(({ from_ms }) => from_ms <= at_ms) ?? eras[0]!;
}

function eventsOf(faults: readonly Fault[]): readonly Event[] {
  const events = faults.flatMap((fault): Event[] => {
    const { what, given_ms, from_ms, for_ms, removed_ms } = fault;
    if (from_ms >= removed_ms) return [];
    switch (what.kind) {
      case "register-reset":
        return [{ at_ms: from_ms, kind: "reset" }];
      case "rollover":
        return given_ms === -Infinity
          ? []
          : [{ at_ms: given_ms, kind: "approach", quantity: what.quantity, end_ms: from_ms }];
      case "meter-replaced":
        return [{ at_ms: from_ms, kind: "replace", serial: what.serial, start: what.start }];
      case "ct-reversed": {
        const to_ms = Math.min(from_ms + for_ms, removed_ms);
        const turned: Event = { at_ms: from_ms, kind: "turn", reversed: what.phase ?? "all" };
        return to_ms === Infinity ? [turned] : [turned, { at_ms: to_ms, kind: "turn", reversed: "none" }];
      }
      default:
        return [];
    }
  });
  return events.sort((a, b) => a.at_ms - b.at_ms);
}

function next(meter: SimMeter, before: Era, event: Event): Era {
  const { at_ms } = event;
  const reversed = event.kind === "turn" ? turnedOn(meter, event.reversed) : before.reversed;
  const rolling = event.kind === "approach" ? (event.quantity ?? rollingQuantity(meter)) : null;
  const serial = event.kind === "replace" ? (event.serial ?? successor(before.meter.serial)) : before.meter.serial;
  return {
    from_ms: at_ms,
    reversed,
    meter: meter.variant({
      serial,
      ...(event.kind === "replace" ? { start: event.start } : {}),
      physics: (own, since_ms) => {
        const shown = (quantity: QuantityId): bigint => {
          if (event.kind === "reset") return 0n;
          if (event.kind === "replace") return own.counters.get(quantity)!.total(since_ms);
          return before.meter.ticks(quantity, at_ms);
        };
        return counting(own, reversed, (quantity, source) =>
          event.kind === "approach" && quantity === rolling
            ? shiftToEnd(meter, quantity, source, event.end_ms)
            : shown(quantity) - source.total(begun(at_ms)),
        );
      },
    }),
  };
}

/** A fault that has always been began before every counter. */
function begun(at_ms: number): number {
  return at_ms === -Infinity ? 0 : at_ms;
}

/** Serial numbers of meters bought together follow each other; this one was not. */
function successor(serial: number): number {
  return 10_000_000 + ((serial * 7 + 1_234_567) % 89_999_999);
}

type Shift = (quantity: QuantityId, source: SimCounter) => bigint;

/** The only phase of a meter is all of it. */
function turnedOn(meter: SimMeter, reversed: Reversed): Reversed {
  return typeof reversed === "number" && meter.model.phases === 1 ? "all" : reversed;
}

function counting(own: Physics, reversed: Reversed, shift: Shift): Physics {
  const counters = new Map<QuantityId, SimCounter>();
  for (const [quantity, counter] of own.counters) {
    const source = sourceOf(own, quantity, counter, reversed);
    counters.set(quantity, shiftedCounter(source, shift(quantity, source)));
  }
  return { counters, gauges: reversed === "none" ? own.gauges : turnedGauges(own.gauges, reversed) };
}

/** What a register counts while transformers are turned round. */
function sourceOf({ counters }: Physics, quantity: QuantityId, own: SimCounter, reversed: Reversed): SimCounter {
  if (reversed === "none") return own;
  const isOfPhase = quantity.endsWith(`_l${reversed}`);
  if (reversed === "all" || isOfPhase) return counters.get(mirrored(quantity)) ?? own;
  // Totals count the sum over the phases, of which one now pulls the other way.
  const [, way] = /^active_energy_(import|export)_(?:total|tariff1|partial)$/.exec(quantity) ?? [];
  const part = way === undefined ? undefined : counters.get(`active_energy_${way}_l${reversed}` as QuantityId);
  return part === undefined ? own : turnedCounter(own, part);
}

const OPPOSITE: Readonly<Record<string, string>> = {
  import: "export",
  export: "import",
  inductive: "capacitive",
  capacitive: "inductive",
};

/** The counter that counts instead when current flows the other way round. */
function mirrored(quantity: QuantityId): QuantityId {
  return quantity.replace(/import|export|inductive|capacitive/, (way) => OPPOSITE[way]!) as QuantityId;
}

const FOLLOWS_CURRENT = /^(active_power|reactive_power|power_factor)(?!_demand)/;

function turnedGauges(gauges: Physics["gauges"], reversed: Exclude<Reversed, "none">): Physics["gauges"] {
  return new Map([...gauges].map(([name, gauge]) => [name, turnedGauge(gauges, name, gauge, reversed)]));
}

function turnedGauge(
  gauges: Physics["gauges"],
  name: string,
  gauge: Gauge,
  reversed: Exclude<Reversed, "none">,
): Gauge {
  if (!FOLLOWS_CURRENT.test(name)) return gauge;
  if (reversed === "all" || name.endsWith(`_l${reversed}`)) return combined(gauge, gauge, -2);
  const part = gauges.get(name.replace(/_total$/, `_l${reversed}`));
  return /^(active|reactive)_power_total$/.test(name) && part !== undefined ? combined(gauge, part, -2) : gauge;
}

/** `a` plus `times` `b`, where both have a value. */
function combined(a: Gauge, b: Gauge, times: number): Gauge {
  return (at_ms) => {
    const [first, second] = [a(at_ms), b(at_ms)];
    return typeof first === "number" && typeof second === "number" ? first + times * second : first;
  };
}

/** What a counter must be moved on by to pass its end at an instant. */
function shiftToEnd(meter: SimMeter, quantity: QuantityId, source: SimCounter, end_ms: number): bigint {
  return (meter.rangeTicks(quantity) ?? 0n) - source.total(begun(end_ms));
}

/** The meter with those counters moved on that a file lets pass their end: they have always stood that close to it. */
function atItsEnd(meter: SimMeter, faults: readonly Fault[]): SimMeter {
  const ends = new Map<QuantityId, number>();
  for (const { what, given_ms, from_ms, removed_ms } of faults) {
    if (what.kind !== "rollover" || given_ms !== -Infinity || from_ms >= removed_ms) continue;
    const quantity = what.quantity ?? rollingQuantity(meter);
    if (quantity !== null) ends.set(quantity, from_ms);
  }
  if (ends.size === 0) return meter;
  return meter.variant({
    physics: (own) =>
      counting(own, "none", (quantity, source) => {
        const at_ms = ends.get(quantity);
        return at_ms === undefined ? 0n : shiftToEnd(meter, quantity, source, at_ms);
      }),
  });
}

/** The first counter of a model that stands in an integer register. */
export function rollingQuantity(meter: SimMeter): QuantityId | null {
  const register = meter.model.registers.find(
    ({ quantity, kind }) => kind === "counter" && quantity !== undefined && meter.rangeTicks(quantity) !== null,
  );
  return register?.quantity ?? null;
}
