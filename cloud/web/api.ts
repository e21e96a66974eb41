import type { Step } from "../../core/interval/calendar.ts";
import type { Attention, Emissions, Energy, Gateway, Health, Meter, Site, Trace, Zone } from "../api/schemas.ts";
import { isoLocal, type Range } from "./period.ts";

/** The server's API as the page uses it. A path is also the key of its answer in the query cache. */
const ROOT = "/api/v1";

/** RFC 9457, or the page's own words when no document came. */
export interface Problem {
  readonly kind: "answered" | "unreachable";
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code: string;
  readonly hint: string;
}

export type Answer<T> =
  | { readonly kind: "ready"; readonly data: T }
  | { readonly kind: "failed"; readonly problem: Problem };

/** A path with the type of its answer. */
export interface Query<T> {
  readonly path: string;
  /** Never set: it only carries the type. */
  readonly answer?: T;
}

const query = <T>(path: string, params: Readonly<Record<string, string | null>> = {}): Query<T> => {
  const given = Object.entries(params).flatMap(([key, value]) => (value === null ? [] : [[key, value]]));
  const search = new URLSearchParams(given).toString();
  return { path: search === "" ? `${ROOT}${path}` : `${ROOT}${path}?${search}` };
};

export interface Span {
  readonly range: Range;
  readonly timeZone: string;
}
export type Where = { readonly zone: string } | { readonly site: string };

const spanned = ({ range, timeZone }: Span): Record<string, string> => ({
  from: isoLocal(range.from_ms, timeZone),
  to: isoLocal(range.to_ms, timeZone),
});

export const LIVE_PATH = `${ROOT}/live`;
export const healthQuery = (): Query<Health> => query("/health");
export const zonesQuery = (): Query<readonly Zone[]> => query("/zones");
export const sitesQuery = (zone: string): Query<readonly Site[]> => query("/sites", { zone });
export const metersQuery = (where: Where): Query<readonly Meter[]> => query("/meters", { ...where });
export const gatewaysQuery = (zone: string): Query<readonly Gateway[]> => query("/gateways", { zone });
export const attentionQuery = (zone: string): Query<readonly Attention[]> => query("/attention", { zone });

export const energyQuery = (where: Where, span: Span, step: Step, by: "carrier" | "meter" | "site"): Query<Energy> =>
  query("/energy", { ...where, ...spanned(span), step, by });

export const emissionsQuery = (
  where: Where,
  span: Span,
  step: Step,
  by: "scope" | "carrier" | "site",
): Query<Emissions> => query("/emissions", { ...where, ...spanned(span), step, by });

export const traceQuery = (id: string): Query<Trace> => query(`/emissions/${encodeURIComponent(id)}/trace`);

/** The intervals of one meter of a trace, from the `offset`-th newest on. */
export const tracePageQuery = (id: string, meter: string, offset: number): Query<Trace> =>
  query(`/emissions/${encodeURIComponent(id)}/trace`, { meter, offset: String(offset) });

/** Fetches one answer. Never throws: what happens in the field is a value. */
export async function ask<T>(query: Query<T>, signal: AbortSignal): Promise<Answer<T>> {
  let response: Response;
  try {
    response = await fetch(query.path, { signal, headers: { accept: "application/json" }, cache: "no-store" });
  } catch {
    return { kind: "failed", problem: unreachable() };
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body !== null) return { kind: "ready", data: body as T };
  return { kind: "failed", problem: problemOf(response.status, body) };
}

const unreachable = (): Problem => ({
  kind: "unreachable",
  status: 0,
  title: "",
  detail: "",
  code: "UNREACHABLE",
  hint: "",
});

export function problemOf(status: number, body: unknown): Problem {
  const given = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (key: string): string => (typeof given[key] === "string" ? given[key] : "");
  return {
    kind: "answered",
    status,
    title: text("title") || `HTTP ${status}`,
    detail: text("detail"),
    code: text("code"),
    hint: text("hint"),
  };
}
