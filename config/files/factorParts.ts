import { z } from "zod";
import type { Constant, Refrigerant } from "../../core/emission/factor.ts";
import { compare, fromText, ONE, sum } from "../../core/emission/fraction.ts";
import { type Finding, pathText } from "../explain.ts";
import { notation, section, shown, text } from "../fields.ts";
import { DECIMAL_TEXT } from "../notation/decimalText.ts";
import { parseLocalDate } from "../notation/localDate.ts";
import { field, list } from "../rules.ts";

/** Building blocks of factor files, and the parts that are no emission factors: constants and refrigerants. */

const CONFIDENCES = ["official", "secondary", "recalled"] as const;

export const figure = (description: string) =>
  z
    .string({
      error: (issue) =>
        typeof issue.input === "number"
          ? `must be quoted, so that its digits stay as printed (did you mean "${issue.input}"?)`
          : undefined,
    })
    .regex(DECIMAL_TEXT, { error: (issue) => `${shown(issue.input)} is not a decimal number (allowed: e.g. "0.6592")` })
    .describe(description);

export const localDate = (description: string) => notation(parseLocalDate, "a date such as 2023-01-01", description);

export const confidence = z
  .enum(CONFIDENCES)
  .describe("official: seen in the document; secondary: quoted by others; recalled: from memory");

export const sourceIds = z.array(z.string()).describe("Entries of `sources`");

export const constantSchema = section({
  id: text("What it is, e.g. toe.diesel.per_t"),
  value: figure("The figure; null = looked for and not found").nullable().exactOptional(),
  range: z
    .tuple([figure("From"), figure("To")])
    .describe("Where the document gives a range")
    .exactOptional(),
  unit: text("Unit of the figure; 1 for a ratio").exactOptional(),
  valid_from: localDate("First day it applies to, in Viet Nam"),
  valid_to: localDate("Day after the last one").nullable(),
  known_from: localDate("Day it was published").nullable(),
  document: text("The document that states it"),
  confidence,
  sources: sourceIds,
  note: text("Remarks").exactOptional(),
});

export const refrigerantSchema = section({
  id: text("ASHRAE 34 number, e.g. R-410A"),
  composition: z
    .record(z.string().min(1), figure("Mass fraction"))
    .describe("Mass fractions of gases of the GWP sets; they add up to 1")
    .exactOptional(),
  gwp: section({
    AR4: figure("By the fourth report").nullable(),
    AR5: figure("By the fifth report").nullable(),
    AR6: figure("By the sixth report").nullable(),
  })
    .describe("For gases that the sets do not list; null = the report has none")
    .exactOptional(),
  document: text("The document that states it"),
  confidence,
  sources: sourceIds,
  note: text("Remarks").exactOptional(),
});

type Cite = (ids: readonly string[]) => readonly string[];

export function constantOf(written: z.output<typeof constantSchema>, cite: Cite): Constant {
  const { range } = written;
  return {
    id: written.id,
    value: written.value ?? null,
    range: range === undefined ? null : { from: range[0], to: range[1] },
    unit: written.unit ?? "1",
    valid_from_ms: written.valid_from,
    valid_to_ms: written.valid_to,
    known_from_ms: written.known_from,
    document: written.document,
    sources: cite(written.sources),
    confidence: written.confidence,
    note: written.note ?? null,
  };
}

export function refrigerantOf(written: z.output<typeof refrigerantSchema>, cite: Cite): Refrigerant {
  return {
    id: written.id,
    composition: written.composition ?? null,
    gwp: written.gwp ?? null,
    document: written.document,
    sources: cite(written.sources),
    confidence: written.confidence,
    note: written.note ?? null,
  };
}

/** A constant has a figure, a range, or says that none was found. */
export function constantsSaySomething(document: unknown): readonly Finding[] {
  return list(field(document, "constants")).flatMap((entry, c): Finding[] => {
    const [value, range, note] = [field(entry, "value"), field(entry, "range"), field(entry, "note")];
    if (typeof value === "string" && range === undefined) return [];
    if (value === undefined && range !== undefined) return [];
    if (value === null && range === undefined && note !== undefined) return [];
    return [
      {
        path: pathText(["constants", c]),
        message: "needs a value, or a range, or value: null with a note that says where it was looked for",
      },
    ];
  });
}

/** The mass fractions of a blend add up to 1. */
export function blendsAreWhole(document: unknown): readonly Finding[] {
  return list(field(document, "refrigerants")).flatMap((entry, r): Finding[] => {
    const composition = field(entry, "composition");
    const shares = Object.values(typeof composition === "object" && composition !== null ? composition : {});
    const isReadable = shares.every((share) => typeof share === "string" && DECIMAL_TEXT.test(share));
    if (shares.length === 0 || !isReadable) return [];
    if (compare(sum(shares.map((share) => fromText(String(share)))), ONE) === 0) return [];
    return [{ path: pathText(["refrigerants", r, "composition"]), message: "must add up to 1" }];
  });
}
