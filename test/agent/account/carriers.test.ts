import { describe, expect, test } from "vitest";
import { createAccountant } from "../../../agent/account/accountant.ts";
import { loadFactors } from "../../../config/factors.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import type { CarrierId } from "../../../core/emission/carriers.ts";
import { emissionsOf } from "../../../core/emission/emission.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { decodeSample } from "../../../drivers/modbus/decode.ts";
import { ACCOUNT, setup } from "../../drivers/devices.ts";

/** Carriers beside grid power and gas, metered by models of the library. */
const { factors } = loadFactors();
const START_MS = Date.parse("2023-06-15T10:00:00+07:00");
const KNOWN_AT_MS = Date.parse("2026-11-22T00:00:00+07:00");

function meter(model: string, carrier: CarrierId, role: "import" | "generation" = "import"): DeviceDefinition {
  return defineDevice(loadModelLibrary().get(model)!, setup(carrier, { role }), ACCOUNT);
}

/** Two polls a quarter of an hour apart in which the book counter goes from one raw pair of words to another. */
function quarter(definition: DeviceDefinition, before: Uint16Array, after: Uint16Array) {
  const booked = definition.counters[0]!.quantity;
  const { register } = definition.registers.find(({ register: of }) => of.quantity === booked)!;
  const accountant = createAccountant(definition, factors);
  const [, closing] = [before, after].map((words, at) => {
    const sample = {
      device: definition.device,
      at_ms: START_MS + at * 900_000,
      mono_ms: at * 900_000,
      blocks: [{ fc: register.fc, address: register.address, words }],
      failures: [],
    };
    return accountant.take(sample, decodeSample(definition, sample), KNOWN_AT_MS, 1);
  });
  return closing!;
}

describe("a genset controller", () => {
  const words = (litres: number) => Uint16Array.of(Math.floor(litres / 65_536), litres % 65_536);

  test("books its fuel: litres by density and calorific value of the factor, gas by gas", () => {
    const { intervals, emissions, withoutFactor } = quarter(
      meter("deepsea-dse-gencomm", "diesel"),
      words(1000),
      words(1025),
    );
    expect(withoutFactor).toEqual([]);
    expect(intervals[0]).toMatchObject({ quantity: "fuel_used_total", ticks: 25n, tick: { amount: "1", unit: "L" } });
    // 25 L × 0.84 kg/L × 43 MJ/kg = 903 MJ.
    expect(
      emissions.map(({ gas, mg, scope, factorId, match, ncv_MJ_per_Nm3 }) => ({
        gas,
        mg,
        scope,
        factorId,
        match,
        ncv_MJ_per_Nm3,
      })),
    ).toEqual(
      (
        [
          ["co2", 66_912_300n],
          ["ch4", 2709n],
          ["n2o", 542n],
        ] as const
      ).map(([gas, mg]) => ({
        gas,
        mg,
        scope: 1,
        factorId: "qd2626-diesel-stationary",
        match: "exact",
        ncv_MJ_per_Nm3: null,
      })),
    );
  });

  test("books the same in the cloud, which knows only the factor's name and the meter's birth", () => {
    const definition = meter("deepsea-dse-gencomm", "diesel");
    const { intervals, emissions } = quarter(definition, words(1000), words(1025));
    const [{ factorId, factorVersion }] = emissions as [(typeof emissions)[number]];
    const named = factors.filter(({ id, version }) => id === factorId && version === factorVersion);
    const emitter = { ...definition, ncv_MJ_per_Nm3: null };
    expect(emissionsOf(intervals[0]!, emitter, named, Number.POSITIVE_INFINITY)).toEqual({
      kind: "emissions",
      entries: emissions,
    });
  });

  test("counts the power it makes, which emits nothing beside its fuel", () => {
    const definition = meter("deepsea-dse-gencomm", "genset_electricity", "generation");
    const { intervals, emissions, withoutFactor } = quarter(definition, words(10), words(30));
    expect(intervals[0]).toMatchObject({ quantity: "active_energy_export_total", ticks: 20n, tick: { unit: "Wh" } });
    expect([emissions, withoutFactor]).toEqual([[], []]);
  });
});

test("bought heat without a supplier's factor is shown as activity without one; with it, it is scope 2", () => {
  const definition = meter("onicon-system-10", "purchased_heat");
  const f32 = (kWh: number) => {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, kWh);
    return Uint16Array.of(view.getUint16(0), view.getUint16(2));
  };
  const { intervals, emissions, withoutFactor } = quarter(definition, f32(500), f32(600));
  expect(intervals[0]).toMatchObject({ quantity: "thermal_energy_total_mode1", ticks: 100_000n, tick: { unit: "Wh" } });
  expect(emissions).toEqual([]);
  expect(withoutFactor[0]?.why).toBe("no purchased_heat factor covers this date or a time before it");

  const own = {
    id: "steam-of-c",
    version: "2023",
    carrier: "purchased_heat",
    level: "own",
    valid_from_ms: Date.parse("2023-01-01T00:00:00+07:00"),
    valid_to_ms: null,
    known_from_ms: null,
    basis: "energy_Wh",
    mg_per_basis: { co2: "310" },
    stated: { value: "0.31", unit: "tCO2/MWh" },
    document: "certificate of C",
    sources: [],
    confidence: "official",
    uncertainty_pct: null,
  } as const;
  const result = emissionsOf(intervals[0]!, { ...definition, ncv_MJ_per_Nm3: null }, [...factors, own], KNOWN_AT_MS);
  expect(result).toMatchObject({ kind: "emissions", entries: [{ gas: "co2", mg: 31_000_000n, scope: 2 }] });
});
