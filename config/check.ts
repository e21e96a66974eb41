import type { MeterModel } from "../core/model/meterModel.ts";
import { configProblems } from "./explain.ts";
import { loadFactorFile } from "./factors.ts";
import type { AgentConfig } from "./files/agent.ts";
import type { CalcConfig } from "./files/calc.ts";
import type { CollectorConfig } from "./files/collector.ts";
import type { FactorFile } from "./files/factors.ts";
import type { FillsFile } from "./files/fills.ts";
import type { InstrumentsFile } from "./files/instruments.ts";
import type { SimConfig } from "./files/sim.ts";
import type { TariffFile } from "./files/tariff.ts";
import { readText } from "./io.ts";
import {
  type LoadOptions,
  loadAgentConfig,
  loadCalcConfig,
  loadCollectorConfig,
  loadFills,
  loadInstruments,
  loadSimConfig,
} from "./load.ts";
import { loadModelFile } from "./models.ts";
import { parseYaml } from "./parse.ts";
import { FILE_KINDS, type FileKind, topKeys } from "./schemas.ts";
import { parseTariffs } from "./tariffs.ts";

export type CheckedFile =
  | { readonly kind: "agent"; readonly value: AgentConfig }
  | { readonly kind: "collector"; readonly value: CollectorConfig }
  | { readonly kind: "sim"; readonly value: SimConfig }
  | { readonly kind: "model"; readonly value: MeterModel }
  | { readonly kind: "factors"; readonly value: FactorFile }
  | { readonly kind: "fills"; readonly value: FillsFile }
  | { readonly kind: "instruments"; readonly value: InstrumentsFile }
  | { readonly kind: "tariff"; readonly value: TariffFile }
  | { readonly kind: "calc"; readonly value: CalcConfig };

/**
 * Any file a person writes: what kind it is, and its value.
 * @throws {ConfigProblems} with all problems, or because no kind fits; {KhuXanhError} CONFIG_UNREADABLE.
 */
export function checkFile(file: string, options: LoadOptions = {}): CheckedFile {
  const kind = fileKind(parseYaml(readText(file), file));
  switch (kind) {
    case "agent":
      return { kind, value: loadAgentConfig(file, options) };
    case "collector":
      return { kind, value: loadCollectorConfig(file, options) };
    case "sim":
      return { kind, value: loadSimConfig(file, options) };
    case "model":
      return { kind, value: loadModelFile(file) };
    case "factors":
      return { kind, value: loadFactorFile(file) };
    case "calc":
      return { kind, value: loadCalcConfig(file, options) };
    case "fills":
      return { kind, value: loadFills(file) };
    case "instruments":
      return { kind, value: loadInstruments(file) };
    case "tariff":
      return { kind, value: parseTariffs(readText(file), file) };
    case null:
      throw configProblems(file, [
        { path: "(file)", message: `is no file of ours: none of its keys is known${kindsAndKeys()}` },
      ]);
  }
}

/** The kind whose keys the file has most of, so that a misspelt key does not hide what it is; null if it has none. */
export function fileKind(document: unknown): FileKind | null {
  const written = typeof document === "object" && document !== null ? Object.keys(document) : [];
  let best: FileKind | null = null;
  let most = 0;
  for (const kind of FILE_KINDS) {
    const keys = topKeys(kind);
    const known = written.filter((key) => keys.includes(key)).length;
    if (known > most) [best, most] = [kind, known];
  }
  return best;
}

function kindsAndKeys(): string {
  return ` (allowed: ${FILE_KINDS.map((kind) => `${kind} with ${topKeys(kind).slice(0, 3).join(", ")} …`).join("; ")})`;
}
