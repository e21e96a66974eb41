import fc from "fast-check";
import { expect, test } from "vitest";
import type { Register, RegisterType } from "../../../core/model/meterModel.ts";
import { decodeRegister } from "../../../drivers/modbus/decode.ts";
import { encodeRaw, encodeRegister, rolloverRaw } from "../../../drivers/modbus/encode.ts";
import { register } from "../devices.ts";

const INTEGERS = {
  u16: [0n, 65535n],
  i16: [-32768n, 32767n],
  u32: [0n, 2n ** 32n - 1n],
  acc32: [0n, 2n ** 32n - 1n],
  i32: [-(2n ** 31n), 2n ** 31n - 1n],
  u64: [0n, 2n ** 64n - 1n],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;
const order = fc.constantFrom("big" as const, "little" as const);
const shape = (type: RegisterType, word_order: Register["word_order"], more: Partial<Register> = {}) =>
  register({ name: "r", type, word_order, ...more });

test.each(Object.entries(INTEGERS))("every raw %s survives encode then decode", (type, [min, max]) => {
  fc.assert(
    fc.property(fc.bigInt({ min, max }), order, (raw, word_order) => {
      const one = shape(type as RegisterType, word_order);
      expect(BigInt(decodeRegister(one, encodeRaw(one, raw), 0) as number | bigint)).toBe(raw);
    }),
  );
});

test("every float survives encode then decode", () => {
  fc.assert(
    fc.property(fc.float(), fc.double(), order, (single, double, word_order) => {
      const f32 = shape("f32", word_order);
      const f64 = shape("f64", word_order);
      expect(decodeRegister(f32, encodeRaw(f32, single), 0)).toBe(single);
      expect(decodeRegister(f64, encodeRaw(f64, double), 0)).toBe(double);
    }),
  );
});

test("a value survives encode then decode within half a step of the register", () => {
  const value = fc.double({ min: -3000, max: 3000, noNaN: true });
  const scale = fc.constantFrom(1, 0.1, 0.01, 0.001, 10);
  fc.assert(
    fc.property(
      value,
      scale,
      fc.integer({ min: -1, max: 1 }),
      fc.constantFrom(1, 80),
      order,
      (x, step, exponent, factor, word_order) => {
        const one = shape("i32", word_order, { scale: step });
        const resolution = step * 10 ** exponent * factor;
        const raw = Number(decodeRegister(one, encodeRegister(one, x, { exponent, factor }), 0));
        expect(Math.abs(raw * resolution - x)).toBeLessThanOrEqual(resolution * 0.5 + 1e-9);
      },
    ),
  );
});

test("text survives encode then decode", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9 ]{0,14}[A-Za-z0-9]$/), (text) => {
      const one = shape("str", "big", { words: 8 });
      expect(decodeRegister(one, encodeRegister(one, text), 0)).toBe(text);
    }),
  );
});

test("a counter that outgrows its register starts again at zero, a gauge does not fit", () => {
  const counter = shape("u16", "big", { kind: "counter", scale: 0.1 });
  expect([...encodeRegister(counter, 6553.7)]).toEqual([1]);
  expect([...encodeRegister({ ...counter, rollover_raw: 1000 }, 100.3)]).toEqual([3]);
  expect(() => encodeRegister(shape("i16", "big"), 40_000)).toThrow(RangeError);
  expect(() => encodeRegister(shape("i16", "big"), Number.NaN)).toThrow(RangeError);
});

test.each([
  ["u16", 2n ** 16n],
  ["i32", 2n ** 31n],
  ["u32", 2n ** 32n],
] as const)("a %s register wraps after its positive side", (type, count) => {
  expect(rolloverRaw({ type })).toBe(count);
});
