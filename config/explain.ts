import type { z } from "zod";
import { ConfigProblems, type ErrorCode, type Problem } from "../core/errors.ts";
import { shown } from "./fields.ts";
import { offer } from "./nearest.ts";

/** A problem and, where it is more than "the file is wrong", its own code. */
export interface Finding extends Problem {
  readonly code?: ErrorCode;
}

/** `["buses", 0, "meters", 2, "model"]` → `buses[0].meters[2].model`; the whole file is `(file)`. */
export function pathText(path: readonly PropertyKey[]): string {
  let out = "";
  for (const step of path) {
    if (typeof step === "number") out += `[${step}]`;
    else out += out === "" ? String(step) : `.${String(step)}`;
  }
  return out === "" ? "(file)" : out;
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a section",
  record: "a section",
};

/** The wording of everything that zod itself finds; wordings of a schema's own go first. */
export const wording: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return `is missing (${EXPECTED[issue.expected] ?? issue.expected})`;
      return `expected ${EXPECTED[issue.expected] ?? issue.expected}, found ${shown(issue.input)}`;
    case "invalid_value":
      return unknownValue(issue.input, issue.values.map(String));
    case "too_small":
      return issue.origin === "string" || issue.origin === "array"
        ? "must not be empty"
        : `${shown(issue.input)} is too small (allowed: ${issue.inclusive ? "at least" : "more than"} ${issue.minimum})`;
    case "too_big":
      return issue.origin === "string" || issue.origin === "array"
        ? `is too long (allowed: at most ${issue.maximum} ${issue.origin === "array" ? "entries" : "characters"})`
        : `${shown(issue.input)} is too big (allowed: at most ${issue.maximum})`;
    case "invalid_format":
      return `${shown(issue.input)} is not in the right form`;
    default:
      return "is not what belongs here";
  }
};

/** An entry outside a list of known words: the list, and the nearest one. */
export function unknownValue(input: unknown, known: readonly string[]): string {
  if (input === undefined) return `is missing (allowed: ${known.join(", ")})`;
  return `${shown(input)} is not known${offer(typeof input === "string" ? input : "", known)}`;
}

/** What zod found, in the order of the schema, one finding a mistake. */
export function findings(issues: readonly z.core.$ZodIssue[], parent: readonly PropertyKey[] = []): Finding[] {
  return issues.flatMap((issue): Finding[] => {
    const path = [...parent, ...issue.path];
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({
          path: pathText([...path, key]),
          message: `unknown key${offer(key, issue.message.split(", "))}`,
        }));
      case "invalid_union":
        return unionFindings(issue, path);
      case "custom": {
        const code = issue.params?.code as ErrorCode | undefined;
        return [{ path: pathText(path), message: issue.message, ...(code === undefined ? {} : { code }) }];
      }
      default:
        return [{ path: pathText(path), message: issue.message }];
    }
  });
}

/** Of several ways to write a thing, the person meant the one whose outermost form fits and that needs the fewest changes. */
function unionFindings(issue: z.core.$ZodIssueInvalidUnion, path: readonly PropertyKey[]): Finding[] {
  const options = "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : undefined;
  if (options !== undefined)
    return [{ path: pathText(path), message: unknownValue(fieldOf(issue.input, path.at(-1)), options) }];
  const ways = issue.errors
    .filter((way) => !way.some((inner) => inner.code === "invalid_type" && inner.path.length === 0))
    .map((way) => findings(way, path))
    .sort((a, b) => a.length - b.length);
  const forms = issue.errors.flatMap((way) => way[0]?.message ?? []);
  return ways[0] ?? [{ path: pathText(path), message: forms[0] ?? "is not what belongs here" }];
}

function fieldOf(value: unknown, key: PropertyKey | undefined): unknown {
  return typeof value === "object" && value !== null && key !== undefined
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined;
}

/** The error that carries them all. If every problem has the same special code, the error has it too. */
export function configProblems(
  file: string,
  found: readonly Finding[],
  usual: ErrorCode = "CONFIG_INVALID",
): ConfigProblems {
  const codes = new Set(found.map((finding) => finding.code ?? usual));
  const [only] = codes;
  return new ConfigProblems(
    file,
    found.map(({ path, message }) => ({ path, message })),
    codes.size === 1 && only !== undefined ? only : usual,
  );
}
