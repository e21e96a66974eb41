import { expect, onTestFinished, test } from "vitest";
import { contentMetrics } from "../../agent/account/contentRecord.ts";
import type { ClockState } from "../../agent/clockTrust.ts";
import { Gateway } from "../../agent/gateway.ts";
import type { Journal } from "../../agent/journal/journal.ts";
import { decodeSampleRecord } from "../../agent/journal/sample.ts";
import { agentSpec } from "../../config/files/agent.ts";
import { parseConfig } from "../../config/parse.ts";
import type { BusRead, BusReply } from "../../core/ports.ts";
import { type ClockRecord, parseNodeRecord } from "../../core/wire/nodeRecord.ts";
import { decodePayload } from "../../core/wire/payload.ts";
import { model, register } from "../drivers/devices.ts";
import { recordingLog } from "../recordingLog.ts";
import { disk } from "./journal/fixture.ts";
import { virtualTime } from "./virtualTime.ts";

const START_MS = Date.parse("2026-03-02T10:00:00+07:00");
const QUARTER_MS = 900_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** The meter counts a tick every 100 ms of true time. */
const TICK_MS = 100;

const MODEL = model([
  register({
    name: "active_energy_import_total",
    quantity: "active_energy_import_total",
    type: "u32",
    unit: "kWh",
    scale: 0.001,
    kind: "counter",
  }),
]);

/** A real gateway with its journal, in virtual time, with a wall clock that can be set. */
function stage(clockState: () => ClockState = () => "set") {
  const { scheduler, timers, close } = virtualTime();
  const d = disk();
  let offset_ms = 0;
  const clock = { now_ms: () => START_MS + scheduler.now_ms + offset_ms, mono_ms: () => scheduler.now_ms };
  const config = parseConfig(
    `
zone: z
site: s
gateway: gw
data_dir: ${d.dir}
buses: [{id: b, url: "tcp://127.0.0.1:1", meters: [{id: m, unit: 1, model: ${MODEL.id}, carrier: electricity, role: import, every: 10s, rated_power_W: 1000000}]}]
uplink: {url: "mqtt://127.0.0.1:1"}
`,
    agentSpec({ ids: [MODEL.id], find: () => MODEL }),
    "agent.yaml",
  );
  const read = async ({ count }: BusRead): Promise<BusReply> => {
    const ticks = Math.floor(scheduler.now_ms / TICK_MS);
    const words = new Uint16Array(count);
    words[0] = ticks >>> 16;
    words[1] = ticks;
    return { kind: "words", words };
  };
  const journal = d.open({ now_ms: clock.now_ms });
  const gateway = new Gateway({
    config,
    resolveModel: () => MODEL,
    factors: [],
    openBus: () => ({ read, close }),
    journal,
    clock,
    timers,
    log: recordingLog(),
    onCommitted: () => {},
    onDevice: () => {},
    clockState,
  });
  gateway.start();
  onTestFinished(() => gateway.stop());
  return {
    journal,
    run: (length_ms: number) => scheduler.run(scheduler.now_ms + length_ms),
    set: (by_ms: number) => {
      offset_ms += by_ms;
    },
  };
}

interface Booked {
  readonly from_ms: number;
  readonly to_ms: number;
  readonly ticks: number;
  readonly cause: string | undefined;
}

function intervalsIn(journal: Journal): Booked[] {
  return journal
    .history(1, 1e6)
    .filter(({ kind }) => kind === "content")
    .flatMap(({ body }) => contentMetrics(decodePayload(body).metrics, { isHistorical: false, aliasOf: () => 0 }))
    .map(({ timestamp_ms = 0, longValue, properties }) => ({
      from_ms: Number(properties?.get("start_ms")?.longValue),
      to_ms: timestamp_ms,
      ticks: Number(longValue ?? 0),
      cause: properties?.get("cause")?.stringValue,
    }));
}

const samplesIn = (journal: Journal) =>
  journal
    .history(1, 1e6)
    .filter(({ kind }) => kind === "sample")
    .map((record) => ({ number: record.number, ...decodeSampleRecord(record) }));

const clocksIn = (journal: Journal): ClockRecord[] =>
  journal
    .history(1, 1e6)
    .filter(({ kind }) => kind === "node")
    .map(({ body }) => parseNodeRecord(new TextDecoder().decode(body)))
    .filter((record) => record.kind === "clock");

test.each([
  ["an hour ahead", HOUR_MS],
  ["an hour back", -HOUR_MS],
  ["a day ahead", DAY_MS],
  ["a day back", -DAY_MS],
])("a gateway whose clock is set %s books each quarter once and every tick", async (_, by_ms) => {
  for (const at_ms of [2 * QUARTER_MS + 1, 2 * QUARTER_MS + 437_000, 3 * QUARTER_MS - 500]) {
    const { journal, run, set } = stage();
    await run(at_ms);
    set(by_ms);
    await run(6 * QUARTER_MS);
    const booked = intervalsIn(journal).sort((a, b) => a.from_ms - b.from_ms);
    expect(booked.length).toBeGreaterThanOrEqual(3);
    expect(booked.some(({ cause }) => cause === "clock")).toBe(true);
    for (const [i, { from_ms, to_ms }] of booked.entries()) {
      expect(to_ms - from_ms).toBe(QUARTER_MS);
      if (i > 0) expect(from_ms).toBeGreaterThanOrEqual(booked[i - 1]!.to_ms);
    }
    const total = booked.reduce((sum, { ticks }) => sum + ticks, 0);
    const last = samplesIn(journal).at(-1)!.sample.blocks[0]!.words;
    const counted = last[0]! * 65_536 + last[1]!;
    expect(total).toBeLessThanOrEqual(counted);
    // What is not booked yet is in the open interval: at most what it waited for and a quarter.
    const open_ms = (by_ms < 0 ? Math.min(-by_ms, 3 * QUARTER_MS) : 0) + QUARTER_MS;
    expect(counted - total).toBeLessThanOrEqual((open_ms + 20_000) / TICK_MS);
  }
});

test("a gateway whose clock is not set journals what it reads as undated, books nothing of it, and dates it when time is known", async () => {
  let state: ClockState = "waiting";
  const { journal, run, set } = stage(() => state);
  set(-START_MS + 60_000);
  await run(120_000);
  const undated = samplesIn(journal);
  expect(undated.length).toBeGreaterThan(10);
  expect(undated.every(({ clock }) => clock === "waiting")).toBe(true);
  set(START_MS - 60_000);
  state = "set";
  await run(3 * QUARTER_MS);
  expect(clocksIn(journal)).toMatchObject([
    { boot: 1, offset_ms: START_MS - 60_000, batches: [{ first: 1, last: undated.at(-1)!.number }] },
  ]);
  const booked = intervalsIn(journal);
  expect(booked.every(({ from_ms }) => from_ms >= START_MS)).toBe(true);
  expect(booked.length).toBeGreaterThanOrEqual(2);
  expect(samplesIn(journal).at(-1)!.clock).toBe("set");
});

test("what was read between the step of the clock and the word that it is set is off by nothing, what was read before it by the step", async () => {
  let state: ClockState = "waiting";
  const { journal, run, set } = stage(() => state);
  set(-START_MS + 60_000);
  await run(120_000);
  const before = samplesIn(journal).at(-1)!.number;
  set(START_MS - 60_000);
  await run(60_000);
  const between = samplesIn(journal).at(-1)!.number;
  expect(between).toBeGreaterThan(before);
  state = "set";
  await run(20_000);
  expect(clocksIn(journal)).toMatchObject([
    { boot: 1, offset_ms: START_MS - 60_000, batches: [{ first: 1, last: before }] },
    { boot: 1, offset_ms: 0, batches: [{ first: before + 1, last: between }] },
  ]);
});

test("a clock that goes to and fro before it is set makes one record for each time it showed, and no more than sixteen", async () => {
  let state: ClockState = "waiting";
  const { journal, run, set } = stage(() => state);
  for (const by_ms of [-HOUR_MS, HOUR_MS, -HOUR_MS]) {
    set(by_ms);
    await run(30_000);
  }
  set(HOUR_MS);
  state = "set";
  await run(20_000);
  const records = clocksIn(journal);
  expect(records).toMatchObject([{ offset_ms: HOUR_MS }, { offset_ms: 0 }]);
  expect(records[0]!.batches).toHaveLength(2);

  state = "waiting";
  const steps = 20;
  for (let i = 0; i < steps; i++) {
    set(-HOUR_MS);
    await run(30_000);
  }
  set(steps * HOUR_MS);
  state = "set";
  await run(20_000);
  const offsets = clocksIn(journal).map(({ offset_ms }) => offset_ms);
  expect(offsets.slice(2)).toEqual(Array.from({ length: 16 }, (_, i) => (steps - 15 + i) * HOUR_MS));
});

test("what was booked by a clock that was not set is named with the samples", async () => {
  let state: ClockState = "unset";
  const { journal, run, set } = stage(() => state);
  set(-HOUR_MS);
  await run(QUARTER_MS + 60_000);
  const last = samplesIn(journal).at(-1)!.number;
  const booked = journal.history(1, 1e6).findLast(({ kind }) => kind === "content")!.number;
  set(HOUR_MS);
  state = "set";
  await run(20_000);
  const [record] = clocksIn(journal);
  expect(record).toMatchObject({ offset_ms: HOUR_MS });
  expect(record!.batches.some(({ first, last }) => first <= booked && booked <= last)).toBe(true);
  expect(record!.batches.at(-1)!.last).toBe(last);
});
