import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadFactors } from "../../../config/factors.ts";
import { type Decimal, formatDecimal, multiply, parseDecimal, toNumber } from "../../../core/emission/decimal.ts";
import { co2e_mg, type Emission, emissionsOf, emittingQuantity } from "../../../core/emission/emission.ts";
import { factor, GAS_METER, GRID_METER, gasInterval, interval, ms } from "./fixture.ts";

const { factors, gwpSets } = loadFactors();
const NOW = ms("2026-11-22T00:00:00+07:00");
const gwp = (id: string) => gwpSets.find((set) => set.id === id)!;

function entries(result: ReturnType<typeof emissionsOf>): readonly Emission[] {
  if (result.kind !== "emissions") throw new Error(`${result.kind}`);
  return result.entries;
}

function tonnesOf(list: readonly Emission[], gas: string): number {
  return Number(list.find((entry) => entry.gas === gas)?.mg) / 1e9;
}

/** The reference gives 6 significant figures (ghg-worked-examples.yaml, meta). */
function expectClose(actual: number, expected: number): void {
  expect(Math.abs(actual / expected - 1)).toBeLessThan(5e-6);
}

describe("grid electricity", () => {
  test("W06: 8450 MWh of 2022 and 9120 MWh of 2023 take the factor of their year", () => {
    const emission = (MWh: bigint, at: string) =>
      tonnesOf(entries(emissionsOf(interval(MWh * 1_000_000n, { from_ms: ms(at) }), GRID_METER, factors, NOW)), "co2");
    const e2022 = emission(8450n, "2022-07-01T00:00:00+07:00");
    const e2023 = emission(9120n, "2023-07-01T00:00:00+07:00");
    expectClose(e2022, 5717.27);
    expectClose(e2023, 6011.9);
    expectClose((e2023 / e2022 - 1) * 100, 5.1534);
  });

  test("a watt-hour of 2018 is 913 mg, booked as scope 2 with the factor's name", () => {
    const from_ms = ms("2018-03-01T00:00:00+07:00");
    const result = emissionsOf(interval(1n, { from_ms, to_ms: from_ms + 900_000 }), GRID_METER, factors, NOW);
    expect(entries(result)).toEqual([
      {
        device: "meter",
        from_ms,
        to_ms: from_ms + 900_000,
        gas: "co2",
        mg: 913n,
        scope: 2,
        carrier: "electricity",
        factorId: "grid-vn",
        factorVersion: "2018",
        match: "exact",
        ncv_MJ_per_Nm3: null,
      },
    ]);
  });

  test.each([
    ["Wh", "1", 659n],
    ["kWh", "1", 659_200n],
    ["kWh", "0.01", 6592n],
    ["MWh", "1", 659_200_000n],
  ] as const)("a tick of %s × %s of 2023 is %s × %s mg", (unit, amount, mg) => {
    const [entry] = entries(emissionsOf(interval(1n, { tick: { amount, unit } }), GRID_METER, factors, NOW));
    expect(entry?.mg).toBe(mg);
  });

  test("consumption of a year without a factor is booked provisionally", () => {
    const [entry] = entries(
      emissionsOf(interval(10n, { from_ms: NOW - 900_000, to_ms: NOW }), GRID_METER, factors, NOW),
    );
    expect(entry).toMatchObject({ mg: 6592n, match: "provisional", factorVersion: "2023" });
  });

  test("an interval belongs to the year it begins in", () => {
    const midnight = ms("2023-01-01T00:00:00+07:00");
    const last = interval(10n, { from_ms: midnight - 900_000, to_ms: midnight });
    const first = interval(10n, { from_ms: midnight, to_ms: midnight + 900_000 });
    expect(entries(emissionsOf(last, GRID_METER, factors, NOW))[0]?.factorVersion).toBe("2022");
    expect(entries(emissionsOf(first, GRID_METER, factors, NOW))[0]?.factorVersion).toBe("2023");
  });

  test("consumption that is measured as zero emits zero, which is an entry", () => {
    expect(entries(emissionsOf(interval(0n), GRID_METER, factors, NOW))).toMatchObject([{ gas: "co2", mg: 0n }]);
  });

  test("a lower bound is booked as what it is", () => {
    const part = interval(5n, { flag: "X", coverage: 0.5, cause: "counter-reset" });
    expect(entries(emissionsOf(part, GRID_METER, factors, NOW))[0]?.mg).toBe(3296n);
  });
});

describe("natural gas", () => {
  const certified = { ...GAS_METER, ncv_MJ_per_Nm3: "37.2" };

  test("W04 from normal cubic metres on: 109 807 Nm³ at 37.2 MJ are 229.159 t CO₂ and 229.381 t CO₂e", () => {
    const volume_Nm3 = 41_250 * (301.325 / 101.325) * (273.15 / (273.15 + 32));
    expectClose(volume_Nm3, 109_807);
    const ticks = BigInt(Math.round(volume_Nm3 * 1000));
    const list = entries(emissionsOf(gasInterval(ticks), certified, factors, NOW));
    expectClose(tonnesOf(list, "co2"), 229.159);
    const masses = Object.fromEntries(list.map(({ gas, mg }) => [gas, mg]));
    expectClose(toNumber(co2e_mg(masses, gwp("AR5"))) / 1e9, 229.381);
    expect(list.map(({ gas }) => gas)).toEqual(["co2", "ch4", "n2o"]);
    expect(list.every(({ scope, ncv_MJ_per_Nm3 }) => scope === 1 && ncv_MJ_per_Nm3 === "37.2")).toBe(true);
  });

  test("each gas is rounded by itself, once", () => {
    // 1 Nm³ × 37.2 MJ: 2 086 920 mg, 37.2 mg and 3.72 mg.
    expect(entries(emissionsOf(gasInterval(1000n), certified, factors, NOW)).map(({ mg }) => mg)).toEqual([
      2_086_920n,
      37n,
      4n,
    ]);
  });

  test("without a certificate the factor's own calorific value is used and named", () => {
    const list = entries(emissionsOf(gasInterval(1000n), GAS_METER, factors, NOW));
    expect(list[0]).toMatchObject({ mg: 2_113_848n, ncv_MJ_per_Nm3: "37.68" });
  });

  test("without any calorific value there is no factor, and that is said", () => {
    const bare = [factor({ carrier: "natural_gas", basis: "fuel_MJ", mg_per_basis: { co2: "56100" } })];
    expect(emissionsOf(gasInterval(1000n), GAS_METER, bare, NOW)).toEqual({
      kind: "no-factor",
      why: "no net calorific value",
    });
  });

  test("volume that is not at base conditions is never taken for it", () => {
    const raw = gasInterval(1000n, { tick: { amount: "0.001", unit: "m3" } });
    expect(() => emissionsOf(raw, certified, factors, NOW)).toThrow(RangeError);
  });
});

describe("nothing is booked", () => {
  const solar = interval(10n, { quantity: "active_energy_export_total" });

  test.each([
    ["for a sub-meter", interval(10n), { ...GRID_METER, parent: "main" }],
    ["for a consumer behind the meter", interval(10n), { ...GRID_METER, role: "use" as const }],
    ["for generation", interval(10n), { ...GRID_METER, role: "generation" as const }],
    ["for solar", solar, { ...GRID_METER, carrier: "solar" as const, role: "generation" as const }],
    ["for solar that is called an import", solar, { ...GRID_METER, carrier: "solar" as const }],
    ["for water", interval(10n, { quantity: "volume_total_1" }), { ...GRID_METER, carrier: "water" as const }],
    ["for energy sent back to the grid", solar, GRID_METER],
    ["for reactive energy", interval(10n, { quantity: "reactive_energy_import_total" }), GRID_METER],
    ["for an interval without a figure", interval(null, { flag: "X", coverage: 0 }), GRID_METER],
  ])("%s", (_, of, meter) => {
    expect(emissionsOf(of, meter, factors, NOW)).toEqual({ kind: "none" });
  });

  test("but an activity without a factor must be shown", () => {
    const result = emissionsOf(interval(10n, { from_ms: ms("2010-01-01T00:00:00Z") }), GRID_METER, factors, NOW);
    expect(result.kind).toBe("no-factor");
  });

  test("the emitting quantity of a meter is its carrier's first counter", () => {
    expect(emittingQuantity(GRID_METER)).toBe("active_energy_import_total");
    expect(emittingQuantity(GAS_METER)).toBe("volume_base_total");
    expect(emittingQuantity({ ...GRID_METER, carrier: "water" })).toBeNull();
  });
});

describe("laws of the books", () => {
  const ticks = fc.bigInt({ min: 0n, max: 10n ** 12n });
  const amount = fc.integer({ min: 1, max: 10_000 }).map((n) => formatDecimal({ digits: BigInt(n), scale: 3 }));
  const mgText = fc.integer({ min: 0, max: 10_000_000 }).map((n) => formatDecimal({ digits: BigInt(n), scale: 4 }));

  test("an entry is within half a milligram of the exact product, and a tie is even", () => {
    fc.assert(
      fc.property(ticks, amount, mgText, (count, tickAmount, mg) => {
        const list = entries(
          emissionsOf(
            interval(count, { tick: { amount: tickAmount, unit: "Wh" } }),
            GRID_METER,
            [factor({ mg_per_basis: { co2: mg } })],
            NOW,
          ),
        );
        const exact: Decimal = multiply(
          multiply({ digits: count, scale: 0 }, parseDecimal(tickAmount)),
          parseDecimal(mg),
        );
        const unit = 10n ** BigInt(exact.scale);
        const twiceOff = 2n * ((list[0]?.mg ?? -1n) * unit - exact.digits);
        expect(twiceOff <= unit && -twiceOff <= unit).toBe(true);
        if (twiceOff === unit || -twiceOff === unit) expect((list[0]?.mg ?? 1n) % 2n).toBe(0n);
      }),
    );
  });

  test("the sum of a day's entries is within half a milligram an entry of the day's energy times the factor", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 10n ** 7n }), { minLength: 1, maxLength: 96 }), (quarters) => {
        const sum = quarters.reduce(
          (total, count) => total + (entries(emissionsOf(interval(count), GRID_METER, factors, NOW))[0]?.mg ?? 0n),
          0n,
        );
        const energy_Wh = quarters.reduce((a, b) => a + b, 0n);
        const tenfoldOff = sum * 10n - energy_Wh * 6592n;
        expect(tenfoldOff <= 5n * BigInt(quarters.length) && -tenfoldOff <= 5n * BigInt(quarters.length)).toBe(true);
      }),
    );
  });

  test("CO₂e is linear: of summed masses it is the sum of the parts, to the last digit, under any set", () => {
    const masses = fc.record({ co2: ticks, ch4: ticks, n2o: ticks, co2_biogenic: ticks });
    fc.assert(
      fc.property(masses, masses, fc.constantFrom(...gwpSets), (a, b, set) => {
        const sum = { co2: a.co2 + b.co2, ch4: a.ch4 + b.ch4, n2o: a.n2o + b.n2o };
        const [x, y] = [co2e_mg(a, set), co2e_mg(b, set)];
        const scale = Math.max(x.scale, y.scale);
        const up = ({ digits, scale: own }: Decimal) => digits * 10n ** BigInt(scale - own);
        expect(formatDecimal(co2e_mg(sum, set))).toBe(formatDecimal({ digits: up(x) + up(y), scale }));
      }),
    );
  });
});

test("CO₂e is a view of the masses under one set; biogenic CO₂ adds nothing", () => {
  const masses = { co2: 1000n, ch4: 10n, n2o: 1n, co2_biogenic: 999n };
  expect(["AR4", "AR5", "AR6"].map((id) => formatDecimal(co2e_mg(masses, gwp(id))))).toEqual(["1548", "1545", "1543"]);
  expect(formatDecimal(co2e_mg({}, gwp("AR5")))).toBe("0");
});
