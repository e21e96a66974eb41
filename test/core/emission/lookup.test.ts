import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadFactors } from "../../../config/factors.ts";
import type { Constant, EmissionFactor } from "../../../core/emission/factor.ts";
import { lookupConstant, lookupFactor, lookupForUse } from "../../../core/emission/lookup.ts";
import type { UseId } from "../../../core/emission/uses.ts";
import { factor, ms } from "./fixture.ts";

const NOW = ms("2026-11-22T00:00:00+07:00");
const year = (y: number) => ({
  version: String(y),
  valid_from_ms: ms(`${y}-01-01T00:00:00+07:00`),
  valid_to_ms: ms(`${y + 1}-01-01T00:00:00+07:00`),
});
const version = (factors: readonly EmissionFactor[], at: string, knownAt_ms = NOW) => {
  const match = lookupFactor(factors, "electricity", ms(at), knownAt_ms);
  return match.kind === "none" ? "none" : `${match.kind} ${match.factor.version}`;
};

test("the factor that covers the date is exact, from its first millisecond to its last", () => {
  const factors = [factor(year(2022)), factor(year(2023))];
  expect(version(factors, "2022-12-31T23:59:59.999+07:00")).toBe("exact 2022");
  expect(version(factors, "2023-01-01T00:00:00+07:00")).toBe("exact 2023");
  expect(version(factors, "2023-12-31T23:59:59.999+07:00")).toBe("exact 2023");
});

test("after the last published year the latest stands in, provisional, and says so", () => {
  const factors = [factor(year(2023)), factor(year(2022))];
  const match = lookupFactor(factors, "electricity", ms("2024-01-01T00:00:00+07:00"), NOW);
  expect(match).toMatchObject({ kind: "provisional", factor: { version: "2023" } });
  if (match.kind === "provisional") expect(match.why).toContain("2023");
});

test("a date before the first factor has none; nothing is guessed backwards", () => {
  const match = lookupFactor([factor(year(2023))], "electricity", ms("2022-12-31T23:59:59.999+07:00"), NOW);
  expect(match.kind).toBe("none");
  if (match.kind === "none") expect(match.why).toContain("electricity");
});

test("a factor of another carrier is none", () => {
  expect(version([factor({ ...year(2023), carrier: "natural_gas" })], "2023-05-01T00:00:00Z")).toBe("none");
});

test("a factor without an end covers all that follows", () => {
  expect(version([factor({ ...year(2006), valid_to_ms: null })], "2026-05-01T00:00:00Z")).toBe("exact 2006");
});

test("own comes before ministry, ministry before IPCC, whatever is newer", () => {
  const levels = [
    factor({ version: "ipcc", level: "ipcc", known_from_ms: NOW - 1 }),
    factor({ version: "own", level: "own", known_from_ms: NOW - 3 }),
    factor({ version: "ministry", level: "ministry", known_from_ms: NOW - 2 }),
  ];
  expect(version(levels, "2023-05-01T00:00:00Z")).toBe("exact own");
  expect(
    version(
      levels.filter((f) => f.level !== "own"),
      "2023-05-01T00:00:00Z",
    ),
  ).toBe("exact ministry");
});

test("of two for the same date the one known last holds, and as known before it the one before", () => {
  const factors = [
    factor({ version: "first", known_from_ms: null }),
    factor({ version: "restated", known_from_ms: ms("2025-06-01T00:00:00+07:00") }),
  ];
  for (const order of [factors, [...factors].reverse()]) {
    expect(version(order, "2023-05-01T00:00:00Z")).toBe("exact restated");
    expect(version(order, "2023-05-01T00:00:00Z", ms("2025-05-31T00:00:00+07:00"))).toBe("exact first");
  }
});

test("a factor stands in from the day it is known: before, the year before it does", () => {
  const published = ms("2024-12-03T00:00:00+07:00");
  const factors = [factor(year(2022)), factor({ ...year(2023), known_from_ms: published })];
  expect(version(factors, "2023-05-01T00:00:00Z", published - 1)).toBe("provisional 2022");
  expect(version(factors, "2023-05-01T00:00:00Z", published)).toBe("exact 2023");
});

test("a restated figure stands in for later years restated", () => {
  const factors = [factor(year(2023)), factor({ ...year(2023), version: "2023b", known_from_ms: NOW - 1 })];
  expect(version(factors, "2025-05-01T00:00:00Z")).toBe("provisional 2023b");
  expect(version([...factors].reverse(), "2025-05-01T00:00:00Z")).toBe("provisional 2023b");
});

test("a higher level that ended stands in only if it is also the newest", () => {
  const factors = [factor({ ...year(2021), version: "own", level: "own" }), factor(year(2023))];
  expect(version(factors, "2025-05-01T00:00:00Z")).toBe("provisional 2023");
});

test("law: the order in which factors are listed does not matter", () => {
  const some = fc.uniqueArray(
    fc.record({
      level: fc.constantFrom("own" as const, "ministry" as const, "ipcc" as const),
      from: fc.integer({ min: 2015, max: 2020 }),
      years: fc.option(fc.integer({ min: 1, max: 3 })),
      known: fc.option(fc.integer({ min: 2015, max: 2026 })),
    }),
    { selector: ({ level, from, known }) => `${level} ${from} ${known}`, maxLength: 12 },
  );
  fc.assert(
    fc.property(some, fc.integer({ min: 2014, max: 2026 }), fc.nat(), (rows, at, seed) => {
      const factors = rows.map(({ level, from, years, known }, i) =>
        factor({
          version: String(i),
          level,
          valid_from_ms: ms(`${from}-01-01T00:00:00Z`),
          valid_to_ms: years === null ? null : ms(`${from + years}-01-01T00:00:00Z`),
          // Spread within the year, so that no two of a level are known since the same instant.
          known_from_ms: known === null ? null : ms(`${known}-01-01T00:00:00Z`) + from,
        }),
      );
      const shuffled = [
        ...factors.slice(seed % (factors.length + 1)),
        ...factors.slice(0, seed % (factors.length + 1)),
      ];
      const date = `${at}-07-01T00:00:00Z`;
      const isTie = new Set(factors.map((f) => `${f.level} ${f.known_from_ms}`)).size < factors.length;
      if (!isTie) expect(version(shuffled.reverse(), date)).toBe(version(factors, date));
    }),
  );
});

test("what is published: 2018 is 0.9130, 2023 is 0.6592, and 2024 is not published", () => {
  const { factors } = loadFactors();
  const stated = (at: string) => {
    const match = lookupFactor(factors, "electricity", ms(at), NOW);
    return match.kind === "none" ? "none" : `${match.kind} ${match.factor.stated.value}`;
  };
  expect(stated("2018-07-01T00:00:00+07:00")).toBe("exact 0.9130");
  expect(stated("2023-07-01T00:00:00+07:00")).toBe("exact 0.6592");
  expect(stated("2024-07-01T00:00:00+07:00")).toBe("provisional 0.6592");
  expect(stated("2013-07-01T00:00:00+07:00")).toBe("none");
});

describe("a factor for a use", () => {
  const { factors } = loadFactors();
  const at = ms("2023-06-01T00:00:00+07:00");
  const of = (carrier: "diesel" | "anthracite" | "gasoline", use: UseId) =>
    lookupForUse(factors, carrier, use, at, NOW);

  test("a lorry takes the factor of the road, a boiler that of the works, both of the national list", () => {
    expect(of("diesel", "mobile")).toMatchObject({
      kind: "exact",
      factor: { id: "qd2626-diesel-mobile", mg_per_basis: { ch4: "3.9", n2o: "3.9" } },
    });
    expect(of("diesel", "stationary")).toMatchObject({
      kind: "exact",
      factor: { level: "ministry", mg_per_basis: { ch4: "3" } },
    });
  });

  test("a genset burns like a boiler", () => {
    expect(of("diesel", "genset")).toEqual(of("diesel", "stationary"));
  });

  test("a use the lists do not know falls back to the usual one, and says which", () => {
    expect(of("gasoline", "mobile_water")).toMatchObject({
      kind: "fallback",
      factor: { id: "gasoline-stationary-manufacturing" },
      why: "no gasoline factor for mobile_water; gasoline-stationary-manufacturing IPCC2006 (stationary) stands in",
    });
  });

  test("before the national list the IPCC's own table applies", () => {
    expect(lookupForUse(factors, "diesel", "stationary", ms("2021-06-01T00:00:00+07:00"), NOW)).toMatchObject({
      kind: "exact",
      factor: { level: "ipcc" },
    });
    expect(lookupForUse(factors, "diesel", "stationary", at, ms("2022-10-09T23:00:00+07:00"))).toMatchObject({
      factor: { level: "ipcc" },
    });
    expect(lookupForUse(factors, "diesel", "stationary", ms("2005-06-01T00:00:00+07:00"), NOW).kind).toBe("none");
  });
});

describe("a constant", () => {
  const constant = (value: string, from: string, to: string | null, known: string | null): Constant => ({
    id: "limit",
    value,
    range: null,
    unit: "1",
    valid_from_ms: ms(`${from}T00:00:00+07:00`),
    valid_to_ms: to === null ? null : ms(`${to}T00:00:00+07:00`),
    known_from_ms: known === null ? null : ms(`${known}T00:00:00+07:00`),
    document: "this test",
    sources: [],
    confidence: "official",
    note: null,
  });
  const list = [
    constant("1", "2020-01-01", "2022-01-01", null),
    constant("2", "2022-01-01", null, null),
    constant("3", "2022-01-01", null, "2025-01-01"),
  ];
  const at = (day: string, known: string) =>
    lookupConstant(list, "limit", ms(`${day}T00:00:00+07:00`), ms(`${known}T00:00:00+07:00`))?.value;

  test("is the one that covers the day, as it was known then", () => {
    expect(at("2021-12-31", "2026-01-01")).toBe("1");
    expect(at("2022-01-01", "2024-12-31")).toBe("2");
    expect(at("2022-01-01", "2025-01-01")).toBe("3");
    expect(at("2019-12-31", "2026-01-01")).toBeUndefined();
    expect(lookupConstant(list, "other", 0, NOW)).toBeNull();
  });
});
