import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { until } from "../e2e/harness.ts";
import { freePort, type Khuxanh, khuxanh, khuxanhRun } from "../e2e/processes.ts";
import { isRequired, pathOf } from "../services.ts";
import { simulatedMeters } from "./meters.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "khuxanh-sim-"));
  cleanups.push(() => rmSync(path, { recursive: true }));
  return path;
}

async function running(event: string, ...args: string[]): Promise<Khuxanh> {
  const sim = khuxanh("sim", ...args);
  cleanups.push(async () => {
    sim.child.kill("SIGKILL");
    await sim.exited;
  });
  let ended = false;
  sim.exited.then(() => {
    ended = true;
  });
  await until(`sim says ${event}`, () => ended || sim.stderr().includes(event) || sim.stdout().includes(event));
  return sim;
}

const values = (stdout: string) => JSON.parse(stdout).readings as readonly unknown[];
const METER = "{unit: 1, model: eastron-sdm630, since: 2026-01-01, load: {shape: continuous, peak_W: 4000}}";

test("a meter that was recorded in the field gives the same readings when it is replayed", async () => {
  const url = await simulatedMeters({ unit: 1, model: "eastron-sdm630", load: { shape: "two-shift", peak_W: 4000 } });
  const file = join(folder(), "field.csv");
  const probe = (at: string, ...more: string[]) =>
    khuxanhRun("probe", `${at}?unit=1`, "--model", "eastron-sdm630", "--json", ...more);
  const own = await probe(url, "--record", file);
  expect(own.code).toBe(0);
  const again = `tcp://127.0.0.1:${await freePort()}`;
  await running("sim.replaying", "--replay", file, "--listen", again, "--model", "eastron-sdm630");
  const replayed = await probe(again);
  expect(replayed.code).toBe(0);
  expect(values(replayed.stdout)).toEqual(values(own.stdout));
  expect(values(own.stdout).length).toBeGreaterThan(40);
  const twice = await probe(url, "--record", file);
  expect(twice).toMatchObject({ code: 2, stderr: expect.stringMatching(/is there already.*\[USAGE\]/) });
});

test("a meter that says nothing leaves no recording", async () => {
  const file = join(folder(), "field.csv");
  const { code } = await khuxanhRun(
    "probe",
    `tcp://127.0.0.1:${await freePort()}`,
    "--model",
    "eastron-sdm630",
    "--record",
    file,
  );
  expect(code).toBe(1);
  expect(existsSync(file)).toBe(false);
});

const skipped = pathOf("socat") === null && !isRequired ? "skipped: needs socat" : "";

test.skipIf(skipped !== "")(
  `a serial line, its control port and truth file, as an installer starts them; Ctrl-C takes the line away ${skipped}`,
  async () => {
    const dir = folder();
    const [line, truth, config] = [join(dir, "line"), join(dir, "truth.jsonl"), join(dir, "sim.yaml")];
    const control = await freePort();
    writeFileSync(
      config,
      `control: 127.0.0.1:${control}\nlines: [{listen: "rtu://${line}?baud=19200", meters: [${METER}]}]\n`,
    );
    const sim = await running("sim.control", "--config", config, "--truth", truth);
    const read = () => khuxanhRun("probe", `rtu://${line}?baud=19200&unit=1`, "--model", "eastron-sdm630", "--json");
    expect(values((await read()).stdout).length).toBeGreaterThan(40);
    const posted = await fetch(`http://127.0.0.1:${control}/faults`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: "mute", kind: "silent", on: { line: 0, unit: 1 } }),
    });
    expect(posted.status).toBe(201);
    expect(await read()).toMatchObject({ code: 1, stderr: expect.stringContaining("METER_SILENT") });
    await fetch(`http://127.0.0.1:${control}/faults/mute`, { method: "DELETE" });
    const told = readFileSync(truth, "utf8")
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text).fault);
    expect(told).toMatchObject([
      { id: "mute", kind: "silent", line: 0, unit: 1, state: "begin" },
      { id: "mute", state: "end" },
    ]);
    sim.child.kill("SIGINT");
    expect(await sim.exited).toBe(0);
    expect(existsSync(line)).toBe(false);
  },
);

test.each<[string, readonly string[], number, RegExp]>([
  ["nothing", [], 2, /--config is missing.*\[USAGE\]/],
  [
    "a capture and a configuration",
    ["--replay", "x.csv", "--config", "y.yaml"],
    2,
    /--config does not go with --replay/,
  ],
  [
    "a listen address without a capture",
    ["--config", "y.yaml", "--listen", "tcp://127.0.0.1:1"],
    2,
    /--listen does not go with --config/,
  ],
  ["a capture that is not there", ["--replay", "no-such.csv"], 2, /cannot read no-such\.csv.*\[CONFIG_UNREADABLE\]/],
  ["a file that is no capture", ["--replay", "package.json"], 2, /package\.json is no capture: .*\[CONFIG_INVALID\]/],
  [
    "an address open to the network",
    ["--replay", "x.csv", "--listen", "tcp://0.0.0.0:5020"],
    2,
    /\[LISTEN_NOT_LOOPBACK\]/,
  ],
  ["a unit that cannot be", ["--replay", "x.csv", "--unit", "300"], 2, /--unit is 300 \(allowed: 1 to 247\)/],
])("%s is refused in words", async (_name, args, code, message) => {
  const run = await khuxanhRun("sim", ...args);
  expect(run.stderr).toMatch(message);
  expect(run.code).toBe(code);
  expect(run.stderr).not.toMatch(/\n\s+at /);
});

test("a serial port that is not there is said, and the simulator does not start half", async () => {
  const config = join(folder(), "sim.yaml");
  writeFileSync(config, `lines: [{listen: "rtu:///dev/no-such-port", meters: [${METER}]}]\n`);
  expect(await khuxanhRun("sim", "--config", config)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/cannot open the serial line \/dev\/no-such-port.*\[BUS_UNREACHABLE\]/),
  });
  writeFileSync(config, `lines: [{listen: "rtu:///no/such/folder/line", meters: [${METER}]}]\n`);
  expect(await khuxanhRun("sim", "--config", config)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("BUS_UNREACHABLE"),
  });
});

test("sim tells all that is wrong with its file at once, and which file it is", async () => {
  const config = join(folder(), "sim.yaml");
  const listen = `tcp://127.0.0.1:${await freePort()}`;
  const load = (unit: number, text: string) => `{unit: ${unit}, model: schneider-pm5000, load: {formula: ${text}}}`;
  writeFileSync(config, `lines: [{listen: "${listen}", meters: [${load(1, "banana")}, ${load(2, "1e12")}]}]\n`);
  const { code, stderr } = await khuxanhRun("sim", "--config", config);
  expect(code).toBe(2);
  expect(stderr).toContain(`${config}: 2 problems`);
  expect(stderr).toMatch(/^ {2}lines\[0\]\.meters\[0\]\.load\.formula: column 1 .*banana/m);
  expect(stderr).toMatch(/^ {2}lines\[0\]\.meters\[1\]\.load\.formula: gives 1000000000000/m);
});

test("a clock jump is for worlds, and sim says so", async () => {
  const config = join(folder(), "sim.yaml");
  const listen = `tcp://127.0.0.1:${await freePort()}`;
  writeFileSync(
    config,
    `lines: [{listen: "${listen}", meters: [${METER}]}]\nfaults: [{kind: clock-jump, on: {line: 0}, at: +1s, by: 2h}]\n`,
  );
  expect(await khuxanhRun("sim", "--config", config)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /clock-jump is beyond a simulator of meters.*\[CONFIG_INVALID\]\n.*world in virtual time/s,
    ),
  });
});
