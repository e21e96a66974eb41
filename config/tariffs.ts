import { type TariffFile, tariffSpec } from "./files/tariff.ts";
import { listYaml, ownFolder, readText } from "./io.ts";
import { parseConfig } from "./parse.ts";

/** All tariff files of a folder, found by listing. @throws {ConfigProblems} for the first file that does not hold. */
export function loadTariffs(folder: string = ownFolder("./tariffs/")): TariffFile {
  const files = listYaml(folder).map((file) => parseTariffs(readText(file), file));
  return { tables: files.flatMap(({ tables }) => tables), prices: files.flatMap(({ prices }) => prices) };
}

/** @throws {ConfigProblems} listing every problem of the file. */
export function parseTariffs(text: string, file: string): TariffFile {
  return parseConfig(text, tariffSpec(), file);
}
