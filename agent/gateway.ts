import type { AgentConfig, BusConfig, MeterConfig } from "../config/files/agent.ts";
import { CARRIERS } from "../core/emission/carriers.ts";
import type { EmissionFactor } from "../core/emission/factor.ts";
import { KhuXanhError } from "../core/errors.ts";
import type { Interval } from "../core/interval/interval.ts";
import type { DeviceDefinition } from "../core/model/deviceDefinition.ts";
import type { MeterModel, Register } from "../core/model/meterModel.ts";
import { atMost, type Bus, type Cancel, type Clock, type Log, type Timers } from "../core/ports.ts";
import type { EpochMs, Sample } from "../core/reading/reading.ts";
import type { QuantityId } from "../core/units/quantities.ts";
import type { BlockRead } from "../drivers/modbus/planner.ts";
import { assumedDiscovery, discover, resolveDiscovery } from "../drivers/sunspec/discover.ts";
import { createAccountant } from "./account/accountant.ts";
import { PollAccount } from "./account/pollAccount.ts";
import { type AccountedMeter, SavedAccounts } from "./account/savedAccounts.ts";
import type { ClockState } from "./clockTrust.ts";
import { type HistoryMeter, runHistory } from "./historyRun.ts";
import type { Journal } from "./journal/journal.ts";
import { LastReadings } from "./lastReadings.ts";
import { plannedMeter } from "./plannedMeter.ts";
import { BusWorker } from "./poll/busWorker.ts";
import { holdsCounter } from "./poll/due.ts";
import { linesOf, readCost } from "./poll/line.ts";
import type { Found, MapResult, WorkerMeter } from "./poll/polledMeter.ts";
import type { BusStatus } from "./poll/status.ts";
import { type Polled, Recorder } from "./recorder.ts";
import type { LiveDevice } from "./uplink/edgeNode.ts";

/**
 * One gateway: its lines and meters, the journal they are recorded in, the accounts derived from it.
 *
 * One heartbeat (architecture §4.2): what is due in a tick is polled together, decoded, committed once and published in one
 * burst. A line that is not done by then delivers with the next tick. Each line has one worker, which decides who is asked.
 */
export interface GatewayOptions {
  readonly config: AgentConfig;
  readonly resolveModel: (idOrFile: string) => MeterModel;
  readonly factors: readonly EmissionFactor[];
  readonly openBus: (bus: BusConfig) => Bus;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Told after every commit which batches are new, and when a meter falls silent or comes back. */
  readonly onCommitted: (numbers: readonly number[], isLive: boolean) => void;
  readonly onDevice: (device: LiveDevice) => void;
  /** Whether the wall clock can be believed; it is, if nobody says otherwise. */
  readonly clockState?: () => ClockState;
}

const TICK_MIN_MS = 100;
const TICK_MAX_MS = 1000;
/** A timer that fires earlier than this before its tick is early; more is a clock that went back. */
const EARLY_MAX_MS = 5;

interface MeterRuntime {
  readonly bus: BusConfig["url"];
  readonly config: MeterConfig;
  readonly timeout_ms: number;
  readonly last: LastReadings;
  /** The last interval of each counter, closed since the start. */
  readonly intervals: Map<QuantityId, Interval>;
  /** null until its model is resolved: a SunSpec map has to be found on the meter first. */
  defined: Defined | null;
  /** false: its SunSpec chain could not be read to the end. */
  isWhole: boolean;
  isAnswering: boolean;
}

interface Defined extends AccountedMeter {
  readonly model: MeterModel;
  /** What history is polled with. */
  readonly counterBlocks: readonly BlockRead[];
  /** Where its main counter begins, by which polls are counted; null if it has none. */
  readonly mainRegister: Pick<Register, "fc" | "address"> | null;
}

interface BusRuntime {
  readonly config: BusConfig;
  readonly meters: readonly MeterRuntime[];
}

export interface GatewayCounts {
  polls: number;
  failedPolls: number;
  readings: number;
  intervals: number;
  withoutFactor: number;
  droppedSamples: number;
  /** Polls left out because their line was still busy when the next one fell due. */
  busOverruns: number;
}

export class Gateway {
  readonly #o: GatewayOptions;
  readonly #buses: readonly BusRuntime[];
  readonly #meters: ReadonlyMap<string, MeterRuntime>;
  readonly #workers: readonly BusWorker[];
  readonly counts: GatewayCounts = {
    polls: 0,
    failedPolls: 0,
    readings: 0,
    intervals: 0,
    withoutFactor: 0,
    droppedSamples: 0,
    busOverruns: 0,
  };
  readonly #polls: PollAccount;
  readonly #accounts: SavedAccounts;
  readonly #recorder: Recorder;
  readonly #pending: Polled[] = [];
  /** What meters taught about their plans, and told about their settings, since it was last saved. */
  readonly #unsavedPlans = new Map<string, string>();
  #cancelTick: Cancel = () => {};
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: GatewayOptions) {
    this.#o = options;
    this.#buses = options.config.buses.map((config) => ({
      config,
      meters: config.meters.map((meter) => ({
        bus: config.url,
        config: meter,
        timeout_ms: config.timeout_ms,
        last: new LastReadings(),
        intervals: new Map(),
        defined: null,
        isWhole: true,
        isAnswering: false,
      })),
    }));
    this.#meters = new Map(this.#buses.flatMap(({ meters }) => meters.map((meter) => [meter.config.id, meter])));
    const polled = [...this.#meters.values()].map(({ config: { id, every } }) => ({
      device: id,
      every_ms: every.energy_ms,
    }));
    const { interval_ms, time_zone } = options.config;
    this.#polls = new PollAccount(polled, interval_ms, time_zone, options.clock.now_ms());
    this.#accounts = new SavedAccounts(options.journal, options.log, () => this.#defined());
    this.#recorder = this.#makeRecorder();
    this.#workers = [...linesOf(options.config.buses)].map(([url, [first, ...others]]) =>
      this.#startWorker(url, first!, others),
    );
    this.#accounts.replay([...this.#defined()]);
  }

  #makeRecorder(): Recorder {
    const { journal, clock, log, clockState, onCommitted } = this.#o;
    return new Recorder({
      journal,
      clock,
      log,
      clockState: clockState ?? (() => "set"),
      polls: this.#polls,
      accounts: this.#accounts,
      moreState: { all: () => this.#unsavedPlans, saved: () => this.#unsavedPlans.clear() },
      counts: this.counts,
      onReadings: (device, readings) => this.#meters.get(device)?.last.take(readings),
      onIntervals: (device, intervals) => {
        const meter = this.#meters.get(device);
        if (meter !== undefined) for (const interval of intervals) meter.intervals.set(interval.quantity, interval);
      },
      onAsksWho: (device) => {
        for (const worker of this.#workers) worker.askWho(device);
      },
      onCommitted,
    });
  }

  #startWorker(url: string, first: BusConfig, others: readonly BusConfig[]): BusWorker {
    const { openBus, clock, timers, log } = this.#o;
    const listed = [first, ...others].flatMap(({ meters }) => meters);
    return new BusWorker({
      id: first.id,
      sharedWith: others.map(({ id }) => id),
      url,
      bus: openBus(first),
      clock,
      log,
      pause: (length_ms) => new Promise((resolve) => timers.after(length_ms, resolve)),
      meters: listed.map(({ id }) => this.#workerMeter(this.#meters.get(id)!)),
      onSample: (device, sample) => this.#take(device, sample),
      onLeftOut: (device, polls) => this.#polls.leftOut(device, polls),
      onLearned: (device, text) => this.#unsavedPlans.set(learnedKey(device), text),
      onSettings: (device, text) => this.#unsavedPlans.set(settingsKey(device), text),
      onAnswering: (device, isAnswering, why) => this.#noteAnswering(device, isAnswering, why),
    });
  }

  #workerMeter(meter: MeterRuntime): WorkerMeter {
    const { id: device, unit, every } = meter.config;
    const model = this.#o.resolveModel(meter.config.model);
    if (model.discovery === undefined) meter.defined = this.#define(meter, model);
    // What can be told to be wrong before the device is asked is said now, as `check` says it.
    else plannedMeter(this.#o.config, meter.config, assumedDiscovery(model));
    return {
      device,
      unit,
      timeout_ms: meter.timeout_ms,
      model: model.id,
      every_ms: Math.min(every.power_ms, every.energy_ms),
      // A TCP device or gateway keeps the pauses of the line behind it by itself.
      min_gap_ms: meter.bus.kind === "tcp" ? 0 : model.timing.min_gap_ms,
      map: meter.defined === null ? (bus) => this.#findMap(bus, meter) : this.#found(meter, meter.defined),
    };
  }

  #found({ bus, isWhole }: MeterRuntime, { definition, model }: Defined): Found {
    const learned = this.#o.journal.getState(learnedKey(definition.device));
    const settings = this.#o.journal.getState(settingsKey(definition.device));
    return { kind: "found", definition, limits: model.limits, cost: readCost(bus, model), learned, settings, isWhole };
  }

  /** Begins the heartbeat, aligned to the wall clock. */
  start(): void {
    const { clock, timers } = this.#o;
    const tick_ms = this.#tick_ms();
    const schedule = (): void => {
      if (this.#isStopped) return;
      const now_ms = clock.now_ms();
      beatAt(Math.floor(now_ms / tick_ms) * tick_ms + tick_ms);
    };
    const beatAt = (at_ms: EpochMs): void => {
      this.#cancelTick = timers.after(at_ms - clock.now_ms(), () => {
        const early_ms = at_ms - clock.now_ms();
        // A counter read a fraction before the end of an interval would be the wrong side of it.
        if (early_ms > 0 && early_ms < EARLY_MAX_MS) beatAt(at_ms);
        else this.#running = this.#tick(tick_ms).finally(schedule);
      });
    };
    // The first poll does not wait for the beat: the gap that a restart leaves is over sooner.
    this.#cancelTick = timers.after(0, () => {
      this.#running = this.#tick(tick_ms).finally(schedule);
    });
  }

  /** The lines as they are now; one a line, however many buses of the configuration share it. */
  busStatus(): readonly BusStatus[] {
    return this.#workers.map((worker) => worker.status());
  }

  devices(): readonly LiveDevice[] {
    return this.#buses.flatMap(({ meters }) =>
      meters.flatMap((meter) => (meter.defined === null ? [] : [liveDevice(meter, meter.defined)])),
    );
  }

  /** The last interval of each counter of a meter that was closed since the start. */
  lastIntervals(device: string): ReadonlyMap<QuantityId, Interval> {
    return this.#meters.get(device)?.intervals ?? new Map();
  }

  /** Ends polling; what was polled is committed. The journal stays open: it is not ours. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick();
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.#running;
    this.#recorder.add(this.#polls.close(this.#o.clock.now_ms(), this.#o.journal.boot));
    this.#commitPending();
    await this.#recorder.finish(this.#o.timers);
    this.#saveAccounts();
  }

  /** What could not be written stays to be replayed from what was. */
  #saveAccounts(): void {
    if (!this.#recorder.isAllWritten) return;
    try {
      this.#accounts.saveAll();
    } catch (error) {
      this.#o.log.error("journal.write-failed", { error: String(error) });
    }
  }

  /**
   * Polls history in domain time through `busOf`; see `historyRun.ts`. `at` sets the clock the meters answer by. With `goesOn`
   * the live accounts continue where it ends.
   */
  async runHistory(run: {
    readonly from_ms: EpochMs;
    readonly to_ms: EpochMs;
    readonly busOf: (bus: BusConfig) => Bus;
    readonly at: (at_ms: EpochMs) => void;
    readonly goesOn: boolean;
    readonly isHeld?: (at_ms: EpochMs) => boolean;
    readonly onProgress: (at_ms: EpochMs) => void;
    readonly isCancelled?: () => boolean;
  }): Promise<"done" | "cancelled"> {
    const { journal, timers, factors, config } = this.#o;
    const { busOf, isCancelled, isHeld, ...rest } = run;
    run.at(run.from_ms);
    const buses: { readonly bus: Bus; readonly meters: HistoryMeter[] }[] = [];
    for (const { config: of, meters } of this.#buses) {
      const bus = busOf(of);
      for (const meter of meters) if (meter.defined === null) await this.#findMap(bus, meter);
      buses.push({ bus, meters: meters.flatMap(historyMeter) });
    }
    const outcome = await runHistory(
      {
        ...rest,
        buses,
        interval_ms: config.interval_ms,
        isHeld: isHeld ?? (() => false),
        isCancelled: () => this.#isStopped || isCancelled?.() === true,
      },
      { journal, timers, factors, recorder: this.#recorder, accounts: this.#accounts },
    );
    await Promise.all(buses.map(({ bus }) => bus.close()));
    return outcome;
  }

  *#defined(): Iterable<Defined> {
    for (const { meters } of this.#buses) for (const { defined } of meters) if (defined !== null) yield defined;
  }

  #tick_ms(): number {
    const periods = this.#buses.flatMap(({ meters }) =>
      meters.flatMap(({ config }) => [config.every.power_ms, config.every.energy_ms]),
    );
    return Math.min(TICK_MAX_MS, Math.max(TICK_MIN_MS, Math.min(...periods)));
  }

  async #tick(tick_ms: number): Promise<void> {
    const polls = this.#workers.map((worker) => worker.wake()).filter((poll) => poll !== null);
    if (polls.length > 0) await atMost(tick_ms * 0.9, Promise.all(polls), this.#o.timers);
    this.counts.busOverruns = this.#workers.reduce((sum, { overruns }) => sum + overruns, 0);
    this.#commitPending();
  }

  #take(device: string, sample: Sample): void {
    const meter = this.#meters.get(device)?.defined;
    if (meter == null) return;
    this.counts.polls += 1;
    if (sample.blocks.length === 0) this.counts.failedPolls += 1;
    this.#polls.polled(sample, meter.mainRegister);
    this.#pending.push({ meter, sample, isHeld: false });
  }

  #noteAnswering(device: string, isAnswering: boolean, why: string | null): void {
    const meter = this.#meters.get(device);
    if (meter === undefined || meter.defined === null) return;
    meter.isAnswering = isAnswering;
    if (isAnswering) this.#o.log.info("meter.answers", { device });
    else this.#o.log.warn("meter.silent", { device, why, code: "METER_SILENT" });
    this.#o.onDevice(liveDevice(meter, meter.defined));
  }

  /** Looks for a SunSpec map on the meter. */
  async #findMap(bus: Bus, meter: MeterRuntime): Promise<MapResult> {
    if (meter.defined !== null && meter.isWhole) return this.#found(meter, meter.defined);
    const model = this.#o.resolveModel(meter.config.model);
    if (model.discovery === undefined) return { kind: "unknown", why: "the model has none" };
    const result = await discover(bus, meter.config.unit, model.discovery, meter.timeout_ms);
    if (result.kind === "absent") return { kind: "unknown", why: result.why };
    if (result.kind === "silent") return { kind: "unknown", why: result.reply.kind };
    try {
      return this.#found(meter, this.#adopt(meter, resolveDiscovery(model, result.found), result.isWhole));
    } catch (error) {
      // A device that lacks what it is booked by is no mistake of ours, and no reason to stop.
      if (!(error instanceof KhuXanhError)) throw error;
      return { kind: "unusable", why: error.message };
    }
  }

  /** What was found on the meter is what it is polled by from now on. */
  #adopt(meter: MeterRuntime, model: MeterModel, isWhole: boolean): Defined {
    const before = meter.defined;
    meter.isWhole = isWhole;
    // A walk that lost a reply never takes away what an earlier one found.
    if (before !== null && !isWhole && model.registers.length <= before.model.registers.length) return before;
    const next = this.#define(meter, model);
    if (next.hash === before?.hash) return before;
    if (before === null) this.#accounts.replay([next]);
    else {
      // What was polled up to now is booked first; then the account goes on under the new definition.
      this.#commitPending();
      next.accountant.restore(before.accountant.save());
      this.#accounts.changed(next.definition.device, next.accountant);
      this.#o.log.info("meter.map-completed", { device: next.definition.device });
    }
    meter.defined = next;
    if (before !== null) this.#o.onDevice(liveDevice(meter, next));
    return next;
  }

  #define(meter: MeterRuntime, model: MeterModel): Defined {
    const { journal, factors } = this.#o;
    const { definition, blocks } = plannedMeter(this.#o.config, meter.config, model);
    const accountant = createAccountant(definition, factors);
    const hash = journal.putDefinition(definition);
    const key = `definition:${definition.device}`;
    if (journal.getState(key) !== hash) journal.setState(key, hash);
    const counterBlocks = blocks.filter(holdsCounter);
    return { definition, hash, model, counterBlocks, mainRegister: mainRegister(definition), accountant };
  }

  #commitPending(): void {
    this.#recorder.record(this.#pending.splice(0), ({ accountant }) => accountant, true);
    // Behind what was polled up to now: it is of that time.
    this.#recorder.add(this.#polls.due(this.#o.clock.now_ms(), this.#o.journal.boot));
  }
}

/** Of what a meter's answers taught about its plan; see `poll/learn.ts`. */
function learnedKey(device: string): string {
  return `learned:${device}`;
}

/** Of what a meter said about its ratios, modes and identity; see `poll/settingsWatch.ts`. */
function settingsKey(device: string): string {
  return `settings:${device}`;
}

function liveDevice(meter: MeterRuntime, { definition, hash }: Defined): LiveDevice {
  return { definition, hash, isAnswering: meter.isAnswering, last: meter.last.all() };
}

function historyMeter({ config: { unit }, timeout_ms, defined: meter }: MeterRuntime): HistoryMeter[] {
  return meter === null ? [] : [{ meter, unit, timeout_ms, counterBlocks: meter.counterBlocks }];
}

function mainRegister({ carrier, registers }: DeviceDefinition): Pick<Register, "fc" | "address"> | null {
  const main = CARRIERS[carrier].counters[0];
  return registers.find(({ register }) => register.quantity === main)?.register ?? null;
}
