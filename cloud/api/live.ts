import type { FastifyInstance } from "fastify";
import type { Cancel } from "../../core/ports.ts";
import type { LiveMeter } from "../collector/live.ts";
import { meterId } from "../store/meterId.ts";
import { isBoundaryImport } from "./catalogue.ts";
import type { ApiDeps } from "./deps.ts";
import { sendProblem, tooManyClients } from "./problem.ts";
import type { LiveEvent } from "./schemas.ts";
import { type MeterSituation, type Situation, situationOf } from "./situation.ts";
import { freshLimit_ms, newestOf, type Spacings } from "./state.ts";
import { DATE_MAX_MS, isoIn } from "./time.ts";

/** Open streams at most; more are refused with 503. */
export const CLIENTS_MAX = 200;
/** Events at most this often, however often values change. */
export const PACE_MS = 1000;
/** Something is sent at least this often, so that a dead connection is noticed at both ends. */
export const HEARTBEAT_MS = 15_000;
/** A client that has not taken this much is too slow to be live and is let go; its browser comes back. */
export const BACKLOG_MAX_BYTES = 1_048_576;

/**
 * Power of one kind of meter at a site. Null if there is no such meter, or if one of them has no fresh, good value: a sum
 * that leaves a meter out would look like less power.
 */
export function powerOf(meters: readonly MeterSituation[], kind: "import" | "generation"): number | null {
  const own = meters.filter(({ meter }) => isOfKind(meter, kind));
  if (own.length === 0) return null;
  let sum_W = 0;
  for (const one of own) {
    const power_W = freshPower_W(one);
    if (power_W === null) return null;
    // A generation meter counts outwards or inwards as its maker likes; what it makes is meant.
    sum_W += kind === "generation" ? Math.abs(power_W) : power_W;
  }
  return sum_W;
}

function isOfKind(meter: MeterSituation["meter"], kind: "import" | "generation"): boolean {
  if (kind === "generation") return meter.row.role === "generation";
  return isBoundaryImport(meter) && meter.row.carrier === "electricity";
}

function freshPower_W({ live, now_ms, spacing_ms }: MeterSituation): number | null {
  const value = live?.values.get("active_power_total");
  if (live === null || !live.online || value === undefined || value.quality !== "good") return null;
  return now_ms - value.at_ms <= freshLimit_ms(spacing_ms) ? value.value : null;
}

/** Sum over the sites that have such meters; null if one of them does not know, or none has any. */
function zonePower(sites: Situation["sites"], kind: "import" | "generation"): number | null {
  const metered = sites.filter(({ meters }) => meters.some(({ meter }) => isOfKind(meter, kind)));
  return powerOf(
    metered.flatMap(({ meters }) => meters),
    kind,
  );
}

export function liveEvent(deps: ApiDeps, situation: Situation): LiveEvent {
  // Times are as they were sent: one that no calendar has must not end the stream for all.
  const iso = (at_ms: number | null): string | null =>
    at_ms === null || Math.abs(at_ms) > DATE_MAX_MS ? null : isoIn(deps.zone.time_zone, at_ms);
  return {
    at: isoIn(deps.zone.time_zone, situation.now_ms),
    zone: { power_W: zonePower(situation.sites, "import"), generation_W: zonePower(situation.sites, "generation") },
    sites: situation.sites.map(({ site, state, meters, lastReading_ms }) => ({
      id: site.id,
      state,
      power_W: powerOf(meters, "import"),
      generation_W: powerOf(meters, "generation"),
      at: iso(lastReading_ms),
    })),
    meters: situation.meters.map((one) => ({
      id: one.meter.id,
      state: one.verdict.state,
      at: iso(one.live === null ? null : newestOf(one.live, false)),
      power_W: freshPower_W(one),
      values: valuesOf(one.live),
    })),
    others: situation.others.map((other) => ({
      id: meterId(other.gateway, other.device),
      online: other.online,
      at: iso(newestOf(other, false)),
      values: valuesOf(other),
    })),
    books_to: iso(deps.live.booksTo_ms()),
    history: deps.history(),
  };
}

function valuesOf(live: LiveMeter | null): Record<string, number | null> {
  return Object.fromEntries([...(live?.values ?? [])].map(([quantity, { value }]) => [quantity, withoutNoise(value)]));
}

/**
 * 17 802 224 ticks of 0.1 are 1780222.4, and 1780222.4000000001 in binary arithmetic. A double holds any fifteen decimal
 * digits, so what is cut here is never a digit of the counter.
 */
export function withoutNoise(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(15));
}

/** What a client of the stream must offer. */
export interface LiveClient {
  write(text: string): void;
  /** Bytes accepted and not sent yet. */
  backlog(): number;
  end(): void;
}

/**
 * Feeds all clients from one event, made once. While nobody listens, nothing runs. A change is sent at once unless the last
 * event is younger than PACE_MS; then it waits until that has passed.
 */
export class LiveHub {
  readonly #deps: Pick<ApiDeps, "live" | "timers" | "clock">;
  readonly #event: () => LiveEvent;
  readonly #clients = new Set<LiveClient>();
  #unsubscribe: Cancel | null = null;
  #heartbeat: Cancel | null = null;
  #pause: Cancel | null = null;
  #isChanged = false;

  constructor(deps: Pick<ApiDeps, "live" | "timers" | "clock">, event: () => LiveEvent) {
    this.#deps = deps;
    this.#event = event;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** @returns false if there are too many already. */
  add(client: LiveClient): boolean {
    if (this.#clients.size >= CLIENTS_MAX) return false;
    this.#clients.add(client);
    client.write(frameOf(this.#event()));
    if (this.#clients.size === 1) {
      this.#unsubscribe = this.#deps.live.onChange(() => this.#changed());
      // Every third of it, so that none goes without a word for longer than HEARTBEAT_MS, late timers included.
      this.#heartbeat = this.#deps.timers.every(HEARTBEAT_MS / 3, () => this.#send());
    }
    return true;
  }

  remove(client: LiveClient): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#unsubscribe?.();
    this.#heartbeat?.();
    this.#pause?.();
    this.#unsubscribe = null;
    this.#heartbeat = null;
    this.#pause = null;
    this.#isChanged = false;
  }

  close(): void {
    for (const client of [...this.#clients]) {
      client.end();
      this.remove(client);
    }
  }

  #changed(): void {
    if (this.#pause !== null) {
      this.#isChanged = true;
      return;
    }
    this.#send();
    if (this.#clients.size === 0) return;
    this.#pause = this.#deps.timers.after(PACE_MS, () => {
      this.#pause = null;
      if (!this.#isChanged) return;
      this.#isChanged = false;
      this.#changed();
    });
  }

  #send(): void {
    const frame = frameOf(this.#event());
    for (const client of [...this.#clients]) {
      if (client.backlog() <= BACKLOG_MAX_BYTES) {
        client.write(frame);
      } else {
        client.end();
        this.remove(client);
      }
    }
  }
}

function frameOf(event: LiveEvent): string {
  return `event: live\ndata: ${JSON.stringify(event)}\n\n`;
}

export function liveRoutes(app: FastifyInstance, deps: ApiDeps, spacings: Spacings): LiveHub {
  const hub = new LiveHub(deps, () => liveEvent(deps, situationOf(deps, spacings)));
  app.addHook("preClose", async () => hub.close());
  app.get(
    "/api/v1/live",
    {
      schema: {
        tags: ["live"],
        summary: "Server-sent events: `event: live`, data as LiveEvent",
        description: "At most one a second while anything changes, at least one in 15 s.",
        produces: ["text/event-stream"],
      },
    },
    (request, reply) => {
      if (hub.clients >= CLIENTS_MAX) return sendProblem(reply, tooManyClients(CLIENTS_MAX));
      reply.hijack();
      const { raw } = reply;
      const headers = reply.getHeaders() as Record<string, string>;
      raw.writeHead(200, { ...headers, "content-type": "text/event-stream", "cache-control": "no-store" });
      const client: LiveClient = {
        write: (text) => raw.write(text),
        backlog: () => raw.writableLength,
        end: () => raw.end(),
      };
      request.raw.on("close", () => hub.remove(client));
      raw.on("close", () => hub.remove(client));
      raw.on("error", () => hub.remove(client));
      hub.add(client);
    },
  );
  return hub;
}
