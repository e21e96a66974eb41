import { createServer, type Server, type Socket } from "node:net";
import { Aedes, type Client } from "aedes";
import { KhuXanhError } from "../../core/errors.ts";
import type { Log } from "../../core/ports.ts";

/** Largest message the broker passes on. A birth of 500 meters with 100 quantities each stays below it. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** Sockets at once: hundreds of gateways, the collector, and room for people looking on. */
export const CONNECTIONS_MAX = 2000;
/** A socket that has not said CONNECT by then is closed. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Everything goes through Sparkplug's one folder; nothing else has business on this broker. */
const TOPIC = /^spBv1\.0\/[^+#]+$/;
const FILTER = /^spBv1\.0\/./;

export interface BrokerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
}

export interface Broker {
  readonly port: number;
  /** Cuts every connection and frees the port; nothing is left behind. */
  close(): Promise<void>;
}

/**
 * An MQTT 3.1.1 broker in this process, for the demo, small zones and tests. It keeps retained messages and sessions in
 * memory only: what matters is in journals and in the store, never here.
 * @throws {KhuXanhError} PORT_TAKEN if something listens there already.
 */
export async function startBroker({ host, port, log }: BrokerOptions): Promise<Broker> {
  const aedes = await Aedes.createBroker({
    id: "khuxanh-embedded",
    connectTimeout: CONNECT_TIMEOUT_MS,
    authorizePublish(client, packet, done) {
      const refusal = refusalOf(packet.topic, packet.payload.length);
      if (refusal === null) return done(null);
      log.warn("broker-publish-refused", { client: client?.id, topic: packet.topic.slice(0, 200), why: refusal });
      done(new Error(refusal));
    },
    authorizeSubscribe(client, subscription, done) {
      if (FILTER.test(subscription.topic)) return done(null, subscription);
      log.warn("broker-subscribe-refused", { client: client?.id, filter: subscription.topic.slice(0, 200) });
      // null: the SUBACK tells the client that this filter was refused; its others stand.
      done(null, null);
    },
  });
  aedes.on("client", (client: Client) => log.debug("broker-client", { client: client.id }));
  aedes.on("clientError", (client: Client, error: Error) =>
    log.debug("broker-client-error", { client: client.id, why: error.message }),
  );
  aedes.on("connectionError", (_client: Client, error: Error) =>
    log.debug("broker-connection-error", { why: error.message }),
  );

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    aedes.handle(socket);
  });
  server.maxConnections = CONNECTIONS_MAX;
  try {
    await listen(server, host, port);
  } catch (cause) {
    await new Promise<void>((resolve) => aedes.close(resolve));
    throw listenError(cause, host, port);
  }
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function refusalOf(topic: string, bytes: number): string | null {
  if (!TOPIC.test(topic)) return "only topics under spBv1.0/ are passed on";
  return bytes > MESSAGE_BYTES_MAX ? `the message is larger than ${MESSAGE_BYTES_MAX} bytes` : null;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function listenError(cause: unknown, host: string, port: number): KhuXanhError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why =
    code === "EADDRINUSE"
      ? "something listens there already"
      : code === "EACCES"
        ? "this user may not listen there"
        : `it is no address of this machine (${code})`;
  return new KhuXanhError("PORT_TAKEN", `the broker cannot listen on ${host}:${port}: ${why}`, {
    hint: "Stop the other program, or give the broker another port (broker.embedded in collector.yaml).",
    context: { host, port },
    cause,
  });
}
