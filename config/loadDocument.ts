import { ConfigProblems, KhuXanhError } from "../core/errors.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import { type Finding, pathText } from "./explain.ts";
import type { ModelLookup } from "./files/agentRules.ts";
import { besideFile, environment, readText } from "./io.ts";
import { loadModelFile, loadModelLibrary, type ModelLibrary } from "./models.ts";
import { checkDocument, type FileSpec, isModelFile, type Prepared, prepare } from "./parse.ts";

/** What the loaders of all kinds of files share; which kind it is, they say. */

export interface LoadOptions {
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: the device library. */
  readonly library?: ModelLibrary;
}

/** @throws {KhuXanhError} CONFIG_UNREADABLE. */
export function readDocument(file: string, options: LoadOptions): Prepared {
  return prepare(readText(file), file, { env: options.env ?? environment(), resolvePath: besideFile(file) });
}

/** A file that names models: those that are files are read with it. @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadWithModels<T>(file: string, spec: (models: ModelLookup) => FileSpec<T>, options: LoadOptions): T {
  const prepared = readDocument(file, options);
  const library = options.library ?? loadModelLibrary();
  const { models, found } = modelFiles(prepared.document);
  const lookup: ModelLookup = {
    ids: [...library.keys()],
    find: (idOrFile) => library.get(idOrFile) ?? models.get(idOrFile),
  };
  return checkDocument({ ...prepared, found: [...prepared.found, ...found] }, spec(lookup), file);
}

/** Opens every model file that the document names; what is wrong with one is a problem at the key that names it. */
function modelFiles(document: unknown): { models: ReadonlyMap<string, MeterModel>; found: readonly Finding[] } {
  const models = new Map<string, MeterModel>();
  const found: Finding[] = [];
  for (const { path, model } of namedModels(document, [])) {
    if (models.has(model)) continue;
    try {
      models.set(model, loadModelFile(model));
    } catch (error) {
      if (!(error instanceof KhuXanhError)) throw error;
      found.push(...modelFindings(error, pathText(path), model));
    }
  }
  return { models, found };
}

function modelFindings(error: KhuXanhError, path: string, model: string): readonly Finding[] {
  if (error instanceof ConfigProblems)
    return error.problems.map((problem) => ({
      path,
      message: `${model}: ${problem.path}: ${problem.message}`,
      code: error.code,
    }));
  return [{ path, message: error.message.replace(` [${error.code}]`, ""), code: error.code }];
}

function namedModels(
  value: unknown,
  path: readonly PropertyKey[],
): readonly { path: readonly PropertyKey[]; model: string }[] {
  if (Array.isArray(value)) return value.flatMap((entry, i) => namedModels(entry, [...path, i]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, entry]) =>
    key === "model" && typeof entry === "string" && isModelFile(entry)
      ? [{ path: [...path, key], model: entry }]
      : namedModels(entry, [...path, key]),
  );
}
