import { isLocalDay, type PeriodChoice } from "../period.ts";

/**
 * What the address holds: a copied link shows the same thing. Everything sits in the search part, so any static server
 * can serve the page. Defaults (this month, compared, first zone) are left out.
 */
export interface Route {
  readonly zone: string | null;
  readonly site: string | null;
  readonly period: PeriodChoice;
  readonly isCompared: boolean;
  /** Emission figure whose chain is open in the side sheet. */
  readonly why: string | null;
}

export const DEFAULT_ROUTE: Route = { zone: null, site: null, period: { kind: "month" }, isCompared: true, why: null };

const KINDS = ["today", "week", "month", "year"] as const;

/** Unknown or broken parts fall back to the default: an old link still opens. */
export function parseRoute(search: string): Route {
  const params = new URLSearchParams(search);
  return {
    zone: params.get("zone"),
    site: params.get("site"),
    period: parsePeriod(params),
    isCompared: params.get("compare") !== "off",
    why: params.get("why"),
  };
}

function parsePeriod(params: URLSearchParams): PeriodChoice {
  const kind = params.get("period");
  const from = params.get("from") ?? "";
  const to = params.get("to") ?? "";
  if (kind === "custom" && isLocalDay(from) && isLocalDay(to)) return { kind, from, to };
  return { kind: KINDS.find((known) => known === kind) ?? "month" };
}

/** The search part of the address, beginning with "?"; "./" style empty for the default route. */
export function searchOf(route: Route): string {
  const params = new URLSearchParams();
  if (route.zone !== null) params.set("zone", route.zone);
  if (route.site !== null) params.set("site", route.site);
  if (route.period.kind !== "month") params.set("period", route.period.kind);
  if (route.period.kind === "custom") {
    params.set("from", route.period.from);
    params.set("to", route.period.to);
  }
  if (!route.isCompared) params.set("compare", "off");
  if (route.why !== null) params.set("why", route.why);
  const text = params.toString();
  return text === "" ? "/" : `/?${text}`;
}
