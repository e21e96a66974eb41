import type { Interval } from "../interval/interval.ts";
import type { DeviceDefinition } from "../model/deviceDefinition.ts";
import type { EpochMs } from "../reading/reading.ts";
import type { UnitNotation } from "../units/units.ts";
import { CARRIERS, type CarrierId } from "./carriers.ts";
import { add, type Decimal, integer, multiply, parseDecimal, roundHalfEven } from "./decimal.ts";
import { type EmissionFactor, GASES, type GasId, type GwpSet } from "./factor.ts";
import { lookupFactor } from "./lookup.ts";

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
export function emittingQuantity(emitter: Emitter): string | null {
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
  const scope = CARRIERS[emitter.carrier].scope;
  if (scope === null || interval.ticks === null || emittingQuantity(emitter) !== interval.quantity) return NONE;
  const match = lookupFactor(factors, emitter.carrier, interval.from_ms, knownAt_ms);
  if (match.kind === "none") return { kind: "no-factor", why: match.why };

  const { factor } = match;
  const ncv = factor.basis === "fuel_MJ" ? (emitter.ncv_MJ_per_Nm3 ?? factor.ncv?.value ?? null) : null;
  if (factor.basis === "fuel_MJ" && ncv === null) return { kind: "no-factor", why: "no net calorific value" };
  const activity = activityIn(factor.basis, interval.ticks, interval.tick, ncv);
  const entries: Emission[] = [];
  for (const gas of GASES) {
    const mg_per_basis = factor.mg_per_basis[gas];
    if (mg_per_basis === undefined) continue;
    entries.push({
      device: interval.device,
      from_ms: interval.from_ms,
      to_ms: interval.to_ms,
      gas,
      mg: roundHalfEven(multiply(activity, parseDecimal(mg_per_basis))),
      scope,
      carrier: emitter.carrier,
      factorId: factor.id,
      factorVersion: factor.version,
      match: match.kind,
      ncv_MJ_per_Nm3: ncv,
    });
  }
  return { kind: "emissions", entries };
}

/** Wh of electricity, or MJ of fuel on the net calorific basis; exact. */
function activityIn(
  basis: EmissionFactor["basis"],
  ticks: bigint,
  tick: { readonly amount: string; readonly unit: UnitNotation },
  ncv_MJ_per_Nm3: string | null,
): Decimal {
  const amount = multiply(integer(ticks), parseDecimal(tick.amount));
  if (basis === "energy_Wh") return multiply(amount, perUnit(tick.unit, { Wh: "1", kWh: "1000", MWh: "1000000" }));
  const volume_Nm3 = multiply(amount, perUnit(tick.unit, { Nm3: "1" }));
  return multiply(volume_Nm3, parseDecimal(ncv_MJ_per_Nm3 ?? ""));
}

function perUnit(unit: UnitNotation, table: Readonly<Partial<Record<UnitNotation, string>>>): Decimal {
  const factor = table[unit];
  if (factor === undefined) throw new RangeError(`a tick in ${unit} cannot be turned into this factor's activity`);
  return parseDecimal(factor);
}

/** CO2e of gas masses under one GWP set, exact. Biogenic CO2 is outside the scopes and adds nothing. */
export function co2e_mg(mgOf: Readonly<Partial<Record<GasId, bigint>>>, set: GwpSet): Decimal {
  let total: Decimal = { digits: 0n, scale: 0 };
  for (const gas of ["co2", "ch4", "n2o"] as const) {
    const product = multiply(integer(mgOf[gas] ?? 0n), parseDecimal(set.gwp[gas]));
    total = add(total, product);
  }
  return total;
}
