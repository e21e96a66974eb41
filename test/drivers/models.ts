import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import type { MeterModel, Register, RegisterType } from "../../core/model/meterModel.ts";
import { quantityOfRegister } from "../../core/units/quantities.ts";

const FOLDER = new URL("../../drivers/models/", import.meta.url);
const WORDS: Partial<Record<RegisterType, number>> = { u16: 1, i16: 1, u64: 4, i64: 4, f64: 4 };

/**
 * The model files as drivers see them, read without the zod schema of `config/` (which has tests of its own), so that these
 * tests stand or fall with drivers alone.
 */
export function modelOf(id: string): MeterModel {
  const found = allModels().find((model) => model.id === id);
  if (found === undefined) throw new Error(`no model ${id}`);
  return found;
}

let models: readonly MeterModel[] | undefined;

export function allModels(): readonly MeterModel[] {
  models ??= readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file) => modelFrom(parse(readFileSync(new URL(file, FOLDER), "utf8"))));
  return models;
}

// biome-ignore lint/suspicious/noExplicitAny: a YAML file before its schema
function modelFrom(file: any): MeterModel {
  return {
    ...file,
    limits: { max_registers_per_read: 125, count_must_be_even: false, max_gap: 0, ...file.limits },
    timing: { min_gap_ms: 0, ...file.timing },
    identify: file.identify ?? [],
    sentinels: file.sentinels ?? [],
    registers: file.registers.map(registerFrom),
    golden: file.golden ?? [],
    proven: file.proven ?? file.golden !== undefined,
    unverified: file.unverified ?? [],
    version: "00000000",
    discovery: file.discovery_chain && {
      ...file.discovery_chain,
      blocks: (file.discovery_blocks ?? []).map(blockFrom),
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a YAML file before its schema
function blockFrom(block: any) {
  return { ...block, registers: block.registers.map(registerFrom) };
}

// biome-ignore lint/suspicious/noExplicitAny: a YAML file before its schema
function registerFrom(entry: any): Register {
  const quantity = quantityOfRegister(entry.name);
  return {
    kind: "gauge",
    word_order: "big",
    resettable: false,
    words: entry.length ?? WORDS[entry.type as RegisterType] ?? 2,
    ...entry,
    ...(quantity === undefined ? {} : { quantity }),
  };
}
