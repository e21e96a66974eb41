/** What the rules of `wiring.ts` look at and say, and what they share. Pure. */

export interface WiringFinding {
  readonly fault:
    | "reversed-ct"
    | "reversed-cts"
    | "swapped-cts"
    | "rotated-cts"
    | "phase-sequence"
    | "ct-decade"
    | "zero-filled"
    | "phase-missing"
    | "ct-open"
    | "neutral-swapped";
  readonly certainty: "certain" | "possible";
  /** `l1`…`l3`; empty when it concerns the whole meter. */
  readonly phases: readonly string[];
  readonly why: { readonly vi: string; readonly en: string };
}

/** Values of one reading, by quantity id, and `phase_sequence` where the meter has it. Absent = not told. */
export type WiringReading = ReadonlyMap<string, number>;
export const PHASES = ["l1", "l2", "l3"] as const;
export type Three = readonly [number, number, number];

/** All three phases of a quantity; null if one is not told. */
export function three(reading: WiringReading, quantity: string): Three | null {
  const values = PHASES.map((phase) => reading.get(`${quantity}_${phase}`));
  return values.every((value) => value !== undefined) ? (values as unknown as Three) : null;
}

/** The phases (by index) for which a rule holds in every reading. */
export function always(
  readings: readonly WiringReading[],
  rule: (reading: WiringReading) => readonly number[],
): readonly number[] {
  const [first = [], ...others] = readings.map(rule);
  return first.filter((phase) => others.every((phases) => phases.includes(phase)));
}
/** U·I a phase. */
export function apparent(reading: WiringReading): Three | null {
  const volts = three(reading, "voltage");
  const amps = three(reading, "current");
  return volts === null || amps === null
    ? null
    : ([volts[0] * amps[0], volts[1] * amps[1], volts[2] * amps[2]].map(Math.abs) as unknown as Three);
}
/** All three carry something of the same order. */
export function isComparable(sizes: Three): boolean {
  const low = Math.min(...sizes);
  return low > 0 && Math.max(...sizes) <= 3 * low;
}

/** The last reading's phases, for the reader to compare with the display. */
export function seen(readings: readonly WiringReading[], quantity: string, unit: string): string {
  const values = three(readings.at(-1)!, quantity);
  return values === null
    ? ""
    : `(${values.map((value, i) => `L${i + 1} ${Number(value.toPrecision(4))} ${unit}`).join(", ")})`;
}

export function near(a: number, b: number, relative: number): boolean {
  return Math.abs(a - b) <= relative * Math.abs(b);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

export function clamp(cosine: number): number {
  return Math.max(-1, Math.min(1, cosine));
}
