import { useEffect, useMemo, useRef } from "react";
import { sitesQuery, zonesQuery } from "../api.ts";
import { after } from "../io.ts";
import { FailedWords } from "../parts/panel.tsx";
import { elapsedOf, previousOf, QUARTER_MS, rangeOf } from "../period.ts";
import { en } from "../text/en.ts";
import { vi } from "../text/vi.ts";
import { type App, AppProvider } from "./context.tsx";
import { useNow, useRoute } from "./hooks.ts";
import { connectLive, useLive } from "./liveStore.ts";
import { usePreferences } from "./preferences.ts";
import { refreshAll, useQuery } from "./queries.ts";
import { Shell } from "./shell.tsx";

const NO_SITES = [] as const;

/** Finds the zone, keeps the live line open, and hands every part its words, place and period. */
export function Root() {
  const preferences = usePreferences();
  const { lang, theme } = preferences;
  const t = lang === "vi" ? vi : en;
  const [route, go] = useRoute();
  useEffect(connectLive, []);
  useRefreshWhenBooksGrow();

  const zones = useQuery(zonesQuery());
  const zone = zones.data?.find((one) => one.id === route.zone) ?? zones.data?.[0] ?? null;
  const sites = useQuery(zone === null ? null : sitesQuery(zone.id)).data ?? NO_SITES;
  const now_ms = useNow(10_000);
  const quarter_ms = Math.floor(now_ms / QUARTER_MS) * QUARTER_MS;
  const timeZone = zone?.time_zone ?? "Asia/Ho_Chi_Minh";
  const choice = JSON.stringify(route.period);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `choice` stands for route.period, which is a new object each time.
  const span = useMemo(() => {
    const range = rangeOf(route.period, quarter_ms, timeZone);
    return {
      range,
      timeZone,
      span: { range, timeZone },
      elapsed: elapsedOf(range, quarter_ms),
      previous: previousOf(range, quarter_ms),
    };
  }, [choice, quarter_ms, timeZone]);

  if (zone === null) {
    return (
      <main className="lonely">
        {zones.problem !== null && <FailedWords t={t} problem={zones.problem} retry={zones.retry} />}
      </main>
    );
  }
  const reachesBack = zone.data_from !== null && Date.parse(zone.data_from) <= span.previous.from_ms;
  const app: App = { t, lang, theme, route, go, zone, sites, reachesBack, ...span };
  return (
    <AppProvider app={app}>
      <Shell preferences={preferences} />
    </AppProvider>
  );
}

/** Waits a moment for the last meter of an interval, then asks again for what is on the page; also after a lost line. */
function useRefreshWhenBooksGrow(): void {
  const booksTo = useLive((live) => live.event?.books_to ?? null);
  const historyDays = useLive((live) => live.event?.history?.done_days ?? null);
  const connection = useLive((live) => live.connection);
  const seen = useRef({ booksTo, historyDays, wasLost: false });
  useEffect(() => {
    const last = seen.current;
    const isLost = connection === "lost";
    const hasHealed = last.wasLost && connection === "open";
    const hasGrown = last.booksTo !== null && booksTo !== last.booksTo;
    const hasHistory = last.historyDays !== null && historyDays !== last.historyDays;
    seen.current = { booksTo, historyDays, wasLost: isLost || (last.wasLost && connection !== "open") };
    if (hasHealed || hasGrown) refreshSoon(REFRESH_AFTER_MS);
    else if (hasHistory) refreshSoon(REFRESH_HISTORY_MS);
  }, [booksTo, historyDays, connection]);
}

const REFRESH_AFTER_MS = 1500;
/** While the demo computes its past, days arrive faster than anyone reads: leave the machine to it. */
const REFRESH_HISTORY_MS = 4000;
let isRefreshDue = false;

/** At most one refresh in that time however fast the books grow; never put off by the next growth. */
function refreshSoon(after_ms: number): void {
  if (isRefreshDue) return;
  isRefreshDue = true;
  after(after_ms, () => {
    isRefreshDue = false;
    refreshAll();
  });
}
