import { useCallback, useMemo, useRef, useState } from "react";
import type { Step } from "../../../../core/interval/calendar.ts";
import type { Energy, Site } from "../../../api/schemas.ts";
import { useApp } from "../../app/context.tsx";
import type { Loaded } from "../../app/queries.ts";
import { csvOf } from "../../csv.ts";
import { gridExport, gridImport, highestOf, type PowerPoint, powerPoints, solarMade } from "../../derive.ts";
import { dayTimeText, numberText, offsetText, powerShown } from "../../format.ts";
import { saveFile } from "../../io.ts";
import { Chart, type ChartHandle, type ChartTime } from "../../parts/chart/chart.tsx";
import { type LoadSeries, loadCurve, loadUnit } from "../../parts/chart/loadCurve.ts";
import type { Palette } from "../../parts/chart/palette.ts";
import { Legend, Tools } from "../../parts/chart/tools.tsx";
import { NoDataInPeriod } from "../../parts/emissionPanel.tsx";
import { Bone, Failed, Panel } from "../../parts/panel.tsx";
import { type Column, VirtualTable } from "../../parts/virtualRows.tsx";
import { isoLocal } from "../../period.ts";

interface LoadPanelProps {
  readonly answer: Loaded<Energy>;
  readonly step: Step;
  readonly site: Site;
}

/** Mean power over the period: drag to zoom, the same numbers as table, CSV and picture. */
export function LoadPanel({ answer, step, site }: LoadPanelProps) {
  const { t, lang, timeZone, range } = useApp();
  const [isTable, setTable] = useState(false);
  const [isZoomed, setZoomed] = useState(false);
  const chart = useRef<ChartHandle>(null);
  const series = useMemo(() => loadSeries(answer.data, t.factory), [answer.data, t]);
  const from_ms = answer.data === null ? range.from_ms : Date.parse(answer.data.from);
  const to_ms = answer.data === null ? range.to_ms : Date.parse(answer.data.to);
  const build = useCallback(
    (palette: Palette) => loadCurve({ series, from_ms, to_ms, timeZone, lang, t }, palette),
    [series, from_ms, to_ms, timeZone, lang, t],
  );
  const points = series[0]?.points ?? [];
  const time: ChartTime = {
    startOf: (index) => points[index]?.from_ms ?? null,
    indexAt: (at_ms) => indexOfTime(points, at_ms),
  };
  const { unit } = loadUnit(series);
  const highest = highestOf(points);
  const isEmpty = series.every((one) => one.points.every((p) => p.power_W === null));
  const shownStep = answer.data?.step ?? step;
  const saveCsv = (): void => {
    const rows = points.map((p, index) => [
      isoLocal(p.from_ms, timeZone),
      isoLocal(p.to_ms, timeZone),
      ...series.map((one) => one.points[index]?.power_W ?? null),
    ]);
    const head = ["from", "to", ...series.map((one) => `${one.name} (W)`)];
    saveFile(`${site.id}-load.csv`, "text/csv;charset=utf-8", csvOf(head, rows));
  };
  return (
    <Panel
      title={t.factory.load}
      note={
        <>
          {unit}, {t.factory.loadStep[shownStep]}, {offsetText(timeZone, range.from_ms)}
          {highest !== null && (
            <span className="load-highest">
              {" · "}
              {t.factory.maximum(
                `${powerShown(highest.power_W, lang).number} ${powerShown(highest.power_W, lang).unit}`,
                dayTimeText(highest.from_ms, timeZone, lang),
              )}
            </span>
          )}
        </>
      }
      className="factory-load"
      isOld={answer.isOld}
      tools={
        <>
          {isZoomed && !isTable && (
            <button type="button" className="tool" onClick={() => chart.current?.resetZoom()}>
              {t.chart.resetZoom}
            </button>
          )}
          {!isEmpty && (
            <Tools
              isTable={isTable}
              setTable={setTable}
              saveCsv={saveCsv}
              savePng={() => chart.current?.savePng(`${site.id}-load.png`)}
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
        <LoadTable series={series} points={points} />
      ) : (
        <div className="charted">
          <div className="charted-head">
            <Legend items={series.map((one) => ({ key: one.token, name: one.name, token: one.token }))} />
            <span className="quiet small drag-hint">{t.chart.dragHint}</span>
          </div>
          <Chart
            ref={chart}
            label={`${t.factory.load}, ${unit}; ${t.chart.dragHint}`}
            build={build}
            time={time}
            height="100%"
            canZoom
            onZoom={setZoomed}
          />
        </div>
      )}
    </Panel>
  );
}

function loadSeries(
  energy: Energy | null,
  names: { readonly gridImport: string; readonly gridExport: string; readonly solar: string },
): readonly LoadSeries[] {
  const drawn = gridImport(energy);
  const fed = gridExport(energy);
  const made = solarMade(energy);
  const hasFed = fed?.points.some((point) => (point.value ?? 0) > 0) ?? false;
  const all: (LoadSeries | null)[] = [
    drawn && {
      name: names.gridImport,
      token: "c-electricity",
      points: powerPoints(drawn.points),
      sign: 1,
      isFilled: true,
    },
    made && { name: names.solar, token: "c-solar", points: powerPoints(made.points), sign: 1, isFilled: false },
    hasFed && fed !== null
      ? { name: names.gridExport, token: "ink-3", points: powerPoints(fed.points), sign: -1, isFilled: false }
      : null,
  ];
  return all.filter((one) => one !== null);
}

function indexOfTime(points: readonly PowerPoint[], at_ms: number): number | null {
  let low = 0;
  let high = points.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const point = points[middle];
    if (point === undefined) return null;
    if (at_ms < point.from_ms) high = middle - 1;
    else if (at_ms >= point.to_ms) low = middle + 1;
    else return middle;
  }
  return null;
}

function LoadTable({
  series,
  points,
}: {
  readonly series: readonly LoadSeries[];
  readonly points: readonly PowerPoint[];
}) {
  const { t, lang, timeZone } = useApp();
  const rows = points.map((point, index) => ({ point, index }));
  const columns: Column<(typeof rows)[number]>[] = [
    { key: "from", head: t.chart.from, isText: true, cell: ({ point }) => dayTimeText(point.from_ms, timeZone, lang) },
    { key: "to", head: t.chart.to, isText: true, cell: ({ point }) => dayTimeText(point.to_ms, timeZone, lang) },
    ...series.map((one) => ({
      key: one.token,
      head: `${one.name} (kW)`,
      cell: ({ index }: { index: number }) => {
        const power_W = one.points[index]?.power_W ?? null;
        return numberText(power_W === null ? null : power_W / 1000, 1, lang);
      },
    })),
  ];
  return (
    <VirtualTable
      caption={t.factory.load}
      columns={columns}
      rows={rows}
      height="100%"
      rowKey={({ point }) => point.from_ms}
    />
  );
}
