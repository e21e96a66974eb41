/**
 * What gives way when the journal reaches its bound. Pure: segments in, the next step out; the caller takes it and asks again.
 *
 *   1 history   samples of the oldest segment that is wholly confirmed; its books stay
 *   2 thinned   of the oldest unconfirmed samples every second minute; first and last of each meter and interval stay
 *   3 gauges    of the oldest unconfirmed samples those that hold no counter
 *   4 samples   the oldest unconfirmed samples that are left
 *   5 books     interval and emission records: confirmed ones first, then the oldest
 *
 * The segment being written never gives way. Age alone takes confirmed samples after `maxAge_ms`, confirmed books after
 * `booksAge_ms`; what is unconfirmed has no age.
 */
export const SEGMENT_BYTES = 16 * 1024 * 1024;
export const SEGMENT_AGE_MS = 86_400_000;
/** Interval and emission records stay this long at least (regulation-vn: a datalogger keeps 60 days). */
export const BOOKS_AGE_MS = 60 * 86_400_000;
export const MAX_BYTES = 4 * 1024 ** 3;

/** A bound that nobody set: a quarter of so many bytes, or of as many as are enough where nobody knows them. */
export function quarterOf(bytes = Number.POSITIVE_INFINITY): number {
  return Math.min(MAX_BYTES, bytes / 4);
}

export const LEVELS = ["whole", "mended", "thinned", "counters", "books"] as const;
/** How much of a segment is still there. Mended: whole but for damage. Each level holds less than those before it. */
export type Level = (typeof LEVELS)[number];

export const STEPS = ["history", "thinned", "gauges", "samples", "books"] as const;
export type Step = (typeof STEPS)[number];

export interface SegmentFacts {
  readonly level: Level;
  readonly isConfirmed: boolean;
  /** When the next one was begun: its newest record is not younger. */
  readonly until_ms: number;
}

export interface AgeBounds {
  readonly maxAge_ms: number;
  readonly booksAge_ms: number;
}

/** With more holes than this in its numbers the journal gives whole segments rather than every second minute. */
export const HOLES_MAX = 20_000;

/** By age: the oldest first. Null: nothing is old. `at` counts from the oldest segment. */
export function agedStep(
  segments: readonly SegmentFacts[],
  bounds: AgeBounds,
  now_ms: number,
): { readonly step: "history" | "books"; readonly at: number } | null {
  for (const [at, segment] of segments.entries()) {
    if (!segment.isConfirmed) continue;
    const age_ms = now_ms - segment.until_ms;
    if (age_ms > bounds.booksAge_ms) return { step: "books", at };
    // Those after it are younger, and none of them has to be opened to know.
    if (age_ms <= bounds.maxAge_ms) return null;
    if (segment.level !== "books") return { step: "history", at };
  }
  return null;
}

/** By size: the next to give way. Null: nothing is left that may. */
export function fullStep(
  segments: readonly SegmentFacts[],
  holes: number,
): { readonly step: Step; readonly at: number } | null {
  const steps: readonly (readonly [Step, (segment: SegmentFacts) => boolean])[] = [
    ["history", ({ isConfirmed, level }) => isConfirmed && level !== "books"],
    ["thinned", ({ level }) => holes < HOLES_MAX && (level === "whole" || level === "mended")],
    ["gauges", ({ level }) => holes < HOLES_MAX && level === "thinned"],
    ["samples", ({ level }) => level !== "books"],
    ["books", ({ isConfirmed }) => isConfirmed],
    ["books", () => true],
  ];
  for (const [step, mayGiveWay] of steps) {
    const at = segments.findIndex(mayGiveWay);
    if (at !== -1) return { step, at };
  }
  return null;
}

/** What a segment is after a step; null: it is gone. */
export function levelAfter(step: Step): Level | null {
  const after = { history: "books", thinned: "thinned", gauges: "counters", samples: "books", books: null } as const;
  return after[step];
}
