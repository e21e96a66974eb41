import type { Emissions, LiveEvent } from "../../../api/schemas.ts";
import { GoLink, useApp } from "../../app/context.tsx";
import { useLive } from "../../app/liveStore.ts";
import type { Loaded } from "../../app/queries.ts";
import { numberText, powerShown } from "../../format.ts";
import { ChangeMark } from "../../parts/changeMark.tsx";
import { Coverage } from "../../parts/coverage.tsx";
import { Bone, Failed, Panel } from "../../parts/panel.tsx";
import { StateDot } from "../../parts/stateDot.tsx";
import type { FactoryRow } from "./query.ts";

interface RankingProps {
  readonly rows: readonly FactoryRow[];
  readonly answer: Loaded<Emissions>;
  readonly live: LiveEvent | null;
}

/** Factories by tonnes. The whole row leads to the factory; the name is the link the keyboard finds. */
export function Ranking({ rows, answer, live }: RankingProps) {
  const { t, lang, go, elapsed } = useApp();
  const isLost = useLive((state) => state.connection === "lost");
  const most = Math.max(0, ...rows.map((row) => row.t ?? 0));
  return (
    <Panel title={t.overview.factories} note={t.overview.rankedBy} className="overview-ranking" isOld={answer.isOld}>
      {answer.problem !== null ? (
        <Failed problem={answer.problem} retry={answer.retry} />
      ) : answer.data === null ? (
        <Bone height={32 * rows.length + 24} />
      ) : (
        <div className="table-box">
          <table className="table ranking">
            <thead>
              <tr>
                <th scope="col" className="text">
                  {t.overview.name}
                </th>
                <th scope="col">t CO₂e</th>
                <th scope="col" className="share">
                  <span className="sr">{t.overview.rankedBy}</span>
                </th>
                <th scope="col">{t.overview.change}</th>
                <th scope="col" className="wide">
                  {t.overview.measured}
                </th>
                <th scope="col">{t.overview.powerNow}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => {
                const own = live?.sites.find((site) => site.id === row.site.id);
                const power = powerShown(own?.power_W ?? null, lang);
                return (
                  <tr
                    key={row.site.id}
                    className="row-link"
                    onClick={(event) => {
                      const isOwn = event.target instanceof Element && event.target.closest("a,button") !== null;
                      if (!isOwn) go({ site: row.site.id });
                    }}
                  >
                    <th scope="row" className="text">
                      <GoLink to={{ site: row.site.id }} className="name-link">
                        <StateDot state={own?.state ?? row.site.state} />
                        {row.site.name[lang]}
                      </GoLink>
                    </th>
                    <td>
                      {row.group === null || row.t === null ? (
                        "–"
                      ) : (
                        <button
                          type="button"
                          className="figure-link"
                          title={t.why.open}
                          onClick={() => go({ why: row.group?.id ?? null })}
                        >
                          {numberText(row.t, 1, lang)}
                        </button>
                      )}
                    </td>
                    <td className="share">
                      <div style={{ width: `${most > 0 ? (100 * (row.t ?? 0)) / most : 0}%` }} />
                    </td>
                    <td>
                      <ChangeMark change={row.change} isShort />
                    </td>
                    <td className="wide">
                      {row.group === null ? "–" : <Coverage figure={row.group.total} elapsed={elapsed} isShort />}
                    </td>
                    <td className={isLost ? "old" : undefined}>
                      {power.number} <span className="unit">{power.unit}</span>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
