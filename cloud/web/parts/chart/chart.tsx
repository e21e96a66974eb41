import { type Ref, useEffect, useImperativeHandle, useRef } from "react";
import { useApp } from "../../app/context.tsx";
import { saveUrl } from "../../io.ts";
import { onCrosshair, shareCrosshair } from "./crosshair.ts";
import type { ECharts, EChartsCoreOption } from "./echarts.ts";
import { type Palette, readPalette } from "./palette.ts";

export interface ChartHandle {
  readonly savePng: (name: string) => void;
  readonly resetZoom: () => void;
}

/** How points of this chart relate to time, for the shared crosshair. */
export interface ChartTime {
  readonly startOf: (dataIndex: number) => number | null;
  readonly indexAt: (at_ms: number) => number | null;
}

interface ChartProps {
  readonly label: string;
  /** Memoise it: a new function draws the chart anew. */
  readonly build: (palette: Palette, width: number) => EChartsCoreOption;
  readonly time: ChartTime;
  readonly height: number | string;
  readonly canZoom?: boolean;
  readonly onZoom?: (isZoomed: boolean) => void;
  readonly ref?: Ref<ChartHandle>;
}

/** A canvas drawn by ECharts, which loads on its own after the shell; the box has its final size from the first frame. */
export function Chart({ label, build, time, height, canZoom = false, onZoom, ref }: ChartProps) {
  const { theme } = useApp();
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const now = useRef({ build, time, onZoom });
  now.current = { build, time, onZoom };

  // biome-ignore lint/correctness/useExhaustiveDependencies: made once; what it draws comes from the ref and the effect below.
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    let isGone = false;
    let undo = (): void => {};
    void import("./echarts.ts").then(({ init }) => {
      if (isGone) return;
      const own = init(element, null, { renderer: "canvas" });
      chart.current = own;
      draw(own, element);
      const observer = new ResizeObserver(() => own.resize());
      observer.observe(element);
      const deafen = connectCrosshair(own);
      undo = () => {
        observer.disconnect();
        deafen();
        own.dispose();
        chart.current = null;
      };
    });
    return () => {
      isGone = true;
      undo();
    };
  }, []);

  function draw(own: ECharts, element: HTMLElement): void {
    own.setOption(now.current.build(readPalette(theme), element.clientWidth), { notMerge: true });
    if (canZoom) armZoom(own);
  }

  /** A press and drag across selects the span to zoom into. */
  function armZoom(own: ECharts): void {
    own.dispatchAction({ type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true });
  }

  function connectCrosshair(own: ECharts): () => void {
    let isFollowing = false;
    own.on("updateAxisPointer", (raw) => {
      if (isFollowing) return;
      const dataIndex = (raw as { dataIndex?: number }).dataIndex;
      shareCrosshair(dataIndex === undefined ? null : now.current.time.startOf(dataIndex), own);
    });
    own.on("globalout", () => shareCrosshair(null, own));
    own.on("datazoom", () => {
      const [zoom] = (own.getOption() as { dataZoom?: { start?: number; end?: number }[] }).dataZoom ?? [];
      now.current.onZoom?.((zoom?.start ?? 0) > 0.01 || (zoom?.end ?? 100) < 99.99);
    });
    return onCrosshair((at_ms, from) => {
      if (from === own) return;
      const dataIndex = at_ms === null ? null : now.current.time.indexAt(at_ms);
      isFollowing = true;
      own.dispatchAction(dataIndex === null ? { type: "hideTip" } : { type: "showTip", seriesIndex: 0, dataIndex });
      isFollowing = false;
    });
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: the palette follows the theme; build carries the rest.
  useEffect(() => {
    if (chart.current !== null && box.current !== null) draw(chart.current, box.current);
  }, [build, theme]);

  useImperativeHandle(ref, () => ({
    savePng: (name) => {
      const backgroundColor = readPalette(theme).of("surface");
      const url = chart.current?.getDataURL({ type: "png", pixelRatio: 2, backgroundColor });
      if (url !== undefined) saveUrl(name, url);
    },
    resetZoom: () => {
      chart.current?.dispatchAction({ type: "dataZoom", start: 0, end: 100 });
      if (canZoom && chart.current !== null) armZoom(chart.current);
    },
  }));

  return <div ref={box} className="chart" style={{ height }} role="img" aria-label={label} />;
}
