import { listedUncertainty } from "../../core/accounting/factors.ts";
import {
  chainHalfWidth_pct,
  combine,
  type Moved,
  quadrature,
  type UncertainSource,
} from "../../core/accounting/uncertainty.ts";
import { toNumber } from "../../core/emission/decimal.ts";
import type { EmissionFactor } from "../../core/emission/factor.ts";
import type { Bucket } from "../../core/interval/calendar.ts";
import type { EmissionSum } from "../store/store.ts";
import type { CatalogMeter } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { co2e_kg, type EmissionBooks, type GasMasses, gasMasses } from "./emissions.ts";
import { factorKey, findFactor } from "./factorUse.ts";
import type { Uncertainty } from "./schemas.ts";

/**
 * Uncertainty of a total, IPCC approach 1 at 95 % (methods §8). A meter's error is its class and its transformers' in
 * quadrature, the class limit taken as the half-width; it is systematic, so it does not shrink with the number of intervals.
 * Meters that share a factor err together in it. Unknown is null and makes the total null; what is unknown is listed.
 */
interface Cause extends Moved {
  /** Why it is not known; null if it is. */
  readonly why: string | null;
}

interface Source extends Omit<UncertainSource, "by"> {
  readonly meter: CatalogMeter;
  readonly by: readonly Cause[];
}

type Period = Pick<Bucket, "from_ms" | "to_ms">;

function meterCause(deps: Pick<ApiDeps, "store">, meter: CatalogMeter, { from_ms, to_ms }: Period): Cause {
  const key = `meter ${meter.id}`;
  const { accuracy } = meter.row;
  if (accuracy === null) {
    return { key, pct: null, why: `${meter.id}: accuracy class not stated (meter_class of its gateway's file)` };
  }
  const isFilled = deps.store.substitutions(meter.key, meter.key.device, from_ms, to_ms, 1).length > 0;
  return isFilled
    ? { key, pct: null, why: `${meter.id}: part of it is filled by a rule, whose uncertainty is not stated` }
    : { key, pct: chainHalfWidth_pct({ ...accuracy, rule: "limit" }), why: null };
}

/** Of energy: one source a meter. */
export function energyUncertainty(
  deps: Pick<ApiDeps, "store">,
  parts: readonly { readonly meter: CatalogMeter; readonly amount: number }[],
  unit: string,
  period: Period,
): Uncertainty {
  return answer(
    parts.map(({ meter, amount }) => ({ meter, name: meter.id, amount, by: [meterCause(deps, meter, period)] })),
    unit,
    [],
  );
}

/** Sources of location-based emissions: each meter once for each factor it met. */
export function emissionSources(
  deps: ApiDeps,
  books: EmissionBooks,
  meters: readonly CatalogMeter[],
  period: Period,
): readonly Source[] {
  return meters.flatMap((meter) => {
    const byFactor = new Map<string, EmissionSum[]>();
    for (const entry of [...(books.emissions.get(meter.id)?.values() ?? [])].flat()) {
      const held = byFactor.get(factorKey(entry));
      if (held === undefined) byFactor.set(factorKey(entry), [entry]);
      else held.push(entry);
    }
    if (byFactor.size === 0) return [];
    const activity = meterCause(deps, meter, period);
    return [...byFactor.values()].map((sums): Source => {
      const masses = gasMasses(sums);
      const amount = toNumber(co2e_kg(masses, books.gwp));
      const factor = findFactor(deps.factors, sums[0]!);
      const ncv = factor?.basis === "fuel_MJ" ? [ncvCause(deps, meter, factor, period)] : [];
      return {
        meter,
        name: meter.id,
        amount,
        by: [activity, ...ncv, factorCause(deps, sums[0]!, factor, masses, amount, books)],
      };
    });
  });
}

function ncvCause(deps: ApiDeps, meter: CatalogMeter, factor: EmissionFactor, { from_ms, to_ms }: Period): Cause {
  const [entry] = deps.store.emissions(meter.key, meter.key.device, from_ms, to_ms, 1, "newest");
  const own = entry?.ncv_MJ_per_Nm3 ?? null;
  if (own !== null && own !== factor.ncv?.value) {
    return { key: `ncv of ${meter.id}`, pct: null, why: `${meter.id}: uncertainty of its calorific value not stated` };
  }
  const pct = factor.ncv?.uncertainty_pct ?? null;
  const key = `ncv ${factorKey({ factorId: factor.id, factorVersion: factor.version })}`;
  return { key, pct, why: pct === null ? `${key}: none is published` : null };
}

function factorCause(
  deps: ApiDeps,
  of: EmissionSum,
  factor: EmissionFactor | null,
  masses: GasMasses,
  total_kg: number,
  { gwp }: EmissionBooks,
): Cause {
  const key = `factor ${factorKey(of)}`;
  if (factor === null) return { key, pct: null, why: `${key}: no longer in the factor files` };
  const listed = listedUncertainty(factor, isSilent(factor) ? (deps.assumedFactorUncertainty_pct ?? null) : null);
  const pct =
    listed.byGas === null
      ? listed.pct
      : quadrature(
          (["co2", "ch4", "n2o"] as const).map((gas) => {
            const kg = toNumber(co2e_kg({ [gas]: masses[gas] ?? 0n }, gwp));
            const ofGas = listed.byGas?.[gas] ?? null;
            return kg === 0 ? 0 : ofGas === null ? null : (ofGas * kg) / total_kg;
          }),
        );
  return { key, pct, why: pct === null ? `${key}: none is published` : null };
}

/** It says nothing of its uncertainty: where an assumption is configured, it stands in. */
function isSilent({ uncertainty_pct, bounds }: EmissionFactor): boolean {
  return uncertainty_pct === null && bounds === undefined;
}

export function emissionUncertainty(
  deps: ApiDeps,
  sources: readonly Source[],
  meters: readonly CatalogMeter[],
  unit: string,
): Uncertainty {
  const own = sources.filter(({ meter }) => meters.includes(meter));
  const assumed_pct = deps.assumedFactorUncertainty_pct ?? null;
  const silent = deps.factors
    .filter(isSilent)
    .map(({ id, version }) => factorKey({ factorId: id, factorVersion: version }))
    .filter((key) => own.some(({ by }) => by.some((cause) => cause.key === `factor ${key}`)));
  const assumptions =
    assumed_pct === null
      ? []
      : silent.map((key) => `${key}: ±${assumed_pct} % is assumed, none is published (assumed_factor_uncertainty_pct)`);
  return answer(own, unit, assumptions);
}

/** Of a figure that rests on contracts: what instruments cover is known by their documents only. */
export function marketUncertainty(unit: string): Uncertainty {
  return {
    ...answer([], unit, []),
    unknown: ["market-based: the uncertainty of what instruments convey is not stated"],
  };
}

function answer(sources: readonly Source[], unit: string, assumptions: readonly string[]): Uncertainty {
  const { pct, half, sources: parts, causes } = combine(sources);
  const unknown = sources.flatMap(({ amount, by }) =>
    amount === 0 ? [] : by.flatMap(({ why }) => (why === null ? [] : [why])),
  );
  return {
    pct: unknown.length > 0 ? null : pct,
    half_width: unknown.length > 0 ? null : half,
    unit,
    method: "IPCC approach 1, 95 % half-widths; the class limit is the half-width",
    sources: parts.map((part, at) => ({
      meter: part.name,
      name: sources[at]!.meter.name,
      pct: part.pct,
      contribution_pct: part.contribution_pct,
    })),
    causes: causes.map(({ key, half: half_width, contribution_pct }) => ({ key, half_width, contribution_pct })),
    unknown: [...new Set(unknown)],
    assumptions: [...assumptions],
  };
}
