import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MarketFile } from "../../../cloud/api/market.ts";
import { Emissions, Trace } from "../../../cloud/api/schemas.ts";
import { fraction, fromText } from "../../../core/emission/fraction.ts";
import { GAS, GRID_2023, HOUR_MS, QUARTER_MS, START_MS, type TestZone, testZone, withApi } from "./zone.ts";

const DAY_MS = 24 * HOUR_MS;
const NOVEMBER = {
  from_ms: Date.parse("2026-11-01T00:00:00+07:00"),
  to_ms: Date.parse("2026-12-01T00:00:00+07:00"),
};
const GOOD = { conveysRate: true, soleClaim: true, retired: true, vintage: 2026, market: "VN" };
type SiteInstrument = MarketFile["instruments"][number];
const certificate = (change: Partial<SiteInstrument> = {}): SiteInstrument => ({
  id: "irec",
  kind: "certificate",
  site: "steel",
  MWh: fraction(1n),
  t_per_MWh: fraction(0n),
  source: "statement 0417",
  span: NOVEMBER,
  criteria: GOOD,
  knownFrom_ms: null,
  ...change,
});
const fileOf = (change: Partial<MarketFile>): MarketFile => ({
  instruments: [],
  certificatesSold: [],
  residualMix: null,
  ...change,
});

let zone: TestZone;
function begin(market: MarketFile | undefined): void {
  zone = testZone({ market });
  zone.now_ms = START_MS + 10 * DAY_MS;
}
beforeEach(() => begin(undefined));
afterEach(() => zone.dispose());

async function emissions(query: string): Promise<Emissions> {
  return withApi(zone, async (get) => {
    const answer = await get(`/api/v1/emissions?${query}`);
    expect(answer.status, answer.text).toBe(200);
    return Emissions.parse(answer.body);
  });
}

const FIVE_DAYS = "from=2026-11-01&to=2026-11-06&basis=market";
/** Wh in each of the first quarters of a day. */
const bookDay = (day: number, ticks: readonly bigint[]) => zone.book("incomer", day * 96, ticks);
/** Whole milligrams, as far as a double carries them. */
const mg = (kg: number | null) => Math.round((kg ?? 0) * 1e6);

describe("without instruments", () => {
  test("the market-based figure is the location-based one, and says so", async () => {
    bookDay(0, [1_000_000n]);
    const answer = await emissions(FIVE_DAYS);
    expect(answer).toMatchObject({
      basis: "market",
      total: { value: 659.2 },
      bases: { location: { value: 659.2 }, market: { value: 659.2 } },
      market: { consumption_MWh: 1, covered_MWh: 0, uncovered_MWh: 1, instruments: [], residual: "grid average" },
    });
    expect(answer.market.statement).toContain("no contractual instruments");
    expect(answer.market.statement).toContain("no residual mix is published");
  });
});

describe("with instruments", () => {
  test("days are covered one after the other; both bases stand side by side", async () => {
    begin(fileOf({ instruments: [certificate({ MWh: fromText("1.5") })] }));
    bookDay(0, [1_000_000n]);
    bookDay(1, [600_000n, 400_000n]);
    zone.book("grid", 0, [2_000_000n]);
    zone.book("boiler", 0, [100n]);
    const market = await emissions(`${FIVE_DAYS}&site=steel`);
    expect(market.groups[0]!.points.map(({ value }) => value)).toEqual([0, 329.6, null, null, null]);
    expect(market).toMatchObject({
      total: { value: 329.6, provisional: true },
      bases: { location: { value: 1318.4 }, market: { value: 329.6 } },
      gases_kg: { co2: 329.6 },
      market: { consumption_MWh: 2, covered_MWh: 1.5, uncovered_MWh: 0.5 },
    });
    expect(market.market.instruments).toMatchObject([
      { id: "irec", site: "steel", document: "statement 0417", used_MWh: 1.5, left_MWh: 0, fails: [] },
    ]);
    const location = await emissions(`${FIVE_DAYS.replace("market", "location")}&site=steel`);
    expect(location).toMatchObject({ total: { value: 1318.4 }, bases: market.bases });
    // The neighbour and the gas are as they are.
    for (const by of ["scope", "carrier", "site"]) {
      const [zoneMarket, zoneLocation] = [
        await emissions(`${FIVE_DAYS}&by=${by}`),
        await emissions(`${FIVE_DAYS.replace("market", "location")}&by=${by}`),
      ];
      expect(mg(zoneLocation.total.value) - mg(zoneMarket.total.value)).toBe(988_800_000);
      const parts = zoneMarket.groups.reduce((sum, { total }) => sum + mg(total.value), 0);
      expect(parts).toBe(mg(zoneMarket.total.value));
    }
  });

  test("they are listed before any meter of their site is known", async () => {
    begin(fileOf({ instruments: [certificate()] }));
    const { market } = await emissions(`${FIVE_DAYS}&site=steel`);
    expect(market).toMatchObject({ consumption_MWh: 0, instruments: [{ id: "irec", used_MWh: 0, left_MWh: 1 }] });
  });

  test("a month asked for later does not get what an earlier one has used", async () => {
    begin(fileOf({ instruments: [certificate()] }));
    bookDay(0, [1_000_000n]);
    bookDay(1, [1_000_000n]);
    const second = await emissions("from=2026-11-02&to=2026-11-03&basis=market&site=steel");
    expect(second.total.value).toBe(659.2);
    expect(second.market.instruments).toMatchObject([{ used_MWh: 0, left_MWh: 0 }]);
  });

  test("within a day evenly per kWh: quarters add up to the day to the milligram", async () => {
    begin(fileOf({ instruments: [certificate({ MWh: fromText("0.000001"), t_per_MWh: fromText("0.1") })] }));
    bookDay(0, [1n, 1n, 1n]);
    const day = await emissions("from=2026-11-01&to=2026-11-02&basis=market&site=steel");
    const quarters = await emissions("from=2026-11-01&to=2026-11-02&step=15min&basis=market&site=steel");
    expect(mg(day.total.value)).toBe(100 + 1318);
    expect(quarters.groups[0]!.points.reduce((sum, { value }) => sum + mg(value), 0)).toBe(1418);
    expect(quarters.total.value).toBe(day.total.value);
  });

  test("surplus has no value: never below zero, and not carried on", async () => {
    begin(
      fileOf({ instruments: [certificate({ MWh: fraction(50n), span: { ...NOVEMBER, to_ms: START_MS + DAY_MS } })] }),
    );
    bookDay(0, [1_000_000n]);
    bookDay(1, [1_000_000n]);
    const answer = await emissions(`${FIVE_DAYS}&site=steel`);
    expect(answer.groups[0]!.points.map(({ value }) => value).slice(0, 2)).toEqual([0, 659.2]);
    expect(answer.market.instruments).toMatchObject([{ used_MWh: 1, left_MWh: 49 }]);
  });

  test("one that fails a criterion counts for nothing and is listed with it", async () => {
    const criteria = { ...GOOD, retired: false, vintage: 2019, market: "TH" };
    begin(fileOf({ instruments: [certificate({ criteria })] }));
    bookDay(0, [1_000_000n]);
    const answer = await emissions(`${FIVE_DAYS}&site=steel`);
    expect(answer.total.value).toBe(659.2);
    expect(answer.market.instruments[0]).toMatchObject({ used_MWh: 0, left_MWh: 0 });
    expect(answer.market.instruments[0]!.fails.map((why) => why.slice(0, 2))).toEqual(["3:", "4:", "5:"]);
  });

  test("certificates first, then contracts, then the supplier's rate, whatever order the file has", async () => {
    const third = fromText("0.4");
    begin(
      fileOf({
        instruments: [
          certificate({ id: "rate", kind: "supplier_rate", MWh: third, t_per_MWh: fromText("0.3") }),
          certificate({ id: "dppa", kind: "contract", MWh: third, t_per_MWh: fromText("0.1") }),
          certificate({ MWh: third }),
        ],
      }),
    );
    bookDay(0, [1_000_000n]);
    const answer = await emissions(`${FIVE_DAYS}&site=steel`);
    expect(answer.total).toMatchObject({ value: 0.4 * 100 + 0.2 * 300, provisional: false });
    expect(answer.market.instruments.map(({ id, used_MWh }) => [id, used_MWh])).toEqual([
      ["rate", 0.2],
      ["dppa", 0.4],
      ["irec", 0.4],
    ]);
  });

  test("a residual mix takes the place of the grid average, in its period", async () => {
    const residualMix = {
      t_per_MWh: fromText("0.8"),
      source: "registry",
      span: { ...NOVEMBER, to_ms: START_MS + DAY_MS },
    };
    begin(fileOf({ instruments: [certificate({ MWh: fromText("0.5") })], residualMix }));
    bookDay(0, [1_000_000n]);
    bookDay(1, [1_000_000n]);
    const answer = await emissions(`${FIVE_DAYS}&site=steel`);
    expect(answer.groups[0]!.points.map(({ value }) => value).slice(0, 2)).toEqual([400, 659.2]);
    expect(answer.market).toMatchObject({ residual: "residual mix", statement: "residual mix: registry" });
  });

  test("as known before an instrument was, it is left out", async () => {
    begin(fileOf({ instruments: [certificate({ knownFrom_ms: START_MS + 5 * DAY_MS })] }));
    zone.now_ms = START_MS + 2 * DAY_MS;
    bookDay(0, [1_000_000n]);
    zone.now_ms = START_MS + 10 * DAY_MS;
    const at = (day: string) => emissions(`${FIVE_DAYS}&site=steel&as_known_at=2026-11-0${day}`);
    expect((await at("4")).total.value).toBe(659.2);
    expect((await at("4")).market.instruments).toEqual([]);
    expect((await at("7")).total.value).toBe(0);
  });

  test("certificates sold of own solar are grid electricity, spread over the days of their period", async () => {
    const span = { from_ms: START_MS, to_ms: START_MS + 4 * DAY_MS };
    const sold = { site: "electronics", MWh: fraction(4n), span, source: "issue 2291", knownFrom_ms: null };
    begin(fileOf({ certificatesSold: [sold] }));
    zone.book("grid", 0, [1_000_000n]);
    zone.book("roof", 0, [9_000_000n]);
    const answer = await emissions(`${FIVE_DAYS}&site=electronics`);
    expect(answer.groups.find(({ key }) => key === "scope2")!.points.map(({ value }) => value)).toEqual([
      1318.4,
      659.2,
      659.2,
      659.2,
      null,
    ]);
    expect(answer.market).toMatchObject({ consumption_MWh: 5, certificates_sold: [{ quantity_MWh: 4 }] });
    expect(answer.bases.location.value).toBe(659.2);
    const half = await emissions(
      "from=2026-11-02&to=2026-11-02T12:00:00%2B07:00&step=hour&basis=market&site=electronics",
    );
    expect(half.total.value).toBe(329.6);
  });

  test("export lowers neither basis", async () => {
    begin(fileOf({ instruments: [certificate({ site: "electronics", MWh: fromText("0.25") })] }));
    zone.book("grid", 0, [1_000_000n]);
    const before = await emissions(`${FIVE_DAYS}&site=electronics`);
    zone.book("grid", 0, [900_000n], "active_energy_export_total");
    const after = await emissions(`${FIVE_DAYS}&site=electronics`);
    expect(after.bases).toEqual(before.bases);
    expect(before.bases).toMatchObject({ location: { value: 659.2 }, market: { value: 494.4 } });
  });

  test("the trace gives a line per source with its document, and adds up to the figure", async () => {
    begin(fileOf({ instruments: [certificate({ MWh: fromText("0.6"), t_per_MWh: fromText("0.05") })] }));
    bookDay(0, [1_000_000n]);
    zone.book("boiler", 0, [100n]);
    await withApi(zone, async (get) => {
      const figures = Emissions.parse((await get(`/api/v1/emissions?${FIVE_DAYS}`)).body);
      const trace = Trace.parse((await get(`/api/v1/emissions/${figures.total.id}/trace`)).body);
      expect(trace.value_kg).toBe(figures.total.value);
      expect(trace.basis).toBe("market");
      expect(trace.formulas.filter(({ scope }) => scope === 2).map(({ text }) => text)).toEqual([
        "0.6 MWh × 0.05 tCO2/MWh = 0.03 t CO2e (certificate irec: statement 0417)",
        "0.4 MWh × 0.6592 tCO2/MWh = 0.264 t CO2e (not covered, grid average: no residual mix is published)",
      ]);
      expect(trace.formulas.filter(({ scope }) => scope === 1)).toHaveLength(1);
      expect(trace.market?.instruments).toMatchObject([{ id: "irec", document: "statement 0417", used_MWh: 0.6 }]);
      const incomer = trace.activities.find(({ meter }) => meter === "gw-01/incomer");
      expect(incomer).toMatchObject({ co2e_kg: 293.68, gases_mg: { co2: "293680000" }, activity: { value: 1000 } });
      const one = Trace.parse((await get(`/api/v1/emissions/${figures.total.id}/trace?meter=gw-01/incomer`)).body);
      expect(one.value_kg).toBe(293.68);
      const location = Emissions.parse(
        (await get(`/api/v1/emissions?${FIVE_DAYS.replace("market", "location")}`)).body,
      );
      const old = Trace.parse((await get(`/api/v1/emissions/${location.total.id}/trace`)).body);
      expect([old.basis, old.market, old.value_kg]).toEqual(["location", null, location.total.value]);
    });
  });
});

test("law: days add up to the period however it is cut, no instrument beyond its amount, none below nothing", async () => {
  const kWh = fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 6 });
  const instrument = fc.record({
    kWh: fc.integer({ min: 0, max: 2000 }),
    from: fc.integer({ min: 0, max: 3 }),
    days: fc.integer({ min: 1, max: 4 }),
    kind: fc.constantFrom("certificate" as const, "contract" as const, "supplier_rate" as const),
    rate: fc.constantFrom("0", "0.0333", "0.41"),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(kWh, { minLength: 1, maxLength: 4 }),
      fc.array(instrument, { maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 383 }), { minLength: 1, maxLength: 4 }),
      async (days, list, cuts) => {
        zone.dispose();
        const instruments = list.map(({ kWh, from, days, kind, rate }, at) =>
          certificate({
            id: `i${at}`,
            kind,
            MWh: fraction(BigInt(kWh), 1000n),
            t_per_MWh: fromText(rate),
            span: { from_ms: START_MS + from * DAY_MS, to_ms: START_MS + (from + days) * DAY_MS },
          }),
        );
        begin(fileOf({ instruments }));
        for (const [day, loads] of days.entries())
          bookDay(
            day,
            loads.map((load) => BigInt(load) * 1000n + 1n),
          );
        const iso = (quarter: number) => new Date(START_MS + quarter * QUARTER_MS).toISOString();
        const ask = (from: number, to: number, step: string) =>
          emissions(`from=${iso(from)}&to=${iso(to)}&step=${step}&basis=market&site=steel`);
        const whole = await ask(0, 384, "day");
        const edges = [0, ...[...new Set(cuts)].sort((a, b) => a - b), 384];
        let [sum_mg, used] = [0, 0];
        for (const [at, to] of edges.slice(1).entries()) {
          const part = await ask(edges[at]!, to, at % 2 === 0 ? "hour" : "day");
          sum_mg += mg(part.total.value);
          used += part.market.covered_MWh;
          for (const { value } of part.groups[0]!.points) expect(value ?? 0).toBeGreaterThanOrEqual(0);
        }
        expect(sum_mg).toBe(mg(whole.total.value));
        expect(used).toBeCloseTo(whole.market.covered_MWh, 9);
        expect(whole.market.covered_MWh).toBeLessThanOrEqual(whole.market.consumption_MWh + 1e-12);
        for (const one of whole.market.instruments) expect(one.used_MWh).toBeLessThanOrEqual(one.quantity_MWh);
      },
    ),
    { numRuns: 25 },
  );
});

test("the same factors as ever: a zone of gas alone has no market-based difference", async () => {
  zone.dispose();
  zone = testZone({ factors: [GRID_2023, GAS], market: fileOf({ instruments: [certificate()] }) });
  zone.book("boiler", 0, [100n]);
  const { bases } = await emissions("from=2026-11-01&to=2026-11-02&basis=market&site=electronics");
  expect(bases.market).toEqual(bases.location);
});
