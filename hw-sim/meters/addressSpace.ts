/**
 * The registers a simulated device answers, by function code and address.
 *
 * Limits   a read takes whole values: starting or ending inside one is exception 2, as on the strict half of real devices
 *          (the readers must not depend on the lenient half). Undefined addresses are exception 2, unless the model
 *          allows to read across gaps: then they read 0 inside a block, never at its ends.
 */
export interface Cell {
  readonly fc: 3 | 4;
  readonly address: number;
  readonly words: number;
  /** Texts and padding may be read in part. */
  readonly divisible: boolean;
  encode(at_ms: number): Uint16Array;
}

export type Answer = Uint16Array | { readonly exception: number };

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
  return {
    read(fc, address, count, at_ms) {
      const out = new Uint16Array(count);
      const end = address + count;
      let gap = 0;
      for (let at = address; at < end; ) {
        const cell = owners.get(keyOf(fc, at));
        if (cell === undefined) {
          if (at === address || at === end - 1 || ++gap > gapMax) return { exception: ILLEGAL_DATA_ADDRESS };
          at++;
          continue;
        }
        gap = 0;
        const next = cell.address + cell.words;
        const whole = cell.address === at && next <= end;
        if (!whole && !cell.divisible) return { exception: ILLEGAL_DATA_ADDRESS };
        const words = cell.encode(at_ms);
        out.set(whole ? words : words.subarray(at - cell.address, Math.min(next, end) - cell.address), at - address);
        at = next;
      }
      return out;
    },
  };
}

function keyOf(fc: 3 | 4, address: number): number {
  return fc * 65_536 + address;
}
