import type { Register } from "../../core/model/meterModel.ts";
import { doesNotFit, type RawWriter, rawWriter } from "../../drivers/modbus/encode.ts";
import type { Column, Sheet } from "./physics.ts";

/** Writes a number of a register's unit as words of its type, `step` being worth one; false if it does not fit. */
export type NumberWriter = (value: number, step: number, out: Uint16Array, at: number) => boolean;

type Form = Pick<Register, "type" | "words" | "word_order">;

/** Below zero unsigned registers go on from their end, as on devices that write power as if it had no sign (Growatt, Sungrow). */
const UNSIGNED_TURN: Readonly<Partial<Record<Register["type"], number>>> = { u16: 2 ** 16, u32: 2 ** 32 };

/** By form: as many as models have kinds of numbers, about twenty. */
const writers = new Map<string, NumberWriter>();

/** One for all registers of a form: what many use is in the processor's cache. */
export function numberWriter(form: Form): NumberWriter {
  const key = `${form.type}/${form.words}/${form.word_order}`;
  let writer = writers.get(key);
  if (writer === undefined) {
    writer = writerOf(rawWriter(form), form.type);
    writers.set(key, writer);
  }
  return writer;
}

function writerOf(write: RawWriter, type: Register["type"]): NumberWriter {
  if (type === "f32" || type === "f64") return (value, step, out, at) => write(value / step, out, at);
  const turn = UNSIGNED_TURN[type] ?? 0;
  return (value, step, out, at) => {
    const raw = Math.round(value / step);
    return write(raw < 0 ? raw + turn : raw, out, at);
  };
}

/** A register that shows a column of a sheet. */
export interface ShownColumn {
  readonly register: Register;
  readonly column: Column;
  /** What one of its counts is worth. */
  readonly step: number;
}

/**
 * Registers of one form in a read that show numbers of one sheet, in one list of numbers: a meter is read every few seconds,
 * and by then each object that it is made of has left the processor's cache.
 */
export class NumberRow {
  readonly #sheet: Sheet;
  readonly #write: NumberWriter;
  /** Of each register its column, its step and where in the answer its words begin. */
  readonly #shown: number[] = [];
  readonly #registers: Register[] = [];

  constructor({ column, register }: ShownColumn) {
    this.#sheet = column.sheet;
    this.#write = numberWriter(register);
  }

  takes({ column, register }: ShownColumn): boolean {
    return column.sheet === this.#sheet && numberWriter(register) === this.#write;
  }

  /** @param place where in the answer its words begin */
  add({ column, step, register }: ShownColumn, place: number): void {
    this.#shown.push(column.index, step, place);
    this.#registers.push(register);
  }

  /** @throws {RangeError} for a number that its register has no room for */
  write(at_ms: number, out: Uint16Array): void {
    const numbers = this.#sheet(at_ms);
    const write = this.#write;
    const shown = this.#shown;
    for (let i = 0; i < shown.length; i += 3) {
      const number = numbers[shown[i]!]!;
      const step = shown[i + 1]!;
      if (!write(number, step, out, shown[i + 2]!))
        throw doesNotFit(this.#registers[i / 3]!, Math.round(number / step));
    }
  }
}
