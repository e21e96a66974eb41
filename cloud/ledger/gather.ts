import type { EpochMs } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { GatewayKey, ZoneStore } from "../store/store.ts";
import { type LedgerLine, ledgerLines } from "./ledger.ts";
import { missingBatches } from "./missing.ts";

/** One meter whose ledger is wanted. */
export interface LedgerMeter {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly quantity: QuantityId;
  readonly interval_ms: number;
  readonly time_zone: string;
}

/** Intervals of one meter in one ledger: a year of quarters of an hour. More is asked for in parts. */
export const LINES_MAX = 36_000;
const RECORDS_MAX = 100_000;
/** A gateway that was down for longer before the time asked for is not seen to have been down by its accounts. */
const ACCOUNTS_BEFORE_MS = 86_400_000;
const EMISSIONS_PER_INTERVAL_MAX = 8;

type Store = Pick<
  ZoneStore,
  "intervals" | "emissions" | "countBatches" | "nodeRecords" | "presence" | "gateways" | "batchRanges" | "lostRanges"
>;

/** The facts of the store for [from, to), judged. `to_ms`: the newest interval end that should be here by now, at most. */
export function meterLedger(
  store: Store,
  { gateway, device, quantity, interval_ms, time_zone }: LedgerMeter,
  from_ms: EpochMs,
  to_ms: EpochMs,
  isOnline: boolean,
): LedgerLine[] {
  const intervals = store.intervals(gateway, device, quantity, from_ms, to_ms, LINES_MAX);
  const records = <K extends "loss" | "clock" | "polls" | "meter-swap">(kind: K, since_ms: EpochMs) =>
    store.nodeRecords(gateway, kind, since_ms, Number.MAX_SAFE_INTEGER, RECORDS_MAX);
  return ledgerLines({
    device,
    from_ms,
    to_ms,
    interval_ms,
    time_zone,
    intervals,
    emissions: store.emissions(gateway, device, from_ms, to_ms, LINES_MAX * EMISSIONS_PER_INTERVAL_MAX),
    batches: store.countBatches(gateway, device, from_ms, to_ms, interval_ms),
    losses: records("loss", from_ms).map(({ record }) => record),
    // A correction names batches, whenever it was made.
    clocks: records("clock", 0).map(({ record }) => record),
    polls: records("polls", from_ms - ACCOUNTS_BEFORE_MS).map(({ record }) => record),
    swaps: records("meter-swap", from_ms).map(({ record }) => record),
    presence: store.presence(gateway, from_ms, to_ms),
    underWayFrom_ms: underWayFrom_ms(store, gateway, isOnline),
  });
}

/**
 * From when on the gateway may have content that is not here: from its oldest pending batch on, as it last said; while it is
 * away also all since it was last seen. Numbers that are missing may be of any time.
 */
function underWayFrom_ms(store: Store, gateway: GatewayKey, isOnline: boolean): EpochMs {
  const row = store.gateways().find((one) => one.gateway.edge === gateway.edge && one.gateway.group === gateway.group);
  if (row === undefined || row.epoch === null) return Number.POSITIVE_INFINITY;
  if (missingBatches(store, gateway, row.epoch) > 0) return Number.NEGATIVE_INFINITY;
  const hasPending = (row.pending ?? 0) > 0;
  const pendingFrom_ms = hasPending ? (row.oldestPending_ms ?? Number.NEGATIVE_INFINITY) : Number.POSITIVE_INFINITY;
  const awayFrom_ms = isOnline ? Number.POSITIVE_INFINITY : (row.lastSeen_ms ?? Number.NEGATIVE_INFINITY);
  return Math.min(pendingFrom_ms, awayFrom_ms);
}
