import type { LiveEvent } from "../../../api/schemas.ts";
import { GoLink, useApp } from "../../app/context.tsx";
import { useLive } from "../../app/liveStore.ts";
import { numberText } from "../../format.ts";
import { Empty, Panel } from "../../parts/panel.tsx";
import { labelPlaces, planPlace } from "./planLayout.ts";
import type { FactoryRow } from "./query.ts";

interface ZonePlanProps {
  readonly rows: readonly FactoryRow[];
  readonly live: LiveEvent | null;
}

const EDGES = { ok: "c-electricity", warn: "warn", bad: "bad", unknown: "line-strong" } as const;

/** The zone from above: plots, roads, a circle per factory with an area like its tonnes. */
export function ZonePlan({ rows, live }: ZonePlanProps) {
  const { t, lang } = useApp();
  const isLost = useLive((state) => state.connection === "lost");
  const most = Math.max(0, ...rows.map((row) => row.t ?? 0));
  const places = rows.flatMap((row) =>
    row.site.plan === null ? [] : [{ row, at: planPlace(row.site.plan, row.t, most) }],
  );
  const labels = labelPlaces(
    places.map(({ row, at }) => ({ at, name: row.site.name[lang], hasNumber: row.t !== null })),
  );
  return (
    <Panel title={t.overview.plan} note={t.overview.planArea} className="overview-plan">
      {places.length === 0 ? (
        <Empty title={t.overview.planNone} hint={t.overview.planEmpty} />
      ) : (
        <svg className="plan" viewBox="0 0 360 250">
          <title>{t.overview.plan}</title>
          <path className="plan-ground" d="M8 18 348 6 356 232 14 244Z" />
          <path className="plan-road" d="M10 128 352 118M124 14 132 240M240 10 248 236" />
          {places.map(({ row, at }) => {
            const told = live?.sites.find((site) => site.id === row.site.id)?.state ?? row.site.state;
            const state = isLost ? "unknown" : told;
            return (
              <GoLink key={row.site.id} to={{ site: row.site.id }} className="plan-site">
                <title>{row.site.name[lang]}</title>
                <circle
                  cx={at.x}
                  cy={at.y}
                  r={at.radius}
                  style={{ stroke: `var(--${EDGES[state]})`, strokeDasharray: row.t === null ? "3 3" : undefined }}
                />
              </GoLink>
            );
          })}
          {/* After all circles, so that no name lies under a neighbour. */}
          {places.map(({ row, at }, index) => (
            <g key={row.site.id} className="plan-label">
              <text x={labels[index]?.x} y={labels[index]?.y}>
                {row.site.name[lang]}
              </text>
              {row.t !== null && (
                <text x={at.x} y={at.isRoomy ? at.y + 4 : at.y - at.radius - 4} className="plan-tonnes">
                  {numberText(row.t, 1, lang)}
                </text>
              )}
            </g>
          ))}
        </svg>
      )}
    </Panel>
  );
}
