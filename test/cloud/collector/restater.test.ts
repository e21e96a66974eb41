import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { Restater } from "../../../cloud/collector/restater.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import type { NewBatch, ZoneStore } from "../../../cloud/store/store.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import type { Emission } from "../../../core/emission/emission.ts";
import type { EmissionFactor } from "../../../core/emission/factor.ts";
import { type BornMetric, deviceMetrics, profileOfBirth } from "../../../core/wire/content.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { emission, GATEWAY, interval, QUARTER_MS, START_MS } from "../../contract/store.ts";
import { recordingLog } from "../../recordingLog.ts";
import { GRID_2023 } from "../api/zone.ts";

const YEAR_2026: EmissionFactor = {
  ...GRID_2023,
  version: "2026",
  valid_from_ms: Date.UTC(2025, 11, 31, 17),
  valid_to_ms: Date.UTC(2026, 11, 31, 17),
  known_from_ms: START_MS + 86_400_000,
  mg_per_basis: { co2: "670" },
};

const definition = defineDevice(
  loadModelLibrary().get("schneider-pm5000")!,
  {
    id: "incomer",
    parent: null,
    carrier: "electricity",
    role: "import",
    every: { power_ms: 1000, energy_ms: 10_000 },
  },
  { interval_ms: QUARTER_MS, time_zone: "Asia/Ho_Chi_Minh" },
);
const born: readonly BornMetric[] = deviceMetrics(definition).map((metric, alias) => ({ ...metric, alias }));

let folder = "";
let store: ZoneStore;
let birthId = 0;
const now = { ms: START_MS };
const clock = { now_ms: () => now.ms, mono_ms: () => now.ms };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "khuxanh-restater-"));
  now.ms = START_MS;
  open();
  const meter = { gateway: GATEWAY, ...profileOfBirth("incomer", born)! };
  birthId = store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: born }, meter);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function open(): void {
  store = openSqliteStore({ path: join(folder, "zone.db"), now_ms: () => now.ms });
}

function restater(factors: readonly EmissionFactor[], log = recordingLog()) {
  return new Restater({ store, factors, clock, log, births: new BirthReader(store) });
}

const batch = (number: number, first: number, count: number, change: Partial<Emission> = {}): NewBatch => ({
  gateway: GATEWAY,
  epoch: "e1",
  number,
  device: "incomer",
  birthId,
  from_ms: START_MS + first * QUARTER_MS,
  to_ms: START_MS + (first + count) * QUARTER_MS,
  crc32c: number,
  payload: new Uint8Array([8, 1]),
  intervals: Array.from({ length: count }, (_, i) => interval(first + i)),
  emissions: Array.from({ length: count }, (_, i) => emission(first + i, change)),
  record: null,
});
const book = (count: number) => {
  for (let at = 0; at < count; at += 96) store.commitBatches([batch(1 + at / 96, at, Math.min(96, count - at))]);
};
const versions = () =>
  store
    .sumEmissions([{ ...GATEWAY, device: "incomer" }], [{ from_ms: 0, to_ms: Number.MAX_SAFE_INTEGER }])
    .map((sum) => [sum.factorVersion, sum.match, sum.mg, sum.entries]);
const runDry = (one: Restater) => {
  for (let i = 0; i < 50; i++) one.run();
};

test("books by the factors known now are left as they are", () => {
  book(500);
  const one = restater([GRID_2023]);
  runDry(one);
  expect(one.restated).toBe(0);
  expect(versions()).toEqual([["2023", "provisional", 500n * 164_800_000n, 500]]);
});

test("a factor file that was added restates what it covers, in one run, with what it changed", () => {
  book(1000);
  runDry(restater([GRID_2023]));
  now.ms += 2 * 86_400_000;
  const one = restater([GRID_2023, YEAR_2026]);
  runDry(one);
  expect(one.restated).toBe(1000);
  expect(versions()).toEqual([["2026", "exact", 1000n * 167_500_000n, 1000]]);
  const runs = store.restatements(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9);
  expect(runs).toMatchObject([{ entries: 1000, factorBefore: "grid-vn@2023", factorAfter: "grid-vn@2026" }]);
});

test("a factor whose day of publication comes restates on that day, without a restart", () => {
  book(10);
  const one = restater([GRID_2023, YEAR_2026]);
  runDry(one);
  expect(one.restated).toBe(0);
  now.ms = START_MS + 86_400_000;
  runDry(one);
  expect(one.restated).toBe(10);
});

test("a restart in the middle goes on where it was, in the same run", () => {
  book(1000);
  now.ms += 2 * 86_400_000;
  const before = restater([GRID_2023, YEAR_2026]);
  before.run();
  expect(before.restated).toBe(384);
  store.close();
  open();
  const after = restater([GRID_2023, YEAR_2026]);
  runDry(after);
  expect(after.restated).toBe(616);
  expect(store.restatements(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9)).toHaveLength(1);
});

test("a gateway that books with an older factor file is restated as its batches come", () => {
  now.ms += 2 * 86_400_000;
  const one = restater([GRID_2023, YEAR_2026]);
  runDry(one);
  const late = batch(1, 0, 4);
  store.commitBatches([late]);
  one.noteBooked(late);
  one.run();
  expect(versions()).toEqual([["2026", "exact", 4n * 167_500_000n, 4]]);
});

test("entries by a factor this server does not have stay, and it says so once", () => {
  store.commitBatches([batch(1, 0, 4, { factorId: "own", factorVersion: "7" })]);
  const log = recordingLog();
  const one = restater([GRID_2023], log);
  runDry(one);
  expect(one.restated).toBe(0);
  expect(log.events.filter(({ event }) => event === "restater.factor-unknown")).toHaveLength(1);
});
