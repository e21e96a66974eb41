import fc from "fast-check";
import { expect, test } from "vitest";
import { busLoad, exchangeTime, silence_ms } from "../../drivers/wireTime.ts";

test("silence is 3.5 characters of 11 bits, and 1.75 ms above 19200 baud", () => {
  expect(silence_ms(9600)).toBeCloseTo(4.0104, 3);
  expect(silence_ms(19_200)).toBeCloseTo(2.0052, 3);
  expect(silence_ms(38_400)).toBe(1.75);
});

test("ten registers at 9600 baud take 33 characters and two silences", () => {
  const { wire_ms, busy_ms } = exchangeTime(10, { kind: "serial", baud: 9600 }, 0, 25);
  expect(wire_ms).toBeCloseTo((33 * 11_000) / 9600 + 2 * 4.0104, 3);
  expect(busy_ms).toBeCloseTo((33 * 11_000) / 9600 + 25 + 4.0104, 3);
});

test("the meter's pause holds the silence of the line in it", () => {
  const at = (gap_ms: number) => exchangeTime(10, { kind: "serial", baud: 9600 }, gap_ms).busy_ms;
  expect(at(2)).toBe(at(0));
  expect(at(100) - at(0)).toBeCloseTo(100 - silence_ms(9600), 9);
});

test("a TCP read costs turnaround and pause and next to nothing on the wire", () => {
  expect(exchangeTime(125, { kind: "tcp" }, 0)).toEqual({ wire_ms: 1, busy_ms: 26 });
  expect(exchangeTime(1, { kind: "tcp" }, 50)).toEqual({ wire_ms: 1, busy_ms: 76 });
});

test("a bus adds up its meters by period", () => {
  const tcp = { wire: { kind: "tcp" }, min_gap_ms: 0 } as const;
  const load = busLoad([
    { ...tcp, every_ms: 10_000, counts: [4] },
    { ...tcp, every_ms: 1000, counts: [10, 20] },
    { ...tcp, every_ms: 1000, counts: [30] },
  ]);
  expect(load.cycles).toEqual([
    { every_ms: 1000, exchanges: 3, registers: 60, wire_ms: 3, busy_ms: 78, load_pct: 7.8 },
    { every_ms: 10_000, exchanges: 1, registers: 4, wire_ms: 1, busy_ms: 26, load_pct: 0.26 },
  ]);
  expect(load.load_pct).toBeCloseTo(8.06, 9);
  expect(busLoad([])).toEqual({ cycles: [], load_pct: 0 });
});

const wire = fc.oneof(
  fc.constant({ kind: "tcp" } as const),
  fc.constantFrom(300, 2400, 9600, 19_200, 115_200).map((baud) => ({ kind: "serial", baud }) as const),
);

test("law: one read of two blocks never takes longer than two reads", () => {
  fc.assert(
    fc.property(
      wire,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat(200),
      (line, a, b, gap_ms) => {
        const { busy_ms } = exchangeTime(a + b, line, gap_ms);
        expect(busy_ms).toBeLessThan(exchangeTime(a, line, gap_ms).busy_ms + exchangeTime(b, line, gap_ms).busy_ms);
      },
    ),
  );
});

test("law: a bus is at least as long busy as its frames are on the wire", () => {
  fc.assert(
    fc.property(
      wire,
      fc.integer({ min: 1, max: 125 }),
      fc.nat(200),
      fc.nat(100),
      (line, count, gap_ms, turnaround_ms) => {
        const { wire_ms, busy_ms } = exchangeTime(count, line, gap_ms, turnaround_ms);
        expect(busy_ms).toBeGreaterThanOrEqual(wire_ms - 1e-9);
      },
    ),
  );
});
