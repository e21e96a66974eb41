import { createRequire } from "node:module";
import type { MqttClient } from "mqtt";
import { KhuXanhError } from "../../core/errors.ts";
import type { MqttConnect, MqttConnector, MqttLink } from "../../core/ports.ts";
import type { Identity, IdentitySource } from "./identity.ts";

/**
 * The MQTT port on mqtt.js: one client per CONNECT, which never reconnects, queues or resubscribes by itself; otherwise
 * stale data would precede a birth and the will would keep an old bdSeq (reference sparkplug §16).
 *
 * With an identity its files are read for every CONNECT; when they change while a connection stands, it is ended, and whoever
 * holds it connects again.
 */
export function mqttConnector(identity: IdentitySource | null = null): MqttConnector {
  return { connect: (options) => connect(options, identity) };
}

async function connect(options: MqttConnect, source: IdentitySource | null): Promise<MqttLink> {
  const identity: Identity = source?.read() ?? {};
  const { password = options.password, ...tls } = identity;
  const { connectAsync } = await mqttJs();
  let client: MqttClient;
  try {
    client = await connectAsync(
      options.url,
      {
        ...tls,
        clientId: options.clientId,
        protocolVersion: 4,
        clean: true,
        reconnectPeriod: 0,
        queueQoSZero: false,
        resubscribe: false,
        // Its own traces, off or on, cost an array each: a dozen a packet.
        log() {},
        keepalive: options.keepalive_s,
        connectTimeout: options.connectTimeout_ms,
        ...(options.username === undefined ? {} : { username: options.username }),
        ...(password === undefined ? {} : { password }),
        will: { ...options.will, payload: Buffer.from(options.will.payload) },
      },
      false,
    );
  } catch (cause) {
    throw noConnection(withoutSecrets(options.url), cause);
  }
  let isEnded = false;
  const ended = (why: string): void => {
    if (isEnded) return;
    isEnded = true;
    stopWatching();
    options.onClose(why);
  };
  const stopWatching = source?.watch(identity, () => ended("certificate or password files changed")) ?? (() => {});
  client.on("message", (topic, payload) => options.onMessage(topic, payload));
  client.on("error", (error) => ended(error.message));
  client.on("close", () => ended("connection closed"));
  // mqtt.js would keep it for a next connection, which there never is.
  const assertOpen = (): void => {
    if (!client.connected) throw new Error("the connection is closed");
  };
  return {
    async publish(topic, payload, { qos, retain }) {
      assertOpen();
      await client.publishAsync(topic, payload as Buffer, { qos, retain });
    },
    async subscribe(filters) {
      assertOpen();
      const granted = await client.subscribeAsync(
        Object.fromEntries(filters.map(({ filter, qos }) => [filter, { qos }])),
      );
      const refused = granted.find(({ qos }) => qos === 128);
      if (refused !== undefined) throw new Error(`the broker refused the subscription to ${refused.topic}`);
    },
    async end() {
      await client.endAsync(false);
    },
    destroy() {
      client.end(true);
    },
  };
}

/**
 * Loaded while the first meters are being asked: what an agent must do first is read. Its packet writer would make the two
 * bytes of each of 65,536 numbers beforehand, 7 MB for an agent that sends some dozens of packets a second.
 */
async function mqttJs(): Promise<typeof import("mqtt")> {
  const mqtt = await import("mqtt");
  const requireAsMqtt = createRequire(createRequire(import.meta.url).resolve("mqtt"));
  const { writeToStream } = requireAsMqtt("mqtt-packet") as { writeToStream: { cacheNumbers: boolean } };
  writeToStream.cacheNumbers = false;
  return mqtt;
}

/** What the other side said, in words; everything else is an address or a network. */
const REFUSALS: readonly (readonly [RegExp, string, string])[] = [
  [
    /Connection refused: (Bad username|Not authorized|Identifier rejected)/i,
    "the broker does not let us in: user name, password or right",
    "Check username and password_file, and that the broker knows this account.",
  ],
  [
    /CERT_HAS_EXPIRED|certificate has expired/i,
    "the broker's certificate has expired",
    "Renew the broker's certificate; also check this machine's clock.",
  ],
  [/CERT_NOT_YET_VALID/i, "the broker's certificate is not valid yet", "Check this machine's clock."],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate/i,
    "the broker's certificate is for another name",
    "Use the name in `url` that the certificate holds, or make one for this name.",
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|self.signed|unable to (verify|get)/i,
    "nobody we trust vouches for the broker's certificate",
    "Give the authority that signed it as ca_file.",
  ],
  [
    /alert (certificate|unknown ca|bad certificate|handshake failure)|CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE/i,
    "the broker does not accept our certificate",
    "Check cert_file and key_file, and that the broker's authority signed them.",
  ],
  [
    /WRONG_VERSION_NUMBER|wrong version number|packet length too long/i,
    "the broker does not speak TLS on this port",
    "Use mqtt:// for this port, or the broker's TLS port (usually 8883).",
  ],
  [
    /key values mismatch|PEM|no start line|DECODER/i,
    "our certificate files cannot be used",
    "Check that ca_file, cert_file and key_file are PEM and belong together.",
  ],
];

function noConnection(url: string, cause: unknown): KhuXanhError {
  const said = textOf(cause);
  const refusal = REFUSALS.find(([pattern]) => pattern.test(said));
  if (refusal !== undefined) {
    return new KhuXanhError("BROKER_REFUSED", `${url}: ${refusal[1]}`, { hint: refusal[2], cause });
  }
  return new KhuXanhError("BROKER_UNREACHABLE", `no connection to the broker at ${url}`, {
    hint: "Check that the broker runs, its address and port, and user name and password if it asks for them.",
    cause,
  });
}

function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return `${"code" in cause ? String(cause.code) : ""} ${cause.message}`;
}

function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}
