import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import type { ErrorCode } from "../core/errors.ts";
import { configProblems, type Finding, findings, pathText, wording } from "./explain.ts";

/**
 * Text of a file → checked value, without touching the disk: YAML, then `${NAME}`, then relative paths, then the schema
 * and the rules between entries. Whatever is wrong comes out at once.
 */

/** What the surroundings of a file give: nothing, in a pure test. */
export interface Surroundings {
  /** Value of an environment variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A path as written in the file → the path to open. */
  readonly resolvePath?: (written: string) => string;
}

/** One kind of file. */
export interface FileSpec<T> {
  readonly schema: z.ZodType<T>;
  /**
   * Rules between entries (duplicates, references). They see the document as written, so that they can speak even when
   * something else in it is wrong, and must bear any shape.
   */
  readonly rules: readonly ((document: unknown) => readonly Finding[])[];
  /** Code of the error for an ordinary mistake in this kind of file. */
  readonly code?: ErrorCode;
}

/** Larger files are not ours: a hand-written file of this size does not exist. */
const TEXT_MAX = 4 * 1024 * 1024;

/** Syntax errors told; what is no YAML at all has one at every turn. */
const SYNTAX_ERRORS_MAX = 20;

/** @throws {ConfigProblems} listing every problem. */
export function parseConfig<T>(text: string, spec: FileSpec<T>, file: string, around: Surroundings = {}): T {
  return checkDocument(prepare(text, file, around), spec, file);
}

/** A document with variables and paths filled in, and what went wrong in doing so. */
export interface Prepared {
  readonly document: unknown;
  readonly found: readonly Finding[];
  /** Paths of values that were nothing but a variable; they may stand for numbers. */
  readonly substituted: ReadonlySet<string>;
}

/** @throws {ConfigProblems} if the text is no YAML; all syntax errors with line and column. */
export function prepare(text: string, file: string, around: Surroundings = {}): Prepared {
  const found: Finding[] = [];
  const substituted = new Set<string>();
  const resolvePath = around.resolvePath ?? ((path: string) => path);
  const document = mapText(parseYaml(text, file), [], (written, path) => {
    const { value, missing } = expand(written, around.env ?? {});
    for (const name of missing)
      found.push({ path: pathText(path), message: `environment variable ${name} is not set` });
    if (/^\$\{\w+\}$/.test(written)) substituted.add(pathText(path));
    return isPath(path.at(-1), value) ? resolvePath(value) : value;
  });
  return { document, found, substituted };
}

/** @throws {ConfigProblems} */
export function checkDocument<T>(prepared: Prepared, spec: FileSpec<T>, file: string): T {
  let document = prepared.document;
  let result = spec.schema.safeParse(document, { error: wording, reportInput: true });
  if (!result.success && prepared.substituted.size > 0) {
    // `rated_power_W: ${POWER}`: a variable is text until the schema says it must be a number.
    const numbers = new Set(result.error.issues.filter(wantsNumber).map((issue) => pathText(issue.path)));
    document = mapText(document, [], (value, path) => {
      const name = pathText(path);
      return numbers.has(name) && prepared.substituted.has(name) && isNumeric(value) ? Number(value) : value;
    });
    result = spec.schema.safeParse(document, { error: wording, reportInput: true });
  }
  const found = [
    ...prepared.found,
    ...(result.success ? [] : findings(result.error.issues)),
    ...spec.rules.flatMap((rule) => rule(document)),
  ];
  if (found.length > 0 || !result.success) throw configProblems(file, found, spec.code);
  return result.data;
}

/** @throws {ConfigProblems} with `line 3, column 5` as the path of each syntax error; beyond 20 their number. */
export function parseYaml(text: string, file: string): unknown {
  if (text.length > TEXT_MAX)
    throw configProblems(file, [{ path: "(file)", message: `is larger than ${TEXT_MAX / 2 ** 20} MiB` }]);
  if (/[\0\ufffd]/.test(text))
    throw configProblems(file, [{ path: "(file)", message: "is not text in UTF-8 (allowed: YAML)" }]);
  const json = text.startsWith("{") ? jsonOf(text) : undefined;
  if (json !== undefined) return json;
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: "1.2" });
  const found = [...document.errors, ...document.warnings].map((error): Finding => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { path: `line ${line}, column ${col}`, message: syntaxWording(error.code, error.message) };
  });
  const more = found.length - SYNTAX_ERRORS_MAX;
  const told =
    more > 1 ? [...found.slice(0, -more), { path: "(file)", message: `and ${more} more of the kind` }] : found;
  if (told.length > 0) throw configProblems(file, told);
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw configProblems(file, [{ path: "(file)", message: `cannot be read as YAML: ${(cause as Error).message}` }]);
  }
}

/** JSON is YAML, and read fifty times faster; the build keeps its data files so. undefined = it is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function syntaxWording(code: string, message: string): string {
  switch (code) {
    case "DUPLICATE_KEY":
      return "this key stands twice in the same section";
    case "TAB_AS_INDENT":
      return "a tab indents this line; YAML wants blanks";
    default:
      return `not valid YAML: ${firstSentence(message)}`;
  }
}

function firstSentence(message: string): string {
  return (message.split("\n")[0] ?? message).replace(/\.$/, "");
}

/** `${NAME}` → the variable's value; `$${` is a plain `${`. */
function expand(written: string, env: Readonly<Record<string, string | undefined>>) {
  const missing: string[] = [];
  const value = written.replace(/\$(\$\{)|\$\{([A-Za-z_]\w*)\}/g, (_all, escaped: string | undefined, name: string) => {
    if (escaped !== undefined) return escaped;
    const known = Object.hasOwn(env, name) ? env[name] : undefined;
    if (known === undefined) missing.push(name);
    return known ?? "";
  });
  return { value, missing };
}

/** Keys that hold a path. `csv` and `model` hold a name or a path: a path shows by its ending. */
function isPath(key: PropertyKey | undefined, value: string): boolean {
  if (typeof key !== "string" || value === "") return false;
  if (key.endsWith("_dir") || key.endsWith("_file")) return true;
  if (key === "csv") return /\.csv(\.gz)?$/.test(value);
  return key === "model" && isModelFile(value);
}

/** A model is named by its id or by its file. */
export function isModelFile(idOrFile: string): boolean {
  return /\.ya?ml$/.test(idOrFile);
}

const wantsNumber = (issue: z.core.$ZodIssue) =>
  issue.code === "invalid_type" && ["number", "int"].includes(issue.expected);
const isNumeric = (text: string) => /^-?\d+(\.\d+)?$/.test(text);

function mapText(
  value: unknown,
  path: readonly PropertyKey[],
  change: (text: string, path: readonly PropertyKey[]) => unknown,
): unknown {
  if (typeof value === "string") return change(value, path);
  if (Array.isArray(value)) return value.map((entry, i) => mapText(entry, [...path, i], change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, mapText(entry, [...path, key], change)]));
}
