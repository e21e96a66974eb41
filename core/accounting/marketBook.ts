import type { GasId } from "../emission/factor.ts";
import {
  type Fraction,
  fraction,
  minus,
  over,
  product,
  roundFraction,
  sum,
  times,
  ZERO,
} from "../emission/fraction.ts";
import type { Span } from "./activity.ts";
import { type Instrument, matchInstruments } from "./market.ts";

/**
 * The market-based book of metered electricity: one entry per meter, local day, source and gas, in whole milligrams, rounded
 * once. Days are matched with instruments in the order of time ({@link matchInstruments}), so days add up to months and years
 * to the digit, whichever period is asked for, and a day that is over is not changed by later ones.
 */
export type Masses = Readonly<Partial<Record<GasId, bigint>>>;

/** Electricity of one meter and day, as the location-based books have it. */
export interface DayOfMeter {
  readonly meter: string;
  readonly site: string;
  readonly span: Span;
  readonly MWh: Fraction;
  /** Location-based book entries of the day. */
  readonly mg: Masses;
  /** Own generation whose certificates were sold: grid electricity here, and nothing in the location-based figure. */
  readonly isSold: boolean;
}

export type MarketSource =
  | { readonly kind: "instrument"; readonly instrument: Instrument }
  | { readonly kind: "residual mix"; readonly mix: ResidualMix }
  | { readonly kind: "grid average" };

export interface ResidualMix {
  readonly t_per_MWh: Fraction;
  readonly source: string;
  /** Consumption it applies to; null = all. */
  readonly span: Span | null;
}

/** So much of a day's electricity from one source. */
export interface MarketPart {
  readonly source: MarketSource;
  readonly isSold: boolean;
  readonly MWh: Fraction;
  readonly mg: Masses;
}

export interface MarketDay {
  readonly day: DayOfMeter;
  readonly parts: readonly MarketPart[];
}

const MG_PER_T = fraction(1_000_000_000n);
const GRID: MarketSource = { kind: "grid average" };

/**
 * @param days in the order of time
 * @param eligible instruments that fail no quality criterion
 */
export function bookMarket(
  days: readonly DayOfMeter[],
  eligible: readonly Instrument[],
  residualMix: ResidualMix | null,
): readonly MarketDay[] {
  return matchInstruments(days, eligible).consumption.map(({ of: day, taken, left_MWh }) => {
    const { isSold } = day;
    const parts = taken.map(
      ({ instrument, MWh }): MarketPart => ({
        source: { kind: "instrument", instrument },
        isSold,
        MWh,
        mg: { co2: roundFraction(product(MWh, instrument.t_per_MWh, MG_PER_T)) },
      }),
    );
    if (left_MWh.n === 0n && taken.length > 0) return { day, parts };
    return { day, parts: [...parts, restOf(day, left_MWh, residualMix)] };
  });
}

/** What no instrument covers: of the residual mix if there is one, else its share of the location-based entries. */
function restOf(day: DayOfMeter, left_MWh: Fraction, mix: ResidualMix | null): MarketPart {
  const { isSold, MWh } = day;
  if (mix !== null && (mix.span === null || lies(day.span, mix.span))) {
    const mg = { co2: roundFraction(product(left_MWh, mix.t_per_MWh, MG_PER_T)) };
    return { source: { kind: "residual mix", mix }, isSold, MWh: left_MWh, mg };
  }
  const share = MWh.n === 0n ? fraction(1n) : over(left_MWh, MWh);
  return { source: GRID, isSold, MWh: left_MWh, mg: shareOf(day.mg, share) };
}

function lies(inner: Span, outer: Span): boolean {
  return outer.from_ms <= inner.from_ms && inner.to_ms <= outer.to_ms;
}

function shareOf(mg: Masses, share: Fraction): Masses {
  return mapMasses(mg, (mass) => roundFraction(times(fraction(mass), share)));
}

/**
 * The stretch of a day from one share of it to another (0…1). Rounded at the cuts, not in the pieces: the pieces of a day
 * add up to the day to the milligram.
 */
export function cutDay(parts: readonly MarketPart[], from: Fraction, to: Fraction): readonly MarketPart[] {
  return parts.map((part) => ({
    ...part,
    MWh: times(part.MWh, minus(to, from)),
    mg: mapMasses(
      part.mg,
      (mass) => roundFraction(times(fraction(mass), to)) - roundFraction(times(fraction(mass), from)),
    ),
  }));
}

function mapMasses(mg: Masses, change: (mass: bigint) => bigint): Masses {
  return Object.fromEntries(Object.entries(mg).map(([gas, mass]) => [gas, change(mass ?? 0n)]));
}

export function massesOf(parts: readonly MarketPart[]): Masses {
  const total: Partial<Record<GasId, bigint>> = {};
  for (const { mg } of parts) {
    for (const gas of Object.keys(mg) as GasId[]) total[gas] = (total[gas] ?? 0n) + (mg[gas] ?? 0n);
  }
  return total;
}

export function energyOf(parts: readonly MarketPart[]): Fraction {
  return parts.length === 0 ? ZERO : sum(parts.map(({ MWh }) => MWh));
}

/** Parts of the same source in one. */
export function joinParts(parts: readonly MarketPart[]): readonly MarketPart[] {
  const groups = new Map<string, MarketPart[]>();
  for (const part of parts) {
    const { source } = part;
    const key = `${source.kind} ${source.kind === "instrument" ? source.instrument.id : ""} ${part.isSold}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [part]);
    else group.push(part);
  }
  return [...groups.values()].map((group) => ({ ...group[0]!, MWh: energyOf(group), mg: massesOf(group) }));
}
