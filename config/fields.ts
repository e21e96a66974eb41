import { z } from "zod";
import type { Parsed } from "./notation/parsed.ts";

/**
 * Building blocks of the file schemas. A schema says once what a key means (`describe`), what it may hold and what it is
 * when absent; checks, messages and JSON Schemas are made from it.
 */

/** A section with exactly these keys. Its message for unknown keys is the list of known ones: `explain.ts` splits it again. */
export function section<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? Object.keys(shape).join(", ") : undefined),
  });
}

/** Text in a notation of ours; the parsed value takes its place. `what` completes "expected …". */
export function notation<T>(parse: (text: string) => Parsed<T>, what: string, description: string) {
  const written = z
    .string({
      error: (issue) => (issue.input === undefined ? undefined : `expected ${what}, found ${shown(issue.input)}`),
    })
    .describe(`${description} (${what})`);
  return written.transform((text, context): T => {
    const result = parse(text);
    if (result.ok) return result.value;
    context.issues.push({ code: "custom", message: result.problem, input: text, params: { code: result.code } });
    return z.NEVER;
  });
}

export const text = (description: string) => z.string().min(1).max(2000).describe(description);

export const positive = (description: string) => z.number().positive().describe(description);

export const wholeNumber = (from: number, to: number, description: string) =>
  z.int().min(from).max(to).describe(description);

/** A name in Vietnamese and English. */
export const bilingual = (description: string) =>
  section({ vi: text("In Vietnamese"), en: text("In English") }).describe(description);

/** A value as a person wrote it, short enough for a message. */
export function shown(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a section";
  const written = typeof value === "string" ? `"${value}"` : String(value);
  return written.length > 40 ? `${written.slice(0, 39)}…` : written;
}
