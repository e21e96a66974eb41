import { expect, onTestFinished, test } from "vitest";
import type { ZoneStore } from "../../../cloud/store/store.ts";
import { equalMeters } from "../../sim/meters.ts";
import { SimZone, ZONE } from "../../sim/zone.ts";

/** The zone's store is restored from a backup: gateways were told that it holds what it no longer holds. */
const MINUTE_MS = 60_000;
const GATEWAY = { group: ZONE, edge: "gw" };

async function restored(backupAt_ms: number, killedAt_ms: number, until_ms: number): Promise<SimZone> {
  const plan = { seed: 3, origin_ms: Date.parse("2026-11-02T10:00:00+07:00"), interval_ms: 900_000 };
  const zone = new SimZone(
    { ...plan, gateways: [{ name: "gw", lines: [equalMeters(3, 10_000)] }] },
    { isChecked: false },
  );
  onTestFinished(() => zone.close());
  const { collector } = zone;
  zone.start();
  await zone.run(backupAt_ms);
  const backup = collector.disk.backup();
  await zone.run(killedAt_ms);
  collector.crash("process-killed");
  collector.restore(backup);
  collector.start();
  await zone.run(until_ms);
  return zone;
}

function intervals(store: ZoneStore) {
  return store
    .meters()
    .flatMap(({ device }) =>
      store.intervals(GATEWAY, device, "active_energy_import_total", 0, Number.MAX_SAFE_INTEGER, 100),
    );
}

test("a zone restored from a backup is sent again what it had confirmed since, and its books are whole", async () => {
  const { agents, collector } = await restored(20 * MINUTE_MS, 50 * MINUTE_MS, 80 * MINUTE_MS);
  const { journal } = agents[0]!.running!;
  expect(collector.store.batchRanges(GATEWAY, journal.epoch)).toEqual([[1, journal.nextNumber() - 1]]);
  const booked = intervals(collector.store);
  expect(booked.length).toBe(3 * 5);
  for (const { verification } of booked) expect(verification).toBe("agreed");
  expect(collector.store.alarms(100)).toEqual([]);
});
