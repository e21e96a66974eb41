import { z } from "zod";
import { CARRIER_ALIASES, CARRIER_IDS, type CarrierId } from "../../../core/emission/carriers.ts";
import { type Fraction, fraction, fromText, times } from "../../../core/emission/fraction.ts";
import { USE_IDS } from "../../../core/emission/uses.ts";
import type { UnitNotation } from "../../../core/units/units.ts";
import { notation, section, shown, text } from "../../fields.ts";
import { nearest } from "../../nearest.ts";
import { parseLocalDate } from "../../notation/localDate.ts";

/** Numbers, units, periods and closed lists of a calculation file. Numbers stay exact: `0.1` is a tenth. */

const NUMBER = /^[+-]?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?$/;

const anyNumber = (description: string) =>
  z
    .union([
      z.number(),
      z.string().regex(NUMBER, {
        error: (issue) => `${shown(issue.input)} is not a decimal number (allowed: e.g. 0.6592)`,
      }),
    ])
    .describe(description);

/** Any decimal number, exactly as written. */
export const exact = (description: string) =>
  anyNumber(description).transform((written): Fraction => fromText(String(written)));

/** Zero or more. */
export const amount = (description: string) =>
  anyNumber(description)
    .refine((written) => !(Number(written) < 0), {
      error: (issue) => `${shown(issue.input)} is negative (allowed: at least 0)`,
    })
    .transform((written): Fraction => fromText(String(written)));

/** More than zero. */
export const positiveAmount = (description: string) =>
  anyNumber(description)
    .refine((written) => !(Number(written) <= 0), {
      error: (issue) => `${shown(issue.input)} is too small (allowed: more than 0)`,
    })
    .transform((written): Fraction => fromText(String(written)));

/** Per cent 0…100, as a fraction. */
export const percent = (description: string) =>
  anyNumber(description)
    .refine((written) => !(Number(written) < 0 || Number(written) > 100), {
      error: (issue) => `${shown(issue.input)} is no share in per cent (allowed: 0 to 100)`,
    })
    .transform((written): Fraction => times(fromText(String(written)), fraction(1n, 100n)));

/** A share 0…1. */
export const shareNumber = (description: string) =>
  anyNumber(description)
    .refine((written) => !(Number(written) < 0 || Number(written) > 1), {
      error: (issue) => `${shown(issue.input)} is no share (allowed: 0 to 1)`,
    })
    .transform((written): Fraction => fromText(String(written)));

/** A half-width of the 95 % interval in per cent; a statistic, so a double. */
export const halfWidth = (description: string) => z.number().min(0).max(1000).describe(`${description}, ±% at 95 %`);

export const NOT_STATED = "stated without a source";
export const source = () => text("Document it comes from").prefault(NOT_STATED);

/** A closed list that its error message always shows whole. */
export function closedList<const Ids extends readonly [string, ...string[]]>(
  ids: Ids,
  description: string,
  alsoNamed: Readonly<Record<string, string>> = {},
) {
  const known = ids as readonly string[];
  return z
    .enum([...known, ...Object.keys(alsoNamed)] as [string, ...string[]], {
      error: ({ input }) => {
        const allowed = `allowed: ${known.join(", ")}`;
        if (input === undefined) return `is missing (${allowed})`;
        const near = typeof input === "string" ? nearest(input, [...known, ...Object.keys(alsoNamed)]) : undefined;
        return `${shown(input)} is not known (${allowed}${near === undefined ? "" : `; did you mean ${alsoNamed[near] ?? near}?`})`;
      },
    })
    .describe(description)
    .transform((id) => (alsoNamed[id] ?? id) as Ids[number]);
}

export const carrier = (description: string) =>
  closedList(CARRIER_IDS as unknown as readonly [CarrierId, ...CarrierId[]], description, CARRIER_ALIASES);

export const use = (description: string) =>
  closedList(USE_IDS as unknown as readonly [(typeof USE_IDS)[number], ...(typeof USE_IDS)[number][]], description);

export const AMOUNT_UNITS = [
  "Wh",
  "kWh",
  "MWh",
  "GWh",
  "MJ",
  "GJ",
  "TJ",
  "L",
  "m3",
  "Nm3",
  "Sm3",
  "g",
  "kg",
  "t",
] as const satisfies readonly UnitNotation[];

export const unit = (description: string) => closedList(AMOUNT_UNITS, description);

const date = (description: string) => notation(parseLocalDate, "a date such as 2023-01-01", description);

export { date as localDate };

export const period = () =>
  section({ from: date("First day, in Viet Nam"), to: date("Day after the last one") })
    .refine(({ from, to }) => to > from, { error: "must end after it begins: `to` is the day after the last one" })
    .transform(({ from, to }) => ({ from_ms: from, to_ms: to }))
    .describe("Local days, half-open: 2023-01-01 to 2024-01-01 is the year 2023");
