/**
 * A serial line in virtual time: exchanges take the time of their bytes, of the silence between frames and of the meter's
 * turnaround, and nothing else. What the cycle takes beyond that is what the poller wastes.
 *
 * Source   MODBUS over Serial Line V1.02 §2.5.1: 11 bits a character, 3.5 characters of silence between frames
 */
import { BusWorker } from "../../../agent/poll/busWorker.ts";
import type { BusRead } from "../../../core/ports.ts";
import { SERIAL_COST } from "../../../drivers/modbus/planner.ts";
import { floatMeter, limitsOf } from "./meters.ts";

const BAUD = 9600;
const CHAR_MS = 11_000 / BAUD;
const SILENCE_MS = 3.5 * CHAR_MS;
const TURNAROUND_MS = 25;
const METERS = 30;
/** Sixteen floats in six groups, 14 registers of others between them. */
const ADDRESSES = [0, 2, 4, 8, 10, 12, 18, 20, 22, 24, 30, 32, 36, 38, 42, 44];
const MAX_GAP = 8;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export interface SerialCycle {
  /** From the tick until the last meter was read, ms of the line. */
  readonly cycle_ms: number;
  /** What the same bytes take at the least. */
  readonly wire_ms: number;
  /** Reading each value with an exchange of its own. */
  readonly single_ms: number;
  readonly exchanges: number;
}

function exchange_ms(count: number): number {
  return (8 + 5 + 2 * count) * CHAR_MS + SILENCE_MS + TURNAROUND_MS;
}

/** One cycle of a gateway's bus worker; the period is long enough for it. */
export async function serialCycle(): Promise<SerialCycle> {
  const limits = limitsOf(125, MAX_GAP);
  const definition = floatMeter(ADDRESSES.length, limits, ADDRESSES);
  const slow = { ...definition, registers: definition.registers.map((one) => ({ ...one, every_ms: 60_000 })) };
  const start_ms = Date.UTC(2026, 0, 1);
  let now_ms = start_ms;
  let wire_ms = 0;
  let exchanges = 0;
  let read = 0;
  const worker = new BusWorker({
    id: "line",
    sharedWith: [],
    url: "rtu:line",
    bus: {
      async read({ count }: BusRead) {
        exchanges++;
        wire_ms += exchange_ms(count);
        now_ms += exchange_ms(count);
        return { kind: "words", words: new Uint16Array(count).fill(0x4366) };
      },
      async close() {},
    },
    clock: { now_ms: () => now_ms, mono_ms: () => now_ms - start_ms },
    log: SILENT,
    async pause(length_ms) {
      now_ms += length_ms;
    },
    meters: Array.from({ length: METERS }, (_, i) => ({
      device: `m${i}`,
      unit: i + 1,
      timeout_ms: 1000,
      model: "bench-floats",
      every_ms: 60_000,
      min_gap_ms: 0,
      map: {
        kind: "found" as const,
        definition: { ...slow, device: `m${i}` },
        limits,
        cost: SERIAL_COST,
        learned: null,
        settings: null,
        isWhole: true,
      },
    })),
    onSample: (_device, sample) => {
      read += sample.failures.length === 0 ? 1 : 0;
    },
    onLearned() {},
    onSettings() {},
    onAnswering() {},
  });
  await worker.wake();
  if (read !== METERS) throw new Error(`${read} of ${METERS} meters were read`);
  return { cycle_ms: now_ms - start_ms, wire_ms, single_ms: METERS * ADDRESSES.length * exchange_ms(2), exchanges };
}
