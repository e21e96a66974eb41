/**
 * Seeded noise as a function, not a stream: the same seed and index give the same number whoever asks first.
 * Source: the 32-bit finaliser of MurmurHash3 (Austin Appleby, public domain), written out.
 */
export function hash32(seed: number, index: number): number {
  let h = (seed ^ Math.imul(index | 0, 0x9e3779b1)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform in [0, 1). */
export function unitNoise(seed: number, index: number): number {
  return hash32(seed, index) / 4294967296;
}

/** A seed of its own for every named part of a simulation. */
export function seedOf(seed: number, name: string): number {
  let h = hash32(seed, name.length);
  for (let i = 0; i < name.length; i++) h = hash32(h, name.charCodeAt(i) + 1);
  return h;
}
