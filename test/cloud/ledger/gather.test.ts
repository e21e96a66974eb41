import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LINES_MAX, meterLedger } from "../../../cloud/ledger/gather.ts";
import { ledgerTotals } from "../../../cloud/ledger/ledger.ts";
import { missingBatches } from "../../../cloud/ledger/missing.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import { type GatewayRow, type NewBatch, NODE_DEVICE, type ZoneStore } from "../../../cloud/store/store.ts";
import { emission, GATEWAY, interval, QUARTER_MS, START_MS } from "../../contract/store.ts";

const EPOCH = "00000000000000aa";
const METER = {
  gateway: GATEWAY,
  device: "incomer",
  quantity: "active_energy_import_total",
  interval_ms: QUARTER_MS,
  time_zone: "Asia/Ho_Chi_Minh",
} as const;
const ROW: GatewayRow = {
  gateway: GATEWAY,
  epoch: EPOCH,
  online: true,
  bdSeq: 0,
  lastSeen_ms: START_MS,
  bornAt_ms: START_MS,
  pending: 0,
  oldestPending_ms: null,
  clockOffset_ms: 0,
  software: null,
  duplicates: 0,
  received: 0,
};

let folder = "";
let store: ZoneStore;
let births: Record<string, number> = {};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "khuxanh-ledger-"));
  store = openSqliteStore({ path: join(folder, "zone.db"), now_ms: () => START_MS });
  births = Object.fromEntries(
    ["incomer", NODE_DEVICE].map((device) => [
      device,
      store.putBirth({ gateway: GATEWAY, epoch: EPOCH, device, metrics: [] }, null),
    ]),
  );
  store.putGateway(ROW);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function batch(number: number, at_ms: number, change: Partial<NewBatch> = {}): NewBatch {
  const device = change.device ?? "incomer";
  const birthId = births[device]!;
  const base = {
    gateway: GATEWAY,
    epoch: EPOCH,
    number,
    device,
    birthId,
    from_ms: at_ms,
    to_ms: at_ms,
    crc32c: number,
  };
  return { ...base, payload: new Uint8Array(1), intervals: [], emissions: [], record: null, ...change };
}

const ledger = (quarters: number, isOnline = true) =>
  meterLedger(store, METER, START_MS, START_MS + quarters * QUARTER_MS, isOnline);

/** Three polls a quarter, and at its end the batch with its interval. */
function commitQuarter(quarter: number, first: number): void {
  const at_ms = START_MS + quarter * QUARTER_MS;
  store.commitBatches([
    ...[0, 1, 2].map((poll) => batch(first + poll, at_ms + poll * 300_000)),
    batch(first + 3, at_ms + QUARTER_MS, {
      intervals: [interval(quarter, { pollsExpected: 3, pollsAnswered: 3 })],
      emissions: [emission(quarter)],
    }),
  ]);
}

test("polls, intervals and emissions of every interval are found, and the batches of the books are no polls", () => {
  for (const quarter of [0, 1, 2]) commitQuarter(quarter, 1 + 4 * quarter);
  const lines = ledger(3);
  expect(lines.map(({ polls }) => polls.stored)).toEqual([3, 3, 3]);
  expect(lines.map(({ emissions }) => emissions.length)).toEqual([1, 1, 1]);
  expect(lines.every(({ hole }) => hole === null)).toBe(true);
  // Asked from the middle on, it says the same of what it says.
  const later = meterLedger(store, METER, START_MS + QUARTER_MS, START_MS + 3 * QUARTER_MS, true);
  expect(later.map(({ polls }) => polls.stored)).toEqual([3, 3]);
});

test("what is under way is open until it comes or is given up", () => {
  commitQuarter(0, 1);
  commitQuarter(2, 9);
  expect(ledger(3)[1]?.hole).toEqual({ cause: "uplink", detail: null, energy: "open" });
  const loss = {
    kind: "loss",
    at_ms: START_MS,
    epoch: EPOCH,
    device: "incomer",
    from_ms: START_MS + QUARTER_MS,
    to_ms: START_MS + 2 * QUARTER_MS - 1,
    count: 4,
    what: "samples",
    why: "age-bound",
    batches: [{ first: 5, last: 8 }],
  } as const;
  store.commitBatches([batch(13, START_MS, { device: NODE_DEVICE, record: loss })]);
  expect(missingBatches(store, GATEWAY, EPOCH)).toBe(0);
  expect(ledger(3)[1]).toMatchObject({ hole: { cause: "shed", detail: "age-bound" }, polls: { lost: 4 } });
});

test("a gateway that is away may have anything since it was last seen, and before what it said is pending", () => {
  const causes = (isOnline: boolean) => ledger(3, isOnline).map(({ hole }) => hole?.cause);
  expect(causes(true)).toEqual(["unknown", "unknown", "unknown"]);
  store.putGateway({ ...ROW, lastSeen_ms: START_MS + QUARTER_MS });
  expect(causes(false)).toEqual(["unknown", "uplink", "uplink"]);
  store.putGateway({ ...ROW, pending: 3, oldestPending_ms: START_MS + 2 * QUARTER_MS });
  expect(causes(true)).toEqual(["unknown", "unknown", "uplink"]);
  store.putGateway({ ...ROW, pending: 3, oldestPending_ms: null });
  expect(causes(true)).toEqual(["uplink", "uplink", "uplink"]);
});

test("a message that was set aside was received, and is not waited for", () => {
  commitQuarter(0, 1);
  store.deadLetter({
    gateway: GATEWAY,
    topic: "t",
    at_ms: START_MS,
    code: "WIRE_MALFORMED",
    why: "no number",
    payload: new Uint8Array(1),
    content: { device: "incomer", at_ms: START_MS + 5 },
    batch: { epoch: EPOCH, number: 5 },
  });
  store.commitBatches([batch(6, START_MS + 10)]);
  expect(missingBatches(store, GATEWAY, EPOCH)).toBe(0);
  expect(ledger(1)[0]?.polls).toMatchObject({ received: 5, stored: 4 });
});

test("a batch without the main counter, as of the settings at every start, is no poll", () => {
  commitQuarter(0, 1);
  store.commitBatches([batch(5, START_MS + 10, { isPoll: false }), batch(6, START_MS + 20, { isPoll: true })]);
  expect(ledger(1)[0]?.polls).toMatchObject({ received: 4, stored: 4 });
});

test("a year of quarters is one ledger", () => {
  commitQuarter(0, 1);
  const lines = ledger(LINES_MAX);
  expect(lines).toHaveLength(LINES_MAX);
  expect(ledgerTotals(lines)).toMatchObject({ intervals: LINES_MAX, held: 1 });
});
