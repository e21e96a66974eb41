import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { EpochMs } from "../../core/reading/reading.ts";
import { QUANTITIES, quantityOfWire } from "../../core/units/quantities.ts";
import { UNITS } from "../../core/units/units.ts";
import { missingBatches } from "../ledger/missing.ts";
import { meterId } from "../store/meterId.ts";
import { NODE_DEVICE, type PlainDevice } from "../store/store.ts";
import { catalogue, siteOfGateway } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { withoutNoise } from "./live.ts";
import { PlaceQuery, placeOf } from "./query.ts";
import { Gateway, Health, Meter, Other, Site, Zone } from "./schemas.ts";
import { type GatewaySituation, type MeterSituation, situationOf } from "./situation.ts";
import { freshLimit_ms, newestOf, type Spacings } from "./state.ts";
import { DATE_MAX_MS, isoIn } from "./time.ts";

/** What there is: the server, the zone, its sites, meters and gateways, and how they are. */
export function placeRoutes(app: FastifyInstance, deps: ApiDeps, spacings: Spacings): void {
  const { time_zone } = deps.zone;
  const iso = (at_ms: EpochMs): string => isoIn(time_zone, at_ms);
  const isoOrNull = (at_ms: EpochMs | null): string | null => (at_ms === null ? null : iso(at_ms));
  // Times of others are as they were sent: one may lie beyond all calendars.
  const isoOfOthers = (at_ms: EpochMs): string | null => (Math.abs(at_ms) > DATE_MAX_MS ? null : iso(at_ms));
  const startedAt_ms = deps.clock.now_ms();
  const typed = app.withTypeProvider<ZodTypeProvider>();

  typed.get(
    "/api/v1/health",
    { schema: { tags: ["server"], summary: "Is the server well", response: { 200: Health } } },
    async () => {
      const isConnected = deps.brokerConnected();
      return {
        status: isConnected ? ("ok" as const) : ("degraded" as const),
        version: deps.version,
        now: iso(deps.clock.now_ms()),
        started_at: iso(startedAt_ms),
        zone: deps.zone.id,
        store: deps.storeName,
        broker: isConnected ? ("connected" as const) : ("disconnected" as const),
        history: deps.history(),
      };
    },
  );

  typed.get(
    "/api/v1/zones",
    { schema: { tags: ["places"], summary: "The zones of this server", response: { 200: z.array(Zone) } } },
    async () => {
      const spans = catalogue(deps.store, deps.zone, deps.sites).flatMap(
        ({ key }) => deps.store.intervalSpan(key, key.device) ?? [],
      );
      return [
        {
          id: deps.zone.id,
          name: deps.zone.name,
          time_zone,
          sites: deps.sites.map((site) => site.id),
          data_from: spans.length === 0 ? null : iso(Math.min(...spans.map((span) => span.from_ms))),
          data_to: spans.length === 0 ? null : iso(Math.max(...spans.map((span) => span.to_ms))),
        },
      ];
    },
  );

  typed.get(
    "/api/v1/sites",
    {
      schema: {
        tags: ["places"],
        summary: "Sites of the zone and how they are",
        querystring: PlaceQuery,
        response: { 200: z.array(Site) },
      },
    },
    async ({ query }) => {
      const { sites } = placeOf(deps, query);
      return situationOf(deps, spacings)
        .sites.filter(({ site }) => sites.includes(site))
        .map(({ site, state, meters, lastReading_ms }) => ({
          id: site.id,
          zone: deps.zone.id,
          name: site.name,
          sector: site.sector,
          gateways: [...site.gateways],
          meters: meters.length,
          state,
          last_reading_at: isoOrNull(lastReading_ms),
          plan: site.plan ?? null,
        }));
    },
  );

  typed.get(
    "/api/v1/meters",
    {
      schema: {
        tags: ["places"],
        summary: "Meters with their newest values",
        description:
          "Of the whole zone: also meters whose gateway belongs to no site yet (site is null). Devices of other makers: /others.",
        querystring: PlaceQuery,
        response: { 200: z.array(Meter) },
      },
    },
    async ({ query }) => {
      const { site } = placeOf(deps, query);
      return situationOf(deps, spacings)
        .meters.filter(({ meter }) => site === null || meter.site === site.id)
        .map((one) => meterAnswer(one, iso));
    },
  );

  typed.get(
    "/api/v1/others",
    {
      schema: {
        tags: ["places"],
        summary: "Devices of other makers that are stored and not booked, with their metrics",
        description: "Of nodes that number no batches. Their readings: /readings, by this id and the name of a metric.",
        querystring: PlaceQuery,
        response: { 200: z.array(Other) },
      },
    },
    async ({ query }) => {
      const { site } = placeOf(deps, query);
      const live = new Set(
        deps.live.meters().flatMap(({ gateway, device, online }) => (online ? [meterId(gateway, device)] : [])),
      );
      return deps.store
        .plainDevices()
        .filter(({ gateway }) => gateway.group === deps.zone.id)
        .map((one) => otherAnswer(one, deps, live, isoOfOthers))
        .filter((one) => site === null || one.site === site.id);
    },
  );

  typed.get(
    "/api/v1/gateways",
    {
      schema: {
        tags: ["places"],
        summary: "Gateways: presence, backlog, delivery",
        querystring: PlaceQuery,
        response: { 200: z.array(Gateway) },
      },
    },
    async ({ query }) => {
      const { site } = placeOf(deps, query);
      return situationOf(deps, spacings)
        .gateways.filter((gateway) => site === null || gateway.site === site.id)
        .map((gateway) => gatewayAnswer(deps, gateway, isoOrNull));
    },
  );
}

export function meterAnswer(
  { meter, live, verdict, now_ms, spacing_ms }: MeterSituation,
  iso: (at_ms: EpochMs) => string,
): Meter {
  const newest_ms = live === null ? null : newestOf(live, false);
  return {
    id: meter.id,
    device: meter.key.device,
    name: meter.name,
    site: meter.site,
    gateway: meter.key.edge,
    model: meter.row.model,
    carrier: meter.row.carrier,
    role: meter.row.role,
    parent: meter.parent,
    state: verdict.state,
    state_why: verdict.why,
    last_reading_at: newest_ms === null ? null : iso(newest_ms),
    values: [...(live?.values ?? [])].map(([quantity, value]) => ({
      quantity,
      name: QUANTITIES[quantity].display,
      value: withoutNoise(value.value),
      unit: UNITS[QUANTITIES[quantity].unit].ucum,
      at: iso(value.at_ms),
      // What was good and is old is no longer good: whoever reads only the value must see it.
      quality: value.quality === "good" && now_ms - value.at_ms > freshLimit_ms(spacing_ms) ? "stale" : value.quality,
      why: value.why,
    })),
  };
}

function otherAnswer(
  { gateway, device, metrics }: PlainDevice,
  deps: ApiDeps,
  live: ReadonlySet<string>,
  iso: (at_ms: EpochMs) => string | null,
): Other {
  const id = meterId(gateway, device);
  return {
    id,
    device,
    site: siteOfGateway(deps.sites, gateway.edge),
    gateway: gateway.edge,
    online: device === NODE_DEVICE ? deps.live.isOnline(gateway) : live.has(id),
    last_reading_at: iso(Math.max(...metrics.map(({ newest_ms }) => newest_ms))),
    metrics: metrics.map(({ metric, newest_ms }) => ({
      name: metric,
      quantity: quantityOfWire(metric) ?? null,
      last_at: iso(newest_ms),
    })),
  };
}

function gatewayAnswer(
  deps: ApiDeps,
  { id, site, row, isOnline, verdict }: GatewaySituation,
  iso: (at_ms: EpochMs | null) => string | null,
): Gateway {
  const key = { group: deps.zone.id, edge: id };
  return {
    id,
    zone: deps.zone.id,
    site,
    state: verdict.state,
    state_why: verdict.why,
    online: isOnline,
    last_seen_at: iso(row?.lastSeen_ms ?? null),
    born_at: iso(row?.bornAt_ms ?? null),
    epoch: row?.epoch ?? null,
    pending_batches: row?.pending ?? null,
    oldest_pending_at: iso(row?.oldestPending_ms ?? null),
    clock_offset_ms: row?.clockOffset_ms ?? null,
    received_batches: row?.received ?? 0,
    duplicate_batches: row?.duplicates ?? 0,
    missing_batches: row === null || row.epoch === null ? 0 : missingBatches(deps.store, key, row.epoch),
    lost_batches: row === null || row.epoch === null ? 0 : sizeOf(deps.store.lostRanges(key, row.epoch)),
    dead_letters: deps.store.deadLetterCount(key),
    software: row?.software ?? null,
  };
}

function sizeOf(ranges: readonly (readonly [number, number])[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
