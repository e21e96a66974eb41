import type { Constant, EmissionFactor, FullGwpSet, Refrigerant, RefusedValue } from "../core/emission/factor.ts";
import { configProblems, type Finding, pathText } from "./explain.ts";
import { type FactorFile, factorsSpec } from "./files/factors.ts";
import { listYaml, ownFolder, readText } from "./io.ts";
import { checkDocument, parseConfig, prepare } from "./parse.ts";

/** Everything the factor folder holds. */
export interface Factors {
  readonly factors: readonly EmissionFactor[];
  readonly gwpSets: readonly FullGwpSet[];
  readonly constants: readonly Constant[];
  readonly refrigerants: readonly Refrigerant[];
  readonly refused: readonly RefusedValue[];
}

/**
 * All factor files of the built-in folder and of one's own, found by listing. A figure that one file refuses is refused in
 * all of them. A new letter or an approved factor of one's own is one more file there; nothing is edited.
 * @param own `factors_dir` of the configuration
 * @throws {ConfigProblems} for the first file that does not hold, or a factor or set that two files state; {KhuXanhError}
 * CONFIG_UNREADABLE for a folder that is not there.
 */
export function loadFactors(own?: string, builtIn: string = ownFolder("./factors/")): Factors {
  const listed = [...listYaml(builtIn), ...(own === undefined ? [] : listYaml(own))];
  // YAML is the costly half of reading them; what they refuse must be known before any of them is judged.
  const prepared = listed.map((file) => ({ file, text: prepare(readText(file), file) }));
  const refused = prepared.flatMap(({ file, text }) => checkDocument(text, factorsSpec(), file).refused);
  const files = prepared.map(({ file, text }) => ({ file, content: checkDocument(text, factorsSpec(refused), file) }));
  const first = new Map<string, string>();
  for (const { file, content } of files) {
    const found = [
      ...content.factors.map(({ id, version }, f) => ({ name: `factor "${id} ${version}"`, path: ["factors", f] })),
      ...content.gwpSets.map(({ id }, s) => ({ name: `set "${id}"`, path: ["gwp_sets", s] })),
      ...content.refrigerants.map(({ id }, r) => ({ name: `refrigerant "${id}"`, path: ["refrigerants", r] })),
    ].flatMap(({ name, path }): Finding[] => {
      const before = first.get(name);
      if (before === undefined) first.set(name, file);
      return before === undefined ? [] : [{ path: pathText(path), message: `${name} is already stated in ${before}` }];
    });
    if (found.length > 0) throw configProblems(file, found);
  }
  return {
    factors: files.flatMap(({ content }) => content.factors),
    gwpSets: files.flatMap(({ content }) => content.gwpSets),
    constants: files.flatMap(({ content }) => content.constants),
    refrigerants: files.flatMap(({ content }) => content.refrigerants),
    refused,
  };
}

/** @throws {ConfigProblems} listing every problem of the file. */
export function parseFactors(text: string, file: string, refusedElsewhere: readonly RefusedValue[] = []): FactorFile {
  return parseConfig(text, factorsSpec(refusedElsewhere), file);
}

/** One factor file, also under the refusals of the built-in folder. @throws {ConfigProblems}; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadFactorFile(file: string): FactorFile {
  return parseFactors(readText(file), file, loadFactors().refused);
}
