import { expect, test } from "vitest";
import { isHeldIn } from "../../cli/demo/history.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { until } from "./harness.ts";
import { agentYaml, books, GATEWAY, QUARTER_MS, START_MS, stage } from "./steppedStage.ts";

const at_ms = (quarter: number) => START_MS + quarter * QUARTER_MS;

test("history in steps, newest first: each boundary is stored once, also where steps meet and where one is done again", {
  timeout: 60_000,
}, async () => {
  const now = await stage("embedded");
  const agent = await now.zone.startAgent(agentYaml(now, ["a"]), now.clock);
  await until("it is born", () => agent.status().uplink.state === "born");
  const held: { from_ms: number; to_ms: number }[] = [];
  for (const [first, last] of [
    [4, 8],
    [0, 4],
    [4, 8],
  ] as const) {
    const before = [...held];
    await agent.gateway.runHistory({
      from_ms: at_ms(first),
      to_ms: at_ms(last),
      busOf: (bus) => openBus(bus.url),
      at: (time_ms) => now.clock.set(time_ms),
      goesOn: false,
      isHeld: (time_ms) => isHeldIn(before, time_ms),
      onProgress: () => {},
    });
    held.push({ from_ms: at_ms(first), to_ms: at_ms(last) });
  }
  await until("all is confirmed", () => agent.status().journal.unconfirmed === 0);
  await until("all is compared", () => books(now, "a").every(({ verification }) => verification !== "pending"));
  const stored = now.zone.store.countBatches(GATEWAY, "a", at_ms(0), at_ms(9), 1);
  expect([...stored].map(([time_ms, one]) => [(time_ms - START_MS) / QUARTER_MS, one.stored])).toEqual(
    Array.from({ length: 9 }, (_, quarter) => [quarter, 1]),
  );
  expect(books(now, "a").map(({ flag, verification }) => [flag, verification])).toEqual(Array(8).fill(["M", "agreed"]));
  expect(now.zone.store.alarms(10)).toEqual([]);
});
