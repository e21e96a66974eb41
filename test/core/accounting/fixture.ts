import { loadFactors } from "../../../config/factors.ts";
import type { Activity, Book, Span } from "../../../core/accounting/activity.ts";
import { usualUse } from "../../../core/emission/carriers.ts";
import { fraction } from "../../../core/emission/fraction.ts";

const { factors, constants, refrigerants, refused, gwpSets } = loadFactors();

export const BOOK: Book = {
  factors,
  constants,
  refrigerants,
  refused,
  knownAt_ms: Date.parse("2026-11-22T00:00:00+07:00"),
};

export const AR5 = gwpSets.find(({ id }) => id === "AR5")!;

export function span(from: string, to: string): Span {
  return { from_ms: Date.parse(`${from}T00:00:00+07:00`), to_ms: Date.parse(`${to}T00:00:00+07:00`) };
}

/** A tonne of diesel burnt in 2023, but for the parts given. */
export function activity(parts: Partial<Activity> = {}): Activity {
  const carrier = parts.carrier ?? "diesel";
  return {
    id: "activity",
    site: null,
    supplier: null,
    carrier,
    use: usualUse(carrier),
    period: span("2023-01-01", "2024-01-01"),
    amount: { kind: "quantity", value: fraction(1n), unit: "t" },
    conditions: null,
    ncv: null,
    density: null,
    factor: null,
    supply: null,
    mix: null,
    biogenicShare: null,
    losses: null,
    certificatesSold_MWh: null,
    toe: null,
    coalGrade: null,
    maxPower_kW: null,
    uncertainty: { activity_pct: null, ncv_pct: null, factor_pct: null, meter: null, meterId: null },
    provenance: { kind: "stated", evidence: null },
    accepted: null,
    ...parts,
  };
}
