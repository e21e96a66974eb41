import { connectAsync, type MqttClient } from "mqtt";
import { KhuXanhError } from "../../core/errors.ts";
import type { MqttConnect, MqttConnector, MqttLink } from "../../core/ports.ts";

/**
 * The MQTT port on mqtt.js: one client per CONNECT, which never reconnects, queues or resubscribes by itself; otherwise
 * stale data would precede a birth and the will would keep an old bdSeq (reference sparkplug §16).
 */
export function mqttConnector(tls: TlsFiles = {}): MqttConnector {
  return { connect: (options) => connect(options, tls) };
}

/** PEM contents, read by whoever knows the files. */
export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

async function connect(options: MqttConnect, tls: TlsFiles): Promise<MqttLink> {
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
        keepalive: options.keepalive_s,
        connectTimeout: options.connectTimeout_ms,
        ...(options.username === undefined ? {} : { username: options.username }),
        ...(options.password === undefined ? {} : { password: options.password }),
        will: { ...options.will, payload: Buffer.from(options.will.payload) },
      },
      false,
    );
  } catch (cause) {
    throw new KhuXanhError("BROKER_UNREACHABLE", `no connection to the broker at ${withoutSecrets(options.url)}`, {
      hint: "Check that the broker runs, its address and port, and user name and password if it asks for them.",
      cause,
    });
  }
  let isEnded = false;
  const ended = (why: string): void => {
    if (isEnded) return;
    isEnded = true;
    options.onClose(why);
  };
  client.on("message", (topic, payload) => options.onMessage(topic, payload));
  client.on("error", (error) => ended(error.message));
  client.on("close", () => ended("connection closed"));
  return {
    async publish(topic, payload, { qos, retain }) {
      await client.publishAsync(topic, payload as Buffer, { qos, retain });
    },
    async subscribe(filters) {
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

function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}
