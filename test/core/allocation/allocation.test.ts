import fc from "fast-check";
import { expect, test } from "vitest";
import { CHP_DEFAULT, chpShare, TJ_PER_MWH } from "../../../core/allocation/chp.ts";
import { balances } from "../../../core/allocation/meterTree.ts";
import { allocateShared } from "../../../core/allocation/shared.ts";
import { near } from "../performance/near.ts";

test("W11: a CHP's emissions by the efficiency method", () => {
  const power_TJ = 9000 * TJ_PER_MWH;
  const { heatShare, powerShare } = chpShare(96, power_TJ, CHP_DEFAULT);
  near(power_TJ, 32.4);
  near(heatShare * 18_500, 10_443.5);
  near(powerShare * 18_500, 8056.45);
  near((heatShare * 18_500) / 96, 108.787);
  near((powerShare * 18_500) / 9000, 0.895161);
});

test("by energy content heat and power weigh the same, by work potential heat weighs less", () => {
  expect(chpShare(60, 40, { kind: "energy-content" }).heatShare).toBe(0.6);
  const work = chpShare(60, 40, { kind: "work-potential", surroundings_K: 298, supply_K: 453 });
  near(work.heatShare, (60 * (1 - 298 / 453)) / (60 * (1 - 298 / 453) + 40));
});

test("an efficiency of 85 instead of 0.85 is refused in words", () => {
  expect(() => chpShare(1, 1, { kind: "efficiency", heat: 85, power: 0.35 })).toThrow("85 % is 0.85");
  expect(() => chpShare(0, 0, CHP_DEFAULT)).toThrow("a plant with 0 TJ");
});

const leaf = (id: string, amount: number | null, uncertainty_pct: number | null) => ({
  id,
  amount,
  uncertainty_pct,
  children: [],
});

test("W21: main less subs is more than the meters' errors explain", () => {
  const chain = Math.sqrt(3 * 0.5 ** 2);
  near(chain, 0.866025);
  const [balance] = balances({
    id: "main",
    amount: 1539,
    uncertainty_pct: chain,
    children: [leaf("a", 820, 1), leaf("b", 415, 1), leaf("c", 266, 2)],
  });
  near(balance!.subTotal, 1501);
  near(balance!.rest!, 38);
  near(balance!.rest_pct!, 2.46914);
  near(balance!.restUncertainty!, 17.0412);
  expect(balance!.verdict).toBe("unmetered");
});

test("every meter with sub-meters has its balance, and what is missing is named, not taken for zero", () => {
  const tree = {
    id: "main",
    amount: 100,
    uncertainty_pct: 1,
    children: [{ ...leaf("hall", 60, 1), children: [leaf("press", 61.5, 1)] }, leaf("office", null, 1)],
  };
  const [main, hall] = balances(tree);
  expect(main).toMatchObject({ id: "main", rest: null, verdict: "unknown", missing: ["office"] });
  expect(hall).toMatchObject({ id: "hall", verdict: "negative" });
});

test("an unknown uncertainty leaves the balance unjudged, not perfect", () => {
  const [balance] = balances({ id: "m", amount: 10, uncertainty_pct: null, children: [leaf("a", 9, 1)] });
  expect(balance).toMatchObject({ rest: 1, restUncertainty: null, verdict: "unknown" });
});

test("the parts of a shared plant and the operator's rest add up to the milligram", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 10n ** 15n }),
      fc.array(fc.bigInt({ min: 0n, max: 10n ** 9n }), { maxLength: 20 }),
      fc.bigInt({ min: 1n, max: 10n ** 9n }),
      (total_mg, outputs, unmetered) => {
        const produced = outputs.reduce((sum, output) => sum + output, 0n) + unmetered;
        const uses = outputs.map((output, i) => ({ user: `u${i}`, output }));
        const { parts, operator_mg } = allocateShared(total_mg, produced, uses);
        expect(parts.reduce((sum, { mg }) => sum + mg, 0n) + operator_mg).toBe(total_mg);
        for (const [i, { mg }] of parts.entries()) {
          const exact = Number(total_mg) * (Number(outputs[i]!) / Number(produced));
          expect(Math.abs(Number(mg) - exact)).toBeLessThanOrEqual(1 + exact * 1e-9);
        }
      },
    ),
  );
});

test("users cannot take more than the plant produced", () => {
  expect(() => allocateShared(10n, 5n, [{ user: "a", output: 6n }])).toThrow("check the plant's meter");
});
