import { ADDRESSES, READ_MAX } from "../../core/model/modbus.ts";
import type { BusRead } from "../../core/ports.ts";

/**
 * One read that another program asks the agent for, through the agent's own bus between its polls.
 *
 * Limits   function codes 3 and 4, 1…125 registers, a timeout of 50…5000 ms; every parameter once and no other one; 20 reads
 *          a second, one waiting read a bus and after it a rest as long as it took, so that metering keeps its pace
 */
export interface AskedRead {
  readonly bus: string;
  readonly read: BusRead;
}

export type ParsedRead =
  | { readonly ok: true; readonly value: AskedRead }
  | { readonly ok: false; readonly problem: string };

const NUMBERS = {
  unit: [0, 255],
  fc: [3, 4],
  address: [0, ADDRESSES - 1],
  count: [1, READ_MAX],
} as const satisfies Record<string, readonly [number, number]>;
const TIMEOUT_MS = [50, 5000] as const;

/** `bus=main&unit=1&fc=3&address=3000&count=2[&timeout_ms=500]` */
export function parseRead(query: URLSearchParams, defaultTimeout_ms: number): ParsedRead {
  const known = ["bus", ...Object.keys(NUMBERS), "timeout_ms"];
  for (const name of query.keys()) {
    if (!known.includes(name)) return wrong(`unknown parameter ${name} (allowed: ${known.join(", ")})`);
    if (query.getAll(name).length > 1) return wrong(`${name} stands twice`);
  }
  const bus = query.get("bus");
  if (bus === null || bus === "") return wrong("bus is missing");
  const numbers: Record<string, number> = {};
  for (const [name, [low, high]] of Object.entries(NUMBERS)) {
    const value = wholeNumber(query.get(name));
    if (value === null || value < low || value > high)
      return wrong(`${name} must be a whole number from ${low} to ${high}`);
    numbers[name] = value;
  }
  const { unit = 0, fc = 0, address = 0, count = 0 } = numbers;
  if (address + count > ADDRESSES) return wrong(`address + count is beyond ${ADDRESSES}`);
  const written = query.get("timeout_ms");
  const timeout_ms = written === null ? clamp(defaultTimeout_ms) : wholeNumber(written);
  if (timeout_ms === null || timeout_ms < TIMEOUT_MS[0] || timeout_ms > TIMEOUT_MS[1]) {
    return wrong(`timeout_ms must be a whole number from ${TIMEOUT_MS[0]} to ${TIMEOUT_MS[1]}`);
  }
  return { ok: true, value: { bus, read: { unit, fc: fc === 3 ? 3 : 4, address, count, timeout_ms } } };
}

/** Timeouts this port takes; a longer one is cut. */
export function clamp(timeout_ms: number): number {
  return Math.round(Math.min(Math.max(timeout_ms, TIMEOUT_MS[0]), TIMEOUT_MS[1]));
}

/** At most `perSecond` grants a second, evenly: the next one is due 1/perSecond after the last. */
export class Pace {
  readonly #gap_ms: number;
  readonly #mono_ms: () => number;
  #next_ms = Number.NEGATIVE_INFINITY;

  constructor(perSecond: number, mono_ms: () => number) {
    this.#gap_ms = 1000 / perSecond;
    this.#mono_ms = mono_ms;
  }

  /** 0 = granted now; else how long to wait before asking again, ms. */
  take(): number {
    const now_ms = this.#mono_ms();
    if (now_ms < this.#next_ms) return Math.ceil(this.#next_ms - now_ms);
    this.#next_ms = now_ms + this.#gap_ms;
    return 0;
  }
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,5}$/.test(text) ? Number(text) : null;
}

function wrong(problem: string): ParsedRead {
  return { ok: false, problem };
}
