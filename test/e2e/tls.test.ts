import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { type IdentityKeys, identityOf } from "../../cli/io/identity.ts";
import { mqttConnector } from "../../cli/io/mqtt.ts";
import { type Broker, startBroker } from "../../cloud/broker/embedded.ts";
import type { MqttLink, Timers } from "../../core/ports.ts";
import { type Authority, authority, withoutOpenssl } from "./certificates.ts";
import { quiet, recordingLog, tempDir, until } from "./harness.ts";
import { startMosquitto, withoutMosquitto } from "./mosquitto.ts";

/** Real certificates on real sockets: who gets in, what is said to who does not, and renewal without a restart. */
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

interface Stage {
  readonly dir: string;
  readonly ca: Authority;
  readonly url: string;
}

const PLACE = { zone: "kcn-demo", hostId: "zone-collector" };

/** Timers whose periods pass when the test says so. */
function steppedTimers(): Timers & { pass(): void } {
  const running = new Set<() => void>();
  return {
    after: () => () => {},
    every(_period_ms, run) {
      running.add(run);
      return () => running.delete(run);
    },
    pass() {
      for (const run of [...running]) run();
    },
  };
}

function folder(): { readonly dir: string; readonly ca: Authority } {
  const dir = tempDir();
  cleanups.push(dir.remove);
  return { dir: dir.path, ca: authority(dir.path) };
}

async function embedded(timers: Timers = steppedTimers()): Promise<Stage & { readonly broker: Broker }> {
  const { dir, ca } = folder();
  const files = { ...ca.issue("localhost", { file: "broker" }), ca_file: ca.ca_file };
  const broker = await startBroker({ host: "127.0.0.1", port: 0, log: quiet, guard: { files, place: PLACE, timers } });
  cleanups.push(() => broker.close());
  return { dir, ca, url: `mqtts://localhost:${broker.port}`, broker };
}

async function mosquitto(): Promise<Stage> {
  const { dir, ca } = folder();
  const broker = await startMosquitto({
    tls: { ...ca.issue("localhost", { file: "broker" }), ca_file: ca.ca_file, clientCertificates: true },
  });
  cleanups.push(() => broker.close());
  return { dir, ca, url: broker.url };
}

/** As agent and collector connect. */
async function connect(
  url: string,
  keys: IdentityKeys,
  { timers = steppedTimers(), onClose = () => {} }: { timers?: Timers; onClose?: (why: string) => void } = {},
): Promise<MqttLink> {
  const link = await mqttConnector(identityOf(keys, timers, quiet)).connect({
    url,
    clientId: "khuxanh-kcn-demo-gw-01",
    will: { topic: "spBv1.0/kcn-demo/NDEATH/gw-01", payload: new Uint8Array(), qos: 1, retain: false },
    keepalive_s: 30,
    connectTimeout_ms: 10_000,
    onMessage: () => {},
    onClose,
  });
  cleanups.push(() => link.destroy());
  return link;
}

const BROKERS: readonly (readonly [string, boolean, () => Promise<Stage>])[] = [
  ["the embedded broker", withoutOpenssl, () => embedded()],
  [`Mosquitto${withoutMosquitto ? ", skipped: needs mosquitto" : ""}`, withoutOpenssl || withoutMosquitto, mosquitto],
];

describe.each(BROKERS)("mutual TLS with %s", (_name, isSkipped, start) => {
  test.skipIf(isSkipped)("lets in whom the zone's authority vouches for, and says to others why not", async () => {
    const { dir, ca, url } = await start();
    const ca_file = ca.ca_file;
    const link = await connect(url, { ca_file, ...ca.issue("gw-01") });
    await link.publish("spBv1.0/kcn-demo/NBIRTH/gw-01", new Uint8Array(), { qos: 1, retain: false });

    await expect(connect(url, { ...ca.issue("gw-02") })).rejects.toMatchObject({
      code: "BROKER_REFUSED",
      message: expect.stringContaining("nobody we trust vouches for the broker's certificate"),
    });
    const stranger = authority(dir, "stranger");
    await expect(connect(url, { ca_file, ...stranger.issue("gw-03") })).rejects.toMatchObject({ kind: "Transient" });
    await expect(connect(url, { ca_file })).rejects.toMatchObject({ kind: "Transient" });
    await expect(connect(url.replace("mqtts:", "mqtt:"), {})).rejects.toMatchObject({ code: "BROKER_UNREACHABLE" });
  });
});

test.skipIf(withoutOpenssl)(
  "a certificate for another name, one that is over, and a port without TLS are told apart",
  async () => {
    const { dir, ca } = folder();
    const ca_file = ca.ca_file;
    const start = async (files: object) => {
      const broker = await startBroker({
        host: "127.0.0.1",
        port: 0,
        log: quiet,
        guard: { files, place: PLACE, timers: steppedTimers() },
      });
      cleanups.push(() => broker.close());
      return broker.port;
    };
    const over = await start(ca.issue("localhost", { file: "over", days: -1 }));
    await expect(connect(`mqtts://localhost:${over}`, { ca_file })).rejects.toThrow(/has expired \[BROKER_REFUSED\]/);
    const plain = await startBroker({ host: "127.0.0.1", port: 0, log: quiet });
    cleanups.push(() => plain.close());
    await expect(connect(`mqtts://localhost:${plain.port}`, { ca_file })).rejects.toMatchObject({ kind: "Transient" });
    const good = await start(ca.issue("localhost", { file: "good" }));
    await expect(connect(`mqtts://127.0.0.2:${good}`, { ca_file })).rejects.toThrow(/BROKER_/);
    expect(dir).not.toBe("");
  },
);

test.skipIf(withoutOpenssl)(
  "the embedded broker shows a renewed certificate without a restart, and keeps the old one while files do not fit",
  async () => {
    const timers = steppedTimers();
    const { dir, ca, broker } = await embedded(timers);
    const serialNow = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const me = ca.issue("look");
        const socket = tlsConnect(
          { port: broker.port, host: "localhost", rejectUnauthorized: false, ...keyAndCert(me) },
          () => {
            resolve(socket.getPeerCertificate().serialNumber);
            socket.destroy();
          },
        );
        socket.once("error", reject);
      });
    const before = await serialNow();
    const next = ca.issue("localhost", { file: "next" });
    copyFileSync(next.cert_file, join(dir, "broker.pem"));
    timers.pass();
    expect(await serialNow()).toBe(before);
    copyFileSync(next.key_file, join(dir, "broker.key"));
    timers.pass();
    expect(await serialNow()).not.toBe(before);
  },
);

test.skipIf(withoutOpenssl)(
  "a client whose certificate was renewed comes back with the new one, and waits while key and certificate do not fit",
  async () => {
    const { dir, ca, url } = await embedded();
    const keys = { ca_file: ca.ca_file, ...ca.issue("gw-01") };
    const timers = steppedTimers();
    const ended: string[] = [];
    await connect(url, keys, { timers, onClose: (why) => ended.push(why) });
    timers.pass();
    expect(ended).toEqual([]);
    const next = ca.issue("gw-01", { file: "next" });
    copyFileSync(next.cert_file, join(dir, "gw-01.pem"));
    timers.pass();
    expect(ended).toEqual([]);
    copyFileSync(next.key_file, join(dir, "gw-01.key"));
    timers.pass();
    expect(ended).toEqual(["certificate or password files changed"]);
    await connect(url, keys, { timers });
  },
);

test.skipIf(withoutOpenssl)(
  "accounts are read again; who is no longer in the list is cut off, and a broken list changes nothing",
  async () => {
    const { dir, ca } = folder();
    const users_file = join(dir, "users.yaml");
    const list = (...names: string[]) =>
      writeFileSync(users_file, JSON.stringify({ users: names.map((name) => ({ name, role: "gateway" })) }), {
        mode: 0o600,
      });
    list("gw-01");
    const timers = steppedTimers();
    const log = recordingLog();
    const files = { ...ca.issue("localhost", { file: "broker" }), ca_file: ca.ca_file, users_file };
    const broker = await startBroker({ host: "127.0.0.1", port: 0, log, guard: { files, place: PLACE, timers } });
    cleanups.push(() => broker.close());
    const url = `mqtts://localhost:${broker.port}`;
    const other = { ca_file: ca.ca_file, ...ca.issue("gw-02") };
    await expect(connect(url, other)).rejects.toMatchObject({ code: "BROKER_REFUSED" });
    let isCut = false;
    await connect(url, { ca_file: ca.ca_file, ...ca.issue("gw-01") }, { onClose: () => (isCut = true) });
    writeFileSync(users_file, "users: [{name: gw-01, rolle: reader}]\n");
    timers.pass();
    expect(log.events.some(({ event }) => event === "broker.files-do-not-hold")).toBe(true);
    expect(isCut).toBe(false);
    list("gw-02", "gw-03");
    timers.pass();
    await until("the former account is cut off", () => isCut);
    await connect(url, other);
  },
);

test.skipIf(withoutOpenssl)("a key or password file that others may read is refused at the start", () => {
  const { dir, ca } = folder();
  const made = ca.issue("gw-01");
  const open = join(dir, "open.key");
  copyFileSync(made.key_file, open);
  writeFileSync(join(dir, "password"), "secret\n", { mode: 0o644 });
  const chmod = (file: string, mode: number) => writeFileSync(file, keyAndCert(made).key, { mode });
  expect(() => identityOf({ password_file: join(dir, "password") }, steppedTimers(), quiet)).toThrow(/SECRET_EXPOSED/);
  chmod(join(dir, "readable.key"), 0o644);
  expect(() =>
    identityOf({ cert_file: made.cert_file, key_file: join(dir, "readable.key") }, steppedTimers(), quiet),
  ).toThrow(/SECRET_EXPOSED/);
  // Its group may: root:khuxanh 0640 is usual. It is said.
  chmod(join(dir, "group.key"), 0o640);
  const log = recordingLog();
  identityOf({ cert_file: made.cert_file, key_file: join(dir, "group.key") }, steppedTimers(), log);
  expect(log.events.map(({ event }) => event)).toEqual(["secret.group-readable"]);
});

function keyAndCert({ cert_file, key_file }: { readonly cert_file: string; readonly key_file: string }) {
  return { cert: readFileSync(cert_file), key: readFileSync(key_file) };
}
