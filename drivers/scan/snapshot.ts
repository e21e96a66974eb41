import type { MeterModel, Register } from "../../core/model/meterModel.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import type { RegisterReading } from "../modbus/decode.ts";

/** What one pass over a meter said, by quantity (or register name where it measures none), in the quantity's unit. */
export interface Snapshot {
  readonly values: ReadonlyMap<string, number>;
  /** Whatever was read, sentinels included. */
  readonly read: ReadonlySet<string>;
  /** Read, but no number: NaN or infinity. A sentinel is neither here nor in `values`. */
  readonly nonsense: ReadonlySet<string>;
  /** Not read: the meter refused the register or did not answer. */
  readonly missing: ReadonlySet<string>;
}

/**
 * Whether a register stands for its quantity: no text, no other unit, no alternative encoding. SunSpec's float twins count,
 * because a device has either them or the integers.
 */
export function isMain({ name, quantity, unit, type }: Register): boolean {
  if (type === "str") return false;
  if (quantity === undefined) return true;
  return QUANTITIES[quantity].unit === unit && [quantity, `${quantity}_float`].includes(name);
}

/** Key of a register in a snapshot. */
export function keyOf({ name, quantity }: Register): string {
  return quantity ?? name;
}

export function snapshotOf(
  { registers }: Pick<MeterModel, "registers">,
  readings: readonly Pick<RegisterReading, "register" | "value" | "why">[],
): Snapshot {
  const values = new Map<string, number>();
  const nonsense = new Set<string>();
  const read = new Set<string>();
  for (const { register, value, why } of readings) {
    if (!isMain(register)) continue;
    const key = keyOf(register);
    read.add(key);
    // Counts beyond a double come as text; what matters here is their size.
    if (value !== null) values.set(key, Number(value));
    else if (why === "not-a-number") nonsense.add(key);
  }
  const missing = registers
    .filter(isMain)
    .map(keyOf)
    .filter((key) => !read.has(key));
  return { values, read, nonsense, missing: new Set(missing) };
}
