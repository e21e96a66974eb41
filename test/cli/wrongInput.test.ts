import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { tempDir } from "../e2e/harness.ts";
import { freePort, khuxanh, khuxanhRun } from "../e2e/processes.ts";

/** What a user sees who got something wrong: one clear message, what to do next, the exit code of the contract, no stack trace. */
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function file(name: string, text: string): string {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const path = join(dir.path, name);
  writeFileSync(path, text);
  return path;
}

interface AgentText {
  readonly interval?: string;
  readonly meters?: string;
  readonly listen?: string;
  readonly broker?: number;
  readonly bus?: number;
  readonly extra?: string;
}

const METER = "{id: incomer, unit: 1, model: schneider-pm5000, carrier: electricity, every: 1s}";

function agentYaml({
  interval = "15min",
  meters = METER,
  listen = "127.0.0.1:0",
  broker = 1,
  bus = 1,
  extra = "",
}: AgentText) {
  return `
zone: kcn-test
site: steel
gateway: gw-01
data_dir: ./gw-01
interval: ${interval}
buses:
  - id: main
    url: tcp://127.0.0.1:${bus}
    timeout: 200ms
    meters: [${meters}]
uplink: {url: "mqtt://127.0.0.1:${broker}", host_id: zone-collector}
listen: ${listen}
${extra}`;
}

async function occupied(): Promise<{ server: Server; port: number }> {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return { server, port };
}

test("an unknown key, a wrong unit and a duplicate meter id are listed at once, and nothing starts", async () => {
  const config = file(
    "agent.yaml",
    agentYaml({ interval: "15 minuts", meters: `${METER}, ${METER}`, extra: "listn: 127.0.0.1:8081" }),
  );
  for (const command of [
    ["check", config],
    ["agent", "--config", config],
  ]) {
    const { code, stdout, stderr } = await khuxanhRun(...command);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("interval:");
    expect(stderr).toContain("15 minuts");
    expect(stderr).toMatch(/listn: .*did you mean listen\?/);
    expect(stderr).toMatch(/buses\[0\]\.meters\[1\]\.id: .*incomer/);
    expect(stderr).toContain("[CONFIG_INVALID]");
    expect(stderr).not.toMatch(/\n\s+at /);
  }
});

test("a model file with an address twice names both registers", async () => {
  const model = file(
    "meter.yaml",
    `
id: twice
manufacturer: Someone
model: Twice
measures: [electricity]
phases: 3
sources: ["a datasheet"]
confidence: one-source
transport: [tcp]
defaults: {tcp: true}
addressing: "0-based"
registers:
  - {name: voltage_l1, fc: 3, address: 10, type: f32, word_order: big, scale: 1, unit: V}
  - {name: voltage_l2, fc: 3, address: 11, type: f32, word_order: big, scale: 1, unit: V}
quirks: none
`,
  );
  const { code, stderr } = await khuxanhRun("check", model);
  expect(code).toBe(2);
  expect(stderr).toMatch(/voltage_l1/);
  expect(stderr).toMatch(/voltage_l2/);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("a port that is taken stops the collector with code 1 and says which port", async () => {
  const { port } = await occupied();
  const config = file(
    "collector.yaml",
    `
zone: {id: kcn-test, name: {vi: Thử, en: Test}, time_zone: Asia/Ho_Chi_Minh}
data_dir: ./zone
sites: [{id: steel, name: {vi: Thép, en: Steel}, gateways: [gw-01]}]
broker: {embedded: 127.0.0.1:${port}}
listen: 127.0.0.1:0
`,
  );
  const { code, stderr } = await khuxanhRun("collector", "--config", config);
  expect(code).toBe(1);
  expect(stderr).toContain(`127.0.0.1:${port}`);
  expect(stderr).toContain("[PORT_TAKEN]");
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("a data directory has one owner: the second agent is refused with code 1", { timeout: 60_000 }, async () => {
  const config = file("agent.yaml", agentYaml({}));
  const first = khuxanh("agent", "--config", config);
  cleanups.push(() => first.child.kill("SIGKILL"));
  await new Promise<void>((resolve) => {
    first.child.stderr?.on("data", () => first.stderr().includes("agent.started") && resolve());
  });
  const second = await khuxanhRun("agent", "--config", config);
  expect(second.code).toBe(1);
  expect(second.stderr).toContain("[DATA_DIR_LOCKED]");
  first.child.kill("SIGTERM");
  expect(await first.exited).toBe(0);
});

test("an unreachable meter and an unreachable broker never end an agent", { timeout: 60_000 }, async () => {
  const [bus, broker] = [await freePort(), await freePort()];
  const agent = khuxanh("agent", "--config", file("agent.yaml", agentYaml({ bus, broker })));
  cleanups.push(() => agent.child.kill("SIGKILL"));
  await new Promise<void>((resolve) => {
    agent.child.stderr?.on("data", () => agent.stderr().split("BROKER_UNREACHABLE").length > 2 && resolve());
  });
  expect(agent.child.exitCode).toBeNull();
  agent.child.kill("SIGTERM");
  expect(await agent.exited).toBe(0);
  expect(agent.stderr()).not.toMatch(/\n\s+at /);
});

test("a listener that is not loopback is refused until logins and TLS exist", async () => {
  const { code, stderr } = await khuxanhRun("check", file("agent.yaml", agentYaml({ listen: "0.0.0.0:8081" })));
  expect(code).toBe(2);
  expect(stderr).toContain("[LISTEN_NOT_LOOPBACK]");
});

test("a command that does not exist offers the nearest one", async () => {
  const { code, stderr } = await khuxanhRun("chek");
  expect(code).toBe(2);
  expect(stderr).toContain("Did you mean check?");
});

test("an unknown option and a missing file are wrong usage, said in one line", async () => {
  const option = await khuxanhRun("demo", "--prot", "1");
  expect(option.code).toBe(2);
  expect(option.stderr).toContain("--prot");
  const missing = await khuxanhRun("agent", "--config", "no-such-file.yaml");
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain("[CONFIG_UNREADABLE]");
  for (const { stderr } of [option, missing]) expect(stderr).not.toMatch(/\n\s+at /);
});

test.each([
  [["demo", "--days", "-1"], "--days is -1 (allowed: a whole number from 0 to 400)"],
  [["demo", "--days=-1"], "--days is -1 (allowed: a whole number from 0 to 400)"],
  [["demo", "--data", ""], "--data is empty"],
  [["agent", "--config="], "--config is empty"],
  [["demo", "--data", "--port", "0"], "--data needs a value"],
  [["demo", "--days"], "--days needs a value"],
  [["models", "--json=yes"], "--json takes no value"],
])("%j is wrong usage, in our own words", async (args, words) => {
  const { code, stdout, stderr } = await khuxanhRun(...args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toBe(`khuxanh: ${words} [USAGE]\n  Run the command with --help.\n`);
});
