import type { Interval } from "../interval/interval.ts";
import type { EpochMs } from "../reading/reading.ts";
import { type Emission, type Emitter, emissionsOf } from "./emission.ts";
import type { EmissionFactor } from "./factor.ts";

/**
 * What the entries of one interval would be with the factors known now (methods §10; Circular 38/2023/TT-BCT Art. 22).
 * Restating never changes an entry: it gives the entries that take the place of the earlier ones, all gases of the
 * interval, with the difference left to whoever compares them.
 */
export type Restated =
  /** The books stand as they are. */
  | { readonly kind: "stands" }
  /** Every gas held before is among them, with 0 mg if the new factor does not state it. */
  | { readonly kind: "restated"; readonly entries: readonly Emission[] }
  /** The entries name a factor this side does not have: it cannot say that it knows better. */
  | { readonly kind: "unknown-factor"; readonly factor: string };

/**
 * @param held entries in force of this interval; none when no factor was known when it was booked
 * @param emitter the meter as its newest birth describes it; the carrier of held entries goes before it
 */
export function restate(
  interval: Interval,
  held: readonly Emission[],
  emitter: Emitter,
  factors: readonly EmissionFactor[],
  knownAt_ms: EpochMs,
): Restated {
  const [first] = held;
  const before = first === undefined ? null : find(factors, first);
  if (first !== undefined && before === null) {
    return { kind: "unknown-factor", factor: `${first.factorId}@${first.factorVersion}` };
  }
  const computed = emissionsOf(interval, asBooked(emitter, first, before), factors, knownAt_ms);
  if (computed.kind !== "emissions") return { kind: "stands" };
  const entries = [...computed.entries];
  const [sample] = entries;
  for (const entry of held) {
    if (sample !== undefined && !entries.some(({ gas }) => gas === entry.gas)) {
      entries.push({ ...sample, gas: entry.gas, mg: 0n });
    }
  }
  const isSame = entries.length === held.length && entries.every((entry) => held.some((old) => isEqual(old, entry)));
  return isSame ? { kind: "stands" } : { kind: "restated", entries };
}

/** The calorific value a meter was given itself stays; one that came with the old factor goes with it. */
function asBooked(emitter: Emitter, held: Emission | undefined, before: EmissionFactor | null): Emitter {
  if (held === undefined) return emitter;
  const isOwn = held.ncv_MJ_per_Nm3 !== null && held.ncv_MJ_per_Nm3 !== before?.ncv?.value;
  return { ...emitter, carrier: held.carrier, ncv_MJ_per_Nm3: isOwn ? held.ncv_MJ_per_Nm3 : null };
}

function find(factors: readonly EmissionFactor[], { factorId, factorVersion }: Emission): EmissionFactor | null {
  return factors.find(({ id, version }) => id === factorId && version === factorVersion) ?? null;
}

function isEqual(a: Emission, b: Emission): boolean {
  return (
    a.gas === b.gas &&
    a.mg === b.mg &&
    a.factorId === b.factorId &&
    a.factorVersion === b.factorVersion &&
    a.match === b.match &&
    a.carrier === b.carrier &&
    a.scope === b.scope &&
    a.ncv_MJ_per_Nm3 === b.ncv_MJ_per_Nm3
  );
}
