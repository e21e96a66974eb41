import { useState } from "react";
import type { Trace } from "../../api/schemas.ts";
import { ask, tracePageQuery, traceQuery } from "../api.ts";
import { useApp } from "../app/context.tsx";
import { useQuery } from "../app/queries.ts";
import { tokenOf } from "../colours.ts";
import { amountShown, numberText, rangeText, tonnesShown } from "../format.ts";
import { saveFile } from "../io.ts";
import { Chips, Coverage } from "../parts/coverage.tsx";
import { Bone, Empty, Failed } from "../parts/panel.tsx";
import { Sheet } from "../parts/sheet.tsx";
import { CHAIN_MAX, isCut, wholeChain } from "./chain.ts";
import { FactorCard } from "./factor.tsx";
import { IntervalList } from "./interval.tsx";
import { formulaText, registerParts } from "./words.ts";

/** Why this number: formula → activity by meter → intervals → register words, and the factors with their papers. */
export function WhySheet({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const { t, lang, timeZone } = useApp();
  const answer = useQuery(traceQuery(id));
  const trace = answer.data;
  const period =
    trace === null ? null : rangeText(Date.parse(trace.from), Date.parse(trace.to), trace.time_zone ?? timeZone, lang);
  return (
    <Sheet title={t.why.title} lead={t.why.lead} onClose={onClose} tools={trace !== null && <Download trace={trace} />}>
      {answer.problem !== null ? (
        <Failed problem={answer.problem} retry={answer.retry} />
      ) : trace === null ? (
        <Bone height={360} />
      ) : (
        <TraceBody trace={trace} period={period ?? ""} />
      )}
    </Sheet>
  );
}

/** The whole chain as a file: the pages that the sheet has not shown are fetched first. */
function Download({ trace }: { readonly trace: Trace }) {
  const { t, lang } = useApp();
  const [state, setState] = useState<{ readonly isBusy: boolean; readonly words: string }>({
    isBusy: false,
    words: "",
  });
  const total = trace.activities.reduce((count, activity) => count + activity.intervals_total, 0);
  const count = (value: number): string => numberText(value, 0, lang);
  const save = async (): Promise<void> => {
    setState({ isBusy: true, words: "" });
    const { signal } = new AbortController();
    const answer = await wholeChain(
      trace,
      (meter, offset) => ask(tracePageQuery(trace.id, meter, offset), signal),
      (held) => setState({ isBusy: true, words: t.why.exporting(count(held), count(Math.min(total, CHAIN_MAX))) }),
    );
    if (answer.kind === "failed") {
      setState({ isBusy: false, words: t.why.exportFailed });
      return;
    }
    saveFile("khuxanh-trace.json", "application/json", `${JSON.stringify(answer.data, null, 2)}\n`);
    setState({ isBusy: false, words: isCut(answer.data) ? t.why.exportCut(count(CHAIN_MAX), count(total)) : "" });
  };
  return (
    <>
      <span className="quiet small" role="status">
        {state.words}
      </span>
      <button type="button" className="button" disabled={state.isBusy} onClick={() => void save()}>
        {t.why.exportJson}
      </button>
    </>
  );
}

function TraceBody({ trace, period }: { readonly trace: Trace; readonly period: string }) {
  const { t, lang } = useApp();
  const result = tonnesShown(trace.value_kg, "kg", lang);
  if (trace.activities.length === 0) return <Empty title={result.number} hint={t.why.nothing} />;
  return (
    <>
      <section className="why-part">
        <h3>
          {t.why.formula} <small>{t.why.formulaHint}</small>
        </h3>
        <ul className="formulas">
          {trace.formulas.map((formula) => (
            <li key={formula.text}>
              <code>{formulaText(formula.text, lang)}</code>
              <span className="quiet">{t.why.scope(formula.scope)}</span>
            </li>
          ))}
        </ul>
        <p className="why-result">
          <span>{t.why.result}</span>
          <b>
            {numberText(trace.value_kg === null ? null : trace.value_kg / 1000, 3, lang)}{" "}
            <span className="unit">t CO₂e</span>
          </b>
          <span className="quiet">
            {period} · {t.why.gwp} {trace.gwp}
          </span>
        </p>
      </section>
      <section className="why-part">
        <h3>{t.why.activities}</h3>
        {trace.activities.map((activity) => (
          <ActivityItem
            key={`${activity.meter} ${activity.quantity}`}
            activity={activity}
            timeZone={trace.time_zone}
            traceId={trace.id}
            isOnly={trace.activities.length === 1}
          />
        ))}
      </section>
      <section className="why-part">
        <h3>{t.why.factors}</h3>
        {trace.factors.map((factor) => (
          <FactorCard key={`${factor.id}@${factor.version}`} factor={factor} />
        ))}
      </section>
    </>
  );
}

interface ActivityItemProps {
  readonly activity: Trace["activities"][number];
  readonly timeZone: string;
  readonly traceId: string;
  readonly isOnly: boolean;
}

function ActivityItem({ activity, timeZone, traceId, isOnly }: ActivityItemProps) {
  const { t, lang } = useApp();
  const [isOpen, setOpen] = useState(isOnly);
  const amount = amountShown(activity.activity.value, activity.activity.unit, lang);
  const co2e = tonnesShown(activity.co2e_kg, "kg", lang);
  const register = activity.register === null ? null : registerParts(activity.register);
  return (
    <div className="activity">
      <div className="activity-head">
        <i className="kind" style={{ background: `var(--${tokenOf(activity.carrier, null)})` }} aria-hidden="true" />
        <b>
          {activity.name[lang]}
          {activity.site !== null && <span className="quiet"> · {activity.site[lang]}</span>}
        </b>
        <span className="activity-sum">
          {amount.number} <span className="unit">{amount.unit}</span> <span className="quiet">→</span> {co2e.number}{" "}
          <span className="unit">{co2e.unit}</span>
        </span>
      </div>
      <div className="sub">
        <Coverage figure={activity.activity} />
        <Chips figure={activity.activity} />
      </div>
      <p className="quiet small">
        {activity.meter} · {activity.model} · {t.why.scope(activity.scope)}
        {register !== null && <> · {t.why.registerOf(register.fc, register.address, register.type)}</>}
      </p>
      <button type="button" className="disclose" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <svg viewBox="0 0 6 10" aria-hidden="true">
          <path d="M1 1l4 4-4 4" />
        </svg>
        {t.why.intervals(numberText(activity.intervals_total, 0, lang))}
      </button>
      {isOpen && <IntervalList activity={activity} timeZone={timeZone} traceId={traceId} />}
    </div>
  );
}
