import { afterEach, beforeEach, expect, test } from "vitest";
import { Emissions, Restatements, Trace } from "../../../cloud/api/schemas.ts";
import type { EmissionFactor } from "../../../core/emission/factor.ts";
import { restate } from "../../../core/emission/restate.ts";
import { GAS, GRID_2023, HOUR_MS, type TestZone, testZone, withApi } from "./zone.ts";

const GRID_2026: EmissionFactor = {
  ...GRID_2023,
  version: "2026",
  valid_from_ms: Date.parse("2026-01-01T00:00:00+07:00"),
  valid_to_ms: Date.parse("2027-01-01T00:00:00+07:00"),
  mg_per_basis: { co2: "670" },
  stated: { value: "0.6700", unit: "tCO2/MWh" },
};
const HOUR = "from=2026-11-01&to=2026-11-01T01:00:00%2B07:00&step=hour&site=steel";

let zone: TestZone;
beforeEach(() => {
  zone = testZone({ factors: [GRID_2023, GRID_2026, GAS] });
  // As the gateway booked it, before the year's letter came.
  const factors = zone.deps.factors as EmissionFactor[];
  factors.splice(0, factors.length, GRID_2023, GAS);
  zone.book("incomer", 0, [1_000_000n, 1_000_000n, 1_000_000n, 1_000_000n]);
  factors.splice(0, factors.length, GRID_2023, GRID_2026, GAS);
});
afterEach(() => zone.dispose());

/** The letter comes an hour later. */
function restateAll(): void {
  zone.now_ms += HOUR_MS;
  const gateway = { group: "kcn", edge: "gw-01" };
  const all = [0, Number.MAX_SAFE_INTEGER, 100] as const;
  const emitter = {
    device: "incomer",
    carrier: "electricity",
    role: "import",
    parent: null,
    ncv_MJ_per_Nm3: null,
  } as const;
  const entries = zone.store.intervals(gateway, "incomer", "active_energy_import_total", ...all).flatMap((interval) => {
    const held = zone.store.emissions(gateway, "incomer", interval.from_ms, interval.to_ms, 9);
    const result = restate(interval, held, emitter, zone.deps.factors, zone.now_ms);
    return result.kind === "restated" ? result.entries : [];
  });
  zone.store.restate({ gateway, device: "incomer", runAt_ms: zone.now_ms, reason: "factors-changed", entries });
}

test("what was restated is listed with both figures, the difference, and whether it is material", async () => {
  restateAll();
  await withApi(zone, async (get) => {
    const answer = await get("/api/v1/restatements?from=2026-11-01&to=2026-11-02");
    expect(answer.status, answer.text).toBe(200);
    const { restatements } = Restatements.parse(answer.body);
    expect(restatements).toHaveLength(1);
    expect(restatements[0]).toMatchObject({
      reason: "factors-changed",
      meter: "gw-01/incomer",
      site: "steel",
      factor_before: "grid-vn@2023",
      factor_after: "grid-vn@2026",
      from: "2026-11-01T00:00:00+07:00",
      to: "2026-11-01T01:00:00+07:00",
      restated_at: "2026-11-02T01:00:00+07:00",
      entries: 4,
      before_kg: 2636.8,
      after_kg: 2680,
      is_material: false,
    });
    expect(restatements[0]!.delta_kg).toBeCloseTo(43.2, 9);
    const strict = await get("/api/v1/restatements?from=2026-11-01&to=2026-11-02&significance_pct=1");
    expect(Restatements.parse(strict.body).restatements[0]!.is_material).toBe(true);
    const none = await get("/api/v1/restatements?from=2026-11-02&to=2026-11-03");
    expect(Restatements.parse(none.body).restatements).toEqual([]);
  });
});

test("the figure is the new one, as known before it is the old one, to the last digit", async () => {
  const before = new Date(zone.now_ms).toISOString();
  restateAll();
  await withApi(zone, async (get) => {
    const now = Emissions.parse((await get(`/api/v1/emissions?${HOUR}`)).body);
    const then = Emissions.parse((await get(`/api/v1/emissions?${HOUR}&as_known_at=${before}`)).body);
    expect([now.total.value, now.total.provisional]).toEqual([2680, false]);
    expect([then.total.value, then.total.provisional]).toEqual([2636.8, true]);
  });
});

test("an entry leads to the versions whose place it took, with the reason", async () => {
  restateAll();
  await withApi(zone, async (get) => {
    const { total } = Emissions.parse((await get(`/api/v1/emissions?${HOUR}`)).body);
    const trace = Trace.parse((await get(`/api/v1/emissions/${total.id}/trace`)).body);
    const [entry] = trace.activities[0]!.intervals[0]!.entries;
    expect(entry).toMatchObject({ factor: "grid-vn@2026", mg: "670000000", match: "exact" });
    expect(entry!.earlier).toMatchObject([
      { factor: "grid-vn@2023", mg: "659200000", match: "provisional", superseded_because: "factors-changed" },
    ]);
    const earlier = Trace.parse((await get(`/api/v1/emissions/${entry!.earlier[0]!.id}/trace`)).body);
    expect(earlier.value_kg).toBe(659.2);
  });
});

test("a period that ends before it begins is refused", async () => {
  await withApi(zone, async (get) => {
    const answer = await get("/api/v1/restatements?from=2026-11-02&to=2026-11-01");
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("is not before");
  });
});
