import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { isRequired, pathOf } from "../services.ts";
import { tempDir, until } from "./harness.ts";
import { freePort, khuxanhIn } from "./processes.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const isMissing = pathOf("socat") === null || pathOf("systemd-notify") === null;
const skipped = isMissing && !isRequired ? ", skipped: needs socat and systemd-notify" : "";

test.skipIf(skipped !== "")(
  `the service manager hears READY, WATCHDOG while it runs, and STOPPING when asked to end${skipped}`,
  { timeout: 60_000 },
  async () => {
    const dir = tempDir();
    cleanups.push(dir.remove);
    // What systemd would be: a datagram socket that somebody reads.
    const socket = join(dir.path, "notify");
    const manager = spawn(pathOf("socat")!, ["-u", `UNIX-RECV:${socket}`, "-"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    cleanups.push(() => manager.kill("SIGKILL"));
    let heard = "";
    manager.stdout.on("data", (chunk) => {
      heard += chunk;
    });
    await until("socat listens", () => existsSync(socket));
    const [broker, page] = await Promise.all([freePort(), freePort()]);
    const file = join(dir.path, "collector.yaml");
    writeFileSync(
      file,
      `
zone: {id: kcn-test, name: {vi: Thử, en: Test}}
data_dir: ./zone
sites: [{id: steel, name: {vi: Thép, en: Steel}, gateways: [gw-01]}]
broker: {embedded: "127.0.0.1:${broker}"}
listen: 127.0.0.1:${page}
`,
    );
    const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "600000" };
    const collector = khuxanhIn(env, "collector", "--config", file);
    cleanups.push(() => collector.child.kill("SIGKILL"));
    await until("it is ready and alive", () => /READY=1[\s\S]*WATCHDOG=1[\s\S]*WATCHDOG=1/.test(heard));
    collector.child.kill("SIGTERM");
    expect(await collector.exited).toBe(0);
    await until("its end was said", () => heard.includes("STOPPING=1"));
    expect(collector.stderr()).not.toContain("service.notify-failed");
  },
);
