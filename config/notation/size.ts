import { type Parsed, parsed, wrong } from "./parsed.ts";

const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `64MiB`, `4GiB` → bytes. Powers of two only: "4 GB" means two things, so it is asked back. */
export function parseSize(text: string): Parsed<number> {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*\??\s*$/.exec(text);
  const allowed = "allowed: a number and B, KiB, MiB, GiB or TiB";
  if (match === null) return wrong(`"${text}" is not a size (${allowed})`);
  const [, amount = "", unit = ""] = match;
  const unit_bytes = Object.hasOwn(UNIT_BYTES, unit) && !text.includes("?") ? UNIT_BYTES[unit] : undefined;
  if (unit_bytes === undefined) {
    if (unit === "") return wrong(`"${text}" has no unit of size (${allowed})`);
    const near = Object.keys(UNIT_BYTES).find((known) => known[0] === unit[0]?.toUpperCase());
    return wrong(`"${text}" is not a size (${allowed}${near === undefined ? "" : `; did you mean ${amount}${near}?`})`);
  }
  const bytes = Number(amount) * unit_bytes;
  if (!Number.isSafeInteger(bytes)) return wrong(`"${text}" is not a whole number of bytes`);
  if (bytes <= 0) return wrong(`"${text}" must be more than 0`);
  return parsed(bytes);
}
