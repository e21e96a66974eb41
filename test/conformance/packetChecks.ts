import { createServer, type Socket } from "node:net";
import { expect } from "vitest";
import { mqttConnector } from "../../cli/io/mqtt.ts";
import type { MqttConnect } from "../../core/ports.ts";
import type { Checks } from "./ids.ts";

/** What only the bytes on the socket show: mqtt.js as we set it (reference sparkplug §16), against a broker that hardly is one. */
export const PACKET_CHECKS: Checks<BareBroker> = [
  [
    ["principles-persistence-clean-session-311", "message-flow-phid-sparkplug-clean-session-311"],
    async (broker) => {
      const link = await mqttConnector().connect(connectTo(broker));
      const { protocol, level, flags } = connectPacket(broker.received());
      link.destroy();
      expect([protocol, level]).toEqual(["MQTT", 4]);
      expect(flags & CLEAN_SESSION).toBe(CLEAN_SESSION);
    },
  ],
];

const CLEAN_SESSION = 0b10;
const WILL = 0b100;
const CONNACK = Buffer.from([0x20, 2, 0, 0]);

/** Takes every CONNECT and writes down what comes after it. */
export class BareBroker {
  #chunks: Buffer[] = [];
  readonly sockets: Socket[] = [];
  readonly #server = createServer((socket) => {
    this.sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      if (chunk[0] === 0x10) socket.write(CONNACK);
    });
  });

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  forget(): void {
    this.#chunks = [];
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function connectTo(broker: BareBroker, change: Partial<MqttConnect> = {}): MqttConnect {
  return {
    url: `mqtt://127.0.0.1:${broker.port}`,
    clientId: "conformance",
    will: { topic: "spBv1.0/kcn/NDEATH/gw-01", payload: new Uint8Array([1, 2, 3]), qos: 1, retain: false },
    keepalive_s: 30,
    connectTimeout_ms: 5000,
    onMessage: () => {},
    onClose: () => {},
    ...change,
  };
}

/** The variable header of a CONNECT (MQTT 3.1.1 §3.1.2). */
export function connectPacket(bytes: Buffer) {
  expect(bytes[0]).toBe(0x10);
  let at = 1;
  while (bytes[at]! >= 0x80) at += 1;
  at += 1;
  const length = bytes.readUInt16BE(at);
  const protocol = bytes.subarray(at + 2, at + 2 + length).toString();
  const flags = bytes[at + 3 + length]!;
  return {
    protocol,
    level: bytes[at + 2 + length],
    flags,
    will: { isThere: (flags & WILL) !== 0, qos: (flags >> 3) & 3, retain: (flags & 0x20) !== 0 },
    keepalive_s: bytes.readUInt16BE(at + 4 + length),
  };
}
