import type { EmissionFactor, GwpSet } from "../../core/emission/factor.ts";
import type { Clock, Log, Timers } from "../../core/ports.ts";
import type { LiveView } from "../collector/live.ts";
import type { ZoneStore } from "../store/store.ts";
import type { MarketFile } from "./market.ts";
import type { Health } from "./schemas.ts";

export interface ZoneInfo {
  readonly id: string;
  readonly name: { readonly vi: string; readonly en: string };
  readonly time_zone: string;
}

export interface SiteInfo {
  readonly id: string;
  readonly name: { readonly vi: string; readonly en: string };
  readonly sector: string;
  readonly gateways: readonly string[];
  /** Place on the zone plan, 0…1 from the north-west corner. */
  readonly plan?: { readonly x: number; readonly y: number } | null | undefined;
}

/** Everything the API reads from. It writes nothing. */
export interface ApiDeps {
  readonly store: ZoneStore;
  readonly live: LiveView;
  readonly zone: ZoneInfo;
  readonly sites: readonly SiteInfo[];
  readonly factors: readonly EmissionFactor[];
  readonly gwpSets: readonly GwpSet[];
  /** Contractual instruments of scope 2; left out = none are recorded. */
  readonly market?: MarketFile | undefined;
  /** Half-width at 95 % taken for a factor that publishes none; left out = its uncertainty is not known. */
  readonly assumedFactorUncertainty_pct?: number | undefined;
  readonly clock: Clock;
  /** For the heartbeat and pace of the live stream. */
  readonly timers: Timers;
  readonly version: string;
  /** Kind of the store, shown in /health: `sqlite`. */
  readonly storeName: string;
  readonly history: () => Health["history"];
  readonly brokerConnected: () => boolean;
  /** Folder of the built page; without it the root says how to build it. */
  readonly webDir?: string | undefined;
  readonly log: Log;
}
