import { expect, test } from "vitest";
import { freePort, khuxanhRun } from "../e2e/processes.ts";
import { isRequired, pathOf } from "../services.ts";
import { foreignMeter, SDM630_INPUT, serialMeter, silentMeter, simulatedMeters } from "./meters.ts";

const skipped = pathOf("socat") === null && !isRequired ? "skipped: needs socat" : "";

test("scan finds the meters of a gateway and says which are silent, with nothing else on a pipe", async () => {
  const url = await simulatedMeters(
    { unit: 2, model: "schneider-pm5000", load: { csv: "steel", column: "energy_kwh", repeat: "weekly" } },
    { unit: 3, model: "eastron-sdm630", load: { shape: "two-shift", peak_W: 100_000 } },
    { unit: 6, model: "sunspec-inverter-101-103", load: { shape: "solar", peak_W: 100_000 } },
  );
  const { code, stdout, stderr } = await khuxanhRun("scan", url, "--units", "1-6", "--json");
  const document = JSON.parse(stdout);
  expect([code, stderr]).toEqual([0, ""]);
  expect(Object.keys(document)).toEqual(["url", "found", "silent", "errors"]);
  expect(document.url).toBe(url);
  expect(document.found.map(({ unit, model }: { unit: number; model: string }) => [unit, model])).toEqual([
    [2, "schneider-pm5000"],
    [3, "eastron-sdm630"],
    [6, "sunspec-inverter-101-103"],
  ]);
  for (const { matched_by, confidence } of document.found) {
    expect(matched_by.length).toBeGreaterThan(0);
    expect(confidence).toBeGreaterThan(0.5);
  }
  expect([document.silent, document.errors]).toEqual([[1, 4, 5], []]);
});

test("scan knows a real SDM630 on another maker's server, and prints it for people", async () => {
  const { code, stdout } = await khuxanhRun("scan", `${await foreignMeter({ input: SDM630_INPUT })}?unit=1`);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^unit {2}model {11}confidence {2}because\n1 {5}eastron-sdm630 {2}0\.\d+ .*frequency 49\.889 Hz/,
  );
  expect(stdout).toMatch(/\n1 found\n$/);
});

test("nothing found is exit code 1: silent units, and a gateway that is not there", async () => {
  const silent = await khuxanhRun("scan", await silentMeter(), "--units", "1,2", "--timeout", "50ms", "--json");
  expect(silent.code).toBe(1);
  expect(JSON.parse(silent.stdout)).toMatchObject({ found: [], silent: [1, 2], errors: [] });

  const gone = await khuxanhRun("scan", `tcp://127.0.0.1:${await freePort()}`, "--json");
  expect(gone.code).toBe(1);
  const { found, errors } = JSON.parse(gone.stdout);
  expect(found).toEqual([]);
  expect(errors[0].why).toMatch(/unreachable: .*ECONNREFUSED/);
});

test.each([
  [["scan"], /the URL of the bus is missing/],
  [["scan", "tcp:/127.0.0.1"], /is not a bus address/],
  [["scan", "tcp://127.0.0.1", "--units", "0-300"], /--units is 0-300 \(allowed: /],
  [["scan", "tcp://127.0.0.1", "--timeout", "soon"], /--timeout: /],
])("%j is wrong usage", async (args, words) => {
  const { code, stdout, stderr } = await khuxanhRun(...args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(words);
});

test.skipIf(skipped !== "")(
  `scan finds a meter on a serial line and the setting it answered at, the commonest first ${skipped}`,
  async () => {
    const url = await serialMeter(SDM630_INPUT);
    const { code, stdout } = await khuxanhRun("scan", url, "--units", "8-9", "--json");
    expect(code).toBe(0);
    const { found, silent, serial } = JSON.parse(stdout);
    expect(found.map(({ unit, model }: { unit: number; model: string }) => [unit, model])).toEqual([
      [9, "eastron-sdm630"],
    ]);
    expect([silent, serial]).toEqual([[8], "baud=9600&parity=none"]);
  },
  60_000,
);

test("help says that it only reads", async () => {
  const { code, stdout } = await khuxanhRun("scan", "--help");
  expect(code).toBe(0);
  expect(stdout).toMatch(/Reads only \(function codes 3 and 4\)/);
});
