import { useApp } from "../../app/context.tsx";
import { useNow } from "../../app/hooks.ts";
import { ageOfNewest_ms, STALE_AFTER_MS } from "../../app/live.ts";
import { useLive } from "../../app/liveStore.ts";
import { tokenOf } from "../../colours.ts";
import { changeOf, gridImport, hasGenerationMeter, highestOf, powerPoints, renewableOf } from "../../derive.ts";
import { energyShown, percentText, powerShown, timeText, tonnesShown } from "../../format.ts";
import { ChangeMark } from "../../parts/changeMark.tsx";
import { Chips, Coverage } from "../../parts/coverage.tsx";
import { Explain } from "../../parts/explain.tsx";
import { Figure } from "../../parts/figure.tsx";
import { Failed } from "../../parts/panel.tsx";
import { Sparkline } from "../../parts/sparkline.tsx";
import { mass_kg } from "../../units.ts";
import type { OverviewAnswers } from "./query.ts";

/** The four figures a manager reads first. */
export function Strip({ answers }: { readonly answers: OverviewAnswers }) {
  const { byCarrier } = answers;
  if (byCarrier.problem !== null) {
    return (
      <section className="panel strip-failed">
        <Failed problem={byCarrier.problem} retry={byCarrier.retry} />
      </section>
    );
  }
  return (
    <section className="panel strip">
      <Tonnes answers={answers} />
      <Scopes answers={answers} />
      <Power answers={answers} />
      <RenewableFigure answers={answers} />
    </section>
  );
}

function Tonnes({ answers: { byCarrier } }: { readonly answers: OverviewAnswers }) {
  const { t, lang, route, elapsed, reachesBack } = useApp();
  const total = byCarrier.data?.total ?? null;
  return (
    <Figure
      label={t.overview.tonnes(t.period.inTitle[route.period.kind])}
      shown={total === null ? null : tonnesShown(total.value, total.unit, lang)}
      whyId={total?.value == null ? null : total.id}
      isOld={byCarrier.isOld}
    >
      {total !== null && (
        <div className="sub">
          <ChangeMark change={changeOf(total, byCarrier.data?.previous ?? null, reachesBack)} />
          <Coverage figure={total} elapsed={elapsed} />
          <Chips figure={total} elapsed={elapsed} />
        </div>
      )}
    </Figure>
  );
}

function Scopes({ answers: { byScope } }: { readonly answers: OverviewAnswers }) {
  const { t, lang, go } = useApp();
  const groups = byScope.data?.groups ?? [];
  const kgs = groups.map((group) => mass_kg(group.total.value, group.total.unit));
  const sum = kgs.reduce<number>((all, kg) => all + (kg ?? 0), 0);
  return (
    <div className={byScope.isOld ? "fig old" : "fig"} aria-busy={byScope.data === null}>
      <div className="fig-label">{t.overview.scopes}</div>
      <div className="scopes-bar" aria-hidden="true">
        {groups.map((group, index) => (
          <i
            key={group.key}
            style={{
              width: `${sum > 0 ? (100 * (kgs[index] ?? 0)) / sum : 0}%`,
              background: `var(--${tokenOf(group.key, group.colour)})`,
            }}
          />
        ))}
      </div>
      {byScope.data === null && <span className="bone bone-line" />}
      <ul className="scopes">
        {groups.map((group, index) => {
          const number = Number(group.key.replace(/\D/g, ""));
          const shown = tonnesShown(group.total.value, group.total.unit, lang);
          const kg = kgs[index] ?? null;
          return (
            <li key={group.key}>
              <i style={{ background: `var(--${tokenOf(group.key, group.colour)})` }} />
              <span title={t.overview.scopeMeaning[number - 1]}>{t.overview.scope(number)}</span>
              <button
                type="button"
                className="figure-link"
                title={t.why.open}
                disabled={kg === null}
                onClick={() => go({ why: group.id })}
              >
                {shown.number} <span className="unit">{shown.unit}</span>
              </button>
              <em>{kg === null || sum === 0 ? "" : percentText((100 * kg) / sum, lang, 0)}</em>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Power({ answers: { energyToday, today } }: { readonly answers: OverviewAnswers }) {
  const { t, lang, timeZone } = useApp();
  const event = useLive((live) => live.event);
  const isLost = useLive((live) => live.connection === "lost");
  const now_ms = useNow(5_000);
  const isStale = event !== null && ageOfNewest_ms(event, now_ms) > STALE_AFTER_MS;
  const points = powerPoints(gridImport(energyToday.data)?.points ?? []);
  const highest = highestOf(points);
  const shownHighest = highest === null ? null : powerShown(highest.power_W, lang);
  return (
    <Figure
      label={t.overview.power}
      shown={event === null && !isLost ? null : powerShown(event?.zone.power_W ?? null, lang)}
      isOld={isLost || isStale}
    >
      <Sparkline points={points} from_ms={today.from_ms} to_ms={today.to_ms} label={t.overview.sparkline} />
      <div className="sub">
        {highest === null || shownHighest === null
          ? t.overview.noHighest
          : t.overview.highest(`${shownHighest.number} ${shownHighest.unit}`, timeText(highest.from_ms, timeZone))}
      </div>
    </Figure>
  );
}

function RenewableFigure({ answers: { energy } }: { readonly answers: OverviewAnswers }) {
  const { t, lang } = useApp();
  const renewable = renewableOf(energy.data);
  const words = (Wh: number): string => {
    const shown = energyShown(Wh, lang);
    return `${shown.number} ${shown.unit}`;
  };
  const share = renewable?.share_pct ?? null;
  return (
    <Figure
      label={
        <Explain words={<p>{t.overview.renewableExplain}</p>} className="term">
          {t.overview.renewable}
        </Explain>
      }
      shown={energy.data === null ? null : { number: percentText(share, lang), unit: "" }}
      isOld={energy.isOld}
    >
      {renewable === null ? (
        <div className="sub">{hasGenerationMeter(energy.data) ? t.overview.solarNotBooked : t.overview.noSolar}</div>
      ) : (
        <div className="sub sub-lines">
          <span>{t.overview.solarMade(words(renewable.made_Wh))}</span>
          <span>{t.overview.exported(words(renewable.exported_Wh))}</span>
        </div>
      )}
    </Figure>
  );
}
