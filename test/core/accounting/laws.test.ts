import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadFactors } from "../../../config/factors.ts";
import { type Account, type AccountRequest, account, restate } from "../../../core/accounting/account.ts";
import type { Activity, Book } from "../../../core/accounting/activity.ts";
import { calculate } from "../../../core/accounting/calculate.ts";
import { addMasses, co2eOf } from "../../../core/accounting/co2e.ts";
import { activityOfInterval } from "../../../core/accounting/metered.ts";
import { rollUp, type SiteShare } from "../../../core/accounting/zone.ts";
import { METERED_CARRIER_IDS } from "../../../core/emission/carriers.ts";
import { emissionsOf, openEmissions } from "../../../core/emission/emission.ts";
import type { EmissionFactor } from "../../../core/emission/factor.ts";
import { compare, type Fraction, fraction, minus, plus, sum, times } from "../../../core/emission/fraction.ts";
import { nextStep, stepStart } from "../../../core/interval/calendar.ts";
import { factor, GRID_METER, interval, ms } from "../emission/fixture.ts";
import { activity, BOOK, span } from "./fixture.ts";

/** What holds whatever the figures are (methods §11). */
const loaded = loadFactors();
const ZONE = "Asia/Ho_Chi_Minh";
const NOW_MS = ms("2026-11-22T00:00:00+07:00");
const gwpSets = fc.constantFrom(...loaded.gwpSets);
const mass = fc.bigInt({ min: 0n, max: 10n ** 15n });
const quantity = fc.integer({ min: 0, max: 5_000_000 }).map((n) => fraction(BigInt(n), 1000n));

const fuels = fc.constantFrom(
  ...(["diesel", "natural_gas", "anthracite", "biomass", "lpg", "gasoline", "wood", "coke"] as const),
);

const anyFuel = fc
  .record({ carrier: fuels, value: quantity })
  .map(({ carrier, value }) =>
    activity({ carrier, amount: { kind: "quantity", value, unit: carrier === "natural_gas" ? "Nm3" : "t" } }),
  );

const power = (value: Fraction, more: Partial<Activity> = {}): Activity =>
  activity({
    id: "grid",
    carrier: "electricity",
    use: "import",
    amount: { kind: "quantity", value, unit: "MWh" },
    ...more,
  });

function accounted(activities: readonly Activity[], more: Partial<AccountRequest> = {}, book: Book = BOOK): Account {
  const named = activities.map((one, at) => ({ ...one, id: `${one.id}-${at}` }));
  const request = {
    activities: named,
    gwp: loaded.gwpSets[1]!,
    instruments: [],
    residualMix: null,
    zone: null,
    ...more,
  };
  const outcome = account(request, book);
  if (outcome.kind === "problems") throw outcome.problems[0]!.error;
  return outcome.account;
}

describe("metered and stated are the same thing", () => {
  const emitters = fc.record({
    carrier: fc.constantFrom(...METERED_CARRIER_IDS),
    ncv: fc.constantFrom("37.2", "35.81", null),
    ticks: fc.bigInt({ min: 0n, max: 10n ** 13n }),
    amount: fc.constantFrom("1", "0.1", "0.001", "10"),
    day: fc.integer({ min: 0, max: 4000 }),
  });

  test("law: an interval comes to the same milligrams whichever way it is worked out", () => {
    let booked = 0;
    fc.assert(
      fc.property(emitters, ({ carrier, ncv, ticks, amount, day }) => {
        const emitter = { ...GRID_METER, carrier, ncv_MJ_per_Nm3: ncv };
        const from_ms = ms("2014-01-01T00:00:00+07:00") + day * 86_400_000;
        const [quantityId, unit] = COUNTED[carrier] ?? COUNTED.electricity!;
        const one = interval(ticks, {
          quantity: quantityId,
          from_ms,
          to_ms: from_ms + 900_000,
          tick: { amount, unit },
        });
        const result = emissionsOf(one, emitter, loaded.factors, NOW_MS);
        const ofRun = openEmissions(emitter, loaded.factors, NOW_MS);
        expect(ofRun(one)).toEqual(result);
        if (result.kind !== "emissions") return;
        const stated = calculate(activityOfInterval(one, emitter)!, { ...BOOK, knownAt_ms: NOW_MS });
        const ofMeter = Object.fromEntries(result.entries.map(({ gas, mg }) => [gas, mg]));
        expect(stated.mg).toEqual(ofMeter);
        expect(stated.parts[0]?.factor).toMatchObject({
          id: result.entries[0]?.factorId,
          version: result.entries[0]?.factorVersion,
          match: result.entries[0]?.match,
        });
        booked += 1;
      }),
      { numRuns: 400 },
    );
    expect(booked).toBeGreaterThan(100);
  });

  test("a run of intervals that crosses years takes each year's factor, as single intervals do", () => {
    const run = openEmissions(GRID_METER, loaded.factors, NOW_MS);
    const starts = [
      "2022-12-31T23:45:00+07:00",
      "2023-01-01T00:00:00+07:00",
      "2024-05-01T00:00:00+07:00",
      "2021-06-01T00:00:00+07:00",
    ];
    const versions = starts.map((start) => {
      const result = run(interval(10n, { from_ms: ms(start), to_ms: ms(start) + 900_000 }));
      return result.kind === "emissions" ? [result.entries[0]?.factorVersion, result.entries[0]?.match] : result.kind;
    });
    expect(versions).toEqual([
      ["2022", "exact"],
      ["2023", "exact"],
      ["2023", "provisional"],
      ["2021", "exact"],
    ]);
  });

  test("an interval without a figure is no activity", () => {
    expect(activityOfInterval(interval(null), GRID_METER)).toBeNull();
  });
});

const COUNTED: Readonly<
  Record<string, readonly ["active_energy_import_total" | "volume_base_total" | "fuel_used_total", "Wh" | "Nm3" | "L"]>
> = {
  electricity: ["active_energy_import_total", "Wh"],
  natural_gas: ["volume_base_total", "Nm3"],
  lpg: ["volume_base_total", "Nm3"],
  biogas: ["volume_base_total", "Nm3"],
  diesel: ["fuel_used_total", "L"],
  fuel_oil: ["fuel_used_total", "L"],
  gasoline: ["fuel_used_total", "L"],
  kerosene: ["fuel_used_total", "L"],
};

describe("sums", () => {
  test("law: days, months and years come to the same milligrams", () => {
    const quarters = fc.array(
      fc.record({ at: fc.integer({ min: 0, max: 70_000 }), ticks: fc.bigInt({ min: 0n, max: 10n ** 9n }) }),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(quarters, (list) => {
        const run = openEmissions(GRID_METER, loaded.factors, NOW_MS);
        const entries = list.flatMap(({ at, ticks }) => {
          const from_ms = ms("2022-01-01T00:00:00+07:00") + at * 900_000;
          const result = run(interval(ticks, { from_ms, to_ms: from_ms + 900_000 }));
          return result.kind === "emissions" ? result.entries : [];
        });
        const total = entries.reduce((all, { mg }) => all + mg, 0n);
        for (const step of ["day", "month", "year"] as const) {
          const buckets = new Map<number, bigint>();
          for (const { from_ms, mg } of entries) {
            const bucket = stepStart(from_ms, step, ZONE);
            expect(from_ms).toBeLessThan(nextStep(bucket, step, ZONE));
            buckets.set(bucket, (buckets.get(bucket) ?? 0n) + mg);
          }
          expect([...buckets.values()].reduce((a, b) => a + b, 0n)).toBe(total);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("law: the gases of an account add up to its CO2e, and the scopes to the same", () => {
    fc.assert(
      fc.property(fc.array(anyFuel, { minLength: 1, maxLength: 8 }), quantity, gwpSets, (burnt, MWh, gwp) => {
        const { results, totals } = accounted([...burnt, power(MWh)], { gwp });
        const byGas = co2eOf(totals.masses, gwp, loaded.refrigerants);
        expect(compare(byGas, plus(totals.scope1_mg, totals.scope2Location_mg))).toBe(0);
        expect(compare(byGas, sum(results.map(({ mg }) => co2eOf(mg, gwp, loaded.refrigerants))))).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("law: tenants and operator, less what is eliminated, are the zone", () => {
    const share = fc.record({ scope1: mass, bought: mass, internal: mass, isBacked: fc.boolean() });
    fc.assert(
      fc.property(fc.array(share, { maxLength: 20 }), (list) => {
        const shares = list.map(
          ({ scope1, bought, internal, isBacked }, at): SiteShare => ({
            site: `s${at}`,
            scope1_mg: fraction(scope1),
            scope2_mg: fraction(bought + internal),
            internal_mg: fraction(internal),
            unbacked_mg: fraction(isBacked ? 0n : internal),
          }),
        );
        const zone = rollUp(shares, [...shares.map(({ site }) => site), "silent"]);
        const tenants = sum(shares.map(({ scope1_mg, scope2_mg }) => plus(scope1_mg, scope2_mg)));
        expect(compare(minus(tenants, zone.eliminated_mg), zone.total_mg)).toBe(0);
        expect(compare(plus(zone.scope1_mg, zone.scope2_mg), zone.total_mg)).toBe(0);
        expect(zone.uncovered).toEqual(["silent"]);
      }),
    );
  });

  test("law: a zone counts energy sold inside it once, whoever buys it", () => {
    fc.assert(
      fc.property(quantity, quantity, (tonnes, litres) => {
        const steam = activity({
          site: "buyer",
          supplier: "seller",
          carrier: "purchased_steam",
          use: "purchased",
          amount: { kind: "quantity", value: tonnes, unit: "t" },
          factor: {
            mgPer: { co2: fraction(242_002_000n) },
            per: "t",
            stated: { value: "0.242002", unit: "t/t" },
            source: "certificate",
            uncertainty_pct: null,
          },
        });
        const fuel = activity({
          site: "seller",
          carrier: "diesel",
          amount: { kind: "quantity", value: litres, unit: "L" },
        });
        const zone = {
          sites: [
            { id: "buyer", stated: null },
            { id: "seller", stated: null },
          ],
        };
        const { zone: rolled, totals } = accounted([steam, fuel], { zone });
        expect(compare(rolled!.total_mg, totals.scope1_mg)).toBe(0);
        expect(compare(rolled!.naive_mg, plus(totals.scope1_mg, totals.scope2Location_mg))).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});

describe("what never changes", () => {
  test("law: a period over several factors is divided into parts that add up to the whole, each by its own factor", () => {
    const days = fc.integer({ min: 1, max: 1500 });
    fc.assert(
      fc.property(quantity, fc.integer({ min: 0, max: 3000 }), days, (value, from, length) => {
        const from_ms = ms("2014-01-01T00:00:00+07:00") + from * 86_400_000;
        const { parts, mg } = calculate(
          power(value, { accepted: "a law", period: { from_ms, to_ms: from_ms + length * 86_400_000 } }),
          BOOK,
        );
        expect(sum(parts.map(({ amount }) => amount))).toEqual(value);
        expect(parts[0]?.span.from_ms).toBe(from_ms);
        expect(parts.at(-1)?.span.to_ms).toBe(from_ms + length * 86_400_000);
        expect(new Set(parts.map(({ factor: { version, match } }) => `${version} ${match}`)).size).toBe(parts.length);
        expect(addMasses(parts.map((part) => part.mg))).toEqual(mg);
      }),
      { numRuns: 60 },
    );
  });

  test("law: splitting an amount changes neither energy nor, beyond half a milligram an entry, mass", () => {
    fc.assert(
      fc.property(fuels, quantity, fc.integer({ min: 1, max: 99 }), (carrier, value, percent) => {
        const unit = carrier === "natural_gas" ? "Nm3" : "t";
        const of = (part: Fraction) =>
          calculate(activity({ carrier, amount: { kind: "quantity", value: part, unit } }), BOOK);
        const share = fraction(BigInt(percent), 100n);
        const [whole, left, right] = [of(value), of(times(value, share)), of(times(value, minus(fraction(1n), share)))];
        expect(compare(plus(left.energy_TJ!, right.energy_TJ!), whole.energy_TJ!)).toBe(0);
        for (const [gas, mg] of Object.entries(addMasses([left.mg, right.mg]))) {
          const off = mg - (whole.mg[gas] ?? 0n);
          expect(off >= -1n && off <= 1n).toBe(true);
        }
      }),
    );
  });

  test("law: the warming potentials change CO2e and no mass", () => {
    fc.assert(
      fc.property(anyFuel, (burnt) => {
        const masses = loaded.gwpSets.map((gwp) => accounted([burnt], { gwp }).totals.masses);
        expect(masses[1]).toEqual(masses[0]);
        expect(masses[2]).toEqual(masses[0]);
      }),
      { numRuns: 40 },
    );
  });

  test("law: export never lowers scope 2, location- or market-based", () => {
    fc.assert(
      fc.property(quantity, quantity, (bought, sold) => {
        const grid = power(plus(bought, sold));
        const fedBack = power(sold, { id: "export", use: "export" });
        const [without, with_] = [accounted([grid]), accounted([grid, fedBack])];
        expect(with_.totals.scope2Location_mg).toEqual(without.totals.scope2Location_mg);
        expect(with_.totals.scope2Market_mg).toEqual(without.totals.scope2Market_mg);
      }),
      { numRuns: 40 },
    );
  });

  test("law: what becomes known later never alters what was known then", () => {
    const then_ms = ms("2025-06-01T00:00:00+07:00");
    const letter = fc.record({
      mg: fc.integer({ min: 1, max: 999_999 }).map((n) => `${n / 1000}`),
      year: fc.integer({ min: 2022, max: 2025 }),
      level: fc.constantFrom("own" as const, "ministry" as const),
      known_from_ms: fc.integer({ min: then_ms + 1, max: NOW_MS }),
    });
    fc.assert(
      fc.property(
        fc.array(letter, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 2022, max: 2025 }),
        (letters, year) => {
          const later = letters.map(
            ({ mg, year: of, level, known_from_ms }, at): EmissionFactor =>
              factor({
                id: "grid-vn",
                version: `later-${at}`,
                level,
                known_from_ms,
                mg_per_basis: { co2: mg },
                valid_from_ms: ms(`${of}-01-01T00:00:00+07:00`),
                valid_to_ms: ms(`${of + 1}-01-01T00:00:00+07:00`),
              }),
          );
          const used = power(fraction(7800n), { period: span(`${year}-01-01`, `${year + 1}-01-01`) });
          const book = { ...BOOK, knownAt_ms: then_ms };
          const before = accounted([used], {}, book);
          const kept = structuredClone(before.totals);
          const again = accounted([used], {}, { ...book, factors: [...loaded.factors, ...later] });
          expect(again.results[0]?.mg).toEqual(before.results[0]?.mg);
          expect(again.results[0]?.parts).toEqual(before.results[0]?.parts);
          const now = accounted([used], {}, { ...book, factors: [...loaded.factors, ...later], knownAt_ms: NOW_MS });
          const { before_mg, after_mg, delta_mg } = restate(before, now);
          expect(compare(plus(before_mg, delta_mg), after_mg)).toBe(0);
          expect(before.totals).toEqual(kept);
        },
      ),
      { numRuns: 60 },
    );
  });
});
