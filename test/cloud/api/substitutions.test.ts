import { afterEach, beforeEach, expect, test } from "vitest";
import { Emissions, Trace } from "../../../cloud/api/schemas.ts";
import { BirthReader } from "../../../cloud/collector/births.ts";
import { applyFills } from "../../../cloud/collector/filler.ts";
import { type TestZone, testZone, withApi } from "./zone.ts";

const MONTH = "from=2026-11-01&to=2026-11-02&step=day&site=steel";
let zone: TestZone;
beforeEach(() => {
  zone = testZone();
  const hours = Array.from({ length: 96 }, (_, i) =>
    i < 12 ? ({ ticks: null, flag: "X", coverage: 0, cause: "meter-silent" } as const) : 1_000_000n,
  );
  zone.book("incomer", 0, hours);
});
afterEach(() => zone.dispose());

function fill(): void {
  const { store, factors, clock, log } = zone.deps;
  applyFills(
    [
      {
        name: "night of 1 November",
        meter: "gw-01/incomer",
        from: Date.parse("2026-11-01T00:00:00+07:00"),
        to: Date.parse("2026-11-01T03:00:00+07:00"),
        author: "Nguyễn Văn An",
        rule: "invoice",
        is_power_like: false,
        comparable_weeks: 8,
        invoice: { total: "12", unit: "MWh", document: "EVN 11/2026" },
      },
    ],
    { store: store as TestZone["store"], factors, clock, log, births: new BirthReader(zone.store) },
  );
}

test("with a gap the total is a lower bound; filled, it says how much is estimated and asks for a review", async () => {
  await withApi(zone, async (get) => {
    const before = Emissions.parse((await get(`/api/v1/emissions?${MONTH}`)).body);
    expect(before.total).toMatchObject({ lower_bound: true });
    expect(before.review).toEqual({ status: "lower-bound", limit_pct: 10, needs_approval: false });
    fill();
    const after = Emissions.parse((await get(`/api/v1/emissions?${MONTH}`)).body);
    expect(after.total).toMatchObject({ lower_bound: false, estimated_pct: 12.5, coverage_pct: 87.5 });
    expect(after.review).toEqual({ status: "needs-review", limit_pct: 10, needs_approval: true });
  });
});

test("the trace of a filled interval says by which rule, from what, and who said so", async () => {
  fill();
  await withApi(zone, async (get) => {
    const { total } = Emissions.parse((await get(`/api/v1/emissions?${MONTH}`)).body);
    const trace = Trace.parse((await get(`/api/v1/emissions/${total.id}/trace`)).body);
    const filled = trace.activities[0]!.intervals.filter(({ substitution }) => substitution !== null);
    expect(filled).toHaveLength(12);
    expect(filled[0]).toMatchObject({
      flag: "E",
      value: 1000,
      cause: "meter-silent",
      verification: "unverifiable",
      substitution: {
        name: "night of 1 November",
        rule: "invoice",
        author: "Nguyễn Văn An",
        inputs: { document: "EVN 11/2026" },
      },
    });
  });
});
