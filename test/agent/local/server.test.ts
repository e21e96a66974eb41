import { type IncomingHttpHeaders, request } from "node:http";
import { afterEach, expect, test, vi } from "vitest";
import { agentBus } from "../../../agent/local/agentBus.ts";
import { recordedBus } from "../../../agent/local/frames.ts";
import { startLocalServer } from "../../../agent/local/server.ts";
import { readLook } from "../../../cli/look.ts";
import type { Bus, BusRead, BusReply } from "../../../core/ports.ts";
import { bus, meter, view } from "./fixture.ts";

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Heard {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The server with one bus that answers with `reply`; `clock` paces its reads. */
async function start(reply: (read: BusRead) => Promise<BusReply> = async ({ count }) => words(count)) {
  const clock = { at_ms: 0, step_ms: 0, now_ms: () => clock.at_ms, mono_ms: () => (clock.at_ms += clock.step_ms) };
  const asked: BusRead[] = [];
  const inner: Bus = {
    async read(read) {
      asked.push(read);
      return reply(read);
    },
    async close() {},
  };
  const recorded = recordedBus(inner, clock);
  const server = await startLocalServer(
    { host: "127.0.0.1", port: 0 },
    {
      health: () => ({ gateway: "gw-01" }),
      metrics: () => "khuxanh_polls_total 1\n",
      status: () => view([bus([meter()])]),
      buses: new Map([["main", { bus: recorded, timeout_ms: 700 }]]),
      mono_ms: clock.mono_ms,
      look: readLook,
    },
  );
  undo.push(() => server.close());
  const http = `http://127.0.0.1:${server.port}`;
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    new Promise<Heard>((resolve, reject) => {
      const sent = request(`${http}${path}`, { method, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part) => (text += part));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      });
      sent.on("error", reject);
      sent.end();
    });
  return { ask, asked, clock, http, bus: recorded };
}

const words = (count: number): BusReply => ({
  kind: "words",
  words: Uint16Array.from({ length: count }, (_, i) => i + 1),
});
const READ = "/api/read?bus=main&unit=1&fc=3&address=10&count=2";

test("page, its files, health, metrics and status are there, each with its type", async () => {
  const { ask } = await start();
  const page = await ask("/");
  expect(page.text).toContain("<main");
  for (const [path, type] of [
    ["/", "text/html"],
    ["/page.js", "text/javascript"],
    ["/page.css", "text/css"],
    ["/look/tokens.css", "text/css"],
    ["/look/first-paint.js", "text/javascript"],
    ["/look/icon.svg", "image/svg+xml"],
    ["/look/be-vietnam-pro-vietnamese-400-normal.woff2", "font/woff2"],
    ["/health", "application/json"],
    ["/metrics", "text/plain"],
    ["/api/status", "application/json"],
  ] as const) {
    const { status, headers } = await ask(path);
    expect([path, status, headers["content-type"]]).toEqual([path, 200, expect.stringContaining(type)]);
  }
});

test("every file that the page and its style sheets name is served here, and nothing of another host is named", async () => {
  const { ask } = await start();
  const page = (await ask("/")).text;
  const fonts = (await ask("/look/fonts.css")).text;
  const named = [
    ...[...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path),
    ...[...fonts.matchAll(/url\("([^"]+)"\)/g)].map(([, name = ""]) => `/look/${name}`),
  ];
  expect(named.length).toBeGreaterThan(10);
  for (const path of new Set(named)) expect([path, (await ask(path)).status]).toEqual([path, 200]);
});

test("everything carries the headers that keep a page to itself", async () => {
  const { ask } = await start();
  for (const path of ["/", "/health", "/api/status", "/nothing"]) {
    const { headers } = await ask(path);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
  }
});

test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])("%s is not allowed anywhere", async (method) => {
  const { ask, asked } = await start();
  for (const path of ["/", "/api/status", READ]) {
    expect(await ask(path, {}, method)).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
  }
  expect(asked).toEqual([]);
});

test("HEAD answers without a body and asks no meter", async () => {
  const { ask, asked } = await start();
  expect(await ask("/health", {}, "HEAD")).toMatchObject({ status: 200, text: "" });
  expect((await ask(READ, {}, "HEAD")).status).toBe(404);
  expect(asked).toEqual([]);
});

test.each(["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.evil.example"])(
  "a request for the host %s gets nothing: it came by a foreign name",
  async (host) => {
    const { ask, asked } = await start();
    expect((await ask("/api/status", { host })).status).toBe(421);
    expect((await ask(READ, { host })).status).toBe(421);
    expect(asked).toEqual([]);
  },
);

test.each(["127.0.0.1", "localhost:9999", "[::1]:8081", "LOCALHOST"])("the host %s is this machine", async (host) => {
  const { ask } = await start();
  expect((await ask("/health", { host })).status).toBe(200);
});

test("a page of another origin gets no answer of the API, and moves no meter", async () => {
  const { ask, asked } = await start();
  expect((await ask(READ, { "sec-fetch-site": "cross-site" })).status).toBe(403);
  expect((await ask(READ, { "sec-fetch-site": "same-origin" })).status).toBe(200);
  expect(asked).toHaveLength(1);
});

test("paths outside the page's files are not found", async () => {
  const { ask } = await start();
  for (const path of [
    "/look/../../package.json",
    "/look/%2e%2e%2ftokens.css",
    "/look/package.json",
    "/server.ts",
    "/look/",
  ]) {
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
  }
});

test("one read goes through the bus as it was asked, and its words come back", async () => {
  const { ask, asked } = await start();
  const { status, text } = await ask(READ);
  expect([status, JSON.parse(text)]).toEqual([200, { kind: "words", words: [1, 2] }]);
  expect(asked).toEqual([{ unit: 1, fc: 3, address: 10, count: 2, timeout_ms: 700 }]);
});

test("anything but one read of function 3 or 4 is refused with what is allowed", async () => {
  const { ask, asked } = await start();
  for (const fc of [1, 2, 5, 6, 15, 16, 22, 23, 43]) {
    const answer = await ask(`/api/read?bus=main&unit=1&fc=${fc}&address=0&count=1`);
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([400, "BAD_REQUEST"]);
  }
  expect((await ask("/api/read?bus=other&unit=1&fc=3&address=0&count=1")).text).toContain("there are: main");
  expect(asked).toEqual([]);
});

test("reads come at twenty a second at most; the next one is told how long to wait", async () => {
  const { ask, clock, asked } = await start();
  expect((await ask(READ)).status).toBe(200);
  const refused = await ask(READ);
  expect([refused.status, JSON.parse(refused.text).retry_after_ms]).toEqual([429, 50]);
  clock.at_ms += 50;
  expect((await ask(READ)).status).toBe(200);
  expect(asked).toHaveLength(2);
});

test("after a slow read the bus is the agent's own for as long as that took", async () => {
  const { ask, clock } = await start(async () => {
    clock.at_ms += 400;
    return { kind: "timeout" };
  });
  await ask(READ);
  clock.at_ms += 300;
  expect(JSON.parse((await ask(READ)).text).retry_after_ms).toBe(100);
  clock.at_ms += 100;
  expect((await ask(READ)).status).toBe(200);
});

test("one read at a time waits on a bus", async () => {
  const { promise, resolve } = Promise.withResolvers<BusReply>();
  const { ask, clock } = await start(() => promise);
  const first = ask(READ);
  await vi.waitFor(async () => {
    clock.at_ms += 1000;
    expect((await ask(READ)).status).toBe(429);
  });
  resolve({ kind: "timeout" });
  expect(JSON.parse((await first).text)).toEqual({ kind: "timeout" });
});

test("frames are recorded once somebody asked for them", async () => {
  const { ask, bus: recorded } = await start();
  expect(JSON.parse((await ask("/api/frames?bus=main")).text)).toEqual({ bus: "main", frames: [] });
  await recorded.read({ unit: 7, fc: 4, address: 1, count: 1, timeout_ms: 500 });
  expect(JSON.parse((await ask("/api/frames?bus=main")).text).frames).toMatchObject([
    { unit: 7, request_hex: "07 04 00 01 00 01", words_hex: "0001" },
  ]);
  expect((await ask("/api/frames?bus=nobody")).status).toBe(404);
});

test("a bus reached through the agent answers as the agent's own", async () => {
  const replies: BusReply[] = [
    words(3),
    { kind: "exception", code: 2 },
    { kind: "timeout" },
    { kind: "garbled", detail: "CRC error" },
    { kind: "unreachable", detail: "refused" },
  ];
  const { clock, http, asked } = await start(async () => replies[asked.length - 1]!);
  clock.step_ms = 50;
  const through = agentBus({ http, bus: "main" });
  const read = { unit: 1, fc: 4, address: 0, count: 3, timeout_ms: 300 } as const;
  for (const reply of replies) expect(await through.read(read)).toEqual(reply);
  expect(asked.at(-1)).toEqual(read);
  await through.close();
  expect(await through.read(read)).toMatchObject({ kind: "unreachable" });
});

test("a bus through the agent waits when the agent asks it to", async () => {
  const { clock, http, asked, ask } = await start();
  await ask(READ);
  const through = agentBus({ http, bus: "main" });
  const waiting = through.read({ unit: 1, fc: 4, address: 0, count: 1, timeout_ms: 300 });
  const refused = await ask(READ);
  expect(refused.status).toBe(429);
  clock.at_ms += 1000;
  expect(await waiting).toEqual(words(1));
  expect(asked).toHaveLength(2);
  await through.close();
});

test("an agent that is gone is an unreachable bus", async () => {
  const { http } = await start();
  for (const step of undo.splice(0)) await step();
  const through = agentBus({ http, bus: "main" });
  const reply = await through.read({ unit: 1, fc: 3, address: 0, count: 1, timeout_ms: 300 });
  expect(reply.kind).toBe("unreachable");
  await through.close();
});
