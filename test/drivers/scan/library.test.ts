import { expect, test } from "vitest";
import { scan } from "../../../drivers/scan/scan.ts";
import { MODELS } from "../../hw-sim/fixture.ts";
import { simulated, specFor } from "./simulated.ts";

const models = [...MODELS.values()];
const options = { units: [7], timeout_ms: 100, patience_ms: 100, gap_ms: 0, wait: async () => {} };

test.each(models.map(({ id }) => id))("%s is known among all models of the library", async (id) => {
  const bus = simulated([{ unit: 7, ...specFor(MODELS.get(id)!) }]);
  const { found, silent, errors } = await scan(bus, models, options);
  expect([silent, errors]).toEqual([[], []]);
  expect(found).toHaveLength(1);
  const [{ unit, model, candidates, confidence, matched_by }] = found as [(typeof found)[0]];
  expect(unit).toBe(7);
  expect([model, ...candidates.map((one) => one.model)]).toContain(id);
  expect(model).toBe(id);
  expect(matched_by.length).toBeGreaterThan(0);
  expect(confidence).toBeGreaterThanOrEqual(0.3);
  expect(confidence).toBeLessThanOrEqual(1);
  expect(bus.reads.every(({ fc }) => fc === 3 || fc === 4)).toBe(true);
  expect(bus.reads.length).toBeLessThan(150);
});

test("identity is worth more than plausibility, and plausibility alone is never certain", async () => {
  const confidenceOf = async (id: string) =>
    (await scan(simulated([{ unit: 7, ...specFor(MODELS.get(id)!) }]), models, options)).found[0]!;
  const named = await confidenceOf("abb-b23-b24");
  const plausible = await confidenceOf("eastron-sdm630");
  expect(named.confidence).toBeGreaterThan(0.9);
  expect(named.matched_by[0]).toMatch(/^register 35168 \(fc 3\) is 1110586144/);
  expect(plausible.confidence).toBeLessThanOrEqual(0.9);
  expect(plausible.matched_by[0]).toMatch(/^frequency \d\d(\.\d+)? Hz$/);
});

test("meters that cannot be told apart are reported as candidates", async () => {
  const { found } = await scan(simulated([{ unit: 7, ...specFor(MODELS.get("schneider-pm2200")!) }]), models, options);
  expect(found[0]!.candidates.map(({ model }) => model)).toEqual(["schneider-iem3155-iem3255"]);
});
