import { afterEach, beforeEach, expect, test } from "vitest";
import { BlendedFactor } from "../../../cloud/api/schemas.ts";
import { type TestZone, testZone, withApi } from "./zone.ts";

const HOUR = "from=2026-11-01&to=2026-11-01T01:00:00%2B07:00&step=hour";
let zone: TestZone;
beforeEach(() => {
  zone = testZone();
});
afterEach(() => zone.dispose());

const points = (query: string) =>
  withApi(zone, async (get) => {
    const answer = await get(`/api/v1/blended-factor?${query}`);
    expect(answer.status, answer.text).toBe(200);
    return BlendedFactor.parse(answer.body).points;
  });

test("W08 without a genset: bought emissions over import, solar and export; export lowers no emission", async () => {
  zone.book("grid", 0, [5_200_000n, 0n, 0n, 0n]);
  zone.book("grid", 0, [210_000n, 0n, 0n, 0n], "active_energy_export_total");
  zone.book("roof", 0, [1_450_000n, 0n, 0n, 0n]);
  const [point] = await points(`${HOUR}&site=electronics`);
  expect(point).toMatchObject({ import_kWh: 5200, export_kWh: 210, solar_kWh: 1450, consumption_kWh: 6440 });
  expect(point!.purchased_kg).toBeCloseTo(5200 * 0.6592, 9);
  expect(point!.kg_per_kWh).toBeCloseTo((5200 * 0.6592) / 6440, 12);
});

test("a site without solar has the grid's factor; one without data has none", async () => {
  zone.book("incomer", 0, [1_000_000n, 1_000_000n, 1_000_000n, 1_000_000n]);
  expect((await points(`${HOUR}&site=steel`))[0]!.kg_per_kWh).toBeCloseTo(0.6592, 12);
  expect((await points(`${HOUR}&site=electronics`))[0]!.kg_per_kWh).toBeNull();
});

test("it is of one site: the zone is refused", async () => {
  await withApi(zone, async (get) => {
    const answer = await get(`/api/v1/blended-factor?${HOUR}`);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("is of one site");
  });
});
