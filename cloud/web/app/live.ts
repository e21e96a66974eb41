import type { LiveEvent } from "../../api/schemas.ts";

/** The live connection as the page knows it; a pure step function, run by `liveStore.ts`. */
export interface LiveState {
  readonly connection: "connecting" | "open" | "lost";
  readonly event: LiveEvent | null;
  /** Browser time at which the newest event came in. */
  readonly received_ms: number | null;
  /** Browser time since which the connection is lost. */
  readonly lostSince_ms: number | null;
  readonly failures: number;
  /** Server clock minus browser clock, from the newest event. */
  readonly clockOffset_ms: number;
}

export const LIVE_START: LiveState = {
  connection: "connecting",
  event: null,
  received_ms: null,
  lostSince_ms: null,
  failures: 0,
  clockOffset_ms: 0,
};

export type LiveHappening =
  | { readonly kind: "event"; readonly event: LiveEvent; readonly now_ms: number }
  | { readonly kind: "failed"; readonly now_ms: number };

/** The server speaks at least every 15 s; this long without a word means the line is dead even if it looks open. */
export const SILENCE_MAX_MS = 40_000;
/** Data older than this is shown greyed, with its age. */
export const STALE_AFTER_MS = 60_000;

export function liveStep(state: LiveState, happening: LiveHappening): LiveState {
  if (happening.kind === "failed") {
    return {
      ...state,
      connection: "lost",
      lostSince_ms: state.lostSince_ms ?? happening.now_ms,
      failures: state.failures + 1,
    };
  }
  return {
    connection: "open",
    event: happening.event,
    received_ms: happening.now_ms,
    lostSince_ms: null,
    failures: 0,
    clockOffset_ms: Date.parse(happening.event.at) - happening.now_ms,
  };
}

/** 1 s, 2 s, 4 s … at most 15 s: quick after a restart of the server, gentle on a long outage. */
export const retryDelay_ms = (failures: number): number => Math.min(15_000, 1000 * 2 ** Math.max(0, failures - 1));

/** Age of the newest reading of any factory, ms; the event's own time if no factory has one yet. */
export function ageOfNewest_ms(event: LiveEvent, now_ms: number): number {
  const times = event.sites.flatMap((site) => (site.at === null ? [] : [Date.parse(site.at)]));
  return now_ms - (times.length === 0 ? Date.parse(event.at) : Math.max(...times));
}
