import type { LiveEvent, Meter } from "../../../api/schemas.ts";
import { useApp } from "../../app/context.tsx";
import { useNow } from "../../app/hooks.ts";
import { STALE_AFTER_MS } from "../../app/live.ts";
import { useLive } from "../../app/liveStore.ts";
import type { Loaded } from "../../app/queries.ts";
import { tokenOf } from "../../colours.ts";
import { agoText, readingShown, UNKNOWN } from "../../format.ts";
import { Explain } from "../../parts/explain.tsx";
import { Bone, Empty, Failed, Panel } from "../../parts/panel.tsx";
import { StateDot } from "../../parts/stateDot.tsx";
import { asTree, type MeterValue, shownMeter } from "./readings.ts";

interface MeterPanelProps {
  readonly answer: Loaded<readonly Meter[]>;
  readonly live: LiveEvent | null;
}

/** Every meter of the factory: what it reads now, how old that is, and how it is doing, in words. */
export function MeterPanel({ answer, live }: MeterPanelProps) {
  const { t } = useApp();
  const meters = answer.data;
  return (
    <Panel title={t.factory.meters} note={meters?.length ?? ""} className="factory-meters">
      {answer.problem !== null ? (
        <Failed problem={answer.problem} retry={answer.retry} />
      ) : meters === null ? (
        <Bone height={160} />
      ) : meters.length === 0 ? (
        <Empty title={t.factory.metersNone} hint={t.factory.metersNoneHint} />
      ) : (
        <div className="table-box">
          <MeterTable meters={meters} live={live} />
        </div>
      )}
    </Panel>
  );
}

function MeterTable({ meters, live }: { readonly meters: readonly Meter[]; readonly live: LiveEvent | null }) {
  const { t } = useApp();
  const now_ms = useNow(1000);
  return (
    <table className="table meters">
      <thead>
        <tr>
          <th scope="col" className="text">
            {t.factory.meter}
          </th>
          <th scope="col" className="text wide">
            {t.factory.measures}
          </th>
          <th scope="col">{t.factory.now2}</th>
          <th scope="col" className="wide">
            {t.factory.counter}
          </th>
          <th scope="col" className="wide">
            cos φ
          </th>
          <th scope="col">{t.factory.age}</th>
          <th scope="col" className="text">
            {t.factory.health}
          </th>
        </tr>
      </thead>
      <tbody>
        {asTree(meters).map(({ meter, depth }) => (
          <MeterRow key={meter.id} meter={meter} depth={depth} live={live} now_ms={now_ms} />
        ))}
      </tbody>
    </table>
  );
}

interface MeterRowProps {
  readonly meter: Meter;
  readonly depth: number;
  readonly live: LiveEvent | null;
  readonly now_ms: number;
}

function MeterRow({ meter, depth, live, now_ms }: MeterRowProps) {
  const { t, lang } = useApp();
  const shown = shownMeter(meter, live?.meters.find((one) => one.id === meter.id) ?? null);
  const age_ms = shown.at_ms === null ? null : now_ms - shown.at_ms;
  const isStale = age_ms === null || age_ms > STALE_AFTER_MS;
  const isLost = useLive((state) => state.connection === "lost");
  const state = isLost ? "unknown" : shown.state;
  const why = state === "ok" ? null : meter.state_why;
  const words = isLost ? t.unknown : why === null ? t.state[state] : (t.stateWhy[why] ?? why);
  return (
    <tr className={isStale ? "stale" : undefined}>
      <th scope="row" className="text">
        <span className="meter-name" style={{ paddingLeft: depth * 16 }}>
          <i className="kind" style={{ background: `var(--${tokenOf(meter.carrier, null)})` }} aria-hidden="true" />
          {meter.name[lang]}
          <small>{meter.model}</small>
        </span>
      </th>
      <td className="text wide quiet">{t.factory.role[meter.role]}</td>
      <td>
        <Reading value={shown.main} />
      </td>
      <td className="wide">
        <Reading value={shown.counter} />
      </td>
      <td className="wide">
        <Reading value={shown.powerFactor} />
      </td>
      <td className="age">{age_ms === null ? UNKNOWN : agoText(age_ms, lang)}</td>
      <td className="text">
        <span className={`state state-${state}`}>
          <StateDot state={state} /> {words}
        </span>
      </td>
    </tr>
  );
}

/** A value with its unit; one of doubtful quality says so and why. */
function Reading({ value }: { readonly value: MeterValue | null }) {
  const { t, lang } = useApp();
  if (value === null) return <span className="quiet">{UNKNOWN}</span>;
  const shown = readingShown(value.value, value.unit, lang);
  const text = (
    <>
      {shown.number} <span className="unit">{shown.unit}</span>
    </>
  );
  if (value.quality === "good" || value.quality === "stale") return <span title={value.name[lang]}>{text}</span>;
  return (
    <Explain
      className="doubtful"
      words={
        <p>
          {value.name[lang]}: {t.quality[value.quality]}
          {value.why === null ? "" : ` (${t.why.cause[value.why] ?? value.why})`}
        </p>
      }
    >
      {text}
    </Explain>
  );
}
