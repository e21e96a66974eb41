import { expect, test } from "vitest";
import { historySpans, historyToDo } from "../../cli/demo/history.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { DEMO_FACTORIES, demoSim } from "../../hw-sim/demo.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { buildSim } from "../../hw-sim/sim.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse("2026-11-22T10:15:00+07:00");

test("a factory simulated alone for its history has the very counters of the live zone", async () => {
  const models = loadModelLibrary();
  const profiles = new Map([["steel", await readProfile("steel")]]);
  const zone = demoSim(1);
  const live = buildSim(zone, models, profiles);
  for (const [i, line] of zone.lines.entries()) {
    const [alone] = buildSim({ ...zone, lines: [line] }, models, profiles);
    for (const at_ms of [NOW_MS, NOW_MS - 7 * DAY_MS + 1234, NOW_MS - 29.5 * DAY_MS]) {
      const counters = alone!.meters.map((meter) => meter.truth(at_ms));
      expect(counters).toEqual(live[i]!.meters.map((meter) => meter.truth(at_ms)));
      expect(counters).toHaveLength(DEMO_FACTORIES[i]!.meters.length);
    }
  }
});

test("history goes back from now, the last day first, then the week, then week by week, without gap or overlap", () => {
  const spans = historySpans(NOW_MS, 30);
  expect(spans.map(({ from_ms, to_ms }) => (to_ms - from_ms) / DAY_MS)).toEqual([1, 6, 7, 7, 7, 2]);
  expect(spans[0]?.to_ms).toBe(NOW_MS);
  for (const [i, span] of spans.slice(1).entries()) expect(span.to_ms).toBe(spans[i]!.from_ms);
  expect(spans.at(-1)?.from_ms).toBe(NOW_MS - 30 * DAY_MS);
  expect(historySpans(NOW_MS, 0)).toEqual([]);
  expect(historySpans(NOW_MS, 1)).toEqual([{ from_ms: NOW_MS - DAY_MS, to_ms: NOW_MS }]);
});

test("a second start does what is left; one cut off in its first day begins afresh with the present time", () => {
  const later_ms = NOW_MS + 3 * DAY_MS;
  const [first, second] = historySpans(NOW_MS, 30);
  const held = [first!, second!];
  const half = historyToDo({ until_ms: NOW_MS, done: held, held }, later_ms, 30);
  expect(half.record.until_ms).toBe(NOW_MS);
  expect(half.spans).toEqual(historySpans(NOW_MS, 30).slice(2));
  const cutOff = [{ from_ms: first!.from_ms, to_ms: first!.from_ms + 3_600_000 }];
  expect(historyToDo({ until_ms: NOW_MS, done: [], held: cutOff }, later_ms, 30)).toEqual({
    record: { until_ms: later_ms, done: [], held: cutOff },
    spans: historySpans(later_ms, 30),
  });
  expect(historyToDo(null, later_ms, 7).spans).toEqual(historySpans(later_ms, 7));
});
