import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mqttConnector } from "../../cli/io/mqtt.ts";
import { BareBroker, connectPacket, connectTo, PACKET_CHECKS } from "./packetChecks.ts";

let broker: BareBroker;
beforeEach(async () => {
  broker = new BareBroker();
  await broker.listen();
});
afterEach(() => broker.close());

describe("on the socket", () => {
  for (const [ids, prove] of PACKET_CHECKS) for (const id of ids) test(id, () => prove(broker));
});

test("the will goes with the CONNECT as it was given, and so does the keep-alive", async () => {
  const link = await mqttConnector().connect(connectTo(broker));
  expect(connectPacket(broker.received())).toMatchObject({
    will: { isThere: true, qos: 1, retain: false },
    keepalive_s: 30,
  });
  link.destroy();
});

test("a link that was cut is over: it says so once, comes back by itself never, and keeps nothing to send later", async () => {
  const closed: string[] = [];
  let onClosed = (): void => {};
  const isClosed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  const link = await mqttConnector().connect(
    connectTo(broker, {
      onClose(why) {
        closed.push(why);
        onClosed();
      },
    }),
  );
  broker.forget();
  broker.sockets[0]?.destroy();
  await isClosed;
  await expect(
    link.publish("spBv1.0/kcn/DDATA/gw-01/m", new Uint8Array([1]), { qos: 0, retain: false }),
  ).rejects.toThrow();
  // Whoever connects next is another client: nothing of the old one comes before its CONNECT.
  const next = await mqttConnector().connect(connectTo(broker, { clientId: "next" }));
  expect(broker.received()[0]).toBe(0x10);
  expect(broker.received().includes("DDATA")).toBe(false);
  expect(broker.sockets).toHaveLength(2);
  expect(closed).toHaveLength(1);
  next.destroy();
  await once(broker.sockets[1]!, "close");
});
