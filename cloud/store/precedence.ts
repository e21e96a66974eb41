import type { Interval, IntervalFlag } from "../../core/interval/interval.ts";

/**
 * What happens to an interval that arrives for a key the books already hold.
 * same: nothing · supersedes: the new one is better measured and takes its place · outdone: it is worse measured than the one
 * held, which stands · redefined: the first one stands, alarm.
 */
export type Precedence = "same" | "supersedes" | "outdone" | "redefined";

/** How well a figure is founded; computed from measured values counts as measured (methods §9). */
const RANK: Readonly<Record<IntervalFlag, number>> = { M: 4, C: 4, S: 3, E: 2, X: 1 };

export type IntervalFigure = Pick<Interval, "to_ms" | "tick" | "ticks" | "flag" | "coverage">;

/**
 * Only a figure with something missing (X) or shared out (S) gives way, and only to a better one: a measured figure is
 * final. Poll counts, cause and register words are circumstance, not the figure, and make no difference.
 */
export function precedence(held: IntervalFigure, arrived: IntervalFigure): Precedence {
  if (isSameFigure(held, arrived)) return "same";
  const better = RANK[arrived.flag] - RANK[held.flag];
  const measuresLess = better === 0 && arrived.flag === "S" && arrived.coverage < held.coverage;
  if (better < 0 || measuresLess) return "outdone";
  const givesWay = held.flag === "X" || held.flag === "S";
  return givesWay && better > 0 ? "supersedes" : "redefined";
}

function isSameFigure(a: IntervalFigure, b: IntervalFigure): boolean {
  return (
    a.to_ms === b.to_ms &&
    a.ticks === b.ticks &&
    a.flag === b.flag &&
    a.coverage === b.coverage &&
    a.tick.amount === b.tick.amount &&
    a.tick.unit === b.tick.unit
  );
}
