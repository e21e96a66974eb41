import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelLimits, Register } from "../../../core/model/meterModel.ts";
import {
  type Avoided,
  costOn,
  halves,
  NOTHING_AVOIDED,
  planFor,
  planReads,
  SERIAL_COST,
} from "../../../drivers/modbus/planner.ts";
import { register } from "../devices.ts";
import { allModels } from "../models.ts";

const LIMITS: ModelLimits = { max_registers_per_read: 125, count_must_be_even: false, max_gap: 0 };
const polled = (registers: readonly Register[]) => registers.map((one) => ({ register: one, every_ms: 1000 }));
const at = (address: number, type: Register["type"] = "u16", more: Partial<Register> = {}) =>
  register({ name: `r${address}`, address, type, ...more });
const spans = (registers: readonly Register[], limits: Partial<ModelLimits> = {}) =>
  planReads(polled(registers), { ...LIMITS, ...limits }).map(({ fc: code, address, count }) => [code, address, count]);

test("neighbours share an exchange, function codes do not", () => {
  expect(spans([at(2), at(0), at(1), at(3, "u16", { fc: 4 })])).toEqual([
    [3, 0, 3],
    [4, 3, 1],
  ]);
});

test("an undefined address ends a block unless the model allows the gap", () => {
  expect(spans([at(0), at(2)])).toEqual([
    [3, 0, 1],
    [3, 2, 1],
  ]);
  expect(spans([at(0), at(2)], { max_gap: 1 })).toEqual([[3, 0, 3]]);
});

test("a gap that costs more than an exchange is not read although it is allowed", () => {
  expect(spans([at(0), at(40)], { max_gap: 100 })).toHaveLength(2);
  expect(spans([at(0), at(10)], { max_gap: 100 })).toHaveLength(1);
});

test("a gap is read on a fast line and left out on a slow one, where every register takes its time", () => {
  const gap: ModelLimits = { ...LIMITS, max_gap: 100 };
  const blocksAt = (baud: number) =>
    planReads(polled([at(0), at(30)]), gap, costOn({ kind: "serial", baud }, 0)).length;
  expect(blocksAt(2400)).toBe(2);
  expect(blocksAt(38_400)).toBe(1);
  expect(costOn({ kind: "serial", baud: 9600 }, 0).register).toBeCloseTo(2.29, 2);
});

test("a long run is cut between values, never inside one", () => {
  expect(spans([at(0, "u64"), at(4, "u64"), at(8, "u64")], { max_registers_per_read: 10 })).toEqual([
    [3, 0, 8],
    [3, 8, 4],
  ]);
});

test("a device that wants even counts is asked for one register more", () => {
  expect(spans([at(0)], { count_must_be_even: true })).toEqual([[3, 0, 2]]);
  // There is no register behind the last one.
  expect(spans([at(65_535)], { count_must_be_even: true })).toEqual([[3, 65_534, 2]]);
});

test("a value longer than the longest read is a mistake of the model", () => {
  expect(() => spans([at(0, "u64")], { max_registers_per_read: 3 })).toThrow(/\[MODEL_INVALID\]/);
});

test("no gap holds a register of another period, which would be read more often than asked for", () => {
  const often = [at(0), at(4)].map((one) => ({ register: one, every_ms: 1000 }));
  const seldom = { register: at(2), every_ms: 60_000 };
  const blocks = (registers: Parameters<typeof planFor>[0]["registers"]) =>
    planFor({ registers }, { ...LIMITS, max_gap: 3 }).map((group) => group.blocks.map((b) => [b.address, b.count]));
  expect(blocks(often)).toEqual([[[0, 5]]]);
  expect(blocks([...often, seldom])).toEqual([
    [
      [0, 1],
      [4, 1],
    ],
    [[2, 1]],
  ]);
});

test("each period is planned by itself, the shortest first", () => {
  const registers = [
    { register: at(0), every_ms: 10_000 },
    { register: at(1), every_ms: 1000 },
    { register: at(1), every_ms: 10_000 },
  ];
  expect(
    planFor({ registers }, LIMITS).map(({ every_ms, blocks }) => [every_ms, blocks.map((b) => [b.address, b.count])]),
  ).toEqual([
    [1000, [[1, 1]]],
    [10_000, [[0, 2]]],
  ]);
});

describe("what a meter refuses", () => {
  const avoiding = (registers: readonly Register[], avoided: Partial<Avoided>, limits: Partial<ModelLimits> = {}) =>
    planReads(polled(registers), { ...LIMITS, ...limits }, SERIAL_COST, { ...NOTHING_AVOIDED, ...avoided }).map(
      ({ address, count }) => [address, count],
    );
  const four = [at(0), at(1), at(2), at(3)];

  test("is not read, and not spanned as a gap either", () => {
    expect(avoiding(four, { registers: [at(1)] })).toEqual([
      [0, 1],
      [2, 2],
    ]);
    expect(avoiding(four, { registers: [at(1)] }, { max_gap: 5 })).toHaveLength(2);
    expect(avoiding(four, { registers: [at(1, "u16", { fc: 4 })] })).toEqual([[0, 4]]);
  });

  test("is cut where it was found to be two, and no longer than it was found to be", () => {
    expect(avoiding(four, { cuts: [{ fc: 3, address: 2 }] })).toEqual([
      [0, 2],
      [2, 2],
    ]);
    expect(avoiding(four, { max_registers_per_read: 3 }).every(([, count]) => count! <= 3)).toBe(true);
  });

  test("stops no value from being read alone", () => {
    expect(avoiding([at(0, "u64")], { max_registers_per_read: 2, cuts: [{ fc: 3, address: 2 }] })).toEqual([[0, 4]]);
  });
});

const anyRegisters = fc
  .array(
    fc.record({
      gap: fc.nat(4),
      type: fc.constantFrom("u16" as const, "f32" as const, "u64" as const),
      code: fc.constantFrom(3 as const, 4 as const),
    }),
    { maxLength: 40 },
  )
  .map((steps) => {
    let address = 0;
    return steps.map(({ gap, type, code }) => {
      const one = at(address + gap, type, { fc: code });
      address = one.address + one.words;
      return one;
    });
  });
const anyLimits = fc.record({
  max_registers_per_read: fc.integer({ min: 4, max: 30 }),
  count_must_be_even: fc.boolean(),
  max_gap: fc.nat(3),
});

test("any plan covers each register once and whole, keeps the limits and touches no gap it may not", () => {
  fc.assert(
    fc.property(anyRegisters, anyLimits, (registers, limits) => {
      const blocks = planReads(polled(registers), limits);
      expect(blocks.flatMap((block) => block.registers.map((one) => one.name)).sort()).toEqual(
        registers.map(({ name }) => name).sort(),
      );
      for (const block of blocks) {
        expect(block.count).toBeLessThanOrEqual(limits.max_registers_per_read);
        if (limits.count_must_be_even) expect(block.count % 2).toBe(0);
        const defined = new Set(
          block.registers.flatMap((one) => Array.from({ length: one.words }, (_, i) => one.address + i)),
        );
        for (const one of block.registers) {
          expect(one.fc).toBe(block.fc);
          expect(one.address).toBeGreaterThanOrEqual(block.address);
          expect(one.address + one.words).toBeLessThanOrEqual(block.address + block.count);
        }
        let gap = 0;
        const padding = limits.count_must_be_even ? 1 : 0;
        for (let address = block.address; address < block.address + block.count - padding; address++) {
          gap = defined.has(address) ? 0 : gap + 1;
          expect(gap).toBeLessThanOrEqual(limits.max_gap);
        }
      }
    }),
  );
});

test("the halves of a block hold its registers between them, each once and in order", () => {
  fc.assert(
    fc.property(anyRegisters, anyLimits, (registers, limits) => {
      for (const block of planReads(polled(registers), limits)) {
        const parts = halves(block, limits);
        if (block.registers.length === 1) expect(parts).toBeNull();
        else {
          expect(parts!.flatMap((part) => part.registers)).toEqual(block.registers);
          expect(Math.abs(parts![0].registers.length - parts![1].registers.length)).toBeLessThanOrEqual(1);
          for (const part of parts!) expect(part.count).toBeLessThanOrEqual(block.count);
        }
      }
    }),
  );
});

test("every model of the library can be read whole within its own limits", () => {
  for (const model of allModels()) {
    const blocks = planReads(polled(model.registers), model.limits);
    expect(blocks.flatMap((block) => block.registers)).toHaveLength(model.registers.length);
  }
});
