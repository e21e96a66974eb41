import { useApp } from "../../app/context.tsx";

interface LegendProps {
  readonly items: readonly { readonly key: string; readonly name: string; readonly token: string }[];
  readonly hasMissing?: boolean;
}

export function Legend({ items, hasMissing = false }: LegendProps) {
  const { t } = useApp();
  return (
    <ul className="legend">
      {items.map((item) => (
        <li key={item.key}>
          <i style={{ background: `var(--${item.token})` }} />
          {item.name}
        </li>
      ))}
      {hasMissing && (
        <li>
          <i className="striped" />
          {t.chart.missing}
        </li>
      )}
    </ul>
  );
}

interface ToolsProps {
  readonly isTable: boolean;
  readonly setTable: (isTable: boolean) => void;
  readonly saveCsv: () => void;
  readonly savePng: () => void;
}

/** Table or chart, and the two ways to take it away. */
export function Tools({ isTable, setTable, saveCsv, savePng }: ToolsProps) {
  const { t } = useApp();
  return (
    <div className="tools">
      <button type="button" className="tool" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
        {isTable ? t.chart.chart : t.chart.table}
      </button>
      <button type="button" className="tool" aria-label={t.chart.csvLabel} title={t.chart.csvLabel} onClick={saveCsv}>
        {t.chart.csv}
      </button>
      <button
        type="button"
        className="tool"
        aria-label={t.chart.pngLabel}
        title={t.chart.pngLabel}
        disabled={isTable}
        onClick={savePng}
      >
        {t.chart.png}
      </button>
    </div>
  );
}
