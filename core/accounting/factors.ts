import { energyPerUnit, MJ_OF } from "../emission/basis.ts";
import { CARRIERS, type CarrierId } from "../emission/carriers.ts";
import type { EmissionFactor } from "../emission/factor.ts";
import { compare, type Fraction, fraction, fromText, over, times, ZERO } from "../emission/fraction.ts";
import { lookupForUse, type UseMatch } from "../emission/lookup.ts";
import { factorUse, USES, type UseId } from "../emission/uses.ts";
import { vietNamDay } from "../interval/vietNam.ts";
import type { Activity, Book, OwnFactor, Span } from "./activity.ts";
import { refuse } from "./refuse.ts";
import type { FactorUncertainty, FactorUsed } from "./result.ts";

/** A stretch of the activity's period to which one factor applies, and its share of the amount. */
export interface FactorStretch {
  readonly span: Span;
  readonly share: Fraction;
  readonly match: Exclude<UseMatch, { kind: "none" }>;
}

/**
 * The period cut where another factor begins to apply. An amount stated for a period that two factors share is divided by
 * time, which is said; a meter would know better.
 */
export function factorStretches(activity: Activity, book: Book): readonly FactorStretch[] {
  const { carrier, use, period } = activity;
  const factors = book.factors.filter((factor) => factor.carrier === carrier);
  const edges = [period.from_ms, ...innerEdges(factors, period), period.to_ms];
  const found: { span: Span; match: FactorStretch["match"] }[] = [];
  for (const [at, from_ms] of edges.slice(0, -1).entries()) {
    const to_ms = edges[at + 1]!;
    const match = lookupForUse(factors, carrier, use, from_ms, book.knownAt_ms);
    if (match.kind === "none") refuseMissing(activity, from_ms, book);
    const last = found.at(-1);
    if (last !== undefined && last.match.factor === match.factor && last.match.kind === match.kind) {
      found[found.length - 1] = { span: { from_ms: last.span.from_ms, to_ms }, match: last.match };
    } else found.push({ span: { from_ms, to_ms }, match });
  }
  const length_ms = BigInt(period.to_ms - period.from_ms);
  return found.map(({ span, match }) => ({
    span,
    match,
    share: fraction(BigInt(span.to_ms - span.from_ms), length_ms),
  }));
}

function innerEdges(factors: readonly EmissionFactor[], { from_ms, to_ms }: Span): readonly number[] {
  const edges = factors.flatMap((factor) => [factor.valid_from_ms, factor.valid_to_ms ?? from_ms]);
  return [...new Set(edges.filter((at_ms) => at_ms > from_ms && at_ms < to_ms))].sort((a, b) => a - b);
}

/** What exists, said instead of guessing. */
function refuseMissing({ carrier, use, period }: Activity, at_ms: number, book: Book): never {
  const known = book.factors.filter((f) => f.carrier === carrier && (f.known_from_ms ?? 0) <= book.knownAt_ms);
  if (known.length === 0) {
    refuse("factor", `no list has a factor for ${carrier}: state one with its source`, "FACTOR_MISSING");
  }
  const uses = [...new Set(known.flatMap((f) => (f.use === undefined ? [] : [f.use])))];
  const fitting = known.filter((f) => f.use === undefined || f.use === factorUse(use));
  if (fitting.length === 0) {
    refuse(
      "use",
      `no list has a ${carrier} factor for ${use} (allowed: ${uses.join(", ")}), or state one with its source`,
      "FACTOR_MISSING",
    );
  }
  const first_ms = Math.min(...fitting.map((f) => f.valid_from_ms));
  const asked = at_ms === period.from_ms ? vietNamDay(at_ms) : `${vietNamDay(at_ms)}, inside the period`;
  refuse(
    "period",
    `no ${carrier} factor applies on ${asked}: ${[...new Set(fitting.map((f) => f.id))].join(", ")} exist from ${vietNamDay(first_ms)} on`,
    "FACTOR_MISSING",
  );
}

export function listedFactor(match: FactorStretch["match"]): FactorUsed {
  const { factor } = match;
  return {
    id: factor.id,
    version: factor.version,
    match: match.kind,
    why: match.kind === "exact" ? null : match.why,
    value: factor.stated.value,
    unit: factor.stated.unit,
    source: factor.document,
    confidence: factor.confidence,
    level: factor.level,
  };
}

export function statedFactor(own: OwnFactor): FactorUsed {
  return {
    id: "own",
    version: null,
    match: "own",
    why: null,
    value: own.stated.value,
    unit: own.stated.unit,
    source: own.source,
    confidence: "stated",
    level: "own",
  };
}

/** A figure of the lists that must never be used is refused in a calculation as it is in a factor file. */
export function assertNotRefused(own: OwnFactor, carrier: CarrierId, book: Book): void {
  const perMJ = carrier === "electricity" ? energyPerUnit(own.per) : null;
  // Whatever unit it hides in: 681.1 kg/MWh is the same figure as 0.6811 t/MWh.
  if (perMJ !== null) return assertRateNotRefused(t_per_MWh(own.mgPer.co2 ?? ZERO, perMJ), "factor.value", book);
  const hit = book.refused.find(
    (refused) => refused.carrier === carrier && Number(refused.value) === Number(own.stated.value),
  );
  if (hit !== undefined) refuse("factor.value", `${own.stated.value} must not be used: ${hit.why}`);
}

/** The same for a rate of electricity that stands elsewhere: an instrument's, a residual mix. */
export function assertRateNotRefused(rate_t_per_MWh: Fraction, key: string, book: Book): void {
  const hit = book.refused.find(
    ({ carrier, value }) => carrier === "electricity" && compare(fromText(value), rate_t_per_MWh) === 0,
  );
  if (hit !== undefined) refuse(key, `${hit.value} t/MWh must not be used: ${hit.why}`);
}

const MG_PER_T = fraction(1_000_000_000n);

function t_per_MWh(mg: Fraction, perMJ: Fraction): Fraction {
  return over(times(mg, over(MJ_OF.MWh, perMJ)), MG_PER_T);
}

export function listedUncertainty(factor: EmissionFactor, stated_pct: number | null): FactorUncertainty {
  const key = `factor ${factor.id}@${factor.version}`;
  if (stated_pct !== null) return { key, pct: stated_pct, byGas: null };
  if (factor.bounds === undefined) return { key, pct: factor.uncertainty_pct, byGas: null };
  const gases = Object.keys(factor.mg_per_basis) as (keyof EmissionFactor["mg_per_basis"])[];
  const byGas = Object.fromEntries(
    gases.map((gas) => [
      gas,
      gas.startsWith("co2") && factor.uncertainty_pct !== null ? factor.uncertainty_pct : halfWidth_pct(factor, gas),
    ]),
  );
  return { key, pct: null, byGas };
}

/** Asymmetric limits: half of their distance (methods §8). */
function halfWidth_pct(factor: EmissionFactor, gas: keyof EmissionFactor["mg_per_basis"]): number | null {
  const bounds = factor.bounds?.[gas];
  const mg = factor.mg_per_basis[gas];
  // Bounds are in the unit stated, and only fuels have them: kg/TJ is mg/MJ.
  if (bounds === undefined || mg === undefined || Number(mg) === 0) return null;
  return ((Number(bounds.upper) - Number(bounds.lower)) / 2 / Number(mg)) * 100;
}

/** Amount × share of the period. */
export function shareOf(amount: Fraction, { share }: FactorStretch): Fraction {
  return times(amount, share);
}

export function useText(carrier: CarrierId, use: UseId): string {
  return CARRIERS[carrier].uses.length > 1
    ? `${CARRIERS[carrier].display.en}, ${USES[use].display.en}`
    : CARRIERS[carrier].display.en;
}
