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
 * happen. Ids are read at once, a model when it is asked for, each once per process: a gateway uses a few of them, and all
 * together are half of what a start costs.
 * @throws {ConfigProblems} MODEL_INVALID for an id in two files; later, for a file that does not hold.
 */
export function loadModelLibrary(folder: string = ownFolder("../drivers/models/")): ModelLibrary {
  const known = cache.get(folder);
  if (known !== undefined) return known;
  const files = new Map<string, string>();
  for (const file of listYaml(folder)) {
    const id = idOf(file);
    const before = files.get(id);
    if (before !== undefined)
      throw configProblems(file, [{ path: "id", message: `"${id}" is already used by ${before}` }], "MODEL_INVALID");
    files.set(id, file);
  }
  const library = new Library(files);
  cache.set(folder, library);
  return library;
}

/** The id as it is usually written, at the beginning of a line or of a build's JSON; otherwise the whole file is read. */
function idOf(file: string): string {
  return /^(?:id: |\{"id":")([\w.-]+)(?:\s*$|",)/m.exec(readText(file))?.[1] ?? loadModelFile(file).id;
}

class Library implements ModelLibrary {
  readonly #files: ReadonlyMap<string, string>;
  readonly #models = new Map<string, MeterModel>();

  constructor(files: ReadonlyMap<string, string>) {
    this.#files = files;
  }

  get size(): number {
    return this.#files.size;
  }

  has(id: string): boolean {
    return this.#files.has(id);
  }

  get(id: string): MeterModel | undefined {
    const file = this.#files.get(id);
    if (file === undefined) return undefined;
    let model = this.#models.get(id);
    if (model === undefined) {
      model = loadModelFile(file);
      this.#models.set(id, model);
    }
    return model;
  }

  keys(): MapIterator<string> {
    return this.#files.keys();
  }

  values(): MapIterator<MeterModel> {
    return this.#all().values();
  }

  entries(): MapIterator<[string, MeterModel]> {
    return this.#all().entries();
  }

  [Symbol.iterator](): MapIterator<[string, MeterModel]> {
    return this.entries();
  }

  forEach(run: (model: MeterModel, id: string, library: ModelLibrary) => void): void {
    for (const [id, model] of this.#all()) run(model, id, this);
  }

  #all(): ReadonlyMap<string, MeterModel> {
    return new Map([...this.#files.keys()].map((id) => [id, this.get(id)!]));
  }
}

/** The last model of each file, and the text it was made from: a file names the same model for fifty meters. */
const parsed = new Map<string, { readonly text: string; readonly model: MeterModel }>();

/** @throws {ConfigProblems} MODEL_INVALID; {KhuXanhError} CONFIG_UNREADABLE. */
export function loadModelFile(file: string): MeterModel {
  const text = readText(file);
  const known = parsed.get(file);
  if (known?.text === text) return known.model;
  const model = parseModel(text, file);
  parsed.set(file, { text, model });
  return model;
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
