import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ALARMS_MAX } from "../../../cloud/store/alarms.ts";
import { Database } from "../../../cloud/store/database.ts";
import { PRESENCE_MAX } from "../../../cloud/store/places.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import { correctionContract } from "../../contract/correction.ts";
import { renumberedContract } from "../../contract/renumbered.ts";
import { restatementContract } from "../../contract/restatement.ts";
import { GATEWAY, interval, START_MS, type StoreUnderTest, storeContract } from "../../contract/store.ts";
import { substitutionContract } from "../../contract/substitution.ts";

storeContract("sqlite", sqliteUnderTest);
restatementContract("sqlite", sqliteUnderTest);
renumberedContract("sqlite", sqliteUnderTest);
substitutionContract("sqlite", sqliteUnderTest);
correctionContract("sqlite", sqliteUnderTest);

function sqliteUnderTest(now: { readonly ms: number }): StoreUnderTest {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-store-"));
  const open = () => openSqliteStore({ path: join(folder, "zone.db"), now_ms: () => now.ms });
  let store = open();
  return {
    store,
    reopen() {
      store.close();
      store = open();
      return store;
    },
    dispose() {
      store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "khuxanh-store-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("every file of the store is readable by its owner alone", () => {
  const store = openSqliteStore({ path: join(folder, "zone.db") });
  store.setValue("a", "b");
  expect(readdirSync(folder).sort()).toEqual(["zone.db", "zone.db-shm", "zone.db-wal"]);
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  store.close();
});

test("a file that is no store, or in no folder, is refused with a code and a hint", () => {
  writeFileSync(join(folder, "text.db"), "this is no database, but long enough to be looked at as one".repeat(20));
  for (const path of [join(folder, "text.db"), join(folder, "none", "zone.db")]) {
    const error = errorOf(() => openSqliteStore({ path }));
    expect(error.code).toBe("DISK_UNUSABLE");
    expect(error.hint).not.toBe("");
  }
});

test("a store of a newer version is refused, not touched", () => {
  const path = join(folder, "zone.db");
  openSqliteStore({ path }).close();
  const db = new DatabaseSync(path);
  db.exec("PRAGMA user_version = 999");
  db.close();
  const error = errorOf(() => openSqliteStore({ path }));
  expect(error.code).toBe("DISK_UNUSABLE");
  expect(error.message).toContain("999");
});

test("a superseded interval is kept as it stood", () => {
  const path = join(folder, "zone.db");
  const store = openSqliteStore({ path, now_ms: () => START_MS });
  const birthId = store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] }, null);
  const base = {
    gateway: GATEWAY,
    epoch: "e1",
    device: "incomer",
    birthId,
    from_ms: 1,
    to_ms: 1,
    emissions: [],
    record: null,
  };
  const payload = new Uint8Array(1);
  store.commitBatches([
    { ...base, number: 1, crc32c: 1, payload, intervals: [interval(0, { flag: "S", coverage: 0, ticks: 3n })] },
    { ...base, number: 2, crc32c: 2, payload, intervals: [interval(0)] },
  ]);
  store.close();
  const db = new DatabaseSync(path, { readOnly: true });
  const rows = db.prepare("SELECT ticks, flag, batch, superseded_ms FROM interval_superseded").all();
  expect(rows.map((row) => ({ ...row }))).toEqual([{ ticks: 3, flag: "S", batch: 1, superseded_ms: START_MS }]);
  db.close();
});

test("the oldest alarms go when there are too many", () => {
  const store = openSqliteStore({ path: join(folder, "zone.db") });
  store.putAlarm({ code: "FIRST", gateway: null, device: null, at_ms: 0, detail: {} });
  const db = new DatabaseSync(join(folder, "zone.db"), { timeout: 1000 });
  db.exec(`INSERT INTO alarm (id, code, at_ms, detail) VALUES (${ALARMS_MAX}, 'MIDDLE', 0, '{}')`);
  db.close();
  store.putAlarm({ code: "LAST", gateway: null, device: null, at_ms: 0, detail: {} });
  expect(store.alarms(10).map((alarm) => alarm.code)).toEqual(["LAST", "MIDDLE"]);
  store.close();
});

test("a store that another process holds is busy, one that may not be written unusable, a batch it cannot hold refused", () => {
  const path = join(folder, "zone.db");
  openSqliteStore({ path }).close();
  const reader = openSqliteStore({ path, access: "read" });
  expect(errorOf(() => reader.setValue("a", "b")).code).toBe("DISK_UNUSABLE");
  expect(reader.getValue("a")).toBeNull();
  const store = openSqliteStore({ path });
  const birthId = store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] }, null);
  const base = { gateway: GATEWAY, epoch: "e1", number: 1, device: "incomer", from_ms: 1, to_ms: 1, crc32c: 1 };
  const batch = { ...base, payload: new Uint8Array(1), intervals: [], emissions: [], record: null };
  expect(errorOf(() => store.commitBatches([{ ...batch, birthId: birthId + 7 }])).code).toBe("STORE_REFUSED");
  store.close();
  const holder = new DatabaseSync(path);
  const waiting = new Database(new DatabaseSync(path, { timeout: 1 }));
  holder.exec("BEGIN IMMEDIATE");
  expect(errorOf(() => waiting.transaction(() => {})).code).toBe("STORE_BUSY");
  holder.exec("ROLLBACK");
  expect(waiting.transaction(() => "done")).toBe("done");
  for (const db of [reader, waiting, holder]) db.close();
});

test("a store that is read only is not made, and one of another version is not read", () => {
  const path = join(folder, "zone.db");
  expect(errorOf(() => openSqliteStore({ path, access: "read" })).code).toBe("DISK_UNUSABLE");
  expect(readdirSync(folder)).toEqual([]);
  new DatabaseSync(path).close();
  expect(errorOf(() => openSqliteStore({ path, access: "read" })).message).toContain("schema 0");
});

test("the oldest changes of presence go when there are too many", () => {
  const store = openSqliteStore({ path: join(folder, "zone.db") });
  store.putPresence({ gateway: GATEWAY, at_ms: 1, state: "online" });
  const db = new DatabaseSync(join(folder, "zone.db"), { timeout: 1000 });
  db.exec(`WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${PRESENCE_MAX})
    INSERT INTO presence (gateway_id, at_ms, state) SELECT 1, i, 'offline' FROM n`);
  db.close();
  store.putPresence({ gateway: GATEWAY, at_ms: PRESENCE_MAX + 1, state: "online" });
  const held = store.presence(GATEWAY, 0, Number.MAX_SAFE_INTEGER);
  expect([held.length, held[0]?.at_ms]).toEqual([PRESENCE_MAX, 2]);
  store.close();
});

function errorOf(act: () => unknown): KhuXanhError {
  try {
    act();
  } catch (error) {
    if (error instanceof KhuXanhError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}
