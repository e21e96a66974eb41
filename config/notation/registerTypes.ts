import type { RegisterType } from "../../core/model/meterModel.ts";
import { UNITS, type UnitNotation } from "../../core/units/units.ts";

/** The types of registers that a model file may name, and the units it may give their values in. */

const WORDS: Readonly<Record<Exclude<RegisterType, "str">, number>> = {
  u16: 1,
  i16: 1,
  u32: 2,
  i32: 2,
  f32: 2,
  acc32: 2,
  u64: 4,
  i64: 4,
  f64: 4,
};

export const REGISTER_TYPES = [
  ...(Object.keys(WORDS) as readonly Exclude<RegisterType, "str">[]),
  "str",
] as const satisfies readonly RegisterType[];

export const UNIT_NOTATIONS = Object.keys(UNITS) as readonly UnitNotation[];

/** Registers a value spans; a text has the length the file gives it. */
export function wordsOf(type: RegisterType, length: number | undefined): number {
  return type === "str" ? (length ?? 1) : WORDS[type];
}
