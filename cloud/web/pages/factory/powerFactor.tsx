import type { LiveEvent, Meter } from "../../../api/schemas.ts";
import { useApp } from "../../app/context.tsx";
import { useLive } from "../../app/liveStore.ts";
import type { Loaded } from "../../app/queries.ts";
import { numberText } from "../../format.ts";
import { Bone, Empty, Panel } from "../../parts/panel.tsx";
import { asTree, shownMeter } from "./readings.ts";

interface PowerFactorPanelProps {
  readonly meters: Loaded<readonly Meter[]>;
  readonly live: LiveEvent | null;
}

/** cos φ now, per meter that sends one: a bar from 0.5 to 1, where the difference is. */
export function PowerFactorPanel({ meters, live }: PowerFactorPanelProps) {
  const { t, lang } = useApp();
  const isLost = useLive((state) => state.connection === "lost");
  const rows = asTree(meters.data ?? []).flatMap(({ meter }) => {
    const value = shownMeter(meter, live?.meters.find((one) => one.id === meter.id) ?? null).powerFactor;
    return value === null ? [] : [{ meter, value: value.value }];
  });
  return (
    <Panel title={t.factory.powerFactor} note="cos φ" className="factory-pf" isOld={isLost}>
      {meters.data === null ? (
        <Bone height={120} />
      ) : rows.length === 0 ? (
        <Empty title={t.overview.noData} hint={t.factory.noPowerFactor} />
      ) : (
        <ul className="pf">
          {rows.map(({ meter, value }) => (
            <li key={meter.id}>
              <span>{meter.name[lang]}</span>
              <span className="pf-bar" aria-hidden="true">
                <i style={{ width: `${barShare_pct(value)}%` }} />
              </span>
              <b>{numberText(value, 2, lang)}</b>
            </li>
          ))}
          <li className="pf-scale" aria-hidden="true">
            <span />
            <span>
              <em>{numberText(0.5, 1, lang)}</em>
              <em>{numberText(1, 1, lang)}</em>
            </span>
            <b />
          </li>
        </ul>
      )}
    </Panel>
  );
}

const barShare_pct = (value: number | null): number =>
  value === null ? 0 : Math.max(0, Math.min(100, (Math.abs(value) - 0.5) * 200));
