import { randomBytes } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, Server as TlsServer } from "node:tls";
import { Aedes, type AuthenticateError, type Client } from "aedes";
import { isLoopback } from "../../config/notation/address.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { Log, Timers } from "../../core/ports.ts";
import { type Account, mayPublish, maySubscribe, type Place } from "./access.ts";
import { Guard, type GuardFiles, type ServerIdentity } from "./guard.ts";
import { PacketLimit } from "./packetLimit.ts";

/** Largest packet the broker reads. A birth of 500 meters with 100 quantities each stays below it; a larger one ends the connection. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** Before a client has said who it is; CONNECT with a death certificate needs a few hundred bytes. */
export const CONNECT_BYTES_MAX = 64 * 1024;
/** Sockets at once: hundreds of gateways, the collector, and room for people looking on. Further ones are closed at once. */
export const CONNECTIONS_MAX = 2000;
/** Longest keep-alive with accounts; a client that asks for more, or for none, is refused. */
export const KEEPALIVE_MAX_S = 600;
/** A socket that has not said CONNECT, or not finished its TLS handshake, by then is closed. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A client that does not read for so long is cut, so that it holds up nobody else. */
const DRAIN_TIMEOUT_MS = 30_000;
const TCP_KEEPALIVE_MS = 60_000;
/** Everything goes through Sparkplug's one folder; nothing else has business on this broker. */
const TOPIC = /^spBv1\.0\/[^+#]+$/;
const FILTER = /^spBv1\.0\/./;

export interface BrokerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
  /** Accounts and TLS; without it the broker is open to every process of this machine, and listens on loopback only. */
  readonly guard?: { readonly files: GuardFiles; readonly place: Place; readonly timers: Timers };
}

export interface Broker {
  readonly port: number;
  /** How the collector beside it gets in: always without TLS and through loopback, with an account nobody else can have. */
  readonly host: { readonly url: string; readonly username?: string; readonly password?: string };
  /** Cuts every connection and frees the port; nothing is left behind. */
  close(): Promise<void>;
}

/** The collector's own account. Its password is made at every start and never leaves the process. */
const HOST_NAME = "collector";

/**
 * An MQTT 3.1.1 broker in this process, for the demo, small zones and tests. It keeps retained messages and sessions in
 * memory only: what matters is in journals and in the store, never here.
 *
 * With a guard every client has an account (`access.ts`), its will obeys the same rules, a client id belongs to the account
 * that uses it, and sessions end with their connection. Accounts and certificates are read again when their files change.
 * @throws {KhuXanhError} PORT_TAKEN if something listens there already; LISTEN_NOT_LOOPBACK; what {@link Guard} throws.
 */
export async function startBroker({ host, port, log, guard: guarded }: BrokerOptions): Promise<Broker> {
  const guard = guarded === undefined ? null : new Guard(guarded.files, log);
  const isProtected = guard !== null && guard.identity !== null && hasAccounts(guarded?.files);
  if (!isProtected && !isLoopback(host)) throw notProtected(host);
  const access = guard === null || guarded === undefined ? null : new Access(guard, guarded.place, log);
  const aedes = await Aedes.createBroker({
    id: "khuxanh-embedded",
    connectTimeout: CONNECT_TIMEOUT_MS,
    drainTimeout: DRAIN_TIMEOUT_MS,
    ...(access === null
      ? {}
      : {
          keepaliveLimit: KEEPALIVE_MAX_S,
          preConnect(_client, packet, done) {
            // Nothing is kept for a client that is away: the journal of its gateway does that.
            packet.clean = true;
            done(null, true);
          },
          authenticate(client, username, password, done) {
            access.admit(client, username, password === undefined ? undefined : Buffer.from(password)).then(
              (refusal) => done(refusal, refusal === null),
              (error: unknown) => done(authError(String(error), 3), null),
            );
          },
        }),
    authorizePublish(client, packet, done) {
      const refusal =
        refusalOf(packet.topic, packet.payload.length) ??
        (access === null || client === null ? null : access.publishRefusal(client, packet));
      if (refusal === null) return done(null);
      log.warn("broker-publish-refused", { client: client?.id, topic: packet.topic.slice(0, 200), why: refusal });
      done(new Error(refusal));
    },
    authorizeSubscribe(client, subscription, done) {
      const isAllowed =
        FILTER.test(subscription.topic) && (access === null || access.maySubscribe(client, subscription.topic));
      if (isAllowed) return done(null, subscription);
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
  const take = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    limitPackets(socket);
    const client = aedes.handle(socket);
    client.once("connected", () => limitOf(socket)?.raise());
  };
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    stopWatching();
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    await new Promise<void>((resolve) => aedes.close(resolve));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
  let stopWatching = (): void => {};
  try {
    const identity = guard?.identity ?? null;
    const server = identity === null ? createServer(take) : createTlsServer(tlsOptions(identity), take);
    // A handshake that fails is the client's matter; without a listener it would be ours.
    server.on("tlsClientError", (error: Error) => log.debug("broker-tls-client-error", { why: error.message }));
    server.maxConnections = CONNECTIONS_MAX;
    const listening = await listen(server, host, port);
    servers.push(server);
    let insidePort = listening;
    if (identity !== null) {
      const inside = createServer(take);
      insidePort = await listen(inside, "127.0.0.1", 0);
      servers.push(inside);
    }
    if (guard !== null && guarded !== undefined) {
      stopWatching = guard.watch(guarded.timers, log, () => {
        const next = guard.identity;
        if (next !== null && server instanceof TlsServer) server.setSecureContext(tlsOptions(next));
        access?.dropFormer();
      });
    }
    const insideHost = identity === null ? (host.includes(":") ? `[${host}]` : host) : "127.0.0.1";
    return {
      port: listening,
      host: { url: `mqtt://${insideHost}:${insidePort}`, ...(access === null ? {} : access.host) },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Who is connected, and what each may do. */
class Access {
  readonly #guard: Guard;
  readonly #place: Place;
  readonly #log: Log;
  /** Also of clients that have just gone: their wills are published then. */
  readonly #accounts = new WeakMap<Client, Account>();
  readonly #connected = new Set<Client>();
  /** The collector's way in. */
  readonly host = { username: HOST_NAME, password: randomBytes(24).toString("base64url") };

  constructor(guard: Guard, place: Place, log: Log) {
    this.#guard = guard;
    this.#place = place;
    this.#log = log;
  }

  /** null = come in. */
  async admit(client: Client, username = "", password: Buffer = Buffer.alloc(0)): Promise<AuthenticateError | null> {
    const account = await this.#accountOf(client, username, password);
    if (account === null) {
      this.#log.warn("broker-login-refused", { client: client.id, user: username.slice(0, 200) });
      return authError("user name, password or certificate", 4);
    }
    for (const other of this.#connected) {
      // The newcomer would throw the other one out.
      if (other.id !== client.id || this.#accounts.get(other)?.name === account.name) continue;
      this.#log.warn("broker-login-refused", {
        client: client.id,
        user: account.name,
        why: "client id of another user",
      });
      return authError("client id of another user", 2);
    }
    this.#accounts.set(client, account);
    this.#connected.add(client);
    client.conn.once("close", () => this.#connected.delete(client));
    return null;
  }

  async #accountOf(client: Client, username: string, password: Buffer): Promise<Account | null> {
    if (username === this.host.username) {
      const isHost = password.equals(Buffer.from(this.host.password));
      return isHost ? { name: HOST_NAME, role: "host" } : null;
    }
    const certificate = (client.conn as Partial<TLSSocket>).getPeerCertificate?.();
    const commonName = certificate?.subject?.CN;
    // With mutual TLS the handshake has checked the certificate; it names the account and no password is asked.
    if ((this.#guard.identity?.ca ?? null) !== null && typeof commonName === "string")
      return this.#guard.ofCertificate(commonName);
    return await this.#guard.ofPassword(username, password);
  }

  publishRefusal(
    client: Client,
    { topic, retain }: { readonly topic: string; readonly retain?: boolean },
  ): string | null {
    const account = this.#accounts.get(client);
    if (account === undefined) return "unknown client";
    return mayPublish(account, { topic, retain: retain === true }, this.#place)
      ? null
      : `not for ${account.role} ${account.name}`;
  }

  maySubscribe(client: Client, filter: string): boolean {
    const account = this.#accounts.get(client);
    return account !== undefined && maySubscribe(account, filter, this.#place);
  }

  /** Closes the connections of accounts that are no longer in the list. */
  dropFormer(): void {
    for (const client of this.#connected) {
      const account = this.#accounts.get(client);
      if (account === undefined || account.role === "host" || this.#guard.stillHolds(account)) continue;
      this.#log.info("broker-account-gone", { user: account.name });
      client.close();
    }
  }
}

function authError(message: string, returnCode: number): AuthenticateError {
  return Object.assign(new Error(message), { returnCode });
}

function hasAccounts(files: GuardFiles | undefined): boolean {
  return files?.users_file !== undefined || files?.ca_file !== undefined;
}

function tlsOptions({ cert, key, ca }: ServerIdentity) {
  return {
    cert,
    key,
    minVersion: "TLSv1.2" as const,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    ...(ca === null ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
  };
}

const limits = new WeakMap<Socket, { raise(): void }>();
const limitOf = (socket: Socket) => limits.get(socket);

/** Every read of the socket goes past the limit; a packet that breaks it ends the connection. */
function limitPackets(socket: Socket): void {
  const limit = new PacketLimit(CONNECT_BYTES_MAX);
  limits.set(socket, {
    raise() {
      limit.max_bytes = MESSAGE_BYTES_MAX;
    },
  });
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    const chunk = read(size) as Buffer | null;
    if (chunk === null || limit.accepts(chunk)) return chunk;
    socket.destroy(new Error(`a packet of more than ${limit.max_bytes} bytes`));
    return null;
  };
}

function notProtected(host: string): KhuXanhError {
  return new KhuXanhError(
    "LISTEN_NOT_LOOPBACK",
    `the broker on ${host} is open to the network without TLS and accounts`,
    {
      hint: "Give broker.cert_file, broker.key_file and broker.users_file in collector.yaml, or listen on 127.0.0.1.",
      context: { host },
    },
  );
}

function refusalOf(topic: string, bytes: number): string | null {
  if (!TOPIC.test(topic)) return "only topics under spBv1.0/ are passed on";
  return bytes > MESSAGE_BYTES_MAX ? `the message is larger than ${MESSAGE_BYTES_MAX} bytes` : null;
}

/** @returns the port. @throws {KhuXanhError} PORT_TAKEN */
async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  }).catch((cause: unknown) => {
    throw listenError(cause, host, port);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
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
