import type { EmissionFactor } from "../core/emission/factor.ts";
import type { DeviceDefinition } from "../core/model/deviceDefinition.ts";
import type { Bus, Timers } from "../core/ports.ts";
import type { EpochMs, Sample } from "../core/reading/reading.ts";
import type { BlockRead } from "../drivers/modbus/planner.ts";
import { type Accountant, createAccountant } from "./account/accountant.ts";
import type { AccountedMeter, SavedAccounts } from "./account/savedAccounts.ts";
import type { Journal } from "./journal/journal.ts";
import { pollMeter } from "./poll/meter.ts";
import type { Polled, Recorder } from "./recorder.ts";

/** Samples of history in one commit: the disk is synced by the hundred, as a live gateway syncs by the second. */
const COMMIT_SAMPLES = 100;
/** History waits while this many batches are unconfirmed: the collector must not fall behind live data. */
const BACKLOG_MAX = 4000;
const CATCH_UP_MS = 20;

export interface HistoryMeter {
  readonly meter: AccountedMeter;
  readonly unit: number;
  readonly timeout_ms: number;
  readonly counterBlocks: readonly BlockRead[];
}

export interface HistoryRun {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly interval_ms: number;
  readonly buses: readonly { readonly bus: Bus; readonly meters: readonly HistoryMeter[] }[];
  /** Sets the clock the meters answer by. */
  readonly at: (at_ms: EpochMs) => void;
  /** The live accounts continue where it ends. */
  readonly goesOn: boolean;
  /** The readings of that boundary are in the journal already: where another run began, or one was cut off. */
  readonly isHeld: (at_ms: EpochMs) => boolean;
  /** All up to there is in the journal. */
  readonly onProgress: (at_ms: EpochMs) => void;
  readonly isCancelled: () => boolean;
}

export interface HistoryParts {
  readonly journal: Journal;
  readonly recorder: Recorder;
  readonly accounts: SavedAccounts;
  readonly factors: readonly EmissionFactor[];
  readonly timers: Timers;
}

/**
 * Polls history in domain time: the counters of every meter once at each boundary of [from, to], recorded and accounted by the
 * same code as live samples, in accounts of their own.
 */
export async function runHistory(run: HistoryRun, parts: HistoryParts): Promise<"done" | "cancelled"> {
  const { interval_ms, isCancelled } = run;
  const accountants = new Map<string, Accountant>();
  for (const { meters } of run.buses) {
    for (const { meter } of meters) {
      const { definition } = meter;
      accountants.set(definition.device, createAccountant(polledOnce(definition), parts.factors));
    }
  }
  const polled: Polled[] = [];
  let mono_ms = 0;
  for (let at_ms = run.from_ms; at_ms <= run.to_ms && !isCancelled(); at_ms += interval_ms) {
    run.at(at_ms);
    mono_ms += 1;
    const now = { now_ms: () => at_ms, mono_ms: () => mono_ms };
    const samples = (await Promise.all(run.buses.map(({ bus, meters }) => pollAll(bus, meters, now)))).flat();
    const isHeld = run.isHeld(at_ms);
    for (const [meter, sample] of samples) polled.push({ meter, sample, isHeld });
    const isLast = at_ms + interval_ms > run.to_ms || isCancelled();
    if (polled.length < COMMIT_SAMPLES && !isLast) continue;
    parts.recorder.record(polled.splice(0), ({ definition }) => accountants.get(definition.device), false);
    run.onProgress(at_ms);
    while (!isCancelled() && parts.journal.unconfirmed() > BACKLOG_MAX) {
      await new Promise<void>((resolve) => parts.timers.after(CATCH_UP_MS, resolve));
    }
  }
  const outcome = isCancelled() ? "cancelled" : "done";
  if (run.goesOn && outcome === "done") parts.accounts.continueFrom(accountants);
  return outcome;
}

/** The definition as history is polled: once an interval. */
function polledOnce(definition: DeviceDefinition): DeviceDefinition {
  const counters = definition.counters.map((counter) => ({ ...counter, poll_ms: definition.interval_ms }));
  return { ...definition, counters };
}

async function pollAll(
  bus: Bus,
  meters: readonly HistoryMeter[],
  now: { now_ms(): EpochMs; mono_ms(): number },
): Promise<(readonly [AccountedMeter, Sample])[]> {
  const polled: (readonly [AccountedMeter, Sample])[] = [];
  for (const { meter, unit, timeout_ms, counterBlocks } of meters) {
    const asked = { device: meter.definition.device, unit, timeout_ms };
    const sample = await pollMeter(bus, asked, counterBlocks, now);
    if (sample !== null) polled.push([meter, sample]);
  }
  return polled;
}
