import { useApp } from "../app/context.tsx";
import type { Change } from "../derive.ts";
import { changeText, rangeText } from "../format.ts";
import { Explain } from "./explain.tsx";

const REASONS = { "no-figure": "noFigure", "not-begun": "notBegun", incomplete: "incomplete", zero: "zero" } as const;

/** Change against the period before; where the two cannot be compared, a dash that says why. */
export function ChangeMark({ change, isShort = false }: { readonly change: Change; readonly isShort?: boolean }) {
  const { t, lang, previous, timeZone, route } = useApp();
  if (!route.isCompared) return isShort ? <span className="quiet">–</span> : null;
  if (change.kind === "none") {
    return (
      <Explain words={<p>{t.change[REASONS[change.why]]}</p>} className="quiet" label={t.change.short}>
        {isShort ? "–" : t.change.short}
      </Explain>
    );
  }
  const direction = change.pct < -0.05 ? "down" : change.pct > 0.05 ? "up" : "flat";
  return (
    <Explain
      words={<p>{t.change.explain(rangeText(previous.from_ms, previous.to_ms, timeZone, lang))}</p>}
      className={`change-${direction}`}
    >
      {changeText(change.pct, lang)}
    </Explain>
  );
}
