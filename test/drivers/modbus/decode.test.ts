import { expect, test } from "vitest";
import type { Register } from "../../../core/model/meterModel.ts";
import type { QuantityId } from "../../../core/units/quantities.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { compileDefinition, decodeRegister } from "../../../drivers/modbus/decode.ts";
import { ACCOUNT, decodeWords, define, model, register, setup } from "../devices.ts";

// Words computed by hand from the IEEE 754 and two's complement layouts.
test.each<[Register["type"], "big" | "little", readonly number[], number | bigint]>([
  ["u16", "big", [0xfffe], 65534],
  ["i16", "big", [0xfffe], -2],
  ["u32", "big", [0x8000, 0x0001], 2147483649],
  ["u32", "little", [0x0001, 0x8000], 2147483649],
  ["i32", "big", [0xffff, 0xfffe], -2],
  ["i32", "little", [0xfffe, 0xffff], -2],
  ["acc32", "big", [0x0001, 0x0000], 65536],
  ["f32", "big", [0x4248, 0x0000], 50],
  ["f32", "little", [0x0000, 0x4248], 50],
  ["u64", "big", [0xffff, 0xffff, 0xffff, 0xffff], 18446744073709551615n],
  ["u64", "little", [1, 2, 3, 4], 0x0004_0003_0002_0001n],
  ["i64", "big", [0xffff, 0xffff, 0xffff, 0xfffe], -2n],
  ["f64", "big", [0x4059, 0, 0, 0], 100],
  ["f64", "little", [0, 0, 0, 0x4059], 100],
])("%s with the %s word first", (type, word_order, words, value) => {
  const shape = register({ name: "r", type, word_order });
  expect(decodeRegister(shape, Uint16Array.from([7, ...words, 7]), 1)).toBe(value);
});

test("text ends at the first NUL or the padding", () => {
  const shape = register({ name: "r", type: "str", words: 4 });
  expect(decodeRegister(shape, Uint16Array.of(0x504d, 0x3531, 0x3130, 0x0000), 0)).toBe("PM5110");
  expect(decodeRegister(shape, Uint16Array.of(0x4142, 0x2020, 0x2020, 0x2020), 0)).toBe("AB");
});

const gauge = (name: QuantityId, parts: Partial<Register>) => register({ name, quantity: name, type: "i16", ...parts });

test("decimal scales give the decimal they mean, not a binary neighbour", () => {
  const definition = define([gauge("voltage_l1", { type: "u16", scale: 0.1, unit: "V" })]);
  expect(decodeWords(definition, { 0: [2307] }).get("voltage_l1")!.value).toBe(230.7);
  expect(2307 * 0.1).not.toBe(230.7);
});

test("a register in kilowatts gives watts", () => {
  const definition = define([gauge("active_power_total", { unit: "kW", scale: 0.1 })]);
  expect(decodeWords(definition, { 0: [123] }).get("active_power_total")!.value).toBe(12_300);
});

test("a sentinel is compared before scaling and only with its own type", () => {
  const definition = define(
    [
      gauge("voltage_l1", { type: "u16", scale: 0.1, unit: "V" }),
      gauge("active_power_total", { address: 1, unit: "W" }),
    ],
    {},
    {
      sentinels: [
        { type: "u16", raw: "0xFFF8..0xFFFF", meaning: "no value" },
        { type: "i16", raw: "0x8000", meaning: "no value" },
      ],
    },
  );
  expect(decodeWords(definition, { 0: [0xfffb, 0xfffb] }).get("voltage_l1")).toMatchObject({
    value: null,
    quality: "bad",
    why: "sentinel",
  });
  expect(decodeWords(definition, { 0: [0xfff7, 0xfffb] }).get("active_power_total")).toMatchObject({ value: -5 });
  expect(decodeWords(definition, { 0: [1, 0x8000] }).get("active_power_total")!.why).toBe("sentinel");
});

test("64-bit sentinels are compared in full", () => {
  const counter = register({
    name: "active_energy_export_total",
    quantity: "active_energy_export_total",
    type: "u64",
    scale: 0.01,
    unit: "kWh",
    kind: "counter",
  });
  const definition = define([counter], {}, { sentinels: [{ type: "u64", raw: "0xFFFFFFFFFFFFFFFF", meaning: "-" }] });
  const read = (words: number[]) => decodeWords(definition, { 0: words }).get("active_energy_export_total")!;
  expect(read([0xffff, 0xffff, 0xffff, 0xffff]).why).toBe("sentinel");
  expect(read([0xffff, 0xffff, 0xffff, 0xfffe]).why).toBe("out-of-range");
  expect(read([0, 0, 0, 5])).toMatchObject({ value: 5n, quality: "good" });
});

test.each([
  ["NaN", [0x7fc0, 0]],
  ["another NaN", [0xffff, 0xffff]],
  ["infinity", [0x7f80, 0]],
])("%s is no number", (_, words) => {
  const definition = define([gauge("active_power_total", { type: "f32", unit: "W" })]);
  expect(decodeWords(definition, { 0: words }).get("active_power_total")).toMatchObject({
    value: null,
    quality: "bad",
    why: "not-a-number",
  });
});

const sunspecPower = [
  gauge("active_power_total", { unit: "W", scale_exp_address: 1 }),
  register({ name: "power_exp", type: "i16", address: 1, kind: "scale_exponent" }),
];

test("an exponent register scales by a power of ten, up and down", () => {
  const definition = define(sunspecPower);
  expect(decodeWords(definition, { 0: [1234, 0xffff] }).get("active_power_total")!.value).toBe(123.4);
  expect(decodeWords(definition, { 0: [1234, 2] }).get("active_power_total")!.value).toBe(123_400);
});

test("an exponent that was not read, is not implemented or is absurd gives no value", () => {
  const definition = define(sunspecPower);
  for (const words of [[1234], [1234, 0x8000], [1234, 11]]) {
    expect(decodeWords(definition, { 0: words }).get("active_power_total")).toMatchObject({
      value: null,
      quality: "bad",
      why: "scale-missing",
    });
  }
});

test("ratio registers multiply and divide, and a ratio of zero is no ratio", () => {
  const ratios = ["ct_primary", "ct_secondary"].map((name, i) =>
    register({ name, type: "u16", address: 1 + i, scale: 0.1, kind: "setting" }),
  );
  const definition = define([
    gauge("active_power_total", { unit: "W", multiply_by: ["ct_primary"], divide_by: ["ct_secondary"] }),
    ...ratios,
  ]);
  expect(decodeWords(definition, { 0: [10, 4000, 50] }).get("active_power_total")!.value).toBe(800);
  expect(decodeWords(definition, { 0: [10, 4000, 0] }).get("active_power_total")!.why).toBe("scale-missing");
});

test.each([
  [0.9, 0.9],
  [-0.9, -0.9],
  [1.25, 0.75],
  [-1.25, -0.75],
])("a four-quadrant power factor of %d means %d", (raw, value) => {
  const coded = gauge("power_factor_total", { type: "f64", coding: "four_quadrant" });
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, raw);
  const words = [0, 2, 4, 6].map((at) => view.getUint16(at));
  expect(decodeWords(define([coded]), { 0: words }).get("power_factor_total")).toMatchObject({
    value,
    quality: "good",
  });
});

test.each([
  ["frequency", { type: "u16", scale: 0.1, unit: "Hz" }, 500, "good"],
  ["frequency", { type: "u16", scale: 0.1, unit: "Hz" }, 449, "uncertain"],
  ["frequency", { type: "u16", scale: 0.1, unit: "Hz" }, 0, "uncertain"],
  ["voltage_l1", { type: "u16", unit: "V" }, 0, "good"],
  ["voltage_l1", { type: "u16", unit: "V" }, 49, "uncertain"],
  ["voltage_l1", { type: "u16", unit: "V" }, 50, "good"],
  ["voltage_l1", { type: "u16", unit: "V" }, 1001, "uncertain"],
  ["active_power_total", { type: "u16", unit: "W" }, 12_000, "good"],
  ["active_power_total", { type: "u16", unit: "W" }, 12_001, "uncertain"],
  ["active_power_total", { type: "i16", unit: "W" }, 0x10000 - 12_001, "uncertain"],
  ["power_factor_total", { type: "u16", scale: 0.001 }, 1000, "good"],
  ["power_factor_total", { type: "u16", scale: 0.001 }, 1001, "uncertain"],
] as const)("%s of %o at raw %d is %s", (name, parts, raw, quality) => {
  const definition = define([gauge(name, parts)], { rated_power_W: 10_000 });
  const reading = decodeWords(definition, { 0: [raw] }).get(name)!;
  expect(reading.quality).toBe(quality);
  expect(reading.why).toBe(quality === "good" ? null : "implausible");
  expect(reading.value).not.toBeNull();
});

test("behind a voltage transformer phase voltages are believed up to its ratio", () => {
  const definition = define([gauge("voltage_l1", { type: "u16", unit: "V" })], { vt_ratio: 220 });
  expect(decodeWords(definition, { 0: [12_700] }).get("voltage_l1")!.quality).toBe("good");
});

test.each([
  ["voltage_l1", 229, "good"],
  ["voltage_l1", 114, "uncertain"],
  ["voltage_l1", 115, "good"],
  ["voltage_l1", 300, "uncertain"],
  ["voltage_l1", 0, "good"],
  ["voltage_l1_l2", 400, "good"],
  ["voltage_l1_l2", 190, "uncertain"],
  ["voltage_ll_avg", 692, "uncertain"],
  ["voltage_ln_avg", 23, "uncertain"],
] as const)("at 230 V nominal, %s of %d V is %s", (name, raw, quality) => {
  const definition = define([gauge(name, { type: "u16", unit: "V" })], { nominal_V: 230 });
  expect(decodeWords(definition, { 0: [raw] }).get(name)).toMatchObject({ value: raw, quality });
});

test("a four-quadrant code beyond 2 stays as it is and is implausible", () => {
  const coded = gauge("power_factor_total", { type: "u16", coding: "four_quadrant" });
  expect(decodeWords(define([coded]), { 0: [3] }).get("power_factor_total")).toMatchObject({
    value: 3,
    quality: "uncertain",
    why: "implausible",
  });
});

test.each([
  [0.9, 0.9, "good", null],
  [-0.9, -0.9, "good", null],
  [1.25, 1.25, "uncertain", "implausible"],
  [-1.25, -1.25, "uncertain", "implausible"],
])(
  "a definition from before codings were known reads code %d right, or sets it aside with its reason",
  (raw, value, quality, why) => {
    const plain = gauge("power_factor_total", { type: "f64" });
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, raw);
    const words = [0, 2, 4, 6].map((at) => view.getUint16(at));
    expect(decodeWords(define([plain]), { 0: words }).get("power_factor_total")).toMatchObject({ value, quality, why });
  },
);

test("a float's minus zero is zero", () => {
  const definition = define([gauge("active_power_total", { type: "f32", unit: "W" })]);
  expect(Object.is(decodeWords(definition, { 0: [0x8000, 0] }).get("active_power_total")!.value, 0)).toBe(true);
});

const importCounter = (parts: Partial<Register> & Pick<Register, "type">) =>
  register({
    name: "active_energy_import_total",
    quantity: "active_energy_import_total",
    unit: "kWh",
    kind: "counter",
    ...parts,
  });
const counting = (parts: Partial<Register> & Pick<Register, "type">, more = {}) => {
  const definition = defineDevice(model([importCounter(parts)], more), setup("electricity"), ACCOUNT);
  return (words: readonly number[]) => decodeWords(definition, { 0: words }).get("active_energy_import_total")!;
};

test("an integer counter's ticks are its raw count", () => {
  expect(counting({ type: "i32", scale: 0.1, word_order: "little" })([0xe240, 0x0001]).value).toBe(123456n);
});

test("a float counter's ticks are watt-hours, ties to even", () => {
  const read = counting({ type: "f32" });
  expect(read([0x46bf, 0xc788]).value).toBe(24547766n); // 24547.765625 kWh
  expect(read([0x3a83, 0x126f]).value).toBe(1n); // 0.001 kWh as a float
  const inWattHours = counting({ type: "f32", scale: 0.001 });
  expect(inWattHours([0x4020, 0]).value).toBe(2n); // 2.5 Wh
  expect(inWattHours([0x4060, 0]).value).toBe(4n); // 3.5 Wh
});

test("a negative counter is out of range", () => {
  expect(counting({ type: "i32", scale: 0.1 })([0xffff, 0xffff])).toMatchObject({
    value: null,
    quality: "bad",
    why: "out-of-range",
  });
  expect(counting({ type: "f32" })([0xc000, 0]).why).toBe("out-of-range");
});

test("a counter beyond its modulus is out of range", () => {
  const read = counting({ type: "u32", scale: 0.1, rollover_raw: 1000 });
  expect(read([0, 999]).value).toBe(999n);
  expect(read([0, 1000]).why).toBe("out-of-range");
});

test("a SunSpec accumulator of zero has not accumulated", () => {
  const read = counting(
    { type: "u32", scale: 0.001 },
    { sentinels: [{ type: "acc32", raw: "0x00000000", meaning: "-" }] },
  );
  expect(read([0, 0]).why).toBe("sentinel");
  expect(read([0, 1]).value).toBe(1n);
});

test("registers of a block that failed give no reading, the others exactly one", () => {
  const definition = define([
    gauge("voltage_l1", { type: "u16", unit: "V" }),
    gauge("frequency", { type: "u16", address: 5, scale: 0.1, unit: "Hz" }),
  ]);
  expect([...decodeWords(definition, { 0: [230] }).keys()]).toEqual(["voltage_l1"]);
  expect([...decodeWords(definition, { 0: [230, 0, 0, 0, 0, 500] }).keys()]).toEqual(["voltage_l1", "frequency"]);
});

test("words of the other function code are other registers", () => {
  const definition = define([gauge("voltage_l1", { type: "u16", unit: "V", fc: 4 })]);
  expect(decodeWords(definition, { 0: [230] }, 3).size).toBe(0);
  expect(decodeWords(definition, { 0: [230] }, 4).size).toBe(1);
});

test("a definition with two registers of one quantity is refused", () => {
  const definition = define([gauge("voltage_l1", { type: "u16", unit: "V" })]);
  const twice = { ...definition, registers: [...definition.registers, definition.registers[0]!] };
  expect(() => compileDefinition(twice)).toThrow(/two registers carry voltage_l1.*\[INTERNAL\]/);
});

test("meters that are read alike share a decoder, others do not", () => {
  const voltage = gauge("voltage_l1", { type: "u16", unit: "V" });
  const one = define([voltage], { id: "one", rated_power_W: 1000 });
  const other = { ...define([voltage], { id: "other", nominal_V: 400 }) };
  const twin = { ...one, device: "twin" };
  for (const [definition, quality] of [
    [one, "good"],
    [other, "uncertain"],
    [twin, "good"],
  ] as const) {
    expect(decodeWords(definition, { 0: [110] }).get("voltage_l1")).toMatchObject({ value: 110, quality });
  }
});
