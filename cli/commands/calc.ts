import { configProblems, type Finding } from "../../config/explain.ts";
import { loadFactors } from "../../config/factors.ts";
import type { CalcConfig } from "../../config/files/calc.ts";
import { loadCalcConfig } from "../../config/load.ts";
import { loadTariffs } from "../../config/tariffs.ts";
import { type AccountProblem, type AccountRequest, account } from "../../core/accounting/account.ts";
import type { Book } from "../../core/accounting/activity.ts";
import type { FullGwpSet } from "../../core/emission/factor.ts";
import { fraction, times, ZERO } from "../../core/emission/fraction.ts";
import { accountJson } from "../calc/report.ts";
import { runSections, type SectionResult } from "../calc/sections.ts";
import { accountText, chainText } from "../calc/text.ts";
import type { Lang } from "../calc/words.ts";
import { type Command, optional, usage } from "../command.ts";
import { table } from "./models.ts";

const command: Command = {
  summary: "emissions of stated activities, no meters needed",
  help: `
khuxanh calc FILE [--json] [--explain] [--lang en|vi]

Works out energy, gases, CO2e, scopes, toe and uncertainty of the activities in FILE. A commented example of everything is
config/examples/calc.yaml; its schema for editors is config/schema/calc.json. --explain prints every step with formula, inputs
and documents; --json holds them as "chain".

  period: {from: 2023-01-01, to: 2024-01-01}      # local days, half-open; an activity may have its own
  gwp: AR5                                        # AR4 | AR5 | AR6
  activities:
    - {id: grid,   carrier: electricity, quantity: 9120, unit: MWh}
    - {id: main,   carrier: electricity, unit: kWh, registers: {start: 48213.6, end: 51027.9, ct_ratio: 80}}
    - {id: boiler, carrier: diesel, quantity: 120000, unit: L, density: {value: 0.84}}
    - {id: gas,    carrier: natural_gas, quantity: 41250, unit: m3, conditions: {p_abs_kPa: 301.325, t_degC: 32},
       ncv: {value: 37.2, unit: MJ/Nm3, source: "chromatograph 06/2023"}}
    - {id: steam,  carrier: purchased_steam, quantity: 3400, unit: t, supply: {enthalpy_kJ_per_kg: 2776, efficiency: 0.85, fuel: diesel}}
    - {id: fridge, carrier: refrigerant, refrigerant: R-410A, quantity: 38.5, unit: kg}
    - {id: ponds,  carrier: waste_water, use: deep_anaerobic, waste_water: {load_kg_per_day: 1200, sludge_kg: 30000}}

An activity may have: site, supplier, use, period, registers, conditions, density, ncv, factor, supply, refrigerant, composition,
life_cycle, waste_water, stock, biogenic_share, losses, certificates_sold_MWh, toe_coefficient, coal_grade, max_power_kW, uncertainty,
evidence, accept. The file may have: instruments, residual_mix (market-based scope 2), zone (roll-up), uncertainty (of stated
sources), restatement, as_known_at, factors_dir (own factor files); and, with or without activities, targets (paths to Net Zero, budget), change, base_year,
intensity, baseline (least squares, EnPI, CUSUM, forecast), tariff, power_factor, quota, chp, shared, balance (of meters), gap.
A wrong name lists those that exist.

An own factor goes before the national list (Decision 2626), that before IPCC. An unknown uncertainty is null, not 0. A figure far
outside what is plausible is refused with the likely mistake; accept: "why" lets it pass.
Exit code 2 for a wrong file, 1 where no factor exists for carrier or period.`,
  options: { json: { type: "boolean" }, explain: { type: "boolean" }, lang: { type: "string" } },
  async run(args) {
    const [file, more] = args.positionals;
    if (file === undefined) throw usage("which file is to be calculated?", "khuxanh calc FILE [--json]");
    if (more !== undefined) throw usage("calc takes one file", "khuxanh calc FILE [--json]");
    const lang = langOf(optional(args, "lang"));
    const made = calculation(loadCalcConfig(file), file, Date.now());
    if (args.values.json === true) process.stdout.write(`${JSON.stringify(made.json, null, 2)}\n`);
    else process.stdout.write(made.text(lang, args.values.explain === true));
    return 0;
  },
};

function langOf(written: string | undefined): Lang {
  if (written === undefined || written === "en") return "en";
  if (written === "vi") return "vi";
  throw usage(`--lang is ${written} (allowed: en, vi)`);
}

/** A calculation file worked out. @throws {ConfigProblems} with everything that is wrong, each at its key. */
export function calculation(config: CalcConfig, file: string, now_ms: number) {
  const { factors, constants, refrigerants, refused, gwpSets } = loadFactors(config.factorsDir ?? undefined);
  const book: Book = { factors, constants, refrigerants, refused, knownAt_ms: config.asKnownAt_ms ?? now_ms };
  const gwp = gwpSets.find(({ id }) => id === config.gwp)!;
  const outcome = account(requestOf(config, gwp), book);
  if (outcome.kind === "problems") throw configProblems(file, outcome.problems.map(findingOf));
  const hasActivities = config.activities.length > 0 || config.sections.zone !== undefined;
  const sections = runSections({
    config,
    account: hasActivities ? outcome.account : null,
    book,
    gwp,
    tariffs: loadTariffs(),
  });
  const problems = sections.flatMap((section) => ("problem" in section ? [section.problem] : []));
  if (problems.length > 0) throw configProblems(file, problems);
  const results = sections.filter((section): section is SectionResult => !("problem" in section));
  return {
    json: {
      ...(hasActivities ? accountJson(outcome.account, refrigerants) : { gwp: gwp.id }),
      ...Object.fromEntries(results.map(({ key, json }) => [key, json])),
    },
    text: (lang: Lang, isExplained: boolean): string =>
      [
        hasActivities ? accountText(outcome.account, refrigerants, lang) : "",
        results.length === 0 ? "" : table(results.flatMap(({ lines }) => lines)),
        isExplained ? chainText(outcome.account) : "",
      ].join(""),
  };
}

const MG_PER_T = fraction(1_000_000_000n);

function requestOf(
  { activities, instruments, residualMix, sections: { zone } }: CalcConfig,
  gwp: FullGwpSet,
): AccountRequest {
  const sites = zone?.sites.map(({ id, scope1_t, scope2_t }) => ({
    id,
    stated:
      scope1_t === undefined && scope2_t === undefined
        ? null
        : { scope1_mg: times(scope1_t ?? ZERO, MG_PER_T), scope2_mg: times(scope2_t ?? ZERO, MG_PER_T) },
  }));
  return { activities, instruments, residualMix, gwp, zone: sites === undefined ? null : { sites } };
}

function findingOf({ at, key, error }: AccountProblem): Finding {
  const path = at === null ? key : `activities[${at}]${key === "" ? "" : `.${key}`}`;
  return { path, message: error.message.replace(` [${error.code}]`, ""), code: error.code };
}

export default command;
