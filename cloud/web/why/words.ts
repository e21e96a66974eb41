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
