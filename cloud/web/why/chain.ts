import type { Trace } from "../../api/schemas.ts";
import type { Answer } from "../api.ts";

/** Intervals in one downloaded chain, over all its meters; a longer period is taken in parts. */
export const CHAIN_MAX = 40_000;

type Activity = Trace["activities"][number];
type Interval = Activity["intervals"][number];

/** Asks for the page of one meter's intervals that begins at `offset`. */
export type AskPage = (meter: string, offset: number) => Promise<Answer<Trace>>;

/** Older intervals after newer ones. The books may grow between two pages, and then the second begins with one seen already. */
export function joined(newer: readonly Interval[], older: readonly Interval[]): readonly Interval[] {
  const seen = new Set(newer.map((interval) => interval.from));
  return [...newer, ...older.filter((interval) => !seen.has(interval.from))];
}

/**
 * The trace with all intervals of all its meters, or as many as {@link CHAIN_MAX} allows: then `next_offset` of the
 * activities that are cut is not null. Half a chain proves nothing, so a page that fails fails the whole.
 * @param tell called with how many intervals are there so far
 */
export async function wholeChain(trace: Trace, askPage: AskPage, tell: (held: number) => void): Promise<Answer<Trace>> {
  let held = trace.activities.reduce((count, one) => count + one.intervals.length, 0);
  const activities: Activity[] = [];
  for (const activity of trace.activities) {
    let own = activity;
    while (own.next_offset !== null && held < CHAIN_MAX) {
      const answer = await askPage(own.meter, own.next_offset);
      if (answer.kind === "failed") return answer;
      const page = answer.data.activities.find((one) => one.meter === activity.meter);
      const intervals = joined(own.intervals, page?.intervals ?? []);
      held += intervals.length - own.intervals.length;
      own = { ...own, intervals: [...intervals], next_offset: page?.next_offset ?? null };
      tell(held);
    }
    activities.push(own);
  }
  return { kind: "ready", data: { ...trace, activities } };
}

export const isCut = (trace: Trace): boolean => trace.activities.some((activity) => activity.next_offset !== null);
