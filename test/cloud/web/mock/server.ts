import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { STEPS, type Step } from "../../../../core/interval/calendar.ts";
import * as world from "./world.ts";

/** The built page with a pretended API behind it, under the strict content security policy that the real server should set. */
export interface MockServer {
  readonly url: string;
  /** Ends all live lines and refuses new ones, as a server that is gone. */
  readonly dropLive: () => void;
  readonly restoreLive: () => void;
  readonly setScenario: (scenario: world.Scenario) => void;
  /** Answers 503 with a problem document to everything but /zones and /sites. */
  readonly setFailing: (isFailing: boolean) => void;
  readonly close: () => Promise<void>;
}

export const CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

interface MockOptions {
  readonly webDir: string;
  readonly now_ms: () => number;
  readonly port?: number;
}

export async function startMock({ webDir, now_ms, port = 0 }: MockOptions): Promise<MockServer> {
  let scenario: world.Scenario = "normal";
  let isFailing = false;
  let isDropped = false;
  const lines = new Set<ServerResponse>();
  const speak = (response: ServerResponse): void => {
    response.write(`event: live\ndata: ${JSON.stringify(world.live(scenario, now_ms()))}\n\n`);
  };
  const beat = setInterval(() => {
    for (const line of lines) speak(line);
  }, 1000);

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (url.pathname === "/api/v1/live") {
      if (isDropped) {
        response.writeHead(503).end();
        return;
      }
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      lines.add(response);
      response.on("close", () => lines.delete(response));
      speak(response);
      return;
    }
    if (url.pathname.startsWith("/api/")) {
      const isNeeded = url.pathname.endsWith("/zones") || url.pathname.endsWith("/sites");
      const body = isFailing && !isNeeded ? null : answer(url, scenario, now_ms());
      response.writeHead(body === null ? 503 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(body ?? PROBLEM));
      return;
    }
    void serveFile(webDir, url.pathname, response);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dropLive: () => {
      isDropped = true;
      for (const line of lines) line.destroy();
    },
    restoreLive: () => {
      isDropped = false;
    },
    setScenario: (next) => {
      scenario = next;
    },
    setFailing: (next) => {
      isFailing = next;
    },
    close: async () => {
      clearInterval(beat);
      for (const line of lines) line.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const PROBLEM = {
  type: "about:blank",
  title: "The store is being repaired",
  status: 503,
  detail: "The books cannot be read at the moment.",
  code: "DISK_UNUSABLE",
  hint: "Wait a minute, then try again.",
};

function answer(url: URL, scenario: world.Scenario, now_ms: number): unknown {
  const param = (name: string): string | null => url.searchParams.get(name);
  const path = url.pathname.replace("/api/v1", "");
  const trace = /^\/emissions\/([^/]+)\/trace$/.exec(path);
  if (trace !== null) {
    const page = { meter: param("meter"), offset: Number(param("offset") ?? 0) };
    return world.trace(decodeURIComponent(trace[1]!), now_ms, page);
  }
  const asked: world.PeriodAsked = {
    zone: "kcn-demo",
    site: param("site"),
    from_ms: Date.parse(param("from") ?? ""),
    to_ms: Date.parse(param("to") ?? ""),
    step: STEPS.find((step) => step === param("step")) ?? ("day" as Step),
  };
  // With no data the books begin in the future.
  const clock_ms = scenario === "empty" ? asked.from_ms : now_ms;
  switch (path) {
    case "/health":
      return world.health(scenario, now_ms);
    case "/zones":
      return [world.zone(scenario, now_ms)];
    case "/sites":
      return world.sites(scenario, now_ms);
    case "/meters":
      return world.meters(param("site"), scenario, now_ms);
    case "/attention":
      return world.attention(scenario, now_ms);
    case "/energy":
      return world.energy(asked, param("by") === "meter" ? "meter" : "carrier", clock_ms);
    case "/emissions":
      return world.emissions(
        asked,
        param("by") === "site" ? "site" : param("by") === "scope" ? "scope" : "carrier",
        clock_ms,
      );
    default:
      return null;
  }
}

async function serveFile(webDir: string, path: string, response: ServerResponse): Promise<void> {
  const name = normalize(path === "/" ? "/index.html" : path).replace(/^(\.\.[/\\])+/, "");
  const content = await readFile(join(webDir, name)).catch(() => null);
  if (content === null) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    "content-type": TYPES[extname(name)] ?? "application/octet-stream",
    "content-security-policy": CSP,
  });
  response.end(content);
}
