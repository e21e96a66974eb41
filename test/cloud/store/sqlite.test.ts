import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ALARMS_MAX, openSqliteStore } from "../../../cloud/store/sqlite.ts";
import { KhuXanhError } from "../../../core/errors.ts";
import { GATEWAY, interval, START_MS, storeContract } from "../../contract/store.ts";

storeContract("sqlite", (now) => {
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
});

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
  const base = { gateway: GATEWAY, epoch: "e1", device: "incomer", birthId, from_ms: 1, to_ms: 1, emissions: [] };
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

function errorOf(act: () => unknown): KhuXanhError {
  try {
    act();
  } catch (error) {
    if (error instanceof KhuXanhError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}
