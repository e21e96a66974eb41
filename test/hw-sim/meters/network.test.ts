import { expect, test } from "vitest";
import type { SimMeterSpec } from "../../../hw-sim/simConfig.ts";
import { local, meterOf, shown, simOf } from "../fixture.ts";

const NIGHT = local("2026-03-02T02:00");
const DAY = local("2026-03-02T10:00");
const pm5000 = (more: Partial<SimMeterSpec>) =>
  meterOf({
    model: "schneider-pm5000",
    rated_power_W: 400_000,
    load: { formula: "if(between(hour, 6, 18), 400e3, 4e3)" },
    ...more,
  });

test("phases carry the parts they are given: power, current, energy and the neutral follow", () => {
  const meter = meterOf({
    model: "carlo-gavazzi-em340-et340",
    load: { formula: "30000", power_factor: 0.9 },
    phase_percent: [50, 30, 20],
    since: "2026-03-01",
  });
  expect(["l1", "l2", "l3"].map((phase) => shown(meter, `active_power_${phase}`, DAY))).toEqual([15_000, 9000, 6000]);
  const [a, b, c] = ["l1", "l2", "l3"].map((phase) => shown(meter, `current_${phase}`, DAY)) as [
    number,
    number,
    number,
  ];
  expect(a / b).toBeCloseTo(5 / 3, 1);
  expect(a / c).toBeCloseTo(5 / 2, 1);
  const neutral = meter.gauges(DAY).current_neutral as number;
  expect(neutral).toBeCloseTo(Math.sqrt(a * a + b * b + c * c - a * b - b * c - c * a), 1);
  const day_mJ = (phase: "l1" | "l3") =>
    meter.ticks(`active_energy_import_${phase}`, local("2026-03-03")) -
    meter.ticks(`active_energy_import_${phase}`, local("2026-03-02"));
  expect(day_mJ("l1")).toBe(15_000n * 86_400_000n);
  expect(day_mJ("l3")).toBe(6000n * 86_400_000n);
});

test("voltage sags with the load by as much as the network is weak", () => {
  const drop = (sag_percent: number) => {
    const meter = pm5000({ sag_percent });
    const stiff = pm5000({ sag_percent: 0 });
    const at = (one: typeof meter, when: number) => shown(one, "voltage_l1", when);
    return { day: at(stiff, DAY) - at(meter, DAY), night: at(stiff, NIGHT) - at(meter, NIGHT) };
  };
  expect(drop(8).day).toBeCloseTo(0.08 * 230, 1);
  expect(drop(8).night).toBeCloseTo(0.0008 * 230, 1);
  expect(drop(2).day).toBeCloseTo(0.02 * 230, 1);
});

test("a power factor is lagging unless it says leading, in power, angle, registers and reactive energy", () => {
  const lagging = pm5000({ load: { formula: "20000", power_factor: 0.8 } });
  const leading = pm5000({ load: { formula: "20000", power_factor: { leading: 0.8 } } });
  expect(lagging.gauges(DAY)).toMatchObject({ reactive_power_total: 15_000, apparent_power_total: 25_000 });
  expect(leading.gauges(DAY)).toMatchObject({ reactive_power_total: -15_000, apparent_power_total: 25_000 });
  expect(shown(lagging, "power_factor_total", DAY)).toBeCloseTo(0.8, 6);
  expect(shown(leading, "power_factor_total", DAY)).toBeCloseTo(1.2, 6);
  expect(lagging.gauges(DAY).phase_angle).toBeCloseTo(36.87, 2);
  const grown = (meter: typeof lagging, quantity: "reactive_energy_import_total" | "reactive_energy_export_total") =>
    meter.ticks(quantity, NIGHT + 3_600_000) - meter.ticks(quantity, NIGHT);
  expect([grown(lagging, "reactive_energy_import_total"), grown(lagging, "reactive_energy_export_total")]).toEqual([
    15_000n * 3_600_000n,
    0n,
  ]);
  expect([grown(leading, "reactive_energy_import_total"), grown(leading, "reactive_energy_export_total")]).toEqual([
    0n,
    15_000n * 3_600_000n,
  ]);
});

test("a single-phase meter has no phases to share among", () => {
  expect(() =>
    simOf([{ unit: 1, model: "eastron-sdm230", load: { formula: "100" }, phase_percent: [50, 30, 20] }]),
  ).toThrow(/has 1 phase/);
});
