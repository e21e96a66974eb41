import fc from "fast-check";
import { expect, test } from "vitest";
import {
  answered,
  isRefusal,
  type Plan,
  RETRY_FIRST_MS,
  RETRY_MAX_MS,
  refreshed,
  refused,
  restoreLearned,
  retries,
  saveLearned,
  startPlan,
} from "../../../agent/poll/learn.ts";
import type { ModelLimits, Register } from "../../../core/model/meterModel.ts";
import type { BlockRead } from "../../../drivers/modbus/planner.ts";
import { register } from "../../drivers/devices.ts";

const LIMITS: ModelLimits = { max_registers_per_read: 125, count_must_be_even: false, max_gap: 0 };
const NOW = Date.UTC(2026, 0, 1);
const MODEL = { model: "test", modelVersion: "1" };

const word = (address: number, more: Partial<Register> = {}) =>
  register({ name: `r${address}`, type: "u16", address, ...more });
const run = (count: number) => Array.from({ length: count }, (_, i) => word(i));
const planOf = (registers: readonly Register[], limits: Partial<ModelLimits> = {}) =>
  startPlan({ registers: registers.map((one) => ({ register: one, every_ms: 1000 })) }, { ...LIMITS, ...limits });

/** What a device refuses, and with which exception; null = it answers. */
type Device = (block: BlockRead) => 1 | 2 | 3 | null;

const refusesAddresses =
  (...bad: number[]): Device =>
  ({ address, count }) =>
    bad.some((one) => address <= one && one < address + count) ? 2 : null;

/** One poll: every block of the plan and what comes of the refused ones. */
function poll(plan: Plan, device: Device, at_ms = NOW): { plan: Plan; exchanges: number; read: Set<string> } {
  let now = plan;
  let exchanges = 0;
  const read = new Set<string>();
  const queue = [...plan.groups.flatMap(({ blocks }) => blocks), ...retries(plan, 1000, at_ms)];
  for (let block = queue.shift(); block !== undefined; block = queue.shift()) {
    exchanges += 1;
    const code = device(block);
    if (code === null) {
      for (const { name } of block.registers) read.add(name);
      now = answered(now, block, at_ms);
      continue;
    }
    const step = refused(now, block, { kind: "exception", code }, at_ms);
    now = step.plan;
    queue.unshift(...step.next);
  }
  return { plan: now, exchanges, read };
}

/** Polls until the plan is read without a refusal. */
function settle(plan: Plan, device: Device): { plan: Plan; exchanges: number; polls: number } {
  let now = plan;
  let exchanges = 0;
  for (let polls = 1; polls < 200; polls++) {
    const before = now;
    const step = poll(now, device);
    now = step.plan;
    exchanges += step.exchanges;
    if (before.groups === now.groups) return { plan: now, exchanges, polls };
  }
  throw new Error("the plan never settles");
}

const aside = (plan: Plan) => plan.learned.aside.map(({ register: { name } }) => name);
const spans = (plan: Plan) => plan.groups.flatMap(({ blocks }) => blocks.map(({ address, count }) => [address, count]));

test("only exceptions that blame the request are refusals", () => {
  expect([1, 2, 3, 4, 5, 6, 8, 10, 11].filter(isRefusal)).toEqual([1, 2, 3]);
});

test("one bad register in a block is set aside with its reason, its neighbours stay in two reads", () => {
  const { plan } = settle(planOf(run(10)), refusesAddresses(6));
  expect(aside(plan)).toEqual(["r6"]);
  expect(plan.learned.aside[0]).toMatchObject({ why: { kind: "exception", code: 2 }, since_ms: NOW, tries: 1 });
  expect(spans(plan)).toEqual([
    [0, 6],
    [7, 3],
  ]);
});

test("the first poll already reads every good register", () => {
  const { read } = poll(planOf(run(10)), refusesAddresses(6));
  expect(read.size).toBe(9);
});

test("a register set aside is never spanned as a gap", () => {
  const { plan } = settle(planOf(run(10), { max_gap: 4 }), refusesAddresses(6));
  expect(spans(plan)).toEqual([
    [0, 6],
    [7, 3],
  ]);
});

test("a gap the device refuses is cut, and no register is blamed", () => {
  const { plan } = settle(planOf([word(0), word(1), word(4), word(5)], { max_gap: 4 }), refusesAddresses(2));
  expect(aside(plan)).toEqual([]);
  expect(spans(plan)).toEqual([
    [0, 2],
    [4, 2],
  ]);
});

test("a device with a shorter longest read is read in shorter blocks, whichever exception it says so with", () => {
  for (const code of [2, 3] as const) {
    const { plan, polls } = settle(planOf(run(100)), ({ count }) => (count > 31 ? code : null));
    expect(aside(plan)).toEqual([]);
    expect(Math.max(...spans(plan).map(([, count]) => count!))).toBeLessThanOrEqual(31);
    expect(spans(plan).length).toBeLessThanOrEqual(8);
    expect(polls).toBeLessThanOrEqual(6);
  }
});

test("a register set aside is asked again after a minute, then twice as long each time, at most an hour", () => {
  let { plan } = settle(planOf(run(4)), refusesAddresses(1));
  let at_ms = NOW;
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    const { retryAt_ms } = plan.learned.aside[0]!;
    waits.push((retryAt_ms - at_ms) / RETRY_FIRST_MS);
    expect(retries(plan, 1000, retryAt_ms - 1)).toEqual([]);
    at_ms = retryAt_ms;
    plan = poll(plan, refusesAddresses(1), at_ms).plan;
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(plan.learned.aside[0]!.since_ms).toBe(NOW);
  expect(retries(plan, 1000, at_ms - 2 * RETRY_MAX_MS)).toHaveLength(1);
});

test("when one register comes back it is read with its neighbours again, and the others are asked at once", () => {
  const { plan } = settle(planOf(run(8)), refusesAddresses(1, 5));
  const soon = NOW + RETRY_FIRST_MS;
  const only = retries(plan, 1000, soon)[0]!;
  const back = answered(plan, only, soon);
  expect(aside(back)).toHaveLength(1);
  expect(retries(back, 1000, soon)).toHaveLength(1);
  const all = poll(back, () => null, soon).plan;
  expect(aside(all)).toEqual([]);
  expect(spans(all)).toEqual([[0, 8]]);
});

test("counters are asked again before all others, whichever waits longest", () => {
  const registers = [word(1), word(2, { kind: "counter" }), word(3), word(4, { kind: "counter" })];
  const plan = poll(planOf(registers), () => 2).plan;
  const again = retries(plan, 1000, NOW + RETRY_FIRST_MS).map(({ address }) => address);
  expect(again).toEqual([2, 4, 1, 3]);
});

test("when one register comes back, another that does not is asked again after a minute, not after its last wait", () => {
  let plan = poll(planOf([word(1), word(9)]), () => 2).plan;
  const later_ms = NOW + 5 * RETRY_MAX_MS;
  for (let at_ms = NOW; at_ms <= later_ms; at_ms += RETRY_FIRST_MS) plan = poll(plan, () => 2, at_ms).plan;
  const back_ms = later_ms + RETRY_MAX_MS;
  for (let i = 0; i < 2; i++) plan = poll(plan, refusesAddresses(9), back_ms).plan;
  expect(plan.learned.aside).toMatchObject([{ tries: 1, retryAt_ms: back_ms + RETRY_FIRST_MS }]);
});

test("cuts are forgotten after a day, so that one wrong conclusion does not last", () => {
  const { plan } = settle(planOf([word(0), word(4)], { max_gap: 4 }), refusesAddresses(2));
  expect(spans(plan)).toHaveLength(2);
  expect(refreshed(plan, NOW + 86_399_999)).toBe(plan);
  expect(spans(refreshed(plan, NOW + 86_400_000))).toEqual([[0, 5]]);
});

test("what was learned survives as text, for the same model, version and plan only", () => {
  const registers = run(40);
  const { plan } = settle(planOf(registers), (block) => refusesAddresses(3)(block) ?? (block.count > 12 ? 3 : null));
  const text = saveLearned(plan, MODEL);
  const again = restoreLearned(planOf(registers), MODEL, text);
  expect(again.learned).toEqual(plan.learned);
  expect(spans(again)).toEqual(spans(plan));

  const fresh = planOf(registers);
  expect(restoreLearned(fresh, MODEL, null)).toBe(fresh);
  expect(restoreLearned(fresh, { ...MODEL, modelVersion: "2" }, text)).toBe(fresh);
  const longer = planOf(run(41));
  expect(restoreLearned(longer, MODEL, text)).toBe(longer);
});

const anyRun = fc.integer({ min: 1, max: 100 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    bad: fc.uniqueArray(fc.nat(count - 1), { maxLength: 8 }),
  }),
);

test("whatever registers a device refuses: exactly they are set aside, in O(k log n) exchanges", () => {
  fc.assert(
    fc.property(anyRun, ({ count, bad }) => {
      const device = refusesAddresses(...bad);
      const first = poll(planOf(run(count)), device);
      expect(aside(first.plan).sort()).toEqual(bad.map((one) => `r${one}`).sort());
      expect(first.read.size).toBe(count - bad.length);
      expect(first.exchanges).toBeLessThanOrEqual(1 + 2 * bad.length * Math.max(1, Math.ceil(Math.log2(count))));
      const second = poll(first.plan, device);
      expect(second.plan).toBe(first.plan);
      expect(second.read).toEqual(first.read);
      expect(second.exchanges).toBeLessThanOrEqual(bad.length + 1);
    }),
  );
});

test("a device that refuses whatever it is asked for some polls, and then nothing: every register is read again", () => {
  const anyFloor = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(anyFloor, fc.integer({ min: 1, max: 8 }), (steps, refusals) => {
      let address = 0;
      const registers = steps.map((step) => {
        address += step;
        return word(address);
      });
      let plan = planOf(registers);
      for (let i = 0; i < refusals; i++) plan = poll(plan, () => 2, NOW + i * RETRY_FIRST_MS).plan;
      const later_ms = NOW + refusals * RETRY_FIRST_MS + RETRY_MAX_MS;
      for (let i = 0; i < 3; i++) plan = poll(plan, () => null, later_ms).plan;
      expect(aside(plan)).toEqual([]);
      expect([...poll(plan, () => null, later_ms).read].sort()).toEqual(registers.map(({ name }) => name).sort());
    }),
  );
});

test("whatever gaps and lengths a device refuses beside registers: no good register is lost, and the plan settles", () => {
  const anyDevice = fc.record({
    steps: fc.array(fc.record({ gap: fc.nat(3), isBad: fc.boolean() }), { minLength: 1, maxLength: 40 }),
    badGaps: fc.array(fc.nat(120), { maxLength: 10 }),
    longest: fc.integer({ min: 4, max: 60 }),
    lengthCode: fc.constantFrom(2 as const, 3 as const),
    even: fc.boolean(),
  });
  fc.assert(
    fc.property(anyDevice, ({ steps, badGaps, longest, lengthCode, even }) => {
      let address = 0;
      const registers = steps.map(({ gap, isBad }) => {
        // Values of two words: an even count never reaches into a neighbour.
        address += 2 * gap;
        const one = { ...word(address, { type: "u32", words: 2 }), isBad };
        address += 2;
        return one;
      });
      const bad = registers.filter(({ isBad }) => isBad).map((one) => one.address);
      const inRegisters = new Set(registers.flatMap((one) => [one.address, one.address + 1]));
      const refusedWords = [...bad, ...badGaps.filter((one) => !inRegisters.has(one))];
      const device: Device = (block) => (block.count > longest ? lengthCode : refusesAddresses(...refusedWords)(block));
      const { plan } = settle(planOf(registers, { max_gap: 6, count_must_be_even: even }), device);
      expect(aside(plan).sort()).toEqual(bad.map((one) => `r${one}`).sort());
      const read = plan.groups.flatMap(({ blocks }) => blocks.flatMap((block) => block.registers));
      expect(read).toHaveLength(registers.length - bad.length);
    }),
  );
});
