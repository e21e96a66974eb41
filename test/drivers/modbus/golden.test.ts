import { expect, test } from "vitest";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { GoldenVector, MeterModel } from "../../../core/model/meterModel.ts";
import { decodeRegister, decodeSample, readRegisters } from "../../../drivers/modbus/decode.ts";
import { exactText } from "../../../drivers/ratio.ts";
import { allModels } from "../models.ts";

const proven = allModels().filter(({ golden }) => golden.length > 0);

test("the models proven by captures are the Eastron SDM630 and SDM120 and the Schneider PM5000", () => {
  expect(proven.filter((model) => model.proven).map(({ id }) => id)).toEqual([
    "eastron-sdm120",
    "eastron-sdm630",
    "schneider-pm5000",
  ]);
});

/** Words that the reference prints with what a naive reader makes of them; they mean "no value". */
test.each([
  ["abb-b23-b24", "active_energy_export_total", "FFFF FFFF FFFF FFFF", "184467440737095516.15"],
  ["sma-inverter", "active_power_total", "8000 0000", "-2147483648"],
])("%s: %s at %s would read %s and is no value", (id, name, text, naive) => {
  const model = allModels().find((one) => one.id === id)!;
  const register = model.registers.find((one) => one.name === name)!;
  expect(exactText(BigInt(decodeRegister(register, wordsOf(text), 0)), register.scale)).toBe(naive);
  const source = { device: id, registers: [register], sentinels: model.sentinels, settings: {} };
  expect(readRegisters(source, [{ fc: register.fc, address: register.address, words: wordsOf(text) }])).toMatchObject([
    { value: null, quality: "bad", why: "sentinel" },
  ]);
});

for (const model of proven) {
  for (const vector of model.golden) {
    test(`${model.id} reads ${Object.keys(vector.expect).length} values of ${vector.from}`, () => {
      for (const [name, value] of Object.entries(vector.expect)) {
        const register = registerOf(model, vector, name);
        const words = wordsOf(vector.registers[String(register.address)]!);
        expect(Number(decodeRegister(register, words, 0)) * register.scale).toBe(value);
      }
    });
  }
}

test("a whole poll of a real SDM630 becomes one good reading per register, counters in Wh", () => {
  const model = proven.find(({ id }) => id === "eastron-sdm630")!;
  const vector = model.golden[0]!;
  const registers = Object.keys(vector.expect).map((name) => registerOf(model, vector, name));
  const definition = definitionOf(
    model,
    registers.map(({ name }) => name),
  );
  const readings = decodeSample(definition, {
    device: "m",
    at_ms: 1,
    mono_ms: 1,
    blocks: registers.map(({ fc, address }) => ({ fc, address, words: wordsOf(vector.registers[String(address)]!) })),
    failures: [],
  });
  expect(readings).toHaveLength(registers.length);
  expect(readings.every(({ quality }) => quality === "good")).toBe(true);
  const read = (quantity: string) => readings.find((reading) => reading.quantity === quantity)!.value;
  expect(read("active_energy_total")).toBe(24547766n);
  expect(read("active_power_l2")).toBe(-505.9888000488281);
});

test("the capture's voltage in the wrong word order is refused as implausible", () => {
  const model = proven.find(({ id }) => id === "eastron-sdm630")!;
  const definition = definitionOf(model, ["voltage_l1"]);
  const [reading] = decodeSample(definition, {
    device: "m",
    at_ms: 1,
    mono_ms: 1,
    blocks: [{ fc: 4, address: 0, words: wordsOf("708B 436B") }],
    failures: [],
  });
  expect(reading).toMatchObject({ value: 3.447993575063585e29, quality: "uncertain", why: "implausible" });
});

function registerOf(model: MeterModel, vector: GoldenVector, name: string) {
  const register = model.registers.find((candidate) => candidate.name === name);
  if (register === undefined) throw new Error(`${model.id} has no ${name}`);
  expect(register.fc).toBe(vector.fc);
  return register;
}

function wordsOf(text: string): Uint16Array {
  return Uint16Array.from(text.split(" "), (word) => Number.parseInt(word, 16));
}

function definitionOf(model: MeterModel, names: readonly string[]): DeviceDefinition {
  const registers = model.registers.filter(({ name }) => names.includes(name));
  return {
    device: "m",
    name: null,
    model: model.id,
    modelVersion: model.version,
    carrier: "electricity",
    role: "import",
    parent: null,
    registers: registers.map((register) => ({ register, every_ms: 1000 })),
    sentinels: model.sentinels,
    settings: {},
    counters: registers
      .filter(({ kind }) => kind === "counter")
      .map(({ quantity }) => ({
        quantity: quantity!,
        tick: { amount: "1", unit: "Wh" },
        modulus: null,
        rateMax_ticks_per_s: 1e6,
        float32_ticks_per_unit: null,
        accounted: false,
        poll_ms: 1000,
      })),
    interval_ms: 900_000,
    time_zone: "Asia/Ho_Chi_Minh",
  };
}
