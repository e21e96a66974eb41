import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { simSpec } from "../../../config/files/sim.ts";
import { besideFile } from "../../../config/io.ts";
import { parseConfig } from "../../../config/parse.ts";
import { readProfile } from "../../../hw-sim/profiles/io.ts";
import { readProfiles } from "../../../hw-sim/profiles/load.ts";
import { buildSim } from "../../../hw-sim/sim.ts";
import type { SimConfig } from "../../../hw-sim/simConfig.ts";
import { local, MODELS, STEEL_CSV } from "../fixture.ts";

const dir = mkdtempSync(join(tmpdir(), "khuxanh-test-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const CSV = "t,P\n2026-03-02T00:00,12\n2026-03-02T00:15,16\n";

test("a file beside the simulation file is found from there, packed or not, and its load is what the meter shows", async () => {
  writeFileSync(join(dir, "a.csv"), CSV);
  writeFileSync(join(dir, "b.csv.gz"), gzipSync(CSV));
  const load = (csv: string) => `{csv: ${csv}, column: P, unit: kW, time: t, label: start, repeat: none}`;
  const text = `
seed: 1
time_zone: Asia/Ho_Chi_Minh
lines:
  - listen: tcp://127.0.0.1:0
    meters:
      - {unit: 1, model: schneider-pm5000, load: ${load("a.csv")}}
      - {unit: 2, model: schneider-pm5000, load: ${load("./b.csv.gz")}}
`;
  const spec = simSpec({ ids: [...MODELS.keys()], find: (id) => MODELS.get(id) });
  const config: SimConfig = parseConfig(text, spec, "sim.yaml", { resolvePath: besideFile(join(dir, "sim.yaml")) });
  const profiles = await readProfiles(config, readProfile);
  for (const meter of buildSim(config, MODELS, profiles)[0]!.meters) {
    expect(meter.gauges(local("2026-03-02T00:20")).active_power_total).toBe(16_000);
    expect(meter.ticks("active_energy_import_total", local("2026-03-03"))).toBe(7000n * 3_600_000n);
  }
});

test("our own profile goes by its name; a file that is not there is said with where paths count from", async () => {
  expect(await readProfile("steel")).toBe(STEEL_CSV);
  const missing = readProfile(join(dir, "none.csv"));
  await expect(missing).rejects.toMatchObject({
    code: "CONFIG_UNREADABLE",
    hint: expect.stringMatching(/folder of the simulation file/),
  });
  await expect(missing).rejects.toThrow(/none\.csv" cannot be read/);
});

test("all files of loads that are not there are said at once, each with the key that names it", async () => {
  const csv = (file: string) => ({
    ...({ csv: join(dir, file), column: "P", unit: "kW", time: "t", label: "start", repeat: "none" } as const),
  });
  const meters = [
    { unit: 1, model: "schneider-pm5000", load: { sum: [csv("one.csv"), { shape: "office", peak_W: 1 }] } },
    { unit: 2, model: "schneider-pm5000", load: { ref: "shared" } },
  ] as const;
  const lines = [{ listen: { kind: "tcp", host: "127.0.0.1", port: 0 }, meters }] as const;
  const config: SimConfig = { seed: 1, time_zone: "Asia/Ho_Chi_Minh", loads: { shared: csv("two.csv") }, lines };
  const profiles = await readProfiles(config, readProfile);
  expect(() => buildSim(config, MODELS, profiles)).toThrow(
    expect.objectContaining({
      code: "CONFIG_UNREADABLE",
      message: expect.stringMatching(
        /^lines\[0\]\.meters\[0\]\.load\.sum\[0\]\.csv: .*one\.csv".*; loads\.shared\.csv: .*two\.csv" cannot be read: there is no such file/,
      ),
    }),
  );
});
