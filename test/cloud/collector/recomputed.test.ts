import { expect, onTestFinished, test } from "vitest";
import { traceInterval } from "../../../cloud/api/trace.ts";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { Epochs } from "../../../cloud/collector/epochs.ts";
import { seamsAt } from "../../../cloud/collector/seams.ts";
import { Verifier } from "../../../cloud/collector/verifier.ts";
import { COUNTS_APART, type StoredInterval, type ZoneStore } from "../../../cloud/store/store.ts";
import { loadFactors } from "../../../config/factors.ts";
import { emissionsOf } from "../../../core/emission/emission.ts";
import { recordingLog } from "../../recordingLog.ts";
import { equalMeters } from "../../sim/meters.ts";
import { SimZone, ZONE } from "../../sim/zone.ts";

/** A gateway whose journal is restored from a backup: it no longer knows readings that arrived here, and shares out what they say. */
const INTERVAL_MS = 900_000;
const MINUTE_MS = 60_000;
const ORIGIN_MS = Date.parse("2026-11-02T10:00:00+07:00");
const GATEWAY = { group: ZONE, edge: "gw" };
const { factors: FACTORS } = loadFactors();
const METERS = 3;
/** Polled every 10 s: a stretch up to this long is no gap. */
const POLL_MS = 10_000;

function zoneOf(): SimZone {
  const plan = { seed: 3, origin_ms: ORIGIN_MS, interval_ms: INTERVAL_MS };
  const zone = new SimZone(
    { ...plan, gateways: [{ name: "gw", lines: [equalMeters(METERS, POLL_MS)] }] },
    { isChecked: false },
  );
  onTestFinished(() => zone.close());
  return zone;
}

/** Backed up at the first time, killed at the second, started with the backup at the third, looked at at the last. */
async function restored(backupAt_ms: number, killedAt_ms: number, startedAt_ms: number, until_ms: number) {
  const zone = zoneOf();
  const [agent] = zone.agents;
  zone.start();
  await zone.run(backupAt_ms);
  const backup = agent!.disk.backup();
  await zone.run(killedAt_ms);
  agent!.crash("process-killed");
  await zone.run(startedAt_ms);
  agent!.disk.restore(backup);
  agent!.start();
  await zone.run(until_ms);
  return { zone, agent: agent!, store: zone.collector.store };
}

/** Of each counter, in order of time. */
function series(store: ZoneStore): readonly (readonly StoredInterval[])[] {
  return store
    .meters()
    .flatMap(({ device }) =>
      (["active_energy_import_total", "active_energy_export_total", "reactive_energy_import_total"] as const)
        .map((quantity) => store.intervals(GATEWAY, device, quantity, 0, Number.MAX_SAFE_INTEGER, 1000))
        .filter((rows) => rows.length > 0),
    );
}

function expectConserved(store: ZoneStore): void {
  for (const rows of series(store)) {
    for (const [i, row] of rows.slice(1).entries()) {
      expect([row.device, row.from_ms, row.opening?.count]).toEqual([
        row.device,
        rows[i]!.to_ms,
        rows[i]!.closing?.count,
      ]);
    }
    const sum = rows.slice(1).reduce((ticks, row) => ticks + row.ticks!, 0n);
    expect(sum).toBe(rows.at(-1)!.closing!.count - rows[1]!.opening!.count);
  }
}

/** Every interval that emits has the entries its figure gives, in force. */
function expectEmitted(store: ZoneStore): void {
  const rows = series(store).flatMap((one) => one.filter(({ quantity }) => quantity === "active_energy_import_total"));
  let entries = 0;
  for (const row of rows) {
    const held = store.emissions(GATEWAY, row.device, row.from_ms, row.from_ms + 1, 9);
    const [first] = held;
    if (first === undefined) continue;
    const emitter = {
      device: row.device,
      carrier: first.carrier,
      role: "import",
      parent: null,
      ncv_MJ_per_Nm3: null,
    } as const;
    const computed = emissionsOf(row, emitter, FACTORS, Number.POSITIVE_INFINITY);
    expect(computed.kind).toBe("emissions");
    if (computed.kind !== "emissions") continue;
    expect(held.map(({ gas, mg }) => [gas, mg])).toEqual(computed.entries.map(({ gas, mg }) => [gas, mg]));
    entries += held.length;
  }
  expect(entries).toBeGreaterThan(0);
}

/** But for the numbers a gateway gives anew before it hears that they were taken: it may poll before the host's hello is there. */
const alarmsOf = (store: ZoneStore) => store.alarms(1000).filter(({ code }) => code !== "BATCH_CONTENT_DIFFERS");

test("after a restored backup the books add up to the tick: what the gateway shared out is measured from what arrived before", async () => {
  const { store } = await restored(20 * MINUTE_MS, 70 * MINUTE_MS, 71 * MINUTE_MS, 140 * MINUTE_MS);
  expectConserved(store);
  const all = series(store);
  expect(all.length).toBeGreaterThanOrEqual(METERS);
  for (const rows of all) {
    expect(rows.map(({ verification }) => verification)).toEqual([
      ...Array(4).fill("agreed"),
      "recomputed",
      ...Array(rows.length - 5).fill("agreed"),
    ]);
    expect(rows[4]).toMatchObject({ flag: "M", coverage: 1 });
  }
  expect(alarmsOf(store)).toEqual([]);
  expectEmitted(store);
});

test("what the gateway had booked is told beside it, and what it emits is restated by the factor of the gateway", async () => {
  const { store } = await restored(20 * MINUTE_MS, 70 * MINUTE_MS, 71 * MINUTE_MS, 140 * MINUTE_MS);
  const [rows] = series(store);
  const { device, quantity, from_ms, epoch, batch, ticks } = rows![4]!;
  const [said, ...more] = store.earlierIntervals(GATEWAY, device, quantity, from_ms);
  expect(more).toEqual([]);
  expect(said).toMatchObject({ flag: "S", cause: "not-polled", verification: "unverifiable", epoch, batch });
  expect(said!.ticks).not.toBe(ticks);
  const traced = traceInterval(rows![4]!, [], null, said!, "Asia/Ho_Chi_Minh");
  expect(traced).toMatchObject({
    verification: "recomputed",
    ticks: String(ticks),
    gateway_said: { ticks: String(said!.ticks), flag: "S" },
  });
  const [entry] = store.emissions(GATEWAY, device, from_ms, from_ms + 1, 9);
  const versions = store.emissionVersions(entry!.id);
  expect(versions.map(({ reason }) => reason)).toEqual([null, "interval-corrected"]);
  expect(new Set(versions.map(({ entry: { factorId, factorVersion } }) => `${factorId}@${factorVersion}`)).size).toBe(
    1,
  );
  expect(store.earlierIntervals(GATEWAY, device, quantity, rows![3]!.from_ms)).toEqual([]);
});

test("so it is when the backup is restored twice, and when the gateway is away across a boundary", async () => {
  const { zone, agent, store } = await restored(20 * MINUTE_MS, 74 * MINUTE_MS, 77 * MINUTE_MS, 80 * MINUTE_MS);
  const backup = agent.disk.backup();
  await zone.run(130 * MINUTE_MS);
  agent.crash("process-killed");
  agent.disk.restore(backup);
  agent.start();
  await zone.run(200 * MINUTE_MS);
  expectConserved(store);
  const all = series(store);
  for (const rows of all) {
    expect(rows.slice(3, 10).map(({ flag }) => flag)).toEqual(["M", "S", "S", "M", "M", "M", "M"]);
    for (const [index, { verification }] of rows.entries()) {
      // Where a meter counts evenly what was shared out is what was counted.
      expect([4, 5, 8].includes(index) ? ["agreed", "recomputed"] : ["agreed"]).toContain(verification);
    }
  }
  for (const index of [4, 5, 8]) {
    expect(all.some((rows) => rows[index]!.verification === "recomputed")).toBe(true);
  }
  expect(alarmsOf(store)).toEqual([]);
  expectEmitted(store);
});

test("a measured interval that does not go on from the one before it does so after that, and is else left as it is", async () => {
  const boundary_ms = 60 * MINUTE_MS;
  const at = [boundary_ms - 8000, boundary_ms + 4000, boundary_ms + 4500, 100 * MINUTE_MS] as const;
  const { store } = await restored(...at);
  expectConserved(store);
  const rows = series(store).flat();
  const recomputed = rows.filter(({ verification }) => verification === "recomputed");
  expect(recomputed.length).toBeGreaterThan(0);
  for (const { flag, from_ms } of recomputed) expect([flag, from_ms]).toEqual(["M", ORIGIN_MS + boundary_ms]);
  expectEmitted(store);
});

test("an interval that was booked under the old epoch, before its numbers were contested, has not read less than is stored", async () => {
  const boundary_ms = 60 * MINUTE_MS;
  const at = [boundary_ms - 15_000, boundary_ms - 5000, boundary_ms + 200, 100 * MINUTE_MS] as const;
  const { store, agent } = await restored(...at);
  expect(agent.epochs).toHaveLength(2);
  const rows = series(store).map((one) => one.find(({ to_ms }) => to_ms === ORIGIN_MS + boundary_ms)!);
  expect(rows.some(({ epoch }) => epoch === agent.epochs[0])).toBe(true);
  for (const { verification } of rows) expect(verification).not.toBe("disagreed");
  expect(alarmsOf(store)).toEqual([]);
});

test("where an interval does not go on from the one before it, and cannot be recomputed, an alarm tells by how much", async () => {
  const { store, agent } = await restored(20 * MINUTE_MS, 70 * MINUTE_MS, 71 * MINUTE_MS, 140 * MINUTE_MS);
  const [rows] = series(store);
  const { device, quantity, from_ms, epoch } = rows![4]!;
  const apart = (row: StoredInterval, verification: StoredInterval["verification"]): StoredInterval => {
    const isOurs = row.from_ms === from_ms && row.device === device && row.quantity === quantity;
    return isOurs ? { ...row, verification, opening: { ...row.opening!, count: row.opening!.count - 19n } } : row;
  };
  const found = (verification: StoredInterval["verification"]) =>
    seamsAt([rows![4]!], { intervals: (...query) => store.intervals(...query).map((row) => apart(row, verification)) });
  expect(found("unverifiable")).toMatchObject([{ after: { device, quantity, from_ms }, ticks: -19n }]);
  expect(found("pending")).toEqual([]);
  expect(seamsAt([rows![4]!], store)).toEqual([]);

  store.setVerifications([[rows![4]!, "pending"]]);
  const doctored = {
    ...store,
    intervals: (...query: Parameters<ZoneStore["intervals"]>) =>
      store.intervals(...query).map((row) => apart(row, "unverifiable")),
  };
  const log = recordingLog();
  const epochs = new Epochs(doctored, log);
  const clock = { now_ms: () => from_ms, mono_ms: () => 0 };
  const births = new BirthReader(doctored);
  new Verifier({ store: doctored, factors: FACTORS, clock, log, births, epochs }).run([{ gateway: GATEWAY, epoch }]);
  expect(agent.epochs).toContain(epoch);
  expect(alarmsOf(store)).toMatchObject([{ code: COUNTS_APART, device, detail: { quantity, from_ms, ticks: "-19" } }]);
});

test("where the clock was set the gateway's figure stands: the readings do not tell which time is whose", async () => {
  const zone = zoneOf();
  const [agent] = zone.agents;
  zone.start();
  await zone.run(20 * MINUTE_MS);
  const backup = agent!.disk.backup();
  await zone.run(70 * MINUTE_MS);
  agent!.crash("process-killed");
  agent!.disk.restore(backup);
  agent!.machine.jump(-25 * MINUTE_MS);
  agent!.start();
  await zone.run(75 * MINUTE_MS);
  agent!.machine.jump(25 * MINUTE_MS);
  await zone.run(140 * MINUTE_MS);
  const { store } = zone.collector;
  const rows = series(store).flat();
  expect(rows.filter(({ cause }) => cause === "clock").length).toBeGreaterThan(0);
  for (const { cause, verification } of rows) {
    expect(verification).not.toBe("disagreed");
    if (cause === "clock") expect(verification).toBe("unverifiable");
  }
});

test("a journal that is gone altogether leaves its first interval incomplete: what went before it is not known to be this meter's", async () => {
  const { store } = await restored(0, 70 * MINUTE_MS, 71 * MINUTE_MS, 140 * MINUTE_MS);
  for (const rows of series(store)) {
    expect(
      rows.slice(1).flatMap(({ flag, cause, verification }) => (flag === "M" ? [] : [[flag, cause, verification]])),
    ).toEqual([["X", "first-reading", "unverifiable"]]);
  }
});
