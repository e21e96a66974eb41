import { divideHalfEven } from "../emission/decimal.ts";
import type { EpochMs } from "../reading/reading.ts";

/**
 * What stands in for a stretch without measurement: the rules of methods §9, first that applies. Raw data stay untouched;
 * each fill is an entry of its own with rule, inputs, author and time, and travels as flag S or E to every total.
 *
 * Units    ticks of the counter, one amount for each interval of the gap, in order. Whatever the rule knows as a sum is
 *          conserved to the tick.
 * Limits   a gap of at most 40,000 intervals (a year of quarter hours).
 */
export const GAP_RULES = [
  /** 1 The register lived on: the sum is exact, only its shape is estimated. */
  "register",
  /** 2 A check meter, the supplier's meter, or main less the other subs. */
  "redundant-meter",
  /** 3 At most two hours of a power-like signal: a straight line between the powers on both sides. */
  "interpolation",
  /** 4 The mean of the last four comparable weeks, corrected by production where it is known. */
  "comparable-weeks",
  /** 5 The supplier's invoice of the period, spread by a profile. */
  "invoice",
  /** 6 An estimate on the upper side from output, load or temperature: never too little. */
  "conservative",
] as const;
export type GapRule = (typeof GAP_RULES)[number];

export interface Gap {
  readonly device: string;
  readonly quantity: string;
  readonly intervals: readonly { readonly from_ms: EpochMs; readonly to_ms: EpochMs }[];
}

/** What is known about a gap; whatever is not known is left out. */
export interface GapEvidence {
  readonly register?: { readonly before: bigint; readonly after: bigint; readonly weights: readonly number[] };
  readonly redundantMeter?: { readonly source: string; readonly ticks: readonly bigint[] };
  /** Mean rates next to the gap, ticks per second. Only for power-like signals: a pulse counter of batches is none. */
  readonly neighbours?: { readonly before_ticks_per_s: number; readonly after_ticks_per_s: number };
  readonly comparableWeeks?: {
    /** The gap's intervals one, two, three, four weeks earlier; at least {@link COMPARABLE_WEEKS}. */
    readonly weeks: readonly (readonly bigint[])[];
    /** Production of the gap ÷ mean production of those weeks; null when it is not known. */
    readonly productionRatio: number | null;
  };
  readonly invoice?: { readonly document: string; readonly total: bigint; readonly weights: readonly number[] };
  readonly conservative?: { readonly method: string; readonly document: string; readonly ticks: readonly bigint[] };
}

export interface Substitution {
  readonly rule: GapRule;
  /** Flag of the intervals. The sum of a `register` fill is computed from measured values all the same. */
  readonly flag: "S" | "E";
  /** The sum over the gap is exact; only its distribution is estimated. */
  readonly isSumMeasured: boolean;
  readonly ticks: readonly bigint[];
  /** What the rule was given, as text for the ledger. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly author: string;
  readonly at_ms: EpochMs;
}

/** Nothing plausible: the gap stays X and totals over it are lower bounds. */
export type Fill =
  | { readonly kind: "filled"; readonly substitution: Substitution }
  | { readonly kind: "left-missing"; readonly tried: readonly { readonly rule: GapRule; readonly why: string }[] };

export const INTERPOLATION_MAX_MS = 2 * 3_600_000;
export const COMPARABLE_WEEKS = 4;
const INTERVALS_MAX = 40_000;

type Attempt =
  | { readonly kind: "applies"; readonly ticks: readonly bigint[]; readonly inputs: Readonly<Record<string, string>> }
  | { readonly kind: "not"; readonly why: string };

const ATTEMPTS: Readonly<Record<GapRule, (gap: Gap, evidence: GapEvidence) => Attempt>> = {
  register: fromRegister,
  "redundant-meter": fromRedundantMeter,
  interpolation: fromNeighbours,
  "comparable-weeks": fromComparableWeeks,
  invoice: fromInvoice,
  conservative: fromConservative,
};

const ESTIMATES: ReadonlySet<GapRule> = new Set(["invoice", "conservative"]);

/**
 * Fills the gap by the first rule that applies.
 * @throws {RangeError} for a gap without intervals or with too many, or evidence with another number of intervals.
 */
export function fillGap(gap: Gap, evidence: GapEvidence, author: string, at_ms: EpochMs): Fill {
  const count = gap.intervals.length;
  if (count === 0 || count > INTERVALS_MAX) throw new RangeError(`a gap of ${count} intervals`);
  const tried: { rule: GapRule; why: string }[] = [];
  for (const rule of GAP_RULES) {
    const attempt = ATTEMPTS[rule](gap, evidence);
    if (attempt.kind === "not") {
      tried.push({ rule, why: attempt.why });
      continue;
    }
    const { ticks, inputs } = attempt;
    const flag = ESTIMATES.has(rule) ? "E" : "S";
    return {
      kind: "filled",
      substitution: { rule, flag, isSumMeasured: rule === "register", ticks, inputs, author, at_ms },
    };
  }
  return { kind: "left-missing", tried };
}

function fromRegister(gap: Gap, { register }: GapEvidence): Attempt {
  if (register === undefined) return not("no reading on both sides of the gap");
  const total = register.after - register.before;
  if (total < 0n) return not("the register stands lower after the gap: reset or replaced");
  const { before, after } = register;
  return {
    kind: "applies",
    ticks: spreadOver(gap, total, register.weights),
    inputs: { before: String(before), after: String(after) },
  };
}

function fromRedundantMeter(gap: Gap, { redundantMeter }: GapEvidence): Attempt {
  if (redundantMeter === undefined) return not("no other meter measures the same");
  assertCount(gap, redundantMeter.ticks.length, "the redundant meter");
  const negative = redundantMeter.ticks.findIndex((ticks) => ticks < 0n);
  if (negative >= 0) return not("main less the other subs is negative: they do not measure the same");
  return { kind: "applies", ticks: redundantMeter.ticks, inputs: { source: redundantMeter.source } };
}

function fromNeighbours(gap: Gap, { neighbours }: GapEvidence): Attempt {
  const from_ms = gap.intervals[0]!.from_ms;
  const length_ms = gap.intervals.at(-1)!.to_ms - from_ms;
  if (neighbours === undefined) return not("no rate on both sides of the gap");
  if (length_ms > INTERPOLATION_MAX_MS) return not("longer than two hours");
  const { before_ticks_per_s: first, after_ticks_per_s: last } = neighbours;
  const rateAt = (at_ms: EpochMs) => first + ((last - first) * (at_ms - from_ms)) / length_ms;
  const exact = gap.intervals.map(({ from_ms: a, to_ms: b }) => (((rateAt(a) + rateAt(b)) / 2) * (b - a)) / 1000);
  return {
    kind: "applies",
    ticks: roundedInRun(exact),
    inputs: { before_ticks_per_s: String(first), after_ticks_per_s: String(last) },
  };
}

function fromComparableWeeks(gap: Gap, { comparableWeeks }: GapEvidence): Attempt {
  if (comparableWeeks === undefined) return not("no earlier weeks");
  const { weeks, productionRatio } = comparableWeeks;
  for (const week of weeks) assertCount(gap, week.length, "a comparable week");
  if (weeks.length < COMPARABLE_WEEKS) return not(`${weeks.length} comparable weeks, ${COMPARABLE_WEEKS} are needed`);
  const recent = weeks.slice(0, COMPARABLE_WEEKS);
  const means = gap.intervals.map((_, i) => Number(recent.reduce((sum, week) => sum + week[i]!, 0n)) / recent.length);
  return {
    kind: "applies",
    ticks: roundedInRun(means.map((mean) => mean * (productionRatio ?? 1))),
    inputs: {
      weeks: String(recent.length),
      productionRatio: productionRatio === null ? "unknown" : String(productionRatio),
    },
  };
}

function fromInvoice(gap: Gap, { invoice }: GapEvidence): Attempt {
  if (invoice === undefined) return not("no invoice");
  if (invoice.total < 0n) return not("the invoice is negative");
  return {
    kind: "applies",
    ticks: spreadOver(gap, invoice.total, invoice.weights),
    inputs: { document: invoice.document, total: String(invoice.total) },
  };
}

function fromConservative(gap: Gap, { conservative }: GapEvidence): Attempt {
  if (conservative === undefined) return not("no estimate");
  assertCount(gap, conservative.ticks.length, "the estimate");
  const { method, document, ticks } = conservative;
  return { kind: "applies", ticks, inputs: { method, document } };
}

/** A whole over the gap in the shape of a profile, adding up to the tick; by time where there is no shape. */
export function spreadOver(gap: Gap, total: bigint, weights: readonly number[]): readonly bigint[] {
  return spread(total, weightsFor(gap, weights));
}

/** Weights of a reference profile; without one, or when it is zero throughout, by time. */
function weightsFor(gap: Gap, weights: readonly number[]): readonly number[] {
  const bad = weights.find((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (bad !== undefined) throw new RangeError(`a profile with a weight of ${bad}`);
  if (weights.length > 0) assertCount(gap, weights.length, "the profile");
  const hasShape = weights.some((weight) => weight > 0);
  return hasShape ? weights : gap.intervals.map(({ from_ms, to_ms }) => to_ms - from_ms);
}

/** Parts of a whole in proportion to the weights; they add up to the whole, because the running sum is what is rounded. */
function spread(total: bigint, weights: readonly number[]): readonly bigint[] {
  const heaviest = weights.reduce((max, weight) => Math.max(max, weight), 0);
  const parts = weights.map((weight) => BigInt(Math.round((weight / heaviest) * WEIGHT_STEPS)));
  const whole = parts.reduce((sum, part) => sum + part, 0n);
  let seen = 0n;
  let given = 0n;
  return parts.map((part) => {
    seen += part;
    const upTo = divideHalfEven(total * seen, whole);
    const ticks = upTo - given;
    given = upTo;
    return ticks;
  });
}

/** Weights are taken in steps of this part of the heaviest. */
const WEIGHT_STEPS = 1_000_000_000;

/** Rounds a run so that its sum is the rounded sum: no drift over thousands of intervals. */
function roundedInRun(exact: readonly number[]): readonly bigint[] {
  let seen = 0;
  let given = 0n;
  return exact.map((value) => {
    seen += Math.max(0, value);
    const upTo = BigInt(Math.round(seen));
    const ticks = upTo - given;
    given = upTo;
    return ticks;
  });
}

function assertCount(gap: Gap, count: number, what: string): void {
  if (count !== gap.intervals.length) {
    throw new RangeError(`${what} has ${count} intervals, the gap ${gap.intervals.length}`);
  }
}

function not(why: string): Attempt {
  return { kind: "not", why };
}

/**
 * Surrogate for a missing analysis or concentration: mean + 2·s of the preceding comparable data, s with n − 1 (in the
 * spirit of EU MRR Art. 65-66). Never too little. @throws {RangeError} for fewer than two values.
 */
export function conservativeSurrogate(history: readonly number[]): { mean: number; s: number; surrogate: number } {
  const n = history.length;
  if (n < 2) throw new RangeError(`${n} earlier values have no spread`);
  const mean = history.reduce((sum, value) => sum + value, 0) / n;
  const s = Math.sqrt(history.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  return { mean, s, surrogate: mean + 2 * s };
}
