import { KhuXanhError } from "../../core/errors.ts";
import type { Bus, BusRead, BusReply, Clock, Log, OwedReplies } from "../../core/ports.ts";
import type { Sample } from "../../core/reading/reading.ts";
import { SERIAL_NUMBER } from "../../drivers/define.ts";
import type { BlockRead } from "../../drivers/modbus/planner.ts";
import { BEHIND_MS } from "../../drivers/modbus/replyOrder.ts";
import { afterSilence, type Backoff, isHeld } from "./backoff.ts";
import { refreshed } from "./learn.ts";
import { learn } from "./lessons.ts";
import { BusLoad, smoothed } from "./load.ts";
import { PollJob } from "./meter.ts";
import { Overload } from "./overload.ts";
import { PolledMeter, type Rank, type WorkerMeter } from "./polledMeter.ts";
import { Reach } from "./reach.ts";
import { mayBeAnother, SILENT_AFTER_POLLS } from "./settingsWatch.ts";
import { type BusStatus, meterStatus } from "./status.ts";
import { Turns } from "./turns.ts";
import { DOUBTED, failureWords, mapNotFoundWords, unusableWords } from "./words.ts";

/**
 * The one who talks on a line: a TCP connection or a serial bus with all its meters.
 *
 * order      whose turn it is, and how late slow meters may make the others: {@link Turns}
 * silence    a unit that does not answer is left alone for growing times (by unit: what sits there, not what it is called);
 *            a line that cannot be reached is left alone as a whole
 * late       a meter on an RTU line rests until the reply that it still owes can no longer come, as long as the bus says that
 *            it must; others are asked meanwhile. A poll during which its replies came into doubt has read nothing
 * overload   a poll that is not begun before the next one falls due is left out, counted and said: {@link Overload}
 * lessons    what the replies teach about the plan: {@link learn}
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

/** A question that the bus would keep back longer than this is not put to it. */
const KEPT_BACK_MAX_MS = 20;
/** Looks who else has become due after this long. */
const ROUND_MS = 250;
const UNREACHABLE_BASE_MS = 1000;

const NOBODY: readonly PolledMeter[] = [];

export class BusWorker {
  readonly #o: BusWorkerOptions;
  readonly #meters: readonly PolledMeter[];
  readonly #turns: Turns;
  readonly #overload: Overload;
  readonly #load = new BusLoad();
  /** Set from the moment the line cannot be reached until it answers again. */
  #line: Backoff | undefined;
  readonly #reach: Reach;
  /** Monotonic end of the last exchange. */
  #quietFrom_ms = Number.NEGATIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();
  #isWorking = false;
  #isStopped = false;

  constructor(options: BusWorkerOptions) {
    this.#o = options;
    const cycle_ms = Math.min(...options.meters.map(({ every_ms }) => every_ms));
    this.#meters = options.meters.map((of) => new PolledMeter(of, options.clock.mono_ms()));
    this.#reach = new Reach(this.#meters);
    this.#turns = new Turns(this.#meters, options.clock, cycle_ms);
    this.#overload = new Overload(options, this.#meters, this.#turns, cycle_ms);
  }

  /**
   * Polls whatever is due; settles when nothing is left to begin. A worker that is still busy takes the new polls along.
   * @returns null where nothing is due, as at most beats of most gateways
   */
  wake(): Promise<void> | null {
    this.#overload.noteClock();
    if (this.#isWorking) return this.#running;
    const turns = this.#due();
    if (turns.length === 0) return null;
    this.#isWorking = true;
    this.#running = this.#work(turns);
    return this.#running;
  }

  /** Ends polling and closes the bus; the exchange in flight is cut off. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#o.bus.close();
    await this.#running;
  }

  get overruns(): number {
    return this.#overload.overruns;
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
      ...this.#overload.need(now_ms),
      overruns: this.#overload.overruns,
      isOverloaded: this.#overload.isRecent(mono_ms),
      backoffUntil_ms: isHeld(this.#line, now_ms) ? this.#line.until_ms : null,
      meters: this.#meters.map((meter) => meterStatus(meter, this.#turns.units.get(meter.of.unit), now_ms)),
    };
  }

  async #work(due: readonly PolledMeter[]): Promise<void> {
    const { clock } = this.#o;
    try {
      for (let turns = due; turns.length > 0; turns = this.#due()) {
        // One after the other, until it is time to look who else has become due.
        const began_ms = clock.mono_ms();
        for (const meter of turns) {
          const isTroubled = meter.rank === "troubled";
          const next_ms = this.#turns.begin(meter);
          await this.#turn(meter);
          if (this.#isStopped) return;
          if (isTroubled) this.#turns.end(meter, next_ms);
          if (this.#reach.isGone) {
            this.#leaveLine();
            break;
          }
          if (isTroubled || clock.mono_ms() - began_ms > ROUND_MS) break;
        }
      }
    } finally {
      this.#isWorking = false;
    }
  }

  /** Who may be asked now, in order. */
  #due(): readonly PolledMeter[] {
    const now_ms = this.#o.clock.now_ms();
    if (this.#isStopped || isHeld(this.#line, now_ms)) return NOBODY;
    const due = this.#turns.due(now_ms);
    return this.#line === undefined ? due : this.#reach.inOrder(due);
  }

  /** Whatever goes wrong about one meter, the others go on: it rests, longer each time, and says why. */
  async #turn(meter: PolledMeter): Promise<void> {
    try {
      if (meter.plan === null) await this.#find(meter);
      else await this.#poll(meter, meter.rank);
      if (this.#isStopped) return;
      // Beside its polls, for it is polled by what was found already.
      if (meter.plan !== null && meter.job === null && meter.isMapDue(this.#o.clock.now_ms())) await this.#find(meter);
      meter.failed = undefined;
    } catch (error) {
      this.#noteFailed(meter, error);
    }
  }

  #noteFailed(meter: PolledMeter, error: unknown): void {
    const { clock, log } = this.#o;
    const now_ms = clock.now_ms();
    const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
    const { device, every_ms, timeout_ms } = meter.of;
    meter.failed = afterSilence(meter.failed, Math.max(every_ms, timeout_ms), now_ms);
    meter.restUntil_ms = clock.mono_ms() + meter.failed.until_ms - now_ms;
    meter.job = null;
    meter.lastError = { words: unusableWords(error instanceof Error ? error.message : String(error)), at_ms: now_ms };
    log.error("meter.failed", { device, code, error: error instanceof Error ? error.stack : String(error) });
  }

  async #find(meter: PolledMeter): Promise<void> {
    const { clock, log } = this.#o;
    const { map, device } = meter.of;
    if (typeof map !== "function") return;
    meter.noteSearch(clock.now_ms());
    const result = await map({ read: (request) => this.#read(request), close: async () => {} });
    if (this.#isStopped) return;
    const now_ms = clock.now_ms();
    this.#overload.noteSearched(clock.mono_ms());
    const wait_ms = meter.noteMap(result, now_ms);
    if (result.kind === "found") {
      meter.adopt(result);
      if (wait_ms !== null) log.warn("meter.map-unfinished", { device, again_ms: wait_ms });
      return;
    }
    const { kind, why } = result;
    log.warn(kind === "unusable" ? "meter.unusable" : "meter.map-not-found", { device, why, again_ms: wait_ms });
    // One that is polled by what was found before is none the worse.
    if (meter.plan !== null) return;
    meter.lastError = { words: kind === "unusable" ? unusableWords(why) : mapNotFoundWords(why), at_ms: now_ms };
  }

  /** Quick meters are read to the end; others one exchange at a time, so that nobody waits for more than one. */
  async #poll(meter: PolledMeter, rank: Rank): Promise<void> {
    const { clock, bus } = this.#o;
    const { min_gap_ms } = meter.of;
    const job = meter.job ?? this.#begin(meter, rank);
    meter.job = null;
    for (let block = job.next(); block !== null; block = job.next()) {
      const request = meter.requestFor(block);
      if (bus.owed !== undefined && this.#isKeptBack(meter, request)) break;
      if (min_gap_ms > 0) await this.#keepGap(min_gap_ms);
      const from_ms = clock.mono_ms();
      const reply = await bus.read(request);
      this.#noteExchange(meter.of.unit, reply, from_ms);
      this.#takeReply(meter, job, block, reply, this.#quietFrom_ms - from_ms);
      if (this.#isStopped) return;
      if (rank === "troubled" || meter.isSlow()) break;
    }
    if (bus.owed !== undefined) await this.#prove(meter, job, bus.owed);
    if (this.#isStopped) return;
    if (job.next() === null) this.#finish(meter, job);
    else meter.job = job;
  }

  /**
   * Asks what proves that the words of this turn are not those of the question before, if the bus cannot be sure: what comes
   * instead brings the poll into doubt. At once: a reply that is out may be lost with the line's next trouble, and be no proof.
   */
  async #prove(meter: PolledMeter, job: PollJob, owed: OwedReplies): Promise<void> {
    const { unit, min_gap_ms } = meter.of;
    const proof = job.hasWords ? owed.proof(unit) : null;
    if (proof === null) return;
    const question = { ...proof, timeout_ms: meter.patience_ms };
    if (this.#keptBack_ms(question) > KEPT_BACK_MAX_MS) return this.#distrust(meter, job);
    await this.#keepGap(min_gap_ms);
    await this.#read(question);
    await this.#o.pause(BEHIND_MS);
  }

  #distrust(meter: PolledMeter, job: PollJob): void {
    job.distrust();
    meter.lastError = { words: DOUBTED, at_ms: this.#o.clock.now_ms() };
  }

  /** How long the bus would keep this question back. */
  #keptBack_ms(question: BusRead): number {
    return this.#o.bus.owed?.wait_ms(question) ?? 0;
  }

  /** A meter whose question the bus would keep back for long rests meanwhile, and its poll with it. */
  #isKeptBack(meter: PolledMeter, question: BusRead): boolean {
    const owed_ms = this.#keptBack_ms(question);
    if (owed_ms <= KEPT_BACK_MAX_MS) return false;
    meter.restUntil_ms = this.#o.clock.mono_ms() + owed_ms;
    return true;
  }

  #begin(meter: PolledMeter, rank: Rank): PollJob {
    const { clock } = this.#o;
    const now_ms = clock.now_ms();
    const plan = refreshed(meter.plan!, now_ms);
    if (plan !== meter.plan) meter.replan(plan);
    const { blocks, mask } = meter.takeDue(now_ms, rank, (every_ms, late_ms) => {
      if (late_ms >= every_ms && this.#line === undefined) this.#overload.noteMissed(meter, every_ms, late_ms);
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
    meter.jobDoubts = this.#doubts(meter);
    return job;
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
    this.#noteExchange(request.unit, reply, from_ms);
    return reply;
  }

  #noteExchange(unit: number, reply: BusReply, from_ms: number): void {
    const to_ms = this.#o.clock.mono_ms();
    this.#quietFrom_ms = to_ms;
    this.#load.used(from_ms, to_ms);
    this.#reach.note(unit, reply);
    if (reply.kind === "unreachable") return;
    if (this.#line === undefined) return;
    this.#overload.noteUsable(to_ms);
    this.#line = undefined;
  }

  #takeReply(meter: PolledMeter, job: PollJob, block: BlockRead, reply: BusReply, took_ms: number): void {
    const now_ms = this.#o.clock.now_ms();
    meter.jobTook_ms += took_ms;
    meter.threwException = reply.kind === "exception";
    if (reply.kind === "words") {
      meter.noteAnswer(block, took_ms);
      meter.lastAnswer_ms = now_ms;
    } else {
      if (reply.kind === "exception") meter.exchange_ms = smoothed(meter.exchange_ms, took_ms);
      // A try cut short says less than the whole one before it.
      const isCutShort = reply.kind === "timeout" && meter.patience_ms < meter.of.timeout_ms;
      const before = isCutShort ? meter.lastError?.words : undefined;
      meter.lastError = { words: before ?? failureWords(reply, block, meter.patience_ms), at_ms: now_ms };
    }
    const at = { at_ms: now_ms, mono_ms: this.#quietFrom_ms, rank: meter.blockRank(block) };
    job.take(reply, at, learn(this.#o, meter, job, block, reply, now_ms));
  }

  #doubts({ of: { unit } }: PolledMeter): number {
    return this.#o.bus.owed?.doubts(unit) ?? 0;
  }

  #finish(meter: PolledMeter, job: PollJob): void {
    const { unit, timeout_ms, every_ms, device } = meter.of;
    const now_ms = this.#o.clock.now_ms();
    if (this.#doubts(meter) !== meter.jobDoubts) this.#distrust(meter, job);
    meter.lastPollDuration_ms = meter.jobTook_ms;
    if (job.hasAnswered) {
      if (this.#turns.units.size > 0) this.#turns.units.delete(unit);
    } else if (job.exchanges > 0) {
      const before = this.#turns.units.get(unit);
      const held = afterSilence(before, Math.max(every_ms, timeout_ms), now_ms);
      const cutShort = meter.patience_ms < timeout_ms ? (before?.cutShort ?? 0) + 1 : 0;
      this.#turns.units.set(unit, { ...held, isUnreachable: this.#reach.hasFailed, cutShort });
    }
    const samples = job.samples();
    const poll = samples[0];
    if (poll === undefined) return;
    if (poll.failures.length > 0) meter.retryRare(poll.failures, now_ms);
    for (const sample of samples) {
      this.#o.onSample(device, sample);
      this.#noteSettings(meter, sample);
    }
    this.#noteAnswer(meter, poll);
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
    for (const [unit, held] of this.#turns.units) if (held.isUnreachable) this.#turns.units.delete(unit);
    for (const meter of this.#meters) {
      if (meter.plan === null || meter.dueAt_ms(now_ms) === null) continue;
      const job = meter.job ?? this.#begin(meter, "quick");
      meter.job = null;
      job.fail({ kind: "unreachable", detail: "the line" });
      const samples = job.samples();
      const poll = samples[0];
      if (poll === undefined) continue;
      meter.retryRare(poll.failures, now_ms);
      for (const sample of samples) this.#o.onSample(meter.of.device, sample);
      this.#noteAnswer(meter, poll);
    }
  }
}
