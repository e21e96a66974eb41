import { createServer, type Server } from "node:http";
import { KhuXanhError } from "../../core/errors.ts";

/** Health and metrics of one gateway, on its own loopback port: works with no internet. */
export interface LocalPages {
  /** JSON document of /health. */
  health(): unknown;
  /** Prometheus text of /metrics. */
  metrics(): string;
}

/** @throws {KhuXanhError} PORT_TAKEN. */
export async function startLocalServer(
  listen: { readonly host: string; readonly port: number },
  pages: LocalPages,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
    } else if (path === "/health") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(pages.health()));
    } else if (path === "/metrics") {
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(pages.metrics());
    } else {
      response.writeHead(404, { "content-type": "text/plain" }).end("Here are /health and /metrics.\n");
    }
  });
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
