import { afterEach, beforeEach, expect, test } from "vitest";
import { Completeness, Emissions, Energy, Trace } from "../../../cloud/api/schemas.ts";
import { GAS, GRID_2023, HOUR_MS, START_MS, type TestZone, testZone, withApi } from "./zone.ts";

let zone: TestZone;
beforeEach(() => {
  zone = testZone();
});
afterEach(() => zone.dispose());

const FIRST_HOUR = "from=2026-11-01&to=2026-11-01T01:00:00%2B07:00&step=hour";
const DAY = "from=2026-11-01&to=2026-11-02";
const kwh = (energy: Energy, key: string) => energy.groups.find((group) => group.key === key)?.total.value;

async function energy(query: string): Promise<Energy> {
  return withApi(zone, async (get) => {
    const answer = await get(`/api/v1/energy?${query}`);
    expect(answer.status, answer.text).toBe(200);
    return Energy.parse(answer.body);
  });
}

async function emissions(query: string): Promise<Emissions> {
  return withApi(zone, async (get) => {
    const answer = await get(`/api/v1/emissions?${query}`);
    expect(answer.status, answer.text).toBe(200);
    return Emissions.parse(answer.body);
  });
}

test("energy by carrier: what crosses the fence, what is made on site; sub-meters and export add nothing to the import", async () => {
  zone.book("incomer", 0, [1000n, 2000n, 3000n, 4000n]);
  zone.book("furnace", 0, [900n, 900n, 900n, 900n]);
  zone.book("grid", 0, [10n, 0n, 0n, 0n]);
  zone.book("grid", 0, [7n, 7n, 7n, 7n], "active_energy_export_total");
  zone.book("roof", 0, [500n, 500n, 500n, 500n]);
  zone.book("boiler", 0, [1n, 2n, 3n, 4n]);
  const all = await energy(FIRST_HOUR);
  expect(all.groups.map(({ key, direction, total }) => [key, direction, total.value, total.unit])).toEqual([
    ["electricity", "import", 10.01, "kW.h"],
    ["natural_gas", "import", 10, "m3{normal}"],
    ["electricity-export", "export", 0.028, "kW.h"],
    ["solar", "generation", 2, "kW.h"],
  ]);
  const steel = await energy(`${FIRST_HOUR}&site=steel`);
  expect(steel.groups.map(({ key, total }) => [key, total.value])).toEqual([["electricity", 10]]);
  expect(steel).toMatchObject({ site: "steel", zone: "kcn", from: "2026-11-01T00:00:00+07:00" });
});

test("energy by meter shows sub-meters, by site what each site drew", async () => {
  zone.book("incomer", 0, [1000n]);
  zone.book("furnace", 0, [900n]);
  const byMeter = await energy(`${FIRST_HOUR}&by=meter`);
  expect(kwh(byMeter, "gw-01/furnace")).toBe(0.9);
  expect(byMeter.groups.find((group) => group.key === "gw-01/furnace")).toMatchObject({
    direction: "use",
    meter: "gw-01/furnace",
  });
  expect(kwh(byMeter, "gw-02/roof")).toBeNull();
  const bySite = await energy(`${FIRST_HOUR}&by=site`);
  expect(bySite.groups.map(({ key, total }) => [key, total.value])).toEqual([
    ["steel", 1],
    ["electronics", null],
  ]);
});

test("no rows is no number, and zero with full coverage is zero", async () => {
  zone.book("incomer", 0, [0n, 0n, 0n, 0n]);
  const [group] = (await energy(`${FIRST_HOUR}&site=steel`)).groups;
  expect(group?.total).toEqual({
    value: 0,
    unit: "kW.h",
    coverage_pct: 100,
    estimated_pct: 0,
    provisional: false,
    lower_bound: false,
    uncertainty_pct: null,
  });
  const before = await energy("from=2026-10-01&to=2026-10-02&site=steel");
  expect(before.groups[0]?.total).toMatchObject({
    value: null,
    coverage_pct: 0,
    estimated_pct: null,
    lower_bound: true,
  });
});

test("a hole is a lower bound with its coverage, also before the first interval; after now nothing is missing", async () => {
  zone.now_ms = START_MS + 2 * HOUR_MS + 60_000;
  zone.book("incomer", 2, [1000n, 1000n, 1000n]);
  const day = (await energy(`${DAY}&step=hour&site=steel`)).groups[0];
  expect(day?.points.slice(0, 3)).toMatchObject([
    { value: 2, coverage_pct: 50, lower_bound: true },
    { value: 1, coverage_pct: 25, lower_bound: true },
    { value: null, coverage_pct: null, lower_bound: false },
  ]);
  expect(day?.total).toMatchObject({ value: 3, coverage_pct: 37.5, lower_bound: true });
});

test("a year with one measured day is a lower bound with a day's coverage, its other months hold nothing", async () => {
  zone.now_ms = START_MS + 24 * HOUR_MS + 60_000;
  zone.book(
    "incomer",
    0,
    Array.from({ length: 96 }, () => 1000n),
  );
  const year = "from=2026-01-01&to=2027-01-01&step=month&site=steel";
  const share_pct = Math.floor((1 / 305) * 1e6) / 1e4;
  for (const answer of [(await energy(year)).groups[0]!, (await emissions(year)).groups[0]!]) {
    expect(answer.total).toMatchObject({ coverage_pct: share_pct, lower_bound: true });
    expect(answer.points[9]).toMatchObject({ value: null, coverage_pct: 0, lower_bound: true });
    expect(answer.points[10]).toMatchObject({ coverage_pct: 100, lower_bound: false });
    expect(answer.points[11]).toMatchObject({ value: null, coverage_pct: null, lower_bound: false });
  }
  await withApi(zone, async (get) => {
    const answer = Completeness.parse((await get(`/api/v1/completeness?${year}`)).body);
    const [incomer] = answer.meters.filter((meter) => meter.meter === "gw-01/incomer");
    expect(incomer?.coverage_pct).toBe(share_pct);
    expect(incomer?.points[0]).toMatchObject({ expected: 31 * 96, held: 0, coverage_pct: 0 });
    const never = answer.meters.find((meter) => meter.meter === "gw-01/furnace");
    expect(never?.points[10]).toMatchObject({ expected: 96, held: 0, coverage_pct: 0 });
  });
});

test("before anything was booked nothing was known, and that is no complete figure", async () => {
  zone.book("incomer", 0, [1000n, 1000n, 1000n, 1000n]);
  const answer = await emissions(`${FIRST_HOUR}&site=steel&as_known_at=2020-01-01`);
  expect(answer.total).toMatchObject({ value: null, coverage_pct: 0, lower_bound: true });
});

test("a place without any meter has no coverage at all", async () => {
  zone.dispose();
  zone = testZone({
    sites: [{ id: "empty", name: { vi: "Trống", en: "Empty" }, sector: "food", gateways: [] }],
  });
  for (const by of ["scope", "site"]) {
    const answer = await emissions(`${FIRST_HOUR}&by=${by}`);
    expect(answer.total).toMatchObject({ value: null, coverage_pct: null, lower_bound: false });
  }
  expect((await energy(`${FIRST_HOUR}&by=site`)).groups[0]?.total).toMatchObject({ value: null, coverage_pct: null });
});

test("an interval may take a minute to arrive before it counts as missing", async () => {
  zone.book("incomer", 0, [1000n]);
  const at = async (after_ms: number) => {
    zone.now_ms = START_MS + 1_800_000 + after_ms;
    return (await energy(`${DAY}&site=steel`)).groups[0]?.total;
  };
  expect(await at(59_000)).toMatchObject({ coverage_pct: 100, lower_bound: false });
  expect(await at(61_000)).toMatchObject({ coverage_pct: 50, lower_bound: true });
});

test("estimated share, incomplete and unknown intervals are told", async () => {
  zone.book("incomer", 0, [
    3000n,
    { ticks: 1000n, flag: "S", coverage: 0.5 },
    { ticks: 500n, flag: "X", coverage: 0.5 },
    { ticks: null, flag: "X", coverage: 0 },
  ]);
  const [group] = (await energy(`${FIRST_HOUR}&site=steel`)).groups;
  expect(group?.total).toMatchObject({ value: 4.5, coverage_pct: 50, lower_bound: true });
  expect(group?.total.estimated_pct).toBeCloseTo((1 / 4.5) * 100, 3);
});

test("one site's missing meter makes the zone's total a lower bound", async () => {
  zone.book("incomer", 0, [1000n, 1000n, 1000n, 1000n]);
  zone.book("grid", 0, [1000n, 1000n]);
  expect((await energy(FIRST_HOUR)).groups[0]?.total).toMatchObject({ value: 6, coverage_pct: 75, lower_bound: true });
});

test("emissions are the sums of whole milligrams: by scope, carrier and site they add up to the same total", async () => {
  zone.book("incomer", 0, [1_234_567n, 7n]);
  zone.book("furnace", 0, [999n, 1n]);
  zone.book("grid", 0, [1n, 3n]);
  zone.book("boiler", 0, [10n, 20n]);
  // half-even(Wh × 659.2 mg) per interval; gas 30 Nm3 × 36.5 MJ, per gas.
  const electricity_mg = 813_826_566 + 4614 + 659 + 1978;
  const gas_mg = 30 * 36.5 * 56_100 + 28 * 1095 + 265 * (36 + 73);
  const total_kg = (electricity_mg + gas_mg) / 1e6;
  for (const by of ["scope", "carrier", "site"]) {
    const answer = await emissions(`${FIRST_HOUR}&by=${by}`);
    expect(answer.total.value).toBe(total_kg);
    expect(answer.groups.reduce((sum, group) => sum + (group.total.value ?? 0), 0)).toBeCloseTo(total_kg, 9);
  }
  const byScope = await emissions(FIRST_HOUR);
  expect(byScope.groups.map(({ key, total }) => [key, total.value, total.provisional])).toEqual([
    ["scope1", gas_mg / 1e6, false],
    ["scope2", electricity_mg / 1e6, true],
  ]);
  expect(byScope.total).toMatchObject({ unit: "kg", provisional: true });
  expect(byScope.factors.map(({ id, match, stated }) => [id, match, stated.value])).toEqual([
    ["grid-vn", "provisional", "0.6592"],
    ["gas-ipcc", "exact", "56100"],
  ]);
  expect(byScope.gases_kg.co2).toBe((electricity_mg + 30 * 36.5 * 56_100) / 1e6);
});

test("another GWP set changes CO2e and no gas", async () => {
  zone.book("boiler", 0, [1000n]);
  const [ar5, ar6] = [await emissions(FIRST_HOUR), await emissions(`${FIRST_HOUR}&gwp=AR6`)];
  expect(ar6.gases_kg).toEqual(ar5.gases_kg);
  expect(ar6.total.value).toBeCloseTo((36_500 * (56_100 + 29.8 + 27.3)) / 1e6, 9);
  expect(ar5.total.value).toBeCloseTo((36_500 * (56_100 + 28 + 26.5)) / 1e6, 9);
});

test("the period before is as long as what has elapsed of this one", async () => {
  zone.now_ms = START_MS + 25 * HOUR_MS;
  zone.book(
    "incomer",
    0,
    Array.from({ length: 100 }, () => 1000n),
  );
  const answer = await emissions("from=2026-11-02&to=2026-11-03&site=steel");
  expect(answer.total.value).toBeCloseTo(4 * 0.6592, 9);
  expect(answer.previous?.value).toBeCloseTo(4 * 0.6592, 9);
  const first = await emissions("from=2026-11-01&to=2026-11-02&site=steel");
  expect(first.previous).toBeNull();
});

test("an activity without a factor is a lower bound and no zero", async () => {
  zone.dispose();
  zone = testZone({ factors: [GAS] });
  zone.book("incomer", 0, [1000n, 1000n, 1000n, 1000n]);
  const answer = await emissions(`${FIRST_HOUR}&site=steel`);
  expect(answer.total).toMatchObject({ value: null, lower_bound: true, coverage_pct: 0 });
});

test("a corrected interval changes the figure, and as_known_at still gives the old one", async () => {
  zone.book("incomer", 0, [{ ticks: 500n, flag: "S", coverage: 0 }]);
  const then = new Date(zone.now_ms + 1000).toISOString();
  zone.now_ms += HOUR_MS;
  zone.book("incomer", 0, [1000n]);
  const first = `from=2026-11-01&to=2026-11-01T00:15:00Z&step=15min&site=steel`;
  expect((await emissions(first)).total.value).toBe(0.6592);
  expect((await emissions(`${first}&as_known_at=${then}`)).total.value).toBe(0.3296);
});

test("a figure's trace: formula, activity, intervals with words and entries, factor", async () => {
  zone.book("incomer", 0, [1_000_000n, 2_000_000n, 500_000n, 500_000n]);
  zone.book("boiler", 0, [100n, 200n, 0n, 0n]);
  await withApi(zone, async (get) => {
    const figures = Emissions.parse((await get(`/api/v1/emissions?${FIRST_HOUR}`)).body);
    const all = Trace.parse((await get(`/api/v1/emissions/${figures.total.id}/trace`)).body);
    expect(all.value_kg).toBe(figures.total.value);
    expect(all.formulas).toEqual([
      {
        scope: 1,
        text: "300 Nm3 × 36.5 MJ/Nm3 ÷ 1000000 × (56100 + 1 × 28 + 0.1 × 265) kg CO2e/TJ ÷ 1000 = 0.615 t CO2e",
      },
      { scope: 2, text: "4 MWh × 0.6592 tCO2/MWh = 2.637 t CO2e" },
    ]);
    const scope2 = figures.groups.find((group) => group.key === "scope2")!;
    const one = Trace.parse((await get(`/api/v1/emissions/${scope2.id}/trace`)).body);
    expect(one.value_kg).toBe(scope2.total.value);
    const [activity] = one.activities.filter((a) => a.meter === "gw-01/incomer");
    expect(activity).toMatchObject({
      register: "3:3203:i64",
      scope: 2,
      activity: { value: 4000, unit: "kW.h" },
      co2e_kg: 2636.8,
      gases_mg: { co2: "2636800000" },
      factors: ["grid-vn@2023"],
      intervals_total: 4,
    });
    const newest = activity!.intervals[0]!;
    expect(newest).toMatchObject({
      from: "2026-11-01T00:45:00+07:00",
      ticks: "500000",
      tick: "1 W.h",
      value: 500,
      opening: {
        count: "5",
        words: { fc: 3, address: 3203, hex: "00000005", at: "2026-11-01T00:45:00+07:00" },
        across: null,
      },
      closing: { count: "9", words: { hex: "0000000A" }, across: { fc: 3, address: 3203, hex: "00000008" } },
      batch: { gateway: "gw-01", epoch: "e1" },
      entries: [{ gas: "co2", mg: "329600000", factor: "grid-vn@2023", match: "provisional" }],
    });
    const entry = Trace.parse((await get(`/api/v1/emissions/${newest.entries[0]!.id}/trace`)).body);
    expect(entry.value_kg).toBe(329.6);
    expect(entry.formulas.map((formula) => formula.text)).toEqual(["0.5 MWh × 0.6592 tCO2/MWh = 0.33 t CO2e"]);
  });
});

test("a trace pages on through the intervals of a meter, each once, over days without any", async () => {
  zone.now_ms = START_MS + 60 * 24 * HOUR_MS;
  zone.book(
    "incomer",
    3,
    Array.from({ length: 250 }, () => 1000n),
  );
  zone.book(
    "incomer",
    4000,
    Array.from({ length: 170 }, () => 1000n),
  );
  zone.book("grid", 0, [1000n]);
  await withApi(zone, async (get) => {
    const figures = Emissions.parse((await get("/api/v1/emissions?from=2026-11-01&to=2026-12-31&step=month")).body);
    const path = `/api/v1/emissions/${figures.total.id}/trace`;
    const page = async (offset: number) =>
      Trace.parse((await get(`${path}?meter=gw-01/incomer&offset=${offset}`)).body).activities;
    const [incomer] = Trace.parse((await get(path)).body).activities.filter((one) => one.meter === "gw-01/incomer");
    expect(incomer).toMatchObject({ intervals_total: 420, next_offset: 200 });
    const seen: string[] = [];
    const nexts: (number | null)[] = [];
    for (let offset: number | null = 0; offset !== null; offset = nexts.at(-1) ?? null) {
      const [activity, ...others] = await page(offset);
      expect(others).toEqual([]);
      for (const interval of activity!.intervals) {
        expect(interval.entries).toHaveLength(1);
        seen.push(interval.from);
      }
      nexts.push(activity!.next_offset);
    }
    expect(nexts).toEqual([200, 400, null]);
    expect(seen).toHaveLength(420);
    expect(seen).toEqual([...new Set(seen)].sort().reverse());
    expect((await page(420))[0]).toMatchObject({ intervals: [], next_offset: null, intervals_total: 420 });
    expect((await get(`${path}?meter=gw-01/furnace`)).status).toBe(404);
    expect((await get(`${path}?offset=-1`)).status).toBe(400);
  });
});

test("a period over two factors has a line for each, whose activities add up", async () => {
  zone.dispose();
  const valid_to_ms = START_MS + 1_800_000;
  const next = {
    ...GRID_2023,
    version: "next",
    valid_from_ms: valid_to_ms,
    valid_to_ms: null,
    mg_per_basis: { co2: "500" },
  };
  zone = testZone({ factors: [{ ...GRID_2023, valid_to_ms }, next] });
  zone.book("incomer", 0, [1_000_000n, 1_000_000n, 1_000_000n, 1_000_000n]);
  await withApi(zone, async (get) => {
    const figures = Emissions.parse((await get(`/api/v1/emissions?${FIRST_HOUR}`)).body);
    const trace = Trace.parse((await get(`/api/v1/emissions/${figures.total.id}/trace`)).body);
    expect(trace.formulas.map((formula) => formula.text)).toEqual([
      "2 MWh × 0.6592 tCO2/MWh = 1.318 t CO2e",
      "2 MWh × 0.5 tCO2/MWh = 1 t CO2e",
    ]);
    expect(trace.value_kg).toBe(2318.4);
  });
});

test("an id that is none of ours is not found, whatever it holds", async () => {
  const forged = Buffer.from('{"site":"nowhere","from_ms":1,"to_ms":2,"gwp":"AR5","part":null,"knownAt_ms":null}');
  await withApi(zone, async (get) => {
    for (const id of ["e999", "nonsense", "e", forged.toString("base64url"), "x".repeat(1090)]) {
      const answer = await get(`/api/v1/emissions/${id}/trace`);
      expect([answer.status, answer.body.code], id).toEqual([404, "NOT_FOUND"]);
    }
  });
});

test("completeness counts what should be here, what is, and why not the rest", async () => {
  zone.now_ms = START_MS + 2 * HOUR_MS + 60_000;
  zone.book("incomer", 0, [1n, { ticks: 1n, flag: "S", coverage: 0.5, cause: "meter-silent" }]);
  zone.book("incomer", 4, [{ ticks: null, flag: "X", coverage: 0, cause: "counter-reset" }]);
  await withApi(zone, async (get) => {
    const answer = Completeness.parse((await get(`/api/v1/completeness?${DAY}&step=hour&site=steel`)).body);
    const [incomer] = answer.meters.filter((meter) => meter.meter === "gw-01/incomer");
    expect(incomer?.points.slice(0, 3)).toMatchObject([
      { expected: 4, held: 2, unknown: 0, coverage_pct: 37.5, causes: { "meter-silent": 1, "not-received": 2 } },
      { expected: 4, held: 1, unknown: 1, coverage_pct: 0, causes: { "counter-reset": 1, "not-received": 3 } },
      { expected: 0, held: 0, coverage_pct: null, causes: {} },
    ]);
  });
});
