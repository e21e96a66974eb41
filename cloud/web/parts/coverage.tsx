import type { Measure } from "../../api/schemas.ts";
import { useApp } from "../app/context.tsx";
import { coverageText, numberText, percentText } from "../format.ts";
import { DAY_MS, type Range } from "../period.ts";
import type { Texts } from "../text/vi.ts";
import type { Lang } from "../units.ts";
import { Explain } from "./explain.tsx";

/** The sentences behind a figure's coverage bar and chips. `elapsed`: the time that the figure is of, where it is known. */
export function coverageWords(figure: Measure, t: Texts, lang: Lang, elapsed: Range | null): readonly string[] {
  const estimated = figure.estimated_pct ?? 0;
  return [
    figure.coverage_pct === null
      ? t.coverage.nothingExpected
      : t.coverage.explain(coverageText(figure.coverage_pct, lang)),
    ...daysWords(figure, t, lang, elapsed),
    ...(figure.value === null
      ? []
      : [estimated > 0 ? t.coverage.estimated(percentText(estimated, lang)) : t.coverage.nothingEstimated]),
    ...(figure.lower_bound ? [t.coverage.lowerBound] : []),
    ...(figure.provisional ? [t.coverage.provisional] : []),
  ];
}

/** "30 of 326 days": a share of a year says little to somebody who wants to know when the meters came. */
function daysWords(figure: Measure, t: Texts, lang: Lang, elapsed: Range | null): readonly string[] {
  const total = elapsed === null ? 0 : (elapsed.to_ms - elapsed.from_ms) / DAY_MS;
  const { coverage_pct } = figure;
  if (total < 2 || coverage_pct === null || coverage_pct >= 100) return [];
  const days = (value: number): string => numberText(value, value < 10 ? 1 : 0, lang);
  return [t.coverage.days(days((total * coverage_pct) / 100), days(total))];
}

const Words = ({ lines }: { readonly lines: readonly string[] }) => (
  <>
    {lines.map((line) => (
      <p key={line}>{line}</p>
    ))}
  </>
);

interface ChipsProps {
  readonly figure: Measure;
  readonly elapsed?: Range | null;
}
interface CoverageProps extends ChipsProps {
  readonly isShort?: boolean;
}

/** Measured share as a bar (hatched: estimated; empty: missing) and in words. */
export function Coverage({ figure, isShort = false, elapsed = null }: CoverageProps) {
  const { t, lang } = useApp();
  if (figure.coverage_pct === null) return isShort ? <span className="quiet">–</span> : null;
  const text = coverageText(figure.coverage_pct, lang);
  const covered = Math.max(0, Math.min(100, figure.coverage_pct));
  const estimated = Math.min(covered, (covered * (figure.estimated_pct ?? 0)) / 100);
  return (
    <Explain words={<Words lines={coverageWords(figure, t, lang, elapsed)} />} className="coverage">
      <span className="cov" aria-hidden="true">
        <i style={{ width: `${covered - estimated}%` }} />
        <i style={{ width: `${estimated}%` }} />
      </span>{" "}
      {isShort ? text : t.coverage.measured(text)}
    </Explain>
  );
}

/** Marks that a figure may still change: provisional factor, missing data. */
export function Chips({ figure, elapsed = null }: ChipsProps) {
  const { t, lang } = useApp();
  const words = <Words lines={coverageWords(figure, t, lang, elapsed)} />;
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
