import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { ModelLimits } from "../../core/model/meterModel.ts";
import type { Bus, BusRead } from "../../core/ports.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import { SERIAL_NUMBER } from "../../drivers/define.ts";
import type { BlockRead, ReadCost } from "../../drivers/modbus/planner.ts";
import type { Backoff } from "./backoff.ts";
import { boundaryBefore, holdsCounter, isDue, nextDue_ms } from "./due.ts";
import { type Plan, restoreLearned, retries, startPlan } from "./learn.ts";
import { smoothed } from "./load.ts";
import type { Asked, BlockRank, PollJob } from "./meter.ts";
import { SettingsWatch } from "./settingsWatch.ts";
import type { MeterStatus } from "./status.ts";

export interface WorkerMeter extends Asked {
  readonly model: string;
  /** The shortest period it is polled with. */
  readonly every_ms: number;
  /** Pause it asks for between a reply and the next request on its line. */
  readonly min_gap_ms: number;
  /** What it is, or how to find out by asking it. */
  readonly map: Found | ((bus: Bus) => Promise<MapResult>);
}

/** `unknown`: nothing was found on the meter. `unusable`: what was found cannot be polled or accounted. */
export type MapResult = Found | { readonly kind: "unknown" | "unusable"; readonly why: string };

export interface Found {
  readonly kind: "found";
  readonly definition: DeviceDefinition;
  readonly limits: ModelLimits;
  readonly cost: ReadCost;
  readonly learned: string | null;
  /** What was last told to `onSettings`. */
  readonly settings: string | null;
  /** false: more may be found when it is looked for again. */
  readonly isWhole: boolean;
}

/** Whose turn comes first: a counter at the end of its interval · who answers quickly · who is slow or does not answer. */
export type Rank = "boundary" | "quick" | "troubled";

export const FIND_AGAIN_MS = 60_000;
/** A map that cannot be used, or is not whole, is looked for again after twice as long each time, up to this. */
const FIND_AGAIN_MAX_MS = 3_600_000;
const RETRIES_PER_POLL = 2;
/** An exchange longer than this share of the shortest period, or than the milliseconds, makes a meter a slow one. */
const SLOW_SHARE = 0.25;
const SLOW_MS = 250;
/** What is read more rarely than this (settings, identity) is not given up for a whole period when a reply is lost. */
const RARE_MS = 600_000;
const RARE_AGAIN_MS = 60_000;

/** A block of the plan: what is asked for it, and how it fared. */
interface Known {
  readonly request: BusRead;
  readonly rank: BlockRank;
  /** Smoothed; null before the first answer. */
  took_ms: number | null;
  /** In a row, while the meter answered others. */
  timeouts: number;
}

/**
 * One meter of a line: its plan, when the groups of it fall due, and how its answers were so far.
 *
 * Everything that depends on the plan alone is made when the plan changes, not when it is polled: a line wakes up cold once a
 * second, and then every object and every function costs more than what it does.
 */
export class PolledMeter {
  readonly of: WorkerMeter;
  definition: DeviceDefinition | null = null;
  /** Of the turn it waits for, see `BusWorker`. */
  rank: Rank = "quick";
  dueSince_ms: EpochMs = 0;
  /** Monotonic time of its last turn. */
  turn_ms: number;
  /** Monotonic time since which it could have its turn; null = nothing is due, or it is left alone. */
  waitsSince_ms: number | null = null;
  /** Monotonic; until then it is not asked, for a reply that was given up may still come. */
  restUntil_ms = Number.NEGATIVE_INFINITY;
  /** `OwedReplies.doubts` when the poll in hand began. */
  jobDoubts = 0;
  findAt_ms: EpochMs = Number.NEGATIVE_INFINITY;
  #isWhole = true;
  /** In a row that brought something, but not what was looked for. */
  #vainFinds = 0;
  /** Turns in a row that ended in an error of our own. */
  failed: Backoff | undefined;
  /** A poll that is not over yet. */
  job: PollJob | null = null;
  jobSplits = 0;
  jobTook_ms = 0;
  /** How long each answer of the present turn is waited for, at most its timeout. */
  patience_ms: number;
  /** Its last reply was an exception: it is there, and it does not make others wait. */
  threwException = false;
  /** Smoothed duration of its answers. */
  exchange_ms: number | null = null;
  /** Polls in a row without a word. */
  unanswered = 0;
  isAnswering = false;
  lastError: MeterStatus["lastError"] = null;
  lastAnswer_ms: EpochMs | null = null;
  lastPollDuration_ms: number | null = null;
  settings: SettingsWatch | null = null;
  #plan: Plan | null = null;
  /** Of each group of the plan: when it falls due next, and whether it counts. */
  #due_ms: EpochMs[] = [];
  #counts: readonly boolean[] = [];
  #known: ReadonlyMap<BlockRead, Known> = new Map();
  #asked: BlockRead | null = null;
  #askedOf: Known | undefined;
  /** Blocks in the order they are asked, by the groups that are due (a bit each). */
  readonly #orders = new Map<number, readonly BlockRead[]>();

  constructor(of: WorkerMeter, mono_ms: number) {
    this.of = of;
    this.turn_ms = mono_ms;
    this.patience_ms = of.timeout_ms;
    if (typeof of.map !== "function") this.adopt(of.map);
  }

  get plan(): Plan | null {
    return this.#plan;
  }

  /** Its registers are known: everything is due at once. */
  adopt({ definition, limits, cost, learned, settings, isWhole }: Found): void {
    this.#isWhole = isWhole;
    // The same map again is no reason to begin anew.
    if (definition === this.definition) return;
    this.definition = definition;
    this.settings = new SettingsWatch(definition, settings);
    this.replan(restoreLearned(startPlan(definition, limits, cost), definition, learned));
    this.#due_ms = this.#plan!.groups.map(() => Number.NEGATIVE_INFINITY);
  }

  /** A plan for the same groups in other blocks. What is known of a block stays with it. */
  replan(plan: Plan): void {
    const before = new Map([...this.#known].map(([block, known]) => [keyOf(block), known]));
    const known = new Map<BlockRead, Known>();
    for (const { blocks } of plan.groups) {
      for (const block of blocks)
        known.set(block, this.#known.get(block) ?? before.get(keyOf(block)) ?? this.#new(block));
    }
    this.#plan = plan;
    this.#known = known;
    this.#asked = null;
    this.#counts = plan.groups.map(({ blocks }) => blocks.some(holdsCounter));
    this.#orders.clear();
    this.#askAgain(Number.NEGATIVE_INFINITY);
  }

  /** What is rarely read and was set aside is asked for again when that is due, but not before `from_ms`. */
  #askAgain(from_ms: EpochMs): void {
    const { groups, learned } = this.#plan!;
    for (const { every_ms, retryAt_ms } of learned.aside) {
      const i = every_ms < RARE_MS ? -1 : groups.findIndex((group) => group.every_ms === every_ms);
      const due_ms = i < 0 ? undefined : this.#due_ms[i];
      if (due_ms !== undefined) this.#due_ms[i] = Math.min(due_ms, Math.max(retryAt_ms, from_ms));
    }
  }

  /** What to ask for a block of the plan, or for a register that is asked again. */
  requestFor(block: BlockRead): BusRead {
    const request = this.#of(block)?.request ?? this.#request(block);
    return request.timeout_ms === this.patience_ms ? request : { ...request, timeout_ms: this.patience_ms };
  }

  blockRank(block: BlockRead): BlockRank {
    return this.#of(block)?.rank ?? this.#rankOf(block);
  }

  /** An exchange asks three times about one block. */
  #of(block: BlockRead): Known | undefined {
    if (block !== this.#asked) {
      this.#asked = block;
      this.#askedOf = this.#known.get(block);
    }
    return this.#askedOf;
  }

  #rankOf(block: BlockRead): BlockRank {
    const counters = this.definition?.counters ?? [];
    const isAccounted = block.registers.some(
      ({ kind, quantity }) =>
        kind === "counter" && counters.some((counter) => counter.accounted && counter.quantity === quantity),
    );
    return isAccounted ? 0 : holdsCounter(block) ? 1 : 2;
  }

  isSlow(): boolean {
    return this.exchange_ms !== null && this.exchange_ms > Math.min(SLOW_MS, this.of.every_ms * SLOW_SHARE);
  }

  /** Since when it has something due; null = it has not. */
  dueAt_ms(now_ms: EpochMs): EpochMs | null {
    const plan = this.#plan;
    if (plan === null) return this.isMapDue(now_ms) ? this.findAt_ms : null;
    let since_ms = this.job === null ? null : now_ms;
    for (let i = 0; i < this.#due_ms.length; i++) {
      const due_ms = this.#due_ms[i]!;
      if (isDue(due_ms, plan.groups[i]!.every_ms, now_ms) && (since_ms === null || due_ms < since_ms))
        since_ms = due_ms;
    }
    return since_ms;
  }

  /** Its map is to be looked for: it has none, or not the whole one. */
  isMapDue(now_ms: EpochMs): boolean {
    return (this.#plan === null || !this.#isWhole) && isDue(this.findAt_ms, FIND_AGAIN_MAX_MS, now_ms);
  }

  /** When its map is looked for next; before the search, for that may fail. */
  noteSearch(now_ms: EpochMs): void {
    this.findAt_ms = now_ms + FIND_AGAIN_MS;
  }

  /** @returns the wait until it is looked for again; null = it need not be. */
  noteMap(result: MapResult, now_ms: EpochMs): number | null {
    const isVain = result.kind === "unusable" || (result.kind === "found" && !result.isWhole);
    this.#vainFinds = isVain ? this.#vainFinds + 1 : 0;
    const wait_ms = Math.min(FIND_AGAIN_MS * 2 ** Math.min(Math.max(0, this.#vainFinds - 1), 16), FIND_AGAIN_MAX_MS);
    this.findAt_ms = now_ms + wait_ms;
    return result.kind === "found" && result.isWhole ? null : wait_ms;
  }

  nextDue_ms(): EpochMs {
    let next_ms = Number.POSITIVE_INFINITY;
    for (const due_ms of this.#due_ms) if (due_ms < next_ms) next_ms = due_ms;
    return next_ms;
  }

  /** Has counters that were not read since the interval began. */
  isAtBoundary(now_ms: EpochMs): boolean {
    return this.#boundaryGroup(now_ms) >= 0;
  }

  #boundaryGroup(now_ms: EpochMs): number {
    if (this.definition === null) return -1;
    const boundary_ms = boundaryBefore(now_ms, this.definition);
    for (let i = 0; i < this.#due_ms.length; i++) if (this.#counts[i]! && this.#due_ms[i]! <= boundary_ms) return i;
    return -1;
  }

  /** How much longer than usual its poll at `at_ms` takes: groups that are due then beside those of the shortest period. */
  extraAt_ms(at_ms: EpochMs): number {
    let extra_ms = 0;
    for (const [i, { every_ms, blocks }] of (this.#plan?.groups ?? []).entries()) {
      if (every_ms <= this.of.every_ms || this.#due_ms[i]! > at_ms) continue;
      for (const block of blocks) extra_ms += this.took_ms(block);
    }
    return extra_ms;
  }

  /**
   * Takes what is due: the blocks in the order they are to be asked. `onGroup` is told how late each group is, before its
   * next due time is set. What was missed is not made up for.
   */
  takeDue(now_ms: EpochMs, rank: Rank, onGroup: (every_ms: number, late_ms: number) => void): TakenPoll {
    const groups = this.#plan!.groups;
    const mask = this.#dueMask(now_ms, rank);
    let again: readonly BlockRead[] = NOTHING;
    for (let i = 0; i < groups.length; i++) {
      if ((mask & (1 << i)) === 0) continue;
      const { every_ms } = groups[i]!;
      onGroup(every_ms, now_ms - this.#due_ms[i]!);
      this.#due_ms[i] = nextDue_ms(now_ms, every_ms, this.#counts[i]! ? this.definition : null);
      const own = retries(this.#plan!, every_ms, now_ms);
      if (own.length > 0) again = [...again, ...own.slice(0, RETRIES_PER_POLL)];
    }
    this.#askAgain(now_ms + RARE_AGAIN_MS);
    const ordered = this.#ordered(mask);
    return { blocks: this.#rotated(again.length === 0 ? ordered : inOrder([...ordered, ...again], this.#known)), mask };
  }

  /** At the end of an interval everybody's counters come before anybody's gauges; a slow meter reads one group a turn. */
  #dueMask(now_ms: EpochMs, rank: Rank): number {
    const isSlow = this.isSlow();
    const boundary = rank === "boundary" || isSlow ? this.#boundaryGroup(now_ms) : -1;
    if (boundary >= 0) return 1 << boundary;
    const groups = this.#plan!.groups;
    let mask = 0;
    let first = -1;
    for (let i = 0; i < groups.length; i++) {
      if (!isDue(this.#due_ms[i]!, groups[i]!.every_ms, now_ms)) continue;
      mask |= 1 << i;
      if (first < 0 || this.#due_ms[i]! < this.#due_ms[first]!) first = i;
    }
    return isSlow && first >= 0 ? 1 << first : mask;
  }

  /** Counters of the groups of `mask` that are set aside at present: they count as failed all the same. */
  missingCounters(mask: number): Sample["failures"] {
    const plan = this.#plan!;
    if (plan.learned.aside.length === 0) return NONE;
    return plan.learned.aside.flatMap(({ register, every_ms, why }) => {
      const isTaken = plan.groups.some((group, i) => (mask & (1 << i)) !== 0 && group.every_ms === every_ms);
      if (register.kind !== "counter" || !isTaken) return [];
      const { fc, address, words: count } = register;
      const failed = { fc, address, count, why: why.kind };
      return why.kind === "exception" ? [{ ...failed, detail: why.code }] : [failed];
    });
  }

  #ordered(mask: number): readonly BlockRead[] {
    let blocks = this.#orders.get(mask);
    if (blocks === undefined) {
      const due = this.#plan!.groups.filter((_, i) => (mask & (1 << i)) !== 0).flatMap((group) => group.blocks);
      blocks = inOrder(due, this.#known);
      this.#orders.set(mask, blocks);
    }
    return blocks;
  }

  /** After a silent poll another block begins: it may have been the block, not the meter. */
  #rotated(blocks: readonly BlockRead[]): readonly BlockRead[] {
    if (this.unanswered === 0 || blocks.length < 2) return blocks;
    const first = this.unanswered % blocks.length;
    return first === 0 ? blocks : [...blocks.slice(first), ...blocks.slice(0, first)];
  }

  noteAnswer(block: BlockRead, took_ms: number): void {
    this.exchange_ms = smoothed(this.exchange_ms, took_ms);
    const known = this.#of(block);
    if (known === undefined) return;
    known.took_ms = smoothed(known.took_ms, took_ms);
    if (known.timeouts > 0) this.#setTimeouts(known, 0);
  }

  /** @returns timeouts of the block in a row, this one included; a register asked again had its chances before. */
  noteTimeout(block: BlockRead): number {
    const known = this.#of(block);
    if (known === undefined) return this.#isAskedAgain(block) ? Number.POSITIVE_INFINITY : 1;
    this.#setTimeouts(known, known.timeouts + 1);
    return known.timeouts;
  }

  #isAskedAgain({ registers }: BlockRead): boolean {
    return registers.length === 1 && this.#plan!.learned.aside.some(({ register }) => register === registers[0]);
  }

  #setTimeouts(known: Known, timeouts: number): void {
    known.timeouts = timeouts;
    this.#orders.clear();
  }

  /** What is rarely read and was not is asked for again soon. */
  retryRare(failures: Sample["failures"], now_ms: EpochMs): void {
    for (const [i, { every_ms, blocks }] of this.#plan!.groups.entries()) {
      if (every_ms < RARE_MS) continue;
      const isLost = blocks.some(({ fc, address }) => failures.some((one) => one.fc === fc && one.address === address));
      if (isLost) this.#due_ms[i] = Math.min(this.#due_ms[i]!, now_ms + RARE_AGAIN_MS);
    }
  }

  /** It was silent for a while: it may be another meter, or set otherwise. */
  rereadRare(): void {
    const { groups } = this.#plan!;
    const isRare = groups.map(({ every_ms, blocks }) => every_ms >= RARE_MS || blocks.some(tellsSerial));
    const others_ms = this.#due_ms.filter((_, i) => !isRare[i]);
    // With the next poll, not at once: a meter that throws exceptions would be asked again and again without a pause.
    // A moment before the others: a slow meter reads one group a turn, and counts wait for this one.
    const next_ms = others_ms.length === 0 ? this.nextDue_ms() : Math.min(...others_ms) - 1;
    for (let i = 0; i < groups.length; i++) if (isRare[i] && this.#due_ms[i]! > next_ms) this.#due_ms[i] = next_ms;
  }

  /** Measured duration of a block's exchange, else of any; 0 before the first. */
  took_ms(block: BlockRead): number {
    return this.#known.get(block)?.took_ms ?? this.exchange_ms ?? 0;
  }

  /** null before the first answer. */
  blockTook_ms(block: BlockRead): number | null {
    return this.#known.get(block)?.took_ms ?? null;
  }

  #new(block: BlockRead): Known {
    return { request: this.#request(block), rank: this.#rankOf(block), took_ms: null, timeouts: 0 };
  }

  #request({ fc, address, count }: BlockRead): BusRead {
    const { unit, timeout_ms } = this.of;
    return { unit, fc, address, count, timeout_ms };
  }
}

/** The blocks to ask and the groups they are of, a bit each. */
interface TakenPoll {
  readonly blocks: readonly BlockRead[];
  readonly mask: number;
}

const NOTHING: readonly BlockRead[] = [];
const NONE: Sample["failures"] = [];

/** Accounted counters first, for they date the sample; blocks that time out last, for a timeout ends the poll. */
function inOrder(blocks: readonly BlockRead[], known: ReadonlyMap<BlockRead, Known>): readonly BlockRead[] {
  const rank = (block: BlockRead): number => {
    const of = known.get(block);
    return (of?.timeouts ?? 0) * 3 + (of?.rank ?? (holdsCounter(block) ? 1 : 2));
  };
  return blocks.length < 2 ? blocks : [...blocks].sort((a, b) => rank(a) - rank(b));
}

function tellsSerial({ registers }: BlockRead): boolean {
  return registers.some(({ name }) => name === SERIAL_NUMBER);
}

function keyOf({ fc, address, count }: BlockRead): string {
  return `${fc}:${address}:${count}`;
}
