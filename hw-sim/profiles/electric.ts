import { KhuXanhError } from "../../core/errors.ts";
import {
  backflowOf,
  type Course,
  differenceOf,
  rememberedCourse,
  shareOf,
  stepCourse,
  sumOf,
  ZERO,
} from "../course/course.ts";
import type { Losses, PowerFactor } from "../simConfig.ts";

/**
 * What flows through a meter. Electricity: plus is drawn from the grid; `lagging` and `leading` are the two directions of
 * reactive power. Flow: litres per hour, of gas at base conditions or of water.
 */
export type Load = ElectricLoad | FlowLoad;

export interface ElectricLoad {
  readonly kind: "electric";
  /** Net: negative when more is generated than used. */
  readonly active: Course;
  /** What flows out, never negative; drawn = active + backflow. */
  readonly backflow: Course;
  readonly lagging: Course;
  readonly leading: Course;
}

export interface FlowLoad {
  readonly kind: "flow";
  readonly flow: Course;
}

/** An electric load that only draws. */
export function drawing(load: Pick<ElectricLoad, "active" | "lagging" | "leading">): ElectricLoad {
  return { kind: "electric", backflow: ZERO, ...load };
}

/** An electric load with the reactive power that belongs to a power factor; `flowsBack` where it may be negative. */
export function withPowerFactor(active: Course, factor: PowerFactor, flowsBack: boolean, place: string): ElectricLoad {
  const backflow = flowsBack ? backflowOf(active) : ZERO;
  const size = flowsBack ? sumOf([active, backflow, backflow]) : active;
  const { direction, value } = powerFactor(factor, place);
  const tan_permille = Math.round((1000 * Math.sqrt(1 - value * value)) / value);
  const reactive = tan_permille === 0 ? ZERO : shareOf(size, () => tan_permille);
  return {
    kind: "electric",
    active,
    backflow,
    lagging: direction === "lagging" ? reactive : ZERO,
    leading: direction === "leading" ? reactive : ZERO,
  };
}

/** Below it there is hardly a load left, and reactive power leaves the range of whole W. */
const FACTOR_MIN = 0.1;

function powerFactor(factor: PowerFactor, place: string) {
  const [direction, value] =
    typeof factor === "number"
      ? (["lagging", factor] as const)
      : "lagging" in factor
        ? (["lagging", factor.lagging] as const)
        : (["leading", factor.leading] as const);
  if (!(value >= FACTOR_MIN && value <= 1))
    throw invalid(`${place}.power_factor`, `${value} is not within ${FACTOR_MIN} … 1`);
  return { direction, value };
}

/** All of `plus` less all of `minus` (what is generated); where that is negative it flows out. */
export function balanceOf(plus: readonly Load[], minus: readonly Load[], place: string): Load {
  if (minus.length === 0 && plus.every((load) => load.kind === "flow")) {
    return { kind: "flow", flow: rememberedCourse(sumOf(plus.map((load) => (load as FlowLoad).flow))) };
  }
  const drawn = plus.map((load) => electricOf(load, place));
  const made = minus.map((load) => electricOf(load, place));
  const gross = {
    active: total(drawn.map((load) => load.active)),
    lagging: total([...drawn.map((load) => load.lagging), ...made.map((load) => load.leading)]),
    leading: total([...drawn.map((load) => load.leading), ...made.map((load) => load.lagging)]),
  };
  if (made.length === 0 && drawn.every((load) => load.backflow === ZERO)) return drawing(gross);
  const active =
    made.length === 0
      ? gross.active
      : rememberedCourse(differenceOf(gross.active, sumOf(made.map((load) => load.active))));
  return { kind: "electric", ...gross, active, backflow: rememberedCourse(backflowOf(active)) };
}

function total(courses: readonly Course[]): Course {
  const some = courses.filter((course) => course !== ZERO);
  return some.length === 0 ? ZERO : rememberedCourse(sumOf(some));
}

const FIXED_W_MAX = 1e9;
const FIXED_m3_per_h_MAX = 1e6;

/**
 * What is lost on the way to these loads: `percent` of what they draw, running sum rounded down to whole W·min, and something
 * fixed that flows day and night. What feeds back does not lower it.
 */
export function lossesOf(loads: readonly Load[], losses: Losses, place: string): Load {
  const permille = tenths(losses.percent ?? 0, `${place}.losses.percent`);
  const part = (course: Course) => (permille === 0 ? ZERO : shareOf(course, () => permille));
  if (loads.length > 0 && loads.every((load) => load.kind === "flow")) {
    if (losses.fixed_W !== undefined) throw invalid(`${place}.losses.fixed_W`, "a flow loses fixed_m3_per_h");
    const fixed_L_per_h = inside(
      (losses.fixed_m3_per_h ?? 0) * 1000,
      FIXED_m3_per_h_MAX * 1000,
      `${place}.losses.fixed_m3_per_h`,
    );
    const flow = sumOf(loads.map((load) => (load as FlowLoad).flow));
    return { kind: "flow", flow: sumOf([part(flow), constant(fixed_L_per_h)]) };
  }
  if (losses.fixed_m3_per_h !== undefined) throw invalid(`${place}.losses.fixed_m3_per_h`, "electricity loses fixed_W");
  const fixed_W = inside(losses.fixed_W ?? 0, FIXED_W_MAX, `${place}.losses.fixed_W`);
  const drawn = loads.map((load) => electricOf(load, place)).flatMap(({ active, backflow }) => [active, backflow]);
  const active = drawn.length === 0 ? ZERO : part(sumOf(drawn));
  return drawing({ active: sumOf([active, constant(fixed_W)]), lagging: ZERO, leading: ZERO });
}

function constant(rate: number): Course {
  const whole = Math.round(rate);
  return whole === 0 ? ZERO : stepCourse(() => whole);
}

/** Percent → thousandths. */
export function tenths(percent: number, place: string): number {
  const permille = Math.round(percent * 10);
  if (!(percent >= 0 && percent <= 100 && Math.abs(permille - percent * 10) < 1e-6)) {
    throw invalid(place, `${percent} is no percentage of whole tenths within 0 … 100`);
  }
  return permille;
}

function electricOf(load: Load, place: string): ElectricLoad {
  if (load.kind !== "electric") throw invalid(place, "electricity and flows cannot be added or subtracted");
  return load;
}

function inside(value: number, max: number, place: string): number {
  if (!(value >= 0 && value <= max)) throw invalid(place, `${value} is not within 0 … ${max}`);
  return value;
}

function invalid(place: string, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${place}: ${message}`, {
    hint: "Correct it in the simulation file; hw-sim/README.md shows every kind of load.",
    context: { place },
  });
}
