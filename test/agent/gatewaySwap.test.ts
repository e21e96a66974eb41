import { describe, expect, onTestFinished, test } from "vitest";
import { contentMetrics } from "../../agent/account/contentRecord.ts";
import { Gateway } from "../../agent/gateway.ts";
import type { Journal } from "../../agent/journal/journal.ts";
import { decodeSampleRecord } from "../../agent/journal/sample.ts";
import { agentSpec } from "../../config/files/agent.ts";
import { parseConfig } from "../../config/parse.ts";
import type { BusRead, BusReply } from "../../core/ports.ts";
import { type MeterSwapRecord, parseNodeRecord } from "../../core/wire/nodeRecord.ts";
import { decodePayload } from "../../core/wire/payload.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";
import { faultBook } from "../../hw-sim/faults/faultBook.ts";
import { faultyMeter } from "../../hw-sim/faults/meterFaults.ts";
import { faultOf } from "../contract/bus.ts";
import { local, meterOf, rawOf } from "../hw-sim/fixture.ts";
import { recordingLog } from "../recordingLog.ts";
import { type Disk, disk } from "./journal/fixture.ts";
import { virtualTime } from "./virtualTime.ts";

const START_MS = local("2026-03-02T10:00");
const QUARTER_MS = 900_000;
const MINUTE_MS = 60_000;
const IMPORT = "active_energy_import_total";
const NEW_SERIAL = 4711;
const METER = meterOf({ model: "eastron-sdm630", load: { shape: "continuous", peak_W: 400_000 } });

interface Swap {
  readonly at_ms: number;
  readonly start: number;
  /** Nobody answers for so long before and after it. */
  readonly silent_ms: number;
  readonly every?: string;
  /** An exchange takes so long. */
  readonly took_ms?: number;
}

/** A real gateway with its journal, in virtual time, and a simulated meter that is exchanged for another. */
function stage({ at_ms, start, silent_ms, every = "1s", took_ms = 20 }: Swap, d: Disk = disk(), from_ms = START_MS) {
  const { scheduler, timers, wait, close } = virtualTime();
  const fault = faultOf({ kind: "meter-replaced", serial: NEW_SERIAL, start }, 1, { from: { kind: "at", at_ms } });
  const book = faultBook({ seed: 1, lines: [{ units: new Set([1]), hasConnections: true }] }, [fault]);
  const faulty = faultyMeter(METER, () => book.ofMeter(0, 1));
  const clock = { now_ms: () => from_ms + scheduler.now_ms, mono_ms: () => scheduler.now_ms };
  const config = parseConfig(
    `
zone: z
site: s
gateway: gw
data_dir: ${d.dir}
buses: [{id: b, url: "tcp://127.0.0.1:1", meters: [{id: m, unit: 1, model: ${METER.model.id}, carrier: electricity, role: import, every: ${every}, rated_power_W: 1000000}]}]
uplink: {url: "mqtt://127.0.0.1:1"}
`,
    agentSpec({ ids: [METER.model.id], find: () => METER.model }),
    "agent.yaml",
  );
  const read = async ({ fc, address, count, timeout_ms }: BusRead): Promise<BusReply> => {
    const isSilent = Math.abs(clock.now_ms() - at_ms) < silent_ms;
    await wait(isSilent ? timeout_ms : took_ms);
    if (isSilent) return { kind: "timeout" };
    const answer = faulty.read(fc, address, count, clock.now_ms());
    return answer instanceof Uint16Array
      ? { kind: "words", words: answer }
      : { kind: "exception", code: answer.exception };
  };
  const journal = d.open({ now_ms: clock.now_ms });
  const gateway = new Gateway({
    config,
    resolveModel: () => METER.model,
    factors: [],
    openBus: () => ({ read, close }),
    journal,
    clock,
    timers,
    log: recordingLog(),
    onCommitted: () => {},
    onDevice: () => {},
  });
  gateway.start();
  let isStopped = false;
  const stop = async () => {
    if (!isStopped) await gateway.stop();
    isStopped = true;
  };
  onTestFinished(stop);
  return {
    journal,
    stop,
    disk: d,
    run: (until_ms: number) => scheduler.run(until_ms - from_ms),
  };
}

interface Booked {
  readonly from_ms: number;
  readonly Wh: number | null;
  readonly flag: string | undefined;
  readonly cause: string | undefined;
}

function importIn(journal: Journal): Booked[] {
  const names: string[] = [];
  const aliasOf = (name: string) => names.push(name) - 1;
  return journal
    .history(1, 1e6)
    .filter(({ kind }) => kind === "content")
    .flatMap(({ body }) => contentMetrics(decodePayload(body).metrics, { isHistorical: false, aliasOf }))
    .filter(({ alias = -1 }) => names[alias] === "Interval/Energy/Active/Import/Total")
    .map(({ longValue, properties }) => ({
      from_ms: Number(properties?.get("start_ms")?.longValue),
      Wh: longValue === undefined ? null : Number(longValue),
      flag: properties?.get("flag")?.stringValue,
      cause: properties?.get("cause")?.stringValue,
    }));
}

function swapsIn(journal: Journal): MeterSwapRecord[] {
  return journal
    .history(1, 1e6)
    .filter(({ kind }) => kind === "node")
    .map(({ body }) => parseNodeRecord(new TextDecoder().decode(body)))
    .filter((record) => record.kind === "meter-swap");
}

/** Counts of the import register as journaled, in Wh. */
function countsIn(journal: Journal): { readonly at_ms: number; readonly count: bigint }[] {
  return journal
    .history(1, 1e6)
    .filter(({ kind }) => kind === "sample")
    .flatMap((record) => {
      const { sample, definition } = decodeSampleRecord(record);
      return decodeSample(journal.definition(definition)!, sample);
    })
    .flatMap(({ quantity, at_ms, value }) =>
      quantity === IMPORT && typeof value === "bigint" ? [{ at_ms, count: value }] : [],
    );
}

/** Every Wh that either meter counted while it was read is booked, and no other. */
function expectWhole(journal: Journal, swap: MeterSwapRecord): void {
  const counts = countsIn(journal);
  const old = counts.filter(({ at_ms }) => at_ms < swap.at_ms);
  const own = counts.filter(({ at_ms }) => at_ms >= swap.at_ms);
  const told = swap.counters.find(({ quantity }) => quantity === IMPORT);
  expect(told).toEqual({ quantity: IMPORT, last: old.at(-1)?.count, first: own[0]?.count });
  const booked = importIn(journal);
  const end_ms = booked.at(-1)!.from_ms + QUARTER_MS;
  const after = own.findIndex(({ at_ms }) => at_ms >= end_ms);
  const countedTo = (i: number) => Number(old.at(-1)!.count - old[0]!.count + own[i]!.count - own[0]!.count);
  const total_Wh = booked.reduce((sum, { Wh }) => sum + (Wh ?? 0), 0);
  expect(total_Wh).toBeGreaterThanOrEqual(countedTo(after - 1));
  expect(total_Wh).toBeLessThanOrEqual(countedTo(after));
}

const SWAP_MS = START_MS + QUARTER_MS + 300_000;
const old_kWh = Number(rawOf(METER, IMPORT, SWAP_MS));

describe("a meter that is replaced", () => {
  test.each([
    ["stands lower", { start: 12, silent_ms: MINUTE_MS }],
    ["stands a little higher", { start: old_kWh + 20, silent_ms: MINUTE_MS }],
    ["on a slow line", { start: old_kWh + 20, silent_ms: MINUTE_MS, took_ms: 900, every: "10s" }],
    ["and polled once a minute", { start: old_kWh + 20, silent_ms: 2 * MINUTE_MS, every: "60s" }],
    ["without a poll that fails", { start: 12, silent_ms: 0 }],
    ["without a poll that fails, on a slow line", { start: 12, silent_ms: 0, took_ms: 900, every: "10s" }],
  ] as const)("%s: what both counted is booked, the gap is flagged, a record tells it", async (_, how) => {
    const { journal, run } = stage({ at_ms: SWAP_MS, ...how });
    await run(START_MS + 4 * QUARTER_MS);
    const swaps = swapsIn(journal);
    expect(swaps).toMatchObject([{ device: "m", serialBefore: String(METER.serial), serialAfter: String(NEW_SERIAL) }]);
    expect(importIn(journal)).toMatchObject([
      { from_ms: START_MS, cause: "first-reading" },
      { from_ms: START_MS + QUARTER_MS, flag: "X", cause: "meter-replaced" },
      { from_ms: START_MS + 2 * QUARTER_MS },
    ]);
    expect(importIn(journal)[2]?.cause).not.toBe("meter-replaced");
    expectWhole(journal, swaps[0]!);
  });

  test("while the gateway was off is noticed by what it knew before", async () => {
    const swap = { at_ms: SWAP_MS, start: old_kWh + 20, silent_ms: 0 };
    const before = stage(swap);
    await before.run(SWAP_MS - MINUTE_MS);
    await before.stop();
    before.journal.close();
    const after = stage(swap, before.disk, SWAP_MS + 2 * QUARTER_MS);
    await after.run(START_MS + 5 * QUARTER_MS);
    const swaps = swapsIn(after.journal);
    expect(swaps).toMatchObject([{ serialBefore: String(METER.serial), serialAfter: String(NEW_SERIAL) }]);
    expect(importIn(after.journal)).toMatchObject([
      { cause: "first-reading" },
      { from_ms: START_MS + QUARTER_MS, flag: "X", cause: "meter-replaced" },
      { from_ms: START_MS + 2 * QUARTER_MS, Wh: null, cause: "meter-replaced" },
      { from_ms: START_MS + 3 * QUARTER_MS, flag: "X", cause: "meter-replaced" },
    ]);
    expectWhole(after.journal, swaps[0]!);
  });
});
