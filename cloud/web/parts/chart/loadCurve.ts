import { zoneOffset_ms } from "../../../../core/interval/calendar.ts";
import type { PowerPoint } from "../../derive.ts";
import { dayText, dayTimeText, numberText, powerShown, timeText } from "../../format.ts";
import { DAY_MS } from "../../period.ts";
import type { Texts } from "../../text/vi.ts";
import type { Lang } from "../../units.ts";
import type { EChartsCoreOption } from "./echarts.ts";
import type { Palette } from "./palette.ts";
import { axisText, baseOption, tooltipStyle } from "./style.ts";
import { tooltipNode } from "./tooltip.ts";

export interface LoadSeries {
  readonly name: string;
  readonly token: string;
  readonly points: readonly PowerPoint[];
  /** Export is drawn below zero: plus means drawn from the grid. */
  readonly sign: 1 | -1;
  readonly isFilled: boolean;
}

export interface LoadInput {
  readonly series: readonly LoadSeries[];
  readonly from_ms: number;
  readonly to_ms: number;
  readonly timeZone: string;
  readonly lang: Lang;
  readonly t: Texts;
}

/** The unit the whole axis is in. */
export function loadUnit(series: readonly LoadSeries[]): { readonly unit: "kW" | "MW"; readonly scale: number } {
  let highest_W = 0;
  for (const one of series) for (const p of one.points) highest_W = Math.max(highest_W, Math.abs(p.power_W ?? 0));
  return highest_W >= 2e6 ? { unit: "MW", scale: 1e6 } : { unit: "kW", scale: 1e3 };
}

/** Mean power per interval as steps; unknown intervals are gaps in the line, never zero. Times are the zone's. */
export function loadCurve(input: LoadInput, palette: Palette): EChartsCoreOption {
  const { series, timeZone, lang, from_ms, to_ms } = input;
  // The time axis speaks UTC; shifted by the zone's offset it shows the zone's clock wherever the reader sits.
  const local = (at_ms: number): number => at_ms + zoneOffset_ms(timeZone, at_ms);
  const offset_ms = zoneOffset_ms(timeZone, from_ms);
  const { scale } = loadUnit(series);
  return {
    ...baseOption(palette),
    useUTC: true,
    grid: { left: 4, right: 12, top: 10, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    toolbox: {
      show: true,
      itemSize: 0,
      top: -40,
      feature: { dataZoom: { yAxisIndex: false, brushStyle: { color: palette.of("accent"), opacity: 0.16 } } },
    },
    dataZoom: [
      { type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, moveOnMouseWheel: false, filterMode: "none" },
    ],
    tooltip: {
      ...tooltipStyle(palette),
      formatter: (raw: unknown) => {
        const index = (raw as readonly { dataIndex: number }[])[0]?.dataIndex ?? 0;
        return tooltipOf(index, input, palette);
      },
    },
    xAxis: {
      type: "time",
      min: local(from_ms),
      max: local(to_ms),
      axisLine: { lineStyle: { color: palette.of("line-strong") }, onZero: false },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        ...axisText(palette),
        hideOverlap: true,
        formatter: (shifted: number) =>
          shifted % DAY_MS === 0
            ? dayText(shifted - offset_ms, timeZone, lang, false)
            : timeText(shifted - offset_ms, timeZone),
      },
    },
    yAxis: {
      type: "value",
      splitNumber: 4,
      axisLabel: {
        ...axisText(palette),
        formatter: (value: number) => numberText(value, Number.isInteger(value) ? 0 : 1, lang),
      },
      splitLine: { lineStyle: { color: palette.of("line") } },
    },
    series: series.map((one) => ({
      type: "line",
      name: one.name,
      step: "end",
      showSymbol: false,
      connectNulls: false,
      sampling: "minmax",
      lineStyle: { width: 1.25, color: palette.of(one.token) },
      itemStyle: { color: palette.of(one.token) },
      ...(one.isFilled ? { areaStyle: { color: palette.of(one.token), opacity: 0.12 } } : {}),
      data: stepped(one, local, scale),
    })),
  };
}

/** Each mean holds from its start to its end: with `step: "end"` the value stands at the start and runs until the next. */
function stepped(one: LoadSeries, local: (at_ms: number) => number, scale: number): [number, number | null][] {
  const shown = (p: PowerPoint): number | null => (p.power_W === null ? null : (one.sign * p.power_W) / scale);
  const last = one.points.at(-1);
  const end: [number, number | null][] = last === undefined ? [] : [[local(last.to_ms), shown(last)]];
  return [...one.points.map((p): [number, number | null] => [local(p.from_ms), shown(p)]), ...end];
}

function tooltipOf(index: number, { series, timeZone, lang, t }: LoadInput, palette: Palette): HTMLElement | string {
  const point = series[0]?.points[index];
  if (point === undefined) return "";
  const rows = series.map((one) => {
    const power_W = one.points[index]?.power_W ?? null;
    const shown = powerShown(power_W, lang);
    return { colour: palette.of(one.token), name: one.name, value: `${shown.number} ${shown.unit}` };
  });
  const isKnown = series.some((one) => one.points[index]?.power_W != null);
  const title =
    point.to_ms - point.from_ms >= DAY_MS
      ? dayText(point.from_ms, timeZone, lang)
      : `${dayTimeText(point.from_ms, timeZone, lang)} – ${timeText(point.to_ms, timeZone)}`;
  return tooltipNode(title, rows, isKnown ? [] : [t.chart.missing]);
}
