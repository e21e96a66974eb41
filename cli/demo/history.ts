import { readFileSync, writeFileSync } from "node:fs";
import type { RunningAgent } from "../../agent/main.ts";
import type { Clock } from "../../core/ports.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import type { RunningSim } from "../../hw-sim/sim.ts";

/**
 * History of the demo, computed by the same code in accelerated domain time: the meters answer by a clock that steps from
 * boundary to boundary, newest days first, each meter polled once per interval over a real Modbus socket.
 */
export class SteppedClock implements Clock {
  #at_ms: number;
  constructor(at_ms = 0) {
    this.#at_ms = at_ms;
  }
  now_ms = (): number => this.#at_ms;
  mono_ms = (): number => this.#at_ms;
  set(at_ms: number): void {
    this.#at_ms = at_ms;
  }
}

/** One factory's history: an agent, and its meters once more behind a clock of their own. */
export interface HistorySource {
  readonly agent: RunningAgent;
  readonly sim: RunningSim;
  readonly clock: SteppedClock;
}

export interface Span {
  readonly from_ms: number;
  readonly to_ms: number;
}

const DAY_MS = 86_400_000;
/** Steps begin this many days back: the last day first, so that live polling goes on from it within seconds, then the week. */
const FIRST_STEPS_DAYS = [0, 1];
const STEP_DAYS = 7;

/** The days before `until_ms` in steps, newest first; within a step time runs forward, as it does for a meter. */
export function historySpans(until_ms: number, days: number): readonly Span[] {
  const starts = [...FIRST_STEPS_DAYS];
  for (let start = STEP_DAYS; start < days; start += STEP_DAYS) starts.push(start);
  const inside = starts.filter((start) => start < days);
  return inside.map((start, i) => ({
    from_ms: until_ms - (inside[i + 1] ?? days) * DAY_MS,
    to_ms: until_ms - start * DAY_MS,
  }));
}

/** What is done of one factory's history, kept beside its journal: written after the journal holds it. */
export interface HistoryRecord {
  readonly until_ms: number;
  readonly done: readonly Span[];
  /** What the journal holds readings of: the steps that are done, and those that were cut off as far as they came. */
  readonly held: readonly Span[];
}

/** The steps still to do; a start that was cut off in its first step begins afresh, with the present time. */
export function historyToDo(
  record: HistoryRecord | null,
  now_ms: number,
  days: number,
): { readonly record: HistoryRecord; readonly spans: readonly Span[] } {
  const newest = record?.done.find(({ to_ms }) => to_ms === record.until_ms);
  if (record === null || newest === undefined) {
    return { record: { until_ms: now_ms, done: [], held: record?.held ?? [] }, spans: historySpans(now_ms, days) };
  }
  const isDone = ({ from_ms, to_ms }: Span) =>
    record.done.some((done) => done.from_ms <= from_ms && to_ms <= done.to_ms);
  return { record, spans: historySpans(record.until_ms, days).filter((span) => !isDone(span)) };
}

export function readHistoryRecord(file: string): HistoryRecord | null {
  try {
    const record = JSON.parse(readFileSync(file, "utf8")) as Omit<HistoryRecord, "held"> & Partial<HistoryRecord>;
    return { ...record, held: record.held ?? record.done };
  } catch {
    return null; // none yet, or cut off while being written: the steps are done again, which changes no figure
  }
}

export function writeHistoryRecord(file: string, record: HistoryRecord): void {
  writeFileSync(file, JSON.stringify(record), { mode: 0o600 });
}

/** Whether the readings of a boundary are in the journal: both ends of a step belong to it. */
export function isHeldIn(held: readonly Span[], at_ms: number): boolean {
  return held.some(({ from_ms, to_ms }) => from_ms <= at_ms && at_ms <= to_ms);
}

/** Runs one step for one factory. `goesOn`: the live accounts continue where it ends; `isHeld`: not recorded again. */
export function runSpan(
  { agent, sim, clock }: HistorySource,
  { from_ms, to_ms }: Span,
  options: {
    readonly goesOn: boolean;
    readonly isHeld: (at_ms: number) => boolean;
    readonly onProgress: (at_ms: number) => void;
    readonly isCancelled: () => boolean;
  },
): Promise<"done" | "cancelled"> {
  return agent.gateway.runHistory({
    ...options,
    from_ms,
    to_ms,
    at: (at_ms) => clock.set(at_ms),
    busOf: () => openBus({ kind: "tcp", host: sim.lines[0]!.host, port: sim.lines[0]!.port }),
  });
}
