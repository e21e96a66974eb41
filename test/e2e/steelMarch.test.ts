import { afterEach, expect, test } from "vitest";
import { loadModelLibrary } from "../../config/models.ts";
import { divideHalfEven } from "../../core/emission/decimal.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { startSim } from "../../hw-sim/sim.ts";
import { agentOfOneMeter, SteppedClock, startZone, tempDir, until } from "./harness.ts";

/**
 * The whole path with real measurements: March 2018 of the steel plant goes from a simulated meter over real Modbus TCP
 * through agent, journal, Sparkplug and a real broker into the collector's books, in accelerated domain time.
 */
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const MARCH_FROM_MS = Date.parse("2018-03-01T00:00:00+07:00");
const MARCH_TO_MS = Date.parse("2018-04-01T00:00:00+07:00");
const INTERVALS = 31 * 96;
/** expected.yaml of the data set: 2018-03. */
const MARCH_KWH = 80230.41;
const FACTOR_2018_MG_PER_WH_X10 = 9130n;

test("March 2018 of the steel plant arrives in the books to the watt-hour, and its tonnes to the milligram", {
  timeout: 120_000,
}, async () => {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const clock = new SteppedClock(MARCH_FROM_MS);
  const sim = await startSim(
    {
      seed: 1,
      time_zone: "Asia/Ho_Chi_Minh",
      lines: [
        {
          listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
          meters: [
            { unit: 1, model: "schneider-pm5000", load: { csv: "steel", column: "energy_kwh", repeat: "weekly" } },
          ],
        },
      ],
    },
    { models: loadModelLibrary(), clock, readProfile },
  );
  cleanups.push(() => sim.close());
  const zone = await startZone(dir.path);
  cleanups.push(() => zone.close());
  const at = { dir: dir.path, port: sim.lines[0]!.port, brokerUrl: zone.brokerUrl };
  const agent = await zone.startAgent(agentOfOneMeter({ ...at, meter: "id: incomer, role: import, every: 15min" }));

  await agent.gateway.runHistory({
    from_ms: MARCH_FROM_MS,
    to_ms: MARCH_TO_MS,
    busOf: (bus) => openBus(bus.url),
    at: (at_ms) => clock.set(at_ms),
    goesOn: false,
    onProgress: () => {},
  });
  await until("every batch is confirmed", () => agent.status().journal.unconfirmed === 0);

  const gateway = { group: "kcn-test", edge: "gw-01" };
  const intervals = zone.store.intervals(
    gateway,
    "incomer",
    "active_energy_import_total",
    MARCH_FROM_MS,
    MARCH_TO_MS,
    10_000,
  );
  expect(intervals).toHaveLength(INTERVALS);
  expect(new Set(intervals.map(({ flag }) => flag))).toEqual(new Set(["M"]));
  expect(new Set(intervals.map(({ coverage }) => coverage))).toEqual(new Set([1]));
  const energy_Wh = intervals.reduce((sum, { ticks }) => sum + (ticks ?? 0n), 0n);
  expect(Number(energy_Wh) / 1000).toBeCloseTo(MARCH_KWH, 6);

  const emissions = zone.store.emissions(gateway, "incomer", MARCH_FROM_MS, MARCH_TO_MS, 10_000);
  expect(emissions).toHaveLength(INTERVALS);
  expect(new Set(emissions.map((e) => `${e.factorId}@${e.factorVersion} ${e.match} ${e.gas}`))).toEqual(
    new Set(["grid-vn@2018 exact co2"]),
  );
  const booked_mg = emissions.reduce((sum, { mg }) => sum + mg, 0n);
  const rounded_mg = intervals.reduce(
    (sum, { ticks }) => sum + divideHalfEven((ticks ?? 0n) * FACTOR_2018_MG_PER_WH_X10, 10n),
    0n,
  );
  expect(booked_mg).toBe(rounded_mg);
  const exact_mg = MARCH_KWH * 913_000;
  expect(Math.abs(Number(booked_mg) - exact_mg)).toBeLessThanOrEqual(0.5 * INTERVALS);

  await until("the cloud has recomputed every interval", () => {
    return zone.store.intervalsToVerify(gateway, agent.status().journal.epoch, Number.MAX_SAFE_INTEGER, 1).length === 0;
  });
  expect(zone.collector.counts.disagreed).toBe(0);
  const verified = zone.store.intervals(
    gateway,
    "incomer",
    "active_energy_import_total",
    MARCH_FROM_MS,
    MARCH_TO_MS,
    10_000,
  );
  expect(new Set(verified.map(({ verification }) => verification))).toEqual(new Set(["agreed"]));
});
