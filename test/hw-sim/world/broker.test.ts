import { expect, test } from "vitest";
import type { Message, Peer } from "../../../hw-sim/world/broker.ts";
import { createWorld } from "../../../hw-sim/world/world.ts";
import { settling } from "../../sim/settle.ts";

function brokerWith(...names: readonly string[]) {
  const { broker } = createWorld({ seed: 1, origin_ms: 0, settle: settling() });
  const heard = new Map<string, string[]>();
  const peers = names.map((clientId): Peer => {
    const got: string[] = [];
    heard.set(clientId, got);
    const deliver = ({ topic, payload, qos }: Message): void => void got.push(`${topic} ${payload[0]} qos ${qos}`);
    return { clientId, keepalive_ms: 0, will: null, deliver, close() {} };
  });
  for (const peer of peers) broker.connect(peer);
  const say = (from: Peer, topic: string, content: number, qos: 0 | 1 = 0): boolean =>
    broker.publish(from, { topic, payload: new Uint8Array([content]), qos, retain: false });
  return { broker, peers, heard, say };
}

test("who gets a topic is who is subscribed to it at that moment, whoever was when it was last published", () => {
  const { broker, peers, heard, say } = brokerWith("gw", "host", "other");
  const [gw, host, other] = peers as [Peer, Peer, Peer];
  say(gw, "a/b", 1);
  broker.subscribe(host, [{ filter: "a/#", qos: 0 }]);
  say(gw, "a/b", 2);
  broker.subscribe(other, [{ filter: "+/b", qos: 1 }]);
  say(gw, "a/b", 3, 1);
  broker.subscribe(host, [{ filter: "a/b", qos: 1 }]);
  say(gw, "a/b", 4, 1);
  broker.disconnect(other);
  say(gw, "a/b", 5);
  broker.connect({ ...host });
  say(gw, "a/b", 6);
  expect(heard.get("host")).toEqual(["a/b 2 qos 0", "a/b 3 qos 0", "a/b 4 qos 1", "a/b 5 qos 0"]);
  expect(heard.get("other")).toEqual(["a/b 3 qos 1", "a/b 4 qos 1"]);
  expect(heard.get("gw")).toEqual([]);
});

test("a broker that was stopped and started knows nobody any more", () => {
  const { broker, peers, heard, say } = brokerWith("gw", "host");
  const [gw, host] = peers as [Peer, Peer];
  broker.subscribe(host, [{ filter: "#", qos: 0 }]);
  say(gw, "a", 1);
  broker.stop({ how: "process-killed", keepsRetained: false });
  broker.start();
  expect(say(gw, "a", 2)).toBe(false);
  broker.connect(gw);
  say(gw, "a", 3);
  expect(heard.get("host")).toEqual(["a 1 qos 0"]);
});
