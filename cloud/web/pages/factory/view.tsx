import type { Site } from "../../../api/schemas.ts";
import { useApp } from "../../app/context.tsx";
import { useLive } from "../../app/liveStore.ts";
import { EmissionPanel } from "../../parts/emissionPanel.tsx";
import { Bone, Empty, Panel } from "../../parts/panel.tsx";
import { StateDot } from "../../parts/stateDot.tsx";
import { FlowPanel } from "./flowPanel.tsx";
import { LoadPanel } from "./load.tsx";
import { MeterPanel } from "./meters.tsx";
import { PowerFactorPanel } from "./powerFactor.tsx";
import { useFactory } from "./query.ts";
import { FactoryStrip } from "./strip.tsx";

const TITLES = { hour: "byHour", day: "byDay", month: "byMonth" } as const;

export function FactoryPage({ siteId }: { readonly siteId: string }) {
  const { t, sites, zone } = useApp();
  const site = sites.find((one) => one.id === siteId);
  if (site !== undefined) return <Factory site={site} />;
  if (sites.length === 0 && zone.sites.length > 0) return <Bone height={320} />;
  return (
    <Panel title={siteId}>
      <Empty title={t.factory.notFound} hint={t.factory.notFoundHint} />
    </Panel>
  );
}

function Factory({ site }: { readonly site: Site }) {
  const { t, lang } = useApp();
  const answers = useFactory(site.id);
  const live = useLive((state) => state.event);
  const isLost = useLive((state) => state.connection === "lost");
  const state = isLost ? "unknown" : (live?.sites.find((one) => one.id === site.id)?.state ?? site.state);
  const title = t.overview[TITLES[answers.barStep as keyof typeof TITLES] ?? "byDay"];
  const sector = t.sector[site.sector] ?? site.sector;
  return (
    <div className="factory">
      <div className="factory-title">
        <h1>{site.name[lang]}</h1>
        <span className={`state state-${state}`}>
          <StateDot state={state} /> {isLost ? t.unknown : t.state[state]}
        </span>
        <span className="quiet">
          {sector} · {t.factory.gateways(site.gateways.join(", "))}
        </span>
      </div>
      <FactoryStrip answers={answers} site={site} live={live} />
      <LoadPanel answer={answers.load} step={answers.loadStep} site={site} />
      <FlowPanel energy={answers.byMeter} byCarrier={answers.load.data} meters={answers.meters.data} />
      <EmissionPanel
        title={`${t.factory.bySource} · ${title.split(" ").slice(-2).join(" ").toLowerCase()}`}
        answer={answers.emissions}
        step={answers.barStep}
        className="factory-bars"
        fileName={`${site.id}-emissions`}
      />
      <PowerFactorPanel meters={answers.meters} live={live} />
      <MeterPanel answer={answers.meters} live={live} />
    </div>
  );
}
