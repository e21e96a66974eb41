import mqtt from "mqtt";
import { afterEach, expect, test } from "vitest";
import { type Mosquitto, startMosquitto, withoutMosquitto } from "./mosquitto.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function broker(): Promise<Mosquitto> {
  const started = await startMosquitto();
  cleanups.push(() => started.close());
  return started;
}

async function client(url: string): Promise<mqtt.MqttClient> {
  const connected = await mqtt.connectAsync(
    url,
    { protocolVersion: 4, reconnectPeriod: 0, connectTimeout: 2000 },
    false,
  );
  connected.on("error", () => {});
  cleanups.push(() => connected.end(true));
  return connected;
}

test.skipIf(withoutMosquitto)(
  "Mosquitto passes messages on, dies, and comes back on the same port remembering nothing",
  async () => {
    const mosquitto = await broker();
    const first = await client(mosquitto.url);
    await first.publishAsync("spBv1.0/STATE/host", "kept", { qos: 1, retain: true });
    const cut = new Promise<void>((resolve) => first.once("close", () => resolve()));
    await mosquitto.stop("SIGKILL");
    await cut;
    await expect(client(mosquitto.url)).rejects.toThrow();

    await mosquitto.start();
    const second = await client(mosquitto.url);
    const heard = new Promise<string>((resolve) =>
      second.on("message", (_topic, payload) => resolve(payload.toString())),
    );
    await second.subscribeAsync("spBv1.0/#", { qos: 1 });
    await second.publishAsync("spBv1.0/kcn/NDATA/gw", "live", { qos: 1 });
    expect(await heard).toBe("live");
  },
);

test.skipIf(withoutMosquitto)("a port that is taken says so instead of hanging", async () => {
  const mosquitto = await broker();
  await expect(startMosquitto({ port: mosquitto.port })).rejects.toThrow(/Address already in use/);
});
