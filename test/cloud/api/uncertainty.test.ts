import { afterEach, beforeEach, expect, test } from "vitest";
import { Emissions, Energy } from "../../../cloud/api/schemas.ts";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { applyFills } from "../../../cloud/collector/filler.ts";
import { GAS, GRID_2023, START_MS, type TestZone, testZone, withApi } from "./zone.ts";

const CLASS_1 = { meter_pct: 1, ct_pct: 0.5, vt_pct: null };
const CHAIN_PCT = Math.sqrt(1.25);
const DAY = "from=2026-11-01&to=2026-11-02";

let zone: TestZone;
function begin(assumed?: number): void {
  zone = testZone({
    factors: [GRID_2023, { ...GAS, uncertainty_pct: 4, ncv: { ...GAS.ncv!, uncertainty_pct: 3 } }],
    assumedFactorUncertainty_pct: assumed,
  });
  zone.book("incomer", 0, [3_000_000n]);
  zone.book("grid", 0, [4_000_000n]);
  zone.book("boiler", 0, [1000n]);
}
beforeEach(() => begin(5));
afterEach(() => zone.dispose());

const classed = (...meters: readonly ("incomer" | "grid" | "boiler")[]): void => {
  for (const meter of meters) zone.describe(meter, { accuracy: CLASS_1 });
};
const emissions = (query: string) =>
  withApi(zone, async (get) => Emissions.parse((await get(`/api/v1/emissions?${DAY}&${query}`)).body));
const energy = (query: string) =>
  withApi(zone, async (get) => Energy.parse((await get(`/api/v1/energy?${DAY}&${query}`)).body));

test("energy of several meters: class and transformers in quadrature, then the meters", async () => {
  classed("incomer", "grid");
  const { groups } = await energy("by=carrier");
  const electricity = groups.find(({ key }) => key === "electricity")!;
  expect(electricity.total.uncertainty_pct).toBeCloseTo((CHAIN_PCT * 5) / 7, 9);
  expect(electricity.uncertainty.half_width).toBeCloseTo((CHAIN_PCT / 100) * 5000, 6);
  expect(electricity.uncertainty.sources.map(({ meter, contribution_pct }) => [meter, contribution_pct])).toEqual([
    ["gw-01/incomer", expect.closeTo(36, 9)],
    ["gw-02/grid", expect.closeTo(64, 9)],
  ]);
});

test("a meter that does not say its class makes the total unknown, not exact, and is named", async () => {
  classed("incomer");
  const { groups } = await energy("by=carrier");
  const electricity = groups.find(({ key }) => key === "electricity")!;
  expect(electricity.total.uncertainty_pct).toBeNull();
  expect(electricity.uncertainty.unknown).toEqual([
    "gw-02/grid: accuracy class not stated (meter_class of its gateway's file)",
  ]);
  expect((await energy("by=carrier&site=steel")).groups[0]!.total.uncertainty_pct).toBeCloseTo(CHAIN_PCT, 9);
});

test("meters of one grid factor are summed in activity first, then meet the factor once", async () => {
  classed("incomer", "grid");
  const scope2 = (await emissions("by=scope")).groups.find(({ key }) => key === "scope2")!;
  const activity_pct = (CHAIN_PCT * 5) / 7;
  expect(scope2.total.uncertainty_pct).toBeCloseTo(Math.hypot(activity_pct, 5), 9);
  const { uncertainty } = await emissions("by=scope&site=steel");
  expect(uncertainty.pct).toBeCloseTo(Math.hypot(CHAIN_PCT, 5), 9);
  expect(uncertainty.assumptions).toEqual([
    "grid-vn@2023: ±5 % is assumed, none is published (assumed_factor_uncertainty_pct)",
  ]);
  expect(uncertainty.causes.map(({ key }) => key)).toEqual(["meter gw-01/incomer", "factor grid-vn@2023"]);
});

test("nothing is published for the grid: without an assumption there is no uncertainty, and the reason stands there", async () => {
  zone.dispose();
  begin();
  classed("incomer", "grid", "boiler");
  const answer = await emissions("by=scope");
  expect(answer.total.uncertainty_pct).toBeNull();
  expect(answer.uncertainty).toMatchObject({
    half_width: null,
    unknown: ["factor grid-vn@2023: none is published"],
    assumptions: [],
  });
  const gas = answer.groups.find(({ key }) => key === "scope1")!;
  expect(gas.total.uncertainty_pct).toBeCloseTo(Math.hypot(CHAIN_PCT, 3, 4), 9);
});

test("a period in which a gap was filled by a rule has none that is known", async () => {
  classed("incomer");
  expect((await energy("by=carrier&site=steel")).groups[0]!.total.uncertainty_pct).not.toBeNull();
  applyFills(
    [
      {
        name: "outage",
        meter: "gw-01/incomer",
        from: START_MS + 900_000,
        to: START_MS + 1_800_000,
        author: "An",
        rule: "invoice",
        is_power_like: false,
        comparable_weeks: 0,
        invoice: { total: "100", unit: "kWh", document: "no. 1" },
      },
    ],
    { ...zone.deps, births: new BirthReader(zone.store) },
  );
  const [electricity] = (await energy("by=carrier&site=steel")).groups;
  expect(electricity!.total).toMatchObject({ value: 3100, uncertainty_pct: null });
  expect(electricity!.uncertainty.unknown[0]).toContain("filled by a rule");
});
