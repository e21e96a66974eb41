import type { EpochMs } from "../../core/reading/reading.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import type { Level } from "./bounds.ts";
import type { Hole, Salvage } from "./salvage.ts";

/** Positions of which nothing is left, and the time they were taken in: never empty. */
export interface Gap extends BatchRange {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

/** What lies before and after a segment bounds the holes at its ends. */
export function gapsOf(holes: readonly Hole[], before_ms: EpochMs, after_ms: EpochMs): Gap[] {
  return holes.map(({ first, last, from_ms, to_ms }) => {
    const from = from_ms ?? Math.min(before_ms, to_ms ?? after_ms);
    return { first, last, from_ms: from, to_ms: Math.max(to_ms ?? after_ms, from + 1) };
  });
}

/**
 * The gaps that are damage. A whole segment has no others, but for its end if a later one may have given way and been removed;
 * in one that gave way in part, or was mended before, only the rows that are there and not sound are.
 */
export function damagedGaps(
  { broken }: Salvage,
  gaps: readonly Gap[],
  level: Level,
  mayEndEarly: boolean,
  end: number,
): Gap[] {
  return gaps.flatMap((gap) => {
    const rows = broken.filter(({ first }) => gap.first <= first && first <= gap.last);
    if (level === "whole" && (rows.length > 0 || !mayEndEarly || gap.last < end - 1)) return [gap];
    return rows.map(({ first, last }) => ({ ...gap, first, last: Math.min(last, gap.last) }));
  });
}

/** Holes as a person reads them beside the file that was set aside. */
export function gapsText(gaps: readonly Gap[], numberOf: (position: number) => number): string {
  const time = (at_ms: number): string => (Math.abs(at_ms) <= 8.64e15 ? new Date(at_ms).toISOString() : String(at_ms));
  const named = gaps.slice(0, GAPS_NAMED_MAX).map((gap) => {
    const numbers = `${numberOf(gap.first)}-${numberOf(gap.last)}`;
    return `batches ${numbers} (positions ${gap.first}-${gap.last}), ${time(gap.from_ms)} to ${time(gap.to_ms)}`;
  });
  const more = gaps.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].map((line) => `\n${line}`).join("");
}

/** Of the holes of one file; the loss records name all. */
const GAPS_NAMED_MAX = 1000;
