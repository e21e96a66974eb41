/**
 * Words of many replies share a buffer: an array with memory of its own costs the collector of garbage more than the reply.
 * Limits   a reply that is kept keeps 8 KiB
 */
const SLAB_WORDS = 4096;
let slab = new Uint16Array(SLAB_WORDS);
let slabUsed = 0;

/** Words of 0, the caller's own. */
export function newWords(count: number): Uint16Array {
  if (slabUsed + count > SLAB_WORDS) {
    slab = new Uint16Array(SLAB_WORDS);
    slabUsed = 0;
  }
  // Not `subarray`, which asks the array for its kind first and costs three times as much.
  const words = new Uint16Array(slab.buffer, 2 * slabUsed, count);
  slabUsed += count;
  return words;
}

/** `count` big-endian words. */
export function wordsAt(bytes: Uint8Array, start: number, count: number): Uint16Array {
  const words = newWords(count);
  for (let i = 0, at = start; i < count; i++, at += 2) words[i] = (bytes[at]! << 8) | bytes[at + 1]!;
  return words;
}
