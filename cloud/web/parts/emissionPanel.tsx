import { type ReactNode, useCallback, useMemo, useRef, useState } from "react";
import type { Step } from "../../../core/interval/calendar.ts";
import type { Emissions } from "../../api/schemas.ts";
import { useApp } from "../app/context.tsx";
import { useNow } from "../app/hooks.ts";
import type { Loaded } from "../app/queries.ts";
import { tokenOf } from "../colours.ts";
import { csvOf } from "../csv.ts";
import { type Bar, barsOf, barUnit } from "../derive.ts";
import { coverageText, numberText, offsetText, rangeText } from "../format.ts";
import { saveFile } from "../io.ts";
import { isoLocal } from "../period.ts";
import { Chart, type ChartHandle, type ChartTime } from "./chart/chart.tsx";
import { type BarGroup, barTitle, emissionBars } from "./chart/emissionBars.ts";
import type { Palette } from "./chart/palette.ts";
import { Legend, Tools } from "./chart/tools.tsx";
import { Bone, Empty, Failed, Panel } from "./panel.tsx";
import { type Column, VirtualTable } from "./virtualRows.tsx";

interface EmissionPanelProps {
  readonly title: string;
  readonly answer: Loaded<Emissions>;
  readonly step: Step;
  readonly className?: string;
  readonly toggle?: ReactNode;
  readonly fileName: string;
}

/** Emissions over time, stacked; the same data as a table, CSV or picture. */
export function EmissionPanel({ title, answer, step, className, toggle, fileName }: EmissionPanelProps) {
  const { t, lang, timeZone, range } = useApp();
  const now_ms = useNow(60_000);
  const [isTable, setTable] = useState(false);
  const chart = useRef<ChartHandle>(null);
  const groups = useMemo(
    () => (answer.data?.groups ?? []).map((g) => ({ key: g.key, name: g.name[lang], token: tokenOf(g.key, g.colour) })),
    [answer.data, lang],
  );
  const bars = useMemo(() => barsOf(answer.data?.groups ?? [], now_ms), [answer.data, now_ms]);
  // The step shown is the one of the data: while another period loads, the old one keeps its own labels.
  const ownStep = answer.data?.step ?? step;
  const build = useCallback(
    (palette: Palette) => emissionBars({ bars, groups, step: ownStep, timeZone, lang, t }, palette),
    [bars, groups, ownStep, timeZone, lang, t],
  );
  const { unit } = barUnit(bars);
  const time: ChartTime = {
    startOf: (index) => bars[index]?.from_ms ?? null,
    indexAt: (at_ms) => indexOrNull(bars.findIndex((bar) => bar.from_ms <= at_ms && at_ms < bar.to_ms)),
  };
  const isEmpty = bars.every((bar) => bar.total_t === null);
  const saveCsv = (): void => {
    const head = ["from", "to", ...groups.map((g) => `${g.name} (t CO2e)`), "coverage_pct", "state"];
    const rows = bars
      .filter((bar) => isPast(bar))
      .map((bar) => [
        isoLocal(bar.from_ms, timeZone),
        isoLocal(bar.to_ms, timeZone),
        ...groups.map((g) => bar.parts.find((part) => part.key === g.key)?.t ?? null),
        bar.coverage_pct,
        bar.state,
      ]);
    saveFile(`${fileName}.csv`, "text/csv;charset=utf-8", csvOf(head, rows));
  };
  return (
    <Panel
      title={title}
      note={`${unit} CO₂e, ${offsetText(timeZone, range.from_ms)}`}
      className={`emission-panel ${className ?? ""}`}
      isOld={answer.isOld}
      tools={
        <>
          {toggle}
          {!isEmpty && (
            <Tools
              isTable={isTable}
              setTable={setTable}
              saveCsv={saveCsv}
              savePng={() => chart.current?.savePng(`${fileName}.png`)}
            />
          )}
        </>
      }
    >
      {answer.problem !== null ? (
        <Failed problem={answer.problem} retry={answer.retry} />
      ) : answer.data === null ? (
        <Bone height="100%" />
      ) : isEmpty ? (
        <NoDataInPeriod />
      ) : isTable ? (
        <BarTable bars={bars} groups={groups} step={ownStep} caption={title} />
      ) : (
        <div className="charted">
          <Legend
            items={groups}
            hasMissing={bars.some((bar) => bar.state === "missing" || bar.state === "part-missing")}
          />
          <Chart ref={chart} label={`${title}, ${unit} CO₂e`} build={build} time={time} height="100%" />
        </div>
      )}
    </Panel>
  );
}

const isPast = (bar: Bar): boolean => bar.state !== "to-come" && bar.state !== "not-begun";

const indexOrNull = (index: number): number | null => (index < 0 ? null : index);

/** Empty period: says where data is, if there is any. */
export function NoDataInPeriod() {
  const { t, lang, zone, timeZone } = useApp();
  if (zone.data_from === null || zone.data_to === null) {
    return <Empty title={t.overview.noData} hint={t.overview.noDataHint} />;
  }
  const held = rangeText(Date.parse(zone.data_from), Date.parse(zone.data_to), timeZone, lang);
  return <Empty title={t.overview.noDataInPeriod} hint={t.overview.noDataInPeriodHint(held)} />;
}

interface BarTableProps {
  readonly bars: readonly Bar[];
  readonly groups: readonly BarGroup[];
  readonly step: Step;
  readonly caption: string;
}

function BarTable({ bars, groups, step, caption }: BarTableProps) {
  const { t, lang, timeZone } = useApp();
  const { perTonne } = barUnit(bars);
  const shown = (own: number | null): string => numberText(own === null ? null : own * perTonne, 3, lang);
  const columns: Column<Bar>[] = [
    { key: "when", head: t.chart.from, isText: true, cell: (bar) => barTitle(bar, step, timeZone, lang) },
    ...groups.map((group) => ({
      key: group.key,
      head: group.name,
      cell: (bar: Bar) => shown(bar.parts.find((part) => part.key === group.key)?.t ?? null),
    })),
    { key: "total", head: t.chart.total, cell: (bar) => shown(bar.total_t) },
    { key: "coverage", head: t.chart.coverage, cell: (bar) => coverageText(bar.coverage_pct, lang) },
  ];
  return (
    <VirtualTable
      caption={caption}
      columns={columns}
      rows={bars.filter((bar) => isPast(bar))}
      height="100%"
      rowKey={(bar) => bar.from_ms}
    />
  );
}
