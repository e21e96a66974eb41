import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { RecentBatches } from "../../../cloud/store/recentBatches.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import type { NewBatch, StoredBatch } from "../../../cloud/store/store.ts";
import { GATEWAY, START_MS } from "../../contract/store.ts";

const batch = (number: number, device = "incomer", from = number, to = from): NewBatch => ({
  gateway: GATEWAY,
  epoch: "e1",
  number,
  device,
  birthId: 1,
  from_ms: START_MS + from,
  to_ms: START_MS + to,
  crc32c: number,
  payload: new Uint8Array([number & 0xff, 7]),
  intervals: [],
  emissions: [],
  record: null,
});

test("what a store remembers of the batches it stored is what another reader finds in the file", () => {
  const place = fc.record({
    device: fc.constantFrom("incomer", "furnace"),
    from: fc.integer({ min: 0, max: 60 }),
    length: fc.constantFrom(0, 0, 0, 1, 9),
  });
  const query = fc.record({
    device: fc.constantFrom("incomer", "furnace", "nobody"),
    from: fc.integer({ min: -2, max: 62 }),
    length: fc.integer({ min: 0, max: 64 }),
    limit: fc.constantFrom(1, 3, 100),
  });
  fc.assert(
    fc.property(
      fc.array(place, { maxLength: 30 }),
      fc.array(query, { minLength: 1 }),
      fc.nat(30),
      (places, queries, cut) => {
        const folder = mkdtempSync(join(tmpdir(), "khuxanh-store-"));
        const path = join(folder, "zone.db");
        const early = openSqliteStore({ path });
        for (const device of ["incomer", "furnace"])
          early.putBirth({ gateway: GATEWAY, epoch: "e1", device, metrics: [] }, null);
        const batches = places.map(({ device, from, length }, at) => batch(at + 1, device, from, from + length));
        early.commitBatches(batches.slice(0, cut));
        early.close();
        const store = openSqliteStore({ path });
        store.commitBatches(batches.slice(cut));
        const reader = openSqliteStore({ path, access: "read" });
        for (const { device, from, length, limit } of queries) {
          const within = [GATEWAY, device, START_MS + from, START_MS + from + length, limit] as const;
          expect(store.batches(...within)).toEqual(reader.batches(...within));
        }
        reader.close();
        store.close();
        rmSync(folder, { recursive: true });
      },
    ),
    { numRuns: 30 },
  );
});

test("of batches whose commit came to nothing none is remembered", () => {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-store-"));
  const store = openSqliteStore({ path: join(folder, "zone.db") });
  store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] }, null);
  expect(() => store.commitBatches([batch(1), batch(0)])).toThrow("0 is no batch number");
  const held = () => store.batches(GATEWAY, "incomer", START_MS, START_MS + 9, 9);
  expect(held()).toEqual([]);
  store.commitBatches([{ ...batch(1), payload: new Uint8Array([5]) }]);
  expect(held()).toMatchObject([{ number: 1, payload: new Uint8Array([5]) }]);
  store.close();
  rmSync(folder, { recursive: true });
});

test("at the limit the older half goes", () => {
  const held: StoredBatch[] = [1, 2, 3, 4, 5].map((number) => batch(number));
  const recent = new RecentBatches(1800);
  for (const one of held.slice(0, 4)) recent.put(7, one.number, one);
  expect(recent.find(7, [1, 3, 2, 4])?.map(({ number }) => number)).toEqual([1, 3, 2, 4]);
  recent.put(7, 5, held[4]!);
  expect(recent.find(7, [3, 4])).toBeNull();
  expect(recent.find(7, [4, 5])?.map(({ number }) => number)).toEqual([4, 5]);
  expect(recent.find(8, [4])).toBeNull();
  expect([3, 4, 5].map((at) => recent.reachesTo(7, START_MS + at))).toEqual([false, true, true]);
  expect(recent.reachesTo(8, START_MS + 9)).toBe(false);
});
