import type { Random } from "../../core/ports.ts";

/**
 * Random streams of a world: one for each component, by its name, so that one more draw here changes nothing there.
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state; for simulation, never for secrets.
 */
export interface Stream extends Random {
  /** True with this probability. */
  chance(probability: number): boolean;
  /** Uniform in [from, to). */
  between(from: number, to: number): number;
  /** Whole number in [from, to]. */
  whole(from: number, to: number): number;
  pick<T>(choices: readonly T[]): T;
  /** A stream of its own for a part of this component. */
  fork(name: string): Stream;
}

/** Outputs thrown away until the state is mixed. */
const WARM_UP = 15;

export function stream(seed: number, name: string): Stream {
  let [a, b, c] = [hashOf(name, seed >>> 0), hashOf(name, 0x9e3779b9), (seed >>> 0) ^ 0x243f6a88];
  let counter = 1;
  const next = (): number => {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + out) | 0;
    return out >>> 0;
  };
  for (let i = 0; i < WARM_UP; i++) next();
  const unit = (): number => next() / 2 ** 32;
  return {
    unit,
    hex: (bytes) => Array.from({ length: bytes }, () => (next() & 0xff).toString(16).padStart(2, "0")).join(""),
    // No draw at 0: a fault that is off leaves the rest of the stream as it is.
    chance: (probability) => probability > 0 && unit() < probability,
    between: (from, to) => from + (to - from) * unit(),
    whole: (from, to) => from + Math.floor((to - from + 1) * unit()),
    pick: (choices) => choices[Math.floor(choices.length * unit())]!,
    fork: (part) => stream(seed, `${name}/${part}`),
  };
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
