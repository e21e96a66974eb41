import { createServer, type Socket } from "node:net";
import { Aedes } from "aedes";
import { KhuXanhError } from "../../core/errors.ts";
import type { Log } from "../../core/ports.ts";
import { NAMESPACE } from "../../core/wire/topics.ts";

/**
 * The broker inside the collector: for the demo, small zones and tests (architecture §4.5). Nobody trusts it to store.
 *
 * Limits   Sparkplug topics only, payloads up to {@link PAYLOAD_BYTES_MAX}; anything else is refused and the client is
 *          disconnected, as MQTT 3.1.1 §3.3.5 asks
 */
export interface EmbeddedBroker {
  readonly port: number;
  close(): Promise<void>;
}

const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

/** @throws {KhuXanhError} PORT_TAKEN. */
export async function startBroker(options: {
  readonly host: string;
  readonly port: number;
  readonly log: Log;
}): Promise<EmbeddedBroker> {
  const { host, port, log } = options;
  const broker = await Aedes.createBroker({
    authorizePublish: (_client, { topic, payload }, done) => {
      if (!topic.startsWith(`${NAMESPACE}/`)) return done(new Error(`only ${NAMESPACE} topics are carried here`));
      if (payload.length > PAYLOAD_BYTES_MAX) return done(new Error("payload too large"));
      done(null);
    },
    authorizeSubscribe: (_client, subscription, done) =>
      done(null, subscription.topic.startsWith(`${NAMESPACE}/`) ? subscription : null),
  });
  broker.on("clientError", (client, error) => log.warn("broker.client-error", { client: client.id, why: error.message }));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once("close", () => sockets.delete(socket));
    broker.handle(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const error = new KhuXanhError("PORT_TAKEN", `${host}:${port} cannot be listened on (${cause.code})`, {
        hint: "Stop the program that uses this port, or set another address for broker.embedded.",
        context: { host, port },
        cause,
      });
      broker.close(() => reject(error));
    });
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
