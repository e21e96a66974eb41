import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openJournal } from "../../agent/journal/journal.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import type { RunningAgent } from "../../agent/main.ts";
import { systemRandom } from "../../cli/io/system.ts";
import { loadModelLibrary } from "../../config/models.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { type RunningSim, startSim } from "../../hw-sim/sim.ts";
import { BROKERS, type BrokerKind, quiet, SteppedClock, startZone, type TestZone, tempDir, until } from "./harness.ts";

/** Restarts of either side in domain time that the test moves: what was under way goes on, nothing counts twice. */
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const START_MS = Date.parse("2026-11-02T08:00:00+07:00");
const QUARTER_MS = 900_000;
const GATEWAY = { group: "kcn-test", edge: "gw-01" };

interface Stage {
  readonly dir: string;
  readonly clock: SteppedClock;
  readonly sim: RunningSim;
  readonly zone: TestZone;
}

async function stage(kind: BrokerKind): Promise<Stage> {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const clock = new SteppedClock(START_MS);
  const sim = await startSim(
    {
      seed: 3,
      time_zone: "Asia/Ho_Chi_Minh",
      lines: [
        {
          listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
          meters: [
            { unit: 1, model: "schneider-pm5000", name: "a", load: { shape: "two-shift", peak_W: 400_000 } },
            { unit: 2, model: "carlo-gavazzi-em340-et340", name: "b", load: { shape: "continuous", peak_W: 90_000 } },
          ],
        },
      ],
    },
    { models: loadModelLibrary(), clock, readProfile },
  );
  cleanups.push(() => sim.close());
  const zone = await startZone(dir.path, quiet, kind);
  cleanups.push(() => zone.close());
  return { dir: dir.path, clock, sim, zone };
}

function agentYaml({ dir, sim, zone }: Stage, meters: readonly string[]): string {
  const line: Record<string, string> = {
    a: "{id: a, unit: 1, model: schneider-pm5000, carrier: electricity, every: 15min}",
    b: "{id: b, unit: 2, model: carlo-gavazzi-em340-et340, carrier: electricity, role: use, every: 15min}",
  };
  return `
zone: kcn-test
site: steel
gateway: gw-01
data_dir: ${dir}/gw-01
buses:
  - id: main
    url: tcp://127.0.0.1:${sim.lines[0]?.port}
    meters: [${meters.map((id) => line[id]).join(", ")}]
uplink: {url: "${zone.brokerUrl}", host_id: zone-collector, delivery: required}
listen: 127.0.0.1:0
`;
}

/** Polls the quarters from `first` to `last` (counted from the start) and waits until all of it is confirmed. */
async function poll({ clock }: Stage, agent: RunningAgent, first: number, last: number): Promise<void> {
  await agent.gateway.runHistory({
    from_ms: START_MS + first * QUARTER_MS,
    to_ms: START_MS + last * QUARTER_MS,
    busOf: (bus) => openBus(bus.url),
    at: (at_ms) => clock.set(at_ms),
    goesOn: true,
    onProgress: () => {},
  });
  await until("all is confirmed", () => agent.status().journal.unconfirmed === 0);
}

function books({ zone }: Stage, device: string, quantity: QuantityId = "active_energy_import_total") {
  return zone.store.intervals(GATEWAY, device, quantity, START_MS, START_MS + 100 * QUARTER_MS, 1000);
}

describe.each(BROKERS)("with $broker", ({ kind, isSkipped }) => {
  test.skipIf(isSkipped)(
    "an agent with a new journal (another epoch, other aliases) is not read through the old one's births",
    {
      timeout: 60_000,
    },
    async () => {
      const now = await stage(kind);
      const first = await now.zone.startAgent(agentYaml(now, ["a", "b"]), now.clock);
      await until("it is born", () => first.status().uplink.state === "born");
      await poll(now, first, 0, 4);
      await first.stop();
      rmSync(join(now.dir, "gw-01"), { recursive: true });

      // The other order of meters gives every alias another meaning.
      const second = await now.zone.startAgent(agentYaml(now, ["b", "a"]), now.clock);
      await until("it is born", () => second.status().uplink.state === "born");
      await poll(now, second, 4, 8);

      expect(second.status().journal.epoch).not.toBe(first.status().journal.epoch);
      for (const [device, meter] of [
        ["a", now.sim.meters[0]],
        ["b", now.sim.meters[1]],
      ] as const) {
        const rows = books(now, device);
        expect(rows.map(({ from_ms }) => (from_ms - START_MS) / QUARTER_MS)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
        const booked_Wh = rows.reduce((sum, { ticks, tick }) => sum + Number(ticks ?? 0n) * Number(tick.amount), 0);
        const true_Wh = meter!.truth(START_MS + 8 * QUARTER_MS).active_energy_import_total!;
        const before_Wh = meter!.truth(START_MS).active_energy_import_total!;
        const resolution_Wh = Number(rows[0]?.tick.amount);
        expect(Math.abs(booked_Wh - (Number(true_Wh.value) - Number(before_Wh.value)))).toBeLessThanOrEqual(
          resolution_Wh,
        );
      }
      // The clock stood still between the two: the instant of the hand-over was polled by both, with one result, which is held once.
      expect(now.zone.store.alarms(100)).toEqual([]);
      expect(now.zone.store.deadLetterCount(GATEWAY)).toBe(0);
    },
  );

  test.skipIf(isSkipped)("what is polled twice after a restart is booked once", { timeout: 60_000 }, async () => {
    const now = await stage(kind);
    const agent = await now.zone.startAgent(agentYaml(now, ["a"]), now.clock);
    await until("it is born", () => agent.status().uplink.state === "born");
    await poll(now, agent, 0, 6);
    const before = books(now, "a");
    await poll(now, agent, 0, 6);
    expect(books(now, "a").map(({ from_ms, ticks }) => [from_ms, ticks])).toEqual(
      before.map(({ from_ms, ticks }) => [from_ms, ticks]),
    );
    expect(before).toHaveLength(6);
    expect(now.zone.store.alarms(10)).toEqual([]);
  });

  test.skipIf(isSkipped)(
    "a restart with another name and poll period goes on with the samples recorded before it",
    {
      timeout: 60_000,
    },
    async () => {
      const now = await stage(kind);
      const renamed = (yaml: string): string => yaml.replace("every: 15min", "name: {vi: Tổng, en: Main}, every: 5min");
      const first = await now.zone.startAgent(agentYaml(now, ["a"]), now.clock);
      await until("it is born", () => first.status().uplink.state === "born");
      await poll(now, first, 0, 4);
      // One live poll in the middle of a quarter, recorded but not yet part of a closed interval.
      now.clock.set(START_MS + 4.5 * QUARTER_MS);
      first.gateway.start();
      await until("the meter was read live", () => first.status().counts.polls > 0);
      await first.stop();

      const second = await now.zone.startAgent(renamed(agentYaml(now, ["a"])), now.clock);
      now.clock.set(START_MS + 5.25 * QUARTER_MS);
      second.gateway.start();
      await until("the interval is booked", () => books(now, "a").length === 5);
      const last = books(now, "a").at(-1)!;
      expect(last.opening?.words?.at_ms).toBe(START_MS + 4 * QUARTER_MS);
      expect(last.flag).not.toBe("X");
      await until("the cloud has looked at it", () =>
        books(now, "a").every(({ verification }) => verification !== "pending"),
      );
      expect(books(now, "a").map(({ verification }) => verification)).toEqual(Array(5).fill("agreed"));
    },
  );

  test.skipIf(isSkipped)(
    "at a stop every account is saved as of the last batch: a restart has nothing to replay",
    {
      timeout: 60_000,
    },
    async () => {
      const now = await stage(kind);
      const agent = await now.zone.startAgent(agentYaml(now, ["a", "b"]), now.clock);
      await until("it is born", () => agent.status().uplink.state === "born");
      await poll(now, agent, 0, 4);
      now.clock.set(START_MS + 4.5 * QUARTER_MS);
      agent.gateway.start();
      await until("both meters were read live", () => agent.status().counts.polls >= 2);
      await agent.stop();

      const journal = openJournal({
        disk: sqliteDisk(join(now.dir, "gw-01", "journal")),
        maxBytes: 1e9,
        maxAge_ms: 1e12,
        now_ms: now.clock.now_ms,
        random: systemRandom,
        log: quiet,
      });
      cleanups.push(() => journal.close());
      for (const device of ["a", "b"]) {
        const saved = JSON.parse(journal.getState(`account:${device}`) ?? "{}") as { asOf?: number };
        expect(saved.asOf).toBe(journal.nextNumber() - 1);
      }
    },
  );
});
