import { useEffect, useState } from "react";
import { attentionQuery } from "../api.ts";
import { agoText } from "../format.ts";
import { FactoryPage } from "../pages/factory/view.tsx";
import { AttentionSheet } from "../pages/overview/attention.tsx";
import { OverviewPage } from "../pages/overview/view.tsx";
import { WhySheet } from "../why/sheet.tsx";
import { useApp } from "./context.tsx";
import { useNow } from "./hooks.ts";
import { useLive } from "./liveStore.ts";
import { Nav } from "./nav.tsx";
import type { Preferences } from "./preferences.ts";
import { useQuery } from "./queries.ts";
import { TopBar } from "./topBar.tsx";

/** The frame around every page: top bar, tree, banner of a lost line, page, side sheets. */
export function Shell({ preferences }: { readonly preferences: Preferences }) {
  const { t, lang, route, go, zone, sites } = useApp();
  const [isAttentionOpen, setAttentionOpen] = useState(false);
  const attention = useQuery(attentionQuery(zone.id));
  const site = sites.find((one) => one.id === route.site);
  const place = route.site === null ? zone.name[lang] : (site?.name[lang] ?? route.site);
  useEffect(() => {
    document.title = `${place} – Khu Xanh`;
  }, [place]);
  const urgent = (attention.data ?? []).filter((item) => item.severity !== "info").length;
  return (
    <>
      <a className="skip" href="#main">
        {t.skip}
      </a>
      <div className="shell">
        <TopBar preferences={preferences} attentionCount={urgent} openAttention={() => setAttentionOpen(true)} />
        <Nav />
        <div className="page">
          <LostBanner />
          <main id="main" tabIndex={-1}>
            {route.site === null ? <OverviewPage /> : <FactoryPage key={route.site} siteId={route.site} />}
          </main>
        </div>
      </div>
      {isAttentionOpen && <AttentionSheet items={attention.data ?? []} onClose={() => setAttentionOpen(false)} />}
      {route.why !== null && <WhySheet key={route.why} id={route.why} onClose={() => go({ why: null })} />}
    </>
  );
}

/** A lost line is said in words, in the page's flow, and goes away by itself. */
function LostBanner() {
  const { t, lang } = useApp();
  const isLost = useLive((live) => live.connection === "lost");
  const event = useLive((live) => live.event);
  const now_ms = useNow(1000);
  if (!isLost) return null;
  const age = event === null ? "" : agoText(now_ms - Date.parse(event.at), lang);
  return (
    <div className="lost" role="alert">
      <b>{t.live.lostTitle}</b>
      {event !== null && <span>{t.live.lostHint(age)}</span>}
    </div>
  );
}
