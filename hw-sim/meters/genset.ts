import type { QuantityId } from "../../core/units/quantities.ts";
import { type Course, SLOT_MINUTES, stepCourse, sumOf, whileFlowing } from "../course/course.ts";
import { integralOf } from "../course/integral.ts";
import type { Load } from "../profiles/electric.ts";
import type { ElectricSite } from "./electricity.ts";
import { generated } from "./generator.ts";
import { type Gauge, type Physics, runningCounter, type SimCounter, sharedCounter, wave } from "./physics.ts";

/** Diesel burnt for a kWh: 27 / 100 L, a round figure for sets of some hundred kW. */
const FUEL = { over: 27, under: 100 };
/** A full tank lasts this long at full load, and is filled up again when this part of it is burnt. */
const TANK_h = 8;
const REFILL_PART = 0.6;
const RUNNING_rpm = 1500;
/** Wh in a kWh; and what a counter of seconds counts in an hour. */
const PER_THOUSAND = 1000;
const SECONDS_PER_HOUR = 3600;
const MINUTE_ms = 60_000;

/**
 * A diesel generating set as its controller shows it: what the load describes is generated. While there is load the engine
 * runs at 1,500 rpm and burns 0.27 L a kWh; without it the engine stands, and there is neither voltage nor frequency.
 */
export function genset(load: Extract<Load, { kind: "electric" }>, site: ElectricSite): Physics {
  const made = generated(load, site);
  const energy = made.counters.get("active_energy_export_total")!;
  const fuel = sharedCounter(energy, FUEL.over, FUEL.under * PER_THOUSAND, "L");
  const integral = (course: Course) => integralOf(course, site.origin_ms, site.since_ms);
  const seconds = stepCourse(() => SECONDS_PER_HOUR);
  const running = sumOf([whileFlowing(seconds, load.active, 1), whileFlowing(seconds, load.active, -1)]);
  const counters = new Map<QuantityId, SimCounter>([
    ...made.counters,
    ["engine_run_time", runningCounter("s", integral(running))],
    ["fuel_used_total", fuel],
  ]);
  const starts = integral(startsOf(load.active));
  const power_W = (at_ms: number) => made.gauges.get("active_power_total")!(at_ms) as number;
  const isRunning = (at_ms: number) => power_W(at_ms) !== 0;
  const either =
    (runs: number, stands: number, wanders: number): Gauge =>
    (at_ms) =>
      (isRunning(at_ms) ? runs : stands) + wanders * wave(at_ms, 2_900_000, site.seed);
  const stopped =
    (gauge: Gauge, stands: number | null): Gauge =>
    (at_ms) =>
      isRunning(at_ms) ? gauge(at_ms) : stands;
  const electric = [...made.gauges].map(([name, gauge]): [string, Gauge] => {
    if (/^(voltage|frequency)/.test(name)) return [name, stopped(gauge, 0)];
    return [name, /^(power_factor|cos_phi)/.test(name) ? stopped(gauge, null) : gauge];
  });
  const tank_L = (TANK_h * site.rated_power_W * FUEL.over) / (FUEL.under * PER_THOUSAND);
  const burnt_L = (at_ms: number) => Number(fuel.total(at_ms)) / 3_600_000;
  const engine: Readonly<Record<string, Gauge>> = {
    engine_speed: stopped((at_ms) => RUNNING_rpm + 3 * wave(at_ms, 211_000, 1), 0),
    engine_status: (at_ms) => (isRunning(at_ms) ? "running" : "resting"),
    engine_starts: (at_ms) => Math.ceil(Number(starts.total(at_ms)) / MINUTE_ms),
    control_mode: () => "automatic",
    load_percent: (at_ms) => (100 * power_W(at_ms)) / site.rated_power_W,
    temperature_coolant: either(83, 41, 2),
    temperature_oil: either(96, 42, 2),
    oil_pressure: stopped(either(430, 0, 15), 0),
    battery_voltage: either(27.6, 25.4, 0.1),
    fuel_level: (at_ms) => 100 * (1 - ((burnt_L(at_ms) / tank_L) % REFILL_PART)),
  };
  return { counters, gauges: new Map([...electric, ...Object.entries(engine)]) };
}

/** One in each minute that runs after a minute that stood: its integral counts starts. */
function startsOf(active: Course): Course {
  const runs = (slot: number, minute: number) => active.upTo(slot, minute + 1) !== active.upTo(slot, minute);
  return {
    upTo(slot, minutes) {
      let before = runs(slot - 1, SLOT_MINUTES - 1);
      const runsAllOfIt = Math.abs(active.upTo(slot, SLOT_MINUTES)) / SLOT_MINUTES > active.swing(slot);
      if (runsAllOfIt) return before || minutes === 0 ? 0 : 1;
      let starts = 0;
      for (let minute = 0; minute < minutes; minute++) {
        const now = runs(slot, minute);
        if (now && !before) starts += 1;
        before = now;
      }
      return starts;
    },
    swing: () => 1,
  };
}
