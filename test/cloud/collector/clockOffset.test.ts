import fc from "fast-check";
import { expect, test } from "vitest";
import { ClockOffset } from "../../../cloud/collector/clockOffset.ts";

test("messages that were long under way do not change what is known of the clock", () => {
  const clock = new ClockOffset();
  expect(clock.heard(5000 - 20, 0)).toBe(4980);
  expect(clock.heard(5000 - 9000, 1000)).toBe(4980);
  expect(clock.heard(5000 - 3, 2000)).toBe(4997);
});

test("a clock that was set back is believed within a minute, one that was set forward at once", () => {
  const clock = new ClockOffset();
  for (let at_ms = 0; at_ms < 100_000; at_ms += 1000) clock.heard(60_000, at_ms);
  for (let at_ms = 100_000; at_ms < 160_000; at_ms += 1000) clock.heard(-10, at_ms);
  expect(clock.heard(-10, 160_000)).toBe(-10);
  expect(clock.heard(7000, 161_000)).toBe(7000);
});

test("law: of the offset no more is missing than the shortest way of the last half minute, and it is never too great", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1e9, max: 1e9 }),
      fc.array(fc.nat(30_000), { minLength: 1 }),
      (offset_ms, ways_ms) => {
        const clock = new ClockOffset();
        const said = ways_ms.map((way_ms, i) => clock.heard(offset_ms - way_ms, i * 10));
        expect(said.at(-1)).toBeLessThanOrEqual(offset_ms);
        if (ways_ms.length < 3000) expect(said.at(-1)).toBe(offset_ms - Math.min(...ways_ms));
      },
    ),
  );
});
