import { expect, test } from "vitest";
import { defineDevice } from "../../drivers/define.ts";
import { planFor } from "../../drivers/modbus/planner.ts";
import { resolveDiscovery } from "../../drivers/sunspec/discover.ts";
import { ACCOUNT, model, register, setup } from "./devices.ts";
import { allModels, modelOf } from "./models.ts";

const inverter = () =>
  resolveDiscovery(modelOf("sunspec-inverter-101-103"), { model_id: 103, address: 40069, length: 50, blocks: [] });

test.each([
  ["eastron-sdm630", "active_energy_import_total", { amount: "1", unit: "Wh" }, null],
  ["schneider-pm5000", "active_energy_import_total", { amount: "1", unit: "Wh" }, null],
  ["schneider-iem3155-iem3255", "active_energy_export_total", { amount: "1", unit: "Wh" }, null],
  ["carlo-gavazzi-em340-et340", "active_energy_import_total", { amount: "100", unit: "Wh" }, 2n ** 31n],
  ["carlo-gavazzi-em340-et340", "reactive_energy_import_total", { amount: "100", unit: "varh" }, 2n ** 31n],
  ["acrel-adw300", "active_energy_import_total", { amount: "10", unit: "Wh" }, 2n ** 32n],
] as const)("%s counts %s in ticks of %o", (id, quantity, tick, modulus) => {
  const definition = defineDevice(modelOf(id), setup("electricity"), ACCOUNT);
  expect(definition.counters.find((counter) => counter.quantity === quantity)).toMatchObject({
    tick,
    modulus,
    accounted: true,
    poll_ms: 10_000,
  });
});

test("a gas counter's tick is what the site says a count is worth", () => {
  const definition = defineDevice(modelOf("sick-flowsic500"), setup("natural_gas", { m3_per_count: 0.1 }), ACCOUNT);
  expect(definition.counters).toMatchObject([
    {
      quantity: "volume_base_total",
      tick: { amount: "0.1", unit: "Nm3" },
      modulus: 2n ** 32n,
      rateMax_ticks_per_s: 100,
      float32_ticks_per_unit: null,
    },
  ]);
});

test("a gas counter in counts of unknown volume is refused with what to do", () => {
  expect(() => defineDevice(modelOf("sick-flowsic500"), setup("natural_gas"), ACCOUNT)).toThrow(
    expect.objectContaining({ code: "COUNTER_RESOLUTION_UNKNOWN", hint: expect.stringContaining("m3_per_count") }),
  );
});

test("a water meter's float64 totalizer counts litres", () => {
  const definition = defineDevice(modelOf("siemens-mag6000"), setup("water"), ACCOUNT);
  expect(definition.counters).toMatchObject([
    {
      quantity: "volume_total_1",
      tick: { amount: "0.001", unit: "m3" },
      modulus: null,
      rateMax_ticks_per_s: 10_000,
      float32_ticks_per_unit: null,
    },
  ]);
  expect(definition.registers.find((polled) => polled.register.quantity === "volume_total_1")!.register.type).toBe(
    "f64",
  );
});

test("a SunSpec inverter is polled with its exponents, each beside the values it scales", () => {
  const definition = defineDevice(inverter(), setup("solar", { role: "generation" }), ACCOUNT);
  const polled = (every_ms: number) =>
    definition.registers.filter((one) => one.every_ms === every_ms).map((one) => one.register.name);
  expect(polled(10_000)).toEqual(["active_energy_export_total", "active_energy_scale_exp"]);
  expect(polled(1000)).toContain("active_power_scale_exp");
  expect(polled(1000)).not.toContain("active_energy_scale_exp");
  expect(definition.counters).toMatchObject([{ tick: { amount: "1", unit: "Wh" }, modulus: null }]);
});

test("SunSpec offsets that were not resolved are our own mistake", () => {
  expect(() => defineDevice(modelOf("sunspec-inverter-101-103"), setup("solar"), ACCOUNT)).toThrow(/\[INTERNAL\]/);
});

test("without suffix goes before alternatives, and settings are not polled", () => {
  const definition = defineDevice(modelOf("schneider-pm5000"), setup("electricity"), ACCOUNT);
  const names = definition.registers.map((polled) => polled.register.name);
  expect(names).toContain("active_energy_import_total");
  expect(names).not.toContain("active_energy_import_total_f32");
  expect(names).not.toContain("ct_primary");
  expect(names).toContain("power_factor_total");
});

test("an integer copy of a counter goes before a float one", () => {
  const copy = (name: string, type: "u32" | "f32", address: number) =>
    register({ name, quantity: "active_energy_import_total", type, address, unit: "kWh", kind: "counter" });
  const two = model([
    copy("active_energy_import_total_f32", "f32", 0),
    copy("active_energy_import_total_u32", "u32", 2),
  ]);
  const definition = defineDevice(two, setup("electricity"), ACCOUNT);
  expect(definition.registers.map((polled) => polled.register.name)).toEqual(["active_energy_import_total_u32"]);
});

test("the rated power bounds the counter's rate, without it 100 MW do", () => {
  const rate = (rated_power_W?: number) =>
    defineDevice(
      modelOf("carlo-gavazzi-em340-et340"),
      setup("electricity", rated_power_W === undefined ? {} : { rated_power_W }),
      ACCOUNT,
    ).counters[0]!.rateMax_ticks_per_s;
  expect(rate(300_000)).toBeCloseTo(1, 12); // 360 kW are 100 Wh a second
  expect(rate()).toBeCloseTo(100e6 / 3600 / 100, 9);
});

test("a site ratio is part of the tick, and a missing one is refused", () => {
  const counter = register({
    name: "active_energy_import_total",
    quantity: "active_energy_import_total",
    type: "u32",
    scale: 0.01,
    unit: "kWh",
    kind: "counter",
    site_factor: "ct_ratio",
  });
  const definition = defineDevice(model([counter]), setup("electricity", { ct_ratio: 80 }), ACCOUNT);
  expect(definition.counters[0]!.tick).toEqual({ amount: "800", unit: "Wh" });
  expect(() => defineDevice(model([counter]), setup("electricity"), ACCOUNT)).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", hint: expect.stringContaining("ct_ratio") }),
  );
});

test("a counter scaled by a ratio register counts watt-hours and brings the register along", () => {
  const definition = defineDevice(modelOf("acrel-adl400"), setup("electricity", { vt_ratio: 1 }), ACCOUNT);
  expect(definition.counters[0]).toMatchObject({ tick: { amount: "1", unit: "Wh" }, modulus: null });
  expect(
    definition.registers.filter((polled) => polled.every_ms === 10_000).map((polled) => polled.register.name),
  ).toContain("ct_ratio");
});

test("a carrier that the model cannot book is refused with the carriers it can", () => {
  expect(() => defineDevice(modelOf("siemens-mag6000"), setup("electricity"), ACCOUNT)).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", hint: expect.stringContaining("water") }),
  );
});

test("every electricity meter of the library that counts imports can be defined and planned within its limits", () => {
  const models = allModels().filter(
    (one) =>
      one.discovery === undefined &&
      one.registers.some(({ quantity, kind }) => quantity === "active_energy_import_total" && kind === "counter"),
  );
  expect(models.length).toBeGreaterThanOrEqual(18);
  for (const one of models) {
    const definition = defineDevice(one, setup("electricity", { ct_ratio: 1, vt_ratio: 1 }), ACCOUNT);
    const blocks = planFor(definition, one.limits).flatMap((group) => group.blocks);
    expect(blocks.flatMap((block) => block.registers)).toHaveLength(definition.registers.length);
    expect(Math.max(...blocks.map((block) => block.count))).toBeLessThanOrEqual(one.limits.max_registers_per_read);
  }
});

test.each([
  ["once an interval", 86_400_000, 3_600_000, 3_600_000],
  ["no more often than every 15 minutes", 86_400_000, 300_000, 900_000],
  ["as often as the settings, if those are read more often", 60_000, 3_600_000, 60_000],
])("the serial number is read %s, the settings when the site says", (_, settings_ms, interval_ms, serial_ms) => {
  const every = { power_ms: 1000, energy_ms: 10_000, settings_ms };
  for (const id of ["eastron-sdm630", "abb-b23-b24"]) {
    const { registers } = defineDevice(modelOf(id), setup("electricity", { every }), { ...ACCOUNT, interval_ms });
    const seldom = registers.filter(({ register }) => register.kind === "setting" || register.kind === "info");
    for (const { register, every_ms } of seldom) {
      expect(every_ms, register.name).toBe(register.name === "serial_number" ? serial_ms : settings_ms);
    }
    expect(seldom.some(({ register }) => register.name === "serial_number")).toBe(true);
  }
});
