import type { Register } from "../../core/model/meterModel.ts";

/** Largest values a device of this size shows, for choosing its scale exponents. */
export interface Extent {
  readonly rated_power_W: number;
  readonly nominal_V: number;
}

/**
 * The exponent each scale register holds, fixed for the device: the finest at which every value that uses it still fits its
 * register, between 0.01 and 10^6 units a step. Energy counts in the register's own unit (exponent 0).
 */
export function scaleExponents(registers: readonly Register[], extent: Extent): ReadonlyMap<number, number> {
  const exponents = new Map<number, number>();
  for (const register of registers) {
    const address = register.scale_exp_address;
    if (address === undefined) continue;
    exponents.set(address, Math.max(exponents.get(address) ?? FINEST, finestFor(register, extent)));
  }
  return exponents;
}

const FINEST = -2;
const COARSEST = 6;

function finestFor(register: Register, extent: Extent): number {
  if (register.kind === "counter") return 0;
  const rawMax = greatestOf(register, extent) / register.scale;
  const limit = register.type === "i16" ? 32_767 : register.type === "u16" ? 65_534 : 2_147_483_647;
  for (let exponent = FINEST; exponent < COARSEST; exponent++) {
    if (rawMax / 10 ** exponent <= limit) return exponent;
  }
  return COARSEST;
}

function greatestOf(register: Register, { rated_power_W, nominal_V }: Extent): number {
  if (register.unit === "V") return register.name.startsWith("dc_") ? 1500 : 2 * nominal_V;
  if (register.unit === "A") return (1.5 * rated_power_W) / nominal_V;
  if (register.unit === "Hz") return 70;
  if (register.unit === "degC") return 150;
  if (register.unit === "") return 1;
  return 1.5 * rated_power_W;
}
