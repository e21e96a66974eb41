import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { account } from "../../../core/accounting/account.ts";
import type { Activity, StatedUncertainty } from "../../../core/accounting/activity.ts";
import { chainHalfWidth_pct, combine, type UncertainSource } from "../../../core/accounting/uncertainty.ts";
import { fraction } from "../../../core/emission/fraction.ts";
import { AR5, activity, BOOK } from "./fixture.ts";

const source = (
  name: string,
  amount: number,
  ...by: readonly (readonly [string, number | null])[]
): UncertainSource => ({
  name,
  amount,
  by: by.map(([key, pct]) => ({ key, pct })),
});
const stated = (parts: Partial<StatedUncertainty>): StatedUncertainty => ({
  activity_pct: null,
  ncv_pct: null,
  factor_pct: null,
  meter: null,
  meterId: null,
  ...parts,
});

describe("a sum of sources", () => {
  test("with one common factor is first added, then multiplied: the factor's part does not shrink", () => {
    // Two equal meters of 2 %, one factor of 5 %: sqrt((2/√2)² + 5²).
    const both = combine([
      source("a", 100, ["meter a", 2], ["grid", 5]),
      source("b", 100, ["meter b", 2], ["grid", 5]),
    ]);
    expect(both.pct).toBeCloseTo(Math.sqrt(2 + 25), 10);
    const apart = combine([
      source("a", 100, ["meter a", 2], ["grid a", 5]),
      source("b", 100, ["meter b", 2], ["grid b", 5]),
    ]);
    expect(apart.pct).toBeCloseTo(Math.sqrt(4 + 25) / Math.SQRT2, 10);
  });

  test("fully correlated terms add linearly", () => {
    expect(combine([source("a", 100, ["one", 3]), source("b", 300, ["one", 3])]).half).toBeCloseTo(12, 10);
  });

  test("an unknown part makes the whole unknown; it is never zero", () => {
    const sum = combine([source("a", 100, ["x", 1], ["y", null]), source("b", 50, ["z", 2])]);
    expect([sum.pct, sum.half, sum.low, sum.high]).toEqual([null, null, null, null]);
    expect(sum.sources).toEqual([
      { name: "a", pct: null, contribution_pct: null },
      { name: "b", pct: 2, contribution_pct: null },
    ]);
  });

  test("a source that comes to nothing spoils nothing", () => {
    expect(combine([source("a", 0, ["x", null]), source("b", 50, ["z", 2])]).pct).toBe(2);
  });

  test("of nothing has no uncertainty, not a perfect one", () => {
    expect(combine([])).toMatchObject({ total: 0, pct: null, half: null });
  });

  test("law: contributions of sources, and of causes, add up to the whole", () => {
    const any = fc.record({
      amount: fc.integer({ min: 1, max: 10_000 }),
      own: fc.integer({ min: 1, max: 50 }),
      shared: fc.integer({ min: 0, max: 3 }),
      pct: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 10 }), (list) => {
        const sum = combine(
          list.map(({ amount, own, shared, pct }, at) =>
            source(`s${at}`, amount, [`own ${at}`, own], [`shared ${shared}`, pct]),
          ),
        );
        const total = (parts: readonly { readonly contribution_pct: number | null }[]) =>
          parts.reduce((all, { contribution_pct }) => all + (contribution_pct ?? 0), 0);
        expect(total(sum.sources)).toBeCloseTo(100, 6);
        expect(total(sum.causes)).toBeCloseTo(100, 6);
      }),
    );
  });
});

test("a metering chain by the simple and by the strict rule", () => {
  const chain = { meter_pct: 0.5, ct_pct: 0.5, vt_pct: 0.5 };
  expect(chainHalfWidth_pct({ ...chain, rule: "limit" })).toBeCloseTo(0.8660254, 6);
  expect(chainHalfWidth_pct({ ...chain, rule: "rectangular" })).toBeCloseTo(0.8660254 * (1.96 / Math.sqrt(3)), 6);
  expect(chainHalfWidth_pct({ meter_pct: 1, ct_pct: null, vt_pct: null, rule: "limit" })).toBe(1);
});

describe("an account", () => {
  const of = (activities: readonly Activity[]) => {
    const outcome = account({ activities, gwp: AR5, instruments: [], residualMix: null, zone: null }, BOOK);
    if (outcome.kind === "problems") throw outcome.problems[0]!.error;
    return outcome.account.uncertainty;
  };
  const diesel = (id: string, parts: Partial<Activity> = {}) =>
    activity({ id, uncertainty: stated({ activity_pct: 2 }), ...parts });

  test("is unknown as long as one amount is", () => {
    expect(of([diesel("a"), diesel("b", { uncertainty: stated({}) })]).pct).toBeNull();
  });

  test("has what moves a fuel: amount, calorific value and the factor with its gases", () => {
    const sum = of([diesel("a")]);
    expect(sum.causes.map(({ key }) => key)).toEqual([
      "activity a",
      "NCV of diesel: 2006 IPCC Guidelines, Volume 2, Table 1.2",
      "factor qd2626-diesel-stationary@2022",
    ]);
    // 2 %, 2.21 % and 1.48 % of CO2 with CH4 and N2O by their own limits.
    expect(sum.pct).toBeGreaterThan(Math.sqrt(2 ** 2 + 2.21 ** 2 + 1.47 ** 2));
    expect(sum.pct).toBeLessThan(3.5);
  });

  test("lets two deliveries of one fuel err together in factor and calorific value, not in their amounts", () => {
    const [one, two] = [of([diesel("a")]), of([diesel("a"), diesel("b")])];
    const shared = Math.sqrt(one.pct! ** 2 - 4);
    expect(two.pct).toBeCloseTo(Math.sqrt(2 + shared ** 2), 6);
  });

  test("lets two activities of one meter err together", () => {
    const power = (id: string) =>
      activity({
        id,
        carrier: "electricity",
        use: "import",
        amount: { kind: "quantity", value: fraction(10n), unit: "MWh" },
        uncertainty: stated({ activity_pct: 1, factor_pct: 0, meterId: "main" }),
      });
    expect(of([power("a"), power("b")]).pct).toBeCloseTo(1, 10);
  });

  test("knows no uncertainty of the Vietnamese grid factor: none is published", () => {
    const power = (factor_pct: number | null) =>
      activity({
        carrier: "electricity",
        use: "import",
        amount: { kind: "quantity", value: fraction(10n), unit: "MWh" },
        uncertainty: stated({ activity_pct: 1, factor_pct }),
      });
    expect(of([power(null)]).pct).toBeNull();
    expect(of([power(5)]).pct).toBeCloseTo(Math.sqrt(26), 10);
  });
});
