import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createAccountant } from "../../../agent/account/accountant.ts";
import { clockStep_ms } from "../../../agent/account/clockStep.ts";
import type { Interval } from "../../../core/interval/interval.ts";
import type { Sample } from "../../../core/reading/reading.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { decodeSample } from "../../../drivers/modbus/decode.ts";
import { ACCOUNT, model, register, setup } from "../../drivers/devices.ts";
import { firstFreshSeed } from "../../sim/freshSeeds.ts";

const START_MS = Date.parse("2026-03-02T10:00:00+07:00");
const QUARTER_S = 900;
const HOUR_S = 3600;
const DAY_S = 86_400;
const POLL_S = 10;
const TICKS_PER_POLL = 7;
const TICKS_PER_QUARTER = (QUARTER_S / POLL_S) * TICKS_PER_POLL;

const METER = defineDevice(
  model([
    register({
      name: "active_energy_import_total",
      quantity: "active_energy_import_total",
      type: "u32",
      unit: "kWh",
      scale: 0.001,
      kind: "counter",
    }),
  ]),
  setup("electricity", { rated_power_W: 20_000, every: { energy_ms: POLL_S * 1000, power_ms: POLL_S * 1000 } }),
  ACCOUNT,
);

type Event =
  | { readonly kind: "run"; readonly polls: number }
  | { readonly kind: "set"; readonly by_s: number }
  | { readonly kind: "restart"; readonly down_s: number; readonly by_s: number };

/** One meter, one gateway, and what happens to its clock. */
function gateway() {
  let accountant = createAccountant(METER, []);
  let true_s = 0;
  let offset_s = 0;
  let boot = 1;
  let bootAt_s = 0;
  let first: number | null = null;
  const closed: Interval[] = [];
  const count = () => Math.floor(true_s / POLL_S) * TICKS_PER_POLL;
  const poll = (): void => {
    first ??= count();
    const sample: Sample = {
      device: METER.device,
      at_ms: START_MS + (true_s + offset_s) * 1000,
      mono_ms: (true_s - bootAt_s) * 1000,
      blocks: [
        { fc: 3, address: METER.registers[0]!.register.address, words: Uint16Array.of(count() >>> 16, count()) },
      ],
      failures: [],
    };
    closed.push(...accountant.take(sample, decodeSample(METER, sample), sample.at_ms, boot).intervals);
  };
  const openTicks = (): bigint => {
    const { accounts } = JSON.parse(accountant.save()) as { accounts: readonly { readonly ticks: string }[] };
    return BigInt(accounts[0]!.ticks.slice(0, -1));
  };
  return {
    closed,
    play(events: readonly Event[]) {
      for (const event of events) {
        if (event.kind === "set") offset_s += event.by_s;
        if (event.kind === "run") {
          for (let i = 0; i < event.polls; i++) {
            poll();
            true_s += POLL_S;
          }
        }
        if (event.kind !== "restart") continue;
        const saved = accountant.save();
        accountant = createAccountant(METER, []);
        accountant.restore(saved);
        true_s += event.down_s;
        offset_s += event.by_s;
        boot += 1;
        bootAt_s = true_s;
      }
    },
    /** What was counted from the first poll to the last, and what the books say of it. */
    counted: () => BigInt(count() - TICKS_PER_POLL - (first ?? 0)),
    booked: () => closed.reduce((sum, { ticks }) => sum + (ticks ?? 0n), 0n) + openTicks(),
  };
}

const run = (polls: number): Event => ({ kind: "run", polls });
const set = (by_s: number): Event => ({ kind: "set", by_s });
const HOUR = HOUR_S / POLL_S;

function expectSound({ closed, counted, booked }: ReturnType<typeof gateway>): void {
  const sorted = [...closed].sort((a, b) => a.from_ms - b.from_ms);
  for (const [i, interval] of sorted.entries()) {
    expect(interval.to_ms - interval.from_ms).toBe(QUARTER_S * 1000);
    expect(interval.from_ms % (QUARTER_S * 1000)).toBe(0);
    expect(interval.coverage).toBeGreaterThanOrEqual(0);
    expect(interval.coverage).toBeLessThanOrEqual(1);
    if (i > 0) expect(interval.from_ms).toBeGreaterThanOrEqual(sorted[i - 1]!.to_ms);
    if (interval.ticks !== null) expect(interval.ticks >= 0n).toBe(true);
    // What is measured is what the meter counted in so much time, not what a set clock put there.
    if (interval.flag !== "M") continue;
    expect(Math.abs(Number(interval.ticks) - TICKS_PER_QUARTER)).toBeLessThanOrEqual(TICKS_PER_POLL);
  }
  expect(booked()).toBe(counted());
}

describe("a clock that is set", () => {
  test.each([
    ["an hour ahead", HOUR_S],
    ["an hour back", -HOUR_S],
    ["a day ahead", DAY_S],
    ["a day back", -DAY_S],
    ["a minute ahead", 60],
    ["a minute back", -60],
    ["twenty years ahead", 20 * 365 * DAY_S],
  ])("%s, at any poll of a quarter, costs no tick and makes no interval twice", (_, by_s) => {
    for (let polls = 1; polls <= 90; polls += 7) {
      const one = gateway();
      one.play([run(HOUR + polls), set(by_s), run(3 * HOUR)]);
      expectSound(one);
      expect(one.closed.some(({ cause }) => cause === "clock")).toBe(true);
    }
  });

  test("far ahead and back does not stop the accounts for that long", () => {
    for (const by_s of [DAY_S, 400 * DAY_S]) {
      const one = gateway();
      one.play([run(HOUR + 30), set(by_s), run(HOUR), set(-by_s)]);
      const before = one.closed.length;
      one.play([run(HOUR)]);
      expect(one.closed.length - before).toBeGreaterThanOrEqual(3);
      expectSound(one);
      expect(one.closed.at(-1)).toMatchObject({ flag: "M", cause: null, coverage: 1 });
    }
  });

  test("ahead does not spread a second's energy over the time it leapt", () => {
    const one = gateway();
    one.play([run(HOUR + 30), set(DAY_S), run(HOUR)]);
    expect(one.closed.length).toBeLessThan(12);
    expect(one.closed.filter(({ flag }) => flag === "S")).toEqual([]);
  });

  test("back while the gateway was off is noticed too, and the accounts go on", () => {
    const one = gateway();
    one.play([run(3 * HOUR), { kind: "restart", down_s: 600, by_s: -30 * DAY_S }]);
    const before = one.closed.length;
    one.play([run(2 * HOUR)]);
    expect(one.closed.length - before).toBeGreaterThanOrEqual(7);
    expectSound(one);
  });

  test("law: whatever is done to it, no tick is lost, no interval comes twice, none is shorter or negative", () => {
    const step = fc.oneof(
      fc.constantFrom(HOUR_S, -HOUR_S, DAY_S, -DAY_S, QUARTER_S, -QUARTER_S),
      fc.integer({ min: -100_000, max: 100_000 }),
    );
    // While a gateway is off only a clock that stands before the last reading shows that it was set.
    const offSteps = fc.constantFrom(0, HOUR_S, DAY_S, -30 * DAY_S);
    const event: fc.Arbitrary<Event> = fc.oneof(
      fc.integer({ min: 1, max: 300 }).map(run),
      step.map(set),
      fc.record({ kind: fc.constant("restart" as const), down_s: fc.integer({ min: 10, max: 5000 }), by_s: offSteps }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 14 }), (events) => {
        const one = gateway();
        one.play([...events.flatMap((event) => (event.kind === "run" ? [event] : [event, run(1)])), run(2)]);
        expectSound(one);
      }),
      // Of the commit: one seed in fifteen meets what the next test shows.
      { numRuns: 200, seed: firstFreshSeed(process.env.KHUXANH_FIRST_SEED) },
    );
  });

  // Not mended yet: an interval is called measured that holds what was counted while the gateway was off.
  test.fails("back by a month while the gateway was off, after it was back before, calls no shared time measured", () => {
    const one = gateway();
    const off = (down_s: number, by_s: number): Event => ({ kind: "restart", down_s, by_s });
    const events = [set(-57_190), off(278, 0), off(1300, 0), set(HOUR_S), off(3372, -30 * DAY_S)];
    one.play([...events.flatMap((event) => [event, run(1)]), run(2)]);
    expectSound(one);
  });
});

describe("a step of the clock", () => {
  const at = (at_s: number, mono_s: number, boot = 1) => ({ at_ms: at_s * 1000, mono_ms: mono_s * 1000, boot });
  test("is the difference to the monotonic clock, and drift is none", () => {
    expect(clockStep_ms(null, at(10, 1), 0)).toBe(0);
    expect(clockStep_ms(at(10, 1), at(20, 11), 0)).toBe(0);
    expect(clockStep_ms(at(10, 1), at(21.9, 11), 0)).toBe(0);
    expect(clockStep_ms(at(10, 1), at(3620, 11), 0)).toBe(3_600_000);
    expect(clockStep_ms(at(10, 1), at(10 - 3590, 11), 0)).toBe(-3_600_000);
    expect(clockStep_ms(at(0, 0), at(DAY_S + 20, DAY_S), 0)).toBe(0);
  });
  test("over a restart is seen only if it goes back", () => {
    expect(clockStep_ms(at(10, 1), at(9000, 5, 2), 900_000)).toBe(0);
    expect(clockStep_ms(at(9000, 1), at(10, 5, 2), 900_000)).toBe(-8990_000 - 900_000);
  });
});
