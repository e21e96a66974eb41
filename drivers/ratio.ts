import { type Decimal, formatDecimal, multiply, parseDecimal } from "../core/emission/decimal.ts";
import type { DeviceSettings } from "../core/model/deviceDefinition.ts";
import type { Register } from "../core/model/meterModel.ts";
import { QUANTITIES, type QuantityId } from "../core/units/quantities.ts";
import type { UnitNotation } from "../core/units/units.ts";

/** A factor as two integers, so that `raw × over ÷ under` rounds once and 2307 × 0.1 reads 230.7. */
export interface Ratio {
  readonly over: number;
  readonly under: number;
}

/**
 * The unit counter ticks are told in: the smallest natural one of the quantity (kWh → Wh, kvarh → varh, kVAh → VAh;
 * volumes, litres and seconds stay as they are), so that ticks are whole numbers.
 */
export function tickUnit(quantity: QuantityId): UnitNotation {
  const { unit } = QUANTITIES[quantity];
  if (unit === "kWh") return "Wh";
  if (unit === "kvarh") return "varh";
  return unit === "kVAh" ? "VAh" : unit;
}

/** One of the unit on the left in the first unit of its family; a register may be written in any unit of the family. */
const FAMILIES: readonly Partial<Record<UnitNotation, string>>[] = [
  { W: "1", kW: "1000", MW: "1000000" },
  { Wh: "1", kWh: "1000", MWh: "1000000" },
  { varh: "1", kvarh: "1000" },
  { VAh: "1", kVAh: "1000" },
  { L: "1", m3: "1000" },
  { "m3/h": "1", "l/s": "3.6" },
  { kPa: "1", bar: "100" },
];

/** How many `to` one `from` is; exact decimal, or 20 digits of it where the division does not end (m³/h in l/s). */
function unitStep(from: UnitNotation, to: UnitNotation): Decimal {
  if (from === to) return ONE;
  const family = FAMILIES.find((units) => units[from] !== undefined && units[to] !== undefined);
  // A count's worth is `m3_per_count`; normal and operating m³ are told apart by the quantity, not by a factor.
  if (family === undefined) return ONE;
  const over = parseDecimal(family[from]!);
  const under = parseDecimal(family[to]!);
  const digits = (over.digits * 10n ** BigInt(20 + under.scale)) / (under.digits * 10n ** BigInt(over.scale));
  return parseDecimal(formatDecimal({ digits, scale: 20 }));
}

/**
 * Worth of one raw count of a counter register in the quantity's tick unit, exact: scale × site ratios × unit step.
 * Registers that say `count` take their worth from `m3_per_count`. Exponent and ratio registers are not in it.
 *
 * @returns null when the site has not said a ratio that the register needs.
 */
export function countWorth(register: Register, settings: DeviceSettings): Decimal | null {
  const site = siteFactor(register, settings);
  if (site === null) return null;
  const scaled = multiply(decimalOf(register.scale), site);
  if (register.unit === "count") {
    return settings.m3_per_count === undefined ? null : multiply(scaled, decimalOf(settings.m3_per_count));
  }
  return multiply(
    scaled,
    unitStep(register.unit, register.quantity === undefined ? register.unit : tickUnit(register.quantity)),
  );
}

/** scale × site ratio of a register, in the register's own unit; null when the site has not said the ratio. */
export function registerWorth(register: Register, settings: DeviceSettings): Decimal | null {
  const site = siteFactor(register, settings);
  return site === null ? null : multiply(decimalOf(register.scale), site);
}

/** The same in the unit of the quantity it measures. */
export function gaugeWorth(register: Register, quantity: QuantityId, settings: DeviceSettings): Decimal | null {
  const worth = registerWorth(register, settings);
  return worth === null ? null : multiply(worth, unitStep(register.unit, QUANTITIES[quantity].unit));
}

function siteFactor(register: Register, settings: DeviceSettings): Decimal | null {
  if (register.site_factor === undefined) return ONE;
  const value = siteRatio(register.site_factor, settings);
  return value === undefined ? null : decimalOf(value);
}

/** The configured value of a ratio that model files name in `site_factor`. */
export function siteRatio(name: string, settings: DeviceSettings): number | undefined {
  if (name === "ct_ratio") return settings.ct_ratio;
  if (name === "vt_ratio") return settings.vt_ratio;
  return undefined;
}

const ONE: Decimal = { digits: 1n, scale: 0 };

function decimalOf(value: number): Decimal {
  return parseDecimal(String(value));
}

/** `worth ÷ tick` in lowest terms; both integers stay exact as doubles up to 2^53. */
export function ratioOf(worth: Decimal, tick: Decimal = ONE): Ratio {
  const over = worth.digits * 10n ** BigInt(tick.scale);
  const under = tick.digits * 10n ** BigInt(worth.scale);
  const common = greatestCommonDivisor(over < 0n ? -over : over, under);
  return { over: Number(over / common), under: Number(under / common) };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let x = a;
  let y = b;
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 0n ? 1n : x;
}

/** Decimal text of a raw count × scale: exact for counts beyond a double, trailing zeros dropped. */
export function exactText(raw: bigint, scale: number): string {
  return formatDecimal(multiply({ digits: raw, scale: 0 }, decimalOf(scale)));
}
