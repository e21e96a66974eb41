import { createContext, type ReactNode, useContext } from "react";
import type { Site, Zone } from "../../api/schemas.ts";
import type { Span } from "../api.ts";
import type { Range } from "../period.ts";
import type { Texts } from "../text/vi.ts";
import type { Lang } from "../units.ts";
import type { Theme } from "./preferences.ts";
import { type Route, searchOf } from "./router.ts";

/** What every part of the page may ask: words, place, period. */
export interface App {
  readonly t: Texts;
  readonly lang: Lang;
  readonly theme: Theme;
  readonly route: Route;
  readonly go: (change: Partial<Route>, how?: "push" | "replace") => void;
  readonly zone: Zone;
  readonly sites: readonly Site[];
  readonly timeZone: string;
  /** The period chosen, the part of it that has passed, and the one it is compared with. */
  readonly range: Range;
  readonly elapsed: Range;
  readonly previous: Range;
  readonly span: Span;
  /** Whether there is data since the beginning of the period compared with. */
  readonly reachesBack: boolean;
}

const Context = createContext<App | null>(null);

export const AppProvider = ({ app, children }: { readonly app: App; readonly children: ReactNode }) => (
  <Context value={app}>{children}</Context>
);

export function useApp(): App {
  const app = useContext(Context);
  if (app === null) throw new Error("useApp outside AppProvider");
  return app;
}

interface GoLinkProps {
  readonly to: Partial<Route>;
  readonly className?: string;
  readonly isCurrent?: boolean;
  readonly onGo?: () => void;
  readonly children: ReactNode;
}

/** A real link (copy it, open it in a tab) that changes the page without loading it again. */
export function GoLink({ to, className, isCurrent = false, onGo, children }: GoLinkProps) {
  const { route, go } = useApp();
  return (
    <a
      href={searchOf({ ...route, why: null, ...to })}
      className={className}
      aria-current={isCurrent ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        go({ why: null, ...to });
        onGo?.();
      }}
    >
      {children}
    </a>
  );
}
