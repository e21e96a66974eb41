import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { HostSession } from "../../../cloud/collector/hostSession.ts";
import type { MqttConnect, MqttLink } from "../../../core/ports.ts";
import { parseState } from "../../../core/wire/state.ts";
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

/** A broker that retains STATE and hands it out while the subscription is made; the collector's clock and what it keeps. */
function stateStage() {
  const kept = new Map<string, string>();
  const said: { online: boolean; timestamp_ms: number }[] = [];
  let retained: Uint8Array | null = null;
  const stage = { now_ms: 1_795_339_100_000, kept, said };
  const session = () =>
    new HostSession({
      hostId: "zone-collector",
      connect: { url: "mqtt://none" },
      connector: {
        connect: async ({ onMessage, onClose }) => ({
          publish: async (topic, payload) => {
            if (!topic.endsWith("STATE/zone-collector")) return;
            retained = payload;
            said.push(parseState(payload)!);
          },
          subscribe: async ([first]) => {
            if (first!.filter.includes("STATE") && retained !== null)
              onMessage("spBv1.0/STATE/zone-collector", retained);
          },
          end: async () => {},
          destroy: () => onClose("destroyed"),
        }),
      },
      store: {
        getValue: (key) => kept.get(key) ?? null,
        setValue: (key, value) => void kept.set(key, value),
        putAlarm: () => {},
      },
      clock: { now_ms: () => stage.now_ms, mono_ms: () => 0 },
      timers: {
        after(_delay_ms, run) {
          queueMicrotask(run);
          return () => {};
        },
        every: () => () => {},
      },
      random: { unit: () => 0.5, hex: () => "" },
      log: recordingLog(),
      onMessage: () => {},
      onLost: () => {},
    });
  return { ...stage, stage, session };
}

test.each(["kept", "lost"])(
  "a collector that said goodbye while its clock was ahead is believed when it comes back with the right time (its own time %s)",
  async (how) => {
    const { stage, said, kept, session } = stateStage();
    const before = session();
    void before.run();
    while (!before.isConnected) await Promise.resolve();
    stage.now_ms += 345_000;
    await before.stop();
    const goodbye = said.at(-1)!;
    expect(goodbye.online).toBe(false);
    stage.now_ms -= 300_000;
    if (how === "lost") kept.clear();
    const after = session();
    void after.run();
    for (let i = 0; i < 100; i++) await Promise.resolve();
    expect(said.at(-1)!.online).toBe(true);
    expect(said.at(-1)!.timestamp_ms).toBeGreaterThan(goodbye.timestamp_ms);
  },
);
