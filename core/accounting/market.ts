import {
  compare,
  type Fraction,
  fraction,
  least,
  minus,
  over,
  product,
  roundFraction,
  sum,
  times,
  ZERO,
} from "../emission/fraction.ts";
import type { Span } from "./activity.ts";
import { input, type Step, step } from "./chain.ts";
import { dateText } from "./factors.ts";

/**
 * Scope 2 market-based: each consumed MWh takes the first that applies - certificates retired for the reporter, contracts
 * that convey the attributes, a supplier's rate that reflects retired certificates, the residual mix, the grid's average
 * with a statement that no residual mix exists (GHG Protocol Scope 2 Guidance, recalled; methods §3, W07).
 */
export interface Instrument {
  readonly id: string;
  readonly kind: InstrumentKind;
  readonly site: string | null;
  readonly MWh: Fraction;
  /** t CO2 per MWh it conveys. */
  readonly t_per_MWh: Fraction;
  readonly source: string;
  /** Consumption it is claimed for; null = all of the site. */
  readonly span: Span | null;
  readonly criteria: Criteria;
}

export const INSTRUMENT_KINDS = ["certificate", "contract", "supplier_rate"] as const;
export type InstrumentKind = (typeof INSTRUMENT_KINDS)[number];

/** The quality criteria of the Guidance as they are stated of one instrument. */
export interface Criteria {
  /** 1: it conveys the direct emission rate of the MWh. */
  readonly conveysRate: boolean;
  /** 2: it is the only instrument that carries the claim. */
  readonly soleClaim: boolean;
  /** 3: tracked, and redeemed, retired or cancelled by or for the reporter. */
  readonly retired: boolean;
  /** 4: year of production; null = not stated. */
  readonly vintage: number | null;
  /** 5: market it comes from, e.g. VN; null = not stated. */
  readonly market: string | null;
}

export interface Ineligible {
  readonly id: string;
  readonly why: readonly string[];
}

/** Electricity of one pool: what was drawn, and what it comes to by the grid factor of its time. */
export interface Consumption {
  readonly span: Span;
  readonly site: string | null;
  readonly MWh: Fraction;
  /** mg CO2, exact. */
  readonly location_mg: Fraction;
}

export interface MarketResult {
  readonly consumption_MWh: Fraction;
  readonly mg: bigint;
  /** t CO2 per MWh consumed; null without consumption. */
  readonly t_per_MWh: Fraction | null;
  readonly covered: readonly {
    readonly id: string;
    readonly used_MWh: Fraction;
    readonly surplus_MWh: Fraction;
    readonly mg: bigint;
  }[];
  readonly uncovered_MWh: Fraction;
  readonly ineligible: readonly Ineligible[];
  readonly residual: { readonly used: "residual mix" | "grid average"; readonly statement: string };
  readonly steps: readonly Step[];
}

const MG_PER_T = fraction(1_000_000_000n);
const OUR_MARKET = "VN";

/** Years a certificate may be older than the consumption it is claimed for. */
const VINTAGE_YEARS = 1;

export function marketBased(
  consumed: readonly Consumption[],
  instruments: readonly Instrument[],
  residual: { readonly t_per_MWh: Fraction; readonly source: string } | null,
): MarketResult {
  const ineligible: Ineligible[] = [];
  const covered: { id: string; used_MWh: Fraction; surplus_MWh: Fraction; mg: bigint }[] = [];
  const steps: Step[] = [];
  // What is still open of each consumption; instruments eat it in the order of the Guidance.
  const open = consumed.map((one) => ({ one, left_MWh: one.MWh }));
  for (const kind of INSTRUMENT_KINDS) {
    for (const instrument of instruments.filter((candidate) => candidate.kind === kind)) {
      const why = failures(instrument, consumed);
      if (why.length > 0) {
        ineligible.push({ id: instrument.id, why });
        continue;
      }
      let left_MWh = instrument.MWh;
      for (const pool of open) {
        if (!covers(instrument, pool.one)) continue;
        const used = least(left_MWh, pool.left_MWh);
        pool.left_MWh = minus(pool.left_MWh, used);
        left_MWh = minus(left_MWh, used);
      }
      const used_MWh = minus(instrument.MWh, left_MWh);
      const exact = product(used_MWh, instrument.t_per_MWh, MG_PER_T);
      covered.push({ id: instrument.id, used_MWh, surplus_MWh: left_MWh, mg: roundFraction(exact) });
      steps.push(
        step(
          instrument.id,
          "mass = covered energy × rate of the instrument",
          [
            input("covered", used_MWh, "MWh", instrument.source),
            input("rate", instrument.t_per_MWh, "t/MWh", instrument.source),
          ],
          over(exact, MG_PER_T),
          "t",
        ),
      );
    }
  }
  const uncovered_MWh = sum(open.map(({ left_MWh }) => left_MWh));
  const rest_mg =
    residual === null
      ? sum(
          open.map(({ one, left_MWh }) => (one.MWh.n === 0n ? ZERO : times(one.location_mg, over(left_MWh, one.MWh)))),
        )
      : product(uncovered_MWh, residual.t_per_MWh, MG_PER_T);
  const statement =
    residual === null
      ? "no residual mix is published for Viet Nam: the grid average stands in, and this is disclosed"
      : `residual mix: ${residual.source}`;
  steps.push(
    step(
      "uncovered",
      residual === null ? "mass = uncovered energy × grid average" : "mass = uncovered energy × residual mix",
      [input("uncovered", uncovered_MWh, "MWh", "consumption − covered")],
      over(rest_mg, MG_PER_T),
      "t",
    ),
  );
  const consumption_MWh = sum(consumed.map(({ MWh }) => MWh));
  const mg = covered.reduce((total, one) => total + one.mg, roundFraction(rest_mg));
  const t_per_MWh = consumption_MWh.n === 0n ? null : over(fraction(mg), times(consumption_MWh, MG_PER_T));
  return {
    consumption_MWh,
    mg,
    t_per_MWh,
    covered,
    uncovered_MWh,
    ineligible,
    residual: { used: residual === null ? "grid average" : "residual mix", statement },
    steps,
  };
}

function covers({ site, span }: Instrument, { site: of, span: consumed }: Consumption): boolean {
  const isThere = site === null || site === of;
  return isThere && (span === null || (span.from_ms <= consumed.from_ms && consumed.to_ms <= span.to_ms));
}

/** Which criteria the instrument fails; one that fails any of 1 to 5 counts for nothing and is listed. */
function failures(instrument: Instrument, consumed: readonly Consumption[]): readonly string[] {
  const { conveysRate, soleClaim, retired, vintage, market } = instrument.criteria;
  const pools = consumed.filter((one) => covers(instrument, one));
  const years = pools.flatMap(({ span }) => [
    Number(dateText(span.from_ms).slice(0, 4)),
    Number(dateText(span.to_ms - 1).slice(0, 4)),
  ]);
  const why: string[] = [];
  if (!conveysRate) why.push("1: does not convey the emission rate of the MWh");
  if (!soleClaim) why.push("2: is not the only instrument with this claim");
  if (!retired) why.push("3: not retired, redeemed or cancelled for the reporter");
  if (
    vintage !== null &&
    years.length > 0 &&
    (vintage > Math.max(...years) || vintage < Math.min(...years) - VINTAGE_YEARS)
  ) {
    why.push(`4: produced in ${vintage}, not close to the consumption`);
  }
  if (market !== null && market !== OUR_MARKET) why.push(`5: of the market ${market}, not ${OUR_MARKET}`);
  if (pools.length === 0) why.push("no consumption of its site lies in its period");
  return why;
}

/** MWh delivered over the grid under a direct contract: plant meter / (k × K_pp) × share (Decree 57/2025). */
export function deliveredByGrid(generation_MWh: Fraction, k: Fraction, kPp: Fraction, share: Fraction): Fraction {
  return times(over(generation_MWh, times(k, kPp)), share);
}

/** Instruments never exceed consumption: what is left over has no value and is not carried on. */
export function hasSurplus(result: MarketResult): boolean {
  return result.covered.some(({ surplus_MWh }) => compare(surplus_MWh, ZERO) > 0);
}
