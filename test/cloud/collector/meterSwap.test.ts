import { expect, onTestFinished, test } from "vitest";
import { meterLedger } from "../../../cloud/ledger/gather.ts";
import { faultOf } from "../../contract/bus.ts";
import { SimZone, ZONE } from "../../sim/zone.ts";

const INTERVAL_MS = 900_000;
const ORIGIN_MS = Date.parse("2026-03-02T10:00:00+07:00");
const SWAP_MS = ORIGIN_MS + INTERVAL_MS + 300_000;
const IMPORT = "active_energy_import_total";
const GATEWAY = { group: ZONE, edge: "gw" };
const DEVICE = "l0-incomer";

/** A gateway and a collector, in virtual time, and a meter that is exchanged for one that stands at `start` kWh. */
async function replaced(start: number): Promise<SimZone> {
  const config = {
    id: "incomer",
    unit: 1,
    model: "eastron-sdm630",
    carrier: "electricity",
    role: "import",
    parent: null,
    every: { power_ms: 1000, energy_ms: 10_000, settings_ms: 86_400_000 },
    rated_power_W: 400_000,
  } as const;
  const sim = { unit: 1, model: config.model, load: { shape: "continuous", peak_W: 250_000 } } as const;
  const plan = { seed: 3, origin_ms: ORIGIN_MS, interval_ms: INTERVAL_MS };
  const zone = new SimZone({ ...plan, gateways: [{ name: "gw", lines: [[{ config, sim }]] }] }, { isChecked: false });
  onTestFinished(() => zone.close());
  const from = { kind: "at", at_ms: SWAP_MS } as const;
  zone.agents[0]!.faults.add(faultOf({ kind: "meter-replaced", serial: 4711, start }, 1, { from }), ORIGIN_MS);
  zone.start();
  await zone.run(3 * INTERVAL_MS + 120_000);
  return zone;
}

test.each([0, 30_000_000])(
  "a meter replaced by one at %i kWh: its record arrives, cloud and edge agree, the ledger says so",
  async (start) => {
    const { store } = (await replaced(start)).collector;
    const [swap, ...more] = store.nodeRecords(GATEWAY, "meter-swap", 0, Number.MAX_SAFE_INTEGER, 10);
    expect(more).toEqual([]);
    expect(swap?.record).toMatchObject({ device: DEVICE, serialAfter: "4711" });
    const intervals = store.intervals(GATEWAY, DEVICE, IMPORT, ORIGIN_MS, ORIGIN_MS + 3 * INTERVAL_MS, 10);
    expect(intervals.map(({ cause, verification }) => [cause, verification])).toEqual([
      ["first-reading", "agreed"],
      ["meter-replaced", "agreed"],
      [null, "agreed"],
    ]);
    expect(store.alarms(10)).toEqual([]);
    const meter = { gateway: GATEWAY, device: DEVICE, quantity: IMPORT, interval_ms: INTERVAL_MS } as const;
    const lines = meterLedger(
      store,
      { ...meter, time_zone: "Asia/Ho_Chi_Minh" },
      ORIGIN_MS,
      ORIGIN_MS + 3 * INTERVAL_MS,
      true,
    );
    expect(lines[1]?.hole).toEqual({ cause: "meter-changed", detail: "meter-replaced", energy: "lower-bound" });
    expect(lines[2]?.hole).toBeNull();
    // Powers are read every second: those are no polls of the counter.
    expect(lines[2]?.polls).toEqual({ expected: 90, read: 90, journaled: 90, received: 90, stored: 90, lost: 0 });
  },
);
