import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KhuXanhError } from "../../core/errors.ts";
import type { MqttConnect, MqttConnector, MqttLink } from "../../core/ports.ts";

/**
 * What agent and collector rely on in the port `MqttConnector` and in the broker behind it. The simulated network and
 * broker (`hw-sim/world`) pass what mqtt.js passes on aedes and on Mosquitto: that is why what holds in a world holds in a
 * factory.
 */
export interface MqttStage {
  readonly connector: MqttConnector;
  readonly url: string;
  /** Settles as the promise does; a world has to be moved for that. */
  of<T>(promise: Promise<T>): Promise<T>;
  until(what: string, isTrue: () => boolean): Promise<void>;
  stopBroker(): Promise<void>;
  close(): Promise<void>;
}

const TOPIC = "spBv1.0/kcn/DDATA/gw-01/incomer";
const COMMAND = "spBv1.0/kcn/NCMD/gw-01";
const STATE = "spBv1.0/STATE/zone";
const DEATH = "spBv1.0/kcn/NDEATH/gw-01";

interface Client {
  readonly link: MqttLink;
  readonly received: { readonly topic: string; readonly text: string }[];
  readonly closed: string[];
}

export function mqttContract(name: string, open: () => Promise<MqttStage>): void {
  describe(name, () => {
    let stage: MqttStage;
    const links: MqttLink[] = [];

    beforeEach(async () => {
      stage = await open();
    });
    afterEach(async () => {
      for (const link of links.splice(0)) link.destroy();
      await stage.close();
    });

    async function client(clientId: string, filters: readonly string[] = [], change: Partial<MqttConnect> = {}) {
      const received: Client["received"] = [];
      const closed: string[] = [];
      const link = await stage.of(
        stage.connector.connect({
          url: stage.url,
          clientId,
          will: { topic: DEATH, payload: bytes(`${clientId} died`), qos: 1, retain: false },
          keepalive_s: 30,
          connectTimeout_ms: 5000,
          onMessage: (topic, payload) => void received.push({ topic, text: new TextDecoder().decode(payload) }),
          onClose: (why) => void closed.push(why),
          ...change,
        }),
      );
      links.push(link);
      const made: Client = { link, received, closed };
      if (filters.length > 0) await stage.of(link.subscribe(filters.map((filter) => ({ filter, qos: 1 }))));
      return made;
    }

    const publish = ({ link }: Client, topic: string, text: string, qos: 0 | 1 = 0, retain = false): Promise<void> =>
      stage.of(link.publish(topic, bytes(text), { qos, retain }));
    const texts = ({ received }: Client): string[] => received.map(({ text }) => text);

    test("a message reaches who subscribed to its topic, by name or wildcard, and nobody else", async () => {
      const [named, one, all, other] = [
        await client("named", [TOPIC]),
        await client("one", ["spBv1.0/kcn/+/gw-01/+"]),
        await client("all", ["spBv1.0/#"]),
        await client("other", ["spBv1.0/kcn/+/gw-02/+", "spBv1.0/kcn/DDATA/gw-01"]),
      ];
      const sender = await client("sender");
      await publish(sender, TOPIC, "1");
      await publish(sender, "spBv1.0/kcn/DDATA/gw-01", "end", 1);
      await stage.until("the last message is there", () => texts(other).includes("end") && texts(all).length === 2);
      expect([named, one, other].map(texts)).toEqual([["1"], ["1"], ["end"]]);
      expect(all.received).toEqual([
        { topic: TOPIC, text: "1" },
        { topic: "spBv1.0/kcn/DDATA/gw-01", text: "end" },
      ]);
    });

    test("messages of one sender arrive in their order, each once", async () => {
      const host = await client("host", ["spBv1.0/#"]);
      const sender = await client("sender");
      const sent = Array.from({ length: 200 }, (_, i) => String(i));
      for (const text of sent) void sender.link.publish(TOPIC, bytes(text), { qos: 0, retain: false });
      await stage.until("all arrived", () => host.received.length === sent.length);
      expect(texts(host)).toEqual(sent);
    });

    test("whoever publishes to a topic of its own subscription hears itself", async () => {
      const host = await client("host", [STATE]);
      await publish(host, STATE, "online", 1, true);
      await stage.until("it hears itself", () => host.received.length === 1);
      expect(texts(host)).toEqual(["online"]);
    });

    test("a retained message greets who subscribes later, the newest one; an empty one takes it away", async () => {
      const host = await client("host");
      await publish(host, STATE, "first", 1, true);
      await publish(host, STATE, "second", 1, true);
      const edge = await client("edge", [STATE]);
      await stage.until("it is greeted", () => edge.received.length === 1);
      expect(texts(edge)).toEqual(["second"]);

      await publish(host, STATE, "", 1, true);
      const late = await client("late", [STATE, TOPIC]);
      await publish(host, TOPIC, "end", 1);
      await stage.until("the end arrived", () => late.received.length > 0);
      expect(texts(late)).toEqual(["end"]);
    });

    test("a cut connection publishes the will; a goodbye does not", async () => {
      const host = await client("host", [DEATH]);
      const polite = await client("polite");
      await stage.of(polite.link.end());
      const rude = await client("rude");
      rude.link.destroy();
      await stage.until("the will arrived", () => host.received.length > 0);
      expect(texts(host)).toEqual(["rude died"]);
    });

    test("the will is the one that was given at the connection, whatever became of its bytes", async () => {
      const host = await client("host", [DEATH]);
      const payload = bytes("bdSeq 1");
      const edge = await client("edge", [], { will: { topic: DEATH, payload, qos: 1, retain: false } });
      payload.fill(0);
      edge.link.destroy();
      await stage.until("the will arrived", () => host.received.length > 0);
      expect(texts(host)).toEqual(["bdSeq 1"]);
    });

    test("a second connection of the same client id ends the first, whose will is published", async () => {
      const host = await client("host", [DEATH]);
      const first = await client("edge", [COMMAND]);
      const second = await client("edge", [COMMAND]);
      await stage.until("the first is closed", () => first.closed.length > 0 && host.received.length > 0);
      await publish(host, COMMAND, "rebirth", 1);
      await stage.until("the second is asked", () => second.received.length > 0);
      expect([first.closed.length, second.closed.length]).toEqual([1, 0]);
      expect(texts(first)).toEqual([]);
      expect(texts(host)).toEqual(["edge died"]);
    });

    test("QoS 1 is done when the broker has it; after that the sender may die", async () => {
      const host = await client("host", [TOPIC]);
      const edge = await client("edge");
      await publish(edge, TOPIC, "kept", 1);
      edge.link.destroy();
      await stage.until("it arrived", () => host.received.length > 0);
      expect(texts(host)).toEqual(["kept"]);
    });

    test("a link that ended says so once, and takes nothing any more", async () => {
      for (const end of ["end", "destroy"] as const) {
        const edge = await client(`edge-${end}`);
        if (end === "end") await stage.of(edge.link.end());
        else edge.link.destroy();
        await stage.until("it is told", () => edge.closed.length > 0);
        const published = edge.link.publish(TOPIC, bytes("late"), { qos: 0, retain: false });
        await expect(stage.of(published)).rejects.toThrow();
        const subscribed = edge.link.subscribe([{ filter: TOPIC, qos: 1 }]);
        await expect(stage.of(subscribed)).rejects.toThrow();
        edge.link.destroy();
        expect(edge.closed).toHaveLength(1);
      }
    });

    test("subscriptions end with their connection: the next one of that client begins without any", async () => {
      const first = await client("edge", [TOPIC]);
      await stage.of(first.link.end());
      const second = await client("edge");
      const sender = await client("sender");
      await publish(sender, TOPIC, "1", 1);
      await stage.of(second.link.subscribe([{ filter: COMMAND, qos: 1 }]));
      await publish(sender, COMMAND, "end", 1);
      await stage.until("the end arrived", () => second.received.length > 0);
      expect(texts(second)).toEqual(["end"]);
    });

    test("what is unanswered when the connection breaks is settled, so that nobody waits for ever", async () => {
      const edge = await client("edge");
      const asked = [
        edge.link.subscribe([{ filter: COMMAND, qos: 1 }]),
        edge.link.publish(TOPIC, bytes("1"), { qos: 1, retain: false }),
      ].map((promise) => promise.catch(() => {}));
      edge.link.destroy();
      await stage.of(Promise.all(asked));
    });

    test("a broker that goes ends its connections, and the next attempt says BROKER_UNREACHABLE", async () => {
      const edge = await client("edge", [COMMAND]);
      await stage.of(stage.stopBroker());
      await stage.until("it is told", () => edge.closed.length > 0);
      expect(edge.closed).toHaveLength(1);
      const again = client("edge");
      await expect(again).rejects.toThrow(KhuXanhError);
      await expect(again).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
    });
  });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
