import { z } from "zod";
import type { TargetPath } from "../../../core/performance/targetPath.ts";
import { SBTI_ANNUAL_REDUCTION } from "../../../core/performance/targetPath.ts";
import { notation, section, text } from "../../fields.ts";
import { parseLocalDate } from "../../notation/localDate.ts";
import { type Parsed, parsed, wrong } from "../../notation/parsed.ts";
import { closedList } from "./numbers.ts";

/**
 * Sections of a calculation file that judge figures instead of making them: targets, changes, baselines, costs, allocation,
 * balances, gaps. They are statistics and money, so numbers are doubles; what enters the books stays exact elsewhere.
 */
const number = (description: string) => z.number().describe(description);
const notNegative = (description: string) => z.number().min(0).describe(description);
const positive = (description: string) => z.number().positive().describe(description);
const year = (description: string) => z.int().min(1990).max(2200).describe(description);
const threshold_pct = z.number().min(0).max(100).prefault(5).describe("From this change on it counts, %");
const list = <T extends z.ZodType>(entry: T, max: number, description: string) =>
  z.array(entry).min(1).max(max).describe(description);
/** One or several; read as several. */
const oneOrMore = <T extends z.ZodType>(entry: T, description: string) =>
  z
    .union([entry, z.array(entry).min(1).max(1000)])
    .describe(description)
    .transform((written) => (Array.isArray(written) ? written : [written]) as z.output<T>[]);
/** Years as keys of YAML are numbers, of JSON text. */
const byYear = z
  .record(z.string().regex(/^\d{4}$/), notNegative("t CO2e"))
  .transform((written) => new Map(Object.entries(written).map(([key, t]) => [Number(key), t])));

const path = z
  .discriminatedUnion("kind", [
    section({
      id: text("Name of the path"),
      kind: z.literal("linear").describe("A straight line to the residue in the target year"),
      base_year: year("Base year"),
      base_t: notNegative("Emissions of the base year, t CO2e"),
      target_year: year("Year in which the residue is reached"),
      residual_t: notNegative("What is left in the target year, t CO2e").prefault(0),
    }),
    section({
      id: text("Name of the path"),
      kind: z.literal("contraction").describe("The same share of base-year emissions less every year"),
      base_year: year("Base year"),
      base_t: notNegative("Emissions of the base year, t CO2e"),
      annual_reduction: positive("Share of base-year emissions a year; 0.042 for 1.5 °C (SBTi, recalled)").prefault(
        SBTI_ANNUAL_REDUCTION,
      ),
      counts_from: year("Year the reduction counts from; absent = the base year").exactOptional(),
    }),
  ])
  .transform((written): { readonly id: string; readonly path: TargetPath } => {
    const { id, base_year: baseYear, base_t } = written;
    if (written.kind === "linear") {
      const { target_year: targetYear, residual_t } = written;
      return { id, path: { kind: "linear", baseYear, base_t, targetYear, residual_t } };
    }
    const { annual_reduction: annualReduction, counts_from } = written;
    return {
      id,
      path: { kind: "contraction", baseYear, base_t, annualReduction, countsFrom: counts_from ?? baseYear },
    };
  });

const targets = section({
  paths: list(path, 20, "Paths to compare with"),
  years: z.array(year("A year")).max(200).prefault([]).describe("Years whose allowance is wanted"),
  actual_t: byYear.exactOptional().describe("Emissions by year, t CO2e"),
  budget_through: year("Last year of the carbon budget").exactOptional(),
}).describe("Paths to Net Zero, gaps and carbon budget");

const activityYear = section({ activity: notNegative("In the unit the factor is per"), factor: notNegative("Factor") });
const change = section({
  id: text("Name").exactOptional(),
  before: activityYear,
  after: activityYear,
}).describe("Change of activity × factor, split into the effect of each");

const baseYear = section({
  base_year_t: positive("Emissions of the base year, t CO2e"),
  changes: list(
    section({
      kind: closedList(["acquired", "divested", "insourced", "outsourced", "method", "error"], "What changed"),
      t: number("Emissions of the unit in the base year, t CO2e; for method and error as the base year changes"),
      why: text("What happened").prefault("not stated"),
    }),
    1000,
    "Changes of structure; organic growth is none",
  ),
  threshold_pct,
}).describe("Whether the base year has to be recalculated");

const intensity = section({
  id: text("Name"),
  unit: text("Unit of the result, e.g. kWh/t").exactOptional(),
  amount: number("Energy or emissions of the period").exactOptional(),
  output: notNegative("Product, revenue, area of the period").exactOptional(),
  parts: z
    .array(section({ amount: number("Of a part of the period"), output: notNegative("Of the same part") }))
    .min(1)
    .max(10_000)
    .exactOptional()
    .describe("Instead of amount and output: the ratio is of the sums"),
}).superRefine((written, context) => {
  const whole = written.amount !== undefined && written.output !== undefined;
  if (whole === (written.parts !== undefined)) {
    context.addIssue({ code: "custom", message: "needs either amount and output, or parts" });
  }
});

const columns = z
  .record(z.string().min(1).max(100), z.array(z.number()).min(1).max(5000))
  .describe("What drives the energy: a column each, e.g. production_t: [820, 760, …]");
const baseline = section({
  energy: list(notNegative("Energy of a month or day"), 5000, "Energy of the baseline period, one figure a point"),
  drivers: columns,
  falling: z.array(z.string()).max(10).prefault([]).describe("Drivers that are expected to lower the energy"),
  acceptance: section({
    points_min: z.int().min(3).prefault(12).describe("Least number of points"),
    r2_min: z.number().min(0).max(1).prefault(0.75).describe("Least share explained"),
    cv_rmse_max: positive("Greatest scatter, as a share of the mean").prefault(0.2),
    t_min: notNegative("Least |t| of every driver").prefault(2),
  }).prefault({}),
  reporting: section({
    energy: list(notNegative("Energy"), 5000, "Energy of the reporting period"),
    drivers: columns,
    adjustment: z
      .array(z.number())
      .max(5000)
      .exactOptional()
      .describe("Documented non-routine adjustments, a figure a point"),
  }).exactOptional(),
  forecast: section({
    measured: notNegative("Energy of the year so far"),
    drivers: columns.describe("Drivers of the rest of the year"),
  }).exactOptional(),
}).describe("Energy baseline by least squares, EnPI, CUSUM, saving and forecast (ISO 50006, IPMVP option C)");

const localTime = (description: string) => notation(parseLocalTime, "a time such as 2026-03-02T08:00", description);
const prices = section({
  offpeak: notNegative("VND per kWh"),
  normal: notNegative("VND per kWh"),
  peak: notNegative("VND per kWh"),
});
const tariff = section({
  id: text("Name").exactOptional(),
  windows: text("Set of hours: evn-legacy, qd963, or one of your own files"),
  prices: z.union([text("Price list of the tariff files, e.g. production-22-110kv"), prices]).exactOptional(),
  capacity_VND_per_kW: notNegative("Price of maximum demand, per kW and month").exactOptional(),
  load: list(
    section({
      from: localTime("Beginning, Viet Nam time"),
      to: localTime("End, not included"),
      kW: notNegative("Mean power").exactOptional(),
      kWh: notNegative("Energy, instead of power").exactOptional(),
    }).superRefine((written, context) => {
      if ((written.kW === undefined) === (written.kWh === undefined)) {
        context.addIssue({ code: "custom", message: "needs either kW or kWh" });
      }
      if (written.to <= written.from)
        context.addIssue({ code: "custom", path: ["to"], message: "must be later than from" });
    }),
    40_000,
    "What was drawn and when",
  ),
}).describe("Energy by tariff band, its cost, and maximum demand");

const powerFactor = section({
  active_kWh: notNegative("Active energy of the billing period"),
  reactive_kvarh: notNegative("Reactive energy of the billing period"),
  bill_VND: notNegative("Active energy bill").prefault(0),
}).describe("Power factor charge (Circular 15/2014/TT-BCT)");

const quota = section({
  allocated_t: z.union([notNegative("t CO2e"), z.array(notNegative("t CO2e of a year")).min(1).max(20)]),
  verified_direct_t: notNegative("Verified direct emissions of the period"),
  credits_t: notNegative("Carbon credits handed in").prefault(0),
  borrowed_t: notNegative("Quota borrowed from the next period").prefault(0),
  credit_cap: z.number().min(0).max(1).prefault(0.3).describe("Share of the allocation"),
  borrow_cap: z.number().min(0).max(1).prefault(0.15).describe("Share of the allocation"),
}).describe("Pilot quota (Decree 119/2025/ND-CP)");

const chp = section({
  emissions_t: notNegative("Emissions of the plant, t CO2e"),
  heat_TJ: notNegative("Heat delivered"),
  power_MWh: notNegative("Power delivered"),
  method: z.enum(["efficiency", "energy-content", "work-potential"]).prefault("efficiency"),
  heat_efficiency: positive("Of heat made apart, a fraction").prefault(0.8),
  power_efficiency: positive("Of power made apart, a fraction").prefault(0.35),
  supply_degC: number("Temperature of the heat, for work-potential").exactOptional(),
  surroundings_degC: number("Of the surroundings").prefault(25),
}).describe("Emissions of heat and power of one plant");

const shared = section({
  emissions_t: notNegative("Emissions of the plant, t CO2e"),
  produced: positive("Its output"),
  users: list(section({ id: text("Who"), output: notNegative("What he took") }), 2000, "Metered output by user"),
}).describe("A shared plant by metered output; the rest is the operator's");

const balanceMeter = section({
  id: text("Meter"),
  parent: text("Meter it hangs under").exactOptional(),
  amount: number("What it counted; null = not known").nullable(),
  uncertainty_pct: notNegative("95 % half-width").exactOptional(),
  classes_pct: z
    .array(positive("Accuracy class, %"))
    .min(1)
    .max(5)
    .exactOptional()
    .describe("Instead: classes of meter, CT and VT; their limits are taken as half-widths"),
});
const balance = section({
  meters: list(balanceMeter, 1000, "Main meters and sub-meters"),
}).describe("What sub-meters leave unexplained, judged against the meters' own errors");

const gap = section({
  before: number("Last reading before the gap").exactOptional(),
  after: number("First reading after it").exactOptional(),
  multiplier: positive("CT × VT × unit per count").prefault(1),
  hours: positive("Length of the gap; its profile is spread over it").exactOptional(),
  profile: z
    .array(notNegative("Weight"))
    .max(40_000)
    .prefault([])
    .describe("Shape of a comparable day, a figure an interval"),
  history: z.array(z.number()).min(2).max(1000).exactOptional().describe("Earlier values of a missing analysis"),
})
  .superRefine((written, context) => {
    const register = written.before !== undefined && written.after !== undefined;
    if (!register && written.history === undefined) {
      context.addIssue({
        code: "custom",
        message: "needs before and after of a register, or the history of an analysis",
      });
    }
  })
  .describe("Filling of a gap by register and profile, or a conservative surrogate");

export const PERFORMANCE_SECTIONS = {
  targets: targets.exactOptional(),
  change: oneOrMore(change, "Changes to split").exactOptional(),
  base_year: baseYear.exactOptional(),
  intensity: oneOrMore(intensity, "Ratios per output").exactOptional(),
  baseline: baseline.exactOptional(),
  tariff: oneOrMore(tariff, "Tariff splits").exactOptional(),
  power_factor: powerFactor.exactOptional(),
  quota: quota.exactOptional(),
  chp: oneOrMore(chp, "Heat and power plants").exactOptional(),
  shared: oneOrMore(shared, "Shared plants").exactOptional(),
  balance: balance.exactOptional(),
  gap: oneOrMore(gap, "Gaps").exactOptional(),
};

export type PerformanceSections = {
  readonly [K in keyof typeof PERFORMANCE_SECTIONS]?: Exclude<z.output<(typeof PERFORMANCE_SECTIONS)[K]>, undefined>;
};

/** `2026-03-02T08:00` in Viet Nam → ms UTC. 24:00 is the end of the day. */
function parseLocalTime(written: string): Parsed<number> {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})$/.exec(written);
  if (match === null) return wrong(`"${written}" is no time (allowed: e.g. 2026-03-02T08:00)`);
  const [, day = "", hour, minute] = match;
  const date = parseLocalDate(day);
  const minutes = Number(hour) * 60 + Number(minute);
  if (!date.ok || Number(minute) > 59 || minutes > 1440) return wrong(`"${written}" is no time of the calendar`);
  return parsed(date.value + minutes * 60_000);
}
