import { type Decimal, formatDecimal, integer, multiply, roundHalfEven } from "../../core/emission/decimal.ts";

/** Tonnes of so many kilograms in plain decimal: to the kilogram, below 0.1 t to the gram. */
export function tonnes(kg: Decimal): string {
  const size = kg.digits < 0n ? -kg.digits : kg.digits;
  const places = size >= 100n * 10n ** BigInt(kg.scale) ? 3 : 6;
  const rounded = roundHalfEven(multiply({ digits: kg.digits, scale: kg.scale + 3 }, integer(10n ** BigInt(places))));
  return formatDecimal({ digits: rounded, scale: places });
}
