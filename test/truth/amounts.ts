import { parseDecimal } from "../../core/emission/decimal.ts";
import type { MeterModel, Register } from "../../core/model/meterModel.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { SERIAL_NUMBER } from "../../drivers/define.ts";
import type { BookInterval } from "./books.ts";

/** Amounts as whole micro-units (1 µWh, 1 mL): the truth is written with six decimals. */
export const MICRO = 1_000_000n;

export function micro(value: string): bigint {
  const [whole = "0", fraction = ""] = value.split(".");
  const size = BigInt(whole.replace("-", "")) * MICRO + BigInt(fraction.padEnd(6, "0"));
  return value.startsWith("-") ? -size : size;
}

/** @throws {RangeError} for a tick the truth cannot resolve. */
export function tickOf({ tick }: Pick<BookInterval, "tick">): bigint {
  const { digits, scale } = parseDecimal(tick.amount);
  if (scale > 6) throw new RangeError(`a tick of ${tick.amount} is finer than the truth`);
  return digits * 10n ** BigInt(6 - scale);
}

export function amountText(amount: bigint): string {
  const size = amount < 0n ? -amount : amount;
  const fraction = (size % MICRO).toString().padStart(6, "0").replace(/0+$/, "");
  return `${amount < 0n ? "-" : ""}${size / MICRO}${fraction === "" ? "" : `.${fraction}`}`;
}

export function figure(row: Pick<BookInterval, "tick" | "ticks">): string {
  return row.ticks === null ? "nothing" : `${amountText(row.ticks * tickOf(row))} ${row.tick.unit}`;
}

/**
 * Micro-units of one unit of the float32 register a gateway reads this quantity from; null = it reads whole steps, or a float64
 * that is as good as them.
 */
export function floatUnit(model: MeterModel | undefined, quantity: QuantityId): number | null {
  const chosen = registerOf(model, quantity);
  if (chosen?.type !== "f32") return null;
  return chosen.scale * (chosen.unit.startsWith("k") ? 1e9 : 1e6);
}

/** Whether a gateway reads this quantity from a float register. */
export function isFloat(model: MeterModel | undefined, quantity: QuantityId): boolean {
  const type = registerOf(model, quantity)?.type;
  return type === "f32" || type === "f64";
}

/** Whether its serial number is a number in several registers, whose words may be swapped. */
export function hasSerialOfWords(model: MeterModel | undefined): boolean {
  return (model?.registers ?? []).some(
    ({ name, type, words }) => name === SERIAL_NUMBER && type !== "str" && words > 1,
  );
}

/** The choice is that of `drivers/define.ts`: the register called like the quantity, integers before floats. */
function registerOf(model: MeterModel | undefined, quantity: QuantityId): Register | undefined {
  const rank = (one: Register) => (one.name === quantity ? 0 : 2) + (one.type === "f32" || one.type === "f64" ? 1 : 0);
  const counters = model?.registers.filter((one) => one.quantity === quantity && one.kind === "counter") ?? [];
  return [...counters].sort((a, b) => rank(a) - rank(b))[0];
}

/** Half a step of a float32 register that stands here, and half a tick of rounding. */
export function floatStep(stands: bigint, unit: number): bigint {
  const raw = Math.max(Number(stands) / unit, 2 ** -20);
  const ulp = 2 ** (Math.floor(Math.log2(raw)) - 23);
  return BigInt(Math.ceil((ulp / 2) * unit)) + MICRO / 2n;
}
