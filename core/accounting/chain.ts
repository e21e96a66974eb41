import { type Fraction, fractionText } from "../emission/fraction.ts";

/**
 * The chain behind a figure as data: each step with its formula, what went in with unit and source, and what came out.
 * A verifier can make every step again by hand.
 */
export interface Step {
  /** What is worked out: `energy`, `CO2`, … */
  readonly what: string;
  readonly formula: string;
  readonly inputs: readonly Input[];
  readonly value: string;
  readonly unit: string;
}

export interface Input {
  readonly name: string;
  /** Exact decimal, or 12 digits where no decimal holds the number. */
  readonly value: string;
  readonly unit: string;
  /** Document, certificate or step it comes from. */
  readonly source: string;
}

export function input(name: string, value: Fraction, unit: string, source: string): Input {
  return { name, value: fractionText(value), unit, source };
}

export function step(what: string, formula: string, inputs: readonly Input[], value: Fraction, unit: string): Step {
  return { what, formula, inputs, value: fractionText(value), unit };
}
