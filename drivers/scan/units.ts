/** Units of a list as people write it, `1-247` or `1,5,10-12`, in order and once each; null if it is none. */
export function parseUnits(text: string): readonly number[] | null {
  const units = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*$/.exec(part);
    if (match === null) return null;
    const from = Number(match[1]);
    const to = Number(match[2] ?? match[1]);
    if (from > to || to > UNIT_MAX) return null;
    for (let unit = from; unit <= to; unit++) units.add(unit);
  }
  return [...units];
}

/** 1…247 on a serial line; 0 and 255 are in use on TCP for the device itself. */
const UNIT_MAX = 255;

/** The other way round: `1-4, 6`. */
export function unitRanges(units: readonly number[]): string {
  const sorted = [...units].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const unit of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && unit === last[1] + 1) last[1] = unit;
    else ranges.push([unit, unit]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(", ");
}
