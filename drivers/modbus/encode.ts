/**
 * Values → register words: what a simulated meter answers with. The inverse of `decode.ts`, through the same tables.
 *
 * It cannot prove a table (both sides read the same one): golden vectors do that.
 */
import type { Register } from "../../core/model/meterModel.ts";
import type { RegisterShape } from "./decode.ts";

/** What stands in other registers and scales this one. */
export interface Scaling {
  /** Value of the exponent register, −10…10; 0 when there is none. */
  readonly exponent: number;
  /** Product of `multiply_by` over `divide_by` registers and the site factor; 1 when there is none. */
  readonly factor: number;
}

/** How a register's words are written; its name for what goes wrong. */
type NamedShape = RegisterShape & { readonly name?: string };

const PLAIN: Scaling = { exponent: 0, factor: 1 };

/**
 * Words of a value in the register's unit (the unit of the model file), rounded to the register's step.
 * Text fills `str` registers, cut or padded with NUL. A counter that has outgrown its register wraps, as meters do.
 *
 * @throws {RangeError} for a gauge that does not fit the register (choose another exponent), or text in a number.
 */
export function encodeRegister(register: Register, value: number | string, scaling: Scaling = PLAIN): Uint16Array {
  if (typeof value === "string") return encodeText(register, value);
  const raw = value / (register.scale * 10 ** scaling.exponent * scaling.factor);
  if (isFloat(register)) return encodeRaw(register, raw);
  if (!Number.isFinite(raw)) throw new RangeError(`${register.name}: ${value} cannot stand in an integer register`);
  const count = BigInt(Math.round(raw));
  return encodeRaw(register, register.kind === "counter" ? wrapped(register, count) : count);
}

/**
 * Words of a raw value, no scale: numbers for float registers, bigints or whole numbers for integer registers.
 * @throws {RangeError} if it does not fit.
 */
export function encodeRaw(register: NamedShape, raw: number | bigint): Uint16Array {
  const words = new Uint16Array(register.words);
  if (typeof raw === "number" || isFloat(register)) {
    if (!rawWriter(register)(Number(raw), words, 0)) throw doesNotFit(register, raw);
    return words;
  }
  const bits = integerBits(register, raw);
  put(words.length, register.word_order === "little", Number(bits >> 32n), Number(bits & 0xffff_ffffn), words, 0);
  return words;
}

/** @returns false if the number does not fit; then nothing was written. */
export type RawWriter = (raw: number, out: Uint16Array, at: number) => boolean;

/**
 * Writes raw numbers as words into replies: what a simulated meter does for every value of every poll, so what depends on
 * the register alone is worked out once. Integer registers take whole numbers up to 2^53 - 1.
 */
export function rawWriter({ type, words, word_order }: RegisterShape): RawWriter {
  const isLittle = word_order === "little";
  if (type === "f32") {
    return (raw, out, at) => {
      scratch.setFloat32(0, raw);
      put(words, isLittle, 0, scratch.getUint32(0), out, at);
      return true;
    };
  }
  if (type === "f64") {
    return (raw, out, at) => {
      scratch.setFloat64(0, raw);
      put(words, isLittle, scratch.getUint32(0), scratch.getUint32(4), out, at);
      return true;
    };
  }
  if (type === "str") {
    return () => {
      throw isText();
    };
  }
  const { bits, signed } = INTEGER[type];
  const end = 2 ** (signed ? bits - 1 : bits);
  const from = signed ? -end : 0;
  return (raw, out, at) => {
    if (!Number.isSafeInteger(raw) || raw >= end || raw < from) return false;
    put(words, isLittle, Math.floor(raw / 0x1_0000_0000) >>> 0, raw >>> 0, out, at);
    return true;
  };
}

function put(words: number, isLittle: boolean, high: number, low: number, out: Uint16Array, at: number): void {
  for (let i = 0; i < words; i++) {
    const half = i < 2 ? low : i < 4 ? high : 0;
    out[isLittle ? at + i : at + words - 1 - i] = i % 2 === 0 ? half & 0xffff : half >>> 16;
  }
}

/** Count at which an integer register starts again at 0: as the model says, else the width of its positive side. */
export function rolloverRaw(register: Pick<Register, "type" | "rollover_raw">): bigint {
  if (register.rollover_raw !== undefined) return BigInt(register.rollover_raw);
  const { bits, signed } = INTEGER[register.type as keyof typeof INTEGER];
  return 1n << BigInt(signed ? bits - 1 : bits);
}

const INTEGER = {
  u16: { bits: 16, signed: false },
  i16: { bits: 16, signed: true },
  u32: { bits: 32, signed: false },
  acc32: { bits: 32, signed: false },
  i32: { bits: 32, signed: true },
  u64: { bits: 64, signed: false },
  i64: { bits: 64, signed: true },
} as const;

function isFloat(register: Pick<Register, "type">): boolean {
  return register.type === "f32" || register.type === "f64";
}

function wrapped(register: Register, count: bigint): bigint {
  return count < 0n ? count : count % rolloverRaw(register);
}

function isText(): RangeError {
  return new RangeError("text register: give a string");
}

export function doesNotFit({ name, type }: NamedShape, raw: number | bigint): RangeError {
  return new RangeError(`${name ?? "register"}: ${raw} does not fit ${type}`);
}

function integerBits(register: NamedShape, raw: bigint): bigint {
  if (register.type === "str") throw isText();
  const { bits, signed } = INTEGER[register.type as keyof typeof INTEGER];
  const cut = BigInt.asUintN(bits, raw);
  if ((signed ? BigInt.asIntN(bits, cut) : cut) !== raw) throw doesNotFit(register, raw);
  return cut;
}

const scratch = new DataView(new ArrayBuffer(8));

function encodeText(register: Register, text: string): Uint16Array {
  if (register.type !== "str") throw new RangeError(`${register.name}: text in a ${register.type} register`);
  const words = new Uint16Array(register.words);
  for (let i = 0; i < register.words; i++) {
    words[i] = (characterAt(text, 2 * i) << 8) | characterAt(text, 2 * i + 1);
  }
  return words;
}

function characterAt(text: string, index: number): number {
  return index < text.length ? text.charCodeAt(index) & 0xff : 0;
}
