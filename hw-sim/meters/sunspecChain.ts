import type { MeterModel, Register } from "../../core/model/meterModel.ts";
import { blockRegisters } from "../../drivers/sunspec/discover.ts";
import type { Cell } from "./addressSpace.ts";

/**
 * The SunSpec chain around the registers of a model: marker, model 1 with its texts, the device's own model, for inverters
 * model 160 with two strings, end marker.
 * Source: offsets of `sunspec/models` model_1.json, model_103.json and model_160.json as told in the model file.
 */
export interface Chain {
  /** Address of the device model's id: what its register offsets count from. */
  readonly base: number;
  /** Id of the device model. */
  readonly modelId: number;
  /** Registers of further blocks, counted from `base` as those of the model. */
  readonly further: readonly Register[];
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
  const after = base + 2 + length;
  const strings = discovery.blocks.find(({ model_id }) => model_id === STRINGS_MODEL);
  const end = strings === undefined ? after : after + 2 + STRINGS_LENGTH;
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
  if (strings === undefined) return { base, modelId, further: [], frame };
  const at = { model_id: STRINGS_MODEL, address: after - base, length: STRINGS_LENGTH, modules: STRINGS };
  return { base, modelId, further: blockRegisters(strings, at), frame: [...frame, ...stringsFrame(after)] };
}

/** Model 160: ten registers, then twenty a string. */
const STRINGS_MODEL = 160;
const STRINGS = 2;
const STRINGS_LENGTH = 8 + 20 * STRINGS;

/** What no register of the library gives: number and name of each string; events are clear, the rest is not implemented. */
function stringsFrame(at: number): readonly Cell[] {
  const cells = [pair(at, STRINGS_MODEL, STRINGS_LENGTH), pair(at + 6, 0, 0), pair(at + 8, STRINGS, 0xffff)];
  for (let i = 0; i < STRINGS; i++) {
    const first = at + 10 + 20 * i;
    cells.push(word(first, i + 1), text(first + 1, 8, `String ${i + 1}`));
    cells.push(pair(first + 14, 0xffff, 0xffff), word(first + 16, NOT_IMPLEMENTED_i16), word(first + 17, 0xffff));
    cells.push(pair(first + 18, 0, 0));
  }
  return cells;
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
