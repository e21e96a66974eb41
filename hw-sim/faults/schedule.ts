import { FAULTS, type FaultSpec, type FaultTarget, type FaultWhat } from "./catalogue.ts";

/** A fault with its place in time; pure data. Instants in ms of the meters' clock. */
export interface Fault {
  readonly id: string;
  readonly on: FaultTarget;
  readonly what: FaultWhat;
  /** When it was commanded; −Infinity = it stands in the file. */
  readonly given_ms: number;
  /** −Infinity = has always been. */
  readonly from_ms: number;
  /** Length of each span; Infinity = does not end by itself. */
  readonly for_ms: number;
  /** From one beginning to the next; null = once. */
  readonly every_ms: number | null;
  readonly probability: number;
  /** Removed at this instant; Infinity = never. */
  readonly removed_ms: number;
}

/** One span of a fault, half-open. */
export interface Episode {
  /** Counted from 0. */
  readonly number: number;
  readonly from_ms: number;
  readonly to_ms: number;
}

/**
 * @param start_ms when the simulator started or the command came
 * @param given_ms when the command came; −Infinity for a file. A fault that says no beginning begins then, or at `start_ms` if
 * it ends by itself.
 */
export function placed(spec: FaultSpec, id: string, start_ms: number, given_ms: number): Fault {
  const { on, what, from, for_ms, every_ms, probability } = spec;
  const silently_ms = for_ms === null ? given_ms : start_ms;
  const from_ms = from.kind === "at" ? from.at_ms : from.kind === "after" ? start_ms + from.after_ms : silently_ms;
  const removed_ms = Infinity;
  return { id, on, what, given_ms, from_ms, for_ms: for_ms ?? Infinity, every_ms, probability, removed_ms };
}

/** The span an instant lies in; of an instant fault, all time after it. */
export function episodeAt(fault: Fault, at_ms: number): Episode | null {
  const { from_ms, every_ms, removed_ms } = fault;
  if (at_ms < from_ms || at_ms >= removed_ms) return null;
  const number = every_ms === null ? 0 : Math.floor((at_ms - from_ms) / every_ms);
  const episode = episodeOf(fault, number);
  return at_ms < episode.to_ms ? episode : null;
}

function episodeOf({ from_ms, for_ms, every_ms, removed_ms }: Fault, number: number): Episode {
  const begin_ms = number === 0 ? from_ms : from_ms + number * every_ms!;
  return { number, from_ms: begin_ms, to_ms: Math.min(for_ms === Infinity ? Infinity : begin_ms + for_ms, removed_ms) };
}

export interface FaultChange {
  readonly at_ms: number;
  readonly fault: Fault;
  readonly state: "begin" | "end";
}

/** Most changes told at once; a fault that flickers faster is cut there, and the caller asks on from the last one. */
const CHANGES_MAX = 10_000;

/** What began and ended in `after_ms` < t ≤ `upTo_ms`, in order of time. Of a fault that never began nothing is told. */
export function changesBetween(faults: readonly Fault[], after_ms: number, upTo_ms: number): readonly FaultChange[] {
  return faults
    .flatMap((fault) => [...changesOf(fault, after_ms, upTo_ms)])
    .sort((a, b) => a.at_ms - b.at_ms || Number(a.state === "begin") - Number(b.state === "begin"));
}

function* changesOf(fault: Fault, after_ms: number, upTo_ms: number): Generator<FaultChange> {
  const { from_ms, every_ms } = fault;
  let told = 0;
  for (let number = firstNumber(fault, after_ms); told < CHANGES_MAX; number++) {
    const episode = episodeOf(fault, number);
    if (episode.from_ms > upTo_ms || episode.from_ms >= fault.removed_ms) return;
    if (episode.from_ms > after_ms && from_ms > -Infinity) {
      told++;
      yield { at_ms: episode.from_ms, fault, state: "begin" };
    }
    if (isLasting(fault) && every_ms === null) return;
    if (episode.to_ms > after_ms && episode.to_ms <= upTo_ms) {
      told++;
      yield { at_ms: episode.to_ms, fault, state: "end" };
    }
    if (every_ms === null) return;
  }
}

function firstNumber({ from_ms, every_ms }: Fault, after_ms: number): number {
  return every_ms === null || after_ms < from_ms ? 0 : Math.floor((after_ms - from_ms) / every_ms);
}

/**
 * When a fault began to change its meter: a counter that is to pass its end is moved close to it by the command, or has always
 * been there.
 */
export function touched_ms({ what, given_ms, from_ms }: Fault): number {
  return what.kind === "rollover" ? given_ms : from_ms;
}

/** What it did to the meter stays done: it has a beginning and no end. */
export function isLasting({ what }: Pick<Fault, "what">): boolean {
  return FAULTS[what.kind].timing === "instant";
}

/** The first instant after `after_ms` at which something begins or ends; Infinity = nothing does. */
export function nextChange(faults: readonly Fault[], after_ms: number): number {
  return Math.min(Infinity, ...faults.map((fault) => nextOf(fault, after_ms)));
}

function nextOf(fault: Fault, after_ms: number): number {
  const { from_ms, every_ms, removed_ms } = fault;
  if (from_ms >= removed_ms) return Infinity;
  if (after_ms < from_ms) return from_ms;
  const number = every_ms === null ? 0 : Math.floor((after_ms - from_ms) / every_ms);
  const episode = episodeOf(fault, number);
  if (episode.to_ms > after_ms) return episode.to_ms;
  if (every_ms === null) return Infinity;
  const next_ms = episodeOf(fault, number + 1).from_ms;
  return next_ms < removed_ms ? next_ms : Infinity;
}
