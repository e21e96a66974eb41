import { afterEach, expect, test } from "vitest";
import type { Bus, BusRead, BusReply } from "../../../core/ports.ts";
import { openBus } from "../../../drivers/modbus/client.ts";
import { type ScanOptions, scan } from "../../../drivers/scan/scan.ts";
import { serialCombinations } from "../../../drivers/scan/serial.ts";
import { parseUnits, unitRanges } from "../../../drivers/scan/units.ts";
import { MODELS } from "../../hw-sim/fixture.ts";
import { foreignServer, type Image, type TestServer } from "../modbus/servers.ts";
import { simulated, specFor, type WatchedBus } from "./simulated.ts";

const models = [...MODELS.values()];
const SDM630 = MODELS.get("eastron-sdm630")!;
const PM5000 = MODELS.get("schneider-pm5000")!;

const open: (Bus | TestServer)[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

function options(units: readonly number[], more: Partial<ScanOptions> = {}): ScanOptions {
  return { units, timeout_ms: 300, patience_ms: 2000, gap_ms: 50, wait: async () => {}, ...more };
}

/** A line where some units answer as the test says and the others as simulated meters. */
function line(meters: WatchedBus, others: Readonly<Record<number, (request: BusRead) => BusReply>> = {}): WatchedBus {
  const reads: BusRead[] = [];
  return {
    reads,
    async read(request) {
      reads.push(request);
      return others[request.unit]?.(request) ?? meters.read(request);
    },
    close: () => meters.close(),
  };
}

test("silent, found and broken units are told apart", async () => {
  const meters = simulated([
    { unit: 2, ...specFor(SDM630) },
    { unit: 5, ...specFor(PM5000) },
  ]);
  const bus = line(meters, {
    1: () => ({ kind: "timeout" }),
    3: () => ({ kind: "garbled", detail: "CRC error" }),
    // 4 is not there: the simulated gateway answers 0x0B for it.
    6: () => ({ kind: "exception", code: 0x0a }),
    7: () => ({ kind: "exception", code: 2 }),
  });
  const { found, silent, errors } = await scan(bus, models, options([1, 2, 3, 4, 5, 6, 7]));
  expect(found.map(({ unit, model }) => [unit, model])).toEqual([
    [2, "eastron-sdm630"],
    [5, "schneider-pm5000"],
    [7, null],
  ]);
  expect(silent).toEqual([1, 4, 6]);
  expect(errors).toEqual([{ unit: 3, why: "garbled: CRC error" }]);
});

test("a silent unit costs one read of the short timeout, one that answers gets patience", async () => {
  const bus = line(simulated([{ unit: 2, ...specFor(PM5000) }]), { 1: () => ({ kind: "timeout" }) });
  await scan(bus, models, options([1, 2]));
  expect(bus.reads.filter(({ unit }) => unit === 1).map(({ timeout_ms }) => timeout_ms)).toEqual([300]);
  const [first, ...later] = bus.reads.filter(({ unit }) => unit === 2);
  expect(first!.timeout_ms).toBe(300);
  expect(new Set(later.map(({ timeout_ms }) => timeout_ms))).toEqual(new Set([2000]));
});

test("there is a pause before every read but the first", async () => {
  const waits: number[] = [];
  const bus = simulated([{ unit: 1, ...specFor(PM5000) }]);
  await scan(bus, models, options([1, 2], { wait: async (ms) => void waits.push(ms) }));
  expect(waits).toEqual(Array(bus.reads.length - 1).fill(50));
});

test("no read is asked for twice in one pass over a meter", async () => {
  const bus = simulated([{ unit: 1, ...specFor(SDM630) }]);
  await scan(bus, models, options([1]));
  const counts = Map.groupBy(bus.reads, ({ fc, address, count }) => `${fc}/${address}/${count}`);
  // Presence and the first pass, then the second pass.
  expect(Math.max(...[...counts.values()].map((same) => same.length))).toBeLessThanOrEqual(2);
});

test("a unit that answers once and never again is an error and costs three replies more", async () => {
  let reads = 0;
  const bus = line(simulated([]), {
    1: () => (reads++ === 0 ? { kind: "words", words: Uint16Array.of(1) } : { kind: "timeout" }),
  });
  const { found, errors } = await scan(bus, models, options([1]));
  expect([found, errors]).toEqual([[], [{ unit: 1, why: "answered once, then lost 3 replies in a row" }]]);
  expect(reads).toBe(4);
});

test("a bus that is gone ends the scan after two tries, and says what was not asked", async () => {
  const gone: Bus = { read: async () => ({ kind: "unreachable", detail: "ECONNREFUSED" }), close: async () => {} };
  const { found, silent, errors } = await scan(gone, models, options(parseUnits("1-247")!));
  expect([found, silent]).toEqual([[], []]);
  expect(errors).toEqual([
    { unit: 1, why: "unreachable: ECONNREFUSED" },
    { unit: 2, why: "unreachable: ECONNREFUSED" },
    { unit: 3, why: "not asked, nor the 244 units after it: the bus is gone" },
  ]);
});

test.each([
  ["1-3", "not asked: the bus is gone"],
  ["1-4", "not asked, nor the unit after it: the bus is gone"],
])("of units %s on a bus that is gone the third is %s", async (units, why) => {
  const gone: Bus = { read: async () => ({ kind: "unreachable", detail: "ECONNREFUSED" }), close: async () => {} };
  const { errors } = await scan(gone, models, options(parseUnits(units)!));
  expect(errors.at(-1)).toEqual({ unit: 3, why });
});

test("a device that answers whatever unit is asked for is one meter", async () => {
  const meters = simulated([{ unit: 1, ...specFor(PM5000) }]);
  // Its counters stand still: the same moment for every unit.
  const memory = new Map<string, BusReply>();
  const bus: Bus = {
    async read(request) {
      const key = `${request.fc}/${request.address}/${request.count}`;
      const reply = memory.get(key) ?? (await meters.read({ ...request, unit: 1 }));
      memory.set(key, reply);
      return reply;
    },
    close: async () => {},
  };
  const { found } = await scan(bus, models, options(parseUnits("1-247")!));
  expect(found.map(({ unit, model }) => [unit, model])).toEqual([[1, "schneider-pm5000"]]);
  expect(found[0]!.matched_by.at(-1)).toMatch(/units 1…10 all gave the same counters/);
});

test("a gateway that fills with zeros is an unknown device, not a meter of ours", async () => {
  const zeros: Bus = {
    read: async ({ count }) => ({ kind: "words", words: new Uint16Array(count) }),
    close: async () => {},
  };
  const { found } = await scan(zeros, models, options([1]));
  expect(found).toEqual([{ unit: 1, model: null, matched_by: [], confidence: 0, candidates: [] }]);
});

test("progress tells how far it is, and ends full", async () => {
  const told: string[] = [];
  const bus = simulated([{ unit: 2, ...specFor(PM5000) }]);
  await scan(
    bus,
    models,
    options([1, 2, 3], { onProgress: ({ done, of, found }) => void told.push(`${done}/${of} ${found}`) }),
  );
  expect(told).toEqual(["0/3 0", "1/3 0", "2/3 1", "3/3 1"]);
});

/** Raw words of a real SDM630 (RTU frames of Tasmota issue 18446), by input register. */
const SDM630_WORDS: Readonly<Record<number, string>> = {
  0: "436B 708B 436D ECB8 436B D840 4004 AA8B 401A 8AB3 3FD5 546F 42EC 9CCE C3FC FE91 C377 B2F4",
  24: "C3D9 D2F4 C35F AB7A C37D 170B 3E83 FB21 BF69 A54A BF32 B49A",
  70: "4247 8EC1",
  342: "46BF C788",
  346: "45E6 88A9 4536 E574 45F8 E281 451A 4DDB 4505 F506 44D0 7B2B",
};

test("a real SDM630 behind somebody else's Modbus server is known by its values", async () => {
  const input: Image = new Map(
    Object.entries(SDM630_WORDS).flatMap(([start, words]) =>
      words.split(" ").map((word, i): [number, number] => [Number(start) + i, Number.parseInt(word, 16)]),
    ),
  );
  const server = await foreignServer(new Map(), input);
  const bus = openBus({ kind: "tcp", host: "127.0.0.1", port: server.port });
  open.push(bus, server);
  const { found } = await scan(bus, models, options([1], { gap_ms: 0 }));
  expect(found.map(({ unit, model }) => [unit, model])).toEqual([[1, "eastron-sdm630"]]);
  expect(found[0]!.matched_by).toContain("frequency 49.889 Hz");
});

test("serial settings are tried in the order of how many models leave the factory with them", () => {
  const combinations = serialCombinations(models);
  expect(combinations[0]).toEqual({ baud: 9600, parity: "none", stop_bits: 1 });
  expect(combinations).toContainEqual({ baud: 19_200, parity: "even", stop_bits: 1 });
  expect(new Set(combinations.map((one) => JSON.stringify(one))).size).toBe(combinations.length);
});

test("unit lists are read and written as people do", () => {
  expect(parseUnits("1,5,10-12")).toEqual([1, 5, 10, 11, 12]);
  expect(parseUnits("1-247")).toHaveLength(247);
  expect(parseUnits("3, 1-3")).toEqual([3, 1, 2]);
  for (const wrong of ["", "a", "5-1", "1-300", "1,,2", "1-"]) expect(parseUnits(wrong)).toBeNull();
  expect(unitRanges([1, 2, 3, 7, 9, 10])).toBe("1-3, 7, 9-10");
});
