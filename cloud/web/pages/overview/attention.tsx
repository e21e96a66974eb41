import { useState } from "react";
import type { Attention } from "../../../api/schemas.ts";
import { metersQuery } from "../../api.ts";
import { GoLink, useApp } from "../../app/context.tsx";
import { useNow } from "../../app/hooks.ts";
import { type Loaded, useQuery } from "../../app/queries.ts";
import { durationText } from "../../format.ts";
import { Bone, Empty, Failed, Panel } from "../../parts/panel.tsx";
import { Sheet } from "../../parts/sheet.tsx";
import { attentionWords } from "../../text/attention.ts";

const WEIGHT = { bad: 0, warn: 1, info: 2 } as const;

export function AttentionPanel({ answer }: { readonly answer: Loaded<readonly Attention[]> }) {
  const { t } = useApp();
  return (
    <Panel title={t.overview.attention} note={answer.data?.length ?? ""} className="overview-attention">
      {answer.problem !== null ? (
        <Failed problem={answer.problem} retry={answer.retry} />
      ) : answer.data === null ? (
        <Bone height={180} />
      ) : (
        <AttentionList items={answer.data} />
      )}
    </Panel>
  );
}

export function AttentionSheet({
  items,
  onClose,
}: {
  readonly items: readonly Attention[];
  readonly onClose: () => void;
}) {
  const { t } = useApp();
  return (
    <Sheet title={t.overview.attention} onClose={onClose}>
      <AttentionList items={items} onGo={onClose} />
    </Sheet>
  );
}

interface AttentionListProps {
  readonly items: readonly Attention[];
  readonly onGo?: () => void;
}

/** At most this many at once; the rest behind one button. */
const SHOWN = 30;

/** Most urgent first, each with the link to where it can be dealt with. */
function AttentionList({ items, onGo }: AttentionListProps) {
  const { t, lang, sites, zone } = useApp();
  const now_ms = useNow(30_000);
  const meters = useQuery(metersQuery({ zone: zone.id })).data;
  const [limit, setLimit] = useState(SHOWN);
  if (items.length === 0) return <Empty title={t.overview.attentionNone} hint={t.overview.attentionNoneHint} />;
  const sorted = [...items].sort((a, b) => WEIGHT[a.severity] - WEIGHT[b.severity]);
  return (
    <>
      <ul className="attention">
        {sorted.slice(0, limit).map((item) => {
          const site = sites.find((one) => one.id === item.site);
          const meter = meters?.find((one) => one.id === item.meter)?.name[lang] ?? null;
          const words = attentionWords(item, { place: site?.name[lang] ?? null, meter }, t, lang);
          const body = (
            <>
              <b>{words.title}</b>
              <span className="quiet">
                {item.since === null ? "" : durationText(now_ms - Date.parse(item.since), lang)}
              </span>
              <span className="attention-detail">{words.detail}</span>
            </>
          );
          return (
            <li
              key={`${item.code} ${item.site} ${item.gateway} ${item.meter} ${words.title}`}
              className={item.severity}
            >
              {item.site === null ? (
                <div className="attention-body">{body}</div>
              ) : (
                <GoLink to={{ site: item.site }} className="attention-body" {...(onGo === undefined ? {} : { onGo })}>
                  {body}
                </GoLink>
              )}
            </li>
          );
        })}
      </ul>
      {sorted.length > limit && (
        <button type="button" className="button" onClick={() => setLimit(limit + SHOWN)}>
          {t.more(Math.min(SHOWN, sorted.length - limit))}
        </button>
      )}
    </>
  );
}
