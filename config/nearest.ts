/**
 * The nearest of the words we know, for "did you mean …?".
 *
 * Distance is the number of single-letter insertions, deletions, replacements and swaps of neighbours (optimal string
 * alignment). A word is near if at most a third of its letters (at least one, at most three, never all) would have to change.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const asked = word.toLowerCase();
  const limit = Math.min(3, Math.max(1, Math.floor(asked.length / 3)), asked.length - 1);
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const distance = editDistance(asked, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Words longer than this are not compared letter by letter; nobody mistypes 64 letters. */
const LONGEST = 64;

export function editDistance(a: string, b: string): number {
  if (a.length > LONGEST || b.length > LONGEST) return a === b ? 0 : LONGEST;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}

/** Lists longer than this are not printed when a near word is there to print. */
const LIST_MAX = 16;

/** ` (allowed: a, b; did you mean a?)`, with a leading blank, or nothing when there is nothing to offer. */
export function offer(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const parts = [
    ...(known.length > 0 && (near === undefined || known.length <= LIST_MAX) ? [`allowed: ${known.join(", ")}`] : []),
    ...(near === undefined ? [] : [`did you mean ${near}?`]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join("; ")})`;
}
