import { describe, expect, test } from "vitest";
import { loadModelLibrary } from "../../../config/models.ts";
import { CARRIERS, METERED_CARRIER_IDS } from "../../../core/emission/carriers.ts";
import {
  isQuantityId,
  QUANTITIES,
  QUANTITY_IDS,
  quantityOfRegister,
  quantityOfWire,
} from "../../../core/units/quantities.ts";
import { isUnitNotation, notationOfUcum, UNITS, type UnitNotation } from "../../../core/units/units.ts";

const NOTATIONS = Object.keys(UNITS) as UnitNotation[];

/** Measured values of model files that are no quantity of ours, and why. */
const NO_QUANTITY: Readonly<Record<string, string>> = {
  active_energy_import_int: "whole part of a split value; the register that holds both parts is read",
  active_energy_import_frac: "fraction of a split value",
  active_energy_export_int: "whole part of a split value",
  active_energy_export_frac: "fraction of a split value",
  active_energy_export_today: "starts again every midnight of the inverter's own clock: no counter to difference",
  apparent_energy_tariff1: "apparent energy of one tariff, of no direction: nothing is accounted by it",
  engine_starts: "a count of events, without a unit",
  volume_total_litres_mode1: "the same volume again, counted in litres",
  volume_total_litres_mode2: "the same volume again, counted in litres",
  grid_active_power_l1: "of the inverter's external grid meter: another measuring point",
  grid_active_power_l2: "of the inverter's external grid meter",
  grid_active_power_l3: "of the inverter's external grid meter",
  grid_active_power_total: "of the inverter's external grid meter",
  grid_frequency: "of the inverter's external grid meter",
  grid_voltage_l1: "of the inverter's external grid meter",
  grid_voltage_l2: "of the inverter's external grid meter",
  grid_voltage_l3: "of the inverter's external grid meter",
  reactive_power_capacitive_l1: "half of a signed value that is split by sign",
  reactive_power_capacitive_total: "half of a signed value that is split by sign",
  reactive_power_inductive_l1: "half of a signed value that is split by sign",
  reactive_power_inductive_total: "half of a signed value that is split by sign",
};

const measured = [...loadModelLibrary().values()].flatMap((model) =>
  model.registers
    .filter(({ kind }) => kind === "gauge" || kind === "counter" || kind === "daily_counter")
    .map((register) => ({ model: model.id, register })),
);

describe("the table of quantities", () => {
  test("has a wire path of its own for every quantity, and leads back from it", () => {
    expect(new Set(QUANTITY_IDS.map((id) => QUANTITIES[id].wire)).size).toBe(QUANTITY_IDS.length);
    for (const id of QUANTITY_IDS) expect(quantityOfWire(QUANTITIES[id].wire)).toBe(id);
    expect(quantityOfWire("Energy/Active")).toBeUndefined();
  });

  test("has paths that Sparkplug allows and our own folders do not use", () => {
    for (const id of QUANTITY_IDS) {
      const { wire } = QUANTITIES[id];
      expect(wire, id).toMatch(/^[A-Za-z0-9-]+(\/[A-Za-z0-9-]+)*$/);
      expect(wire, id).not.toMatch(/^(Interval|Emissions|Properties|Delivery|Node Control|bdSeq)(\/|$)/);
    }
  });

  test("has ids in snake case, known units, and a text for every reader", () => {
    for (const id of QUANTITY_IDS) {
      const { unit, display } = QUANTITIES[id];
      expect(id).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(isUnitNotation(unit), id).toBe(true);
      for (const text of [display.vi, display.en]) expect(text.trim(), id).toMatch(/\S/);
    }
  });

  test("calls no two quantities the same in one unit, except by the unit", () => {
    for (const language of ["vi", "en"] as const) {
      const names = QUANTITY_IDS.map((id) => `${QUANTITIES[id].display[language]} [${QUANTITIES[id].unit}]`);
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    }
  });

  test("sums only counters", () => {
    for (const id of QUANTITY_IDS) {
      const { kind, over } = QUANTITIES[id];
      expect(over === "sum", id).toBe(kind === "counter");
    }
  });

  test("does not know what every object knows", () => {
    expect(isQuantityId("toString")).toBe(false);
    expect(isUnitNotation("constructor")).toBe(false);
    expect(quantityOfRegister("constructor")).toBeUndefined();
  });
});

describe("the table of units", () => {
  test("leads from UCUM back to the notation", () => {
    for (const notation of NOTATIONS) expect(notationOfUcum(UNITS[notation].ucum)).toBe(notation);
    expect(notationOfUcum("kWh")).toBeUndefined();
  });

  test("is filed under its own notation, with a text in both languages", () => {
    for (const notation of NOTATIONS) {
      const unit = UNITS[notation];
      expect(unit.notation).toBe(notation);
      // A number without a unit is followed by nothing.
      if (notation !== "") for (const text of [unit.display.vi, unit.display.en]) expect(text).toMatch(/^\S+$/);
    }
  });

  test("carries codes without blanks that UCUM's grammar can hold", () => {
    for (const notation of NOTATIONS) expect(UNITS[notation].ucum, notation).toMatch(/^[\x21-\x7e]+$/);
  });
});

describe("the registers of the device library", () => {
  test("are quantities, or are listed here with the reason why not", () => {
    const without = new Set(
      measured.filter(({ register }) => register.quantity === undefined).map((m) => m.register.name),
    );
    expect([...without].sort()).toEqual(Object.keys(NO_QUANTITY).sort());
  });

  test("are counters where their quantity counts, and gauges where it does not, in its unit", () => {
    for (const { model, register } of measured) {
      if (register.quantity === undefined) continue;
      const row = QUANTITIES[register.quantity];
      expect(`${model} ${register.name} ${register.kind}`).toBe(`${model} ${register.name} ${row.kind}`);
      if (register.unit !== "count") expect([register.name, register.unit]).toEqual([register.name, row.unit]);
    }
  });

  test.each([
    ["active_energy_import_total", "active_energy_import_total"],
    ["active_energy_import_total_f32", "active_energy_import_total"],
    ["active_energy_import_f32", "active_energy_import_total"],
    ["active_energy_import", "active_energy_import_total"],
    ["ct_ratio", undefined],
    ["serial_number", undefined],
    ["grid_active_power_total", undefined],
  ])("%s measures %s", (name, quantity) => {
    expect(quantityOfRegister(name)).toBe(quantity);
  });
});

test("the counters of every carrier are counters of the table", () => {
  expect(METERED_CARRIER_IDS.length).toBeGreaterThan(10);
  for (const [carrier, { counters, display, scope }] of Object.entries(CARRIERS)) {
    for (const quantity of counters) expect(QUANTITIES[quantity].kind, quantity).toBe("counter");
    expect(display.vi && display.en, carrier).toBeTruthy();
    expect([1, 2, null]).toContain(scope);
  }
});
