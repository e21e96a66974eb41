import type { MeterModel } from "../../core/model/meterModel.ts";
import type { Cell } from "./addressSpace.ts";

/**
 * The SunSpec chain around the registers of a model: marker, model 1 with its strings, the device's own model, end marker.
 * Source: offsets of `sunspec/models` model_1.json and model_103.json as told in the model file's discovery steps.
 */
export interface Chain {
  /** Address of the device model's id: what its register offsets count from. */
  readonly base: number;
  /** Id of the device model. */
  readonly modelId: number;
  /** Cells that no register of the model gives: put after those, so that they fill what is left. */
  readonly frame: readonly Cell[];
}

export interface Nameplate {
  readonly manufacturer: string;
  readonly model: string;
  readonly options: string;
  readonly version: string;
  readonly serial: string;
  readonly unit: number;
}

/** Lengths of the models, without id and length register. Source: sunspec/models json files. */
const LENGTH: Readonly<Record<number, number>> = {
  101: 50,
  102: 50,
  103: 50,
  111: 60,
  112: 60,
  113: 60,
  201: 105,
  202: 105,
  203: 105,
  204: 105,
};

const NOT_IMPLEMENTED_i16 = 0x8000;
const END_MARKER = 0xffff;

/** The three-phase member of the family, in integers, stands for all: 103 of 101 … 113, 203 of 201 … 204. */
export function sunspecChain(model: MeterModel, plate: Nameplate, commonLength: 65 | 66): Chain | undefined {
  const discovery = model.discovery;
  if (discovery === undefined) return undefined;
  const ids = discovery.model_ids;
  const modelId = ids.find((id) => id === 103 || id === 203) ?? ids[0] ?? 103;
  const length = LENGTH[modelId] ?? 50;
  const marker = discovery.bases.includes(40_000) ? 40_000 : (discovery.bases[0] ?? 40_000);
  const common = marker + 2;
  const base = common + 2 + commonLength;
  const end = base + 2 + length;
  const frame: Cell[] = [
    pair(marker, Math.floor(discovery.marker / 65_536), discovery.marker % 65_536),
    pair(common, 1, commonLength),
    text(common + 2, 16, plate.manufacturer),
    text(common + 18, 16, plate.model),
    text(common + 34, 8, plate.options),
    text(common + 42, 8, plate.version),
    text(common + 50, 16, plate.serial),
    word(common + 66, plate.unit),
    ...(commonLength === 66 ? [word(common + 67, NOT_IMPLEMENTED_i16)] : []),
    pair(base, modelId, length),
    pair(end, END_MARKER, 0),
  ];
  for (let offset = 2; offset < length + 2; offset++) frame.push(word(base + offset, restOf(modelId, offset)));
  return { base, modelId, frame };
}

/** Of models 101 to 103: vendor status and further temperatures are not implemented, event bit fields are clear. */
function restOf(modelId: number, offset: number): number {
  if (modelId <= 103 && offset === 39) return 0xffff;
  return modelId <= 103 && offset >= 40 ? 0 : NOT_IMPLEMENTED_i16;
}

function word(address: number, value: number): Cell {
  return fixedCell(address, Uint16Array.of(value));
}

function pair(address: number, first: number, second: number): Cell {
  return fixedCell(address, Uint16Array.of(first, second));
}

function text(address: number, words: number, content: string): Cell {
  return fixedCell(address, textWords(content, words));
}

function fixedCell(address: number, words: Uint16Array): Cell {
  return { fc: 3, address, words: words.length, divisible: true, write: (_, out, at) => out.set(words, at) };
}

/** Two characters a register, the unused ones zero. */
export function textWords(content: string, words: number): Uint16Array {
  return Uint16Array.from({ length: words }, (_, i) => {
    const code = (at: number) => (at < content.length ? content.charCodeAt(at) & 0xff : 0);
    return (code(2 * i) << 8) | code(2 * i + 1);
  });
}
