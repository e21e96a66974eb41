import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadFactors, parseFactors } from "../../config/factors.ts";
import { CARRIER_IDS } from "../../core/emission/carriers.ts";
import { changed, problemsOf } from "./problems.ts";

const all = loadFactors();
const textOf = (name: string) => readFileSync(new URL(`../../config/factors/${name}.yaml`, import.meta.url), "utf8");
const GRID = textOf("dcc-2023");
const grid = all.factors.filter((factor) => factor.id === "grid-vn");
const problems = (text: string) => problemsOf(() => parseFactors(text, "f.yaml"));

test("the grid has one factor a year from 2014 to 2023, as published, in mg per Wh", () => {
  expect(grid.map(({ version, stated, mg_per_basis }) => [version, stated.value, mg_per_basis.co2])).toEqual([
    ["2014", "0.6612", "661.2"],
    ["2015", "0.8154", "815.4"],
    ["2016", "0.9185", "918.5"],
    ["2017", "0.8649", "864.9"],
    ["2018", "0.9130", "913"],
    ["2019", "0.8458", "845.8"],
    ["2020", "0.8041", "804.1"],
    ["2021", "0.7221", "722.1"],
    ["2022", "0.6766", "676.6"],
    ["2023", "0.6592", "659.2"],
  ]);
  expect(new Set(grid.map((factor) => factor.basis))).toEqual(new Set(["energy_Wh"]));
});

test("the years follow each other without hole or overlap, in local time, and end with 2023", () => {
  for (const [i, factor] of grid.entries()) {
    expect(factor.valid_from_ms).toBe(Date.parse(`${2014 + i}-01-01T00:00:00+07:00`));
    expect(factor.valid_to_ms).toBe(Date.parse(`${2015 + i}-01-01T00:00:00+07:00`));
  }
});

test("a letter whose date was seen is known from that day, the others have no date", () => {
  expect(grid.map((factor) => factor.known_from_ms)).toEqual([
    ...Array.from({ length: 8 }, () => null),
    Date.parse("2024-03-19T00:00:00+07:00"),
    Date.parse("2024-12-03T00:00:00+07:00"),
  ]);
});

test("natural gas has three gases in mg per MJ and a calorific value that says how weak it is", () => {
  const gas = all.factors.filter((factor) => factor.carrier === "natural_gas" && factor.use === "stationary");
  expect(gas.map(({ level }) => level).sort()).toEqual(["ipcc", "ministry"]);
  for (const entry of gas)
    expect(entry).toMatchObject({
      basis: "fuel_MJ",
      mg_per_basis: { co2: "56100", ch4: "1", n2o: "0.1" },
      valid_to_ms: null,
      ncv: { value: "37.68", unit: "MJ/Nm3", confidence: "secondary" },
      otherNcvs: [{ value: "48.0", unit: "GJ/t" }],
      confidence: "official",
    });
  expect(gas[0]?.ncv?.source).toContain("does not state the reference condition");
});

test("the warming potentials are whole sets of one report each", () => {
  expect(all.gwpSets.map(({ id, gwp, ch4_fossil_fugitive }) => ({ id, ...gwp, ch4_fossil_fugitive }))).toEqual([
    { id: "AR4", co2: "1", ch4: "25", n2o: "298", ch4_fossil_fugitive: "25" },
    { id: "AR5", co2: "1", ch4: "28", n2o: "265", ch4_fossil_fugitive: "28" },
    { id: "AR6", co2: "1", ch4: "27.0", n2o: "273", ch4_fossil_fugitive: "29.8" },
  ]);
  expect(all.gwpSets.map((set) => set.others.SF6)).toEqual(["22800", "23500", "25200"]);
});

test("every factor names its document and where it was read", () => {
  for (const entry of [...all.factors, ...all.gwpSets]) {
    expect(entry.document.length).toBeGreaterThan(10);
    expect(entry.sources.length).toBeGreaterThan(0);
    for (const source of entry.sources) expect(source).toMatch(/, https?:\/\//);
  }
});

test("no refused value is a factor", () => {
  expect(all.refused.map((refused) => refused.value)).toEqual(["0.6811", "0.6235", "0.4936", "0.7228"]);
  const stated = all.factors.map((factor) => Number(factor.stated.value));
  for (const { value } of all.refused) expect(stated).not.toContain(Number(value));
});

test.each(all.refused)("$value cannot be loaded as a factor, however it is written", ({ value, why }) => {
  for (const written of [value, `${value}0`]) {
    const line = [`factors[9].gases.co2: ${written} must not be used: ${why}`];
    const bad = changed(GRID, ['gases: {co2: "0.6592"}', `gases: {co2: "${written}"}`]);
    expect(problems(bad)).toEqual(line);
    // The same from a file of its own that says nothing of refusals.
    const own = changed(bad.slice(0, bad.indexOf("refused:")), ["level: ministry", "level: own"]);
    expect(problemsOf(() => parseFactors(own, "own.yaml", all.refused))).toEqual(line);
  }
});

test.each<[string, readonly [string, string], readonly string[]]>([
  [
    "a figure must be quoted, so that its zeros stay",
    ['{co2: "0.9130"}', "{co2: 0.9130}"],
    ['factors[4].gases.co2: must be quoted, so that its digits stay as printed (did you mean "0.913"?)'],
  ],
  [
    "a comma is no decimal point",
    ['{co2: "0.6592"}', '{co2: "0,6592"}'],
    ['factors[9].gases.co2: "0,6592" is not a decimal number (allowed: e.g. "0.6592")'],
  ],
  [
    "a unit we cannot turn into mg",
    ["unit: tCO2/MWh", "unit: kgCO2/kWh"],
    [
      'factors[0].unit: "kgCO2/kWh" is not known (allowed: tCO2/MWh, kg/TJ, t/t, kg/t, g/kg, g/t; did you mean tCO2/MWh?)',
    ],
  ],
  [
    "a source that is not listed",
    ["sources: [iki_grid]", "sources: [iki_grd]"],
    [
      'factors[0].sources[0]: no source "iki_grd" in this file (allowed: iki_grid, greenup_2022, knk_dash, hust_2025; did you mean iki_grid?)',
    ],
  ],
  [
    "a validity that runs backwards",
    ["valid_to: 2015-01-01", "valid_to: 2013-01-01"],
    ["factors[0].valid_to: must be later than valid_from"],
  ],
  [
    "two factors for one day",
    ["valid_to: 2015-01-01", "valid_to: 2016-01-01"],
    ["factors[1].valid_from: overlaps factors[0]: a day has one factor of a series"],
  ],
  [
    "a version twice",
    ['version: "2015"', 'version: "2014"'],
    ['factors[1].version: factor "grid-vn 2014" is already used at factors[0].version'],
  ],
  [
    "a day that does not exist",
    ["known_from: 2024-12-03", "known_from: 2024-12-33"],
    ['factors[9].known_from: "2024-12-33" is no day of the calendar'],
  ],
  [
    "a factor without a figure",
    ['gases: {co2: "0.6612"}', "gases: {}"],
    ["factors[0].gases: must not be empty (allowed: co2, ch4, n2o, co2_biogenic)"],
  ],
])("%s", (_name, edit, expected) => {
  expect(problems(changed(GRID, edit))).toEqual(expected);
});

test("factors speak of carriers the books know", () => {
  for (const factor of all.factors) expect(CARRIER_IDS).toContain(factor.carrier);
});

test("a folder of one's own adds to the factors that come along, under the same refusals", () => {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-factors-"));
  const letter = (value: string) => `
publisher: "Department of Climate Change, Viet Nam"
gathered: 2026-12-01
sources: {letter: {title: "the letter", url: "https://example.org"}}
factors:
  - {id: grid-vn, version: "2024", carrier: electricity, level: ministry, valid_from: 2024-01-01, valid_to: 2025-01-01, known_from: 2026-12-01, unit: tCO2/MWh, gases: {co2: "${value}"}, document: letter, confidence: official, sources: [letter], uncertainty_pct: null}
`;
  writeFileSync(join(folder, "dcc-2024.yaml"), letter("0.6650"));
  const withOwn = loadFactors(folder).factors;
  expect(withOwn).toHaveLength(all.factors.length + 1);
  expect(withOwn.at(-1)).toMatchObject({ id: "grid-vn", version: "2024", mg_per_basis: { co2: "665" } });
  writeFileSync(join(folder, "dcc-2024.yaml"), letter("0.6811"));
  expect(() => loadFactors(folder)).toThrow("must not be used");
  writeFileSync(join(folder, "dcc-2024.yaml"), letter("0.6650").replace('"2024"', '"2023"'));
  expect(() => loadFactors(folder)).toThrow("is already stated in");
  rmSync(folder, { recursive: true });
  expect(() => loadFactors(folder)).toThrow("CONFIG_UNREADABLE");
});
