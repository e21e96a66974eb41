import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get as httpGet, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildApi } from "../../../cloud/api/api.ts";
import { CLIENTS_MAX } from "../../../cloud/api/live.ts";
import {
  Gateway,
  Health,
  LiveEvent,
  Meter,
  ProblemDocument,
  Readings,
  Site,
  Zone,
} from "../../../cloud/api/schemas.ts";
import { SESSIONS_TOO_MANY } from "../../../cloud/store/store.ts";
import { data } from "../../../core/wire/metric.ts";
import { encodePayload } from "../../../core/wire/payload.ts";
import { HOUR_MS, QUARTER_MS, START_MS, type TestZone, testZone, withApi, ZONE } from "./zone.ts";

let zone: TestZone;
beforeEach(() => {
  zone = testZone();
});
afterEach(() => zone.dispose());

test("each kind of wrong request gets a problem document that names the parameter and what is allowed", async () => {
  const period = "from=2026-11-01&to=2026-11-02";
  const cases: readonly [string, number, RegExp][] = [
    ["/energy", 400, /^from: is missing; to: is missing$/],
    [`/energy?${period}&step=week`, 400, /^step: allowed are 15min, hour, day, month, year$/],
    [`/energy?${period}&setp=day`, 400, /^setp: no such parameter \(did you mean step\?\)$/],
    [`/energy?${period}&by=scope`, 400, /^by: allowed are carrier, meter, site$/],
    ["/energy?from=yesterday&to=2026-11-02", 400, /^from: "yesterday" is no time$/],
    ["/energy?from=2026-02-30&to=2026-11-02", 400, /^from: "2026-02-30" is no time$/],
    ["/energy?from=2026-11-01T00:00:00&to=2026-11-02", 400, /^from: "2026-11-01T00:00:00" is no time$/],
    ["/energy?from=2026-11-02&to=2026-11-01", 400, /is not before/],
    ["/energy?from=2026-11-01T00:07:00Z&to=2026-11-02", 400, /^from: 2026-11-01T00:07:00Z is no boundary/],
    ["/emissions?from=2026-11-01&to=2026-11-01T00:10:00Z&step=15min", 400, /^to: 2026-11-01T00:10:00Z is no boundary/],
    ["/energy?from=2000-01-01&to=2026-11-01&step=15min", 400, /more than 40000 steps of 15min/],
    ["/energy?from=2026-01-01&to=2026-11-01&step=15min&by=meter", 200, /./],
    [`/energy?${period}&site=steel&zone=kcn`, 400, /both given/],
    [`/energy?${period}&site=nowhere`, 404, /there is no site nowhere/],
    ["/sites?zone=other", 404, /there is no zone other/],
    [`/emissions?${period}&gwp=AR4`, 400, /AR4 is not configured/],
    [`/emissions?${period}&gwp=AR7`, 400, /^gwp: allowed are AR4, AR5, AR6$/],
    [`/emissions?${period}&as_known_at=then`, 400, /^as_known_at: "then" is no time$/],
    [`/readings?${period}&meter=x&quantity=active_power_total`, 404, /there is no meter x/],
    [`/readings?${period}&meter=gw-01/incomer&quantity=active_powr_total`, 400, /did you mean active_power_total/],
    ["/nothing", 404, /there is nothing at \/api\/v1\/nothing/],
  ];
  await withApi(zone, async (get) => {
    for (const [path, status, detail] of cases) {
      const answer = await get(`/api/v1${path}`);
      expect(answer.status, path).toBe(status);
      if (status === 200) continue;
      expect(answer.headers["content-type"], path).toContain("application/problem+json");
      const document = ProblemDocument.parse(answer.body);
      expect(document.detail, path).toMatch(detail);
      expect(document.hint, path).not.toBe("");
      expect(document.status).toBe(status);
    }
  });
});

test("a period that cuts an interval is told the nearest that does not", async () => {
  await withApi(zone, async (get) => {
    const answer = await get("/api/v1/completeness?from=2026-11-01T00:10:00%2B07:00&to=2026-11-01T01:00:01%2B07:00");
    expect(answer.status).toBe(400);
    expect(ProblemDocument.parse(answer.body).hint).toBe(
      "Ask for from=2026-11-01T00:00:00+07:00, to=2026-11-01T01:15:00+07:00.",
    );
  });
});

test("a mistake of ours is said without its insides, and logged with them", async () => {
  const logged: unknown[] = [];
  zone.dispose();
  zone = testZone({
    history: () => {
      throw new Error("secret path");
    },
    log: { debug() {}, info() {}, warn() {}, error: (event, fields) => void logged.push(event, fields) },
  });
  await withApi(zone, async (get) => {
    const answer = await get("/api/v1/health");
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("secret");
    expect(JSON.stringify(logged)).toContain("secret path");
  });
});

test("an unescaped plus in an offset is understood", async () => {
  await withApi(zone, async (get) => {
    const answer = await get("/api/v1/energy?from=2026-11-01T00:00:00+07:00&to=2026-11-02");
    expect(answer.body).toMatchObject({ from: "2026-11-01T00:00:00+07:00", to: "2026-11-02T00:00:00+07:00" });
  });
});

test("zone, sites, meters and gateways are told with their state", async () => {
  zone.book("incomer", 0, [1n]);
  zone.book("incomer", 5, [1n]);
  zone.gateway("gw-01", { received: 7, duplicates: 2 });
  zone.gateway("gw-99");
  zone.value("incomer", "active_power_total", { value: 1234.5 });
  zone.value("incomer", "voltage_l1", { value: null, quality: "bad", why: "sentinel" });
  zone.online("furnace", false);
  await withApi(zone, async (get) => {
    const [kcn] = (await get("/api/v1/zones")).body.map((one: unknown) => Zone.parse(one));
    expect(kcn).toMatchObject({
      id: "kcn",
      sites: ["steel", "electronics"],
      data_from: "2026-11-01T00:00:00+07:00",
      data_to: "2026-11-01T01:30:00+07:00",
    });
    const sites = (await get("/api/v1/sites?zone=kcn")).body.map((one: unknown) => Site.parse(one));
    expect(sites).toMatchObject([
      { id: "steel", meters: 2, state: "warn", last_reading_at: "2026-11-02T00:00:00+07:00", plan: { x: 0.2, y: 0.3 } },
      { id: "electronics", meters: 3, state: "unknown", last_reading_at: null, plan: null },
    ]);
    const meters = (await get("/api/v1/meters?site=steel")).body.map((one: unknown) => Meter.parse(one));
    expect(meters).toMatchObject([
      { id: "gw-01/incomer", parent: null, state: "ok", state_why: null },
      { id: "gw-01/furnace", parent: "gw-01/incomer", state: "warn", state_why: "offline", values: [] },
    ]);
    expect(meters[0].values).toMatchObject([
      { quantity: "active_power_total", value: 1234.5, unit: "W", quality: "good" },
      { quantity: "voltage_l1", value: null, quality: "bad", why: "sentinel" },
    ]);
    const gateways = (await get("/api/v1/gateways")).body.map((one: unknown) => Gateway.parse(one));
    expect(gateways).toMatchObject([
      {
        id: "gw-01",
        site: "steel",
        state: "ok",
        online: true,
        received_batches: 7,
        duplicate_batches: 2,
        missing_batches: 0,
        lost_batches: 0,
      },
      { id: "gw-02", state: "unknown", online: false, last_seen_at: null, received_batches: 0 },
      { id: "gw-99", site: null, state: "ok" },
    ]);
    expect(Health.parse((await get("/api/v1/health")).body)).toMatchObject({
      status: "ok",
      broker: "connected",
      zone: "kcn",
    });
  });
});

test("a gateway whose sessions begin too often says so itself, for an hour", async () => {
  const gateway = { group: ZONE, edge: "gw-01" };
  zone.gateway("gw-01", {});
  const detail = { sessions: 11, within_ms: 600_000 };
  zone.store.putAlarm({ code: SESSIONS_TOO_MANY, gateway, device: null, at_ms: zone.now_ms, detail });
  await withApi(zone, async (get) => {
    const states = async () =>
      (await get("/api/v1/gateways")).body
        .map((one: unknown) => Gateway.parse(one))
        .map((one: Gateway) => one.state_why);
    expect(await states()).toEqual(["sessions", null]);
    const codes = (await get("/api/v1/attention")).body.map(({ code }: { code: string }) => code);
    expect(codes).toContain("gateway-sessions");
    zone.now_ms += 3_600_001;
    expect(await states()).toEqual([null, null]);
  });
});

test("a gateway that has just come up raises no alarm for meters it has not asked yet", async () => {
  zone.gateway("gw-01", { bornAt_ms: zone.now_ms - 2_000 });
  zone.value("incomer", "active_power_total", {});
  zone.online("furnace", false);
  await withApi(zone, async (get) => {
    expect((await get("/api/v1/attention")).body.filter((item: { site: string }) => item.site === "steel")).toEqual([]);
    expect((await get("/api/v1/sites")).body[0]).toMatchObject({ id: "steel", state: "ok" });
    zone.now_ms += 60_000;
    zone.value("incomer", "active_power_total", {});
    expect((await get("/api/v1/attention")).body).toMatchObject([{ code: "meter-silent", meter: "gw-01/furnace" }]);
  });
});

test("what needs attention comes worst first, each thing once", async () => {
  zone.now_ms = START_MS + 24 * HOUR_MS;
  zone.book(
    "incomer",
    0,
    Array.from({ length: 95 }, () => 1000n),
  );
  zone.gateway("gw-01", { oldestPending_ms: zone.now_ms - 6 * 60_000, pending: 12 });
  zone.gateway("gw-02", { online: false });
  zone.gateway("gw-99");
  zone.value("incomer", "active_power_total", { at_ms: zone.now_ms - 31_000 });
  zone.value("furnace", "active_power_total", {});
  zone.store.deadLetter({
    gateway: { group: "kcn", edge: "gw-01" },
    topic: "t",
    at_ms: 1,
    code: "WIRE_MALFORMED",
    why: "short",
    payload: new Uint8Array(1),
    content: null,
    batch: null,
  });
  zone.commit("incomer", { number: 1, crc32c: 77 });
  const [first] = zone.store.intervalsToVerify({ group: "kcn", edge: "gw-01" }, "e1", 1, 1);
  zone.store.setVerifications([[first!, "disagreed"]]);
  zone.now_ms += 60_000;
  zone.value("furnace", "active_power_total", {});
  await withApi(zone, async (get) => {
    const items: { severity: string; code: string; meter: string | null; gateway: string | null }[] = (
      await get("/api/v1/attention?zone=kcn")
    ).body;
    expect(items.map(({ severity, code, meter, gateway }) => [severity, code, meter ?? gateway])).toEqual([
      ["bad", "gateway-offline", "gw-02"],
      ["bad", "books-disagree", "gw-01/incomer"],
      ["bad", "batch-quarantined", "gw-01"],
      ["warn", "meter-silent", "gw-01/incomer"],
      ["warn", "missing-data", "gw-01/incomer"],
      ["warn", "dead-letters", "gw-01"],
      ["warn", "gateway-unassigned", "gw-99"],
      ["info", "provisional-factor", null],
      ["info", "backlog", "gw-01"],
    ]);
    expect(items.find((item) => item.code === "missing-data")).toMatchObject({ params: { intervals: 1, hours: 0.25 } });
    const steel: { code: string }[] = (await get("/api/v1/attention?site=electronics")).body;
    expect(steel.map((item) => item.code)).toEqual(["gateway-offline", "gateway-unassigned", "provisional-factor"]);
  });
});

test("readings are decoded through the birth of their batch, one by one or per step", async () => {
  const at = (second: number) => START_MS + second * 1000;
  const poll = (second: number, power_W: number | null, ticks: bigint) =>
    zone.commit("incomer", {
      from_ms: at(second),
      to_ms: at(second),
      payload: encodePayload({
        metrics: [
          data.double({ alias: 1, timestamp_ms: at(second) }, power_W),
          data.int64({ alias: 2, timestamp_ms: at(second) }, ticks),
        ],
      }),
    });
  poll(0, 100, 1000n);
  poll(60, 300, 1005n);
  poll(120, null, 1010n);
  poll(900, 50, 1100n);
  await withApi(zone, async (get) => {
    const ask = async (rest: string) =>
      Readings.parse((await get(`/api/v1/readings?meter=gw-01/incomer&from=2026-11-01&to=2026-11-02&${rest}`)).body);
    const raw = await ask("quantity=active_power_total");
    expect(raw.points.map(({ value, quality }) => [value, quality])).toEqual([
      [100, "good"],
      [300, "good"],
      [null, "bad"],
      [50, "good"],
    ]);
    const steps = await ask("quantity=active_power_total&step=15min");
    expect(steps.points).toMatchObject([
      { at: "2026-11-01T00:00:00+07:00", value: 200, min: 100, max: 300, count: 2 },
      { at: "2026-11-01T00:15:00+07:00", value: 50, count: 1 },
    ]);
    const counter = await ask("quantity=active_energy_import_total&step=15min");
    expect(counter).toMatchObject({ unit: "kW.h", truncated: false });
    expect(counter.points.map((point) => point.value)).toEqual([1.01, 1.1]);
    expect((await ask("quantity=voltage_l1")).points).toEqual([]);
    poll(20 * 3600, 7, 1n);
    const day = await ask("quantity=active_power_total");
    expect(day.points.map((point) => point.value)).toEqual([100, 300, null, 50, 7]);
  });
});

test("metrics are Prometheus text", async () => {
  zone.gateway("gw-01", { received: 42, duplicates: 3, pending: 5 });
  await withApi(zone, async (get) => {
    await get("/api/v1/nothing");
    const { text, headers } = await get("/metrics");
    expect(headers["content-type"]).toContain("text/plain; version=0.0.4");
    expect(text).toContain('khuxanh_batches_received_total{gateway="gw-01"} 42\n');
    expect(text).toContain('khuxanh_gateway_online{gateway="gw-02"} 0\n');
    expect(text).toContain('khuxanh_http_requests_total{status="404"} 1\n');
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(
        /^# (HELP|TYPE) khuxanh_\w+ .+$|^khuxanh_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?\d+(\.\d+)?$/,
      );
    }
  });
});

test("the API describes itself in OpenAPI 3.1 and is browsable without any other host", async () => {
  await withApi(zone, async (get) => {
    const { body } = await get("/api/openapi.json");
    expect(body.openapi).toBe("3.1.0");
    const paths = ["health", "zones", "sites", "meters", "gateways", "energy", "emissions", "emissions/{id}/trace"];
    for (const path of [...paths, "attention", "completeness", "readings", "live"]) {
      expect(body.paths, path).toHaveProperty(`/api/v1/${path}`.replaceAll(".", "\\."));
    }
    expect(body.paths["/api/v1/energy"].get.parameters.map((one: { name: string }) => one.name)).toContain("step");
    expect(JSON.stringify(body.paths["/api/v1/energy"].get.responses)).toContain("coverage_pct");

    const docs = await get("/api/docs/");
    expect(docs.status).toBe(200);
    const sources = [...docs.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
    expect(sources.length).toBeGreaterThan(3);
    for (const source of sources) {
      expect(source).not.toMatch(/^(https?:)?\/\//);
      const file = await get(new URL(source, "http://x/api/docs/").pathname);
      expect(file.status, source).toBe(200);
    }
    expect(docs.text).not.toMatch(/<script>(?!<\/script>)/);
  });
});

test("every answer carries the headers that keep other hosts out", async () => {
  await withApi(zone, async (get) => {
    for (const url of ["/", "/api/v1/health", "/api/v1/nothing", "/api/docs/", "/metrics"]) {
      const { headers } = await get(url);
      expect(headers["content-security-policy"], url).toContain("default-src 'self'");
      expect(headers["content-security-policy"], url).not.toMatch(/https?:|\*/);
      expect(headers["x-content-type-options"], url).toBe("nosniff");
      expect(headers["referrer-policy"], url).toBe("no-referrer");
    }
  });
});

test("without a built page the root says how to build it; the API is not affected", async () => {
  await withApi(zone, async (get) => {
    expect((await get("/")).text).toContain("npm run build:web");
    expect((await get("/api/v1/health")).status).toBe(200);
  });
});

test("the built page is served at its address, its files as files, nothing outside its folder, the rest is not found", async () => {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-web-"));
  try {
    const webDir = join(folder, "web");
    mkdirSync(join(webDir, "assets"), { recursive: true });
    writeFileSync(join(webDir, "index.html"), "<title>Khu Xanh page</title>");
    writeFileSync(join(webDir, "assets", "main-1a2b.js"), "export {}");
    writeFileSync(join(folder, "secret.txt"), "secret");
    zone.dispose();
    zone = testZone({ webDir });
    await withApi(zone, async (get) => {
      for (const url of ["/", "/?site=steel&period=week"]) {
        const answer = await get(url);
        expect([answer.status, answer.text], url).toEqual([200, "<title>Khu Xanh page</title>"]);
        expect(answer.headers["cache-control"]).toBe("no-cache");
      }
      for (const url of ["/overview", "/site/steel?from=2026-11-01"]) {
        const answer = await get(url);
        expect([answer.status, answer.headers["content-type"]], url).toEqual([404, "text/html; charset=utf-8"]);
        expect(answer.text, url).toContain("There is no page at this address");
      }
      const script = await get("/assets/main-1a2b.js");
      expect(script.headers["cache-control"]).toContain("immutable");
      expect((await get("/assets/gone.js")).status).toBe(404);
      for (const url of ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"]) {
        expect((await get(url)).text, url).not.toContain("secret\n");
        expect((await get(url)).text, url).not.toBe("secret");
      }
      expect((await get("/api/v1/nothing")).body.code).toBe("NOT_FOUND");
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

interface Stream {
  readonly response: IncomingMessage;
  next(): Promise<LiveEvent>;
  close(): void;
}

function openStream(port: number): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const request = httpGet({ host: "127.0.0.1", port, path: "/api/v1/live", agent: false }, (response) => {
      let text = "";
      const frames: string[] = [];
      const waiting: ((frame: string) => void)[] = [];
      response.setEncoding("utf8");
      response.on("error", () => {});
      response.on("data", (chunk: string) => {
        text += chunk;
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const frame = text.slice(0, end);
          text = text.slice(end + 2);
          const wanted = waiting.shift();
          if (wanted === undefined) frames.push(frame);
          else wanted(frame);
        }
      });
      const nextFrame = () => {
        const frame = frames.shift();
        return frame !== undefined ? Promise.resolve(frame) : new Promise<string>((done) => waiting.push(done));
      };
      resolve({
        response,
        async next() {
          const [event, dataLine] = (await nextFrame()).split("\n");
          expect(event).toBe("event: live");
          return LiveEvent.parse(JSON.parse(dataLine!.slice("data: ".length)));
        },
        close: () => request.destroy(),
      });
    });
    request.on("error", reject);
  });
}

test("the live stream greets, follows changes, keeps beating, and leaves nothing when the client goes", async () => {
  zone.gateway("gw-01");
  zone.value("incomer", "active_power_total", { value: 1000 });
  const app = await buildApi(zone.deps);
  try {
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const listenersBefore = zone.listeners.size;
    const stream = await openStream(port);
    expect(stream.response.headers["content-type"]).toBe("text/event-stream");
    expect(stream.response.headers["x-content-type-options"]).toBe("nosniff");
    expect((await stream.next()).sites[0]).toMatchObject({ id: "steel", power_W: 1000, state: "warn" });

    zone.value("incomer", "active_power_total", { value: 2000 });
    zone.change();
    expect((await stream.next()).sites[0]?.power_W).toBe(2000);
    for (const value of [1, 2, 3]) {
      zone.value("incomer", "active_power_total", { value });
      zone.change();
    }
    zone.timers.advance(999);
    zone.timers.advance(1);
    expect((await stream.next()).sites[0]?.power_W).toBe(3);

    zone.now_ms += 31_000;
    zone.timers.advance(15_000);
    expect((await stream.next()).sites[0]).toMatchObject({ power_W: null, state: "warn" });

    stream.close();
    await expect.poll(() => zone.timers.count).toBe(0);
    expect(zone.listeners.size).toBe(listenersBefore);
  } finally {
    await app.close();
  }
  expect(zone.listeners.size).toBe(0);
});

test("closing the server ends the live streams", async () => {
  const app = await buildApi(zone.deps);
  await app.listen({ host: "127.0.0.1", port: 0 });
  const stream = await openStream((app.server.address() as AddressInfo).port);
  await stream.next();
  const ended = new Promise((resolve) => stream.response.once("close", resolve));
  await app.close();
  await ended;
  expect(zone.timers.count).toBe(0);
});

test(`client number ${CLIENTS_MAX + 1} of the live stream is refused and told so`, async () => {
  const app = await buildApi(zone.deps);
  const streams: Stream[] = [];
  try {
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as AddressInfo;
    for (let at = 0; at < CLIENTS_MAX; at++) streams.push(await openStream(port));
    const refused = await fetch(`http://127.0.0.1:${port}/api/v1/live`);
    expect(refused.status).toBe(503);
    expect(ProblemDocument.parse(await refused.json())).toMatchObject({ code: "TOO_MANY_CLIENTS" });
    streams.pop()?.close();
    await expect
      .poll(async () =>
        (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).includes(
          `khuxanh_live_clients ${CLIENTS_MAX - 1}\n`,
        ),
      )
      .toBe(true);
    streams.push(await openStream(port));
    expect(streams.at(-1)?.response.statusCode).toBe(200);
  } finally {
    for (const stream of streams) stream.close();
    await app.close();
  }
});

test("a month of quarter hours is answered by day", async () => {
  const ticks = Array.from({ length: 30 * 96 }, () => 1000n);
  for (const meter of ["incomer", "furnace", "grid", "roof", "boiler"] as const) zone.book(meter, 0, ticks);
  zone.now_ms = START_MS + 31 * 96 * QUARTER_MS;
  await withApi(zone, async (get) => {
    const { body } = await get("/api/v1/energy?from=2026-11-01&to=2026-12-01");
    expect(body.groups[0].points).toHaveLength(30);
    expect(body.groups[0].total).toMatchObject({ value: 5760, coverage_pct: 100, lower_bound: false });
  });
});
