import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { probeResult, readModel } from "../../../drivers/probe.ts";
import { simBus } from "../../../hw-sim/bus/simBus.ts";
import { type CaptureRow, captureText, parseCapture } from "../../../hw-sim/replay/capture.ts";
import { captureRows, type RecordedExchange, recordingBus } from "../../../hw-sim/replay/record.ts";
import { replayed, startReplay } from "../../../hw-sim/replay/replay.ts";
import { clockAt, local, MODELS, meterOf } from "../fixture.ts";
import { virtualTime } from "../virtualTime.ts";

const here = (name: string) => new URL(name, import.meta.url);
const dump = (name: string) => parseCapture(readFileSync(here(name), "utf8"), name);
const AT_ms = local("2026-03-02T10:00");
const float = (words: Uint16Array | { readonly exception: number }) => {
  if (!(words instanceof Uint16Array)) throw new Error(`exception ${words.exception}`);
  return Buffer.from(Uint16Array.from(words).buffer).swap16().readFloatBE(0);
};

test.each(readdirSync(here(".")).filter((name) => name.endsWith(".csv")))(
  "%s loads, and every word of it is served",
  (name) => {
    const rows = dump(name);
    for (const [, own] of Map.groupBy(rows, ({ device }) => device)) {
      const device = replayed(own, null, 0);
      for (const { fc: code, address, said, after_ms } of own) {
        if (said.kind !== "words") throw new Error("only words here");
        const same = own.filter((row) => row.fc === code && row.address === address);
        const at_ms = after_ms ?? same.findIndex((row) => row.said === said) * 1000;
        expect([...(device.read(code, address, said.words.length, at_ms) as Uint16Array)]).toEqual(said.words);
      }
    }
  },
);

test("a replayed SDM630 shows the values its owner saw, and its total one step later when it was read again", () => {
  const meter = replayed(dump("sdm630_rtu_poll.csv"), null, AT_ms);
  expect(float(meter.read(4, 0x000e, 2, AT_ms))).toBe(-505.9888000488281);
  expect(float(meter.read(4, 0x0156, 2, AT_ms))).toBe(24547.765625);
  expect(float(meter.read(4, 0x0156, 2, AT_ms + 6000))).toBe(24547.767578125);
  expect(meter.read(4, 0x2000, 2, AT_ms)).toEqual({ exception: 2 });
  expect(meter.read(3, 0x0000, 2, AT_ms)).toEqual({ exception: 2 });
});

test("values without a time follow each other second by second, and the last one stays", () => {
  const rows = dump("other_meters_words.csv").filter(({ device }) => device === "Schneider PM5350");
  const meter = replayed(rows, null, AT_ms);
  const seen = [0, 999, 1000, 2000, 3000, 60_000].map((after_ms) => float(meter.read(3, 3109, 2, AT_ms + after_ms)));
  expect(seen.map((hz) => hz.toFixed(3))).toEqual(["60.030", "60.030", "60.014", "59.996", "59.990", "59.990"]);
});

test("recorded, written, read and replayed, a meter gives the same readings", async () => {
  for (const id of ["eastron-sdm630", "schneider-pm5000", "acrel-adl400"]) {
    const meter = meterOf({ model: id, load: { shape: "two-shift", peak_W: 400_000 } });
    const model = MODELS.get(id)!;
    const kept: RecordedExchange[] = [];
    const bus = recordingBus(simBus(new Map([[1, meter]]), clockAt(AT_ms)), () => AT_ms, kept);
    const own = await readModel(bus, 1, model);
    const rows = parseCapture(captureText(captureRows(kept, own.readings, id)), "capture.csv");
    const again = await readModel(simBus(new Map([[1, replayed(rows, model, AT_ms)]]), clockAt(AT_ms)), 1, model);
    expect(probeResult(again)).toEqual(probeResult(own));
    expect(own.readings.length).toBeGreaterThan(20);
  }
});

test("so does an inverter that is found by walking its chain, and one with refusals", async () => {
  const id = "sunspec-inverter-101-103";
  const meter = meterOf({ model: id, load: { shape: "solar", peak_W: 50_000 } });
  const model = MODELS.get(id)!;
  const kept: RecordedExchange[] = [];
  const refusing = {
    read: (code: 3 | 4, address: number, count: number, at_ms: number) =>
      count === 1 && address % 7 === 0 ? { exception: 4 } : meter.read(code, address, count, at_ms),
  };
  const bus = recordingBus(simBus(new Map([[1, refusing]]), clockAt(AT_ms)), () => AT_ms, kept);
  const own = await readModel(bus, 1, model);
  const rows = parseCapture(captureText(captureRows(kept, own.readings, id)), "capture.csv");
  const again = await readModel(simBus(new Map([[1, replayed(rows, model, AT_ms)]]), clockAt(AT_ms)), 1, model);
  expect(probeResult(again)).toEqual(probeResult(own));
});

test("what is written is read again, whatever the texts", () => {
  const text = fc.string({ maxLength: 20 });
  const word = fc.integer({ min: 0, max: 0xffff });
  const said = fc.oneof(
    fc.array(word, { minLength: 1, maxLength: 20 }).map((words) => ({ kind: "words" as const, words })),
    fc.record({
      kind: fc.constant("exception" as const),
      count: fc.integer({ min: 1, max: 125 }),
      code: fc.constantFrom(1, 2, 11),
    }),
  );
  const row = fc.record({
    ...{ at_ms: fc.constant(AT_ms), device: text, unit: fc.integer({ min: 1, max: 247 }), fc: fc.constantFrom(3, 4) },
    ...{ address: word, quantity: text, unitText: text, said, value: text },
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (rows) => {
      const read = parseCapture(captureText(rows), "x.csv");
      expect(read.map(({ unit, address, said: back }) => ({ unit, address, said: back }))).toEqual(
        rows.map(({ unit, address, said: back }) => ({ unit, address, said: back })),
      );
    }),
  );
});

test.each<[string, string, RegExp]>([
  ["an empty file", "", /no column function; there is no column register/],
  ["no words", "function,register\n3,1\n", /no column words/],
  ["no rows", "function,register,words\n", /no rows/],
  ["another function", "function,register,words\n6,1,1\n", /line 2: function 6 \(allowed: 3, 4\)/],
  ["a register beyond", "function,register,words\n3,70000,1\n", /line 2: register "70000"/],
  ["a word too big", "function,register,words\n3,1,1\n3,2,65536\n", /line 3: words "65536"/],
  ["a frame with a wrong CRC", "function,register,response_rtu_hex\n4,1,01 04 02 00 01 00 00\n", /line 2: .*wrong CRC/],
])("%s is refused with its place", (_name, text, message) => {
  expect(() => parseCapture(text, "field.csv")).toThrow(message);
  expect(() => parseCapture(text, "field.csv")).toThrow(/field\.csv is no capture/);
});

test("no text makes the reader of captures fail in another way", () => {
  const line = fc.array(fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom("3", "4", "0x10", "1 2", '"')), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      const text = ["function,register,words,logged_at", ...lines.map((fields) => fields.join(","))].join("\n");
      let rows: readonly CaptureRow[] = [];
      try {
        rows = parseCapture(text, "x.csv");
      } catch (error) {
        expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      }
      for (const { address } of rows) expect(address).toBeLessThan(65_536);
    }),
  );
});

test("several devices of a file become units; recorded units keep their number", async () => {
  const { clock, timers } = virtualTime(AT_ms);
  const start = (name: string, firstUnit: number | null) =>
    startReplay(dump(name), {
      listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
      ...{ firstUnit, model: null, clock, timers },
    });
  const units = async (name: string, firstUnit: number | null) => {
    const running = await start(name, firstUnit);
    await running.close();
    return running.devices.map(({ unit, device }) => [unit, device]);
  };
  expect(await units("other_meters_words.csv", 5)).toEqual([
    [5, "Eastron SDM72"],
    [6, "Schneider PM5350"],
  ]);
  expect(await units("sdm630_rtu_poll.csv", null)).toEqual([[1, ""]]);
});
