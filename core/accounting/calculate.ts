import { CARRIERS } from "../emission/carriers.ts";
import { type Fraction, fraction, times } from "../emission/fraction.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Activity, Book } from "./activity.ts";
import { checkFuelPower, checkPower } from "./bands.ts";
import { addMasses } from "./co2e.ts";
import { hoursOf, inTJ, normalised, unitsOf } from "./convert.ts";
import { draw, inMWh } from "./electricity.ts";
import { burn } from "./fuel.ts";
import { buyHeat } from "./heat.ts";
import { leak, leakMethane, type MaterialResult, process, treatWater } from "./materials.ts";
import { refuse } from "./refuse.ts";
import { registerAmount } from "./registers.ts";
import type { ActivityResult, FactorUncertainty, Part, UncertaintyInputs } from "./result.ts";
import { toeOf } from "./toe.ts";
import { chainHalfWidth_pct } from "./uncertainty.ts";

/**
 * What one activity comes to: amount → energy → gases. The one way for metered and stated activities, at the edge, in the
 * zone's server and in `khuxanh calc`.
 *
 * @throws {KhuXanhError} CONFIG_INVALID or FACTOR_MISSING, with the key at fault in its context.
 */
export function calculate(activity: Activity, book: Book): ActivityResult {
  const { carrier, amount: written } = activity;
  const row = CARRIERS[carrier];
  if (written.kind === "waste_water" || written.kind === "life_cycle" || row.kind === "refrigerant") {
    return material(
      activity,
      written.kind === "waste_water" ? treatWater(activity, written, book) : leak(activity, book),
    );
  }
  const registers = written.kind === "registers" ? registerAmount(written.stretches, written.unit) : null;
  const stated = registers?.total ?? (written.kind === "quantity" ? written.value : fraction(0n));
  assertUnit(activity, written.unit);
  const { value, unit, steps } = normalised(activity, stated, written.unit);
  const before = [...(registers?.steps ?? []), ...steps];
  const details = registers === null ? {} : registerDetails(registers.results);
  const base = { activity, amount: { value: stated, unit: written.unit } };
  switch (row.kind) {
    case "fuel": {
      const burnt = burn(activity, value, unit, book);
      if (burnt.energy_TJ !== null) checkFuelPower(activity, burnt.energy_TJ, hoursOf(activity.period));
      return {
        ...base,
        scope: 1,
        energy_TJ: burnt.energy_TJ,
        mass_t: burnt.mass_t,
        volume_Nm3: burnt.volume_Nm3,
        ...booked(burnt.parts),
        toe: toeOf(activity, value, unit, burnt, book),
        losses: null,
        uncertainty: uncertaintyOf(activity, burnt.ncv, burnt.factor),
        steps: [...before, ...burnt.steps],
        notes: burnt.notes,
        details,
      };
    }
    case "electricity":
      if (activity.use === "export") return unburdened(base, inMWh(activity, value, unit), before, details, activity);
      return power(base, activity, value, unit, book, before, details);
    case "own_power": {
      const MWh = inMWh(activity, value, unit);
      checkPower(activity, times(MWh, fraction(1000n)), hoursOf(activity.period));
      return unburdened(base, MWh, before, details, activity);
    }
    case "heat": {
      const bought = buyHeat(activity, value, unit, book);
      return {
        ...base,
        scope: 2,
        energy_TJ: bought.energy_TJ,
        mass_t: bought.mass_t,
        volume_Nm3: null,
        ...booked(bought.parts),
        toe: toeOf(activity, value, unit, bought, book),
        losses: null,
        uncertainty: uncertaintyOf(activity, null, bought.factor),
        steps: [...before, ...bought.steps],
        notes: bought.notes,
        details: { ...details, ...bought.details },
      };
    }
    case "leak":
      return { ...material(activity, leakMethane(activity)), amount: base.amount };
    case "process":
    case "waste":
      return { ...material(activity, process(activity, value, unit, book)), amount: base.amount };
    default:
      return unburdened(base, null, before, details, activity);
  }
}

type Base = Pick<ActivityResult, "activity" | "amount">;
type Details = ActivityResult["details"];

function power(
  base: Base,
  activity: Activity,
  value: Fraction,
  unit: UnitNotation,
  book: Book,
  before: ActivityResult["steps"],
  details: Details,
): ActivityResult {
  const drawn = draw(activity, value, unit, book);
  return {
    ...base,
    scope: 2,
    energy_TJ: drawn.energy_TJ,
    mass_t: null,
    volume_Nm3: null,
    ...booked(drawn.parts),
    toe: toeOf(activity, value, unit, { energy_TJ: drawn.energy_TJ, mass_t: null }, book),
    losses: drawn.losses,
    uncertainty: uncertaintyOf(activity, null, drawn.factor),
    steps: [...before, ...drawn.steps],
    notes: drawn.notes,
    details,
  };
}

/** An amount that carries no emission: solar, genset power, what is fed back, water. */
function unburdened(
  base: Base,
  MWh: Fraction | null,
  steps: ActivityResult["steps"],
  details: Details,
  activity: Activity,
): ActivityResult {
  if (activity.factor !== null)
    refuse("factor", `${activity.carrier} carries no emission of its own: a factor here would be counted for nothing`);
  return {
    ...base,
    scope: null,
    energy_TJ: MWh === null ? null : inTJ(times(MWh, fraction(3600n))),
    mass_t: null,
    volume_Nm3: null,
    parts: [],
    mg: {},
    toe: null,
    losses: null,
    uncertainty: uncertaintyOf(activity, null, null),
    steps,
    notes: [],
    details,
  };
}

function material(activity: Activity, made: MaterialResult): ActivityResult {
  const { amount } = activity;
  const shown: ActivityResult["amount"] =
    amount.kind === "quantity"
      ? { value: amount.value, unit: amount.unit }
      : { value: made.parts[0]!.amount, unit: "kg" };
  return {
    activity,
    scope: 1,
    amount: shown,
    energy_TJ: null,
    mass_t: made.mass_t,
    volume_Nm3: null,
    ...booked(made.parts),
    toe: null,
    losses: null,
    uncertainty: uncertaintyOf(activity, null, made.factor),
    steps: made.steps,
    notes: made.notes,
    details: made.details,
  };
}

function booked(parts: readonly Part[]) {
  return { parts, mg: addMasses(parts.map(({ mg }) => mg)) };
}

function assertUnit(activity: Activity, unit: UnitNotation): void {
  const allowed = unitsOf(activity.carrier);
  if (!allowed.includes(unit))
    refuse("unit", `"${unit}" is no unit of ${activity.carrier} (allowed: ${allowed.join(", ")})`);
}

function registerDetails(results: ReturnType<typeof registerAmount>["results"]): Details {
  const [first] = results;
  if (first === undefined || results.length > 1) return { stretches: String(results.length) };
  return {
    count_delta: first.count,
    rolled_over: first.rolledOver,
    mean_per_hour: first.meanPerHour,
    ...(first.ceiling === null ? {} : { ceiling: first.ceiling }),
  };
}

function uncertaintyOf(
  activity: Activity,
  ncv: UncertaintyInputs["ncv"],
  factor: FactorUncertainty | null,
): UncertaintyInputs {
  const { activity_pct, meter, meterId } = activity.uncertainty;
  return {
    activity_pct: activity_pct ?? (meter === null ? null : chainHalfWidth_pct(meter)),
    activityKey: meterId === null ? `activity ${activity.id}` : `meter ${meterId}`,
    ncv,
    factor,
  };
}
