import { expect } from "vitest";

/** Equal to six significant figures, the tolerance of the worked examples (relative 5e-6). */
export function near(actual: number, expected: number): void {
  const tolerance = Math.abs(expected) * 5e-6;
  expect(Math.abs(actual - expected), `${actual} is not ${expected}`).toBeLessThanOrEqual(tolerance);
}
