import { readFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { extname } from "node:path";
import { KhuXanhError } from "../../core/errors.ts";
import type { BusReply } from "../../core/ports.ts";
import { Pace, parseRead } from "./busRead.ts";
import { type RecordedBus, shownFrame } from "./frames.ts";
import type { GatewayView } from "./view.ts";

/**
 * The gateway's own page, health and metrics on its loopback port: works with no internet, changes nothing.
 *
 * - GET and HEAD only. Names in `Host` other than this machine's are refused: a foreign name that resolves to 127.0.0.1
 *   (DNS rebinding) gets nothing. `/api/` answers no page of another origin.
 * - `/api/read` does one read through the agent's own bus, between its polls (`busRead.ts` says what is allowed).
 */
export interface LocalPages {
  /** JSON document of /health. */
  health(): unknown;
  /** Prometheus text of /metrics. */
  metrics(): string;
  /** JSON document of /api/status. */
  status(): GatewayView;
  readonly buses: ReadonlyMap<string, LocalBus>;
  readonly mono_ms: () => number;
  /** Shared look of all pages, by file name: tokens, fonts, icon. Without it the browser's own font and colours do. */
  readonly look: (name: string) => Uint8Array | null;
}

export interface LocalBus {
  readonly bus: RecordedBus;
  readonly timeout_ms: number;
}

/** Not by `import`: that reads every export of node:http, and one of them loads an HTTP client of 15 MB that nobody needs here. */
const { createServer } = process.getBuiltinModule("node:http");

const READS_PER_SECOND = 20;
/** A request line and head; ours are a tenth of it. */
const HEAD_MAX_BYTES = 8192;
const CONNECTIONS_MAX = 64;
const PAGE: Readonly<Record<string, string>> = { "/": "index.html", "/page.css": "page.css", "/page.js": "page.js" };
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** @throws {KhuXanhError} PORT_TAKEN. */
export async function startLocalServer(
  listen: { readonly host: string; readonly port: number },
  pages: LocalPages,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const answer = answerer(listen.host, pages);
  const server = createServer({ maxHeaderSize: HEAD_MAX_BYTES, requestTimeout: 10_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) return response.destroy();
      sendJson(response, 500, { code: "INTERNAL", detail: error instanceof Error ? error.message : String(error) });
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listening(server, listen);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : listen.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Answerer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function answerer(host: string, pages: LocalPages): Answerer {
  const pace = new Pace(READS_PER_SECOND, pages.mono_ms);
  const reading = new Set<string>();
  const restUntil_ms = new Map<string, number>();
  const GAP_MS = 1000 / READS_PER_SECOND;
  /** 0 = the bus may be read now. After a read it rests as long as that took: half of its time is always the agent's own. */
  const waitFor_ms = (bus: string): number => {
    if (reading.has(bus)) return GAP_MS;
    const rest_ms = (restUntil_ms.get(bus) ?? 0) - pages.mono_ms();
    return rest_ms > 0 ? rest_ms : pace.take();
  };

  const read = async (query: URLSearchParams, response: ServerResponse): Promise<void> => {
    const found = pages.buses.get(query.get("bus") ?? "");
    const asked = parseRead(query, found?.timeout_ms ?? 1000);
    if (!asked.ok) return sendJson(response, 400, { code: "BAD_REQUEST", detail: asked.problem });
    if (found === undefined) return sendUnknownBus(response, asked.value.bus, pages);
    const id = asked.value.bus;
    const wait_ms = waitFor_ms(id);
    if (wait_ms > 0) return sendTooMany(response, wait_ms);
    const began_ms = pages.mono_ms();
    reading.add(id);
    try {
      sendJson(response, 200, replyDocument(await found.bus.read(asked.value.read)));
    } finally {
      reading.delete(id);
      const ended_ms = pages.mono_ms();
      restUntil_ms.set(id, ended_ms + (ended_ms - began_ms));
    }
  };

  return async (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    if (!isOurName(request.headers.host, host)) {
      return sendText(response, 421, "This page answers to 127.0.0.1, localhost and [::1] only.\n");
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    const url = new URL(request.url ?? "/", "http://localhost");
    const path = url.pathname;
    if (path.startsWith("/api/") && isForeign(request)) {
      return sendJson(response, 403, { code: "BAD_REQUEST", detail: "pages of other origins get no answer" });
    }
    if (path === "/health") return sendJson(response, 200, pages.health());
    if (path === "/metrics") return sendText(response, 200, pages.metrics(), "text/plain; version=0.0.4");
    if (path === "/api/status") return sendJson(response, 200, pages.status());
    // HEAD must not ask a meter.
    if (path === "/api/read" && request.method === "GET") return read(url.searchParams, response);
    if (path === "/api/frames") return sendFrames(response, url.searchParams.get("bus") ?? "", pages);
    return sendFile(response, path, pages);
  };
}

function sendFrames(response: ServerResponse, id: string, pages: LocalPages): void {
  const found = pages.buses.get(id);
  if (found === undefined) return sendUnknownBus(response, id, pages);
  sendJson(response, 200, { bus: id, frames: found.bus.frames().map(shownFrame) });
}

function sendFile(response: ServerResponse, path: string, { look }: LocalPages): void {
  const own = PAGE[path];
  const name = path.startsWith("/look/") ? path.slice("/look/".length) : null;
  const body =
    own !== undefined
      ? readFileSync(new URL(`./page/${own}`, import.meta.url))
      : name !== null && /^[\w.-]+$/.test(name)
        ? look(name)
        : null;
  if (body === null) {
    return sendText(response, 404, "Here are /, /health, /metrics, /api/status, /api/frames and /api/read.\n");
  }
  const type = TYPES[extname(own ?? name ?? "")] ?? "application/octet-stream";
  const cache = type === "font/woff2" ? { "cache-control": "max-age=86400" } : {};
  response.writeHead(200, { "content-type": type, ...cache }).end(body);
}

function sendUnknownBus(response: ServerResponse, id: string, { buses }: LocalPages): void {
  const known = [...buses.keys()].join(", ");
  sendJson(response, 404, { code: "NOT_FOUND", detail: `there is no bus "${id}" (there are: ${known})` });
}

function sendTooMany(response: ServerResponse, wait_ms: number): void {
  response.setHeader("retry-after", "1");
  const detail = `at most ${READS_PER_SECOND} reads a second, one at a time on a bus`;
  sendJson(response, 429, { code: "TOO_MANY_CLIENTS", detail, retry_after_ms: Math.ceil(wait_ms) });
}

function sendJson(response: ServerResponse, status: number, document: unknown): void {
  sendText(response, status, JSON.stringify(document), "application/json; charset=utf-8");
}

function sendText(response: ServerResponse, status: number, text: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": type }).end(text);
}

function replyDocument(reply: BusReply): unknown {
  return reply.kind === "words" ? { kind: reply.kind, words: [...reply.words] } : reply;
}

/** With or without a port: a tunnel may have changed it. */
function isOurName(header: string | undefined, listenHost: string): boolean {
  const match = /^(\[[\da-f:]+\]|[^:]+)(:\d+)?$/i.exec(header ?? "");
  const name = match?.[1]?.toLowerCase();
  const bare = listenHost.toLowerCase();
  return name !== undefined && ["127.0.0.1", "localhost", "[::1]", bare, `[${bare}]`].includes(name);
}

/** Browsers say from where a request comes; programs do not, and are on this machine. */
function isForeign({ headers }: IncomingMessage): boolean {
  const site = headers["sec-fetch-site"];
  return site !== undefined && site !== "same-origin" && site !== "none";
}

function listening(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        new KhuXanhError("PORT_TAKEN", `${host}:${port} cannot be listened on (${cause.code ?? cause.message})`, {
          hint: "Stop the program that uses this port, or set another `listen` address.",
          context: { host, port },
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}
