import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { calculation } from "../../cli/commands/calc.ts";
import { calcSpec } from "../../config/files/calc.ts";
import { parseConfig } from "../../config/parse.ts";
import { problemsOf } from "../config/problems.ts";
import { tempDir } from "../e2e/harness.ts";
import { khuxanhRun } from "../e2e/processes.ts";

const NOW_MS = Date.parse("2026-11-22T00:00:00+07:00");
const YEAR = "period: {from: 2023-01-01, to: 2024-01-01}\n";

const run = (text: string) => calculation(parseConfig(text, calcSpec, "calc.yaml"), "calc.yaml", NOW_MS);
const one = (activity: string) => `${YEAR}activities:\n  - {id: a, ${activity}}\n`;

/** The document as a script reads it. */
// biome-ignore lint/suspicious/noExplicitAny: a JSON document has no types
const json = (text: string): any => run(text).json;
const resultOf = (text: string) => json(text).activities[0];
const problems = (text: string) => problemsOf(() => run(text));

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function file(text: string): string {
  const dir = tempDir();
  cleanups.push(dir.remove);
  const path = join(dir.path, "calc.yaml");
  writeFileSync(path, text);
  return path;
}

const CONTRACT = `${YEAR}gwp: AR5
activities:
  - {id: grid,   carrier: electricity, quantity: 9120,   unit: MWh}
  - {id: boiler, carrier: diesel, use: stationary, quantity: 120000, unit: L}
  - {id: steam,  carrier: purchased_steam, quantity: 1500, unit: t, factor: {value: 0.242002, unit: t/t, source: "supplier certificate 12/2023"}}
`;

describe("the command", () => {
  test("gives the document of the contract, and nothing else on stdout", async () => {
    const { code, stdout, stderr } = await khuxanhRun("calc", file(CONTRACT), "--json");
    expect([code, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout);
    expect(document.gwp).toBe("AR5");
    expect(document.activities.map(({ id, scope }: { id: string; scope: number }) => [id, scope])).toEqual([
      ["grid", 2],
      ["boiler", 1],
      ["steam", 2],
    ]);
    expect(document.activities[1]).toMatchObject({
      energy_tj: 4.3344,
      gases_kg: { co2: 321_179.04, co2_biogenic: 0, ch4: 13.0032, n2o: 2.60064 },
      co2e_kg: 322_232.2992,
      factor: { id: "qd2626-diesel-stationary", version: "2022", match: "exact" },
      provisional: false,
      uncertainty_pct: null,
    });
    expect(document.activities[2].factor).toMatchObject({ match: "own", source: "supplier certificate 12/2023" });
    expect(document.totals).toMatchObject({
      scope1_kg: 322_232.2992,
      scope2_location_kg: 6_374_907,
      scope2_market_kg: 6_374_907,
      biogenic_co2_kg: 0,
      uncertainty_pct: null,
    });
    expect(document.totals.toe).toBeCloseTo(1512.8, 0);
  });

  test("speaks to a person in English and Vietnamese, with every step on request", async () => {
    const path = file(CONTRACT);
    const english = (await khuxanhRun("calc", path)).stdout;
    expect(english).toMatch(
      /^boiler +Diesel oil +120,000 L +1 +322\.232 t +qd2626-diesel-stationary 2022: 74100 kg\/TJ +unknown$/m,
    );
    expect(english).toMatch(/^Scope 2, location-based +6,374\.907 t CO2e$/m);
    expect(english).toContain("density 0.84 kg/L is a fall-back");
    const vietnamese = (await khuxanhRun("calc", path, "--lang", "vi", "--explain")).stdout;
    expect(vietnamese).toMatch(/^boiler +Dầu DO +120\.000 L +1 +322,232 t /m);
    expect(vietnamese).toMatch(/^ {2}energy +energy = amount × density × NCV \/ 10\^6 += 4\.3344 TJ$/m);
    expect(vietnamese).toMatch(/^ {4}factor +74100 kg\/TJ +qd2626-diesel-stationary 2022: Decision 2626\/QD-BTNMT/m);
  });

  test.each([
    [["calc"], /which file/],
    [["calc", "a.yaml", "b.yaml"], /takes one file/],
    [["calc", "does-not-exist.yaml"], /does not exist \[CONFIG_UNREADABLE\]/],
    [["calc", "config/examples/calc.yaml", "--lang", "fr"], /--lang is fr \(allowed: en, vi\)/],
  ])("%j is wrong usage", async (args, words) => {
    const { code, stdout, stderr } = await khuxanhRun(...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(words);
  });

  test("a period without a factor ends with 1 and says what exists", async () => {
    const { code, stdout, stderr } = await khuxanhRun(
      "calc",
      file(
        "period: {from: 2012-01-01, to: 2013-01-01}\nactivities: [{id: l, carrier: electricity, quantity: 10, unit: MWh}]\n",
      ),
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(
      "activities[0].period: no electricity factor applies on 2012-01-01: grid-vn exist from 2014-01-01 on",
    );
    expect(stderr).toContain("[FACTOR_MISSING]");
  });
});

describe("closed lists", () => {
  test("an unknown carrier, use or unit lists all there are, and the nearest", () => {
    const [carrier, use, unit] = problems(`${YEAR}activities:
  - {id: a, carrier: deisel, quantity: 1, unit: L}
  - {id: b, carrier: diesel, use: stationery, quantity: 1, unit: L}
  - {id: c, carrier: diesel, quantity: 1, unit: litre}
`);
    expect(carrier).toMatch(
      /^activities\[0\]\.carrier: "deisel" is not known \(allowed: electricity, .*, domestic_waste_water; did you mean diesel\?\)$/,
    );
    expect(use).toMatch(
      /^activities\[1\]\.use: "stationery" is not known \(allowed: stationary, .*did you mean stationary\?\)$/,
    );
    expect(unit).toBe(
      'activities[2].unit: "litre" is not known (allowed: Wh, kWh, MWh, GWh, MJ, GJ, TJ, L, m3, Nm3, Sm3, g, kg, t)',
    );
  });

  test("a unit or a use that does not fit the carrier says which do", () => {
    expect(problems(one("carrier: anthracite, quantity: 1, unit: L"))).toEqual([
      'activities[0].unit: "L" is no unit of anthracite (allowed: kg, t, MJ, GJ, TJ)',
    ]);
    expect(problems(one("carrier: anthracite, use: mobile, quantity: 1, unit: t"))).toEqual([
      'activities[0].use: anthracite is not used for "mobile" (allowed: stationary, genset, energy_industry, commercial)',
    ]);
  });

  test("what is missing or no number is said once, with what belongs there", () => {
    expect(problems(one("carrier: electricity, quantity: 10"))).toEqual([
      "activities[0].unit: is missing (allowed: Wh, kWh, MWh, GWh)",
    ]);
    expect(problems(one("carrier: diesel, unit: L, quantity: abc"))).toEqual([
      'activities[0].quantity: "abc" is not a decimal number (allowed: e.g. 0.6592)',
    ]);
    expect(problems(one("carrier: diesel, unit: L, quantity: -1"))).toEqual([
      "activities[0].quantity: -1 is negative (allowed: at least 0)",
    ]);
    expect(problems(one("carrier: diesel, unit: L"))).toEqual([
      "activities[0].quantity: is missing (diesel is stated by quantity or registers or stock)",
    ]);
  });

  test("a carrier has other names", () => {
    expect(resultOf(one("carrier: motor_gasoline, quantity: 1, unit: t")).carrier).toBe("gasoline");
  });
});

describe("plausibility", () => {
  test.each<[string, string, string]>([
    [
      "kWh as MWh",
      "carrier: electricity, quantity: 9120000, unit: MWh",
      "activities[0].quantity: is a mean of 1041096 kW over the period, more than any plant or zone draws: kWh written as MWh, or the wrong period?",
    ],
    [
      "beyond the installed power",
      "carrier: electricity, quantity: 9120, unit: MWh, max_power_kW: 800",
      "activities[0].quantity: is a mean of 1041 kW over the period, more than max_power_kW 800: kWh written as MWh, or the wrong period?",
    ],
    [
      "a factor per litre used per kilogram",
      "carrier: diesel, quantity: 1, unit: kg, factor: {value: 2.68, unit: kg/kg}",
      "activities[0].factor.value: 2.68 kg/kg is no factor of diesel (usual: 3 to 3.35 kg CO2/kg): that is the figure per L: litres taken for kilograms?",
    ],
    [
      "a factor per kilogram used per litre",
      "carrier: diesel, quantity: 1, unit: L, factor: {value: 3.186, unit: kg/L}",
      "activities[0].factor.value: 3.186 kg/L is no factor of diesel (usual: 2.5 to 2.8 kg CO2/L): that is the figure per kg: litres taken for kilograms?",
    ],
    [
      "an efficiency of 85",
      "carrier: purchased_steam, quantity: 1, unit: t, supply: {enthalpy_kJ_per_kg: 2776, efficiency: 85, fuel: diesel}",
      "activities[0].supply.efficiency: 85 is no efficiency as a fraction (allowed: more than 0, at most 1): 85 % is written 0.85",
    ],
    [
      "the divisor of the 2023 print",
      "carrier: purchased_steam, quantity: 1, unit: t, factor: {value: 242.002, unit: t/t}",
      "activities[0].factor.value: 242.002 t CO2/t is no steam factor (usual: 0.1 to 0.5): 1000 times too large: divisor 1e6 of the 2023 print of Circular 38; Decision 334/QD-BCT corrects it to 1e9",
    ],
    [
      "a steam factor with 85 for 0.85",
      "carrier: purchased_steam, quantity: 1, unit: t, factor: {value: 0.00242002, unit: t/t}",
      "activities[0].factor.value: 0.00242002 t CO2/t is no steam factor (usual: 0.1 to 0.5): 100 times too small: efficiency taken as 85 instead of 0.85?",
    ],
    [
      "0.086 for 0.1543",
      "carrier: electricity, quantity: 1, unit: MWh, toe_coefficient: {value: 0.0860, unit: toe/MWh}",
      "activities[0].toe_coefficient.value: 0.086 toe/MWh is no coefficient of electricity: 0.0860 is the physical value; Vietnamese reports use 0.1543 (letter 3505/BCT-KHCN)",
    ],
    [
      "kg/MWh as t/MWh",
      "carrier: electricity, quantity: 1, unit: MWh, factor: {value: 659.2, unit: t/MWh}",
      "activities[0].factor.value: 659.2 t CO2/MWh is no grid factor (usual: 0.3 to 1.0): 1000 times too large: kg written as t, or per kWh as per MWh?",
    ],
    [
      "a clean contract as a grid factor",
      "carrier: electricity, quantity: 1, unit: MWh, factor: {value: 0, unit: t/MWh}",
      "activities[0].factor.value: 0 t CO2/MWh is no grid factor (usual: 0.3 to 1.0): a purchase without emissions lowers only the market-based figure: give it as an instrument, or as use: direct if it comes over a private line",
    ],
    [
      "kg/m3 as kg/L",
      "carrier: diesel, quantity: 1, unit: L, density: {value: 840}",
      "activities[0].density.value: 840 kg/L is no density of diesel (usual: about 0.84): 1000 times too large: kg/m3 written as kg/L?",
    ],
    [
      "kWh/kg as MJ/kg",
      "carrier: diesel, quantity: 1, unit: L, ncv: {value: 11.9, unit: MJ/kg}",
      "activities[0].ncv.value: 11.9 GJ/t is no net calorific value of diesel (usual: about 43.0): 3.6 times too small: kWh/kg or kWh/Nm3 written as MJ?",
    ],
    [
      "a gas factor ten times off",
      "carrier: natural_gas, quantity: 1, unit: Nm3, factor: {value: 0.2, unit: kg/Nm3}",
      "activities[0].factor.value: 0.2 kg/Nm3 is no factor of natural_gas (usual: 1.8 to 2.3 kg CO2/Nm3): check value and unit",
    ],
    [
      "coal by a factor of kilograms as tonnes",
      "carrier: anthracite, quantity: 1, unit: t, factor: {value: 2624.61, unit: t/t}",
      "activities[0].factor.value: 2624.61 t/t is no factor of anthracite (lists: 98300 kg CO2/TJ): 1000 times too large: kg written as t, or per kWh as per MWh?",
    ],
  ])("catches %s", (_name, activity, line) => {
    const [found] = problems(one(activity));
    expect(found?.replace(/; if it is right, say why with accept: "…"$/, "")).toBe(line);
  });

  test("an unusual figure passes when its author says why, and the reason stands beside it", () => {
    const result = resultOf(
      one(
        'carrier: purchased_steam, quantity: 100, unit: t, factor: {value: 0.02, unit: t/t}, accept: "waste heat of the kiln"',
      ),
    );
    expect(result.co2e_kg).toBe(2000);
    expect(result.notes).toEqual(["accepted by the author: waste heat of the kiln"]);
  });

  test("a figure that must not be used is refused whatever its author says", () => {
    for (const value of ["0.6811", "0.6235", "0.4936", "0.7228"]) {
      const [line] = problems(
        one(
          `carrier: electricity, quantity: 1, unit: MWh, factor: {value: ${value}, unit: t/MWh}, accept: "it is well known"`,
        ),
      );
      expect(line).toMatch(new RegExp(`^activities\\[0\\]\\.factor\\.value: ${value} t/MWh must not be used: `));
    }
  });

  test("gas is converted once: never twice, never not at all", () => {
    expect(problems(one("carrier: natural_gas, quantity: 1, unit: m3"))[0]).toContain(
      "activities[0].conditions: is missing: a cubic metre as metered is no normal cubic metre",
    );
    expect(
      problems(one("carrier: natural_gas, quantity: 1, unit: Nm3, conditions: {p_abs_kPa: 200, t_degC: 20}")),
    ).toEqual([
      "activities[0].conditions: Nm3 is converted already: leave conditions out, or give unit m3 if this is the volume as metered (never convert twice)",
    ]);
  });
});

describe("registers", () => {
  const registers = (text: string) => one(`carrier: electricity, unit: kWh, registers: ${text}`);

  test("a fall without digits, from the middle of the range, or too far to be a rollover is a reset", () => {
    expect(problems(registers("{start: 100, end: 5}"))[0]).toContain(
      "activities[0].registers.end: is less than start: a rollover needs `digits`",
    );
    expect(problems(registers("{start: 500000, end: 5, digits: 6}"))[0]).toContain(
      "fell from below the top tenth of its range",
    );
    expect(problems(registers("{start: 999000, end: 900000, digits: 6, max_per_hour: 10}"))[0]).toContain(
      "as a rollover that is more kWh than max_per_hour allows",
    );
    expect(problems(registers("{start: 1000000, end: 5, digits: 6}"))[0]).toContain(
      "reads more than its 6 digits can show",
    );
  });

  test("a replaced meter is two stretches, each with its own transformer", () => {
    const result = resultOf(registers("[{start: 100, end: 150, ct_ratio: 40}, {start: 3, end: 13, ct_ratio: 80}]"));
    expect(result.quantity).toEqual({ value: 2800, unit: "kWh" });
  });
});

describe("what a file may say", () => {
  test("electricity over a private line has its seller's factor in both figures, and must state it", () => {
    const direct = (factor: string) =>
      `${one("carrier: electricity, quantity: 100, unit: MWh")}  - {id: line, carrier: electricity, use: direct, quantity: 50, unit: MWh${factor}}\n`;
    expect(json(direct(", factor: {value: 0, unit: t/MWh, source: DPPA 7}")).totals).toMatchObject({
      scope2_location_kg: 65_920,
      scope2_market_kg: 65_920,
    });
    expect(json(direct(", factor: {value: 0.9, unit: t/MWh, source: coal plant}")).totals).toMatchObject({
      scope2_location_kg: 110_920,
      scope2_market_kg: 110_920,
    });
    expect(problems(direct(""))[0]).toContain(
      "activities[1].factor: is missing: electricity bought directly takes the factor that the seller states",
    );
  });

  test("methane that leaks weighs more than burnt methane in AR6, and only there", () => {
    const leaked = (gwp: string) => resultOf(`gwp: ${gwp}\n${one("carrier: methane_leak, quantity: 100, unit: kg")}`);
    expect(["AR4", "AR5", "AR6"].map((gwp) => leaked(gwp).co2e_kg)).toEqual([2500, 2800, 2980]);
    expect(leaked("AR6")).toMatchObject({ scope: 1, gases_kg: { ch4: 0, ch4_fossil: 100 } });
  });

  test("an approved factor of one's own goes before the national list", () => {
    const dir = tempDir();
    cleanups.push(dir.remove);
    writeFileSync(
      join(dir.path, "own.yaml"),
      `publisher: Works
gathered: 2024-01-01
sources: {approval: {title: Approval 12, url: "https://example.org"}}
factors:
  - {id: works-diesel, version: "1", carrier: diesel, use: stationary, level: own, valid_from: 2023-01-01, valid_to: null, known_from: null, unit: kg/TJ, gases: {co2: "73000", ch4: "3", n2o: "0.6"}, ncv: {value: "43.0", unit: GJ/t, source: analysis, confidence: official, sources: [approval]}, document: Approval 12/2023, confidence: official, sources: [approval], uncertainty_pct: null}
`,
    );
    const result = resultOf(`factors_dir: ${dir.path}\n${one("carrier: diesel, quantity: 1, unit: t")}`);
    expect(result.factor).toMatchObject({ id: "works-diesel", level: "own", match: "exact" });
    expect(result.gases_kg.co2).toBe(3139);
  });

  test("fuel may be known from its stock", () => {
    const of = (stock: string) => one(`carrier: anthracite, unit: t, stock: ${stock}`);
    expect(resultOf(of("{opening: 100, deliveries: 350, closing: 120, resold: 20}")).quantity).toEqual({
      value: 310,
      unit: "t",
    });
    expect(problems(of("{opening: 1, closing: 2}"))).toEqual([
      "activities[0].stock: more is left and resold than was ever there",
    ]);
  });

  test("an amount over two factors' years is divided by time, and that is said", () => {
    const result = resultOf(
      "activities: [{id: a, carrier: electricity, quantity: 7300, unit: MWh, period: {from: 2022-01-01, to: 2024-01-01}}]",
    );
    expect(result.co2e_kg).toBeCloseTo(3650 * (676.6 + 659.2), 6);
    expect(result.parts.map(({ factor }: { factor: { version: string } }) => factor.version)).toEqual(["2022", "2023"]);
    expect(result.notes[0]).toContain("divided by time");
  });

  test("a year without a published factor is provisional, and as known earlier it is what was known then", () => {
    const grid = (year: number, more = "") =>
      `${more}activities: [{id: a, carrier: electricity, quantity: 1000, unit: MWh, period: {from: ${year}-01-01, to: ${year + 1}-01-01}}]`;
    expect(resultOf(grid(2025))).toMatchObject({
      provisional: true,
      co2e_kg: 659_200,
      factor: { match: "provisional", version: "2023" },
    });
    expect(resultOf(grid(2023))).toMatchObject({ provisional: false, co2e_kg: 659_200 });
    expect(resultOf(grid(2023, "as_known_at: 2024-06-30\n"))).toMatchObject({
      provisional: true,
      co2e_kg: 676_600,
      factor: { version: "2022" },
    });
  });

  test("biomass, mixed waste and a genset book where they belong", () => {
    const mixed = resultOf(one("carrier: waste_oils, quantity: 10, unit: t, biogenic_share: 0.25"));
    expect(mixed.gases_kg.co2_biogenic / (mixed.gases_kg.co2 + mixed.gases_kg.co2_biogenic)).toBeCloseTo(0.25, 12);
    expect(resultOf(one("carrier: wood, quantity: 10, unit: t")).gases_kg).toMatchObject({ co2: 0, ch4: 4.68 });
    expect(resultOf(one("carrier: water, quantity: 10, unit: m3"))).toMatchObject({
      scope: null,
      co2e_kg: 0,
      factor: null,
      toe: null,
    });
  });

  test("cold is made with a coefficient of performance from the grid's power", () => {
    const result = resultOf(
      one("carrier: purchased_chilled_water, quantity: 360, unit: GJ, supply: {cop: 5, fuel: electricity}"),
    );
    expect(result.co2e_kg).toBeCloseTo(20 * 659.2, 6);
  });

  test("solar whose certificates were sold is grid power in the market-based figure only", () => {
    const { totals } = json(
      `${YEAR}activities:\n  - {id: grid, carrier: electricity, quantity: 100, unit: MWh}\n  - {id: sun, carrier: solar, quantity: 50, unit: MWh, certificates_sold_MWh: 40}`,
    );
    expect([totals.scope2_location_kg, totals.scope2_market_kg]).toEqual([65_920, 92_288]);
  });

  test("top-up and life cycle for one refrigerant of one site would count it twice", () => {
    expect(
      problems(`${YEAR}activities:
  - {id: a, carrier: refrigerant, refrigerant: R-32, quantity: 1, unit: kg}
  - {id: b, carrier: refrigerant, refrigerant: R-32, life_cycle: {operating_charge_kg: 10, operating_loss_pct: 5}}
`),
    ).toEqual([
      'activities[1].life_cycle: R-32 is already accounted by top-up in "a": one method per equipment group and year',
    ]);
  });

  test("an instrument states its quality criteria, or the file does not hold", () => {
    const found = problems(
      `${one("carrier: electricity, quantity: 1, unit: MWh")}instruments:\n  - {id: i, kind: irec, quantity: 1, factor: {value: 0, unit: t/MWh}, criteria: {retired: true}}\n`,
    );
    expect(found).toContain('instruments[0].kind: "irec" is not known (allowed: certificate, contract, supplier_rate)');
    expect(found).toContain("instruments[0].criteria.vintage: is missing (a number)");
  });

  test("a zone shows who has no data, and a supplier it does not know is refused", () => {
    const zone = (supplier: string) =>
      `${YEAR}activities:\n  - {id: a, site: B, supplier: ${supplier}, carrier: purchased_steam, quantity: 1, unit: t, factor: {value: 0.24, unit: t/t}}\nzone: {sites: [{id: B}, {id: C}, {id: D}]}\n`;
    const rolled = json(zone("C")).zone;
    // C has no data, so nothing of the steam is in any scope 1: nothing may be taken off.
    expect(rolled).toMatchObject({ naive_sum_kg: 240, eliminated_kg: 0, total_kg: 240, uncovered: ["C", "D"] });
    expect(problems(zone("E"))[0]).toContain('is supplied by "E", which the zone does not list');
  });

  test("numbers are taken as written, not as doubles", () => {
    expect(resultOf(one("carrier: electricity, quantity: 0.1, unit: Wh")).gases_mg).toEqual({ co2: "66" });
    expect(resultOf(one('carrier: electricity, quantity: "123456789.123456789", unit: kWh')).gases_mg).toEqual({
      co2: "81382715390183",
    });
  });
});
