import type { CarrierId } from "../../core/emission/carriers.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { MeterModel, Register } from "../../core/model/meterModel.ts";
import type { Reading } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { defineDevice, type MeterSetup } from "../../drivers/define.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";

export const ACCOUNT = { interval_ms: 900_000, time_zone: "Asia/Ho_Chi_Minh" };

export function setup(carrier: CarrierId, more: Partial<MeterSetup> = {}): MeterSetup {
  return {
    id: "meter",
    carrier,
    role: "import",
    parent: null,
    every: { power_ms: 1000, energy_ms: 10_000 },
    ...more,
  };
}

/** A register as the config parser would give it. */
export function register(parts: Partial<Register> & Pick<Register, "name" | "type">): Register {
  const words = { u16: 1, i16: 1, u64: 4, i64: 4, f64: 4 }[parts.type as "u16"] ?? 2;
  return {
    fc: 3,
    address: 0,
    words,
    word_order: "big",
    scale: 1,
    unit: "",
    kind: "gauge",
    resettable: false,
    ...parts,
  };
}

export function model(registers: readonly Register[], more: Partial<MeterModel> = {}): MeterModel {
  return {
    id: "test-model",
    manufacturer: "Test",
    model: "T1",
    measures: ["electricity"],
    phases: 3,
    sources: ["this test"],
    confidence: "one-source",
    transport: ["tcp"],
    defaults: {},
    limits: { max_registers_per_read: 125, count_must_be_even: false, max_gap: 0 },
    timing: { min_gap_ms: 0 },
    identify: [],
    sentinels: [],
    registers,
    golden: [],
    proven: false,
    unverified: [],
    quirks: "-",
    version: "00000000",
    ...more,
  };
}

/** An import counter that lets `defineDevice` accept a model that a test is about for another reason. */
export const ANY_COUNTER = register({
  name: "active_energy_import_total",
  quantity: "active_energy_import_total",
  type: "u32",
  address: 9000,
  unit: "kWh",
  kind: "counter",
});

/** Decodes the words of single registers of a definition, each as a block of its own. */
export function decodeWords(
  definition: DeviceDefinition,
  words: Readonly<Record<number, readonly number[]>>,
  fc: 3 | 4 = 3,
): ReadonlyMap<QuantityId, Reading> {
  const readings = decodeSample(definition, {
    device: definition.device,
    at_ms: 1_700_000_000_000,
    mono_ms: 0,
    blocks: Object.entries(words).map(([address, block]) => ({
      fc,
      address: Number(address),
      words: Uint16Array.from(block),
    })),
    failures: [],
  });
  return new Map(readings.map((reading) => [reading.quantity, reading]));
}

export function define(
  registers: readonly Register[],
  more: Partial<MeterSetup> = {},
  models: Partial<MeterModel> = {},
) {
  return defineDevice(model([...registers, ANY_COUNTER], models), setup("electricity", more), ACCOUNT);
}
