import type { Cancel, Clock, Timers } from "../../core/ports.ts";
import type { Truth } from "../meters/simMeter.ts";
import { FAULTS, type FaultSpec } from "./catalogue.ts";
import type { FaultBook } from "./faultBook.ts";
import type { FaultyMeter } from "./meterFaults.ts";
import { episodeAt, type Fault } from "./schedule.ts";

/** A fault began or ended: a line of the truth file. */
export interface FaultLine {
  /** ISO 8601 in UTC. */
  readonly at: string;
  readonly fault: {
    readonly id: string;
    readonly kind: string;
    readonly line: number;
    readonly unit: number | null;
    readonly connection: number | null;
    /** set: a counter was moved close to its end by the command; it passes it when the fault begins. */
    readonly state: "begin" | "end" | "set";
    /** Of faults that leave a mark on counters: what each meter hit by it stood at, just before and just after. */
    readonly meters?: readonly MarkedMeter[];
  } & Readonly<Record<string, unknown>>;
}

export interface MarkedMeter {
  readonly unit: number;
  readonly serial: number;
  readonly before: Truth;
  readonly after: Truth;
}

export interface FaultRunnerOptions {
  readonly book: FaultBook;
  readonly clock: Clock;
  readonly timers: Timers;
  /** By line, then unit. */
  readonly meters: readonly ReadonlyMap<number, FaultyMeter>[];
  /** Told of every beginning and end, in order. */
  readonly onChange: (line: FaultLine) => void;
  /** Lets ports open and close. Trouble is told and tried again a second later. */
  readonly follow: () => Promise<void>;
  readonly onTrouble: (error: unknown) => void;
  /** Moves the wall clock of the gateway that reads these meters. Worlds only. */
  readonly onClockJump?: (by_ms: number) => void;
}

export interface FaultRunner {
  add(spec: FaultSpec): Fault;
  remove(id: string): Fault;
  /** When the ports are as the faults commanded so far want them, or that has failed and is tried again. */
  settled(): Promise<void>;
  close(): void;
}

/** Longest sleep: the wall clock may be set meanwhile. */
const LOOK_MS = 60_000;
const RETRY_MS = 1000;

/** Follows the schedule of a book in time: tells what begins and ends, and lets ports follow. */
export function runFaults(options: FaultRunnerOptions): FaultRunner {
  const { book, clock, timers, onChange } = options;
  let told_ms = clock.now_ms();
  let cancel: Cancel = () => {};
  let isClosed = false;
  let followed: Promise<void> = Promise.resolve();

  const tell = (fault: Fault, state: FaultLine["fault"]["state"], at_ms: number): void => {
    onChange(faultLine(fault, state, at_ms, options.meters));
    if (fault.what.kind === "clock-jump" && state === "begin") options.onClockJump?.(fault.what.by_ms);
  };
  const tellUntil = (now_ms: number): void => {
    if (now_ms <= told_ms) return;
    const changes = book.changes(told_ms, now_ms);
    told_ms = now_ms;
    for (const { fault, state, at_ms } of changes) tell(fault, state, at_ms);
  };
  const follow = (): void => {
    followed = options.follow().catch((error: unknown) => {
      options.onTrouble(error);
      if (!isClosed) timers.after(RETRY_MS, follow);
    });
  };
  const sleep = (): void => {
    cancel();
    if (isClosed) return;
    const next_ms = book.nextChange(told_ms);
    if (next_ms === Infinity) return;
    cancel = timers.after(Math.min(Math.max(1, next_ms - clock.now_ms()), LOOK_MS), () => {
      tellUntil(clock.now_ms());
      follow();
      sleep();
    });
  };

  for (const { fault, episode } of book.active(told_ms)) {
    // What has left its mark long ago is history; what still goes on is told from here.
    if (FAULTS[fault.what.kind].timing !== "instant" || episode.from_ms >= told_ms) tell(fault, "begin", told_ms);
  }
  sleep();

  return {
    add(spec) {
      const now_ms = clock.now_ms();
      tellUntil(now_ms);
      const fault = book.add(spec, now_ms);
      if (fault.what.kind === "rollover") tell(fault, "set", now_ms);
      if (episodeAt(fault, now_ms) !== null) tell(fault, "begin", Math.max(fault.from_ms, now_ms));
      follow();
      sleep();
      return fault;
    },
    remove(id) {
      const now_ms = clock.now_ms();
      tellUntil(now_ms);
      const isOn = book.active(now_ms).some(({ fault }) => fault.id === id);
      const fault = book.remove(id, now_ms);
      if (isOn) tell(fault, "end", now_ms);
      follow();
      sleep();
      return fault;
    },
    settled: () => followed,
    close() {
      isClosed = true;
      cancel();
    },
  };
}

function faultLine(
  { id, on, what, from_ms }: Fault,
  state: FaultLine["fault"]["state"],
  at_ms: number,
  meters: readonly ReadonlyMap<number, FaultyMeter>[],
): FaultLine {
  const leavesMark = FAULTS[what.kind].scope === "meter" && FAULTS[what.kind].timing !== "span";
  const hit = [...(meters[on.line] ?? [])].filter(([unit]) => on.unit === null || on.unit === unit);
  const happened_ms = state === "begin" ? Math.min(from_ms, at_ms) : at_ms;
  const marked = leavesMark ? hit.map(([unit, meter]) => ({ unit, ...meter.crossing(at_ms, happened_ms) })) : null;
  return {
    at: new Date(at_ms).toISOString(),
    fault: { id, ...what, ...on, state, ...(marked === null ? {} : { meters: marked }) },
  };
}

/** A fault as the control port shows it. */
export function faultDocument(fault: Fault, now_ms: number): Readonly<Record<string, unknown>> {
  const { id, on, what, from_ms, for_ms, every_ms, probability, removed_ms } = fault;
  const instant = (at_ms: number) => (Number.isFinite(at_ms) ? new Date(at_ms).toISOString() : null);
  return {
    id,
    on,
    ...what,
    from: instant(from_ms),
    for_ms: Number.isFinite(for_ms) ? for_ms : null,
    every_ms,
    probability,
    removed: instant(removed_ms),
    active: episodeAt(fault, now_ms) !== null,
    does: FAULTS[what.kind].does,
  };
}
