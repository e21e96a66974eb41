import { expect, test } from "vitest";
import { quick, T, throwing, type Unit, VirtualLine } from "./virtualLine.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

test("what is read once an hour and was refused is asked again after a minute, two, four", async () => {
  const until_ms = T + 6 * MINUTE_MS;
  const behaves: Unit = (request, at_ms) =>
    request.address === 100 && at_ms < until_ms ? throwing(2)(request, at_ms) : quick(request, at_ms);
  const line = new VirtualLine([{ unit: 1, behaves, energy_ms: HOUR_MS }]);
  await line.run(HOUR_MS - MINUTE_MS);
  const asked = line.asked.filter(({ address }) => address === 100).map(({ at_ms }) => at_ms - T);
  const minutes = asked.map((after_ms) => Math.round(after_ms / MINUTE_MS));
  expect(minutes.slice(0, 4)).toEqual([0, 1, 3, 7]);
  // Answered at last, it is read at the ends of intervals again.
  expect(minutes).toEqual(expect.arrayContaining([15, 30, 45]));
  expect(minutes.length).toBeLessThanOrEqual(8);
});
