import fc from "fast-check";
import { expect, test } from "vitest";
import { rtuFrame } from "../../../hw-sim/bus/rtu.ts";
import type { FaultSpec } from "../../../hw-sim/faults/catalogue.ts";
import { faultBook } from "../../../hw-sim/faults/faultBook.ts";
import { bytesOut, character_ms, frameSilence_ms, type SerialSettings } from "../../../hw-sim/lines/rtuTiming.ts";
import { serveSerial } from "../../../hw-sim/lines/serialLine.ts";
import type { Answer } from "../../../hw-sim/meters/addressSpace.ts";
import { faultOf } from "../../contract/bus.ts";
import { virtualTime } from "../virtualTime.ts";

const SETTINGS: SerialSettings = { baud: 9600, parity: "none", stop_bits: 1 };
const TURNAROUND_MS = 25;

const counting = {
  read: (_fc: 3 | 4, address: number, count: number): Answer =>
    Uint16Array.from({ length: count }, (_, i) => address + i),
};

/** A line in virtual time; `out` has every byte with the instant it came. */
function lineOf({ takesWireTime = false, faults = [] as readonly FaultSpec[], settings = SETTINGS } = {}) {
  const time = virtualTime(1_000_000);
  const out: { at_ms: number; byte: number }[] = [];
  let heard = (_bytes: Uint8Array): void => {};
  const book = faultBook({ seed: 1, lines: [{ units: new Set([1, 2]), hasConnections: false }] }, faults);
  serveSerial({
    port: {
      path: "line",
      takesWireTime,
      onData: (hear) => {
        heard = hear;
      },
      write: (bytes) => {
        for (const byte of bytes) out.push({ at_ms: time.clock.mono_ms(), byte });
      },
      close: async () => {},
    },
    settings,
    meters: new Map([
      [1, counting],
      [2, counting],
    ]),
    clock: time.clock,
    timers: time.timers,
    faults: { book, line: 0 },
  });
  return {
    time,
    out,
    hear: (...bytes: number[]) => heard(Uint8Array.from(bytes)),
    bytes: () => out.map(({ byte }) => byte),
  };
}

const read = (unit: number, address: number, count: number) => [
  ...rtuFrame(unit, Uint8Array.of(3, address >> 8, address & 0xff, 0, count)),
];
const answer = (unit: number, ...words: number[]) => [
  ...rtuFrame(unit, Uint8Array.of(3, 2 * words.length, ...words.flatMap((word) => [word >> 8, word & 0xff]))),
];

test("characters take their time: 10 bits without parity, 11 with it or with two stop bits, 12 with both", () => {
  expect(character_ms(SETTINGS)).toBeCloseTo(1.0417, 4);
  expect(character_ms({ ...SETTINGS, parity: "even" })).toBeCloseTo(1.1458, 4);
  expect(character_ms({ ...SETTINGS, parity: "odd", stop_bits: 2 })).toBeCloseTo(1.25, 4);
  expect(frameSilence_ms(SETTINGS)).toBeCloseTo(3.646, 3);
  expect(frameSilence_ms({ ...SETTINGS, baud: 115_200 })).toBe(1.75);
});

test("an answer begins when the request has passed the wire and the turnaround after it, and every byte has its time", async () => {
  const { time, out, hear, bytes } = lineOf();
  hear(...read(1, 7, 2));
  await time.pass(1000);
  expect(bytes()).toEqual(answer(1, 7, 8));
  const begin_ms = 8 * character_ms(SETTINGS) + TURNAROUND_MS;
  out.forEach(({ at_ms }, i) => {
    expect(at_ms).toBeGreaterThanOrEqual(begin_ms + (i + 1) * character_ms(SETTINGS) - 1e-6);
  });
  expect(out.at(-1)!.at_ms).toBeCloseTo(begin_ms + 9 * character_ms(SETTINGS), 6);
});

test("on a slow line the silence is longer than the turnaround", async () => {
  const settings = { ...SETTINGS, baud: 600 };
  const { time, out, hear } = lineOf({ settings });
  hear(...read(1, 7, 1));
  await time.pass(2000);
  expect(out.at(-1)!.at_ms).toBeCloseTo((8 + 3.5 + 7) * character_ms(settings), 6);
});

test("a real port takes the wire time itself: only the turnaround is waited for", async () => {
  const { time, out, hear } = lineOf({ takesWireTime: true });
  hear(...read(1, 7, 1));
  await time.pass(1000);
  expect(new Set(out.map(({ at_ms }) => at_ms))).toEqual(new Set([TURNAROUND_MS]));
});

test("never is a byte early, whatever the instant", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 0, max: 500, noNaN: true }),
      (from, later) => {
        const out = bytesOut(from, from + later, SETTINGS);
        expect(out * character_ms(SETTINGS)).toBeLessThanOrEqual(later + 1e-6);
      },
    ),
  );
});

test.each([
  ["another unit", read(9, 0, 1)],
  ["a broadcast", read(0, 0, 1)],
  ["a wrong CRC", [1, 3, 0, 0, 0, 1, 0, 0]],
  ["noise", [0xff, 0, 0x55, 1, 2]],
  ["another device's answer", answer(9, 1, 2, 3)],
])("%s gets no answer, and the next request does", async (_name, bytes) => {
  const line = lineOf();
  line.hear(...bytes);
  await line.time.pass(100);
  expect(line.bytes()).toEqual([]);
  line.hear(...read(2, 5, 1));
  await line.time.pass(100);
  expect(line.bytes()).toEqual(answer(2, 5));
});

test("a write is refused with exception 1", async () => {
  const { time, hear, bytes } = lineOf();
  hear(...rtuFrame(1, Uint8Array.of(6, 0, 0, 0, 1)));
  await time.pass(100);
  expect(bytes()).toEqual([...rtuFrame(1, Uint8Array.of(0x86, 1))]);
});

test("a request that comes in pieces is one; a torn one is forgotten in the silence behind it", async () => {
  const line = lineOf();
  for (const byte of read(1, 7, 1)) {
    line.hear(byte);
    await line.time.pass(2);
  }
  await line.time.pass(100);
  expect(line.bytes()).toEqual(answer(1, 7));
  line.out.length = 0;
  line.hear(...read(1, 7, 1).slice(0, 5));
  await line.time.pass(200);
  line.hear(...read(1, 9, 1));
  await line.time.pass(100);
  expect(line.bytes()).toEqual(answer(1, 9));
});

test("who asks again before the answer began is answered once, to the last question", async () => {
  const { time, hear, bytes } = lineOf();
  hear(...read(1, 7, 1));
  await time.pass(10);
  hear(...read(1, 8, 1));
  await time.pass(200);
  expect(bytes()).toEqual(answer(1, 8));
});

test("a late answer comes late, and in pieces it keeps its pauses", async () => {
  const late = lineOf({ faults: [faultOf({ kind: "late", delay_ms: 3000 })] });
  late.hear(...read(1, 7, 1));
  await late.time.pass(3000);
  expect(late.bytes()).toEqual([]);
  await late.time.pass(100);
  expect(late.bytes()).toEqual(answer(1, 7));

  const split = lineOf({ faults: [faultOf({ kind: "split", pieces: 2, pause_ms: 40 })] });
  split.hear(...read(1, 7, 1));
  await split.time.pass(500);
  expect(split.bytes()).toEqual(answer(1, 7));
  const gaps = split.out.slice(1).map(({ at_ms }, i) => at_ms - split.out[i]!.at_ms);
  expect(Math.max(...gaps)).toBeGreaterThanOrEqual(40);
});
