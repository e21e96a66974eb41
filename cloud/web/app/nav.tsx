import { useCallback, useRef, useState } from "react";
import type { State } from "../../api/schemas.ts";
import { worstState } from "../derive.ts";
import { StateDot } from "../parts/stateDot.tsx";
import { GoLink, useApp } from "./context.tsx";
import { useDismiss } from "./hooks.ts";
import { useLive } from "./liveStore.ts";

/** Zone and its factories. Beside the page on wide screens, behind one button on narrow ones. */
export function Nav() {
  const { t, lang, route, zone, sites } = useApp();
  const live = useLive((state) => state.event);
  const [isOpen, setOpen] = useState(false);
  const nav = useRef<HTMLElement>(null);
  const close = useCallback(() => setOpen(false), []);
  useDismiss(nav, isOpen, close);
  const stateOf = (id: string, given: State): State => live?.sites.find((one) => one.id === id)?.state ?? given;
  const states = sites.map((site) => stateOf(site.id, site.state));
  const current = sites.find((site) => site.id === route.site);
  return (
    <nav ref={nav} className={isOpen ? "nav nav-open" : "nav"} aria-label={t.nav.label}>
      <button type="button" className="nav-button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <StateDot state={current === undefined ? worstState(states) : stateOf(current.id, current.state)} />
        <span>{current?.name[lang] ?? zone.name[lang]}</span>
        <svg viewBox="0 0 10 6" aria-hidden="true">
          <path d="M1 1l4 4 4-4" />
        </svg>
        <span className="sr">{t.nav.open}</span>
      </button>
      <ul className="nav-list">
        <li>
          <GoLink to={{ site: null }} isCurrent={route.site === null} onGo={close}>
            <StateDot state={worstState(states)} />
            <span className="nav-name">{zone.name[lang]}</span>
            <em title={t.nav.factories(sites.length)}>{sites.length}</em>
          </GoLink>
        </li>
        {sites.map((site, index) => (
          <li key={site.id} className="nav-site">
            <GoLink to={{ site: site.id }} isCurrent={route.site === site.id} onGo={close}>
              <StateDot state={states[index] ?? site.state} />
              <span className="nav-name">{site.name[lang]}</span>
            </GoLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
