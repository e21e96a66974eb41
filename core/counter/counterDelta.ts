import type { EpochMs } from "../reading/reading.ts";

/** A cumulative register as read: whole ticks at an instant, by one physical meter. */
export interface CounterReading {
  readonly at_ms: EpochMs;
  /** Register count, 0 ≤ count < modulus. */
  readonly count: bigint;
  /** Serial number if the meter tells one; null when unknown. Two different serials are two meters. */
  readonly meterSerial: string | null;
}

export interface CounterRegister {
  /** Count at which the register wraps to 0; null = it never wraps within its life, so a fall is a reset. */
  readonly modulus: bigint | null;
  /** Greatest credible rate. */
  readonly rateMax_ticks_per_s: number;
  /**
   * Ticks of one unit of a float32 register (its raw value), null for integer registers: such a register moves in steps
   * that grow with it (1 Wh above 8,192 kWh, 16 Wh above 131,072 kWh), and a step may fall into any short time.
   */
  readonly float32_ticks_per_unit: number | null;
}

export type GapReason = "meter-replaced" | "time-not-later" | "interval-too-long" | "counter-reset" | "rate-too-high";

/**
 * Energy (or volume, or pulses) counted between two readings of a cumulative register.
 *
 * Units    counts and deltas are register ticks; the counter's definition says what one tick is worth.
 * Source   RFC 2578 §7.1.6: a counter has no defined start value and wraps after its maximum.
 * Limits   two wraps look like one. If the meter could have turned a full round, the answer is a gap, not a guess.
 */
export type CounterDelta =
  | { readonly kind: "delta"; readonly ticks: bigint; readonly elapsed_ms: number; readonly wrapped: boolean }
  | { readonly kind: "gap"; readonly why: GapReason };

/** @throws {RangeError} only on a caller's mistake: a count outside the register, or a limit that is no limit. */
export function counterDelta(before: CounterReading, after: CounterReading, register: CounterRegister): CounterDelta {
  assertInside(before.count, register.modulus);
  assertInside(after.count, register.modulus);
  if (!(register.rateMax_ticks_per_s > 0))
    throw new RangeError(`rateMax_ticks_per_s is ${register.rateMax_ticks_per_s}`);

  if (isAnotherMeter(before.meterSerial, after.meterSerial)) return gap("meter-replaced");
  const elapsed_ms = after.at_ms - before.at_ms;
  if (!(elapsed_ms > 0)) return gap("time-not-later");

  // One step of slack: a reading may fall just before or just after the step it belongs to.
  const ticksMax = (elapsed_ms / 1000) * register.rateMax_ticks_per_s + stepOf(after.count, register);
  if (register.modulus !== null && ticksMax >= Number(register.modulus)) return gap("interval-too-long");

  const fell = after.count < before.count;
  if (fell && register.modulus === null) return gap("counter-reset");
  const risen = after.count - before.count;
  const ticks = fell && register.modulus !== null ? risen + register.modulus : risen;
  if (Number(ticks) > ticksMax) return gap(fell ? "counter-reset" : "rate-too-high");
  return { kind: "delta", ticks, elapsed_ms, wrapped: fell };
}

function gap(why: GapReason): CounterDelta {
  return { kind: "gap", why };
}

/** How far the register moves at once, at this count: one tick, or one unit in the last place of its float32. */
function stepOf(count: bigint, { float32_ticks_per_unit }: CounterRegister): number {
  if (float32_ticks_per_unit === null || count === 0n) return 1;
  const raw = Number(count) / float32_ticks_per_unit;
  return Math.max(1, 2 ** (Math.floor(Math.log2(raw)) - 23) * float32_ticks_per_unit);
}

/** A serial that is not known proves nothing either way. */
function isAnotherMeter(before: string | null, after: string | null): boolean {
  return before !== null && after !== null && before !== after;
}

function assertInside(count: bigint, modulus: bigint | null): void {
  if (count < 0n || (modulus !== null && count >= modulus)) {
    throw new RangeError(`count ${count} is outside the register (modulus ${modulus ?? "none"})`);
  }
}
