/** A virtual day, run by `../world.ts` as `npm run sim` runs worlds: prints what it took as JSON. */
import { equalMeters } from "../../sim/meters.ts";
import { SimZone } from "../../sim/zone.ts";

export interface Day {
  /** CPU of each part of the day, in turn. */
  readonly parts_s: readonly number[];
  readonly polls: number;
  readonly readings: number;
  readonly blockReads: number;
  readonly events: number;
  readonly unconfirmed: number;
}

const METERS_PER_LINE = 5;
const LINES = 4;
const EVERY_MS = 10_000;
const DAY_MS = 86_400_000;
const PARTS = 6;

const zone = new SimZone(
  {
    seed: 1,
    origin_ms: Date.parse("2026-11-02T00:00:00+07:00"),
    interval_ms: 900_000,
    gateways: [{ name: "gw-01", lines: Array.from({ length: LINES }, () => equalMeters(METERS_PER_LINE, EVERY_MS)) }],
  },
  { isChecked: false },
);
zone.start();
const parts_s: number[] = [];
for (let part = 1; part <= PARTS; part++) {
  const began = process.cpuUsage();
  await zone.run((part * DAY_MS) / PARTS);
  const { user, system } = process.cpuUsage(began);
  parts_s.push((user + system) / 1e6);
}
const agent = zone.agents[0]!;
const { counts, journal } = agent.running!.status();
const day: Day = {
  parts_s,
  polls: counts.polls,
  readings: counts.readings,
  blockReads: agent.lines.reduce((sum, line) => sum + line.counts.reads, 0),
  events: zone.world.scheduler.taken,
  unconfirmed: journal.unconfirmed,
};
zone.close();
process.stdout.write(`${JSON.stringify(day)}\n`);
