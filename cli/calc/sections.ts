import type { CalcConfig } from "../../config/files/calc.ts";
import type { TariffFile } from "../../config/files/tariff.ts";
import { type Account, type AccountProblem, account, restate } from "../../core/accounting/account.ts";
import type { Book } from "../../core/accounting/activity.ts";
import { combine } from "../../core/accounting/uncertainty.ts";
import type { FullGwpSet } from "../../core/emission/factor.ts";
import { type Fraction, fraction, fractionNumber, over, plus, sum, times } from "../../core/emission/fraction.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { performanceResults } from "./performance.ts";
import { kg, uncertaintyJson } from "./report.ts";

/**
 * What the sections of a calculation file beside its activities come to. One entry a section: the key of its result, and how
 * it is worked out. A section that finds a mistake throws it as a problem at its own key.
 */
export interface SectionInput {
  readonly config: CalcConfig;
  readonly account: Account | null;
  readonly book: Book;
  readonly gwp: FullGwpSet;
  readonly tariffs: TariffFile;
}

export interface SectionResult {
  readonly key: string;
  readonly json: unknown;
  /** Lines for the terminal: label and value. */
  readonly lines: readonly (readonly [string, string])[];
}

export type SectionOutcome = SectionResult | { readonly problem: { readonly path: string; readonly message: string } };

type Run = (input: SectionInput) => SectionOutcome | null;

/** The zone is worked out with the activities (`account`). */
const RUNS: readonly Run[] = [statedUncertainty, restatement];

export function runSections(input: SectionInput): readonly SectionOutcome[] {
  return [...RUNS.flatMap((run) => run(input) ?? []), ...judgements(input)];
}

/** Targets, baselines, costs, allocation, balances, gaps. */
function judgements({ config, tariffs }: SectionInput): readonly SectionOutcome[] {
  try {
    const results = performanceResults(config.sections, tariffs);
    return Object.entries(results).map(([key, json]) => ({ key, json, lines: linesOf(key, json) }));
  } catch (error) {
    if (!(error instanceof KhuXanhError)) throw error;
    const path = String(error.context.section ?? "");
    return [{ problem: { path, message: error.message.replace(` [${error.code}]`, "").replace(`${path}: `, "") } }];
  }
}

/** Every figure of a result with the way to it, six significant figures; lists go by the ids of their entries. */
function linesOf(label: string, value: unknown): readonly (readonly [string, string])[] {
  if (typeof value === "number") return [[label, String(Number(value.toPrecision(6)))]];
  if (typeof value === "string" || typeof value === "boolean" || value === null) {
    return [[label, value === null ? "–" : String(value)]];
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return [[label, "none"]];
    if (value.every((one) => typeof one === "number")) {
      return [[label, value.map((one) => String(Number(one.toPrecision(6)))).join(", ")]];
    }
    return value.flatMap((one, at) => linesOf(value.length === 1 ? label : `${label} ${nameOf(one, at)}`, one));
  }
  const parts = Object.entries(value as Record<string, unknown>).filter(([key]) => !NAME_KEYS.includes(key));
  return parts.flatMap(([key, part]) => linesOf(`${label} ${key}`, part));
}

const NAME_KEYS = ["id", "name", "year"];

function nameOf(value: unknown, at: number): string {
  const named = value as Readonly<Record<string, unknown>> | null;
  return String(NAME_KEYS.map((key) => named?.[key]).find((name) => name !== undefined) ?? at + 1);
}

/** Sources with stated emissions, W20. */
function statedUncertainty({ config }: SectionInput): SectionOutcome | null {
  const written = config.sections.uncertainty;
  if (written === undefined) return null;
  const result = combine(
    written.sources.map((source) => ({
      name: source.name,
      amount: fractionNumber(source.t) * 1000,
      by: [
        { key: `activity ${source.name}`, pct: source.activity_pct ?? null },
        ...(source.ncv_pct === undefined ? [] : [{ key: `ncv ${source.name}`, pct: source.ncv_pct }]),
        { key: `factor ${source.factor ?? source.name}`, pct: source.factor_pct ?? null },
      ],
    })),
  );
  const pct = result.pct === null ? "unknown" : `± ${result.pct.toFixed(3)} %`;
  return {
    key: "uncertainty_of_sources",
    json: uncertaintyJson(result),
    lines: [["Uncertainty of the stated sources", pct]],
  };
}

const MG_PER_T = fraction(1_000_000_000n);

/** A factor replaced: before and after both stand, and the difference is said (W23). */
function restatement({ config, account: before, book, gwp }: SectionInput): SectionOutcome | null {
  const written = config.sections.restatement;
  if (written === undefined) return null;
  const at = config.activities.findIndex(({ id }) => id === written.activity);
  if (at < 0 || before === null) {
    const ids = config.activities.map(({ id }) => id).join(", ");
    return {
      problem: { path: "restatement.activity", message: `no activity "${written.activity}" (allowed: ${ids})` },
    };
  }
  const activities = config.activities.map((activity, place) =>
    place === at ? { ...activity, factor: written.factor } : activity,
  );
  const outcome = account(
    { activities, gwp, instruments: config.instruments, residualMix: config.residualMix, zone: null },
    book,
  );
  if (outcome.kind === "problems")
    return { problem: { path: "restatement.factor", message: plainProblem(outcome.problems) } };
  const { before_mg, after_mg, delta_mg } = restate(before, outcome.account);
  const other_mg = times(written.other_emissions_t, MG_PER_T);
  const total = (mg: Fraction): Fraction => sum([mg, other_mg]);
  const whole = plus(before_mg, other_mg);
  const delta_pct = whole.n === 0n ? null : fractionNumber(times(over(delta_mg, whole), fraction(100n)));
  const json = {
    activity: written.activity,
    before_kg: kg(total(before_mg)),
    after_kg: kg(total(after_mg)),
    delta_kg: kg(delta_mg),
    delta_pct,
    material: delta_pct !== null && Math.abs(delta_pct) >= written.significance_pct,
    reason: `factor of ${written.activity}: ${written.factor.stated.value} ${written.factor.stated.unit} (${written.factor.source})`,
  };
  return {
    key: "restatement",
    json,
    lines: [
      [
        "Restated",
        `${(json.before_kg / 1000).toFixed(3)} t → ${(json.after_kg / 1000).toFixed(3)} t (${(json.delta_kg / 1000).toFixed(3)} t${json.material ? ", material" : ""})`,
      ],
    ],
  };
}

function plainProblem(problems: readonly AccountProblem[]): string {
  return problems.map(({ error }) => error.message.replace(` [${error.code}]`, "")).join("; ");
}
