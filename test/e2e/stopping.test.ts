import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { tempDir, until } from "./harness.ts";
import { freePort, khuxanh } from "./processes.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** What the contract gives Ctrl-C and SIGTERM. A CONNECT that nobody answers is waited for twice as long. */
const STOP_MS = 5000;

/** Takes connections, and says nothing on them. */
async function silentBroker(): Promise<{ readonly port: number; readonly connections: () => number }> {
  const sockets: { destroy(): void }[] = [];
  const server: Server = createServer((socket) => sockets.push(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => sockets.length };
}

const FILES = {
  agent: (broker: number, page: number) => `
zone: kcn-test
site: steel
gateway: gw-01
data_dir: ./gw
buses: [{id: main, url: "tcp://127.0.0.1:${broker}", meters: [{id: a, unit: 1, model: schneider-pm5000, carrier: electricity}]}]
uplink: {url: "mqtt://127.0.0.1:${broker}", host_id: zone-collector}
listen: 127.0.0.1:${page}
`,
  collector: (broker: number, page: number) => `
zone: {id: kcn-test, name: {vi: Thử, en: Test}}
data_dir: ./zone
sites: [{id: steel, name: {vi: Thép, en: Steel}, gateways: [gw-01]}]
broker: {url: "mqtt://127.0.0.1:${broker}"}
listen: 127.0.0.1:${page}
`,
};

test.each(["agent", "collector"] as const)(
  "%s stops within 5 s while a broker leaves its CONNECT unanswered",
  { timeout: 60_000 },
  async (which) => {
    const dir = tempDir();
    cleanups.push(dir.remove);
    const broker = await silentBroker();
    const file = join(dir.path, `${which}.yaml`);
    writeFileSync(file, FILES[which](broker.port, await freePort()));
    const running = khuxanh(which, "--config", file);
    cleanups.push(() => running.child.kill("SIGKILL"));
    await until(
      "it started and waits for the broker",
      () => running.stderr().includes(`${which}.started`) && broker.connections() > 0,
    );
    const asked_ms = performance.now();
    running.child.kill("SIGTERM");
    expect(await running.exited).toBe(0);
    expect(performance.now() - asked_ms).toBeLessThan(STOP_MS);
  },
);
