import type { FastifyInstance } from "fastify";
import { missingBatches } from "../ledger/missing.ts";
import type { ApiDeps } from "./deps.ts";
import type { LiveHub } from "./live.ts";
import { type Situation, situationOf } from "./situation.ts";
import type { Spacings } from "./state.ts";

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** Prometheus text exposition format 0.0.4. */
export function metricsText(families: readonly Family[]): string {
  return families
    .map(({ name, type, help, samples }) => {
      const lines = samples.map(({ labels, value }) => `${name}${labelsText(labels)} ${value}`);
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
    })
    .join("");
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

export function families(
  deps: ApiDeps,
  situation: Situation,
  requests: ReadonlyMap<number, number>,
  clients: number,
): readonly Family[] {
  const { gateways, meters } = situation;
  const perGateway = (
    name: string,
    type: Family["type"],
    help: string,
    countOf: (gateway: (typeof gateways)[number]) => number | null,
  ): Family => ({
    name,
    type,
    help,
    samples: gateways.flatMap((gateway) => {
      const value = countOf(gateway);
      return value === null ? [] : [{ labels: { gateway: gateway.id }, value }];
    }),
  });
  const key = (id: string) => ({ group: deps.zone.id, edge: id });
  const booksTo_ms = deps.live.booksTo_ms();
  const single = (value: number) => [{ labels: {}, value }];
  return [
    {
      name: "khuxanh_info",
      type: "gauge",
      help: "Version of the server.",
      samples: [{ labels: { version: deps.version, store: deps.storeName }, value: 1 }],
    },
    {
      name: "khuxanh_broker_connected",
      type: "gauge",
      help: "1 while the collector is connected to the broker.",
      samples: single(deps.brokerConnected() ? 1 : 0),
    },
    perGateway("khuxanh_gateway_online", "gauge", "1 while the gateway is online.", ({ isOnline }) =>
      isOnline ? 1 : 0,
    ),
    perGateway(
      "khuxanh_batches_received_total",
      "counter",
      "Batches received, duplicates included.",
      ({ row }) => row?.received ?? null,
    ),
    perGateway(
      "khuxanh_batches_duplicate_total",
      "counter",
      "Batches received again.",
      ({ row }) => row?.duplicates ?? null,
    ),
    perGateway(
      "khuxanh_batches_missing",
      "gauge",
      "Batch numbers below the highest held that are not held.",
      ({ id, row }) => (row === null || row.epoch === null ? null : missingBatches(deps.store, key(id), row.epoch)),
    ),
    perGateway(
      "khuxanh_batches_pending",
      "gauge",
      "Batches the gateway holds unconfirmed, as it last said.",
      ({ row }) => row?.pending ?? null,
    ),
    perGateway("khuxanh_dead_letters", "gauge", "Messages kept because they could not be used.", ({ id }) =>
      deps.store.deadLetterCount(key(id)),
    ),
    perGateway(
      "khuxanh_batches_quarantined",
      "gauge",
      "Batches kept aside: their number was held with other content.",
      ({ id }) => deps.store.quarantineCount(key(id)),
    ),
    {
      name: "khuxanh_meters",
      type: "gauge",
      help: "Meters by state.",
      samples: (["ok", "warn", "bad", "unknown"] as const).map((state) => ({
        labels: { state },
        value: meters.filter(({ verdict }) => verdict.state === state).length,
      })),
    },
    {
      name: "khuxanh_books_age_seconds",
      type: "gauge",
      help: "Age of the newest interval in the books.",
      samples: booksTo_ms === null ? [] : single((situation.now_ms - booksTo_ms) / 1000),
    },
    { name: "khuxanh_live_clients", type: "gauge", help: "Open live streams.", samples: single(clients) },
    {
      name: "khuxanh_http_requests_total",
      type: "counter",
      help: "Answered requests by status.",
      samples: [...requests].map(([status, value]) => ({ labels: { status: String(status) }, value })),
    },
  ];
}

export function metricsRoutes(app: FastifyInstance, deps: ApiDeps, spacings: Spacings, hub: LiveHub): void {
  const requests = new Map<number, number>();
  app.addHook("onResponse", async (_request, reply) => {
    requests.set(reply.statusCode, (requests.get(reply.statusCode) ?? 0) + 1);
  });
  app.get("/metrics", { schema: { tags: ["server"], summary: "Prometheus metrics" } }, async (_request, reply) => {
    reply.type("text/plain; version=0.0.4; charset=utf-8");
    return metricsText(families(deps, situationOf(deps, spacings), requests, hub.clients));
  });
}
