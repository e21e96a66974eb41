import type { PowerPoint } from "../derive.ts";

/** A line without axes over [from, to): shape only. Unknown intervals break the line. */
export function sparkPath(
  points: readonly PowerPoint[],
  span: { readonly from_ms: number; readonly to_ms: number },
  box: { readonly width: number; readonly height: number },
): string {
  const known = points.flatMap((point) => (point.power_W === null ? [] : [point.power_W]));
  const highest = Math.max(...known);
  const lowest = Math.min(0, ...known);
  if (known.length === 0 || highest === lowest) return "";
  const x = (at_ms: number): number => ((at_ms - span.from_ms) / (span.to_ms - span.from_ms)) * box.width;
  const y = (power_W: number): number => box.height - 1 - ((power_W - lowest) / (highest - lowest)) * (box.height - 2);
  let path = "";
  let isDown = false;
  for (const point of points) {
    if (point.power_W === null) {
      isDown = false;
      continue;
    }
    const middle_ms = (point.from_ms + point.to_ms) / 2;
    path += `${isDown ? "L" : "M"}${x(middle_ms).toFixed(1)} ${y(point.power_W).toFixed(1)}`;
    isDown = true;
  }
  return path;
}
