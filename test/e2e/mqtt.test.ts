import { describe, test } from "vitest";
import { mqttConnector } from "../../cli/io/mqtt.ts";
import { startBroker } from "../../cloud/broker/embedded.ts";
import { type MqttStage, mqttContract } from "../contract/mqtt.ts";
import { quiet, until } from "./harness.ts";
import { startMosquitto, withoutMosquitto } from "./mosquitto.ts";

interface RealBroker {
  readonly url: string;
  close(): Promise<void>;
}

const stageOf = ({ url, close }: RealBroker): MqttStage => ({
  connector: mqttConnector(),
  url,
  of: (promise) => promise,
  until: (what, isTrue) => until(what, isTrue, 10_000),
  stopBroker: close,
  close,
});

mqttContract("mqtt.js on the embedded broker", async () => {
  const broker = await startBroker({ host: "127.0.0.1", port: 0, log: quiet });
  return stageOf({ url: `mqtt://127.0.0.1:${broker.port}`, close: () => broker.close() });
});

describe.skipIf(withoutMosquitto)("Mosquitto", () => {
  mqttContract("mqtt.js on Mosquitto", async () => {
    const broker = await startMosquitto();
    return stageOf({ url: broker.url, close: () => broker.close() });
  });
});

describe.runIf(withoutMosquitto)("Mosquitto", () => {
  test.skip("mqtt.js on Mosquitto: needs mosquitto", () => {});
});
