import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import mqtt from "mqtt";
import { afterEach, describe, expect, test } from "vitest";
import { systemTimers } from "../../cli/io/system.ts";
import { startBroker } from "../../cloud/broker/embedded.ts";
import { hashPassword } from "../../cloud/broker/password.ts";
import { quiet, tempDir } from "./harness.ts";
import { startMosquitto, withoutMosquitto } from "./mosquitto.ts";

/**
 * Who may say and hear what, on the embedded broker and on Mosquitto with the list of `packaging/mosquitto/acl`: the same
 * expectations for both. Mosquitto drops what is not allowed; ours closes the connection as well.
 */
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const ZONE = "kcn-demo";
const HOST = "zone-collector";
const PASSWORD = "correct-horse-battery";

interface Stage {
  readonly url: string;
  readonly collector: { readonly username?: string; readonly password?: string };
}

async function embedded(): Promise<Stage> {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const users_file = join(dir.path, "users.yaml");
  const password = await hashPassword(PASSWORD);
  const users = [
    { name: "gw-01", role: "gateway", password },
    { name: "gw-02", role: "gateway", password },
    { name: "scada", role: "reader", password },
  ];
  writeFileSync(users_file, JSON.stringify({ users }), { mode: 0o600 });
  const broker = await startBroker({
    host: "127.0.0.1",
    port: 0,
    log: quiet,
    guard: { files: { users_file }, place: { zone: ZONE, hostId: HOST }, timers: systemTimers },
  });
  cleanups.push(() => broker.close());
  return { url: `mqtt://127.0.0.1:${broker.port}`, collector: broker.host };
}

async function mosquitto(): Promise<Stage> {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const password_file = join(dir.path, "passwd");
  const acl_file = join(dir.path, "acl");
  writeFileSync(password_file, ["gw-01", "gw-02", "scada", HOST].map((name) => `${name}:${PASSWORD}\n`).join(""));
  expect(spawnSync("mosquitto_passwd", ["-U", password_file]).status).toBe(0);
  writeFileSync(acl_file, readFileSync(new URL("../../packaging/mosquitto/acl", import.meta.url)), { mode: 0o600 });
  const broker = await startMosquitto({ password_file, acl_file, lines: ["use_username_as_clientid true"] });
  cleanups.push(() => broker.close());
  return { url: broker.url, collector: { username: HOST, password: PASSWORD } };
}

async function client(url: string, options: mqtt.IClientOptions): Promise<mqtt.MqttClient> {
  const connected = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...options }, false);
  connected.on("error", () => {});
  cleanups.push(() => connected.end(true));
  return connected;
}

const as = (username: string, password = PASSWORD) => ({ username, password, clientId: username });

/** Topics heard, in order; `until` resolves when `last` came. */
function ears(of: mqtt.MqttClient): { readonly heard: string[]; until(last: string): Promise<void> } {
  const heard: string[] = [];
  let check = (): void => {};
  of.on("message", (topic) => {
    heard.push(topic);
    check();
  });
  return {
    heard,
    until: (last) =>
      new Promise((resolve) => {
        check = () => heard.includes(last) && resolve();
        check();
      }),
  };
}

const SKIPPED = withoutMosquitto ? ", skipped: needs mosquitto" : "";
const BROKERS: readonly (readonly [string, boolean, () => Promise<Stage>])[] = [
  ["the embedded broker", false, embedded],
  [`Mosquitto with our list${SKIPPED}`, withoutMosquitto, mosquitto],
];

describe.each(BROKERS)("%s", (_name, isSkipped, start) => {
  describe.skipIf(isSkipped)("", () => {
    test("lets a gateway speak under its own name, and nobody hears what it says as another", async () => {
      const { url, collector } = await start();
      const host = await client(url, { ...collector, clientId: "host" });
      const listening = ears(host);
      await host.subscribeAsync("spBv1.0/#", { qos: 1 });
      const forbidden = [
        "spBv1.0/kcn-demo/NBIRTH/gw-02",
        "spBv1.0/kcn-demo/DDATA/gw-02/m1",
        "spBv1.0/kcn-demo/NCMD/gw-02",
        "spBv1.0/kcn-demo/NCMD/gw-01",
        "spBv1.0/kcn-demo/DCMD/gw-01/m1",
        "spBv1.0/other-zone/DDATA/gw-01/m1",
        `spBv1.0/STATE/${HOST}`,
        "spBv1.0/kcn-demo/DDATA/gw-01",
      ];
      for (const topic of forbidden) {
        const gateway = await client(url, as("gw-01"));
        await gateway.publishAsync("spBv1.0/kcn-demo/NBIRTH/gw-01", "allowed", { qos: 0 });
        // Ours answers with the end of the connection.
        await gateway.publishAsync(topic, "forbidden", { qos: 0 });
        await gateway.endAsync(false).catch(() => {});
      }
      const last = await client(url, as("gw-01"));
      await last.publishAsync("spBv1.0/kcn-demo/DDATA/gw-01/last", "allowed", { qos: 1 });
      await listening.until("spBv1.0/kcn-demo/DDATA/gw-01/last");
      expect(new Set(listening.heard)).toEqual(
        new Set(["spBv1.0/kcn-demo/NBIRTH/gw-01", "spBv1.0/kcn-demo/DDATA/gw-01/last"]),
      );
    });

    test("holds a death certificate to the same rule", async () => {
      const { url, collector } = await start();
      const host = await client(url, { ...collector, clientId: "host" });
      const listening = ears(host);
      await host.subscribeAsync("spBv1.0/#", { qos: 1 });
      const will = (edge: string) => ({
        will: { topic: `spBv1.0/kcn-demo/NDEATH/${edge}`, payload: Buffer.from("x"), qos: 1 as const, retain: false },
      });
      const liar = await client(url, { ...as("gw-01"), ...will("gw-02") });
      liar.stream.destroy();
      const honest = await client(url, { ...as("gw-02"), ...will("gw-02") });
      await honest.publishAsync("spBv1.0/kcn-demo/NBIRTH/gw-02", "x", { qos: 1 });
      honest.stream.destroy();
      await listening.until("spBv1.0/kcn-demo/NDEATH/gw-02");
      expect(listening.heard).toEqual(["spBv1.0/kcn-demo/NBIRTH/gw-02", "spBv1.0/kcn-demo/NDEATH/gw-02"]);
    });

    test("gives a gateway its own commands and the host's state, and nothing of its neighbours", async () => {
      const { url, collector } = await start();
      const host = await client(url, { ...collector, clientId: "host" });
      const spy = await client(url, as("gw-01"));
      const listening = ears(spy);
      await spy.subscribeAsync("spBv1.0/#", { qos: 1 }).catch(() => {});
      await spy.subscribeAsync("spBv1.0/kcn-demo/DDATA/gw-02/+", { qos: 1 }).catch(() => {});
      await spy.subscribeAsync(
        ["spBv1.0/kcn-demo/NCMD/gw-01", "spBv1.0/kcn-demo/DCMD/gw-01/+", `spBv1.0/STATE/${HOST}`],
        { qos: 1 },
      );
      const neighbour = await client(url, as("gw-02"));
      await neighbour.publishAsync("spBv1.0/kcn-demo/DDATA/gw-02/m1", "private", { qos: 1 });
      await host.publishAsync("spBv1.0/kcn-demo/NCMD/gw-02", "for gw-02", { qos: 1 });
      await host.publishAsync(`spBv1.0/STATE/${HOST}`, "online", { qos: 1, retain: true });
      await host.publishAsync("spBv1.0/kcn-demo/NCMD/gw-01", "for gw-01", { qos: 1 });
      await listening.until("spBv1.0/kcn-demo/NCMD/gw-01");
      expect([...new Set(listening.heard)]).toEqual([`spBv1.0/STATE/${HOST}`, "spBv1.0/kcn-demo/NCMD/gw-01"]);
    });

    test("a reader hears everything and is not heard", async () => {
      const { url, collector } = await start();
      const host = await client(url, { ...collector, clientId: "host" });
      const listening = ears(host);
      await host.subscribeAsync("spBv1.0/#", { qos: 1 });
      const mute = await client(url, as("scada"));
      await mute.publishAsync("spBv1.0/kcn-demo/NCMD/gw-01", "x", { qos: 0 });
      await mute.endAsync(false).catch(() => {});
      const reader = await client(url, as("scada"));
      const reading = ears(reader);
      await reader.subscribeAsync("spBv1.0/#", { qos: 1 });
      const gateway = await client(url, as("gw-01"));
      await gateway.publishAsync("spBv1.0/kcn-demo/NDATA/gw-01", "x", { qos: 1 });
      await reading.until("spBv1.0/kcn-demo/NDATA/gw-01");
      await listening.until("spBv1.0/kcn-demo/NDATA/gw-01");
      expect(listening.heard).toEqual(["spBv1.0/kcn-demo/NDATA/gw-01"]);
    });

    test.each([
      ["a wrong password", as("gw-01", "guess-guess-guess")],
      ["an unknown name", as("gw-03")],
      ["no name", { clientId: "x" }],
    ])("does not let in %s", async (_case, login) => {
      const { url } = await start();
      await expect(client(url, login)).rejects.toThrow(/Not authorized|Bad username/);
    });
  });
});

test("the embedded broker: nobody takes the client id of another user, and asks for hours of silence", async () => {
  const { url } = await embedded();
  const first = await client(url, { ...as("gw-01"), clientId: "same" });
  let isCut = false;
  first.on("close", () => {
    isCut = true;
  });
  await expect(client(url, { ...as("gw-02"), clientId: "same" })).rejects.toThrow(/Identifier rejected/);
  await expect(client(url, { ...as("gw-02"), keepalive: 601 })).rejects.toThrow();
  await expect(client(url, { ...as("gw-02"), keepalive: 0 })).rejects.toThrow();
  await first.publishAsync("spBv1.0/kcn-demo/NBIRTH/gw-01", "x", { qos: 1 });
  expect(isCut).toBe(false);
  // Its own user may: a gateway that comes back before the broker has noticed that it was away.
  await client(url, { ...as("gw-01"), clientId: "same" });
});
