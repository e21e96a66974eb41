import type { EChartsCoreOption } from "./echarts.ts";
import type { Palette } from "./palette.ts";

/** What all charts share: no animation (nothing jumps), thin grid, quiet axes, tooltip drawn by our own style sheet. */
export const baseOption = (palette: Palette): EChartsCoreOption => ({
  animation: false,
  textStyle: { fontFamily: palette.font, fontSize: 11 },
  backgroundColor: "transparent",
});

export const axisText = (palette: Palette) => ({ color: palette.of("ink-3"), fontSize: 11, fontFamily: palette.font });

export const tooltipStyle = (palette: Palette) => ({
  trigger: "axis" as const,
  confine: true,
  transitionDuration: 0,
  padding: 0,
  borderWidth: 0,
  backgroundColor: "transparent",
  extraCssText: "box-shadow:none",
  axisPointer: { type: "line" as const, lineStyle: { color: palette.of("ink-3"), width: 1, type: "solid" as const } },
});

/** 45° stripes for what is estimated or missing. */
export const stripes = (colour: string) => ({
  color: colour,
  dashArrayX: [1, 0] as number[],
  dashArrayY: [2, 3] as number[],
  rotation: -Math.PI / 4,
  symbolSize: 1,
});
