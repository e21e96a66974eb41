import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openJournal } from "../../agent/journal/journal.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import { systemRandom } from "../../cli/io/system.ts";
import { BROKERS, quiet, until } from "./harness.ts";
import { agentYaml, books, GATEWAY, poll, QUARTER_MS, START_MS, stage } from "./steppedStage.ts";

/** Restarts of either side in domain time that the test moves: what was under way goes on, nothing counts twice. */
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
      onTestFinished(() => journal.close());
      for (const device of ["a", "b"]) {
        const saved = JSON.parse(journal.getState(`account:${device}`) ?? "{}") as { asOf?: number };
        expect(saved.asOf).toBe(journal.nextNumber() - 1);
      }
    },
  );
});
