import type { FactorUse } from "../../api/schemas.ts";
import { useApp } from "../app/context.tsx";
import { dayText } from "../format.ts";
import type { Texts } from "../text/vi.ts";
import { formulaText } from "./words.ts";

/** A factor with its papers. A source that was not checked is said to be so, in the same size as the rest. */
export function FactorCard({ factor }: { readonly factor: FactorUse }) {
  const { t, lang, timeZone } = useApp();
  const day = (text: string): string => {
    const at_ms = Date.parse(text.length === 10 ? `${text}T12:00:00Z` : text);
    return Number.isNaN(at_ms) ? text : dayText(at_ms, timeZone, lang);
  };
  const decimal = (text: string): string => (lang === "vi" ? text.replace(".", ",") : text);
  return (
    <article className="factor">
      <h4>
        {decimal(factor.stated.value)} <span className="unit">{formulaText(factor.stated.unit, lang)}</span>
        {factor.match === "provisional" && <span className="chip">{t.coverage.provisionalChip}</span>}
      </h4>
      <p className="quiet small">
        {factor.id} · {factor.version} · {t.why.level[factor.level]} · {t.why.match[factor.match]}
      </p>
      {factor.match === "provisional" && (
        <p className="small" title={factor.why ?? undefined}>
          {t.coverage.provisional}
        </p>
      )}
      <dl>
        <dt>{t.why.document}</dt>
        <dd>{factor.document}</dd>
        <dt>{t.why.valid}</dt>
        <dd>
          {factor.valid_to === null
            ? t.why.validFrom(day(factor.valid_from))
            : t.why.validRange(day(factor.valid_from), day(factor.valid_to))}
          {factor.known_from !== null && <>; {t.why.knownFrom(day(factor.known_from))}</>}
        </dd>
        <dt>{t.why.confidenceLabel}</dt>
        <dd className={factor.confidence === "official" ? undefined : "warn-text"}>
          {t.why.confidence[factor.confidence]}
        </dd>
        {factor.ncv !== null && (
          <>
            <dt>{t.why.ncv}</dt>
            <dd>
              {decimal(factor.ncv.value)} {formulaText(factor.ncv.unit, lang)}{" "}
              <span className="quiet">({factor.ncv.source})</span>
              {factor.ncv.confidence !== "official" && (
                <span className="warn-text"> {confidenceText(factor.ncv.confidence, t)}</span>
              )}
            </dd>
          </>
        )}
        <dt>{t.why.sources}</dt>
        <dd>
          {factor.sources.length === 0 && t.none}
          {factor.sources.map((source) => (
            <p key={source}>{source}</p>
          ))}
        </dd>
      </dl>
    </article>
  );
}

const confidenceText = (confidence: string, t: Texts): string =>
  confidence === "secondary" || confidence === "recalled" ? t.why.confidence[confidence] : confidence;
