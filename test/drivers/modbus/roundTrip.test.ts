import { expect, test } from "vitest";
import type { CarrierId } from "../../../core/emission/carriers.ts";
import type { Register } from "../../../core/model/meterModel.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { decodeSample } from "../../../drivers/modbus/decode.ts";
import { encodeRegister } from "../../../drivers/modbus/encode.ts";
import { planFor } from "../../../drivers/modbus/planner.ts";
import { resolveDiscovery } from "../../../drivers/sunspec/discover.ts";
import { ACCOUNT, setup } from "../devices.ts";
import { modelOf } from "../models.ts";

const EXPONENT = -1;
/** Values that a healthy meter shows, by unit. */
const HEALTHY: Partial<Record<Register["unit"], number>> = { V: 231.4, Hz: 49.9, "": 0.9, A: 12.5 };
const healthyValue = (register: Register) =>
  register.kind === "scale_exponent" ? EXPONENT : (HEALTHY[register.unit] ?? 1234);

test.each<[string, CarrierId]>([
  ["eastron-sdm630", "electricity"],
  ["schneider-pm5000", "electricity"],
  ["schneider-iem3155-iem3255", "electricity"],
  ["carlo-gavazzi-em340-et340", "electricity"],
  ["sunspec-inverter-101-103", "solar"],
  ["sick-flowsic500", "natural_gas"],
  ["siemens-mag6000", "water"],
])("a simulated %s is planned, encoded and decoded into one good reading a quantity", (id, carrier) => {
  const file = modelOf(id);
  const model =
    file.discovery === undefined
      ? file
      : resolveDiscovery(file, { model_id: 103, address: 40069, length: 50, blocks: [] });
  const definition = defineDevice(model, setup(carrier, { m3_per_count: 0.1 }), ACCOUNT);
  const blocks = planFor(definition, model.limits)
    .flatMap((group) => group.blocks)
    .map(({ fc, address, count, registers }) => {
      const words = new Uint16Array(count);
      for (const register of registers) {
        const exponent = register.scale_exp_address === undefined ? 0 : EXPONENT;
        words.set(
          encodeRegister(register, healthyValue(register), { exponent, factor: 1 }),
          register.address - address,
        );
      }
      return { fc, address, words };
    });
  const readings = decodeSample(definition, { device: "meter", at_ms: 5, mono_ms: 5, blocks, failures: [] });

  const measuring = definition.registers
    .map(({ register }) => register)
    .filter(({ quantity }) => quantity !== undefined);
  expect(readings.map(({ quantity }) => quantity).sort()).toEqual(measuring.map(({ quantity }) => quantity).sort());
  for (const reading of readings) {
    expect(reading).toMatchObject({ quality: "good", why: null, at_ms: 5 });
    const register = measuring.find(({ quantity }) => quantity === reading.quantity)!;
    const counter = definition.counters.find(({ quantity }) => quantity === reading.quantity);
    if (counter === undefined) {
      const step = register.type.startsWith("f") ? 1e-4 : register.scale;
      expect(Math.abs(Number(reading.value) - healthyValue(register))).toBeLessThanOrEqual(step);
    } else {
      const worth = register.unit === "count" ? 0.1 : counter.tick.unit.endsWith("h") ? 1000 : 1;
      expect(Number(reading.value) * Number(counter.tick.amount)).toBeCloseTo(1234 * worth, 6);
    }
  }
});
