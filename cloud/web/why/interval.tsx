import { useState } from "react";
import type { Trace, TraceInterval } from "../../api/schemas.ts";
import { ask, tracePageQuery } from "../api.ts";
import { useApp } from "../app/context.tsx";
import { amountShown, coverageText, dayTimeText, numberText, timeText, UNKNOWN } from "../format.ts";
import { unitText } from "../units.ts";
import { joined } from "./chain.ts";
import { groupedDigits, readTimeText, tickDifference, tickText, wordsOf } from "./words.ts";

const PAGE = 50;

interface IntervalListProps {
  readonly activity: Trace["activities"][number];
  readonly timeZone: string;
  readonly traceId: string;
}

interface Older {
  readonly intervals: readonly TraceInterval[];
  readonly next: number | null;
}

/**
 * The intervals behind an activity, newest first, fifty at a time; each opens to its register words. The trace brings the
 * newest, the older ones are fetched when somebody goes on.
 */
export function IntervalList({ activity, timeZone, traceId }: IntervalListProps) {
  const { t, lang } = useApp();
  const [limit, setLimit] = useState(PAGE);
  const [openAt, setOpenAt] = useState<string | null>(null);
  const [older, setOlder] = useState<Older | null>(null);
  const [fetching, setFetching] = useState<"no" | "yes" | "failed">("no");
  const { intervals_total } = activity;
  const intervals = older === null ? activity.intervals : joined(activity.intervals, older.intervals);
  const next = older === null ? activity.next_offset : older.next;
  const left = next === null ? intervals.length - limit : intervals_total - limit;
  const showMore = async (): Promise<void> => {
    if (limit + PAGE > intervals.length && next !== null) {
      setFetching("yes");
      const answer = await ask(tracePageQuery(traceId, activity.meter, next), new AbortController().signal);
      setFetching(answer.kind === "failed" ? "failed" : "no");
      if (answer.kind === "failed") return;
      const page = answer.data.activities.find((one) => one.meter === activity.meter);
      setOlder({
        intervals: joined(older?.intervals ?? [], page?.intervals ?? []),
        next: page?.next_offset ?? null,
      });
    }
    setLimit(limit + PAGE);
  };
  return (
    <div className="intervals">
      <table className="table">
        <thead>
          <tr>
            <th scope="col" className="text">
              {t.why.interval}
            </th>
            <th scope="col">{t.why.amount}</th>
            <th scope="col" className="text">
              {t.why.quality}
            </th>
            <th scope="col">{t.overview.measured}</th>
          </tr>
        </thead>
        <tbody>
          {intervals.slice(0, limit).map((interval) => (
            <IntervalRows
              key={interval.from}
              interval={interval}
              timeZone={timeZone}
              isOpen={openAt === interval.from}
              toggle={() => setOpenAt(openAt === interval.from ? null : interval.from)}
            />
          ))}
        </tbody>
      </table>
      <p className="quiet small intervals-foot">
        {t.why.showing(numberText(Math.min(limit, intervals.length), 0, lang), numberText(intervals_total, 0, lang))}
        {left > 0 && (
          <button type="button" className="button" disabled={fetching === "yes"} onClick={() => void showMore()}>
            {t.more(Math.min(PAGE, left))}
          </button>
        )}
        {fetching === "failed" && <span role="alert"> {t.why.olderFailed}</span>}
      </p>
    </div>
  );
}

interface IntervalRowsProps {
  readonly interval: TraceInterval;
  readonly timeZone: string;
  readonly isOpen: boolean;
  readonly toggle: () => void;
}

function IntervalRows({ interval, timeZone, isOpen, toggle }: IntervalRowsProps) {
  const { t, lang } = useApp();
  const from_ms = Date.parse(interval.from);
  const amount = amountShown(interval.value, interval.unit, lang);
  return (
    <>
      <tr className={interval.flag === "M" ? undefined : "flagged"}>
        <th scope="row" className="text">
          <button type="button" className="disclose" aria-expanded={isOpen} onClick={toggle}>
            <svg viewBox="0 0 6 10" aria-hidden="true">
              <path d="M1 1l4 4-4 4" />
            </svg>
            {dayTimeText(from_ms, timeZone, lang)}–{timeText(Date.parse(interval.to), timeZone)}
          </button>
        </th>
        <td>
          {amount.number} <span className="unit">{amount.unit}</span>
        </td>
        <td className="text" title={t.why.flag[interval.flag]}>
          <span className={`flag flag-${interval.flag}`}>{interval.flag}</span> {t.why.flagShort[interval.flag]}
        </td>
        <td>{coverageText(interval.coverage_pct, lang)}</td>
      </tr>
      {isOpen && (
        <tr className="interval-open">
          <td colSpan={4}>
            <IntervalDetail interval={interval} timeZone={timeZone} />
          </td>
        </tr>
      )}
    </>
  );
}

/** From the words the meter answered with to the entry in the books. */
function IntervalDetail({ interval, timeZone }: { readonly interval: TraceInterval; readonly timeZone: string }) {
  const { t, lang } = useApp();
  const ticks = interval.ticks ?? tickDifference(interval.opening?.count ?? null, interval.closing?.count ?? null);
  const perTick = t.why.tick(tickText(interval.tick, (ucum) => unitText(ucum, lang)));
  const saidTicks = interval.gateway_said?.ticks ?? null;
  const said = saidTicks === null ? UNKNOWN : groupedDigits(saidTicks, lang);
  return (
    <div className="detail">
      <p>
        {t.why.flag[interval.flag]}
        {interval.cause !== null && <>: {t.why.cause[interval.cause] ?? interval.cause}</>} ·{" "}
        {t.why.polls(numberText(interval.polls_answered, 0, lang), numberText(interval.polls_expected, 0, lang))} ·{" "}
        <span className={interval.verification === "disagreed" ? "bad-text" : undefined}>
          {t.why.verification[interval.verification]}
        </span>
      </p>
      {interval.gateway_said !== null && (
        <p className="quiet small">{t.why.gatewaySaid(said, t.why.flag[interval.gateway_said.flag])}</p>
      )}
      {interval.substitution !== null && (
        <p className="substituted">
          {t.why.substituted(
            t.why.rules[interval.substitution.rule] ?? interval.substitution.rule,
            interval.substitution.author,
            dayTimeText(Date.parse(interval.substitution.known_from), timeZone, lang),
          )}
          {Object.entries(interval.substitution.inputs).map(([key, value]) => (
            <span key={key} className="quiet small">
              {" "}
              {key}: {value}
            </span>
          ))}
        </p>
      )}
      <dl className="boundaries">
        {([interval.closing, interval.opening] as const).map((boundary, index) => (
          <BoundaryItem
            key={index === 0 ? "closing" : "opening"}
            title={index === 0 ? t.why.closing : t.why.opening}
            boundary={boundary}
            noWords={interval.verification === "recomputed" ? t.why.noWordsHere : t.why.noWords}
            timeZone={timeZone}
          />
        ))}
        <div>
          <dt>{t.why.difference}</dt>
          <dd>
            <code>{ticks === null ? UNKNOWN : groupedDigits(ticks, lang)}</code>{" "}
            <span className="quiet">{perTick}</span>
          </dd>
        </div>
      </dl>
      <p className="quiet small">{t.why.interpolated}</p>
      <dl className="entries">
        <dt>{t.why.entries}</dt>
        {interval.entries.map((entry) => (
          <dd key={entry.id}>
            {gasText(entry.gas)} <code>{groupedDigits(entry.mg, lang)} mg</code>{" "}
            <span className="quiet">
              {entry.factor}, {t.why.match[entry.match]}
            </span>
            {entry.earlier.map((version) => (
              <span key={version.id} className="quiet small earlier">
                {t.why.earlier(
                  groupedDigits(version.mg, lang),
                  version.factor,
                  dayTimeText(Date.parse(version.known_from), timeZone, lang),
                )}{" "}
                {t.why.because[version.superseded_because] ?? version.superseded_because}
              </span>
            ))}
          </dd>
        ))}
      </dl>
      <p className="quiet small">
        {t.why.batch(interval.batch.gateway, interval.batch.epoch, numberText(interval.batch.number, 0, lang))}
      </p>
    </div>
  );
}

const GASES: Readonly<Record<string, string>> = {
  co2: "CO₂",
  ch4: "CH₄",
  n2o: "N₂O",
  co2_biogenic: "CO₂ bio",
  co2e: "CO₂e",
};
const gasText = (gas: string): string => GASES[gas] ?? gas;

interface BoundaryItemProps {
  readonly title: string;
  readonly boundary: TraceInterval["opening"];
  /** Said where the words of no reading are kept. */
  readonly noWords: string;
  readonly timeZone: string;
}

function BoundaryItem({ title, boundary, noWords, timeZone }: BoundaryItemProps) {
  const { t, lang } = useApp();
  const words = boundary?.words ?? null;
  const across = boundary?.across ?? null;
  return (
    <div>
      <dt>{title}</dt>
      <dd>
        {boundary === null ? (
          UNKNOWN
        ) : (
          <>
            <span className="quiet">{t.why.count}</span> <code>{groupedDigits(boundary.count, lang)}</code>
          </>
        )}
      </dd>
      <dd>
        {words === null ? <span className="quiet">{noWords}</span> : <WordsRead words={words} timeZone={timeZone} />}
      </dd>
      {across !== null && (
        <>
          <dd className="quiet small across">{t.why.interpolatedBetween}</dd>
          <dd>
            <WordsRead words={across} timeZone={timeZone} />
          </dd>
        </>
      )}
    </div>
  );
}

interface WordsReadProps {
  readonly words: NonNullable<NonNullable<TraceInterval["opening"]>["words"]>;
  readonly timeZone: string;
}

/** The words of one reading, where they were read and when. */
function WordsRead({ words, timeZone }: WordsReadProps) {
  const { t, lang } = useApp();
  return (
    <>
      <code className="words">
        {wordsOf(words.hex).map((word, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the position of a register word is what it is.
          <span key={index}>{word}</span>
        ))}
      </code>
      <span className="quiet small">
        {t.why.registerOf(String(words.fc), String(words.address), "")},{" "}
        {t.why.readAt(readTimeText(Date.parse(words.at), timeZone, lang))}
      </span>
    </>
  );
}
