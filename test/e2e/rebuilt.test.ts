import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BROKERS, until } from "./harness.ts";
import { agentYaml, books, GATEWAY, poll, QUARTER_MS, START_MS, type Stage, stage } from "./steppedStage.ts";

/** A gateway that no longer knows what the collector holds sends it again, and every poll is held once all the same. */
const DEVICES = ["a", "b"] as const;

/** Quarters of which a poll of the meter is stored, as often as one is. */
function polledQuarters({ zone }: Stage, device: string): number[] {
  const counts = zone.store.countBatches(GATEWAY, device, START_MS, START_MS + 100 * QUARTER_MS, 1);
  return [...counts].flatMap(([at_ms, { stored }]) => Array(stored).fill((at_ms - START_MS) / QUARTER_MS) as number[]);
}

/** Each quarter of the runs that was polled is stored once, and what lies between two of a run is booked once. */
function expectWhole(now: Stage, ...runs: readonly (readonly [first: number, last: number])[]): void {
  const quarters = (beyond: number) =>
    runs.flatMap(([first, last]) => Array.from({ length: last - first + beyond }, (_, i) => first + i));
  for (const device of DEVICES) {
    expect(polledQuarters(now, device)).toEqual(quarters(1));
    expect(books(now, device).map(({ from_ms }) => (from_ms - START_MS) / QUARTER_MS)).toEqual(quarters(0));
  }
}

const verdicts = (now: Stage) => DEVICES.flatMap((device) => books(now, device).map((row) => row.verification));

async function started(now: Stage) {
  const agent = await now.zone.startAgent(agentYaml(now, DEVICES), now.clock);
  await until("it is born", () => agent.status().uplink.state === "born");
  return agent;
}

/** The newest segment is no database any more, and what was confirmed stands nowhere in it. */
function damage({ dir }: Stage): void {
  const folder = join(dir, "gw-01", "journal");
  const name = readdirSync(folder)
    .filter((one) => one.endsWith(".sqlite"))
    .sort()
    .at(-1)!;
  const bytes = readFileSync(join(folder, name));
  bytes.fill(0, 0, 100);
  for (let at = bytes.indexOf("confirmed"); at !== -1; at = bytes.indexOf("confirmed", at)) bytes.fill(0, at, at + 9);
  writeFileSync(join(folder, name), bytes);
}

describe.each(BROKERS)("with $broker", ({ kind, isSkipped }) => {
  test.skipIf(isSkipped)("its newest segment was damaged", { timeout: 60_000 }, async () => {
    const now = await stage(kind);
    const first = await started(now);
    await poll(now, first, 0, 4);
    await first.stop();
    const { epoch, nextNumber } = first.status().journal;
    damage(now);
    const second = await started(now);
    await poll(now, second, 5, 8);
    const { journal } = second.status();
    expect(journal.epoch).not.toBe(epoch);
    expect(now.zone.store.batchRanges(GATEWAY, journal.epoch)).toEqual([[1, journal.nextNumber - 1]]);
    expect(now.zone.collector.counts.duplicates).toBeGreaterThanOrEqual(nextNumber - 1);
    expectWhole(now, [0, 4], [5, 8]);
    expect(now.zone.store.alarms(10)).toEqual([]);
    await until("all is compared", () => verdicts(now).every((verdict) => verdict !== "pending"));
    expect(verdicts(now)).not.toContain("disagreed");
  });

  test.skipIf(isSkipped)("a backup of it was restored", { timeout: 60_000 }, async () => {
    const now = await stage(kind);
    const first = await started(now);
    await poll(now, first, 0, 4);
    // As it lies on disk: what was confirmed just now is kept with the next commit.
    const [folder, backup] = [join(now.dir, "gw-01"), join(now.dir, "backup")];
    cpSync(folder, backup, { recursive: true });
    await poll(now, first, 5, 6);
    const { epoch } = first.status().journal;
    await first.stop();
    rmSync(folder, { recursive: true });
    cpSync(backup, folder, { recursive: true });
    const second = await started(now);
    await poll(now, second, 7, 10);
    expect(second.status().journal.epoch).not.toBe(epoch);
    expectWhole(now, [0, 4], [5, 6], [7, 10]);
    const codes = new Set(now.zone.store.alarms(10).map(({ code }) => code));
    codes.delete("BATCH_CONTENT_DIFFERS");
    expect([...codes]).toEqual([]);
    // What comes live says that nothing comes any more from before.
    now.clock.set(START_MS + 10.5 * QUARTER_MS);
    second.gateway.start();
    await until("all is compared", () => verdicts(now).every((verdict) => verdict !== "pending"));
    expect(verdicts(now)).not.toContain("disagreed");
  });
});
