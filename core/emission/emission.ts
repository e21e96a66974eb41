import type { Interval } from "../interval/interval.ts";
import type { DeviceDefinition } from "../model/deviceDefinition.ts";
import type { EpochMs } from "../reading/reading.ts";
import type { QuantityId } from "../units/quantities.ts";
import { basisPerUnit, NM3_OF, propertiesOf } from "./basis.ts";
import { CARRIERS, type CarrierId } from "./carriers.ts";
import { add, type Decimal, divideHalfEven, integer, multiply, parseDecimal } from "./decimal.ts";
import { type EmissionFactor, GASES, type GasId, type GwpSet } from "./factor.ts";
import { fromText, times } from "./fraction.ts";
import { type FactorMatch, lookupFactor } from "./lookup.ts";

/**
 * A book entry: one gas of one interval of one meter, in whole milligrams, rounded once, half-even (architecture §4.7).
 * Sums over days, months and sites are sums of these integers and nothing else. CO2e is a view: gas masses × a GWP set.
 */
export interface Emission {
  readonly device: string;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly gas: GasId;
  readonly mg: bigint;
  readonly scope: 1 | 2;
  readonly carrier: CarrierId;
  readonly factorId: string;
  readonly factorVersion: string;
  readonly match: "exact" | "provisional";
  /** Calorific value used, MJ per normal m³, for fuels; null for electricity. */
  readonly ncv_MJ_per_Nm3: string | null;
}

export type EmissionResult =
  | { readonly kind: "emissions"; readonly entries: readonly Emission[] }
  /** Nothing to book: the carrier emits nothing here, the meter is no boundary meter, or the interval has no figure. */
  | { readonly kind: "none" }
  /** Must be shown: the activity is real and no factor exists for it. */
  | { readonly kind: "no-factor"; readonly why: string };

const NONE: EmissionResult = { kind: "none" };

/** What a meter's definition says about its emissions; the part of it that edge and cloud share. */
export type Emitter = Pick<DeviceDefinition, "device" | "carrier" | "role" | "parent"> & {
  readonly ncv_MJ_per_Nm3: string | null;
};

/** The counter of this meter whose intervals emit, or null: sub-meters, generation and water do not. */
export function emittingQuantity(emitter: Emitter): QuantityId | null {
  const carrier = CARRIERS[emitter.carrier];
  const isBoundary = emitter.role === "import" && emitter.parent === null;
  return isBoundary && carrier.scope !== null ? (carrier.counters[0] ?? null) : null;
}

/** Emissions of one interval. Pure: the same interval, factors and `knownAt_ms` give the same integers anywhere. */
export function emissionsOf(
  interval: Interval,
  emitter: Emitter,
  factors: readonly EmissionFactor[],
  knownAt_ms: EpochMs,
): EmissionResult {
  return openEmissions(emitter, factors, knownAt_ms)(interval);
}

/**
 * The emissions of a run of intervals of one meter: the factor is looked up once for each stretch of time in which none
 * begins or ends to apply. Gives exactly what {@link emissionsOf} gives, faster.
 */
export function openEmissions(
  emitter: Emitter,
  factors: readonly EmissionFactor[],
  knownAt_ms: EpochMs,
): (interval: Interval) => EmissionResult {
  const { scope } = CARRIERS[emitter.carrier];
  const emitting = emittingQuantity(emitter);
  if (scope === null || emitting === null) return () => NONE;
  const candidates = factors.filter(({ carrier }) => carrier === emitter.carrier);
  let stretch: Stretch | null = null;
  let rates: Rates | null = null;

  return (interval) => {
    if (interval.ticks === null || interval.quantity !== emitting) return NONE;
    const at_ms = interval.from_ms;
    if (stretch === null || at_ms < stretch.from_ms || at_ms >= stretch.to_ms) {
      stretch = stretchAt(candidates, emitter.carrier, at_ms, knownAt_ms);
      rates = null;
    }
    const { match } = stretch;
    if (match.kind === "none") return { kind: "no-factor", why: match.why };
    const { tick } = interval;
    if (
      rates === null ||
      (rates.tick !== tick && (rates.tick.amount !== tick.amount || rates.tick.unit !== tick.unit))
    ) {
      rates = ratesOf(match.factor, emitter, tick);
    }
    if (rates.perTick === null) return { kind: "no-factor", why: "no net calorific value" };
    return {
      kind: "emissions",
      entries: rates.perTick.map((rate) => entryOf(interval, interval.ticks!, rate, match, rates!)),
    };
  };

  function entryOf(interval: Interval, ticks: bigint, rate: Rate, match: Found, { ncv }: Rates): Emission {
    return {
      device: interval.device,
      from_ms: interval.from_ms,
      to_ms: interval.to_ms,
      gas: rate.gas,
      mg: rounded(ticks, rate),
      scope: scope!,
      carrier: emitter.carrier,
      factorId: match.factor.id,
      factorVersion: match.factor.version,
      match: match.kind,
      ncv_MJ_per_Nm3: ncv,
    };
  }
}

type Found = Exclude<FactorMatch, { kind: "none" }>;

/** A stretch of time with one answer to which factor applies. */
interface Stretch {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly match: FactorMatch;
}

function stretchAt(
  factors: readonly EmissionFactor[],
  carrier: CarrierId,
  at_ms: EpochMs,
  knownAt_ms: EpochMs,
): Stretch {
  let from_ms = Number.NEGATIVE_INFINITY;
  let to_ms = Number.POSITIVE_INFINITY;
  for (const { valid_from_ms, valid_to_ms } of factors) {
    for (const edge_ms of [valid_from_ms, valid_to_ms ?? Number.POSITIVE_INFINITY]) {
      if (edge_ms <= at_ms) from_ms = Math.max(from_ms, edge_ms);
      else to_ms = Math.min(to_ms, edge_ms);
    }
  }
  return { from_ms, to_ms, match: lookupFactor(factors, carrier, at_ms, knownAt_ms) };
}

/** mg of one gas of one tick, exact: n / d. */
interface Rate {
  readonly gas: GasId;
  readonly n: bigint;
  readonly d: bigint;
  /** The same as numbers where they are safe integers, else NaN. */
  readonly n_number: number;
  readonly d_number: number;
}

interface Rates {
  readonly tick: Interval["tick"];
  /** null = the calorific value is not known. */
  readonly perTick: readonly Rate[] | null;
  readonly ncv: string | null;
}

function ratesOf(factor: EmissionFactor, emitter: Emitter, tick: Interval["tick"]): Rates {
  const own = propertiesOf(factor);
  const isVolume = NM3_OF[tick.unit] !== undefined;
  const stated = isVolume && factor.ncv?.unit === "MJ/Nm3" ? factor.ncv.value : null;
  const ncv = factor.basis === "fuel_MJ" && isVolume ? (emitter.ncv_MJ_per_Nm3 ?? stated) : null;
  const perUnit = basisPerUnit(factor.basis, tick.unit, factor.carrier, {
    ...own,
    ncv_MJ_per_Nm3: ncv === null ? own.ncv_MJ_per_Nm3 : fromText(ncv),
  });
  if (perUnit.kind === "lacks") return { tick, perTick: null, ncv };
  if (perUnit.kind === "unfit") {
    throw new RangeError(`a tick in ${tick.unit} cannot be turned into this factor's activity`);
  }
  const basisPerTick = times(fromText(tick.amount), perUnit.perUnit);
  const perTick = GASES.flatMap((gas): Rate[] => {
    const mg_per_basis = factor.mg_per_basis[gas];
    if (mg_per_basis === undefined) return [];
    const { n, d } = times(basisPerTick, fromText(mg_per_basis));
    return [{ gas, n, d, n_number: safe(n), d_number: safe(d) }];
  });
  return { tick, perTick, ncv };
}

function safe(value: bigint): number {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.NaN;
}

/** ticks × n / d, half-even. In doubles while every step is an exact integer below 2^53, else in bigints: the same integer. */
function rounded(ticks: bigint, { n, d, n_number, d_number }: Rate): bigint {
  const product = Number(ticks) * n_number;
  if (!(product <= Number.MAX_SAFE_INTEGER && product >= 0 && d_number <= HALF_SAFE))
    return divideHalfEven(ticks * n, d);
  const remainder = product % d_number;
  const quotient = (product - remainder) / d_number;
  const twice = remainder * 2;
  return BigInt(twice > d_number || (twice === d_number && quotient % 2 === 1) ? quotient + 1 : quotient);
}

const HALF_SAFE = Number.MAX_SAFE_INTEGER / 2;

/** CO2e of gas masses under one GWP set, exact. Biogenic CO2 is outside the scopes and adds nothing. */
export function co2e_mg(mgOf: Readonly<Partial<Record<GasId, bigint>>>, set: GwpSet): Decimal {
  let total: Decimal = { digits: 0n, scale: 0 };
  for (const gas of ["co2", "ch4", "n2o"] as const) {
    const product = multiply(integer(mgOf[gas] ?? 0n), parseDecimal(set.gwp[gas]));
    total = add(total, product);
  }
  return total;
}
