import type { EpochMs, Quality, QualityReason } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { GatewayKey } from "../store/store.ts";

/** The newest value of every quantity of every meter, kept in memory by the collector; history never moves it backwards. */
export interface LiveValue {
  /** Gauge value in the quantity's unit, or for a counter its total in the quantity's unit; null = bad. */
  readonly value: number | null;
  readonly at_ms: EpochMs;
  readonly quality: Quality;
  readonly why: QualityReason | null;
}

export interface LiveMeter {
  readonly gateway: GatewayKey;
  readonly device: string;
  /** Born in the gateway's present session and not dead since. */
  readonly online: boolean;
  /** Since when its values are stale: its own death or its gateway's, or when we stopped hearing it; null while online. */
  readonly staleSince_ms: EpochMs | null;
  readonly values: ReadonlyMap<QuantityId, LiveValue>;
}

export interface LiveView {
  meters(): readonly LiveMeter[];
  isOnline(gateway: GatewayKey): boolean;
  /** Newest interval end committed to the books. */
  booksTo_ms(): EpochMs | null;
  /** Called after values or books changed, at most about four times a second. */
  onChange(listener: () => void): () => void;
}
