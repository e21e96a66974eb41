import { expect, test } from "vitest";
import { formulaText } from "../../../cloud/api/trace.ts";
import { loadFactors } from "../../../config/factors.ts";
import { parseDecimal } from "../../../core/emission/decimal.ts";

const { factors, gwpSets } = loadFactors();
const AR5 = gwpSets.find(({ id }) => id === "AR5")!;

test("a fuel counted in litres shows its energy per litre: density times calorific value of the factor", () => {
  const factor = factors.find(({ id }) => id === "qd2626-diesel-stationary")!;
  const sum = {
    gateway: { group: "kcn", edge: "gw-01" },
    device: "tank",
    carrier: "diesel",
    scope: 1,
    factorId: factor.id,
    factorVersion: factor.version,
    match: "exact",
    bucket: 0,
  } as const;
  const sums = [
    { ...sum, gas: "co2", mg: 33_456_150_000n },
    { ...sum, gas: "ch4", mg: 1_354_500n },
    { ...sum, gas: "n2o", mg: 270_900n },
  ] as unknown as Parameters<typeof formulaText>[0]["sums"];
  const term = {
    quantity: "fuel_used_total",
    factor,
    factorKey: "",
    ncv: null,
    activity: parseDecimal("12500"),
    sums,
  } as const;
  expect(formulaText(term, AR5)).toBe(
    "12500 L × 36.12 MJ/L ÷ 1000000 × (74100 + 3 × 28 + 0.6 × 265) kg CO2e/TJ ÷ 1000 = 33.566 t CO2e",
  );
});
