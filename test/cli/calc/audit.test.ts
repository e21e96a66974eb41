import { expect, test } from "vitest";
import { calculation } from "../../../cli/commands/calc.ts";
import { calcSpec } from "../../../config/files/calc.ts";
import { parseConfig } from "../../../config/parse.ts";

/** What an auditor's own files found. */
const NOW_MS = Date.parse("2026-11-22T00:00:00Z");
const calc = (yaml: string) => calculation(parseConfig(yaml, calcSpec, "calc.yaml"), "calc.yaml", NOW_MS).json;
const YEAR = "period: {from: 2023-01-01, to: 2024-01-01}\n";
const grid = (more: string) =>
  `${YEAR}activities: [{id: grid, carrier: electricity, quantity: 100, unit: MWh${more}}]\n`;

test.each([
  ["kg/MWh", grid(", factor: {value: 681.1, unit: kg/MWh}")],
  ["kg/kWh", grid(", factor: {value: 0.4936, unit: kg/kWh}")],
  ["g/kWh", grid(", factor: {value: 493.6, unit: g/kWh}")],
  ["a restatement", `${grid("")}restatement: {activity: grid, factor: {value: 681.1, unit: kg/MWh}}`],
  ["a residual mix", `${grid("")}residual_mix: {value: 0.6811, unit: t/MWh}`],
  [
    "an instrument",
    `${grid("")}instruments: [{id: rate, kind: supplier_rate, quantity: 1, factor: {value: 493.6, unit: kg/MWh}, criteria: {conveys_rate: true, sole_claim: true, retired: true, vintage: 2023, market: VN}}]`,
  ],
])("a figure that must not be used is refused in whatever unit and place: %s", (_place, yaml) => {
  expect(() => calc(yaml)).toThrow("must not be used");
});

test("an honest factor close to a refused one passes", () => {
  expect(calc(grid(", factor: {value: 681.2, unit: kg/MWh, source: certificate}"))).toMatchObject({
    totals: { scope2_location_kg: 68_120 },
  });
});

test("a period of which part has no factor of its own yet says provisional in both places", () => {
  const json = calc(
    "period: {from: 2023-07-01, to: 2024-07-01}\nactivities: [{id: grid, carrier: electricity, quantity: 100, unit: MWh}]\n",
  ) as { activities: readonly { provisional: boolean; factor: { match: string } }[] };
  expect(json.activities[0]).toMatchObject({ provisional: true, factor: { match: "provisional" } });
});

test("network losses are worked out for earlier years too", () => {
  const json = calc(
    "period: {from: 2022-01-01, to: 2023-01-01}\nactivities: [{id: grid, carrier: electricity, quantity: 7300, unit: MWh, losses: {voltage: 22_110kv}}]\n",
  ) as { activities: readonly { losses: { loss_mwh: number } }[] };
  expect(json.activities[0]!.losses.loss_mwh).toBeCloseTo(7300 * (1.02 * 1.027263 - 1), 6);
});

test("a density beside an amount in kilograms is asked about, for it is litres as a rule", () => {
  const fuel = `${YEAR}activities: [{id: d, carrier: diesel, quantity: 12500, unit: kg, density: {value: 0.84}}]\n`;
  expect(() => calc(fuel)).toThrow("did you mean L?");
});

test("what is known by a day does not hold factors of years to come", () => {
  expect(() => calc(`as_known_at: 2010-06-30\n${grid("")}`)).toThrow();
});

test("credits above the cap are cut, and that is said", () => {
  const json = calc("quota: {allocated_t: 100000, verified_direct_t: 200000, credits_t: 70000}\n") as unknown as {
    quota: { notes: readonly string[]; credits_used_t: number };
  };
  expect(json.quota.credits_used_t).toBe(30_000);
  expect(json.quota.notes).toEqual(["of 70000 t of credits only 30000 t count: the rest is above the cap"]);
});
