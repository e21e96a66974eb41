import { useState } from "react";
import { agoText, rangeText } from "../format.ts";
import { localDayOf, type PeriodChoice } from "../period.ts";
import { GoLink, useApp } from "./context.tsx";
import { useNow } from "./hooks.ts";
import { ageOfNewest_ms, STALE_AFTER_MS } from "./live.ts";
import { useLive } from "./liveStore.ts";
import type { Preferences } from "./preferences.ts";

interface TopBarProps {
  readonly preferences: Preferences;
  readonly attentionCount: number;
  readonly openAttention: () => void;
}

export function TopBar({ preferences, attentionCount, openAttention }: TopBarProps) {
  const { t, lang } = useApp();
  const { theme, setTheme, setLang } = preferences;
  const other = theme === "dark" ? "light" : "dark";
  return (
    <header className="top">
      <GoLink to={{ site: null }} className="brand">
        <svg viewBox="0 0 18 18" aria-hidden="true">
          <path d="M2 15V8l5 3V8l5 3V3h4v12z" />
        </svg>
        {t.product}
      </GoLink>
      <PeriodBar />
      <div className="top-right">
        <LiveDot />
        <fieldset className="langs" aria-label={t.language}>
          {(["vi", "en"] as const).map((one) => (
            <button key={one} type="button" aria-pressed={lang === one} lang={one} onClick={() => setLang(one)}>
              {one.toUpperCase()}
            </button>
          ))}
        </fieldset>
        <button
          type="button"
          className="plain"
          aria-label={other === "dark" ? t.theme.toDark : t.theme.toLight}
          onClick={() => setTheme(other)}
        >
          {t.theme[theme]}
        </button>
        <button type="button" className="plain" onClick={openAttention}>
          {attentionCount > 0 && <span className="count">{attentionCount}</span>}
          <span className={attentionCount > 0 ? "attention-word" : undefined}>{t.overview.attention}</span>
        </button>
      </div>
    </header>
  );
}

const KINDS = ["today", "week", "month", "year"] as const;

function PeriodBar() {
  const { t, lang, route, go, elapsed, range, previous, timeZone } = useApp();
  const [isCustomOpen, setCustomOpen] = useState(false);
  const isCustom = route.period.kind === "custom" || isCustomOpen;
  const choose = (period: PeriodChoice): void => {
    setCustomOpen(false);
    go({ period, why: null });
  };
  const comparedWith = rangeText(previous.from_ms, previous.to_ms, timeZone, lang);
  const shownTo_ms = elapsed.to_ms > range.from_ms ? elapsed.to_ms : range.to_ms;
  return (
    <div className="period">
      <fieldset className="seg" aria-label={t.period.label}>
        {KINDS.map((kind) => (
          <button
            key={kind}
            type="button"
            aria-pressed={!isCustom && route.period.kind === kind}
            onClick={() => choose({ kind })}
          >
            {t.period[kind]}
          </button>
        ))}
        <button type="button" aria-pressed={isCustom} onClick={() => setCustomOpen(true)}>
          {t.period.custom}
        </button>
      </fieldset>
      {isCustom ? (
        <CustomDays
          key={`${route.period.kind}`}
          first={localDayOf(range.from_ms, timeZone)}
          last={localDayOf(shownTo_ms - 1, timeZone)}
          choose={choose}
        />
      ) : (
        <span className="period-range">{rangeText(range.from_ms, shownTo_ms, timeZone, lang)}</span>
      )}
      <label className="compare" title={`${t.period.compare}: ${comparedWith}`}>
        <input
          type="checkbox"
          checked={route.isCompared}
          onChange={(event) => go({ isCompared: event.target.checked }, "replace")}
        />
        <span>{route.isCompared ? t.period.comparedWith(comparedWith) : t.period.notCompared}</span>
      </label>
    </div>
  );
}

interface CustomDaysProps {
  readonly first: string;
  readonly last: string;
  readonly choose: (period: PeriodChoice) => void;
}

function CustomDays({ first, last, choose }: CustomDaysProps) {
  const { t } = useApp();
  const [from, setFrom] = useState(first);
  const [to, setTo] = useState(last);
  return (
    <form
      className="days"
      onSubmit={(event) => {
        event.preventDefault();
        if (from !== "" && to !== "") choose({ kind: "custom", from, to });
      }}
    >
      <input type="date" aria-label={t.period.from} value={from} required onChange={(e) => setFrom(e.target.value)} />
      <span aria-hidden="true">–</span>
      <input type="date" aria-label={t.period.to} value={to} required onChange={(e) => setTo(e.target.value)} />
      <button type="submit" className="button">
        {t.period.apply}
      </button>
    </form>
  );
}

/** How old what you see is; while the demo computes its past, how far it has come. */
function LiveDot() {
  const { t, lang } = useApp();
  const connection = useLive((live) => live.connection);
  const event = useLive((live) => live.event);
  const now_ms = useNow(1000);
  const age_ms = event === null ? null : ageOfNewest_ms(event, now_ms);
  const isStale = connection === "open" && age_ms !== null && age_ms > STALE_AFTER_MS;
  const word = isStale ? t.live.stale : t.live[connection];
  const history = event?.history ?? null;
  return (
    <>
      {history?.running === true && (
        <span className="history" role="status">
          <progress value={history.done_days} max={history.total_days} aria-hidden="true" />
          {t.live.history(history.done_days, history.total_days)}
        </span>
      )}
      <span className={`live live-${isStale ? "stale" : connection}`} role="status">
        <span className="live-word">{word}</span>
        {age_ms !== null && (
          <span className="live-age" aria-hidden="true">
            <i> · </i>
            {agoText(age_ms, lang)}
          </span>
        )}
      </span>
    </>
  );
}
