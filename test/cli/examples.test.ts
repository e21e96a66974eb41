import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { changed, example } from "../config/problems.ts";
import { tempDir, until } from "../e2e/harness.ts";
import { freePort, type Khuxanh, khuxanh, khuxanhRun } from "../e2e/processes.ts";

/** The examples as they are shipped: what somebody copies must pass `check` and run. */
const running: Khuxanh[] = [];
const cleanups: (() => void)[] = [];
afterEach(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map(({ exited }) => exited));
  for (const clean of cleanups.splice(0)) clean();
});

test("khuxanh check finds nothing wrong with the examples", async () => {
  const files = ["agent", "collector", "sim"].map((name) => `config/examples/${name}.yaml`);
  const { code, stderr } = await khuxanhRun("check", ...files);
  expect([code, stderr]).toEqual([0, ""]);
});

test("simulator, collector and agent start from the examples, and the agent is born with all its meters", {
  timeout: 120_000,
}, async () => {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const [modbus, broker, page, local] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const start = (command: string, name: string, ...ports: readonly (readonly [string, string])[]): Khuxanh => {
    const file = join(dir.path, `${name}.yaml`);
    writeFileSync(file, changed(example(name), ...ports));
    const process = khuxanh(command, "--config", file);
    running.push(process);
    return process;
  };
  const [toMeters, toBroker] = [`tcp://127.0.0.1:${modbus}`, `127.0.0.1:${broker}`];
  const sim = start("sim", "sim", ["tcp://127.0.0.1:5020", toMeters]);
  const collector = start(
    "collector",
    "collector",
    ["127.0.0.1:1883", toBroker],
    ["127.0.0.1:8080", `127.0.0.1:${page}`],
  );
  const agent = start(
    "agent",
    "agent",
    ["tcp://127.0.0.1:5020", toMeters],
    ["127.0.0.1:1883", toBroker],
    ["127.0.0.1:8081", `127.0.0.1:${local}`],
  );
  await until("the agent is born and its three meters answer", async () => {
    const response = await fetch(`http://127.0.0.1:${local}/health`).catch(() => null);
    const health = (await response?.json()) as
      | { uplink: { state: string }; meters: { answering: boolean }[] }
      | undefined;
    return (
      health?.uplink.state === "born" && health.meters.length === 3 && health.meters.every(({ answering }) => answering)
    );
  });
  for (const { child, exited } of [agent, collector, sim]) {
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  }
  // The data folders are beside the files, as the examples say.
  expect(readFileSync(join(dir.path, "data/zone/zone.sqlite")).length).toBeGreaterThan(0);
});
