import { ConfigProblems, KhuXanhError } from "../core/errors.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import { configProblems, type Finding, pathText } from "./explain.ts";
import { type AgentConfig, agentSpec } from "./files/agent.ts";
import type { ModelLookup } from "./files/agentRules.ts";
import { type CalcConfig, calcSpec } from "./files/calc.ts";
import { type CollectorConfig, collectorSpec } from "./files/collector.ts";
import { type FillsFile, fillsSpec } from "./files/fills.ts";
import { type InstrumentsFile, instrumentsSpec, unknownSites } from "./files/instruments.ts";
import { type SimConfig, simSpec } from "./files/sim.ts";
import { type BrokerUsers, usersSpec } from "./files/users.ts";
import { besideFile, environment, readSecretFile, readText } from "./io.ts";
import { loadModelFile, loadModelLibrary, type ModelLibrary } from "./models.ts";
import { checkDocument, type FileSpec, isModelFile, type Prepared, parseConfig, prepare } from "./parse.ts";
import type { Secret } from "./secret.ts";

/**
 * The one loader of files that people write. A wrong file never starts half: everything wrong with it is thrown at once.
 */

export interface LoadOptions {
  /** Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: the device library. */
  readonly library?: ModelLibrary;
}

/** @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadAgentConfig(file: string, options: LoadOptions = {}): AgentConfig {
  return loadWithModels(file, agentSpec, options);
}

/** @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadCollectorConfig(file: string, options: LoadOptions = {}): CollectorConfig {
  return checkDocument(read(file, options), collectorSpec, file);
}

/** @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadSimConfig(file: string, options: LoadOptions = {}): SimConfig {
  return loadWithModels(file, simSpec, options);
}

/** Gaps that people fill. @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadFills(file: string): FillsFile {
  return parseConfig(readText(file), fillsSpec, file);
}

/**
 * Contractual instruments of scope 2.
 * @param sites of the zone; left out, any name will do
 * @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE.
 */
export function loadInstruments(file: string, sites?: readonly string[]): InstrumentsFile {
  const instruments = parseConfig(readText(file), instrumentsSpec, file);
  const unknown = sites === undefined ? [] : unknownSites(instruments, sites);
  if (unknown.length > 0) throw configProblems(file, unknown);
  return instruments;
}

/** Accounts of the embedded broker. @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE, SECRET_EXPOSED. */
export function loadBrokerUsers(file: string): BrokerUsers {
  return parseConfig(readSecretFile(file).toString("utf8"), usersSpec, file);
}

/** @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadCalcConfig(file: string, options: LoadOptions = {}): CalcConfig {
  return checkDocument(read(file, options), calcSpec, file);
}

/**
 * The password of a client section, read now: the first line of `password_file`, or the value given in the file;
 * undefined if there is none. Never log what it returns.
 * @throws {KhuXanhError} CONFIG_UNREADABLE, SECRET_EXPOSED.
 */
export function readPassword(client: {
  readonly password?: Secret;
  readonly password_file?: string;
}): string | undefined {
  if (client.password !== undefined) return client.password.reveal();
  if (client.password_file === undefined) return undefined;
  return readSecretFile(client.password_file).toString("utf8").split(/\r?\n/, 1)[0];
}

function read(file: string, options: LoadOptions): Prepared {
  return prepare(readText(file), file, { env: options.env ?? environment(), resolvePath: besideFile(file) });
}

function loadWithModels<T>(file: string, spec: (models: ModelLookup) => FileSpec<T>, options: LoadOptions): T {
  const prepared = read(file, options);
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
