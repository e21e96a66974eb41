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
import { vietNamDay } from "../interval/vietNam.ts";
import type { Span } from "./activity.ts";
import { input, type Step, step } from "./chain.ts";

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

/** Quality criterion 8: the absence of a residual mix is disclosed. */
export const NO_RESIDUAL_MIX =
  "no residual mix is published for Viet Nam: the grid average stands in, and this is disclosed";

/** Who took what: of each consumption what each instrument covers, and of each instrument what is used and left. */
export interface Matching<C> {
  readonly consumption: readonly {
    readonly of: C;
    readonly taken: readonly { readonly instrument: Instrument; readonly MWh: Fraction }[];
    readonly left_MWh: Fraction;
  }[];
  readonly instruments: readonly {
    readonly instrument: Instrument;
    readonly used_MWh: Fraction;
    readonly left_MWh: Fraction;
  }[];
}

type Coverable = Pick<Consumption, "span" | "site" | "MWh">;

/**
 * Instruments eat consumption, in the order of the Guidance and then of the list; each from the first consumption it covers
 * to the last. With consumption in the order of time, what is taken of a day depends on no later day: a figure of the past
 * stands when the year goes on.
 */
export function matchInstruments<C extends Coverable>(
  consumed: readonly C[],
  eligible: readonly Instrument[],
): Matching<C> {
  const open = consumed.map((of) => ({
    of,
    taken: [] as { instrument: Instrument; MWh: Fraction }[],
    left_MWh: of.MWh,
  }));
  const instruments = inOrder(eligible).map((instrument) => {
    let left_MWh = instrument.MWh;
    for (const pool of open) {
      if (left_MWh.n === 0n) break;
      if (pool.left_MWh.n === 0n || !covers(instrument, pool.of)) continue;
      const MWh = least(left_MWh, pool.left_MWh);
      pool.left_MWh = minus(pool.left_MWh, MWh);
      left_MWh = minus(left_MWh, MWh);
      pool.taken.push({ instrument, MWh });
    }
    return { instrument, used_MWh: minus(instrument.MWh, left_MWh), left_MWh };
  });
  return { consumption: open, instruments };
}

function inOrder(instruments: readonly Instrument[]): readonly Instrument[] {
  return INSTRUMENT_KINDS.flatMap((kind) => instruments.filter((one) => one.kind === kind));
}

export function marketBased(
  consumed: readonly Consumption[],
  instruments: readonly Instrument[],
  residual: { readonly t_per_MWh: Fraction; readonly source: string } | null,
): MarketResult {
  const why = new Map(instruments.map((one) => [one, failures(one, consumed)]));
  const ineligible = inOrder(instruments).flatMap((one): Ineligible[] =>
    why.get(one)!.length === 0 ? [] : [{ id: one.id, why: why.get(one)! }],
  );
  const matching = matchInstruments(
    consumed,
    instruments.filter((one) => why.get(one)!.length === 0),
  );
  const covered: { id: string; used_MWh: Fraction; surplus_MWh: Fraction; mg: bigint }[] = [];
  const steps: Step[] = [];
  for (const { instrument, used_MWh, left_MWh } of matching.instruments) {
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
  const open = matching.consumption;
  const uncovered_MWh = sum(open.map(({ left_MWh }) => left_MWh));
  const rest_mg =
    residual === null
      ? sum(open.map(({ of, left_MWh }) => (of.MWh.n === 0n ? ZERO : times(of.location_mg, over(left_MWh, of.MWh)))))
      : product(uncovered_MWh, residual.t_per_MWh, MG_PER_T);
  const statement = residual === null ? NO_RESIDUAL_MIX : `residual mix: ${residual.source}`;
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

function covers({ site, span }: Instrument, { site: of, span: consumed }: Coverable): boolean {
  const isThere = site === null || site === of;
  return isThere && (span === null || (span.from_ms <= consumed.from_ms && consumed.to_ms <= span.to_ms));
}

function failures(instrument: Instrument, consumed: readonly Consumption[]): readonly string[] {
  const pools = consumed.filter((one) => covers(instrument, one));
  const why = failedCriteria(instrument, pools.length === 0 ? null : hull(pools.map(({ span }) => span)));
  return pools.length > 0 ? why : [...why, "no consumption of its site lies in its period"];
}

function hull(spans: readonly Span[]): Span {
  return spans.reduce((all, { from_ms, to_ms }) => ({
    from_ms: Math.min(all.from_ms, from_ms),
    to_ms: Math.max(all.to_ms, to_ms),
  }));
}

/**
 * Which criteria the instrument fails; one that fails any of 1 to 5 counts for nothing and is listed.
 * @param used when the consumption is that it is claimed for; null = there is none to compare its vintage with
 */
export function failedCriteria({ criteria }: Pick<Instrument, "criteria">, used: Span | null): readonly string[] {
  const { conveysRate, soleClaim, retired, vintage, market } = criteria;
  const why: string[] = [];
  if (!conveysRate) why.push("1: does not convey the emission rate of the MWh");
  if (!soleClaim) why.push("2: is not the only instrument with this claim");
  if (!retired) why.push("3: not retired, redeemed or cancelled for the reporter");
  if (
    vintage !== null &&
    used !== null &&
    (vintage > yearOf(used.to_ms - 1) || vintage < yearOf(used.from_ms) - VINTAGE_YEARS)
  ) {
    why.push(`4: produced in ${vintage}, not close to the consumption`);
  }
  if (market !== null && market !== OUR_MARKET) why.push(`5: of the market ${market}, not ${OUR_MARKET}`);
  return why;
}

function yearOf(at_ms: number): number {
  return Number(vietNamDay(at_ms).slice(0, 4));
}

/** MWh delivered over the grid under a direct contract: plant meter / (k × K_pp) × share (Decree 57/2025). */
export function deliveredByGrid(generation_MWh: Fraction, k: Fraction, kPp: Fraction, share: Fraction): Fraction {
  return times(over(generation_MWh, times(k, kPp)), share);
}

/** Instruments never exceed consumption: what is left over has no value and is not carried on. */
export function hasSurplus(result: MarketResult): boolean {
  return result.covered.some(({ surplus_MWh }) => compare(surplus_MWh, ZERO) > 0);
}
