import type { PowerPoint } from "../derive.ts";
import { sparkPath } from "./sparkPath.ts";

interface SparklineProps {
  readonly points: readonly PowerPoint[];
  readonly from_ms: number;
  readonly to_ms: number;
  readonly label: string;
}

export function Sparkline({ points, from_ms, to_ms, label }: SparklineProps) {
  const box = { width: 240, height: 30 };
  return (
    <svg className="spark" viewBox="0 0 240 30" preserveAspectRatio="none" role="img" aria-label={label}>
      <line x1="0" x2="240" y1="29" y2="29" />
      <path d={sparkPath(points, { from_ms, to_ms }, box)} />
    </svg>
  );
}
