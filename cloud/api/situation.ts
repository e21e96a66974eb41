import type { EpochMs } from "../../core/reading/reading.ts";
import type { LiveMeter } from "../collector/live.ts";
import { meterId } from "../store/meterId.ts";
import { type Alarm, type GatewayRow, SESSIONS_TOO_MANY } from "../store/store.ts";
import { type CatalogMeter, catalogue } from "./catalogue.ts";
import type { ApiDeps, SiteInfo } from "./deps.ts";
import type { State } from "./schemas.ts";
import { gatewayState, meterState, newestOf, type Spacings, type Verdict, worst } from "./state.ts";

export interface GatewaySituation {
  readonly id: string;
  readonly site: string | null;
  /** Null: configured, never heard of. */
  readonly row: GatewayRow | null;
  readonly isOnline: boolean;
  readonly verdict: Verdict;
}

export interface MeterSituation {
  readonly meter: CatalogMeter;
  readonly live: LiveMeter | null;
  readonly verdict: Verdict;
  /** Clock of its gateway now. */
  readonly now_ms: EpochMs;
  readonly spacing_ms: number;
}

export interface SiteSituation {
  readonly site: SiteInfo;
  readonly state: State;
  readonly meters: readonly MeterSituation[];
  readonly lastReading_ms: EpochMs | null;
}

/** Who is well and who is not, now: one look at the store's gateways and the live values, judged by the rules of state.ts. */
export interface Situation {
  readonly now_ms: EpochMs;
  readonly gateways: readonly GatewaySituation[];
  readonly meters: readonly MeterSituation[];
  readonly sites: readonly SiteSituation[];
  /** Heard, and not born as a meter: devices of nodes that number no batches. */
  readonly others: readonly LiveMeter[];
  /** The newest ones, at most {@link ALARMS_MAX}. */
  readonly alarms: readonly Alarm[];
}

/** Newest alarms looked through. */
const ALARMS_MAX = 1000;

export function situationOf(deps: ApiDeps, spacings: Spacings): Situation {
  const now_ms = deps.clock.now_ms();
  const alarms = deps.store.alarms(ALARMS_MAX);
  const gateways = gatewaySituations(deps, alarms, now_ms);
  const gatewayOf = new Map(gateways.map((gateway) => [gateway.id, gateway]));
  const liveOf = new Map(deps.live.meters().map((live) => [meterId(live.gateway, live.device), live]));
  const meters = catalogue(deps.store, deps.zone, deps.sites).map((meter): MeterSituation => {
    const gateway = gatewayOf.get(meter.key.edge);
    const live = liveOf.get(meter.id) ?? null;
    const spacing_ms = spacings.of(meter.id);
    const atGateway_ms = now_ms + (gateway?.row?.clockOffset_ms ?? 0);
    const verdict = meterState({
      live,
      gateway: gateway?.verdict.state ?? "unknown",
      isGatewayOnline: gateway?.isOnline ?? false,
      sessionAge_ms: gateway?.row?.bornAt_ms == null ? null : now_ms - gateway.row.bornAt_ms,
      now_ms: atGateway_ms,
      spacing_ms,
    });
    return { meter, live, verdict, now_ms: atGateway_ms, spacing_ms };
  });
  const known = new Set(meters.map(({ meter }) => meter.id));
  const others = [...liveOf].flatMap(([id, live]) => (known.has(id) ? [] : [live]));
  const sites = deps.sites.map((site) => siteSituation(site, gateways, meters));
  return { now_ms, gateways, meters, sites, others, alarms };
}

/** Gateways of the configuration, then those that were heard of and stand in no site. */
function gatewaySituations(deps: ApiDeps, alarms: readonly Alarm[], now_ms: EpochMs): readonly GatewaySituation[] {
  const contended = alarms.filter(({ code }) => code === SESSIONS_TOO_MANY);
  const rows = deps.store.gateways().filter((row) => row.gateway.group === deps.zone.id);
  const known = new Map(rows.map((row) => [row.gateway.edge, row]));
  const configured = deps.sites.flatMap((site) => site.gateways.map((id) => ({ id, site: site.id })));
  const strangers = rows
    .filter((row) => !configured.some(({ id }) => id === row.gateway.edge))
    .map((row) => ({ id: row.gateway.edge, site: null }));
  return [...configured, ...strangers].map(({ id, site }) => {
    const row = known.get(id) ?? null;
    const isOnline = deps.live.isOnline({ group: deps.zone.id, edge: id });
    const sessionsTooMany_ms = contended.find(({ gateway }) => gateway?.edge === id)?.at_ms ?? null;
    return { id, site, row, isOnline, verdict: gatewayState({ row, isOnline, sessionsTooMany_ms, now_ms }) };
  });
}

function siteSituation(
  site: SiteInfo,
  gateways: readonly GatewaySituation[],
  meters: readonly MeterSituation[],
): SiteSituation {
  const own = meters.filter(({ meter }) => meter.site === site.id);
  const states = [
    ...gateways.filter((gateway) => gateway.site === site.id).map((gateway) => gateway.verdict.state),
    ...own.map(({ verdict }) => verdict.state),
  ];
  const times = own.flatMap(({ live }) => (live === null ? [] : (newestOf(live, false) ?? [])));
  return { site, state: worst(states), meters: own, lastReading_ms: times.length === 0 ? null : Math.max(...times) };
}
