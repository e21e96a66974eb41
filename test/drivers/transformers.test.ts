import { expect, test } from "vitest";
import { defineDevice } from "../../drivers/define.ts";
import { ACCOUNT, decodeWords, define, register, setup } from "./devices.ts";
import { modelOf } from "./models.ts";

/** IEEE 754 words written by hand: 2300.0, 5000.0, 1234.5, 100.0, 5.0, 400.0. */
const F = {
  2300: [0x450f, 0xc000],
  5000: [0x459c, 0x4000],
  "1234.5": [0x449a, 0x5000],
  100: [0x42c8, 0x0000],
  5: [0x40a0, 0x0000],
  400: [0x43c8, 0x0000],
} as const;

test("a Chint reads primary values through the ratios in its own registers", () => {
  const definition = defineDevice(modelOf("chint-dtsu666"), setup("electricity"), ACCOUNT);
  // CT 80 (400/5 A), VT 1.0 as raw 10; 230.0 V, 5.000 A, 123.45 W on the secondary side, 100 kWh.
  const words = { 6: [80, 10], 8198: F[2300], 8204: F[5000], 8210: F["1234.5"], 4126: F[100] };
  const readings = decodeWords(definition, words);
  expect(readings.get("voltage_l1")).toMatchObject({ value: 230, quality: "good" });
  expect(readings.get("current_l1")).toMatchObject({ value: 400, quality: "good" });
  expect(readings.get("active_power_total")!.value).toBeCloseTo(123.45 * 80, 9);
  expect(readings.get("active_energy_import_total")).toMatchObject({ value: 8_000_000n, quality: "good" });
});

test("a Chint behind a medium-voltage transformer multiplies by both, and its voltage is believed", () => {
  // VT 220.0 as raw 2200.
  const definition = defineDevice(
    modelOf("chint-dtsu666"),
    setup("electricity", { nominal_V: 50_600, vt_ratio: 220 }),
    ACCOUNT,
  );
  const readings = decodeWords(definition, { 6: [20, 2200], 8198: F[2300], 8210: F["1234.5"], 4126: F[100] });
  expect(readings.get("voltage_l1")).toMatchObject({ value: 50_600, quality: "good" });
  expect(readings.get("active_power_total")!.value).toBeCloseTo(123.45 * 20 * 220, 6);
  expect(readings.get("active_energy_import_total")!.value).toBe(440_000_000n);
});

test("a Chint whose ratio registers were not read has no values rather than secondary ones", () => {
  const definition = defineDevice(modelOf("chint-dtsu666"), setup("electricity"), ACCOUNT);
  const readings = decodeWords(definition, { 8204: F[5000], 4126: F[100] });
  for (const quantity of ["current_l1", "active_energy_import_total"] as const) {
    expect(readings.get(quantity)).toMatchObject({ value: null, quality: "bad", why: "scale-missing" });
  }
});

test("Janitza's secondary-side integer energy is multiplied and divided by four ratio registers", () => {
  const umg = modelOf("janitza-umg96rm");
  const registers = umg.registers.filter(({ name }) =>
    /^(active_energy_import_total_secondary|[cv]t_(primary|secondary)_l1)$/.test(name),
  );
  const definition = defineDevice({ ...umg, registers }, setup("electricity"), ACCOUNT);
  // 12 345 Wh on the secondary side of 100/5 A and 400/400 V.
  const words = { 10: [...F[100], ...F[5], ...F[400], ...F[400]], 5800: [0, 12_345] };
  const reading = decodeWords(definition, words).get("active_energy_import_total");
  expect(reading).toMatchObject({ value: 246_900n, quality: "good" });
});

test("Janitza's float energy is primary-side already and is not multiplied", () => {
  const definition = defineDevice(
    modelOf("janitza-umg96rm"),
    setup("electricity", { ct_ratio: 80, vt_ratio: 220 }),
    ACCOUNT,
  );
  expect(decodeWords(definition, { 19068: F["1234.5"] }).get("active_energy_import_total")!.value).toBe(1234n);
});

test("a ratio from the configuration and one from a register multiply", () => {
  const definition = defineDevice(modelOf("acrel-adl400"), setup("electricity", { vt_ratio: 220 }), ACCOUNT);
  const reading = decodeWords(definition, { 10: [0, 100], 331: [40] }).get("active_energy_import_total");
  // 1.00 kWh x CT 40 x VT 220.
  expect(reading).toMatchObject({ value: 8_800_000n, quality: "good" });
});

test("without a nominal voltage what stands behind a transformer is believed up to its ratio only", () => {
  const voltage = register({
    name: "voltage_l1",
    quantity: "voltage_l1",
    type: "u32",
    unit: "V",
    site_factor: "vt_ratio",
  });
  const read = (vt_ratio: number, raw: number) =>
    decodeWords(define([voltage], { vt_ratio }), { 0: [0, raw] }).get("voltage_l1");
  expect(read(220, 57)).toMatchObject({ value: 12_540, quality: "good" });
  expect(read(1, 1200)).toMatchObject({ value: 1200, quality: "uncertain", why: "implausible" });
});
