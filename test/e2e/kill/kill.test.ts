import { expect, test } from "vitest";
import { withoutMosquitto } from "../mosquitto.ts";
import { runKills } from "./kills.ts";

/** Ten kills in CI; KHUXANH_LONG=1 does two hundred, as `npm run kills -- --n 200` does. */
const LONG = process.env.KHUXANH_LONG === "1";
const KILLS = LONG ? 200 : 10;
const SKIPPED = withoutMosquitto ? ", skipped: needs mosquitto" : "";

test.skipIf(withoutMosquitto)(
  `after ${KILLS} kills among broken links, brokers and disks the books are the meters' own${SKIPPED}`,
  { timeout: LONG ? 3_600_000 : 240_000 },
  async () => {
    const report = await runKills({
      kills: KILLS,
      seed: 7,
      calm_ms: LONG ? 5000 : 2500,
      say: (line) => console.info(line),
    });
    expect(report.wrong).toEqual([]);
    expect(report.stored).toBeGreaterThan(100);
    expect(report.intervals).toBeGreaterThan(12);
  },
);
