import { useState } from "react";
import { useApp } from "../../app/context.tsx";
import { useLive } from "../../app/liveStore.ts";
import { EmissionPanel } from "../../parts/emissionPanel.tsx";
import { Empty, Panel } from "../../parts/panel.tsx";
import { AttentionPanel } from "./attention.tsx";
import { ZonePlan } from "./plan.tsx";
import { factoryRows, useOverview } from "./query.ts";
import { Ranking } from "./ranking.tsx";
import { Strip } from "./strip.tsx";

const TITLES = { hour: "byHour", day: "byDay", month: "byMonth" } as const;

/** One screen: how much, since when, from whom, and what needs a person. */
export function OverviewPage() {
  const { t, lang, zone, sites, reachesBack } = useApp();
  const answers = useOverview();
  const live = useLive((state) => state.event);
  const [by, setBy] = useState<"carrier" | "scope">("carrier");
  const shown = by === "carrier" ? answers.byCarrier : answers.byScope;
  const rows = factoryRows(sites, answers.bySite.data, answers.bySiteBefore.data, reachesBack);
  const title = t.overview[TITLES[answers.step as keyof typeof TITLES] ?? "byDay"];
  if (zone.sites.length === 0) {
    return (
      <div className="overview-none">
        <Panel title={zone.name[lang]}>
          <Empty title={t.overview.noSites} hint={t.overview.noSitesHint} />
        </Panel>
      </div>
    );
  }
  return (
    <div className="overview">
      <h1 className="sr">
        {t.overview.title}: {zone.name[lang]}
      </h1>
      <Strip answers={answers} />
      <EmissionPanel
        title={title}
        answer={shown}
        step={answers.step}
        className="overview-bars"
        fileName={`${zone.id}-emissions`}
        toggle={
          <fieldset className="seg seg-small">
            {(["carrier", "scope"] as const).map((one) => (
              <button key={one} type="button" aria-pressed={by === one} onClick={() => setBy(one)}>
                {one === "carrier" ? t.overview.byCarrier : t.overview.byScope}
              </button>
            ))}
          </fieldset>
        }
      />
      <AttentionPanel answer={answers.attention} />
      <Ranking rows={rows} answer={answers.bySite} live={live} />
      <ZonePlan rows={rows} live={live} />
    </div>
  );
}
