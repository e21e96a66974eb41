import { KhuXanhError } from "../core/errors.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import { configProblems } from "./explain.ts";
import { parseModel } from "./files/model.ts";
import { listYaml, ownFolder, readText } from "./io.ts";
import { nearest } from "./nearest.ts";
import { isModelFile } from "./parse.ts";

export type ModelLibrary = ReadonlyMap<string, MeterModel>;

const cache = new Map<string, ModelLibrary>();

/**
 * The device library: every model file under `folder`, by id. Found by listing, so a forgotten registration cannot
 * happen. Read once per process.
 * @throws {ConfigProblems} MODEL_INVALID for a file that does not hold, or an id in two files.
 */
export function loadModelLibrary(folder: string = ownFolder("../drivers/models/")): ModelLibrary {
  const known = cache.get(folder);
  if (known !== undefined) return known;
  const library = new Map<string, MeterModel>();
  const files = new Map<string, string>();
  for (const file of listYaml(folder)) {
    const model = loadModelFile(file);
    const before = files.get(model.id);
    if (before !== undefined)
      throw configProblems(
        file,
        [{ path: "id", message: `"${model.id}" is already used by ${before}` }],
        "MODEL_INVALID",
      );
    files.set(model.id, file);
    library.set(model.id, model);
  }
  cache.set(folder, library);
  return library;
}

/** @throws {ConfigProblems} MODEL_INVALID; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadModelFile(file: string): MeterModel {
  return parseModel(readText(file), file);
}

/**
 * A model by its id, or from a file (`.yaml`) that is not in the library yet.
 * @throws {KhuXanhError} MODEL_UNKNOWN with the nearest id; MODEL_INVALID; CONFIG_UNREADABLE.
 */
export function resolveModel(idOrFile: string, library: ModelLibrary = loadModelLibrary()): MeterModel {
  if (isModelFile(idOrFile)) return loadModelFile(idOrFile);
  const model = library.get(idOrFile);
  if (model !== undefined) return model;
  const near = nearest(idOrFile, [...library.keys()]);
  const hint =
    near === undefined
      ? "`khuxanh models` lists all of them; a model file (.yaml) works too."
      : `Did you mean ${near}?`;
  throw new KhuXanhError("MODEL_UNKNOWN", `no model "${idOrFile}" in the device library`, {
    hint,
    context: { model: idOrFile },
  });
}
