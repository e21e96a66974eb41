import type { Measure } from "../../api/schemas.ts";
import { useApp } from "../app/context.tsx";
import { coverageText, percentText } from "../format.ts";
import type { Texts } from "../text/vi.ts";
import type { Lang } from "../units.ts";
import { Explain } from "./explain.tsx";

/** The sentences behind a figure's coverage bar and chips. */
export function coverageWords(figure: Measure, t: Texts, lang: Lang): readonly string[] {
  const estimated = figure.estimated_pct ?? 0;
  return [
    figure.coverage_pct === null
      ? t.coverage.nothingExpected
      : t.coverage.explain(coverageText(figure.coverage_pct, lang)),
    ...(figure.value === null
      ? []
      : [estimated > 0 ? t.coverage.estimated(percentText(estimated, lang)) : t.coverage.nothingEstimated]),
    ...(figure.lower_bound ? [t.coverage.lowerBound] : []),
    ...(figure.provisional ? [t.coverage.provisional] : []),
  ];
}

const Words = ({ lines }: { readonly lines: readonly string[] }) => (
  <>
    {lines.map((line) => (
      <p key={line}>{line}</p>
    ))}
  </>
);

/** Measured share as a bar (hatched: estimated; empty: missing) and in words. */
export function Coverage({ figure, isShort = false }: { readonly figure: Measure; readonly isShort?: boolean }) {
  const { t, lang } = useApp();
  if (figure.coverage_pct === null) return isShort ? <span className="quiet">–</span> : null;
  const text = coverageText(figure.coverage_pct, lang);
  const covered = Math.max(0, Math.min(100, figure.coverage_pct));
  const estimated = Math.min(covered, (covered * (figure.estimated_pct ?? 0)) / 100);
  return (
    <Explain words={<Words lines={coverageWords(figure, t, lang)} />} className="coverage">
      <span className="cov" aria-hidden="true">
        <i style={{ width: `${covered - estimated}%` }} />
        <i style={{ width: `${estimated}%` }} />
      </span>{" "}
      {isShort ? text : t.coverage.measured(text)}
    </Explain>
  );
}

/** Marks that a figure may still change: provisional factor, missing data. */
export function Chips({ figure }: { readonly figure: Measure }) {
  const { t, lang } = useApp();
  const words = <Words lines={coverageWords(figure, t, lang)} />;
  return (
    <>
      {figure.provisional && (
        <Explain words={words} className="chip">
          {t.coverage.provisionalChip}
        </Explain>
      )}
      {figure.lower_bound && figure.value !== null && (
        <Explain words={words} className="chip">
          {t.coverage.lowerBoundChip}
        </Explain>
      )}
    </>
  );
}
