import type { QuantityId } from "../../core/units/quantities.ts";
import { DAY_ms } from "../course/course.ts";
import { TICKS_PER_THOUSAND, TICKS_PER_UNIT } from "../course/integral.ts";
import type { Gauge, Physics, SimCounter } from "./physics.ts";

/**
 * Registers that show what a meter counts and measures in another way: by the parts of a number, by day, by direction. They
 * follow from the counters and gauges of a meter as they are, a reversed transformer or a reset included.
 */
export function withViews(physics: Physics, origin_ms: number): Physics {
  const views = [...counterViews(physics, origin_ms), ...reactiveViews(physics)];
  return { counters: physics.counters, gauges: new Map([...physics.gauges, ...views]) };
}

function* counterViews({ counters }: Physics, origin_ms: number): Generator<[string, Gauge]> {
  const view = (
    name: string,
    quantity: QuantityId,
    shown: (counter: SimCounter, at_ms: number) => number,
  ): [string, Gauge][] => {
    const counter = counters.get(quantity);
    return counter === undefined ? [] : [[name, (at_ms) => shown(counter, at_ms)]];
  };
  for (const way of ["import", "export"] as const) {
    const quantity = `active_energy_${way}_total` as const;
    yield* view(`active_energy_${way}_int`, quantity, (counter, at_ms) =>
      Number(counter.total(at_ms) / TICKS_PER_THOUSAND),
    );
    yield* view(
      `active_energy_${way}_frac`,
      quantity,
      (counter, at_ms) => Number((counter.total(at_ms) % TICKS_PER_THOUSAND) / TICKS_PER_UNIT) / 1000,
    );
    yield* view(`active_energy_${way}_today`, quantity, (counter, at_ms) => today(counter, at_ms, origin_ms));
  }
  const back = counters.get("active_energy_export_total");
  yield* view("active_energy_net_total", "active_energy_import_total", (counter, at_ms) =>
    thousands(counter.total(at_ms) - (back?.total(at_ms) ?? 0n)),
  );
  for (const [name, quantity] of [
    ["apparent_energy_tariff1", "apparent_energy_total"],
    ["volume_total_litres_mode1", "volume_total_mode1"],
    ["volume_total_litres_mode2", "volume_total_mode2"],
  ] as const) {
    yield* view(name, quantity, (counter, at_ms) => thousands(counter.total(at_ms)));
  }
}

/** Since local midnight, or since a reset after it. */
function today(counter: SimCounter, at_ms: number, origin_ms: number): number {
  const total = counter.total(at_ms);
  const midnight_ms = at_ms - ((((at_ms - origin_ms) % DAY_ms) + DAY_ms) % DAY_ms);
  const ofDay = total - counter.total(midnight_ms);
  return thousands(ofDay < total ? ofDay : total);
}

/** kWh, kVAh or m3. */
function thousands(ticks: bigint): number {
  return Number(ticks) / Number(TICKS_PER_THOUSAND);
}

/** Both directions as amounts, for meters that have a register for each. */
function reactiveViews({ gauges }: Physics): readonly [string, Gauge][] {
  return ["l1", "l2", "l3", "total"].flatMap((part): [string, Gauge][] => {
    const gauge = gauges.get(`reactive_power_${part}`);
    if (gauge === undefined) return [];
    const amount =
      (sign: 1 | -1): Gauge =>
      (at_ms) =>
        Math.max(0, sign * (gauge(at_ms) as number));
    return [
      [`reactive_power_inductive_${part}`, amount(1)],
      [`reactive_power_capacitive_${part}`, amount(-1)],
    ];
  });
}
