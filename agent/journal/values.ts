import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";

/** Values of a segment by name: definitions under their hash with this before it, all else is state. */
export const DEFINITION_PREFIX = "@";

/** 8 hex digits of CRC32C: names a definition within one journal, where there are dozens, not billions. */
export function hashOf(json: string): string {
  return crc32c(new TextEncoder().encode(json)).toString(16).padStart(8, "0");
}

export function definitionText(definition: DeviceDefinition): string {
  return JSON.stringify(definition, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

export function readDefinition(json: string): DeviceDefinition {
  // By its name: a meter may well be called "12n".
  return JSON.parse(json, (key, value) =>
    key === "modulus" && typeof value === "string" ? BigInt(value.slice(0, -1)) : value,
  ) as DeviceDefinition;
}

export function formatRanges(ranges: readonly BatchRange[]): string {
  return ranges.map(({ first, last }) => `${first}-${last}`).join(",");
}

export function parseRanges(text: string): BatchRange[] {
  return text === ""
    ? []
    : text.split(",").map((range) => {
        const [first = 0, last = 0] = range.split("-").map(Number);
        return { first, last };
      });
}
