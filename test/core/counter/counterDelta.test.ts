import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CounterReading, type CounterRegister, counterDelta } from "../../../core/counter/counterDelta.ts";

const SEVEN_DIGITS: CounterRegister = {
  modulus: 10_000_000n,
  rateMax_ticks_per_s: 100,
  float32_ticks_per_unit: null,
};
const ENDLESS: CounterRegister = { ...SEVEN_DIGITS, modulus: null };
/** A float32 in kWh whose tick is 1 Wh. */
const FLOAT_KWH: CounterRegister = { modulus: null, rateMax_ticks_per_s: 1, float32_ticks_per_unit: 1000 };

function at(at_s: number, count: bigint, meterSerial: string | null = null): CounterReading {
  return { at_ms: 1_760_000_000_000 + at_s * 1000, count, meterSerial };
}

describe("between two readings of one register", () => {
  test("the difference is what was counted", () => {
    expect(counterDelta(at(0, 5n), at(10, 905n), SEVEN_DIGITS)).toEqual({
      kind: "delta",
      ticks: 900n,
      elapsed_ms: 10_000,
      wrapped: false,
    });
  });

  test("a register that stood still counted nothing, which is not a gap", () => {
    expect(counterDelta(at(0, 0n), at(10, 0n), ENDLESS)).toMatchObject({ kind: "delta", ticks: 0n });
  });

  test("a register that wrapped counted through its end", () => {
    expect(counterDelta(at(0, 9_999_990n), at(10, 7n), SEVEN_DIGITS)).toEqual({
      kind: "delta",
      ticks: 17n,
      elapsed_ms: 10_000,
      wrapped: true,
    });
  });

  test("W02: a 7-digit register that passes its end in a day under a 9 MW limit is a rollover of 4715 counts", () => {
    // 9000 kW at 40 kWh a count.
    const register = { ...SEVEN_DIGITS, rateMax_ticks_per_s: 9000 / 3600 / 40 };
    const delta = counterDelta(at(0, 9_998_412n), at(86_400, 3127n), register);
    expect(delta).toMatchObject({ kind: "delta", ticks: 4715n, wrapped: true });
  });

  test("a fall that would need more than the greatest rate is a reset", () => {
    expect(counterDelta(at(0, 5_000_000n), at(10, 7n), SEVEN_DIGITS)).toEqual({ kind: "gap", why: "counter-reset" });
  });

  test("a register that never wraps and falls was reset, however small the fall", () => {
    expect(counterDelta(at(0, 1000n), at(10, 999n), ENDLESS)).toEqual({ kind: "gap", why: "counter-reset" });
  });

  test("a rise faster than the greatest rate is no energy", () => {
    expect(counterDelta(at(0, 0n), at(10, 1002n), SEVEN_DIGITS)).toEqual({ kind: "gap", why: "rate-too-high" });
  });

  test("one tick beyond the greatest rate is the tick that was already due", () => {
    expect(counterDelta(at(0, 0n), at(10, 1001n), SEVEN_DIGITS)).toMatchObject({ kind: "delta", ticks: 1001n });
  });

  test("a stretch in which the register could have gone round once is a gap, not a guess", () => {
    const round_s = 100_000;
    expect(counterDelta(at(0, 1n), at(round_s, 2n), SEVEN_DIGITS)).toEqual({ kind: "gap", why: "interval-too-long" });
    expect(counterDelta(at(0, 1n), at(round_s - 0.01, 2n), SEVEN_DIGITS)).toMatchObject({ why: "interval-too-long" });
    expect(counterDelta(at(0, 1n), at(round_s - 1, 2n), SEVEN_DIGITS)).toMatchObject({ kind: "delta", ticks: 1n });
    expect(counterDelta(at(0, 1n), at(round_s, 2n), ENDLESS)).toMatchObject({ kind: "delta", ticks: 1n });
  });

  test.each([0, -5])("a reading %i s after the other is not later", (at_s) => {
    expect(counterDelta(at(0, 1n), at(at_s, 2n), SEVEN_DIGITS)).toEqual({ kind: "gap", why: "time-not-later" });
  });

  test("two serial numbers are two meters, whatever their counts", () => {
    expect(counterDelta(at(0, 1n, "A"), at(10, 2n, "B"), ENDLESS)).toEqual({ kind: "gap", why: "meter-replaced" });
  });

  test.each([
    [null, "B"],
    ["A", null],
    [null, null],
    ["A", "A"],
  ])("serial numbers %s and %s prove no replacement", (before, after) => {
    expect(counterDelta(at(0, 1n, before), at(10, 2n, after), ENDLESS)).toMatchObject({ kind: "delta", ticks: 1n });
  });
});

describe("a float32 register", () => {
  test("above 131 072 kWh moves 16 Wh at once, and a step in a short time is not too fast", () => {
    expect(counterDelta(at(0, 200_000_000n), at(1, 200_000_016n), FLOAT_KWH)).toMatchObject({ ticks: 16n });
    expect(counterDelta(at(0, 200_000_000n), at(1, 200_000_018n), FLOAT_KWH)).toMatchObject({ why: "rate-too-high" });
  });

  test("below 8 192 kWh is held to a tick like an integer", () => {
    expect(counterDelta(at(0, 5_000_000n), at(1, 5_000_002n), FLOAT_KWH)).toMatchObject({ ticks: 2n });
    expect(counterDelta(at(0, 5_000_000n), at(1, 5_000_003n), FLOAT_KWH)).toMatchObject({ why: "rate-too-high" });
  });

  test("at its first count has a step too", () => {
    expect(counterDelta(at(0, 0n), at(1, 0n), FLOAT_KWH)).toMatchObject({ kind: "delta", ticks: 0n });
  });
});

describe("a caller's mistake throws", () => {
  test.each([-1n, 10_000_000n])("count %s is outside a 7-digit register", (count) => {
    expect(() => counterDelta(at(0, count), at(1, 0n), SEVEN_DIGITS)).toThrow(RangeError);
    expect(() => counterDelta(at(0, 0n), at(1, count), SEVEN_DIGITS)).toThrow(/outside the register/);
  });

  test.each([0, -1, Number.NaN])("a greatest rate of %d is no limit", (rateMax_ticks_per_s) => {
    expect(() => counterDelta(at(0, 0n), at(1, 0n), { ...ENDLESS, rateMax_ticks_per_s })).toThrow(RangeError);
  });
});

test("law: whatever the register shows, differences add up to what passed through it", () => {
  const walk = fc.array(
    fc.record({ step_s: fc.integer({ min: 1, max: 1000 }), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    {
      minLength: 1,
      maxLength: 40,
    },
  );
  fc.assert(
    fc.property(walk, fc.bigInt({ min: 0n, max: 99_999_999n }), (steps, start) => {
      const register: CounterRegister = { ...SEVEN_DIGITS, modulus: 200_000n };
      let total = start;
      let before = at(0, total % 200_000n);
      let at_s = 0;
      let counted = 0n;
      for (const { step_s, share } of steps) {
        at_s += step_s;
        total += BigInt(Math.floor(step_s * 100 * share));
        const after = at(at_s, total % 200_000n);
        const delta = counterDelta(before, after, register);
        if (delta.kind !== "delta") throw new Error(delta.why);
        counted += delta.ticks;
        before = after;
      }
      expect(counted).toBe(total - start);
    }),
  );
});

test("law: a delta is never negative and never faster than the greatest rate allows", () => {
  const count = fc.bigInt({ min: 0n, max: 9_999_999n });
  fc.assert(
    fc.property(count, count, fc.integer({ min: 1, max: 99_000 }), (a, b, elapsed_s) => {
      const delta = counterDelta(at(0, a), at(elapsed_s, b), SEVEN_DIGITS);
      if (delta.kind === "gap") return;
      expect(delta.ticks >= 0n && delta.ticks <= BigInt(elapsed_s) * 100n + 1n).toBe(true);
      expect((a + delta.ticks) % 10_000_000n).toBe(b);
    }),
  );
});
