/** The meters of the polling benchmark: float gauges and one energy counter, side by side. */
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { MeterModel, ModelLimits, Register } from "../../../core/model/meterModel.ts";
import { QUANTITIES, type QuantityId } from "../../../core/units/quantities.ts";
import { defineDevice } from "../../../drivers/define.ts";

const GAUGES = (Object.keys(QUANTITIES) as QuantityId[]).filter(
  (id) => QUANTITIES[id].kind === "gauge" && !id.includes("_demand"),
);

/** `values` floats at these addresses, one after the other without them; all due every second. */
export function floatMeter(values: number, limits: ModelLimits, addresses?: readonly number[]): DeviceDefinition {
  const quantities: readonly QuantityId[] = [...GAUGES.slice(0, values - 1), "active_energy_import_total"];
  const registers = quantities.map((quantity, i): Register => {
    const row = QUANTITIES[quantity];
    return {
      name: quantity,
      quantity,
      fc: 4,
      address: addresses?.[i] ?? 2 * i,
      words: 2,
      type: "f32",
      word_order: "big",
      scale: 1,
      unit: row.unit,
      kind: row.kind === "counter" ? "counter" : "gauge",
      resettable: false,
    };
  });
  const model: MeterModel = {
    id: "bench-floats",
    manufacturer: "bench",
    model: "floats",
    measures: ["electricity"],
    phases: 3,
    sources: ["this benchmark"],
    confidence: "one-source",
    transport: ["tcp"],
    defaults: {},
    limits,
    timing: { min_gap_ms: 0 },
    identify: [],
    sentinels: [],
    registers,
    golden: [],
    proven: false,
    unverified: [],
    quirks: "",
    version: "00000000",
  };
  const meter = {
    id: "meter",
    carrier: "electricity",
    role: "import",
    parent: null,
    every: { power_ms: 1000, energy_ms: 1000 },
  } as const;
  return defineDevice(model, meter, { interval_ms: 900_000, time_zone: "Asia/Ho_Chi_Minh" });
}

export function limitsOf(max_registers_per_read: number, max_gap = 0): ModelLimits {
  return { max_registers_per_read, count_must_be_even: false, max_gap };
}
