import { configProblems } from "./explain.ts";
import { type CalcConfig, calcSpec } from "./files/calc.ts";
import { type CollectorConfig, collectorSpec } from "./files/collector.ts";
import { type FillsFile, fillsSpec } from "./files/fills.ts";
import { type InstrumentsFile, instrumentsSpec, unknownSites } from "./files/instruments.ts";
import { type SimConfig, simSpec } from "./files/sim.ts";
import { type BrokerUsers, usersSpec } from "./files/users.ts";
import { readSecretFile, readText } from "./io.ts";
import { type LoadOptions, loadWithModels, readDocument } from "./loadDocument.ts";
import { checkDocument, parseConfig } from "./parse.ts";

/**
 * The one loader of files that people write. A wrong file never starts half: everything wrong with it is thrown at once.
 */

export { loadAgentConfig } from "./loadAgent.ts";
export { readPassword } from "./password.ts";
export type { LoadOptions };

/** @throws {ConfigProblems} with all problems; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadCollectorConfig(file: string, options: LoadOptions = {}): CollectorConfig {
  return checkDocument(readDocument(file, options), collectorSpec, file);
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
  return checkDocument(readDocument(file, options), calcSpec, file);
}
