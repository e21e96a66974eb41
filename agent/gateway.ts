import type { AgentConfig, BusConfig, MeterConfig } from "../config/files/agent.ts";
import { CARRIERS } from "../core/emission/carriers.ts";
import type { EmissionFactor } from "../core/emission/factor.ts";
import { KhuXanhError } from "../core/errors.ts";
import type { Interval } from "../core/interval/interval.ts";
import type { DeviceDefinition } from "../core/model/deviceDefinition.ts";
import type { MeterModel, Register } from "../core/model/meterModel.ts";
import type { Bus, Cancel, Clock, Log, Timers } from "../core/ports.ts";
import type { EpochMs, Reading, Sample } from "../core/reading/reading.ts";
import type { QuantityId } from "../core/units/quantities.ts";
import type { MeterSwapRecord } from "../core/wire/nodeRecord.ts";
import { defineDevice } from "../drivers/define.ts";
import { decodeSample } from "../drivers/modbus/decode.ts";
import { type BlockRead, planFor } from "../drivers/modbus/planner.ts";
import { discover, resolveDiscovery } from "../drivers/sunspec/discover.ts";
import { type Accountant, type Accounted, createAccountant } from "./account/accountant.ts";
import { momentOf } from "./account/clockStep.ts";
import { encodeContent } from "./account/contentRecord.ts";
import { PollAccount } from "./account/pollAccount.ts";
import { Undated } from "./account/undated.ts";
import type { ClockState } from "./clockTrust.ts";
import type { Journal, JournalEntry, StoredRecord } from "./journal/journal.ts";
import { entryOf } from "./journal/losses.ts";
import { decodeSampleRecord, takenEntry } from "./journal/sample.ts";
import { BusWorker } from "./poll/busWorker.ts";
import { holdsCounter } from "./poll/due.ts";
import { linesOf, readCost } from "./poll/line.ts";
import { pollMeter } from "./poll/meter.ts";
import type { Found, WorkerMeter } from "./poll/polledMeter.ts";
import type { BusStatus } from "./poll/status.ts";
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
/** Entries that could not be written wait in memory; beyond this the oldest samples go, counted. Counters carry the energy. */
const UNWRITTEN_MAX = 20_000;
const REPLAY_CHUNK = 500;
/** Interval starts in one batch; with three quantities and three gases about 100 KiB. */
const CONTENT_INTERVALS_MAX = 96;
/** Boot number of samples from accelerated history; a restart does not replay them into the live accounts. */
const HISTORY_BOOT = 0;
/** Samples of history in one commit: the disk is synced by the hundred, as a live gateway syncs by the second. */
const HISTORY_COMMIT_SAMPLES = 100;
/** History waits while this many batches are unconfirmed: the collector must not fall behind live data. */
const HISTORY_BACKLOG_MAX = 4000;
const CATCH_UP_MS = 20;
/** Batches after which every account is saved, closed intervals or not: what a restart replays at most, per meter. */
const SAVE_EVERY_BATCHES = 2000;

interface MeterRuntime {
  readonly bus: BusConfig["url"];
  readonly config: MeterConfig;
  readonly timeout_ms: number;
  readonly last: Map<QuantityId, Reading>;
  /** The last interval of each counter, closed since the start. */
  readonly intervals: Map<QuantityId, Interval>;
  /** null until its model is resolved: a SunSpec map has to be found on the meter first. */
  defined: Defined | null;
  isAnswering: boolean;
}

interface Defined {
  readonly definition: DeviceDefinition;
  readonly hash: string;
  readonly model: MeterModel;
  /** What history is polled with. */
  readonly counterBlocks: readonly BlockRead[];
  readonly accountant: Accountant;
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
  #pending: { readonly meter: Defined; readonly sample: Sample }[] = [];
  #unwritten: JournalEntry[] = [];
  /** Samples with a reading of their meter's main counter. */
  readonly #mainPolls = new WeakSet<JournalEntry>();
  readonly #undated = new Undated();
  /** Accounts that closed an interval since they were last saved. */
  readonly #unsaved = new Map<string, Accountant>();
  /** Position up to which every account was last saved. */
  #savedAt = 0;
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
        last: new Map(),
        intervals: new Map(),
        defined: null,
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
    this.#workers = [...linesOf(options.config.buses)].map(([url, [first, ...others]]) =>
      this.#startWorker(url, first!, others),
    );
    this.#replay([...this.#defined()]);
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

  #found({ bus }: MeterRuntime, { definition, model }: Defined): Found {
    const learned = this.#o.journal.getState(learnedKey(definition.device));
    const settings = this.#o.journal.getState(settingsKey(definition.device));
    return { kind: "found", definition, limits: model.limits, cost: readCost(bus, model), learned, settings };
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
    this.#unwritten.push(...this.#polls.close(this.#o.clock.now_ms(), this.#o.journal.boot));
    this.#commitPending();
    this.#saveAccounts();
  }

  /** At a stop nothing is left to replay. What could not be written stays to be replayed from what was. */
  #saveAccounts(): void {
    const { journal } = this.#o;
    if (this.#unwritten.length > 0) return;
    this.#savedAt = Number.NEGATIVE_INFINITY;
    const state = this.#accountsToSave(journal.position());
    try {
      journal.commit({ entries: [], state: () => state });
    } catch (error) {
      this.#o.log.error("journal.write-failed", { error: String(error) });
    }
  }

  /**
   * Polls history in domain time: the counters of every meter once at each boundary of [from, to], through `busOf`,
   * recorded and accounted by the same code. `at` sets the clock the meters answer by. With `goesOn` the live accounts continue where it ends.
   */
  async runHistory(run: {
    readonly from_ms: EpochMs;
    readonly to_ms: EpochMs;
    readonly busOf: (bus: BusConfig) => Bus;
    readonly at: (at_ms: EpochMs) => void;
    readonly goesOn: boolean;
    readonly onProgress: (at_ms: EpochMs) => void;
    readonly isCancelled?: () => boolean;
  }): Promise<"done" | "cancelled"> {
    const { interval_ms } = this.#o.config;
    const buses = this.#buses.map(({ config, meters }) => ({ bus: run.busOf(config), meters }));
    run.at(run.from_ms);
    for (const { bus, meters } of buses) {
      for (const meter of meters) if (meter.defined === null) await this.#findMap(bus, meter);
    }
    const accountants = new Map<string, Accountant>();
    for (const { definition } of this.devices()) {
      accountants.set(definition.device, createAccountant(polledOnce(definition), this.#o.factors));
    }
    const polled: { readonly meter: Defined; readonly sample: Sample }[] = [];
    let mono_ms = 0;
    const isCancelled = () => this.#isStopped || run.isCancelled?.() === true;
    for (let at_ms = run.from_ms; at_ms <= run.to_ms && !isCancelled(); at_ms += interval_ms) {
      run.at(at_ms);
      mono_ms += 1;
      const now = { now_ms: () => at_ms, mono_ms: () => mono_ms };
      polled.push(...(await Promise.all(buses.map(({ bus, meters }) => pollAll(bus, meters, now)))).flat());
      const isLast = at_ms + interval_ms > run.to_ms || isCancelled();
      if (polled.length < HISTORY_COMMIT_SAMPLES && !isLast) continue;
      this.#record(polled.splice(0), (device) => accountants.get(device), false);
      run.onProgress(at_ms);
      await this.#untilCaughtUp();
    }
    const outcome = isCancelled() ? "cancelled" : "done";
    if (run.goesOn && outcome === "done") this.#continueFrom(accountants);
    await Promise.all(buses.map(({ bus }) => bus.close()));
    return outcome;
  }

  async #untilCaughtUp(): Promise<void> {
    const { journal, timers } = this.#o;
    while (!this.#isStopped && journal.unconfirmed() > HISTORY_BACKLOG_MAX) {
      await new Promise<void>((resolve) => timers.after(CATCH_UP_MS, resolve));
    }
  }

  #continueFrom(accountants: ReadonlyMap<string, Accountant>): void {
    const asOf = this.#o.journal.position();
    const state: [string, string][] = [];
    for (const { definition, accountant } of this.#defined()) {
      const text = accountants.get(definition.device)?.save();
      if (text === undefined) continue;
      accountant.restore(text);
      state.push([accountKey(definition.device), savedAccount(asOf, accountant)]);
    }
    this.#o.journal.commit({ entries: [], state: () => state });
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
    const polls = this.#workers.map((worker) => worker.wake());
    let cancel: Cancel = () => {};
    const deadline = new Promise<void>((resolve) => {
      cancel = this.#o.timers.after(tick_ms * 0.9, resolve);
    });
    await Promise.race([Promise.all(polls), deadline]);
    cancel();
    this.counts.busOverruns = this.#workers.reduce((sum, { overruns }) => sum + overruns, 0);
    this.#commitPending();
  }

  #take(device: string, sample: Sample): void {
    const meter = this.#meters.get(device)?.defined;
    if (meter == null) return;
    this.counts.polls += 1;
    if (sample.blocks.length === 0) this.counts.failedPolls += 1;
    this.#polls.polled(sample, mainRegister(meter.definition));
    this.#pending.push({ meter, sample });
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
  async #findMap(bus: Bus, meter: MeterRuntime): Promise<Found | { readonly kind: "unknown"; readonly why: string }> {
    if (meter.defined !== null) return this.#found(meter, meter.defined);
    const model = this.#o.resolveModel(meter.config.model);
    if (model.discovery === undefined) return { kind: "unknown", why: "the model has none" };
    const result = await discover(bus, meter.config.unit, model.discovery, meter.timeout_ms);
    if (result.kind === "absent") return { kind: "unknown", why: result.why };
    if (result.kind === "silent") return { kind: "unknown", why: result.reply.kind };
    if (meter.defined === null) {
      meter.defined = this.#define(meter, resolveDiscovery(model, result.found));
      this.#replay([meter.defined]);
    }
    return this.#found(meter, meter.defined);
  }

  #define(meter: MeterRuntime, model: MeterModel): Defined {
    const { config, journal, factors } = this.#o;
    const { ncv, unit: _unit, model: _model, ...setup } = meter.config;
    const definition = defineDevice(
      model,
      { ...setup, ...(ncv === undefined ? {} : { ncv_MJ_per_Nm3: { value: ncv.value, source: ncv.source } }) },
      { interval_ms: config.interval_ms, time_zone: config.time_zone },
    );
    const hash = journal.putDefinition(definition);
    const key = `definition:${definition.device}`;
    if (journal.getState(key) !== hash) journal.setState(key, hash);
    const accountant = createAccountant(definition, factors);
    const blocks = planFor(definition, model.limits).flatMap((group) => group.blocks);
    return { definition, hash, model, counterBlocks: blocks.filter(holdsCounter), accountant };
  }

  #commitPending(): void {
    const pending = this.#pending;
    this.#pending = [];
    const accountants = new Map(pending.map(({ meter }) => [meter.definition.device, meter.accountant]));
    this.#record(pending, (device) => accountants.get(device), true);
    // Behind what was polled up to now: it is of that time.
    this.#unwritten.push(...this.#polls.due(this.#o.clock.now_ms(), this.#o.journal.boot));
  }

  /** Record first, derive after: the samples and what they close go into one synced transaction, samples first. */
  #record(
    polled: readonly { readonly meter: Defined; readonly sample: Sample }[],
    accountantOf: (device: string) => Accountant | undefined,
    isLive: boolean,
  ): void {
    if (polled.length === 0 && this.#unwritten.length === 0) return;
    const { journal, clock } = this.#o;
    const boot = isLive ? journal.boot : HISTORY_BOOT;
    const clockState = isLive ? (this.#o.clockState?.() ?? "set") : "set";
    if (clockState === "set" && isLive) this.#dateSamples();
    const samples: JournalEntry[] = [];
    const books: JournalEntry[] = [];
    for (const { meter, sample } of polled) {
      const { device } = meter.definition;
      const readings = decodeSample(meter.definition, sample);
      const entry = takenEntry({ sample, definition: meter.hash, boot, clock: clockState }, readings);
      samples.push(entry);
      const main = CARRIERS[meter.definition.carrier].counters[0];
      if (isLive && readings.some(({ quantity }) => quantity === main)) this.#mainPolls.add(entry);
      this.counts.readings += readings.length;
      if (isLive) this.#remember(device, readings);
      const accountant = accountantOf(device);
      if (accountant === undefined) continue;
      if (clockState === "waiting") {
        // The counter carries it to the first reading whose date is known.
        accountant.identify(sample, boot);
        continue;
      }
      const accounted = accountant.take(sample, readings, clock.now_ms(), isLive ? boot : null);
      if (accounted.asksWho && isLive) for (const worker of this.#workers) worker.askWho(device);
      if (accounted.swap !== null) books.push(this.#swapped(device, accountant, accounted.swap));
      if (accounted.intervals.length === 0) continue;
      this.counts.intervals += accounted.intervals.length;
      this.#noteWithoutFactor(accounted.withoutFactor);
      books.push(...contentEntries(device, accounted));
      if (!isLive) continue;
      this.#unsaved.set(device, accountant);
      for (const interval of accounted.intervals) this.#meters.get(device)?.intervals.set(interval.quantity, interval);
    }
    this.#write([...samples, ...books], isLive);
  }

  /** Its account is saved with the record, so that no restart tells it again. */
  #swapped(device: string, accountant: Accountant, swap: MeterSwapRecord): JournalEntry {
    const { serialBefore, serialAfter } = swap;
    this.#o.log.warn("account.meter-replaced", { device, serialBefore, serialAfter });
    this.#unsaved.set(device, accountant);
    return entryOf(swap);
  }

  #write(entries: readonly JournalEntry[], isLive: boolean): void {
    const all = [...this.#unwritten, ...entries];
    try {
      const numbers = this.#o.journal.commit({
        entries: all,
        state: (_numbers, position) => [...this.#unsavedPlans, ...this.#accountsToSave(position)],
      });
      this.#unwritten = [];
      const position = this.#o.journal.position();
      this.#savedAt = this.#isSaveDue(position) ? position : this.#savedAt;
      this.#unsaved.clear();
      this.#unsavedPlans.clear();
      if (isLive)
        for (const entry of all) if (this.#mainPolls.has(entry)) this.#polls.journaled(entry.device, entry.from_ms);
      if (isLive) this.#noteUndated(all, numbers);
      if (numbers.length > 0) this.#o.onCommitted(numbers, isLive);
    } catch (error) {
      const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
      this.#o.log.error("journal.write-failed", { code, waiting: all.length, error: String(error) });
      this.#unwritten = this.#shed(all, code === "DISK_FULL" ? "disk-full" : "disk-unusable").map((entry) =>
        this.#bare(entry),
      );
    }
  }

  /** Thousands may wait: not with their readings. */
  #bare(entry: JournalEntry): JournalEntry {
    if (entry.taken === undefined) return entry;
    const { taken: _, ...bare } = entry;
    if (this.#mainPolls.has(entry)) this.#mainPolls.add(bare);
    return bare;
  }

  #noteUndated(entries: readonly JournalEntry[], numbers: readonly number[]): void {
    if ((this.#o.clockState?.() ?? "set") === "set") return;
    const { journal } = this.#o;
    for (const [i, entry] of entries.entries()) {
      const taken = entry.kind === "sample" ? (entry.taken?.record ?? decodeSampleRecord(entry)) : null;
      if (taken === null || taken.clock === "set") continue;
      this.#undated.note(numbers[i]!, journal.epoch, momentOf(taken.sample, taken.boot));
    }
  }

  /** The clock was set: what was read before gets its date by a record of its own. */
  #dateSamples(): void {
    const { journal, clock, log } = this.#o;
    const now = { at_ms: clock.now_ms(), mono_ms: clock.mono_ms(), boot: journal.boot };
    const record = this.#undated.dated(now, journal.epoch);
    if (record === null) return;
    log.info("clock.set", { offset_ms: record.offset_ms, batches: record.batches.length });
    this.#unwritten.push(entryOf(record));
  }

  /** Accounts that closed an interval; and all of them now and then, so that a restart has little to replay. */
  #accountsToSave(asOf: number): [string, string][] {
    const all = (): [string, Accountant][] => [...this.#defined()].map((d) => [d.definition.device, d.accountant]);
    const due = this.#isSaveDue(asOf) ? all() : [...this.#unsaved];
    return due.map(([device, accountant]) => [accountKey(device), savedAccount(asOf, accountant)]);
  }

  #isSaveDue(asOf: number): boolean {
    return asOf - this.#savedAt >= SAVE_EVERY_BATCHES;
  }

  /** Beyond what memory may hold the oldest samples go, each a loss that is told when the disk takes it. */
  #shed(entries: JournalEntry[], why: "disk-full" | "disk-unusable"): JournalEntry[] {
    let excess = entries.length - UNWRITTEN_MAX;
    if (excess <= 0) return entries;
    return entries.filter(({ kind, from_ms, to_ms }) => {
      if (excess <= 0 || kind !== "sample") return true;
      excess -= 1;
      this.counts.droppedSamples += 1;
      this.#o.journal.noteLoss({ device: null, from_ms, to_ms, count: 1, what: "samples", why, batches: null });
      return false;
    });
  }

  #remember(device: string, readings: readonly Reading[]): void {
    const meter = this.#meters.get(device);
    if (meter !== undefined) for (const reading of readings) meter.last.set(reading.quantity, reading);
  }

  #noteWithoutFactor(
    missing: readonly { readonly interval: { readonly device: string }; readonly why: string }[],
  ): void {
    const first = missing[0];
    if (first === undefined) return;
    this.counts.withoutFactor += missing.length;
    this.#o.log.warn("account.no-factor", { device: first.interval.device, why: first.why, code: "FACTOR_MISSING" });
  }

  /** The journal is the truth: accounts go on from their last saved state and the samples recorded since, in one pass for all. */
  #replay(meters: readonly Defined[]): void {
    const { journal } = this.#o;
    if (meters.length === 0) return;
    const open = new Map<string, { readonly meter: Defined; readonly asOf: number }>();
    for (const meter of meters) {
      const saved = journal.getState(accountKey(meter.definition.device));
      const { asOf, text } = saved === null ? { asOf: 0, text: "[]" } : (JSON.parse(saved) as SavedAccount);
      meter.accountant.restore(text);
      open.set(meter.definition.device, { meter, asOf });
    }
    let from = Math.min(...[...open.values()].map(({ asOf }) => asOf)) + 1;
    for (
      let chunk = journal.history(from, REPLAY_CHUNK);
      chunk.length > 0;
      chunk = journal.history(from, REPLAY_CHUNK)
    ) {
      for (const record of chunk) {
        const of = record.kind === "sample" ? open.get(record.device) : undefined;
        if (of !== undefined && record.position > of.asOf) this.#tryAgain(of.meter, record);
      }
      from = chunk.at(-1)!.position + 1;
    }
  }

  /** A sample that nobody can read, though its checksum is sound, is no reason not to start: the counters carry the energy. */
  #tryAgain(meter: Defined, record: StoredRecord): void {
    try {
      this.#takeAgain(meter, record);
    } catch (error) {
      const { device, number } = record;
      this.#o.log.error("journal.sample-unreadable", { device, number, error: String(error) });
    }
  }

  #takeAgain({ definition, hash, accountant }: Defined, record: StoredRecord): void {
    const { sample, definition: takenUnder, boot, clock } = decodeSampleRecord(record);
    const then = takenUnder === hash ? definition : this.#o.journal.definition(takenUnder);
    if (boot === HISTORY_BOOT || then === null || !countsAlike(then, definition)) return;
    if (clock === "waiting") accountant.identify(sample, boot);
    else accountant.take(sample, decodeSample(then, sample), sample.at_ms, boot);
  }
}

/** Samples taken under another definition (another poll period, another name) still count, if a tick is worth the same. */
function countsAlike(a: DeviceDefinition, b: DeviceDefinition): boolean {
  return a.counters.every((counter) => {
    const other = b.counters.find(({ quantity }) => quantity === counter.quantity);
    return (
      other !== undefined &&
      other.modulus === counter.modulus &&
      other.tick.amount === counter.tick.amount &&
      other.tick.unit === counter.tick.unit
    );
  });
}

/** Accounts as they stood after the batch at position `asOf`. */
interface SavedAccount {
  readonly asOf: number;
  readonly text: string;
}

/** Intervals with their emissions, oldest first, in batches that fit one message: a long outage closes thousands at once. */
function contentEntries(device: string, { intervals, emissions }: Accounted): JournalEntry[] {
  const starts = [...new Set(intervals.map(({ from_ms }) => from_ms))].sort((a, b) => a - b);
  const entries: JournalEntry[] = [];
  for (let i = 0; i < starts.length; i += CONTENT_INTERVALS_MAX) {
    const from_ms = starts[i]!;
    const last_ms = starts[Math.min(i + CONTENT_INTERVALS_MAX, starts.length) - 1]!;
    const isInside = (part: { readonly from_ms: EpochMs }) => from_ms <= part.from_ms && part.from_ms <= last_ms;
    const parts = intervals.filter(isInside).sort((a, b) => a.to_ms - b.to_ms);
    const body = encodeContent(parts, emissions.filter(isInside));
    entries.push({ device, from_ms, to_ms: parts.at(-1)!.to_ms, kind: "content", body });
  }
  return entries;
}

/** Of what a meter's answers taught about its plan; see `poll/learn.ts`. */
function learnedKey(device: string): string {
  return `learned:${device}`;
}

/** Of what a meter said about its ratios, modes and identity; see `poll/settingsWatch.ts`. */
function settingsKey(device: string): string {
  return `settings:${device}`;
}

function accountKey(device: string): string {
  return `account:${device}`;
}

function savedAccount(asOf: number, accountant: Accountant): string {
  return JSON.stringify({ asOf, text: accountant.save() } satisfies SavedAccount);
}

function liveDevice(meter: MeterRuntime, { definition, hash }: Defined): LiveDevice {
  return { definition, hash, isAnswering: meter.isAnswering, last: meter.last };
}

function mainRegister({ carrier, registers }: DeviceDefinition): Pick<Register, "fc" | "address"> | null {
  const main = CARRIERS[carrier].counters[0];
  return registers.find(({ register }) => register.quantity === main)?.register ?? null;
}

/** The definition as history is polled: once an interval. */
function polledOnce(definition: DeviceDefinition): DeviceDefinition {
  const counters = definition.counters.map((counter) => ({ ...counter, poll_ms: definition.interval_ms }));
  return { ...definition, counters };
}

async function pollAll(
  bus: Bus,
  meters: readonly MeterRuntime[],
  now: { now_ms(): EpochMs; mono_ms(): number },
): Promise<{ meter: Defined; sample: Sample }[]> {
  const samples: { meter: Defined; sample: Sample }[] = [];
  for (const { config, timeout_ms, defined } of meters) {
    if (defined === null) continue;
    const asked = { device: config.id, unit: config.unit, timeout_ms };
    const sample = await pollMeter(bus, asked, defined.counterBlocks, now);
    if (sample !== null) samples.push({ meter: defined, sample });
  }
  return samples;
}
