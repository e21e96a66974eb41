import { timeText } from "../format.ts";

/** "43660000" → ["4366", "0000"]: one group per 16-bit register word, as the meter answered. */
export function wordsOf(hex: string): readonly string[] {
  return (
    hex
      .replace(/\s+/g, "")
      .toUpperCase()
      .match(/.{1,4}/g) ?? []
  );
}

/** "3:801:u64" → its parts; missing ones are empty. */
export function registerParts(register: string): {
  readonly fc: string;
  readonly address: string;
  readonly type: string;
} {
  const [fc = "", address = "", type = ""] = register.split(":");
  return { fc, address, type };
}

/** closing − opening, in ticks, exactly; null when a count is unknown or no integer. */
export function tickDifference(opening: string | null, closing: string | null): string | null {
  if (opening === null || closing === null || !/^-?\d+$/.test(opening) || !/^-?\d+$/.test(closing)) return null;
  return (BigInt(closing) - BigInt(opening)).toString();
}

/** Digits in groups of three, for counts too long for a double. */
export function groupedDigits(digits: string, lang: "vi" | "en"): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, lang === "vi" ? "." : ",");
}

/** The server writes formulas with a decimal point and plain letters; here they get the reader's digits and proper signs. */
export function formulaText(text: string, lang: "vi" | "en"): string {
  const signed = text.replaceAll("CO2", "CO₂").replaceAll("CH4", "CH₄").replaceAll("N2O", "N₂O").replaceAll("m3", "m³");
  return lang === "en" ? signed : signed.replace(/(\d)\.(\d)/g, "$1,$2");
}

/** "14:29:59,750": to the millisecond, because the count at a boundary is made again from the times of the readings. */
export function readTimeText(at_ms: number, timeZone: string, lang: "vi" | "en"): string {
  const fraction = String(at_ms % 1000).padStart(3, "0");
  return `${timeText(at_ms, timeZone, true)}${lang === "vi" ? "," : "."}${fraction}`;
}

/** "1 W.h" → "1 Wh": the tick of a counter with its unit as people write it. */
export function tickText(tick: string, unitText: (ucum: string) => string): string {
  const [amount = "", unit = ""] = tick.split(" ");
  return `${amount} ${unitText(unit)}`;
}
