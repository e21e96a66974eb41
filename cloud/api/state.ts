import type { EpochMs } from "../../core/reading/reading.ts";
import type { LiveMeter, LiveView } from "../collector/live.ts";
import { meterId } from "../store/meterId.ts";
import type { GatewayRow } from "../store/store.ts";
import type { State } from "./schemas.ts";

/**
 * The rules by which a dot is green, yellow or red. All of them stand here.
 *
 * gateway  unknown  never heard of
 *          bad      offline
 *          warn     online, and its sessions began too often in the last SESSIONS_NEWS_MS (sessions): two with one name, or a bad
 *                   connection; or its oldest unconfirmed reading is older than BACKLOG_MS (backlog)
 *          ok       otherwise
 * meter    unknown  its gateway was never heard of, or was born less than SETTLING_MS ago and the meter has not answered yet:
 *                   a session begins with all meters dead until each has been asked once
 *          bad      its gateway is offline (gateway-offline): nothing is known of the meter now
 *          warn     the gateway is online, but the meter was declared dead or not born (offline); or its newest good value
 *                   is older than the limit (silent); or it answers and no newest value is good (bad-values)
 *          ok       otherwise
 * site     the worst of its gateways and meters; unknown if nothing is known of any
 *
 * The limit for a meter's newest good value is FRESH_PERIODS times the spacing at which its values came last, and at least
 * FRESH_MS. Ages are taken on the gateway's clock.
 */
export const SETTLING_MS = 60_000;
export const BACKLOG_MS = 5 * 60_000;
/** So long after sessions of a gateway began too often it needs a person. */
export const SESSIONS_NEWS_MS = 3_600_000;
/**
 * A gateway whose clock is off by more needs a person. Synchronised clocks are within tens of milliseconds, and what a message
 * is under way counts as an offset too; ten seconds are one per cent of a quarter of an hour.
 */
export const CLOCK_OFFSET_MAX_MS = 10_000;
export const FRESH_MS = 30_000;
export const FRESH_PERIODS = 3;
/** A longer spacing is a pause, not a rhythm. */
const SPACING_MAX_MS = 3_600_000;

export interface Verdict {
  readonly state: State;
  /** Of a meter silent | offline | bad-values | gateway-offline, of a gateway offline | sessions | backlog; null when ok or unknown. */
  readonly why: string | null;
}

const OK: Verdict = { state: "ok", why: null };
const UNKNOWN: Verdict = { state: "unknown", why: null };
const SEVERITY: Readonly<Record<State, number>> = { bad: 3, warn: 2, ok: 1, unknown: 0 };

export interface GatewayCircumstance {
  /** Null: never heard of. */
  readonly row: GatewayRow | null;
  readonly isOnline: boolean;
  /** When its sessions last began too often; null = not as far as is remembered. */
  readonly sessionsTooMany_ms: EpochMs | null;
  readonly now_ms: EpochMs;
}

export function gatewayState({ row, isOnline, sessionsTooMany_ms, now_ms }: GatewayCircumstance): Verdict {
  if (row === null || (row.lastSeen_ms === null && !isOnline)) return UNKNOWN;
  if (!isOnline) return { state: "bad", why: "offline" };
  const isContended = sessionsTooMany_ms !== null && now_ms - sessionsTooMany_ms <= SESSIONS_NEWS_MS;
  if (isContended) return { state: "warn", why: "sessions" };
  const oldest_ms = row.oldestPending_ms;
  return oldest_ms !== null && now_ms - oldest_ms > BACKLOG_MS ? { state: "warn", why: "backlog" } : OK;
}

export interface MeterCircumstance {
  readonly live: LiveMeter | null;
  readonly gateway: State;
  readonly isGatewayOnline: boolean;
  /** How long its gateway's session has lasted; null = its birth was not seen. */
  readonly sessionAge_ms: number | null;
  /** Clock of its gateway now. */
  readonly now_ms: EpochMs;
  readonly spacing_ms: number;
}

export function meterState(circumstance: MeterCircumstance): Verdict {
  const { live, gateway, isGatewayOnline, sessionAge_ms, now_ms, spacing_ms } = circumstance;
  if (gateway === "unknown") return UNKNOWN;
  if (!isGatewayOnline) return { state: "bad", why: "gateway-offline" };
  const isSettling = sessionAge_ms !== null && sessionAge_ms < SETTLING_MS;
  if (live === null || !live.online) return isSettling ? UNKNOWN : { state: "warn", why: "offline" };
  const newestGood_ms = newestOf(live, true);
  if (newestGood_ms !== null && now_ms - newestGood_ms <= freshLimit_ms(spacing_ms)) return OK;
  const newest_ms = newestOf(live, false);
  const answers = newest_ms !== null && now_ms - newest_ms <= freshLimit_ms(spacing_ms);
  if (answers) return { state: "warn", why: "bad-values" };
  return isSettling ? UNKNOWN : { state: "warn", why: "silent" };
}

export function freshLimit_ms(spacing_ms: number): number {
  return Math.max(FRESH_MS, FRESH_PERIODS * spacing_ms);
}

export function worst(states: readonly State[]): State {
  return states.reduce<State>((a, b) => (SEVERITY[b] > SEVERITY[a] ? b : a), "unknown");
}

/** Acquisition time of the newest value, or of the newest good one. */
export function newestOf(live: LiveMeter, onlyGood: boolean): EpochMs | null {
  let newest: EpochMs | null = null;
  for (const value of live.values.values()) {
    if (onlyGood && value.quality !== "good") continue;
    if (newest === null || value.at_ms > newest) newest = value.at_ms;
  }
  return newest;
}

/** Remembers at which spacing the values of each meter came last. The live view holds only the newest. */
export class Spacings {
  readonly #newest_ms = new Map<string, EpochMs>();
  readonly #spacing_ms = new Map<string, number>();

  observe(live: Pick<LiveView, "meters">): void {
    for (const meter of live.meters()) {
      const id = meterId(meter.gateway, meter.device);
      const at_ms = newestOf(meter, false);
      const before_ms = this.#newest_ms.get(id);
      if (at_ms === null || before_ms === at_ms) continue;
      this.#newest_ms.set(id, at_ms);
      const spacing_ms = before_ms === undefined ? 0 : at_ms - before_ms;
      if (spacing_ms > 0 && spacing_ms <= SPACING_MAX_MS) this.#spacing_ms.set(id, spacing_ms);
    }
  }

  of(id: string): number {
    return this.#spacing_ms.get(id) ?? 0;
  }
}
