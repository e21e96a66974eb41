import type { EmissionFactor } from "../../core/emission/factor.ts";
import type { EmissionSum } from "../store/store.ts";
import type { FactorUse } from "./schemas.ts";
import { localDateOf } from "./time.ts";

/** The factors behind these sums, each once, as the factor files describe them. */
export function factorsUsed(
  sums: readonly Pick<EmissionSum, "factorId" | "factorVersion" | "match" | "carrier">[],
  factors: readonly EmissionFactor[],
  timeZone: string,
): readonly FactorUse[] {
  const uses = new Map<string, FactorUse>();
  for (const sum of sums) {
    const key = `${factorKey(sum)} ${sum.match}`;
    if (!uses.has(key)) uses.set(key, factorUse(sum, factors, timeZone));
  }
  return [...uses.values()];
}

/** `<id>@<version>`: names one factor for good. */
export function factorKey(of: { readonly factorId: string; readonly factorVersion: string }): string {
  return `${of.factorId}@${of.factorVersion}`;
}

export function findFactor(
  factors: readonly EmissionFactor[],
  of: { readonly factorId: string; readonly factorVersion: string },
): EmissionFactor | null {
  return factors.find((one) => one.id === of.factorId && one.version === of.factorVersion) ?? null;
}

function factorUse(
  sum: Pick<EmissionSum, "factorId" | "factorVersion" | "match" | "carrier">,
  factors: readonly EmissionFactor[],
  timeZone: string,
): FactorUse {
  const head = { id: sum.factorId, version: sum.factorVersion, carrier: sum.carrier, match: sum.match };
  const why =
    sum.match === "provisional"
      ? `no factor published for this date; ${sum.factorId} ${sum.factorVersion} is the latest`
      : null;
  const factor = findFactor(factors, sum);
  if (factor === null) return { ...head, why: why ?? "no longer in the factor files", ...UNDESCRIBED };
  const date = (at_ms: number | null): string | null => (at_ms === null ? null : localDateOf(timeZone, at_ms));
  return {
    ...head,
    why,
    stated: factor.stated,
    document: factor.document,
    sources: [...factor.sources],
    confidence: factor.confidence,
    level: factor.level,
    valid_from: localDateOf(timeZone, factor.valid_from_ms),
    valid_to: date(factor.valid_to_ms),
    known_from: date(factor.known_from_ms),
    ncv: factor.ncv ?? null,
  };
}

/** The books name a factor that the present files do not hold: the entry stands, its description is gone. */
const UNDESCRIBED = {
  stated: { value: "", unit: "" },
  document: "",
  sources: [] as string[],
  confidence: "recalled",
  level: "own",
  valid_from: "",
  valid_to: null,
  known_from: null,
  ncv: null,
} as const;
