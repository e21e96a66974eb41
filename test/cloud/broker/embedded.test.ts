import { connect as tcp } from "node:net";
import mqtt, { type MqttClient } from "mqtt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Broker, startBroker } from "../../../cloud/broker/embedded.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import type { Log } from "../../../core/ports.ts";

const warnings: string[] = [];
const log: Log = { debug() {}, info() {}, warn: (event) => void warnings.push(event), error() {} };

let broker: Broker;
const clients: MqttClient[] = [];

beforeEach(async () => {
  warnings.length = 0;
  broker = await startBroker({ host: "127.0.0.1", port: 0, log });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  await broker.close();
});

async function connect(clientId: string, options: mqtt.IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, {
    clientId,
    protocolVersion: 4,
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    ...options,
  });
  client.on("error", () => {});
  clients.push(client);
  return client;
}

interface Message {
  readonly topic: string;
  readonly text: string;
  readonly retain: boolean;
  readonly qos: number;
}

/** Resolves with the messages once there are `count` of them. */
function messages(client: MqttClient, count: number): Promise<readonly Message[]> {
  const got: Message[] = [];
  return new Promise((resolve) => {
    client.on("message", (topic, payload, packet) => {
      got.push({ topic, text: payload.toString(), retain: packet.retain, qos: packet.qos });
      if (got.length === count) resolve(got);
    });
  });
}

test("a retained STATE greets whoever subscribes later", async () => {
  const host = await connect("host");
  await host.publishAsync("spBv1.0/STATE/zone", '{"online":true,"timestamp":1}', { qos: 1, retain: true });
  const edge = await connect("edge");
  const first = messages(edge, 1);
  await edge.subscribeAsync("spBv1.0/STATE/zone", { qos: 1 });
  expect(await first).toEqual([
    { topic: "spBv1.0/STATE/zone", text: '{"online":true,"timestamp":1}', retain: true, qos: 1 },
  ]);
});

test("a socket that breaks off has its QoS 1 will published; a clean end has not", async () => {
  const host = await connect("host");
  await host.subscribeAsync("spBv1.0/kcn/NDEATH/+", { qos: 1 });
  const first = messages(host, 1);
  const will = (edge: string) => ({
    will: { topic: `spBv1.0/kcn/NDEATH/${edge}`, payload: Buffer.from(edge), qos: 1 as const, retain: false },
  });
  const clean = await connect("clean", will("clean"));
  await clean.endAsync();
  const broken = await connect("broken", will("broken"));
  broken.stream.destroy();
  expect(await first).toEqual([{ topic: "spBv1.0/kcn/NDEATH/broken", text: "broken", retain: false, qos: 1 }]);
});

test("2,000 QoS 0 messages all arrive, in order", async () => {
  const host = await connect("host");
  await host.subscribeAsync("spBv1.0/kcn/DDATA/#", { qos: 0 });
  const all = messages(host, 2000);
  const edge = await connect("edge");
  for (let at = 0; at < 2000; at++) edge.publish("spBv1.0/kcn/DDATA/gw/m", String(at), { qos: 0 });
  expect((await all).map((message) => Number(message.text))).toEqual(Array.from({ length: 2000 }, (_, at) => at));
});

test("topics outside Sparkplug are refused, for publishing and subscribing, and nobody hears of them", async () => {
  const host = await connect("host");
  // mqtt.js rejects when any filter of a SUBACK is refused; the granted one stands.
  await expect(host.subscribeAsync(["spBv1.0/#", "other/#", "#"], { qos: 0 })).rejects.toThrow();
  const first = messages(host, 1);
  const stranger = await connect("stranger");
  const closed = new Promise<void>((resolve) => stranger.once("close", () => resolve()));
  stranger.publish("other/topic", "secret", { qos: 0 });
  await closed;
  const edge = await connect("edge");
  await edge.publishAsync("spBv1.0/kcn/NDATA/gw", "fine", { qos: 0 });
  expect((await first).map((message) => message.topic)).toEqual(["spBv1.0/kcn/NDATA/gw"]);
  expect(warnings).toEqual(["broker-subscribe-refused", "broker-subscribe-refused", "broker-publish-refused"]);
});

test("a port that is taken is said with a hint", async () => {
  const error = await startBroker({ host: "127.0.0.1", port: broker.port, log }).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KhuXanhError);
  expect(error).toMatchObject({ code: "PORT_TAKEN", context: { port: broker.port } });
  expect((error as KhuXanhError).hint).toContain("port");
});

test("closing cuts every client and frees the port at once", async () => {
  const client = await connect("edge");
  const silent = tcp(broker.port, "127.0.0.1");
  silent.on("error", () => {});
  await new Promise((resolve) => silent.once("connect", resolve));
  const cut = Promise.all([
    new Promise<void>((resolve) => client.once("close", () => resolve())),
    new Promise((resolve) => silent.once("close", resolve)),
  ]);
  await broker.close();
  await cut;
  broker = await startBroker({ host: "127.0.0.1", port: broker.port, log });
  expect(broker.port).toBeGreaterThan(0);
});
