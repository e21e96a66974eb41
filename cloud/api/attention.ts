import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { CARRIERS } from "../../core/emission/carriers.ts";
import type { Bucket } from "../../core/interval/calendar.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import {
  type Alarm,
  COUNTS_APART,
  type Disagreement,
  type EmissionSum,
  MESSAGES_GIVEN_UP,
  SESSIONS_TOO_MANY,
  STORED_EXCEEDS_READ,
  STORED_TWICE,
} from "../store/store.ts";
import { type CatalogMeter, emitting, mainQuantity } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { entriesOf, indexEmissions } from "./emissions.ts";
import { type EnergyIndex, energyTally, expectations, indexEnergy } from "./energy.ts";
import { findFactor } from "./factorUse.ts";
import { PlaceQuery, placeOf } from "./query.ts";
import { Attention } from "./schemas.ts";
import { type GatewaySituation, type MeterSituation, type Situation, situationOf } from "./situation.ts";
import { BACKLOG_MS, CLOCK_OFFSET_MAX_MS, newestOf, SESSIONS_NEWS_MS, type Spacings } from "./state.ts";
import type { Expectation } from "./tally.ts";
import { isoIn } from "./time.ts";

/** What needs a person. Each rule is a function over rows; the texts belong to the page. */
type Item = Omit<Attention, "since"> & { readonly since_ms: EpochMs | null };

const SEVERITIES = ["bad", "warn", "info"] as const;
/** Missing data is looked for in this much time before now. */
export const LOOK_BACK_MS = 24 * 3_600_000;

export function gatewayOffline(gateways: readonly GatewaySituation[]): readonly Item[] {
  return gateways
    .filter((gateway) => gateway.verdict.state === "bad")
    .map((gateway) => ofGateway("bad", "gateway-offline", gateway, gateway.row?.lastSeen_ms ?? null));
}

/** Only while the gateway is online: otherwise the gateway is what needs attention, once. */
export function meterSilent(meters: readonly MeterSituation[]): readonly Item[] {
  return meters
    .filter(({ verdict }) => verdict.state === "warn")
    .map(({ meter, live, verdict }) => {
      const code = verdict.why === "bad-values" ? "bad-values" : "meter-silent";
      const since_ms = live === null ? null : newestOf(live, true);
      return ofMeter("warn", code, meter, since_ms, { why: verdict.why ?? "" });
    });
}

export function backlog(gateways: readonly GatewaySituation[], now_ms: EpochMs): readonly Item[] {
  return gateways.flatMap((gateway) => {
    const oldest_ms = gateway.row?.oldestPending_ms ?? null;
    if (oldest_ms === null || now_ms - oldest_ms <= BACKLOG_MS) return [];
    return [ofGateway("info", "backlog", gateway, oldest_ms, { pending: gateway.row?.pending ?? 0 })];
  });
}

/** Its readings are dated wrongly by so much: as far as it can be told, which is while it is heard. */
export function clockOff(gateways: readonly GatewaySituation[]): readonly Item[] {
  return gateways.flatMap((gateway) => {
    const offset_ms = gateway.row?.clockOffset_ms ?? null;
    if (!gateway.isOnline || offset_ms === null || Math.abs(offset_ms) <= CLOCK_OFFSET_MAX_MS) return [];
    return [ofGateway("warn", "gateway-clock", gateway, null, { offset_ms: Math.round(offset_ms) })];
  });
}

const BEYOND_READ: readonly string[] = [STORED_EXCEEDS_READ, STORED_TWICE];

/** Intervals of which more readings are stored than were taken, per meter; of alarms raised since then. */
export function storedExceedsRead(
  meters: readonly CatalogMeter[],
  alarms: readonly Alarm[],
  since_ms: EpochMs,
): readonly Item[] {
  return intervalsOf("stored-exceeds-read", BEYOND_READ, meters, alarms, since_ms);
}

/** Intervals that do not go on from the one before, per meter; of alarms raised since then. */
export function countsApart(
  meters: readonly CatalogMeter[],
  alarms: readonly Alarm[],
  since_ms: EpochMs,
): readonly Item[] {
  return intervalsOf("counts-apart", [COUNTS_APART], meters, alarms, since_ms);
}

function intervalsOf(
  item: string,
  codes: readonly string[],
  meters: readonly CatalogMeter[],
  alarms: readonly Alarm[],
  since_ms: EpochMs,
): readonly Item[] {
  const raised = alarms.filter(({ code, at_ms }) => codes.includes(code) && at_ms >= since_ms);
  return meters.flatMap((meter) => {
    const own = raised.filter(({ gateway, device }) => gateway?.edge === meter.key.edge && device === meter.key.device);
    if (own.length === 0) return [];
    const oldest_ms = Math.min(...own.map(({ at_ms, detail }) => Number(detail.from_ms ?? at_ms)));
    return [ofMeter("warn", item, meter, oldest_ms, { intervals: own.length })];
  });
}

/** Alarms of gateways that count something, in the time looked at: their sum, since the first. */
export function alarmed(
  code: string,
  gateways: readonly GatewaySituation[],
  alarms: readonly Alarm[],
  { alarm, counts, since_ms }: { readonly alarm: string; readonly counts: string; readonly since_ms: EpochMs },
): readonly Item[] {
  const raised = alarms.filter((one) => one.code === alarm && one.at_ms >= since_ms);
  return gateways.flatMap((gateway) => {
    const own = raised.filter((one) => one.gateway?.edge === gateway.id);
    if (own.length === 0) return [];
    const sum = own.reduce((total, { detail }) => total + Number(detail[counts] ?? 0), 0);
    return [ofGateway("warn", code, gateway, Math.min(...own.map(({ at_ms }) => at_ms)), { [counts]: sum })];
  });
}

export function unassigned(gateways: readonly GatewaySituation[]): readonly Item[] {
  return gateways
    .filter((gateway) => gateway.site === null)
    .map((gateway) => ofGateway("warn", "gateway-unassigned", gateway, null));
}

/** A count per gateway that should be zero. */
export function counted(
  severity: Attention["severity"],
  code: string,
  gateways: readonly GatewaySituation[],
  countOf: (gateway: GatewaySituation) => number,
): readonly Item[] {
  return gateways.flatMap((gateway) => {
    const count = countOf(gateway);
    return count === 0 ? [] : [ofGateway(severity, code, gateway, null, { count })];
  });
}

/** One item per factor: what it stands in for is the same everywhere. */
export function provisionalFactors(
  sums: readonly EmissionSum[],
  statedOf: (sum: EmissionSum) => { readonly value: string; readonly unit: string } | null,
): readonly Item[] {
  const seen = new Map<string, Item>();
  for (const sum of sums) {
    const key = `${sum.factorId}@${sum.factorVersion}`;
    if (sum.match !== "provisional" || seen.has(key)) continue;
    const { vi, en } = CARRIERS[sum.carrier].display;
    const stated = statedOf(sum);
    seen.set(key, {
      severity: "info",
      code: "provisional-factor",
      site: null,
      gateway: null,
      meter: null,
      since_ms: null,
      params: {
        carrier: sum.carrier,
        name_vi: vi,
        name_en: en,
        factor: sum.factorId,
        version: sum.factorVersion,
        value: stated?.value ?? "",
        unit: stated?.unit ?? "",
      },
    });
  }
  return [...seen.values()];
}

/** Intervals of the last day that are not here, or hold no energy, per meter. */
export function missingData(
  meters: readonly CatalogMeter[],
  index: EnergyIndex,
  expected: ReadonlyMap<string, Expectation>,
  day: Bucket,
): readonly Item[] {
  return meters.flatMap((meter) => {
    const quantity = mainQuantity(meter);
    const own = expected.get(meter.id)!;
    // A meter that is new today is not missing since yesterday.
    if (own.first_ms === null) return [];
    const since = { from_ms: Math.max(day.from_ms, own.first_ms), to_ms: day.to_ms };
    const { elapsed_ms, rows_ms } = energyTally(index, meter, quantity, 0, since, own);
    const rows = index.get(`${meter.id} ${quantity}`)?.get(0) ?? [];
    const { interval_ms } = meter.row;
    const absent = Math.max(0, Math.round((elapsed_ms - rows_ms) / interval_ms));
    const intervals = absent + rows.reduce((sum, row) => sum + row.unknown, 0);
    if (intervals === 0) return [];
    const hours = (intervals * interval_ms) / 3_600_000;
    return [ofMeter("warn", "missing-data", meter, null, { intervals, hours, duration: `${hours} h` })];
  });
}

/** However long ago: a disagreement does not grow old. */
export function booksDisagree(
  meters: readonly CatalogMeter[],
  disagreements: readonly Disagreement[],
): readonly Item[] {
  return meters.flatMap((meter) => {
    const own = disagreements.filter((one) => one.gateway.edge === meter.key.edge && one.device === meter.key.device);
    if (own.length === 0) return [];
    const intervals = own.reduce((count, one) => count + one.intervals, 0);
    return [ofMeter("bad", "books-disagree", meter, Math.min(...own.map((one) => one.oldest_ms)), { intervals })];
  });
}

/** Activity that should have emitted and has no entry: no factor covers it. */
export function noFactor(
  meters: readonly CatalogMeter[],
  index: EnergyIndex,
  emissions: ReturnType<typeof indexEmissions>,
): readonly Item[] {
  return meters.flatMap((meter) => {
    const quantity = emitting(meter);
    if (quantity === null) return [];
    const rows = index.get(`${meter.id} ${quantity}`)?.get(0) ?? [];
    const known = rows.reduce((count, row) => count + row.rows - row.unknown, 0);
    const intervals = known - entriesOf(emissions.get(meter.id)?.get(0) ?? []);
    if (intervals <= 0) return [];
    const { vi, en } = CARRIERS[meter.row.carrier].display;
    return [
      ofMeter("bad", "no-factor", meter, null, { carrier: meter.row.carrier, name_vi: vi, name_en: en, intervals }),
    ];
  });
}

export function bySeverity<T extends Pick<Attention, "severity">>(items: readonly T[]): readonly T[] {
  return [...items].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

function ofGateway(
  severity: Attention["severity"],
  code: string,
  gateway: GatewaySituation,
  since_ms: EpochMs | null,
  params: Attention["params"] = {},
): Item {
  return { severity, code, site: gateway.site, gateway: gateway.id, meter: null, since_ms, params };
}

function ofMeter(
  severity: Attention["severity"],
  code: string,
  meter: CatalogMeter,
  since_ms: EpochMs | null,
  params: Attention["params"] = {},
): Item {
  return { severity, code, site: meter.site, gateway: meter.key.edge, meter: meter.id, since_ms, params };
}

export function attentionItems(deps: ApiDeps, situation: Situation): readonly Item[] {
  const { now_ms, gateways, alarms } = situation;
  const meters = situation.meters.map(({ meter }) => meter);
  const keys = meters.map((meter) => meter.key);
  const day = [{ from_ms: now_ms - LOOK_BACK_MS, to_ms: now_ms }] as const;
  const energy = deps.store.sumEnergy(keys, day);
  const emissions = deps.store.sumEmissions(keys, day);
  const index = indexEnergy(energy);
  const key = (gateway: GatewaySituation) => ({ group: deps.zone.id, edge: gateway.id });
  return bySeverity([
    ...gatewayOffline(gateways),
    ...booksDisagree(meters, deps.store.disagreements()),
    ...counted("bad", "batch-quarantined", gateways, (gateway) => deps.store.quarantineCount(key(gateway))),
    ...noFactor(meters, index, indexEmissions(emissions)),
    ...meterSilent(situation.meters),
    // What is still being computed is not missing.
    ...(deps.history()?.running === true ? [] : missingData(meters, index, expectations(deps, meters), day[0])),
    ...counted("warn", "dead-letters", gateways, (gateway) => deps.store.deadLetterCount(key(gateway))),
    ...unassigned(gateways),
    ...provisionalFactors(emissions, (sum) => findFactor(deps.factors, sum)?.stated ?? null),
    ...clockOff(gateways),
    ...countsApart(meters, alarms, day[0].from_ms),
    ...storedExceedsRead(meters, alarms, day[0].from_ms),
    ...alarmed("messages-given-up", gateways, alarms, {
      alarm: MESSAGES_GIVEN_UP,
      counts: "messages",
      since_ms: day[0].from_ms,
    }),
    ...alarmed("gateway-sessions", gateways, alarms, {
      alarm: SESSIONS_TOO_MANY,
      counts: "sessions",
      since_ms: now_ms - SESSIONS_NEWS_MS,
    }),
    ...backlog(gateways, now_ms),
  ]);
}

export function attentionRoutes(app: FastifyInstance, deps: ApiDeps, spacings: Spacings): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/attention",
    {
      schema: {
        tags: ["places"],
        summary: "What needs attention, the worst first",
        querystring: PlaceQuery,
        response: { 200: z.array(Attention) },
      },
    },
    async ({ query }) => {
      const { site } = placeOf(deps, query);
      return attentionItems(deps, situationOf(deps, spacings))
        .filter((item) => site === null || item.site === site.id || item.site === null)
        .map(({ since_ms, ...item }) => ({
          ...item,
          since: since_ms === null ? null : isoIn(deps.zone.time_zone, since_ms),
        }));
    },
  );
}
