import { z } from "zod";
import { GAP_RULES } from "../../core/gap/gapRules.ts";
import { UNITS, type UnitNotation } from "../../core/units/units.ts";
import { type Finding, pathText } from "../explain.ts";
import { notation, section, text, wholeNumber } from "../fields.ts";
import { DECIMAL_TEXT } from "../notation/decimalText.ts";
import { parseLocalQuarter } from "../notation/localQuarter.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";

/**
 * Gaps that a person fills (`fills_file` of collector.yaml; methods §9). Each entry is applied once and never changed: a
 * better one is a new entry with another name. What was measured stays as it is.
 */
const instant = (description: string) =>
  notation(parseLocalQuarter, "a quarter of an hour such as 2026-11-03T08:15", description);
const amount = z
  .union([z.number().min(0), z.string().regex(DECIMAL_TEXT)])
  .transform(String)
  .describe("How much in the whole gap");
const unit = z
  .enum(Object.keys(UNITS) as [UnitNotation, ...UnitNotation[]])
  .describe("Unit of the amount, e.g. kWh, Nm3");

const fill = section({
  name: text("Names this entry for good"),
  meter: z
    .string()
    .regex(/^[^/]+\/[^/]+$/, { error: "is no meter (allowed: gateway/meter, e.g. gw-01/incomer)" })
    .describe("Gateway and meter"),
  from: instant("Beginning of the gap, in the zone's time"),
  to: instant("End of the gap, not included"),
  author: text("Who says so"),
  rule: z
    .enum(["first-that-applies", ...GAP_RULES])
    .prefault("first-that-applies")
    .describe("Rules in their order"),
  redundant_meter: z
    .string()
    .regex(/^[^/]+\/[^/]+$/)
    .describe("A meter that measures the same: gateway/meter")
    .exactOptional(),
  is_power_like: z.boolean().prefault(false).describe("May be interpolated across two hours: no batches, no pulses"),
  comparable_weeks: wholeNumber(0, 8, "Weeks back that are looked through for four whole ones").prefault(8),
  production_ratio: z
    .number()
    .positive()
    .max(100)
    .describe("Production of the gap over that of the comparable weeks")
    .exactOptional(),
  invoice: section({ total: amount, unit, document: text("The invoice") }).exactOptional(),
  conservative: section({
    total: amount,
    unit,
    method: text("How the upper-side estimate was made, as in the monitoring plan"),
    document: text("Where it is written down"),
  }).exactOptional(),
});

export const fillsSchema = section({
  fills: z.array(fill.readonly()).max(10_000).readonly().describe("Gaps and what stands in for them"),
}).readonly();

export type FillsFile = z.output<typeof fillsSchema>;
export type Fill = FillsFile["fills"][number];

export const fillsSpec: FileSpec<FillsFile> = { schema: fillsSchema, rules: [namesOnce, spansRun] };

function namesOnce(document: unknown): readonly Finding[] {
  const fills = list(field(document, "fills")).flatMap((entry, at): Named[] => {
    const name = textOf(field(entry, "name"));
    return name === undefined ? [] : [{ name, path: ["fills", at, "name"] }];
  });
  return duplicates(fills, (name) => `"${name}"`);
}

function spansRun(document: unknown): readonly Finding[] {
  return list(field(document, "fills")).flatMap((entry, at): Finding[] => {
    const [from, to] = [
      parseLocalQuarter(textOf(field(entry, "from")) ?? ""),
      parseLocalQuarter(textOf(field(entry, "to")) ?? ""),
    ];
    return from.ok && to.ok && to.value <= from.value
      ? [{ path: pathText(["fills", at, "to"]), message: "must be later than from" }]
      : [];
  });
}
