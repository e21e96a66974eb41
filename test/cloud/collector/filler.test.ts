import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { applyFills, type FillRequest } from "../../../cloud/collector/filler.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import type { ZoneStore } from "../../../cloud/store/store.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import type { Interval } from "../../../core/interval/interval.ts";
import { deviceMetrics, profileOfBirth } from "../../../core/wire/content.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { GATEWAY, interval, QUARTER_MS, START_MS } from "../../contract/store.ts";
import { recordingLog } from "../../recordingLog.ts";
import { GRID_2023 } from "../api/zone.ts";

const DAY = 96;
const WEEK = 7 * DAY;
let folder = "";
let store: ZoneStore;
let number = 0;
const births = new Map<string, number>();
const clock = { now_ms: () => START_MS + 6 * WEEK * QUARTER_MS, mono_ms: () => 0 };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "khuxanh-filler-"));
  store = openSqliteStore({ path: join(folder, "zone.db"), now_ms: clock.now_ms });
  number = 0;
  for (const device of ["incomer", "check"]) {
    const definition = defineDevice(
      loadModelLibrary().get("schneider-pm5000")!,
      {
        id: device,
        parent: device === "check" ? "incomer" : null,
        carrier: "electricity",
        role: device === "check" ? "use" : "import",
        every: { power_ms: 1000, energy_ms: 10_000 },
      },
      { interval_ms: QUARTER_MS, time_zone: "Asia/Ho_Chi_Minh" },
    );
    const metrics = deviceMetrics(definition).map((metric, alias) => ({ ...metric, alias }));
    const meter = { gateway: GATEWAY, ...profileOfBirth(device, metrics)! };
    births.set(device, store.putBirth({ gateway: GATEWAY, epoch: "e1", device, metrics }, meter));
  }
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function book(device: string, intervals: readonly Interval[]): void {
  number += 1;
  const from_ms = intervals[0]!.from_ms;
  store.commitBatches([
    {
      gateway: GATEWAY,
      epoch: "e1",
      number,
      device,
      birthId: births.get(device)!,
      from_ms,
      to_ms: from_ms,
      crc32c: number,
      payload: new Uint8Array([8, 1]),
      intervals: intervals.map((one) => ({ ...one, device })),
      emissions: [],
      record: null,
    },
  ]);
}
const run = (first: number, ticks: readonly bigint[], device = "incomer") =>
  book(
    device,
    ticks.map((amount, i) => interval(first + i, { ticks: amount })),
  );
const missing = (first: number, count: number) =>
  book(
    "incomer",
    Array.from({ length: count }, (_, i) =>
      interval(first + i, { ticks: null, flag: "X", coverage: 0, cause: "meter-silent" }),
    ),
  );

const request = (first: number, count: number, change: Partial<FillRequest> = {}): FillRequest => ({
  name: "the gap",
  meter: "gw-01/incomer",
  from: START_MS + first * QUARTER_MS,
  to: START_MS + (first + count) * QUARTER_MS,
  author: "Nguyễn Văn An",
  rule: "first-that-applies",
  is_power_like: false,
  comparable_weeks: 8,
  ...change,
});
function apply(...requests: readonly FillRequest[]) {
  const log = recordingLog();
  applyFills(requests, { store, factors: [GRID_2023], births: new BirthReader(store), clock, log });
  return log.events.map(({ event, fields }): Record<string, unknown> => ({ event, ...(fields as object) }));
}
const at = (first: number, count: number) =>
  store
    .intervals(
      GATEWAY,
      "incomer",
      "active_energy_import_total",
      START_MS + first * QUARTER_MS,
      START_MS + (first + count) * QUARTER_MS,
      99,
    )
    .map(({ ticks, flag }) => [ticks, flag]);
const tonnes = (first: number) =>
  store
    .emissions(GATEWAY, "incomer", START_MS + first * QUARTER_MS, START_MS + (first + 1) * QUARTER_MS, 9)
    .map(({ mg }) => mg);

test("four whole comparable weeks fill a gap, corrected by production, with its emissions", () => {
  for (let week = 0; week < 4; week++) run(week * WEEK, [1000n + BigInt(week), 2000n]);
  missing(4 * WEEK, 2);
  const events = apply(request(4 * WEEK, 2, { production_ratio: 0.5 }));
  expect(events).toMatchObject([{ event: "books.gap-filled", rule: "comparable-weeks", intervals: 2 }]);
  expect(at(4 * WEEK, 2)).toEqual([
    [501n, "S"],
    [1000n, "S"],
  ]);
  expect(tonnes(4 * WEEK)).toEqual([(501n * 659_200n) / 1000n]);
});

test("three weeks are too few, and every rule that was tried says why", () => {
  for (let week = 0; week < 3; week++) run(week * WEEK, [1000n]);
  missing(3 * WEEK, 1);
  const [event] = apply(request(3 * WEEK, 1));
  expect(event).toMatchObject({ event: "books.fill-refused", code: "GAP_NOT_FILLED" });
  expect(String(event!.why)).toContain("comparable-weeks: 3 comparable weeks, 4 are needed");
  expect(at(3 * WEEK, 1)).toEqual([[null, "X"]]);
});

test("a check meter goes before weeks", () => {
  for (let week = 0; week < 4; week++) run(week * WEEK, [1000n]);
  missing(4 * WEEK, 1);
  run(4 * WEEK, [777n], "check");
  apply(request(4 * WEEK, 1, { redundant_meter: "gw-01/check" }));
  expect(at(4 * WEEK, 1)).toEqual([[777n, "S"]]);
});

test("an invoice is spread by the comparable weeks' shape and adds up to the tick, flagged as an estimate", () => {
  run(0, [100n, 300n]);
  missing(WEEK, 2);
  apply(request(WEEK, 2, { rule: "invoice", invoice: { total: "0.8", unit: "kWh", document: "EVN 10/2026" } }));
  expect(at(WEEK, 2)).toEqual([
    [200n, "E"],
    [600n, "E"],
  ]);
  const [stored] = store.substitutions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9);
  expect(stored).toMatchObject({ rule: "invoice", author: "Nguyễn Văn An", inputs: { document: "EVN 10/2026" } });
});

test("half an hour between two measured powers may be interpolated, if its author says it is such a signal", () => {
  run(0, [900n]);
  missing(1, 2);
  run(3, [1800n]);
  expect(apply(request(1, 2))[0]).toMatchObject({ event: "books.fill-refused" });
  apply(request(1, 2, { is_power_like: true }));
  expect(at(1, 2)).toEqual([
    [1125n, "S"],
    [1575n, "S"],
  ]);
});

test("measured figures are never replaced, and an entry is applied once", () => {
  run(0, [500n]);
  expect(apply(request(0, 1))[0]).toMatchObject({ why: expect.stringContaining("nothing is missing there") });
  missing(1, 1);
  const invoice = { total: "1", unit: "kWh", document: "d" } as const;
  expect(apply(request(0, 2, { rule: "invoice", invoice }))[0]).toMatchObject({ intervals: 1 });
  expect(at(0, 2)).toEqual([
    [500n, "M"],
    [1000n, "E"],
  ]);
  expect(apply(request(0, 2, { rule: "invoice", invoice: { ...invoice, total: "9" } }))).toEqual([]);
  expect(at(1, 1)).toEqual([[1000n, "E"]]);
});

test("an unknown meter and a unit of another kind are refused, and stop no other entry", () => {
  run(0, [500n]);
  missing(1, 1);
  const events = apply(
    request(1, 1, { name: "a", meter: "gw-01/incomr" }),
    request(1, 1, { name: "b", rule: "invoice", invoice: { total: "1", unit: "Nm3", document: "d" } }),
    request(1, 1, {
      name: "c",
      rule: "conservative",
      conservative: { total: "2", unit: "kWh", method: "m", document: "d" },
    }),
  );
  expect(events.map(({ event }) => event)).toEqual(["books.fill-refused", "books.fill-refused", "books.gap-filled"]);
  expect(String(events[0]!.hint)).toContain("gw-01/incomer");
  expect(String(events[1]!.why)).toContain("Nm3 is no unit of gw-01/incomer, which counts in Wh");
  expect(at(1, 1)).toEqual([[2000n, "E"]]);
});
