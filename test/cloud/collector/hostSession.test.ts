import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { HostSession } from "../../../cloud/collector/hostSession.ts";
import type { MqttConnect, MqttLink } from "../../../core/ports.ts";
import { ID_LENGTH_MAX } from "../../../core/wire/topics.ts";
import { recordingLog } from "../../recordingLog.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** A session on a link that only the test speaks on. */
async function staged() {
  const heard: (string | null)[] = [];
  let options: MqttConnect | null = null;
  const link: MqttLink = {
    publish: async () => {},
    subscribe: async () => {},
    end: async () => {},
    destroy: () => {},
  };
  const session = new HostSession({
    hostId: "zone-collector",
    connect: { url: "mqtt://none" },
    connector: {
      connect: async (given) => {
        options = given;
        return link;
      },
    },
    store: { getValue: () => null, setValue: () => {}, putAlarm: () => {} },
    clock: { now_ms: () => 1_795_339_100_000, mono_ms: () => 0 },
    timers: { after: () => () => {}, every: () => () => {} },
    random: { unit: () => 0.5, hex: () => "" },
    log: recordingLog(),
    onMessage: (topic) => heard.push("device" in topic ? topic.device : null),
    onLost: () => {},
  });
  void session.run();
  while (!session.isConnected) await Promise.resolve();
  return { heard, say: (topic: string) => options!.onMessage(topic, new Uint8Array()) };
}

test("topics as long as MQTT allows are not kept, and others are heard beside them", async () => {
  const { heard, say } = await staged();
  const pad = "x".repeat(60_000);
  collectGarbage();
  const before_bytes = process.memoryUsage().heapUsed;
  for (let i = 0; i < 1000; i++) {
    // As from the network: a string of its own, not a rope of others.
    say(Buffer.from(`spBv1.0/kcn/DDATA/tp/${i}${pad}`).toString());
  }
  const longest = "d".repeat(ID_LENGTH_MAX);
  for (const device of ["press", longest, longest]) say(`spBv1.0/kcn/DDATA/tp/${device}`);
  expect(heard).toEqual(["press", longest, longest]);
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before_bytes).toBeLessThan(20_000_000);
});
