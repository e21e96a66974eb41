import type { Step } from "../../../../core/interval/calendar.ts";
import { type Bar, barUnit, highestBar_t } from "../../derive.ts";
import { coverageText, dayText, dayTimeText, monthText, numberText, timeText } from "../../format.ts";
import type { Texts } from "../../text/vi.ts";
import type { Lang } from "../../units.ts";
import type { EChartsCoreOption } from "./echarts.ts";
import type { Palette } from "./palette.ts";
import { axisText, baseOption, stripes, tooltipStyle } from "./style.ts";
import { type TooltipRow, tooltipNode } from "./tooltip.ts";

export interface BarGroup {
  readonly key: string;
  readonly name: string;
  readonly token: string;
}

export interface BarsInput {
  readonly bars: readonly Bar[];
  readonly groups: readonly BarGroup[];
  readonly step: Step;
  readonly timeZone: string;
  readonly lang: Lang;
  readonly t: Texts;
}

/** Label under a bar. */
export function barLabel(bar: Bar, step: Step, timeZone: string, lang: Lang): string {
  if (step === "month" || step === "year") return monthText(bar.from_ms, timeZone, lang);
  if (step === "day") return dayText(bar.from_ms, timeZone, lang, false);
  return timeText(bar.from_ms, timeZone);
}

export function barTitle(bar: Bar, step: Step, timeZone: string, lang: Lang): string {
  if (step === "month" || step === "year") return monthText(bar.from_ms, timeZone, lang);
  if (step === "day") return dayText(bar.from_ms, timeZone, lang);
  return `${dayTimeText(bar.from_ms, timeZone, lang)} – ${timeText(bar.to_ms, timeZone)}`;
}

const digitsOf = (highest: number): number => (highest >= 10 ? 1 : highest >= 1 ? 2 : 3);

/**
 * Stacked bars: solid is measured, striped on top is estimated; a striped column behind says that part of that time is
 * missing, and where nothing is known there is no bar at all.
 */
export function emissionBars(input: BarsInput, palette: Palette): EChartsCoreOption {
  const { bars, groups, step, timeZone, lang, t } = input;
  const { perTonne } = barUnit(bars);
  const highest = highestBar_t(bars) * perTonne;
  const digits = digitsOf(highest);
  const stacked = groups.flatMap((group) => {
    const colour = palette.of(group.token);
    const part = (isEstimated: boolean) =>
      bars.map((bar) => {
        const own = bar.parts.find((p) => p.key === group.key);
        if (own?.t == null) return null;
        const share = isEstimated ? own.estimated_pct / 100 : 1 - own.estimated_pct / 100;
        return own.t * share * perTonne;
      });
    const hasEstimated = bars.some((bar) => bar.parts.some((p) => p.key === group.key && p.estimated_pct > 0));
    const solid = { type: "bar", stack: "t", name: group.name, barCategoryGap: "32%", itemStyle: { color: colour } };
    return [
      { ...solid, data: part(false) },
      ...(hasEstimated
        ? [{ ...solid, data: part(true), itemStyle: { color: palette.of("surface"), decal: stripes(colour) } }]
        : []),
    ];
  });
  return {
    ...baseOption(palette),
    grid: { left: 4, right: 4, top: 10, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    tooltip: {
      ...tooltipStyle(palette),
      axisPointer: { type: "shadow", shadowStyle: { color: palette.of("ink-3"), opacity: 0.1 } },
      formatter: (raw: unknown) => {
        const index = (raw as readonly { dataIndex: number }[])[0]?.dataIndex ?? 0;
        const bar = bars[index];
        return bar === undefined ? "" : tooltipOf(bar, input, palette, digits);
      },
    },
    xAxis: {
      type: "category",
      data: bars.map((bar) => barLabel(bar, step, timeZone, lang)),
      axisLine: { lineStyle: { color: palette.of("line-strong") } },
      axisTick: { show: false },
      axisLabel: { ...axisText(palette), hideOverlap: true, margin: 8 },
    },
    yAxis: [
      {
        type: "value",
        min: 0,
        ...(highest === 0 ? { max: 1 } : {}),
        splitNumber: 4,
        axisLabel: {
          ...axisText(palette),
          formatter: (value: number) => numberText(value, decimalsOf(value), lang),
        },
        splitLine: { lineStyle: { color: palette.of("line") } },
      },
      { type: "value", show: false, min: 0, max: 1 },
    ],
    series: [
      ...stacked,
      {
        type: "bar",
        name: t.chart.missing,
        yAxisIndex: 1,
        barGap: "-100%",
        z: 1,
        silent: true,
        itemStyle: { color: "transparent", decal: stripes(palette.of("line-strong")) },
        data: bars.map((bar) => (bar.state === "missing" || bar.state === "part-missing" ? 1 : null)),
      },
    ],
  };
}

/** Decimals an axis tick needs, three at most. */
const decimalsOf = (value: number): number =>
  [0, 1, 2].find((digits) => Math.abs(Number(value.toFixed(digits)) - value) < 1e-9) ?? 3;

function tooltipOf(
  bar: Bar,
  { bars, groups, step, timeZone, lang, t: texts }: BarsInput,
  palette: Palette,
  digits: number,
) {
  const { unit, perTonne } = barUnit(bars);
  const shown = (t: number | null): string => `${numberText(t === null ? null : t * perTonne, digits, lang)} ${unit}`;
  const rows: TooltipRow[] = groups.map((group) => ({
    colour: palette.of(group.token),
    name: group.name,
    value: shown(bar.parts.find((part) => part.key === group.key)?.t ?? null),
  }));
  if (groups.length > 1) rows.push({ colour: null, name: texts.chart.total, value: shown(bar.total_t) });
  const notes = [
    ...(bar.state === "missing" ? [texts.chart.missing] : []),
    ...(bar.state === "part-missing"
      ? [`${texts.chart.partMissing}: ${texts.coverage.measured(coverageText(bar.coverage_pct, lang))}`]
      : []),
  ];
  return tooltipNode(barTitle(bar, step, timeZone, lang), bar.state === "to-come" ? [] : rows, notes);
}
