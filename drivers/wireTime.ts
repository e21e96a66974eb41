/**
 * How long a read occupies its line. Pure.
 *
 * Units      milliseconds, characters of 11 bits
 * Source     MODBUS over Serial Line V1.02 §2.2 (8-byte request, 5 + 2n-byte reply), §2.5.1 (11 bits a character, 3.5
 *            characters of silence between frames; fixed at 1.75 ms above 19200 baud)
 * Limits     8N1 sends 10 bits a character, so a plan for it is up to 9 % on the safe side. The turnaround is the meter's own
 *            time to answer, which no model file states: 25 ms unless told otherwise.
 */
export const BITS_PER_CHAR = 11;
const SILENCE_CHARS = 3.5;
const FAST_BAUD = 19_200;
const FAST_SILENCE_MS = 1.75;
const REQUEST_CHARS = 8;
const REPLY_CHARS = 5;
const CHARS_PER_REGISTER = 2;

/** Turnaround of a meter and its gateway when nothing else is known. */
export const TURNAROUND_MS = 25;
/** MBAP, TCP and the network at 100 Mbit/s: next to nothing beside the turnaround. */
const TCP_FRAMES_MS = 1;

/** What the frames of a read travel on: a serial line at its baud, or an Ethernet port of the meter itself. */
export type Wire = { readonly kind: "tcp" } | { readonly kind: "serial"; readonly baud: number };

export interface ExchangeTime {
  /** Request and reply on the wire with the silence that frames them. */
  readonly wire_ms: number;
  /** From one request to the next: wire, turnaround and the pause the meter asks for. */
  readonly busy_ms: number;
}

/** Silence that ends a frame: 3.5 characters. */
export function silence_ms(baud: number): number {
  return baud > FAST_BAUD ? FAST_SILENCE_MS : SILENCE_CHARS * char_ms(baud);
}

export function char_ms(baud: number): number {
  return (BITS_PER_CHAR * 1000) / baud;
}

/**
 * One read of `count` registers. The meter's pause `min_gap_ms` counts from its reply and holds the silence of the line in
 * it, so the longer of both is waited; the silence after the request is part of the turnaround, unless that is shorter.
 */
export function exchangeTime(
  count: number,
  wire: Wire,
  min_gap_ms: number,
  turnaround_ms: number = TURNAROUND_MS,
): ExchangeTime {
  if (wire.kind === "tcp") return { wire_ms: TCP_FRAMES_MS, busy_ms: TCP_FRAMES_MS + turnaround_ms + min_gap_ms };
  const frames_ms = (REQUEST_CHARS + REPLY_CHARS + CHARS_PER_REGISTER * count) * char_ms(wire.baud);
  const silent_ms = silence_ms(wire.baud);
  return {
    wire_ms: frames_ms + 2 * silent_ms,
    busy_ms: frames_ms + Math.max(silent_ms, turnaround_ms) + Math.max(silent_ms, min_gap_ms),
  };
}

/** Reads that one meter needs once every `every_ms`. */
export interface PlannedReads {
  readonly every_ms: number;
  /** Registers of each read. */
  readonly counts: readonly number[];
  readonly wire: Wire;
  readonly min_gap_ms: number;
}

/** What a bus does in one cycle of a period. */
export interface BusCycle {
  readonly every_ms: number;
  readonly exchanges: number;
  readonly registers: number;
  readonly wire_ms: number;
  readonly busy_ms: number;
  /** Share of the cycle that the bus is busy with these reads, percent. */
  readonly load_pct: number;
}

/** The cycles of a bus, shortest period first, and its load by all of them together; beyond 100 % it cannot keep up. */
export function busLoad(reads: readonly PlannedReads[]): {
  readonly cycles: readonly BusCycle[];
  readonly load_pct: number;
} {
  const periods = [...new Set(reads.map(({ every_ms }) => every_ms))].sort((a, b) => a - b);
  const cycles = periods.map((every_ms) => cycleOf(every_ms, reads));
  return { cycles, load_pct: sum(cycles.map(({ load_pct }) => load_pct)) };
}

function cycleOf(every_ms: number, reads: readonly PlannedReads[]): BusCycle {
  const due = reads.filter((read) => read.every_ms === every_ms);
  const counts = due.flatMap((read) => read.counts);
  const times = due.flatMap((read) => read.counts.map((count) => exchangeTime(count, read.wire, read.min_gap_ms)));
  const busy_ms = sum(times.map((time) => time.busy_ms));
  return {
    every_ms,
    exchanges: counts.length,
    registers: sum(counts),
    wire_ms: sum(times.map((time) => time.wire_ms)),
    busy_ms,
    load_pct: (busy_ms / every_ms) * 100,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
