import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Consumption,
  type Criteria,
  deliveredByGrid,
  type Instrument,
  marketBased,
} from "../../../core/accounting/market.ts";
import { compare, fraction, fractionNumber, fromText, plus, sum } from "../../../core/emission/fraction.ts";
import { span } from "./fixture.ts";

const YEAR = span("2023-01-01", "2024-01-01");
const GOOD: Criteria = { conveysRate: true, soleClaim: true, retired: true, vintage: 2023, market: "VN" };
const used = (MWh: number, parts: Partial<Consumption> = {}): Consumption => ({
  span: YEAR,
  site: null,
  MWh: fraction(BigInt(MWh)),
  location_mg: fraction(BigInt(MWh) * 659_200_000n),
  ...parts,
});
const instrument = (parts: Partial<Instrument> & { readonly MWh: Instrument["MWh"] }): Instrument => ({
  id: "irec",
  kind: "certificate",
  site: null,
  t_per_MWh: fraction(0n),
  source: "statement",
  span: null,
  criteria: GOOD,
  ...parts,
});

describe("the market-based figure", () => {
  test("covers consumption in the order of the Guidance, whatever order the file has", () => {
    const contract = instrument({ id: "dppa", kind: "contract", MWh: fraction(80n), t_per_MWh: fromText("0.1") });
    const certificate = instrument({ MWh: fraction(50n) });
    const result = marketBased([used(100)], [contract, certificate], null);
    expect(
      result.covered.map(({ id, used_MWh, surplus_MWh }) => [
        id,
        fractionNumber(used_MWh),
        fractionNumber(surplus_MWh),
      ]),
    ).toEqual([
      ["irec", 50, 0],
      ["dppa", 50, 30],
    ]);
    expect(result.mg).toBe(5_000_000_000n);
    expect(fractionNumber(result.uncovered_MWh)).toBe(0);
  });

  test("without a residual mix takes the grid's average and discloses that", () => {
    const result = marketBased([used(100)], [], null);
    expect(result.mg).toBe(65_920_000_000n);
    expect(result.residual).toEqual({
      used: "grid average",
      statement: "no residual mix is published for Viet Nam: the grid average stands in, and this is disclosed",
    });
    expect(marketBased([used(100)], [], { t_per_MWh: fromText("0.8"), source: "registry" }).mg).toBe(80_000_000_000n);
  });

  test.each<[string, Partial<Criteria>, string]>([
    ["conveys no rate", { conveysRate: false }, "1: does not convey the emission rate of the MWh"],
    ["is not the only claim", { soleClaim: false }, "2: is not the only instrument with this claim"],
    ["is not retired", { retired: false }, "3: not retired, redeemed or cancelled for the reporter"],
    ["was made years before", { vintage: 2019 }, "4: produced in 2019, not close to the consumption"],
    ["was made after it was used", { vintage: 2024 }, "4: produced in 2024, not close to the consumption"],
    ["is of another market", { market: "TH" }, "5: of the market TH, not VN"],
  ])("counts an instrument that %s for nothing, and lists it", (_name, criteria, why) => {
    const result = marketBased(
      [used(100)],
      [instrument({ MWh: fraction(50n), criteria: { ...GOOD, ...criteria } })],
      null,
    );
    expect(result.ineligible).toEqual([{ id: "irec", why: [why] }]);
    expect(result.covered).toEqual([]);
    expect(result.mg).toBe(65_920_000_000n);
  });

  test("lets an instrument of one factory or period cover no other", () => {
    const mine = used(100, { site: "a" });
    const other = used(100, { site: "b" });
    const result = marketBased([mine, other], [instrument({ site: "a", MWh: fraction(150n) })], null);
    expect(fractionNumber(result.covered[0]!.used_MWh)).toBe(100);
    expect(marketBased([mine], [instrument({ site: "b", MWh: fraction(10n) })], null).ineligible[0]?.why).toEqual([
      "no consumption of its site lies in its period",
    ]);
    const later = instrument({
      MWh: fraction(10n),
      span: span("2024-01-01", "2025-01-01"),
      criteria: { ...GOOD, vintage: null },
    });
    expect(marketBased([mine], [later], null).ineligible).toHaveLength(1);
  });

  test("law: every MWh is covered once or not at all, and instruments never beyond consumption", () => {
    const any = fc.record({
      MWh: fc.bigInt({ min: 0n, max: 500n }),
      kind: fc.constantFrom("certificate" as const, "contract" as const, "supplier_rate" as const),
    });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 5 }),
        fc.array(any, { maxLength: 6 }),
        (pools, list) => {
          const consumed = pools.map((MWh) => used(MWh));
          const instruments = list.map(({ MWh, kind }, at) => instrument({ id: `i${at}`, kind, MWh: fraction(MWh) }));
          const result = marketBased(consumed, instruments, null);
          const covered = sum(result.covered.map(({ used_MWh }) => used_MWh));
          expect(plus(covered, result.uncovered_MWh)).toEqual(result.consumption_MWh);
          for (const { used_MWh, surplus_MWh, id } of result.covered) {
            expect(compare(used_MWh, result.consumption_MWh)).toBeLessThanOrEqual(0);
            expect(plus(used_MWh, surplus_MWh)).toEqual(instruments.find((one) => one.id === id)!.MWh);
          }
        },
      ),
    );
  });
});

test("over the grid a direct contract delivers less than the plant makes", () => {
  const delivered = deliveredByGrid(fraction(1000n), fromText("1.02"), fromText("1.027263"), fromText("0.5"));
  expect(fractionNumber(delivered)).toBeCloseTo(477.187, 3);
});
