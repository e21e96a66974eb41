import { TURNAROUND_MS } from "../../drivers/wireTime.ts";

/**
 * Times of a serial line, pure. A character is start bit, 8 data bits, parity if there is one, and stop bits.
 * Source   MODBUS over Serial Line V1.02 §2.5.1: frames are parted by 3.5 characters of silence, 1.75 ms above 19200 baud
 */
export interface SerialSettings {
  readonly baud: number;
  readonly parity: "none" | "even" | "odd";
  readonly stop_bits: 1 | 2;
}

export function character_ms({ baud, parity, stop_bits }: SerialSettings): number {
  return ((9 + (parity === "none" ? 0 : 1) + stop_bits) * 1000) / baud;
}

const SILENCE_CHARS = 3.5;
const FAST_BAUD = 19_200;
const FAST_SILENCE_MS = 1.75;

export function frameSilence_ms(settings: SerialSettings): number {
  return settings.baud > FAST_BAUD ? FAST_SILENCE_MS : SILENCE_CHARS * character_ms(settings);
}

/** From the last character of a request to the first of the answer. */
export function turnaround_ms(settings: SerialSettings, meter_ms: number = TURNAROUND_MS): number {
  return Math.max(frameSilence_ms(settings), meter_ms);
}

/** When the bytes of a chunk have passed a wire that carries one character at a time. */
export function passed_ms(busyUntil_ms: number, heard_ms: number, bytes: number, settings: SerialSettings): number {
  return Math.max(busyUntil_ms, heard_ms) + bytes * character_ms(settings);
}

/** Sums of times are not exact: a byte that lacks this much is out. */
const SLACK_CHARS = 1e-6;

/** How many bytes of an answer that began at `from_ms` have wholly left by now. */
export function bytesOut(from_ms: number, now_ms: number, settings: SerialSettings): number {
  return Math.max(0, Math.floor((now_ms - from_ms) / character_ms(settings) + SLACK_CHARS));
}
