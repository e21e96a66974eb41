import type { Account } from "../../core/accounting/account.ts";
import { co2eOf } from "../../core/accounting/co2e.ts";
import type { ActivityResult } from "../../core/accounting/result.ts";
import type { SiteBalance } from "../../core/accounting/site.ts";
import { CARRIERS } from "../../core/emission/carriers.ts";
import type { Refrigerant } from "../../core/emission/factor.ts";
import { type Fraction, fraction, times } from "../../core/emission/fraction.ts";
import { table } from "../commands/models.ts";
import { fixed, type Lang, short, WORDS } from "./words.ts";

/** An account for a person at a terminal: what was used, what it comes to and by which factor, then totals and remarks. */

const T_PER_MG = fraction(1n, 1_000_000_000n);

export function accountText(account: Account, refrigerants: readonly Refrigerant[], lang: Lang): string {
  const word = (key: keyof typeof WORDS): string => WORDS[key][lang];
  const t = (mg: Fraction, gas = "CO2e"): string => `${fixed(times(mg, T_PER_MG), 3, lang)} t ${gas}`;
  const rows = account.results.map((result) => activityRow(result, account, refrigerants, lang));
  const head = [
    word("activity"),
    word("carrier"),
    word("amount"),
    word("scope"),
    "CO2e",
    word("factor"),
    word("uncertainty"),
  ];
  const { totals } = account;
  const lines: (readonly [string, string])[] = [
    [word("scope1"), t(totals.scope1_mg)],
    [word("scope2Location"), t(totals.scope2Location_mg)],
    [word("scope2Market"), t(totals.scope2Market_mg)],
    ...(totals.scope3_3_mg === null ? [] : [[word("scope3"), t(totals.scope3_3_mg)] as const]),
    ...(totals.biogenicCo2_mg === 0n ? [] : [[word("biogenic"), t(fraction(totals.biogenicCo2_mg), "CO2")] as const]),
    [word("toe"), `${fixed(totals.toe, 3, lang)} toe`],
    [word("uncertainty"), percent(account.uncertainty.pct, lang)],
    [word("gwp"), account.gwp.id],
    ...account.sites.flatMap((site) => blendedLine(site, lang)),
    ...zoneLines(account, t, lang),
  ];
  return [
    account.results.length === 0 ? "" : `${table([head, ...rows])}\n`,
    table(lines),
    notesText(account, lang),
  ].join("");
}

function activityRow(
  result: ActivityResult,
  { gwp, uncertainty }: Account,
  refrigerants: readonly Refrigerant[],
  lang: Lang,
): readonly string[] {
  const { activity, amount, scope, parts } = result;
  const co2e = times(co2eOf(result.mg, gwp, refrigerants), T_PER_MG);
  const own = uncertainty.sources.find(({ name }) => name === activity.id);
  return [
    activity.id,
    CARRIERS[activity.carrier].display[lang],
    `${short(amount.value, 3, lang)} ${amount.unit}`,
    scope === null ? "-" : String(scope),
    scope === null ? WORDS.noEmission[lang] : `${fixed(co2e, 3, lang)} t`,
    parts.map(({ factor }) => factorText(factor, lang)).join(" + "),
    scope === null ? "" : percent(own?.pct ?? null, lang),
  ];
}

/** Where a site makes power of its own; else its factor is the grid's and says nothing new. */
function blendedLine(
  { site, solar_MWh, genset_MWh, blended_t_per_MWh }: SiteBalance,
  lang: Lang,
): readonly (readonly [string, string])[] {
  if (blended_t_per_MWh === null || (solar_MWh.n === 0n && genset_MWh.n === 0n)) return [];
  const name = site === null ? WORDS.blended[lang] : `${WORDS.blended[lang]} ${site}`;
  return [[name, `${short(blended_t_per_MWh, 6, lang)} t CO2e/MWh`]];
}

function factorText(
  { id, version, match, value, unit }: ActivityResult["parts"][number]["factor"],
  lang: Lang,
): string {
  const name = version === null ? id : `${id} ${version}`;
  const how = match === "exact" ? "" : ` (${WORDS[match][lang]})`;
  return match === "own" ? `${value} ${unit}${how}` : `${name}: ${value} ${unit}${how}`;
}

function percent(pct: number | null, lang: Lang): string {
  return pct === null ? WORDS.unknown[lang] : `± ${pct.toFixed(2).replace(".", lang === "vi" ? "," : ".")} %`;
}

function zoneLines({ zone }: Account, t: (mg: Fraction) => string, lang: Lang): readonly (readonly [string, string])[] {
  if (zone === null) return [];
  return [
    [`${WORDS.zoneTotal[lang]}: ${WORDS.naive[lang]}`, t(zone.naive_mg)],
    [`${WORDS.zoneTotal[lang]}: ${WORDS.eliminated[lang]}`, t(zone.eliminated_mg)],
    [WORDS.zoneTotal[lang], t(zone.total_mg)],
    ...(zone.uncovered.length === 0 ? [] : [[WORDS.uncovered[lang], zone.uncovered.join(", ")] as const]),
  ];
}

function notesText({ results, market }: Account, lang: Lang): string {
  const notes = [
    ...results.flatMap(({ activity, notes: own, parts }) => [
      ...parts.flatMap(({ factor }) => (factor.why === null ? [] : [`${activity.id}: ${factor.why}`])),
      ...own.map((note) => `${activity.id}: ${note}`),
      ...(activity.accepted === null ? [] : [`${activity.id}: ${activity.accepted}`]),
    ]),
    ...(market === null ? [] : [market.residual.statement]),
    ...(market?.ineligible ?? []).map(({ id, why }) => `${id}: ${WORDS.ineligible[lang]}: ${why.join("; ")}`),
    ...(market?.covered ?? []).flatMap(({ id, surplus_MWh }) =>
      surplus_MWh.n === 0n ? [] : [`${id}: ${short(surplus_MWh, 3, lang)} MWh ${WORDS.surplus[lang]}`],
    ),
  ];
  return notes.length === 0
    ? ""
    : `\n${WORDS.notes[lang]}\n${[...new Set(notes)].map((note) => `  ${note}\n`).join("")}`;
}

/** Every step with its inputs and where they come from. */
export function chainText({ results, market }: Account): string {
  const parts = [
    ...results.map(({ activity, steps }) => ({ name: activity.id, steps })),
    ...(market === null ? [] : [{ name: "scope 2, market-based", steps: market.steps }]),
  ];
  return parts
    .map(({ name, steps }) => {
      const rows = steps.flatMap(({ what, formula, inputs, value, unit }) => [
        [`  ${what}`, formula, `= ${value} ${unit}`],
        ...inputs.map((one) => [
          `    ${one.name}`,
          one.unit === "1" ? one.value : `${one.value} ${one.unit}`,
          one.source,
        ]),
      ]);
      return rows.length === 0 ? "" : `\n${name}\n${table(rows)}`;
    })
    .join("");
}
