import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { flashWrites } from "../../cli/flashWrites.ts";
import { khuxanhRun } from "../e2e/processes.ts";

const folder = mkdtempSync(join(tmpdir(), "khuxanh-check-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Thirty meters on one line, as in the reference figures of the poll benchmark. */
function agentFile(name: string, url: string, meters: number, every: string, model = "eastron-sdm630"): string {
  const file = join(folder, `${name}.yaml`);
  const lines = Array.from(
    { length: meters },
    (_, i) => `      - {id: m${i + 1}, unit: ${i + 1}, model: ${model}, carrier: electricity, every: ${every}}`,
  );
  writeFileSync(
    file,
    `zone: z\nsite: s\ngateway: g\ndata_dir: ${join(folder, name)}\nbuses:\n  - id: line\n    url: ${url}\n    meters:\n${lines.join("\n")}\nuplink: {url: "mqtt://127.0.0.1:1883"}\n`,
  );
  return file;
}

interface Cycle {
  readonly every_ms: number;
  readonly exchanges: number;
  readonly registers: number;
  readonly wire_ms: number;
  readonly busy_ms: number;
  readonly load_pct: number;
}

async function planOf(file: string): Promise<{ readonly cycles: readonly Cycle[]; readonly load_pct: number }> {
  const { code, stdout } = await khuxanhRun("check", file, "--json");
  expect(code).toBe(0);
  return JSON.parse(stdout)[0].plan[0];
}

test("check prints exchanges, registers, wire time and load of every cycle of a bus", async () => {
  const file = agentFile("text", "rtu:///dev/ttyUSB0?baud=9600", 2, "{power: 10s, energy: 60s}");
  const { code, stdout } = await khuxanhRun("check", file);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /bus line {2}every 10 s {2,}\d+ exchanges {2}\d+ registers {2}[\d.]+ ms on the wire {2,}busy [\d.]+ ms {2,}load [\d.]+ %/,
  );
  expect(stdout).toMatch(/bus line {2}every 60 s/);
  expect(stdout).not.toMatch(/OVERLOAD/);
  expect(stdout).toMatch(/journal: about [\d.]+ GB written to disk a day, in 8640 commits/);
});

test("fifty meters every second wear a card by some gigabytes a day, one every quarter of an hour by next to nothing", () => {
  const polls = (meters: number, every_ms: number) =>
    Array.from({ length: meters }, () => ({ every_ms, registers: 40 }));
  // Measured: 14.5 KiB a commit.
  expect(flashWrites(polls(50, 1000)).bytes_per_day / 86_400 / 1024).toBeCloseTo(14, 0);
  expect(flashWrites(polls(1, 1000)).bytes_per_day / 86_400 / 1024).toBeCloseTo(6.6, 0);
  expect(flashWrites(polls(1, 900_000))).toEqual({ commits_per_day: 96, bytes_per_day: 644_122 });
  expect(flashWrites([])).toEqual({ commits_per_day: 0, bytes_per_day: 0 });
});

test("check refuses a password file that others may read", async () => {
  const file = agentFile("exposed", "tcp://127.0.0.1", 1, "1s");
  const secret = join(folder, "exposed-secret");
  writeFileSync(secret, "hunter2\n", { mode: 0o644 });
  const uplink = `{url: "mqtt://127.0.0.1:1883", username: g, password_file: ${secret}}`;
  writeFileSync(file, readFileSync(file, "utf8").replace(/uplink: .*/, `uplink: ${uplink}`));
  const { code, stderr } = await khuxanhRun("check", file);
  expect(code).toBe(2);
  expect(stderr).toContain(`uplink.password_file: ${secret}: others on this machine may read or change it (mode 0644)`);
});

test("the figures of a serial line follow from its baud, 11 bits a character, silences and the meter's pause", async () => {
  const { cycles, load_pct } = await planOf(
    agentFile("slow", "rtu:///dev/ttyUSB0?baud=9600", 1, "{power: 10s, energy: 60s}"),
  );
  for (const { every_ms, exchanges, registers, wire_ms, busy_ms, load_pct: load } of cycles) {
    const frames_ms = ((13 * exchanges + 2 * registers) * 11_000) / 9600;
    expect(wire_ms).toBeCloseTo(frames_ms + exchanges * 2 * 4.0104, 0);
    // 25 ms turnaround and the 100 ms that the model asks for.
    expect(busy_ms).toBeCloseTo(frames_ms + exchanges * 125, 0);
    expect(load).toBeCloseTo((busy_ms / every_ms) * 100, 0);
  }
  expect(load_pct).toBeCloseTo(
    cycles.reduce((sum, cycle) => sum + cycle.load_pct, 0),
    0,
  );
});

test("a faster line needs less wire time for the same reads", async () => {
  const [slow] = (await planOf(agentFile("b2400", "rtu:///dev/ttyUSB0?baud=2400", 1, "10s"))).cycles;
  const [fast] = (await planOf(agentFile("b19200", "rtu:///dev/ttyUSB0?baud=19200", 1, "10s"))).cycles;
  expect([slow!.exchanges, slow!.registers]).toEqual([fast!.exchanges, fast!.registers]);
  expect(slow!.wire_ms / fast!.wire_ms).toBeCloseTo(8, 1);
});

test("behind a TCP gateway a serial meter counts at its own default speed, a meter with a port of its own does not", async () => {
  const [serial] = (await planOf(agentFile("gateway", "tcp://127.0.0.1:502", 1, "10s"))).cycles;
  expect(serial!.wire_ms).toBeGreaterThan(100);
  const [direct] = (await planOf(agentFile("direct", "tcp://127.0.0.1:502", 1, "10s", "schneider-pm5000"))).cycles;
  expect(direct!.wire_ms).toBe(direct!.exchanges);
});

test("a bus that cannot keep up is said to, with what it needs", async () => {
  const { code, stdout } = await khuxanhRun("check", agentFile("over", "rtu:///dev/ttyUSB0?baud=9600", 30, "1s"));
  expect(code).toBe(0);
  expect(stdout).toMatch(/OVERLOAD: bus line needs \d+(\.\d)? ms of every 1000 ms; poll less often or split the bus/);
});

test("what is wrong in a collector's file of instruments is a problem of the collector's file", async () => {
  const [file, instruments] = [join(folder, "zone.yaml"), join(folder, "instruments.yaml")];
  writeFileSync(
    file,
    "zone: {id: z, name: {vi: Z, en: Z}, time_zone: Asia/Ho_Chi_Minh}\ndata_dir: ./zone\n" +
      "sites: [{id: steel, name: {vi: A, en: A}, gateways: [gw-01]}]\ninstruments_file: ./instruments.yaml\n",
  );
  const missing = await khuxanhRun("check", file);
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain(`instruments_file: ${instruments}: does not exist`);
  const sold = "{site: stel, quantity: 1, period: {from: 2026-01-01, to: 2027-01-01}, document: d}";
  writeFileSync(instruments, `certificates_sold: [${sold}]\n`);
  const wrong = await khuxanhRun("check", file);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain(
    'instruments_file: certificates_sold[0].site: "stel" is no site of this zone (allowed: steel)',
  );
  writeFileSync(instruments, `certificates_sold: [${sold.replace("stel,", "steel,")}]\n`);
  expect((await khuxanhRun("check", file)).code).toBe(0);
});

test("a file that the configuration names and that is not there is a problem with its place", async () => {
  const file = agentFile("login", "tcp://127.0.0.1:502", 1, "10s");
  const tls = '{url: "mqtts://127.0.0.1", username: g, password_file: ./secret, ca_file: ./ca.pem}';
  writeFileSync(file, readFileSync(file, "utf8").replace('{url: "mqtt://127.0.0.1:1883"}', tls));
  const text = await khuxanhRun("check", file);
  expect([text.code, text.stdout]).toEqual([2, ""]);
  expect(text.stderr).toContain(`${file}: 2 problems`);
  expect(text.stderr).toContain(`uplink.password_file: ${join(folder, "secret")}: does not exist`);
  expect(text.stderr).toContain("[CONFIG_UNREADABLE]");

  writeFileSync(join(folder, "secret"), "hunter2\n", { mode: 0o600 });
  const { code, stdout } = await khuxanhRun("check", file, "--json");
  expect(code).toBe(2);
  expect(stdout).not.toContain("hunter2");
  expect(JSON.parse(stdout)).toEqual([
    {
      file,
      ok: false,
      code: "CONFIG_UNREADABLE",
      problems: [{ path: "uplink.ca_file", message: `${join(folder, "ca.pem")}: does not exist` }],
      hint: expect.stringContaining("khuxanh check"),
    },
  ]);
});

test("check --json lists problems one by one, each with its place; a file that is not there likewise", async () => {
  const file = agentFile("wrong", "tcp://127.0.0.1:502", 1, "10 secs");
  const missing = join(folder, "none.yaml");
  const { code, stdout, stderr } = await khuxanhRun("check", file, missing, "--json");
  expect([code, stderr]).toEqual([2, ""]);
  expect(JSON.parse(stdout)).toMatchObject([
    { ok: false, code: "CONFIG_INVALID", problems: [{ path: "buses[0].meters[0].every" }] },
    { ok: false, code: "CONFIG_UNREADABLE", problems: [{ path: "(file)", message: `${missing}: does not exist` }] },
  ]);
});

test("a simulation is put together as sim does at its start: a formula or a tree that cannot be is a problem here", async () => {
  const sim = (name: string, meters: string) => {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, `lines:\n  - listen: tcp://127.0.0.1:5020\n    meters:\n${meters}`);
    return file;
  };
  const formula = sim("formula", '      - {unit: 1, model: eastron-sdm630, load: {formula: "sin(hour"}}\n');
  const office = "model: eastron-sdm630, load: {shape: office, peak_W: 1000}";
  const tree = sim(
    "tree",
    `      - {unit: 1, name: a, parent: b, ${office}}\n      - {unit: 2, name: b, parent: a, ${office}}\n`,
  );
  const { code, stdout } = await khuxanhRun("check", formula, tree, "--json");
  expect(code).toBe(2);
  const said = JSON.parse(stdout).map(
    ({ problems }: { problems: readonly { message: string }[] }) => problems[0]!.message,
  );
  expect(said[0]).toContain("column 9 of the formula");
  expect(said[1]).toContain("fed through itself");
});

test("check and agent name every meter whose model cannot measure what it is to measure", async () => {
  const file = join(folder, "undefinable.yaml");
  const meters = ["natural_gas", "electricity", "diesel"].map(
    (carrier, i) => `      - {id: m${i}, unit: ${i + 1}, model: eastron-sdm630, carrier: ${carrier}, every: 10s}\n`,
  );
  const head = `zone: z\nsite: s\ngateway: g\ndata_dir: ${join(folder, "undefinable")}\n`;
  const bus = `buses:\n  - id: line\n    url: tcp://127.0.0.1:5020\n    meters:\n${meters.join("")}`;
  writeFileSync(file, `${head}${bus}uplink: {url: "mqtt://127.0.0.1:1883"}\n`);
  for (const command of [
    ["check", file],
    ["agent", "--config", file],
  ]) {
    const { code, stderr } = await khuxanhRun(...command);
    expect(code).toBe(2);
    expect(stderr).toMatch(/2 problems/);
    expect(stderr).toMatch(/buses\[0\]\.meters\[0\]: meter m0: .* has no volume_base_total/);
    expect(stderr).toMatch(/buses\[0\]\.meters\[2\]: meter m2: /);
  }
});
