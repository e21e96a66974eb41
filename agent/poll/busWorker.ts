import type { Bus, BusRead, BusReply, Clock, Log } from "../../core/ports.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import { SERIAL_NUMBER } from "../../drivers/define.ts";
import type { BlockRead } from "../../drivers/modbus/planner.ts";
import { afterSilence, type Backoff, isHeld } from "./backoff.ts";
import { answered, isRefusal, type Plan, refreshed, refused, saveLearned } from "./learn.ts";
import { BusLoad, smoothed } from "./load.ts";
import { PollJob } from "./meter.ts";
import { FIND_AGAIN_MS, PolledMeter, type Rank, type WorkerMeter } from "./polledMeter.ts";
import { mayBeAnother, SILENT_AFTER_POLLS } from "./settingsWatch.ts";
import { type BusStatus, meterStatus } from "./status.ts";
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
 * late       a meter on an RTU line rests until the reply that it still owes can no longer come; others are asked meanwhile
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
  /** Polls of a meter that were left out because the line was busy. */
  readonly onLeftOut?: (device: string, polls: number) => void;
  /** The plan of a meter changed by what its answers taught: text to keep and to give to {@link Found.learned} next time. */
  readonly onLearned: (device: string, text: string) => void;
  /** A setting of a meter was seen or is another one: text to keep and to give to {@link Found.settings} next time. */
  readonly onSettings: (device: string, text: string) => void;
  /** A meter answers for the first time or again, or has fallen silent. */
  readonly onAnswering: (device: string, isAnswering: boolean, why: string | null) => void;
}

const SPLITS_PER_POLL = 16;
/** RTU: how long after a question that was given up, in timeouts, its meter is not asked again: its reply may still come. */
const LATE_TIMEOUTS = 2;
/** Timeouts of one block, while its meter answers others, until the block is to blame. */
const TIMEOUTS_MAX = 3;
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

const NOBODY: readonly PolledMeter[] = [];
const NOTHING: readonly BlockRead[] = [];

export class BusWorker {
  readonly #o: BusWorkerOptions;
  readonly #meters: readonly PolledMeter[];
  readonly #units = new Map<number, Backoff & { readonly isUnreachable: boolean }>();
  readonly #load = new BusLoad();
  /** Replies do not say what they answer. */
  readonly #isRtu: boolean;
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
  #running: Promise<void> = Promise.resolve();
  #isWorking = false;
  #isStopped = false;

  constructor(options: BusWorkerOptions) {
    this.#o = options;
    this.#isRtu = options.url.startsWith("rtu");
    this.#cycle_ms = Math.min(...options.meters.map(({ every_ms }) => every_ms));
    this.#meters = options.meters.map((of) => new PolledMeter(of, options.clock.mono_ms()));
  }

  /** Polls whatever is due; settles when nothing is left to begin. A worker that is still busy takes the new polls along. */
  wake(): Promise<void> {
    this.#noteClock();
    if (this.#isStopped) return Promise.resolve();
    if (this.#isWorking) return this.#running;
    this.#isWorking = true;
    this.#running = this.#work();
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

  /** Its settings and identity are asked for with its next poll. */
  askWho(device: string): void {
    this.#meters.find(({ of, plan }) => of.device === device && plan !== null)?.rereadRare();
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
      meters: this.#meters.map((meter) => meterStatus(meter, this.#units.get(meter.of.unit), now_ms)),
    };
  }

  async #work(): Promise<void> {
    try {
      for (let turns = this.#turns(); turns.length > 0; turns = this.#turns()) await this.#takeTurns(turns);
    } finally {
      this.#isWorking = false;
    }
  }

  /** One after the other, until it is time to look who else has become due. */
  async #takeTurns(turns: readonly PolledMeter[]): Promise<void> {
    const { clock } = this.#o;
    const began_ms = clock.mono_ms();
    for (const meter of turns) {
      const { rank } = meter;
      const next_ms = rank === "troubled" ? this.#nextQuick_ms() : Number.POSITIVE_INFINITY;
      meter.turn_ms = clock.mono_ms();
      meter.waitsSince_ms = null;
      this.#quickWasLast = rank !== "troubled";
      await (meter.plan === null ? this.#find(meter) : this.#poll(meter, rank));
      if (this.#isStopped) return;
      // A clock that jumps is no lateness: never more than the turn took.
      if (rank === "troubled") this.#noteLateness(Math.min(clock.now_ms() - next_ms, clock.mono_ms() - meter.turn_ms));
      if (this.#unreachable >= UNREACHABLE_MAX) return this.#leaveLine();
      if (rank === "troubled" || clock.mono_ms() - began_ms > ROUND_MS) return;
    }
  }

  /** Who may be asked now, in order. */
  #turns(): readonly PolledMeter[] {
    const now_ms = this.#o.clock.now_ms();
    if (this.#isStopped || isHeld(this.#line, now_ms)) return NOBODY;
    let quick: PolledMeter[] | null = null;
    let troubled: PolledMeter[] | null = null;
    const mono_ms = this.#o.clock.mono_ms();
    for (const meter of this.#meters) {
      const due_ms = meter.dueAt_ms(now_ms);
      if (due_ms === null || this.#isLeftAlone(meter, now_ms)) continue;
      meter.dueSince_ms = due_ms;
      meter.rank = this.#rank(meter, now_ms);
      meter.waitsSince_ms ??= mono_ms;
      if (meter.rank === "troubled") (troubled ??= []).push(meter);
      else (quick ??= []).push(meter);
    }
    if (troubled === null) return quick === null ? NOBODY : quick.sort(byUrgency);
    troubled.sort(byUrgency);
    if (quick === null) return troubled.filter((meter) => this.#mayBegin(meter, false)).slice(0, 1);
    const starved = troubled.find((meter) => isStarved(meter, mono_ms));
    return starved !== undefined && this.#mayBegin(starved, true) ? [starved] : quick.sort(byUrgency);
  }

  #isLeftAlone({ of, restUntil_ms }: PolledMeter, now_ms: EpochMs): boolean {
    if (restUntil_ms > this.#o.clock.mono_ms()) return true;
    return this.#units.size > 0 && isHeld(this.#units.get(of.unit), now_ms);
  }

  #noteClock(): void {
    const { clock } = this.#o;
    const offset_ms = clock.now_ms() - clock.mono_ms();
    if (Math.abs(offset_ms - this.#clockOffset_ms) <= CLOCK_JUMP_MS) return;
    this.#clockOffset_ms = offset_ms;
    this.#usableFrom_ms = clock.mono_ms();
  }

  #rank(meter: PolledMeter, now_ms: EpochMs): Rank {
    if (this.#isInTrouble(meter)) return "troubled";
    return meter.isAtBoundary(now_ms) ? "boundary" : "quick";
  }

  #isInTrouble(meter: PolledMeter): boolean {
    return meter.plan === null || (this.#units.size > 0 && this.#units.has(meter.of.unit)) || meter.isSlow();
  }

  /**
   * An exchange that may take long is begun if it fits in before the quick meters are due again. Else it may make them late,
   * just after they were read, for then it costs them least: by a little, or by all it takes if it waited long for that.
   */
  #mayBegin(meter: PolledMeter, quickIsDue: boolean): boolean {
    const now_ms = this.#o.clock.now_ms();
    const next_ms = quickIsDue ? now_ms : this.#nextQuick_ms();
    const excess_ms = now_ms + this.#expected_ms(meter) - next_ms;
    if (excess_ms <= 0) return true;
    if (!this.#quickWasLast || this.#latenessLeft_ms() > 0) return false;
    return (
      isStarved(meter, this.#o.clock.mono_ms()) || excess_ms + this.#extra_ms(next_ms) <= LATE_SHARE * this.#cycle_ms
    );
  }

  /** How much longer than usual the round of the quick meters at `at_ms` takes: the last of them is that late by itself. */
  #extra_ms(at_ms: EpochMs): number {
    return this.#meters.reduce((ms, meter) => ms + (this.#isInTrouble(meter) ? 0 : meter.extraAt_ms(at_ms)), 0);
  }

  #expected_ms(meter: PolledMeter): number {
    const isTroubled = meter.plan === null || this.#units.has(meter.of.unit);
    return isTroubled ? meter.of.timeout_ms : (meter.exchange_ms ?? meter.of.timeout_ms);
  }

  #nextQuick_ms(): EpochMs {
    let next_ms = Number.POSITIVE_INFINITY;
    for (const meter of this.#meters) {
      if (!this.#isInTrouble(meter)) next_ms = Math.min(next_ms, meter.nextDue_ms());
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

  async #find(meter: PolledMeter): Promise<void> {
    const { clock, log } = this.#o;
    if (typeof meter.of.map !== "function") return;
    meter.findAt_ms = clock.now_ms() + FIND_AGAIN_MS;
    const found = await meter.of.map({ read: (request) => this.#read(request), close: async () => {} });
    if (this.#isStopped) return;
    if (found.kind === "found") {
      meter.adopt(found);
      return;
    }
    meter.lastError = { words: `its register map was not found: ${found.why}`, at_ms: clock.now_ms() };
    log.warn("meter.map-not-found", { device: meter.of.device, why: found.why });
  }

  /** Quick meters are read to the end; others one exchange at a time, so that nobody waits for more than one. */
  async #poll(meter: PolledMeter, rank: Rank): Promise<void> {
    const { clock } = this.#o;
    const { min_gap_ms } = meter.of;
    const job = meter.job ?? this.#begin(meter, rank);
    meter.job = null;
    for (let block = job.next(); block !== null; block = job.next()) {
      if (min_gap_ms > 0) await this.#keepGap(min_gap_ms);
      const from_ms = clock.mono_ms();
      const reply = await this.#o.bus.read(meter.requestFor(block));
      this.#noteExchange(reply, from_ms);
      this.#takeReply(meter, job, block, reply, this.#quietFrom_ms - from_ms);
      if (this.#isStopped) return;
      const isLost = this.#isRtu && (reply.kind === "timeout" || reply.kind === "garbled");
      if (isLost) meter.restUntil_ms = from_ms + LATE_TIMEOUTS * meter.of.timeout_ms;
      if ((isLost || rank === "troubled" || meter.isSlow()) && job.next() !== null) {
        meter.job = job;
        return;
      }
    }
    if (!this.#isStopped) this.#finish(meter, job);
  }

  #begin(meter: PolledMeter, rank: Rank): PollJob {
    const { clock } = this.#o;
    const now_ms = clock.now_ms();
    const plan = refreshed(meter.plan!, now_ms);
    if (plan !== meter.plan) meter.replan(plan);
    const { blocks, mask } = meter.takeDue(now_ms, rank, (every_ms, late_ms) => {
      if (late_ms >= every_ms) this.#noteMissed(meter, every_ms, late_ms);
    });
    const job = new PollJob(meter.of.device, blocks, clock);
    for (const failure of meter.missingCounters(mask)) {
      const isAskedAgain = blocks.some(
        ({ fc, address, registers }) => registers.length === 1 && fc === failure.fc && address === failure.address,
      );
      if (!isAskedAgain) job.noteMissing(failure);
    }
    meter.jobSplits = 0;
    meter.jobTook_ms = 0;
    return job;
  }

  /** A meter that is left alone misses nothing; nor does a clock that jumps make a line late. */
  #noteMissed(meter: PolledMeter, every_ms: number, late_ms: number): void {
    const { clock, log, id } = this.#o;
    if (this.#units.has(meter.of.unit) || this.#line !== undefined || late_ms === Number.POSITIVE_INFINITY) return;
    const mono_ms = clock.mono_ms();
    const from_ms = Math.max(this.#usableFrom_ms, meter.restUntil_ms);
    const missed = Math.floor(Math.min(late_ms, mono_ms - from_ms) / every_ms);
    if (missed <= 0) return;
    this.#overruns += missed;
    this.#o.onLeftOut?.(meter.of.device, missed);
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

  /** The bus as its meters' maps are looked for on it. */
  async #read(request: BusRead): Promise<BusReply> {
    const from_ms = this.#o.clock.mono_ms();
    const reply = await this.#o.bus.read(request);
    this.#noteExchange(reply, from_ms);
    return reply;
  }

  #noteExchange({ kind }: BusReply, from_ms: number): void {
    const to_ms = this.#o.clock.mono_ms();
    this.#quietFrom_ms = to_ms;
    this.#load.used(from_ms, to_ms);
    if (kind === "unreachable") {
      this.#unreachable += 1;
      return;
    }
    this.#unreachable = 0;
    if (this.#line === undefined) return;
    this.#usableFrom_ms = to_ms;
    this.#line = undefined;
  }

  #takeReply(meter: PolledMeter, job: PollJob, block: BlockRead, reply: BusReply, took_ms: number): void {
    const now_ms = this.#o.clock.now_ms();
    meter.jobTook_ms += took_ms;
    if (reply.kind === "words") {
      meter.noteAnswer(block, took_ms);
      meter.lastAnswer_ms = now_ms;
    } else {
      if (reply.kind === "exception") meter.exchange_ms = smoothed(meter.exchange_ms, took_ms);
      meter.lastError = { words: failureWords(reply, block, meter.of.timeout_ms), at_ms: now_ms };
    }
    const at = { at_ms: now_ms, mono_ms: this.#quietFrom_ms, rank: meter.blockRank(block) };
    job.take(reply, at, this.#learn(meter, job, block, reply, now_ms));
  }

  /** What the reply teaches about the plan; @returns what to ask for at once instead. */
  #learn(meter: PolledMeter, job: PollJob, block: BlockRead, reply: BusReply, now_ms: EpochMs): readonly BlockRead[] {
    const plan = meter.plan!;
    if (reply.kind === "words") {
      this.#adopt(meter, answered(plan, block, now_ms));
      return NOTHING;
    }
    if (reply.kind === "timeout" && job.hasWords) {
      if (meter.noteTimeout(block) < TIMEOUTS_MAX) return NOTHING;
      this.#adopt(meter, refused(plan, block, { kind: "timeout" }, now_ms).plan);
      return NOTHING;
    }
    if (reply.kind !== "exception" || !isRefusal(reply.code)) return NOTHING;
    const step = refused(plan, block, { kind: "exception", code: reply.code }, now_ms);
    this.#adopt(meter, step.plan);
    meter.jobSplits += step.next.length;
    return meter.jobSplits <= SPLITS_PER_POLL ? step.next : NOTHING;
  }

  #adopt(meter: PolledMeter, plan: Plan): void {
    const before = meter.plan!;
    if (plan === before) return;
    meter.replan(plan);
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

  #finish(meter: PolledMeter, job: PollJob): void {
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
    if (sample.failures.length > 0) meter.retryRare(sample.failures, now_ms);
    this.#o.onSample(device, sample);
    this.#noteSettings(meter, sample);
    this.#noteAnswer(meter, sample);
  }

  #noteSettings({ of: { device }, settings }: PolledMeter, sample: Sample): void {
    const news = settings?.take(sample) ?? null;
    if (settings === null || news === null) return;
    for (const { name, before, value, unit } of news) {
      const isSerial = name === SERIAL_NUMBER;
      if (before !== null) {
        this.#o.log.warn(isSerial ? "meter.replaced" : "meter.setting-changed", { device, name, before, value, unit });
      }
    }
    this.#o.onSettings(device, settings.save());
  }

  #noteAnswer(meter: PolledMeter, sample: Sample): void {
    meter.unanswered = sample.blocks.length > 0 ? 0 : meter.unanswered + 1;
    // Every time, for a poll that brings nothing puts off what it asked for.
    if (meter.unanswered > 0 && mayBeAnother(meter.unanswered, this.#silentFor_ms(meter))) meter.rereadRare();
    const isAnswering = meter.unanswered === 0 || (meter.isAnswering && meter.unanswered < SILENT_AFTER_POLLS);
    if (isAnswering === meter.isAnswering) return;
    meter.isAnswering = isAnswering;
    this.#o.onAnswering(meter.of.device, isAnswering, isAnswering ? null : (sample.failures[0]?.why ?? null));
  }

  /** Without an end if it never answered. */
  #silentFor_ms({ lastAnswer_ms }: PolledMeter): number {
    return lastAnswer_ms === null ? Number.POSITIVE_INFINITY : this.#o.clock.now_ms() - lastAnswer_ms;
  }

  /** Nobody on this line can be asked: it is left alone as a whole, and what is due now has failed for that reason. */
  #leaveLine(): void {
    const now_ms = this.#o.clock.now_ms();
    this.#line = afterSilence(this.#line, UNREACHABLE_BASE_MS, now_ms);
    for (const [unit, held] of this.#units) if (held.isUnreachable) this.#units.delete(unit);
    for (const meter of this.#meters) {
      if (meter.plan === null || meter.dueAt_ms(now_ms) === null) continue;
      const job = meter.job ?? this.#begin(meter, "quick");
      meter.job = null;
      job.fail({ kind: "unreachable", detail: "the line" });
      const sample = job.sample();
      if (sample === null) continue;
      meter.retryRare(sample.failures, now_ms);
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

  #share(meter: PolledMeter, now_ms: EpochMs): number {
    const held = this.#units.get(meter.of.unit);
    if (held !== undefined) {
      const { timeout_ms } = meter.of;
      return timeout_ms / (timeout_ms + Math.max(held.until_ms - now_ms, meter.of.every_ms));
    }
    return (meter.plan?.groups ?? []).reduce((sum, { every_ms, blocks }) => {
      const took_ms = blocks.reduce((ms, block) => ms + meter.took_ms(block), 0);
      return sum + took_ms / every_ms;
    }, 0);
  }
}

/** Being left alone is not waiting. */
function isStarved({ waitsSince_ms }: PolledMeter, mono_ms: number): boolean {
  return waitsSince_ms !== null && mono_ms - waitsSince_ms > STARVED_MS;
}

function byUrgency(a: PolledMeter, b: PolledMeter): number {
  const rank = (meter: PolledMeter): number => (meter.rank === "boundary" ? 0 : 1);
  return rank(a) - rank(b) || compare(a.dueSince_ms, b.dueSince_ms) || a.turn_ms - b.turn_ms;
}

/** Also for infinities, whose difference is not a number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
