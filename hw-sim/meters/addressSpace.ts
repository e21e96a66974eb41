import { newWords } from "../../drivers/modbus/words.ts";
import { NumberRow, type ShownColumn } from "./numberRow.ts";

/**
 * The registers a simulated device answers, by function code and address.
 *
 * Limits   a read takes whole values: starting or ending inside one is exception 2, as on the strict half of real devices
 *          (the readers must not depend on the lenient half). Undefined addresses are exception 2, unless the model
 *          allows to read across gaps: then they read 0 inside a block, never at its ends.
 */
export type Cell = WrittenCell | ShownCell;

interface Place {
  readonly fc: 3 | 4;
  readonly address: number;
  readonly words: number;
}

export interface WrittenCell extends Place {
  /** Texts and padding may be read in part. */
  readonly divisible: boolean;
  /** Writes its words, all of them, from `out[at]` on. */
  readonly write: (at_ms: number, out: Uint16Array, at: number) => void;
}

/** A number of a sheet: it is written with the others of a read, see {@link NumberRow}. */
export interface ShownCell extends Place {
  readonly divisible: false;
  readonly shown: ShownColumn;
}

export type Answer = Uint16Array | Refusal;

export interface Refusal {
  readonly exception: number;
  /** A value that its register has no room for, in words. */
  readonly unfit?: string;
}

export interface AddressSpace {
  read(fc: 3 | 4, address: number, count: number, at_ms: number): Answer;
}

/** Modbus exception codes. Source: Modbus Application Protocol V1.1b3 §7. */
export const ILLEGAL_FUNCTION = 1;
export const ILLEGAL_DATA_ADDRESS = 2;
export const ILLEGAL_DATA_VALUE = 3;
export const SERVER_DEVICE_FAILURE = 4;
export const GATEWAY_TARGET_FAILED = 0x0b;

/** Of overlapping cells the first one given is kept: alternative maps of one model reuse addresses. */
export function addressSpace(cells: readonly Cell[], gapMax: number): AddressSpace {
  const owners = new Map<number, Cell>();
  for (const cell of cells) {
    const keys = Array.from({ length: cell.words }, (_, i) => keyOf(cell.fc, cell.address + i));
    if (keys.some((key) => owners.has(key))) continue;
    for (const key of keys) owners.set(key, cell);
  }
  const plans = new Map<number, Plan>();
  const scratch = new Uint16Array(Math.max(1, ...cells.map(({ words }) => words)));

  function planned(fc: 3 | 4, address: number, count: number): Plan {
    const key = keyOf(fc, address) * 128 + count;
    let plan = plans.get(key);
    if (plan === undefined) {
      plan = planOf(owners, gapMax, { fc, address, count });
      if (plans.size < PLANS_MAX) plans.set(key, plan);
    }
    return plan;
  }

  return {
    read(fc, address, count, at_ms) {
      const plan = planned(fc, address, count);
      if (plan.kind === "refused") return plan.answer;
      const out = newWords(count);
      const { rows, writes, places, parts } = plan;
      for (let i = 0; i < rows.length; i++) rows[i]!.write(at_ms, out);
      for (let i = 0; i < writes.length; i++) writes[i]!(at_ms, out, places[i]!);
      for (const { write, at, from, to } of parts) {
        write(at_ms, scratch, 0);
        out.set(scratch.subarray(from, to), at);
      }
      return out;
    },
  };
}

/** Reads whose way through the cells is remembered; a reader that never asks the same twice costs no more memory than this. */
const PLANS_MAX = 512;

/** What a read touches: worked out once, used at every poll. Flat: by the next poll none of it is in the processor's cache. */
type Plan =
  | {
      readonly kind: "cells";
      readonly rows: readonly NumberRow[];
      readonly writes: readonly WrittenCell["write"][];
      /** Where in the answer each of these begins. */
      readonly places: readonly number[];
      /** Texts and padding the read begins or ends inside of: words `from` up to `to`. */
      readonly parts: readonly {
        readonly write: WrittenCell["write"];
        readonly at: number;
        readonly from: number;
        readonly to: number;
      }[];
    }
  | { readonly kind: "refused"; readonly answer: { readonly exception: number } };

function planOf(
  owners: ReadonlyMap<number, Cell>,
  gapMax: number,
  { fc, address, count }: { readonly fc: 3 | 4; readonly address: number; readonly count: number },
): Plan {
  const rows: NumberRow[] = [];
  const writes: WrittenCell["write"][] = [];
  const places: number[] = [];
  const parts: { write: WrittenCell["write"]; at: number; from: number; to: number }[] = [];
  const end = address + count;
  let gap = 0;
  for (let at = address; at < end; ) {
    const cell = owners.get(keyOf(fc, at));
    if (cell === undefined) {
      if (at === address || at === end - 1 || ++gap > gapMax) return REFUSED;
      at++;
      continue;
    }
    gap = 0;
    const next = cell.address + cell.words;
    const isWhole = cell.address === at && next <= end;
    if (!isWhole && !cell.divisible) return REFUSED;
    if ("shown" in cell) rowFor(cell.shown, rows).add(cell.shown, at - address);
    else if (isWhole) {
      writes.push(cell.write);
      places.push(at - address);
    } else {
      const from = at - cell.address;
      parts.push({ write: cell.write, at: at - address, from, to: Math.min(next, end) - cell.address });
    }
    at = next;
  }
  return { kind: "cells", rows, writes, places, parts };
}

function rowFor(shown: ShownColumn, rows: NumberRow[]): NumberRow {
  const known = rows.find((row) => row.takes(shown));
  if (known !== undefined) return known;
  const row = new NumberRow(shown);
  rows.push(row);
  return row;
}

const REFUSED: Plan = { kind: "refused", answer: { exception: ILLEGAL_DATA_ADDRESS } };

function keyOf(fc: 3 | 4, address: number): number {
  return fc * 65_536 + address;
}
