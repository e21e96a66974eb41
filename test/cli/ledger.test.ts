import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openSqliteStore } from "../../cloud/store/sqlite.ts";
import { GATEWAY, interval, START_MS } from "../contract/store.ts";
import { tempDir } from "../e2e/harness.ts";
import { khuxanhRun } from "../e2e/processes.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A collector's configuration, and beside it the store with an hour of one meter: a whole quarter, a silent one, a hole. */
function stage(): { readonly config: string; readonly day: readonly string[] } {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const config = join(dir.path, "collector.yaml");
  writeFileSync(
    config,
    `
zone: {id: kcn, name: {vi: KCN, en: Zone}, time_zone: Asia/Ho_Chi_Minh}
host_id: zone-collector
data_dir: ${dir.path}/zone
sites: [{id: steel, name: {vi: Thép, en: Steel}, sector: steel, gateways: [gw-01]}]
broker: {embedded: 127.0.0.1:1883}
listen: 127.0.0.1:8080
`,
  );
  mkdirSync(join(dir.path, "zone"));
  const store = openSqliteStore({ path: join(dir.path, "zone", "zone.sqlite"), now_ms: () => START_MS });
  const epoch = "00000000000000aa";
  const birthId = store.putBirth(
    { gateway: GATEWAY, epoch, device: "incomer", metrics: [] },
    {
      gateway: GATEWAY,
      device: "incomer",
      model: "m",
      modelVersion: "1",
      carrier: "electricity",
      role: "import",
      parent: null,
      interval_ms: 900_000,
      time_zone: "Asia/Ho_Chi_Minh",
      name: { vi: "Công tơ tổng", en: "Incomer" },
      accuracy: null,
      supplier: null,
    },
  );
  const base = {
    gateway: GATEWAY,
    epoch,
    device: "incomer",
    birthId,
    from_ms: START_MS,
    to_ms: START_MS,
    record: null,
  };
  const silent = interval(1, { flag: "S", coverage: 0.2, cause: "meter-silent", pollsAnswered: 300 });
  const intervals = [interval(0), silent, interval(3)];
  store.commitBatches([{ ...base, number: 1, crc32c: 1, payload: new Uint8Array(1), intervals, emissions: [] }]);
  store.close();
  return { config, day: ["--from", "2026-11-01", "--to", "2026-11-01T01:00:00+07:00"] };
}

test("ledger says of every interval what came, and of what is missing why and whether its energy is known", async () => {
  const { config, day } = stage();
  const { code, stdout } = await khuxanhRun("ledger", "--config", config, "--site", "steel", ...day, "--json");
  expect(code).toBe(0);
  const { meters } = JSON.parse(stdout);
  expect(meters).toHaveLength(1);
  const { lines, totals } = meters[0];
  expect(lines.map((line: { hole: unknown }) => line.hole)).toEqual([
    null,
    { cause: "meter-silent", detail: "meter-silent", energy: "shared" },
    { cause: "unknown", detail: null, energy: "across" },
    null,
  ]);
  expect(lines[0]).toMatchObject({
    from: "2026-11-01T00:00:00+07:00",
    expected: 900,
    read: 900,
    energy: { ticks: "250000", tick: "1 W.h", value: 250, unit: "kW.h" },
  });
  expect(totals).toMatchObject({ intervals: 4, held: 3 });
});

test("ledger on a terminal shows what is not whole, and with --all every interval", async () => {
  const { config, day } = stage();
  const brief = await khuxanhRun("ledger", "--config", config, "--site", "steel", ...day);
  expect(brief.code).toBe(0);
  expect(brief.stdout).toContain("gw-01/incomer  Incomer, Active energy imported\n  intervals 4, 3 held, 2 whole");
  expect(brief.stdout).toContain("energy    750.000 kWh booked");
  expect(brief.stdout).toMatch(/2026-11-01 00:15 .* meter-silent \(meter-silent\): energy exact, divided by estimate/);
  expect(brief.stdout).not.toContain("2026-11-01 00:45");
  const all = await khuxanhRun("ledger", "--config", config, "--site", "steel", ...day, "--all");
  for (const quarter of ["00:00", "00:15", "00:30", "00:45"]) expect(all.stdout).toContain(`  2026-11-01 ${quarter}`);
});

test.each([
  [["--site", "stel"], 'there is no site "stel"', "Did you mean steel?"],
  [["--from", "soon"], '--from "soon" is no time', "2026-11-01"],
  [["--to", "2026-10-01"], "--from is not before --to", "ends after it begins"],
  [["--from", "2020-01-01"], "more than 36000 intervals", "shorter period"],
])("ledger %j is refused with what to write instead", async (change, says, hint) => {
  const { config, day } = stage();
  const { code, stdout, stderr } = await khuxanhRun("ledger", "--config", config, "--site", "steel", ...day, ...change);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(says);
  expect(stderr).toContain(hint);
});

test("a data directory in which no collector ever ran is refused, not made", async () => {
  const { config, day } = stage();
  rmZone(config);
  const { code, stderr } = await khuxanhRun("ledger", "--config", config, "--site", "steel", ...day);
  expect(code).toBe(1);
  expect(stderr).toContain("DISK_UNUSABLE");
});

function rmZone(config: string): void {
  writeFileSync(
    config,
    `zone: {id: kcn, name: {vi: KCN, en: Zone}, time_zone: Asia/Ho_Chi_Minh}
host_id: zone-collector
data_dir: ${config}.none
sites: [{id: steel, name: {vi: Thép, en: Steel}, sector: steel, gateways: [gw-01]}]
broker: {embedded: 127.0.0.1:1883}
listen: 127.0.0.1:8080
`,
  );
}
