import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { KhuXanhError } from "../../core/errors.ts";
import { assertLoopback } from "../bus/tcpServer.ts";
import { type ControlAnswer, type ControlRequest, problem } from "./control.ts";

/**
 * The control port: `control.ts` on a loopback socket.
 *
 * Pages in a browser on this machine get nothing: requests with an Origin, or under a name that is not this machine's, are
 * refused, and what is posted must say that it is JSON.
 * Limits   bodies of 64 KiB, 16 connections, 10 s a request
 */
export interface ControlServer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const BODY_MAX = 64 * 1024;
const CONNECTIONS_MAX = 16;

/** @throws {KhuXanhError} PORT_TAKEN, LISTEN_NOT_LOOPBACK. */
export async function serveControl(
  { host, port }: { readonly host: string; readonly port: number },
  answer: (request: ControlRequest) => Promise<ControlAnswer>,
): Promise<ControlServer> {
  assertLoopback(host, port);
  const server = createServer({ maxHeaderSize: 8192, requestTimeout: 10_000 }, (request, response) => {
    respond(request, response, answer).catch(() => response.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  return {
    host,
    port: await bound(server, host, port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: ControlRequest) => Promise<ControlAnswer>,
): Promise<void> {
  const refusal = refusalOf(request);
  const body = refusal === null ? await bodyOf(request) : "";
  if (refusal !== null) return send(response, refusal);
  if (body === null) {
    return send(
      response,
      problem(413, "BAD_REQUEST", `a body of more than ${BODY_MAX} bytes`, "Send one fault at a time."),
    );
  }
  const path = (request.url ?? "/").split("?")[0]!;
  send(response, await answer({ method: request.method ?? "GET", path, body }));
}

function refusalOf({ headers, method }: IncomingMessage): ControlAnswer | null {
  if (!/^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(headers.host ?? "")) {
    return problem(421, "BAD_REQUEST", "this port answers to 127.0.0.1, localhost and [::1] only", "Use one of these.");
  }
  if (headers.origin !== undefined) {
    return problem(403, "BAD_REQUEST", "pages in a browser command no faults", "Use curl or a test.");
  }
  if (method === "POST" && !/^application\/json\b/.test(headers["content-type"] ?? "")) {
    return problem(415, "BAD_REQUEST", "the body is not declared as JSON", "Send Content-Type: application/json.");
  }
  return null;
}

/** null = too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_MAX) chunks.push(chunk);
  }
  return bytes > BODY_MAX ? null : Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, { status, document, headers }: ControlAnswer): void {
  const type = status < 400 ? "application/json" : "application/problem+json";
  response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...headers });
  response.end(`${JSON.stringify(document, null, 2)}\n`);
}

function bound(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "the port is in use" : cause.message;
      reject(
        new KhuXanhError("PORT_TAKEN", `the control port ${host}:${port} cannot be opened: ${why}`, {
          hint: "Choose another `control` port.",
          context: { host, port },
          cause,
        }),
      );
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
