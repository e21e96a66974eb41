import type { ReactNode } from "react";
import type { LiveEvent, Site } from "../../../api/schemas.ts";
import { useApp } from "../../app/context.tsx";
import { useLive } from "../../app/liveStore.ts";
import { changeOf, type EnergyGroup, gridImport, groupOf, renewableOf, solarMade } from "../../derive.ts";
import { amountShown, energyShown, percentText, powerShown, tonnesShown } from "../../format.ts";
import { ChangeMark } from "../../parts/changeMark.tsx";
import { Chips, Coverage } from "../../parts/coverage.tsx";
import { Figure } from "../../parts/figure.tsx";
import { Failed } from "../../parts/panel.tsx";
import type { FactoryAnswers } from "./query.ts";

interface FactoryStripProps {
  readonly answers: FactoryAnswers;
  readonly site: Site;
  readonly live: LiveEvent | null;
}

/** Tonnes, then what was drawn: only the kinds of energy this factory has meters for. */
export function FactoryStrip({ answers, site, live }: FactoryStripProps) {
  const { t, lang, route, elapsed, reachesBack } = useApp();
  const { emissions, load, byMeter } = answers;
  const isLost = useLive((state) => state.connection === "lost");
  const problem = emissions.problem ?? load.problem;
  if (problem !== null) {
    return (
      <section className="panel strip-failed">
        <Failed
          problem={problem}
          retry={() => {
            emissions.retry();
            load.retry();
          }}
        />
      </section>
    );
  }
  const total = emissions.data?.total ?? null;
  const now = live?.sites.find((one) => one.id === site.id);
  const power = (power_W: number): string => {
    const shown = powerShown(power_W, lang);
    return `${shown.number} ${shown.unit}`;
  };
  const drawn_W = now?.power_W ?? null;
  const made_W = now?.generation_W ?? null;
  const renewable = renewableOf(load.data);
  const electricity = gridImport(load.data);
  const solar = solarMade(load.data);
  const fuels = [
    { label: t.factory.gas, group: groupOf(load.data, "natural_gas", "import") },
    { label: t.factory.water, group: groupOf(load.data, "water", "import") ?? groupOf(byMeter.data, "water", "use") },
  ];
  return (
    <section className="panel strip strip-factory">
      <Figure
        label={t.factory.tonnes(t.period.inTitle[route.period.kind])}
        shown={total === null ? null : tonnesShown(total.value, total.unit, lang)}
        whyId={total?.value == null ? null : total.id}
        isOld={emissions.isOld}
      >
        {total !== null && (
          <div className="sub">
            <ChangeMark change={changeOf(total, emissions.data?.previous ?? null, reachesBack)} />
            <Coverage figure={total} elapsed={elapsed} />
            <Chips figure={total} elapsed={elapsed} />
          </div>
        )}
      </Figure>
      {(load.data === null || electricity !== null) && (
        <EnergyFigure
          label={t.factory.electricity}
          group={electricity}
          isOld={load.isOld}
          isLoading={load.data === null}
        >
          {drawn_W !== null && (
            <span className={isLost ? "old" : ""}>
              {drawn_W < 0 ? t.factory.feeding(power(-drawn_W)) : t.factory.now(power(drawn_W))}
            </span>
          )}
        </EnergyFigure>
      )}
      {solar !== null && (
        <EnergyFigure label={t.factory.solar} group={solar} isOld={load.isOld}>
          {renewable?.share_pct != null && <span>{t.factory.solarShare(percentText(renewable.share_pct, lang))}</span>}
          {made_W !== null && <span className={isLost ? "old" : ""}>{t.factory.making(power(made_W))}</span>}
        </EnergyFigure>
      )}
      {fuels.map(
        ({ label, group }) =>
          group !== null && <EnergyFigure key={label} label={label} group={group} isOld={load.isOld} />,
      )}
    </section>
  );
}

interface EnergyFigureProps {
  readonly label: string;
  readonly group: EnergyGroup | null;
  readonly isOld: boolean;
  readonly isLoading?: boolean;
  readonly children?: ReactNode;
}

function EnergyFigure({ label, group, isOld, isLoading = false, children }: EnergyFigureProps) {
  const { lang } = useApp();
  const total = group?.total ?? null;
  const shown = total === null ? null : amountShown(total.value, total.unit, lang);
  return (
    <Figure label={label} shown={isLoading ? null : (shown ?? energyShown(null, lang))} isOld={isOld}>
      <div className="sub">
        {total !== null && <Coverage figure={total} />}
        {total !== null && <Chips figure={{ ...total, provisional: false }} />}
      </div>
      <div className="sub">{children}</div>
    </Figure>
  );
}
