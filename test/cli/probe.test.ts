import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { freePort, khuxanhRun } from "../e2e/processes.ts";
import { foreignMeter, SDM630_INPUT, SDM630_VALUES, silentMeter, simulatedMeters } from "./meters.ts";

const folder = mkdtempSync(join(tmpdir(), "khuxanh-probe-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("probe reads the documented values of a real SDM630 from another maker's server", async () => {
  const url = `${await foreignMeter({ input: SDM630_INPUT })}?unit=1`;
  const { code, stdout } = await khuxanhRun("probe", url, "--model", "eastron-sdm630", "--json");
  expect(code).toBe(0);
  const document = JSON.parse(stdout);
  expect(
    Object.fromEntries(document.readings.map(({ name, value }: { name: string; value: unknown }) => [name, value])),
  ).toEqual(SDM630_VALUES);
  expect(Object.keys(document)).toEqual(["model", "url", "at", "exchanges", "readings", "unread", "diagnosis"]);
  expect(document).toMatchObject({ model: "eastron-sdm630", url, diagnosis: [] });
  expect(document.readings).toContainEqual({
    name: "active_power_l2",
    value: -505.9888000488281,
    unit: "W",
    quality: "good",
  });
  expect(document.unread).toContainEqual({ name: "active_power_total", why: "exception 2" });
  expect(new Date(document.at).toISOString()).toBe(document.at);
});

const FILE = (address: number) => `
id: somebody-x1
manufacturer: Somebody
model: X1
measures: [electricity]
phases: 3
sources: ["this test"]
confidence: one-source
transport: [rtu]
defaults: {unit_id: 4}
addressing: "0-based PDU addresses (what goes on the wire)"
registers:
  - {name: voltage_l1, fc: 3, address: ${address}, type: u16, scale: 0.1, unit: V}
  - {name: voltage_l2, fc: 3, address: ${address + 1}, type: u16, scale: 0.1, unit: V}
  - {name: voltage_l3, fc: 3, address: ${address + 2}, type: u16, scale: 0.1, unit: V}
  - {name: frequency, fc: 3, address: ${address + 3}, type: u16, scale: 0.01, unit: Hz}
  - {name: active_energy_import_total, fc: 3, address: ${address + 4}, type: u64, scale: 0.001, unit: kWh, kind: counter}
`;

/** 230.7, 231.1, 229.9 V, 50.01 Hz, 2^63 − 1 Wh. */
const WORDS = { 100: "0903 0907 08FB 1389 7FFF FFFF FFFF FFFF" };

test("probe reads a meter that only a model file describes, and a count beyond a double as text", async () => {
  const file = join(folder, "x1.yaml");
  writeFileSync(file, FILE(100));
  const { code, stdout } = await khuxanhRun("probe", await foreignMeter({ holding: WORDS }), "--model", file, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout).readings).toEqual([
    { name: "voltage_l1", value: 230.7, unit: "V", quality: "good" },
    { name: "voltage_l2", value: 231.1, unit: "V", quality: "good" },
    { name: "voltage_l3", value: 229.9, unit: "V", quality: "good" },
    { name: "frequency", value: 50.01, unit: "Hz", quality: "good" },
    { name: "active_energy_import_total", value: "9223372036854775.807", unit: "kWh", quality: "good" },
  ]);
});

test("probe says that a model file's addresses are one too high", async () => {
  const file = join(folder, "x1-off.yaml");
  writeFileSync(file, FILE(101));
  const url = await foreignMeter({ holding: WORDS });
  const { stdout } = await khuxanhRun("probe", url, "--model", file, "--json");
  expect(JSON.parse(stdout).diagnosis).toEqual([
    {
      mistake: "address-one-lower",
      why: {
        vi: "Các giá trị hợp lý nếu địa chỉ thanh ghi thấp hơn một.",
        en: "The values fit if addresses are one lower.",
      },
      evidence: expect.arrayContaining(["frequency 50.01 Hz", "voltage_l1 230.7 V"]),
      isLessLikely: false,
    },
  ]);
  const text = await khuxanhRun("probe", url, "--model", file, "--wiring");
  expect(text.stdout).toMatch(/! The values fit if addresses are one lower\./);
  expect(text.stdout).toMatch(/wiring: not judged/);
  expect(text.stdout).toMatch(/thấp hơn một/);
});

test("probe --wiring says nothing of a sound meter, and compares it with the rating", async () => {
  const url = await simulatedMeters({
    unit: 1,
    model: "janitza-umg96rm",
    load: { shape: "continuous", peak_W: 60_000 },
  });
  const check = async (...rating: string[]) => {
    const run = await khuxanhRun("probe", url, "--model", "janitza-umg96rm", "--wiring", ...rating, "--json");
    expect(run.code).toBe(0);
    return JSON.parse(run.stdout).wiring.map(({ fault, certainty }: Record<string, string>) => [fault, certainty]);
  };
  expect(await check()).toEqual([]);
  expect(await check("--rated-power", "6kW")).toEqual([["ct-decade", "certain"]]);
});

test("probe --wiring finds nothing only where it was told something: without power and current it does not judge", async () => {
  const file = join(folder, "x1.yaml");
  writeFileSync(file, FILE(100));
  const text = await khuxanhRun("probe", await foreignMeter({ holding: WORDS }), "--model", file, "--wiring");
  expect(text.stdout).toMatch(/wiring: not judged, for power and current could not be read/);
  expect(text.stdout).toMatch(/chưa xét, vì không đọc được công suất/);
  const noNumbers = await foreignMeter({ input: { 0: "7FC0 0000 ".repeat(40).trim() } });
  const json = await khuxanhRun("probe", `${noNumbers}?unit=1`, "--model", "eastron-sdm630", "--wiring", "--json");
  expect(JSON.parse(json.stdout).wiring).toBeNull();
});

/** 230 V, 100 A and cos φ = 0.9 lagging on each phase, the current of L2 turned round: −20700 W, −10025 var. */
const REVERSED_L2 = {
  19000: "4366 0000 4366 0000 4366 0000",
  19012: "42C8 0000 42C8 0000 42C8 0000",
  19020: "46A1 B800 C6A1 B800 46A1 B800",
  19036: "461C A400 C61C A400 461C A400",
  19050: "4248 0000",
};

test("probe --wiring says which transformer is reversed, in both languages, and takes it for no mistake of the map", async () => {
  const url = await foreignMeter({ holding: REVERSED_L2 });
  const { stdout } = await khuxanhRun("probe", url, "--model", "janitza-umg96rm", "--wiring", "--json");
  const { wiring, diagnosis } = JSON.parse(stdout);
  expect(wiring).toMatchObject([{ fault: "reversed-ct", certainty: "certain", phases: ["l2"] }]);
  expect(wiring[0].why.en).toMatch(/Active power of L2 is negative/);
  expect(wiring[0].why.vi).toMatch(/pha L2 âm/);
  expect(diagnosis).toEqual([]);
});

test("a silent meter is exit code 1, with every register unread and why, and one message on stderr", async () => {
  const url = await silentMeter();
  const probe = ["probe", url, "--model", "eastron-sdm120", "--timeout", "100ms"];
  const { code, stdout, stderr } = await khuxanhRun(...probe, "--json");
  expect(code).toBe(1);
  const { readings, unread, exchanges, diagnosis } = JSON.parse(stdout);
  expect([readings, exchanges, diagnosis]).toEqual([[], 2, []]);
  expect(new Set(unread.map(({ why }: { why: string }) => why))).toEqual(new Set(["timeout"]));
  const message = `khuxanh: unit 1 at ${url}: no register could be read (timeout) [METER_SILENT]\n  Check power, wiring and unit number; khuxanh scan tells which units answer.\n`;
  expect(stderr).toBe(message);

  const text = await khuxanhRun(...probe);
  expect([text.code, text.stderr]).toEqual([1, message]);
  expect(text.stdout).toBe(`${unread.length} registers: timeout\n0 read, ${unread.length} not read, 2 exchanges\n`);
});

test("a refused port is exit code 1 with BUS_UNREACHABLE on stderr", async () => {
  const url = `tcp://127.0.0.1:${await freePort()}`;
  const { code, stdout, stderr } = await khuxanhRun("probe", url, "--model", "eastron-sdm120", "--json");
  expect(code).toBe(1);
  expect(JSON.parse(stdout).readings).toEqual([]);
  expect(stderr).toMatch(/^khuxanh: unit 1 at .*unreachable.* \[BUS_UNREACHABLE\]\n {2}Check the address/);
});

test("registers that could not be read for the same reason are one line with their names", async () => {
  const url = await foreignMeter({ input: SDM630_INPUT });
  const { code, stdout, stderr } = await khuxanhRun("probe", url, "--model", "eastron-sdm630");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.match(/^.*exception 2.*$/gm)).toHaveLength(1);
  expect(stdout).toMatch(
    /^\d+ registers: exception 2 \(.*active_power_total.*\)\n\d+ read, \d+ not read, \d+ exchanges$/m,
  );
});

test.each([
  [["probe"], /the URL of the meter is missing/],
  [["probe", "http://127.0.0.1", "--model", "eastron-sdm630"], /is no kind of bus/],
  [["probe", "tcp://127.0.0.1"], /--model is missing/],
  [["probe", "tcp://127.0.0.1", "--model", "eastron-sdm63"], /Did you mean eastron-sdm630\?/],
  [
    ["probe", "tcp://127.0.0.1", "--model", "eastron-sdm630", "--rated-power", "lots"],
    /--rated-power is lots \(allowed: a number with W, kW, MW\)/,
  ],
])("%j is wrong usage", async (args, words) => {
  const { code, stdout, stderr } = await khuxanhRun(...args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(words);
});
