import { intervalStart } from "../../core/interval/calendar.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { ModelLimits } from "../../core/model/meterModel.ts";
import type { Bus, BusRead, BusReply, Clock, Log } from "../../core/ports.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import type { BlockRead, PollGroup, ReadCost } from "../../drivers/modbus/planner.ts";
import { afterSilence, type Backoff, isHeld } from "./backoff.ts";
import { holdsCounter, isDue, nextDue_ms } from "./due.ts";
import {
  answered,
  isRefusal,
  type Plan,
  refreshed,
  refused,
  restoreLearned,
  retries,
  saveLearned,
  startPlan,
} from "./learn.ts";
import { BusLoad, smoothed } from "./load.ts";
import { type Asked, PollJob } from "./meter.ts";
import type { BlockStatus, BusStatus, MeterStatus } from "./status.ts";
import { failureWords, refusalWords } from "./words.ts";

/**
 * The one who talks on a line: a TCP connection or a serial bus with all its meters.
 *
 * order      counters just after the end of an interval · meters that answer quickly, the longest overdue first · slow meters
 *            and those that did not answer, one exchange at a time, where it fits before the quick ones are due again
 * lateness   an exchange of a slow or silent meter that does not fit makes the quick ones late; that may take at most
 *            {@link LATENESS_SHARE} of the time
 * silence    a unit that does not answer is left alone for growing times (by unit: what sits there, not what it is called);
 *            a line that cannot be reached is left alone as a whole
 * overload   a poll that is not begun before the next one falls due is left out, counted and said
 * Limits     {@link SPLITS_PER_POLL} reads a poll to find culprits, {@link RETRIES_PER_POLL} registers asked again
 */
export interface BusWorkerOptions {
  readonly id: string;
  readonly sharedWith: readonly string[];
  readonly url: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  /** Transport time. */
  readonly pause: (length_ms: number) => Promise<void>;
  readonly meters: readonly WorkerMeter[];
  readonly onSample: (device: string, sample: Sample) => void;
  /** The plan of a meter changed by what its answers taught: text to keep and to give to {@link Found.learned} next time. */
  readonly onLearned: (device: string, text: string) => void;
  /** A meter answers for the first time or again, or has fallen silent. */
  readonly onAnswering: (device: string, isAnswering: boolean, why: string | null) => void;
}

export interface WorkerMeter extends Asked {
  readonly model: string;
  /** The shortest period it is polled with. */
  readonly every_ms: number;
  /** Pause it asks for between a reply and the next request on its line. */
  readonly min_gap_ms: number;
  /** What it is, or how to find out by asking it. */
  readonly map: Found | ((bus: Bus) => Promise<Found | { readonly kind: "unknown"; readonly why: string }>);
}

export interface Found {
  readonly kind: "found";
  readonly definition: DeviceDefinition;
  readonly limits: ModelLimits;
  readonly cost: ReadCost;
  readonly learned: string | null;
}

/** A meter is called silent after this many polls without a word: a single lost reply is no news. */
const SILENT_AFTER_POLLS = 3;
const FIND_AGAIN_MS = 60_000;
const SPLITS_PER_POLL = 16;
const RETRIES_PER_POLL = 2;
/** Timeouts of one block, while its meter answers others, until the block is to blame. */
const TIMEOUTS_MAX = 3;
/** An exchange longer than this share of the shortest period, or than the milliseconds, makes a meter a slow one. */
const SLOW_SHARE = 0.25;
const SLOW_MS = 250;
/** Share of the time by which slow and silent meters may delay the others. */
const LATENESS_SHARE = 0.05;
/** Share of the shortest period by which one exchange may make the quick meters late. */
const LATE_SHARE = 0.1;
/** Slow and silent meters of a line that is never idle come to their turn after this long. */
const STARVED_MS = 10_000;
/** Looks who else has become due after this long. */
const ROUND_MS = 250;
/** A line is called unreachable after this many failures in a row: a single one may be a device that hangs up. */
const UNREACHABLE_MAX = 2;
const UNREACHABLE_BASE_MS = 1000;
/** Domain and monotonic time may drift apart by this much between two beats before it is called a jump. */
const CLOCK_JUMP_MS = 500;
const OVERLOAD_SAID_EVERY_MS = 60_000;

interface Runtime {
  readonly of: WorkerMeter;
  definition: DeviceDefinition | null;
  plan: Plan | null;
  /** Next due instant of each group of the plan. */
  due_ms: EpochMs[];
  findAt_ms: EpochMs;
  /** Monotonic time of its last turn. */
  turn_ms: number;
  job: PollJob | null;
  jobSplits: number;
  jobTook_ms: number;
  /** Smoothed duration of its answers. */
  exchange_ms: number | null;
  readonly blockTook_ms: Map<string, number>;
  readonly blockTimeouts: Map<string, number>;
  unanswered: number;
  isAnswering: boolean;
  lastError: MeterStatus["lastError"];
  lastAnswer_ms: EpochMs | null;
  lastPollDuration_ms: number | null;
}

interface Turn {
  readonly meter: Runtime;
  readonly rank: "boundary" | "quick" | "troubled";
  readonly due_ms: EpochMs;
}

export class BusWorker {
  readonly #o: BusWorkerOptions;
  readonly #meters: readonly Runtime[];
  readonly #units = new Map<number, Backoff & { readonly isUnreachable: boolean }>();
  readonly #load = new BusLoad();
  /** The shortest period of the line. */
  readonly #cycle_ms: number;
  /** Set from the moment the line cannot be reached until it answers again. */
  #line: Backoff | undefined;
  #unreachable = 0;
  /** Monotonic time since which lateness is the line's own: it could be reached, and the clock did not jump. */
  #usableFrom_ms = 0;
  #clockOffset_ms = Number.NaN;
  #quickWasLast = false;
  /** Monotonic end of the last exchange. */
  #quietFrom_ms = Number.NEGATIVE_INFINITY;
  #lateness_ms = 0;
  #latenessAt_ms = 0;
  #overruns = 0;
  #overrunsSaid = 0;
  /** Monotonic. */
  #overrunAt_ms = Number.NEGATIVE_INFINITY;
  #overloadSaidAt_ms = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: BusWorkerOptions) {
    this.#o = options;
    this.#cycle_ms = Math.min(...options.meters.map(({ every_ms }) => every_ms));
    this.#meters = options.meters.map((of) => {
      const meter: Runtime = {
        of,
        definition: null,
        plan: null,
        due_ms: [],
        findAt_ms: Number.NEGATIVE_INFINITY,
        turn_ms: options.clock.mono_ms(),
        job: null,
        jobSplits: 0,
        jobTook_ms: 0,
        exchange_ms: null,
        blockTook_ms: new Map(),
        blockTimeouts: new Map(),
        unanswered: 0,
        isAnswering: false,
        lastError: null,
        lastAnswer_ms: null,
        lastPollDuration_ms: null,
      };
      if (typeof of.map !== "function") adopt(meter, of.map);
      return meter;
    });
  }

  /** Polls whatever is due; settles when nothing is left to begin. A worker that is still busy takes the new polls along. */
  wake(): Promise<void> {
    this.#noteClock();
    if (this.#isStopped) return Promise.resolve();
    this.#running ??= this.#work().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Ends polling and closes the bus; the exchange in flight is cut off. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#o.bus.close();
    await this.#running;
  }

  get overruns(): number {
    return this.#overruns;
  }

  isAnswering(device: string): boolean {
    return this.#meters.some((meter) => meter.of.device === device && meter.isAnswering);
  }

  status(): BusStatus {
    const { id, sharedWith, url, clock } = this.#o;
    const now_ms = clock.now_ms();
    const mono_ms = clock.mono_ms();
    return {
      id,
      sharedWith,
      url,
      load_pct: this.#load.load_pct(mono_ms),
      ...this.#need(now_ms),
      overruns: this.#overruns,
      isOverloaded: mono_ms - this.#overrunAt_ms < OVERLOAD_SAID_EVERY_MS,
      backoffUntil_ms: isHeld(this.#line, now_ms) ? this.#line.until_ms : null,
      meters: this.#meters.map((meter) => this.#meterStatus(meter, now_ms)),
    };
  }

  async #work(): Promise<void> {
    for (;;) {
      const turns = this.#turns();
      if (turns.length === 0) return;
      const began_ms = this.#o.clock.mono_ms();
      for (const { meter, rank } of turns) {
        await this.#take(meter, rank);
        if (this.#isStopped) return;
        if (this.#unreachable >= UNREACHABLE_MAX) {
          this.#leaveLine();
          return;
        }
        if (rank === "troubled" || this.#o.clock.mono_ms() - began_ms > ROUND_MS) break;
      }
    }
  }

  /** Who may be asked now, in order. */
  #turns(): readonly Turn[] {
    const now_ms = this.#o.clock.now_ms();
    if (isHeld(this.#line, now_ms)) return [];
    const due = this.#meters.flatMap((meter): Turn[] => {
      if (isHeld(this.#units.get(meter.of.unit), now_ms)) return [];
      const due_ms = this.#dueSince_ms(meter, now_ms);
      return due_ms === null ? [] : [{ meter, rank: this.#rank(meter, now_ms), due_ms }];
    });
    const quick = due.filter(({ rank }) => rank !== "troubled").sort(byUrgency);
    const troubled = due.filter(({ rank }) => rank === "troubled").sort(byUrgency);
    if (quick.length === 0) return troubled.filter((turn) => this.#mayBegin(turn, false)).slice(0, 1);
    const mono_ms = this.#o.clock.mono_ms();
    const starved = troubled.find(({ meter }) => mono_ms - meter.turn_ms > STARVED_MS);
    return starved !== undefined && this.#mayBegin(starved, true) ? [starved] : quick;
  }

  #noteClock(): void {
    const { clock } = this.#o;
    const offset_ms = clock.now_ms() - clock.mono_ms();
    if (Math.abs(offset_ms - this.#clockOffset_ms) <= CLOCK_JUMP_MS) return;
    this.#clockOffset_ms = offset_ms;
    this.#usableFrom_ms = clock.mono_ms();
  }

  /** Since when a meter has something due; null = it has not. */
  #dueSince_ms(meter: Runtime, now_ms: EpochMs): EpochMs | null {
    if (meter.plan === null) return isDue(meter.findAt_ms, FIND_AGAIN_MS, now_ms) ? meter.findAt_ms : null;
    let since_ms: EpochMs | null = meter.job === null ? null : now_ms;
    for (const [i, { every_ms }] of meter.plan.groups.entries()) {
      const due_ms = meter.due_ms[i]!;
      if (isDue(due_ms, every_ms, now_ms)) since_ms = Math.min(since_ms ?? now_ms, due_ms);
    }
    return since_ms;
  }

  #rank(meter: Runtime, now_ms: EpochMs): Turn["rank"] {
    if (meter.plan === null || this.#units.has(meter.of.unit) || this.#isSlow(meter)) return "troubled";
    return this.#boundaryGroup(meter, now_ms) === null ? "quick" : "boundary";
  }

  #isSlow({ exchange_ms, of }: Runtime): boolean {
    return exchange_ms !== null && exchange_ms > Math.min(SLOW_MS, of.every_ms * SLOW_SHARE);
  }

  /** The group whose counters were not read since the interval began; null if there is none. */
  #boundaryGroup({ plan, definition, due_ms }: Runtime, now_ms: EpochMs): number | null {
    if (plan === null || definition === null) return null;
    const boundary_ms = intervalStart(now_ms, definition.interval_ms, definition.time_zone);
    const i = plan.groups.findIndex(({ blocks }, g) => due_ms[g]! <= boundary_ms && blocks.some(holdsCounter));
    return i < 0 ? null : i;
  }

  /**
   * An exchange that may take long is begun if it fits in before the quick meters are due again. Else it may make them late,
   * just after they were read, for then it costs them least: by a little, or by all it takes if it waited long for that.
   */
  #mayBegin({ meter }: Turn, quickIsDue: boolean): boolean {
    const now_ms = this.#o.clock.now_ms();
    const excess_ms = now_ms + this.#expected_ms(meter) - (quickIsDue ? now_ms : this.#nextQuick_ms(now_ms));
    if (excess_ms <= 0) return true;
    if (!this.#quickWasLast || this.#latenessLeft_ms() > 0) return false;
    const isStarved = this.#o.clock.mono_ms() - meter.turn_ms > STARVED_MS;
    return isStarved || excess_ms <= LATE_SHARE * this.#cycle_ms;
  }

  #expected_ms(meter: Runtime): number {
    const isTroubled = meter.plan === null || this.#units.has(meter.of.unit);
    return isTroubled ? meter.of.timeout_ms : (meter.exchange_ms ?? meter.of.timeout_ms);
  }

  #nextQuick_ms(now_ms: EpochMs): EpochMs {
    let next_ms = Number.POSITIVE_INFINITY;
    for (const meter of this.#meters) {
      if (this.#rank(meter, now_ms) === "troubled") continue;
      for (const due_ms of meter.due_ms) next_ms = Math.min(next_ms, due_ms);
    }
    return next_ms;
  }

  /** Lateness caused so far that is not made up for yet. */
  #latenessLeft_ms(): number {
    const mono_ms = this.#o.clock.mono_ms();
    return this.#lateness_ms - (mono_ms - this.#latenessAt_ms) * LATENESS_SHARE;
  }

  #noteLateness(excess_ms: number): void {
    if (!(excess_ms > 0)) return;
    this.#lateness_ms = Math.max(0, this.#latenessLeft_ms()) + excess_ms;
    this.#latenessAt_ms = this.#o.clock.mono_ms();
  }

  async #take(meter: Runtime, rank: Turn["rank"]): Promise<void> {
    const { clock } = this.#o;
    const next_ms = rank === "troubled" ? this.#nextQuick_ms(clock.now_ms()) : Number.POSITIVE_INFINITY;
    meter.turn_ms = clock.mono_ms();
    this.#quickWasLast = rank !== "troubled";
    if (meter.plan === null) await this.#find(meter);
    else await this.#poll(meter, meter.plan, rank);
    // A clock that jumps is no lateness: never more than the turn took.
    if (rank === "troubled") this.#noteLateness(Math.min(clock.now_ms() - next_ms, clock.mono_ms() - meter.turn_ms));
  }

  async #find(meter: Runtime): Promise<void> {
    const { clock, log } = this.#o;
    if (typeof meter.of.map !== "function") return;
    meter.findAt_ms = clock.now_ms() + FIND_AGAIN_MS;
    const found = await meter.of.map({ read: (request) => this.#read(request), close: async () => {} });
    if (this.#isStopped) return;
    if (found.kind === "found") {
      adopt(meter, found);
      return;
    }
    meter.lastError = { words: `its register map was not found: ${found.why}`, at_ms: clock.now_ms() };
    log.warn("meter.map-not-found", { device: meter.of.device, why: found.why });
  }

  /** Quick meters are read to the end; others one exchange at a time, so that nobody waits for more than one. */
  async #poll(meter: Runtime, plan: Plan, rank: Turn["rank"]): Promise<void> {
    const job = meter.job ?? this.#begin(meter, plan, rank);
    meter.job = null;
    for (let block = job.next(); block !== null && !this.#isStopped; block = job.next()) {
      await this.#exchange(meter, job, block);
      if ((rank === "troubled" || this.#isSlow(meter)) && job.next() !== null) {
        meter.job = job;
        return;
      }
    }
    if (!this.#isStopped) this.#finish(meter, job);
  }

  #begin(meter: Runtime, before: Plan, rank: Turn["rank"]): PollJob {
    const now_ms = this.#o.clock.now_ms();
    const plan = refreshed(before, now_ms);
    meter.plan = plan;
    const due = this.#takeDue(meter, plan, now_ms, rank);
    const blocks = due.flatMap(({ every_ms, blocks: own }) => [
      ...own,
      ...retries(plan, every_ms, now_ms).slice(0, RETRIES_PER_POLL),
    ]);
    const job = new PollJob(meter.of.device, inOrder(meter, blocks), this.#o.clock);
    for (const { register, every_ms, why } of plan.learned.aside) {
      if (register.kind !== "counter" || !due.some((group) => group.every_ms === every_ms)) continue;
      if (blocks.some(({ registers }) => registers.includes(register))) continue;
      const { fc, address, words: count } = register;
      job.noteMissing(
        why.kind === "exception"
          ? { fc, address, count, why: why.kind, detail: why.code }
          : { fc, address, count, why: why.kind },
      );
    }
    meter.jobSplits = 0;
    meter.jobTook_ms = 0;
    return job;
  }

  /** The groups to poll now, and when they fall due next. What was missed is not made up for, but counted. */
  #takeDue(meter: Runtime, plan: Plan, now_ms: EpochMs, rank: Turn["rank"]): PollGroup[] {
    const isSlow = this.#isSlow(meter);
    const boundary = rank === "boundary" || isSlow ? this.#boundaryGroup(meter, now_ms) : null;
    let due = [...plan.groups.keys()].filter((i) => isDue(meter.due_ms[i]!, plan.groups[i]!.every_ms, now_ms));
    // At the end of an interval everybody's counters come before anybody's gauges; a slow meter reads one group a turn.
    if (boundary !== null) due = [boundary];
    else if (isSlow) due = due.sort((a, b) => compare(meter.due_ms[a]!, meter.due_ms[b]!)).slice(0, 1);
    return due.map((i) => {
      const group = plan.groups[i]!;
      this.#noteMissed(meter, group.every_ms, now_ms - meter.due_ms[i]!);
      const counts = group.blocks.some(holdsCounter);
      meter.due_ms[i] = nextDue_ms(now_ms, group.every_ms, counts ? meter.definition : null);
      return group;
    });
  }

  /** A meter that is left alone misses nothing; nor does a clock that jumps make a line late. */
  #noteMissed(meter: Runtime, every_ms: number, late_ms: number): void {
    const { clock, log, id } = this.#o;
    if (this.#units.has(meter.of.unit) || this.#line !== undefined || late_ms === Number.POSITIVE_INFINITY) return;
    const mono_ms = clock.mono_ms();
    const missed = Math.floor(Math.min(late_ms, mono_ms - this.#usableFrom_ms) / every_ms);
    if (missed <= 0) return;
    this.#overruns += missed;
    this.#overrunAt_ms = mono_ms;
    if (mono_ms - this.#overloadSaidAt_ms < OVERLOAD_SAID_EVERY_MS) return;
    this.#overloadSaidAt_ms = mono_ms;
    const { cycle_ms, needed_ms, available_ms } = this.#need(clock.now_ms());
    const leftOut = this.#overruns - this.#overrunsSaid;
    this.#overrunsSaid = this.#overruns;
    log.warn("bus.overload", { bus: id, leftOut, cycle_ms, needed_ms, available_ms, lateFor: meter.of.device });
  }

  /** The line has been quiet for as long as the meter asks for. */
  async #keepGap(min_gap_ms: number): Promise<void> {
    if (min_gap_ms <= 0) return;
    const wait_ms = this.#quietFrom_ms + min_gap_ms - this.#o.clock.mono_ms();
    if (wait_ms > 0) await this.#o.pause(Math.min(wait_ms, min_gap_ms));
  }

  async #read(request: BusRead): Promise<BusReply> {
    const { bus, clock } = this.#o;
    const from_ms = clock.mono_ms();
    const reply = await bus.read(request);
    this.#quietFrom_ms = clock.mono_ms();
    this.#load.used(from_ms, this.#quietFrom_ms);
    if (reply.kind === "unreachable") this.#unreachable += 1;
    else {
      this.#unreachable = 0;
      if (this.#line !== undefined) this.#usableFrom_ms = clock.mono_ms();
      this.#line = undefined;
    }
    return reply;
  }

  async #exchange(meter: Runtime, job: PollJob, block: BlockRead): Promise<void> {
    const { clock } = this.#o;
    const { unit, timeout_ms } = meter.of;
    const { fc, address, count } = block;
    await this.#keepGap(meter.of.min_gap_ms);
    const from_ms = clock.mono_ms();
    const reply = await this.#read({ unit, fc, address, count, timeout_ms });
    const took_ms = clock.mono_ms() - from_ms;
    const now_ms = clock.now_ms();
    meter.jobTook_ms += took_ms;
    if (reply.kind === "words") {
      const key = keyOf(block);
      meter.blockTook_ms.set(key, smoothed(meter.blockTook_ms.get(key), took_ms));
      if (meter.blockTimeouts.size > 0) meter.blockTimeouts.delete(key);
      meter.lastAnswer_ms = now_ms;
    } else {
      meter.lastError = { words: failureWords(reply, block, timeout_ms), at_ms: now_ms };
    }
    if (reply.kind === "words" || reply.kind === "exception") {
      meter.exchange_ms = smoothed(meter.exchange_ms, took_ms);
    }
    job.take(reply, now_ms, this.#learn(meter, job, block, reply, now_ms));
  }

  /** What the reply teaches about the plan; @returns what to ask for at once instead. */
  #learn(meter: Runtime, job: PollJob, block: BlockRead, reply: BusReply, now_ms: EpochMs): readonly BlockRead[] {
    const plan = meter.plan!;
    if (reply.kind === "words") {
      this.#adopt(meter, answered(plan, block, now_ms));
      return [];
    }
    if (reply.kind === "timeout" && job.hasWords) {
      const key = keyOf(block);
      const timeouts = (meter.blockTimeouts.get(key) ?? 0) + 1;
      meter.blockTimeouts.set(key, timeouts);
      if (timeouts < TIMEOUTS_MAX) return [];
      meter.blockTimeouts.delete(key);
      this.#adopt(meter, refused(plan, block, { kind: "timeout" }, now_ms).plan);
      return [];
    }
    if (reply.kind !== "exception" || !isRefusal(reply.code)) return [];
    const step = refused(plan, block, { kind: "exception", code: reply.code }, now_ms);
    this.#adopt(meter, step.plan);
    meter.jobSplits += step.next.length;
    return meter.jobSplits <= SPLITS_PER_POLL ? step.next : [];
  }

  #adopt(meter: Runtime, plan: Plan): void {
    const before = meter.plan!;
    if (plan === before) return;
    meter.plan = plan;
    if (plan.learned === before.learned || meter.definition === null) return;
    const { device } = meter.of;
    for (const { register, why, tries } of plan.learned.aside) {
      if (tries > 1 || before.learned.aside.some((one) => one.register === register)) continue;
      this.#o.log.warn("meter.register-set-aside", {
        device,
        register: register.name,
        address: register.address,
        why: refusalWords(why),
        code: "METER_EXCEPTION",
      });
    }
    for (const { register } of before.learned.aside) {
      if (plan.learned.aside.some((one) => one.register === register)) continue;
      this.#o.log.info("meter.register-back", { device, register: register.name });
    }
    this.#o.onLearned(device, saveLearned(plan, meter.definition));
  }

  #finish(meter: Runtime, job: PollJob): void {
    const { unit, timeout_ms, every_ms, device } = meter.of;
    const now_ms = this.#o.clock.now_ms();
    meter.lastPollDuration_ms = meter.jobTook_ms;
    if (job.hasAnswered) {
      if (this.#units.size > 0) this.#units.delete(unit);
    } else if (job.exchanges > 0) {
      const held = afterSilence(this.#units.get(unit), Math.max(every_ms, timeout_ms), now_ms);
      this.#units.set(unit, { ...held, isUnreachable: this.#unreachable > 0 });
    }
    const sample = job.sample();
    if (sample === null) return;
    this.#o.onSample(device, sample);
    this.#noteAnswer(meter, sample);
  }

  #noteAnswer(meter: Runtime, sample: Sample): void {
    meter.unanswered = sample.blocks.length > 0 ? 0 : meter.unanswered + 1;
    const isAnswering = meter.unanswered === 0 || (meter.isAnswering && meter.unanswered < SILENT_AFTER_POLLS);
    if (isAnswering === meter.isAnswering) return;
    meter.isAnswering = isAnswering;
    this.#o.onAnswering(meter.of.device, isAnswering, isAnswering ? null : (sample.failures[0]?.why ?? null));
  }

  /** Nobody on this line can be asked: it is left alone as a whole, and what is due now has failed for that reason. */
  #leaveLine(): void {
    const now_ms = this.#o.clock.now_ms();
    this.#line = afterSilence(this.#line, UNREACHABLE_BASE_MS, now_ms);
    for (const [unit, held] of this.#units) if (held.isUnreachable) this.#units.delete(unit);
    for (const meter of this.#meters) {
      if (meter.plan === null || this.#dueSince_ms(meter, now_ms) === null) continue;
      const job = meter.job ?? this.#begin(meter, meter.plan, "quick");
      meter.job = null;
      job.fail({ kind: "unreachable", detail: "the line" });
      const sample = job.sample();
      if (sample === null) continue;
      this.#o.onSample(meter.of.device, sample);
      this.#noteAnswer(meter, sample);
    }
  }

  /** Line time the periods ask for, from what exchanges have taken so far. */
  #need(now_ms: EpochMs): Pick<BusStatus, "cycle_ms" | "needed_ms" | "available_ms"> {
    const cycle_ms = this.#cycle_ms;
    const share = this.#meters.reduce((sum, meter) => sum + this.#share(meter, now_ms), 0);
    return { cycle_ms, needed_ms: Math.round(10 * cycle_ms * share) / 10, available_ms: cycle_ms };
  }

  #share(meter: Runtime, now_ms: EpochMs): number {
    const held = this.#units.get(meter.of.unit);
    if (held !== undefined) {
      const { timeout_ms } = meter.of;
      return timeout_ms / (timeout_ms + Math.max(held.until_ms - now_ms, meter.of.every_ms));
    }
    return (meter.plan?.groups ?? []).reduce((sum, { every_ms, blocks }) => {
      const took_ms = blocks.reduce((ms, block) => ms + this.#took_ms(meter, block), 0);
      return sum + took_ms / every_ms;
    }, 0);
  }

  #took_ms(meter: Runtime, block: BlockRead): number {
    return meter.blockTook_ms.get(keyOf(block)) ?? meter.exchange_ms ?? 0;
  }

  #meterStatus(meter: Runtime, now_ms: EpochMs): MeterStatus {
    const { device, unit, model } = meter.of;
    const held = this.#units.get(unit);
    return {
      device,
      unit,
      model,
      isAnswering: meter.isAnswering,
      lastError: meter.lastError,
      lastAnswer_ms: meter.lastAnswer_ms,
      backoffUntil_ms: isHeld(held, now_ms) ? held.until_ms : null,
      lastPollDuration_ms: meter.lastPollDuration_ms,
      blocks: meter.plan === null ? [] : blockStatuses(meter, meter.plan),
    };
  }
}

function blockStatuses({ blockTook_ms }: Runtime, plan: Plan): readonly BlockStatus[] {
  const asked = plan.groups.flatMap(({ every_ms, blocks }) =>
    blocks.map((block): BlockStatus => {
      const { fc, address, count, registers } = block;
      const names = registers.map(({ name }) => name);
      const exchange_ms = blockTook_ms.get(keyOf(block)) ?? null;
      return { fc, address, count, registers: names, every_ms, state: "ok", exchange_ms };
    }),
  );
  const aside = plan.learned.aside.map(({ register, every_ms, why, since_ms, retryAt_ms }): BlockStatus => {
    const { fc, address, words: count, name } = register;
    const reason = { state: "set-aside", why: refusalWords(why), since_ms, retryAt_ms } as const;
    return { fc, address, count, registers: [name], every_ms, ...reason };
  });
  return [...asked, ...aside];
}

function adopt(meter: Runtime, { definition, limits, cost, learned }: Found): void {
  meter.definition = definition;
  meter.plan = restoreLearned(startPlan(definition, limits, cost), definition, learned);
  meter.due_ms = meter.plan.groups.map(() => Number.NEGATIVE_INFINITY);
}

/** Counters first, for they date the sample; blocks that time out last, for a timeout ends the poll. */
function inOrder({ blockTimeouts, unanswered }: Runtime, blocks: readonly BlockRead[]): readonly BlockRead[] {
  const rank = (block: BlockRead): number => (blockTimeouts.get(keyOf(block)) ?? 0) * 2 + (holdsCounter(block) ? 0 : 1);
  const ordered = blocks.length < 2 ? blocks : [...blocks].sort((a, b) => rank(a) - rank(b));
  // After a silent poll another block begins: it may have been the block, not the meter.
  const first = ordered.length === 0 ? 0 : unanswered % ordered.length;
  return first === 0 ? ordered : [...ordered.slice(first), ...ordered.slice(0, first)];
}

function keyOf({ fc, address, count }: BlockRead): string {
  return `${fc}:${address}:${count}`;
}

function byUrgency(a: Turn, b: Turn): number {
  const rank = (turn: Turn): number => (turn.rank === "boundary" ? 0 : 1);
  return rank(a) - rank(b) || compare(a.due_ms, b.due_ms) || a.meter.turn_ms - b.meter.turn_ms;
}

/** Also for infinities, whose difference is not a number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
