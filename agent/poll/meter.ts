import type { Bus, BusReply } from "../../core/ports.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import type { BlockRead } from "../../drivers/modbus/planner.ts";
import { holdsCounter } from "./due.ts";

/** Whom to ask. */
export interface Asked {
  readonly device: string;
  readonly unit: number;
  readonly timeout_ms: number;
}

/** One gateway says so for the meter behind it: MODBUS Application Protocol V1.1b3 §7, 0x0A and 0x0B. */
const GATEWAY_CODES: readonly number[] = [0x0a, 0x0b];
/** A line that garbles twice in a poll garbles the rest as well. */
const GARBLED_MAX = 2;

/** What is accounted and was read this much later than its sample says is a sample of its own. */
const SPREAD_MAX_MS = 1000;

/**
 * What a block's date is worth: 0 it holds an accounted counter · 1 another counter, or what one is scaled with · 2 neither ·
 * 3 no reply yet.
 */
export type BlockRank = 0 | 1 | 2 | 3;

/** The meter itself said nothing. */
export function isSilence(reply: BusReply): boolean {
  return (
    reply.kind === "timeout" ||
    reply.kind === "unreachable" ||
    (reply.kind === "exception" && GATEWAY_CODES.includes(reply.code))
  );
}

/**
 * One poll of one meter: blocks are asked one after another, and what they bring becomes one sample, dated by the reply that
 * brought its first counter (what is accounted depends on that date), else by its first words. Other accounted counters that come more
 * than a second later, of a slow meter that takes turns with its neighbours, are samples of their own, unless other registers
 * scale them. Silence ends it: a silent meter costs its bus one timeout, not one per block; the blocks not asked for count as failed for
 * the same reason.
 */
export class PollJob {
  readonly #device: string;
  /** Shared with other polls: never changed in place. */
  #queue: readonly BlockRead[];
  #asked = 0;
  #read: Sample["blocks"][number][] = [];
  /** Samples of their own; none of most polls. */
  #late: readonly Sample[] = NO_SAMPLES;
  #failures: Failure[] | null = null;
  #at_ms: EpochMs;
  #mono_ms: number;
  #datedBy: BlockRank = 3;
  #garbled = 0;
  /** Reads that were made. */
  exchanges = 0;
  /** The meter said something that only it can say: words, or an exception of its own. */
  hasAnswered = false;

  constructor(device: string, blocks: readonly BlockRead[], now: { now_ms(): EpochMs; mono_ms(): number }) {
    this.#device = device;
    this.#mono_ms = now.mono_ms();
    this.#at_ms = now.now_ms();
    this.#queue = blocks;
  }

  get hasWords(): boolean {
    return this.#read.length > 0;
  }

  /** The block to ask for next; null when the poll is over. */
  next(): BlockRead | null {
    return this.#asked < this.#queue.length ? this.#queue[this.#asked]! : null;
  }

  /**
   * Takes the reply to the block asked for, which came at these times of both clocks.
   * @param instead what to ask for at once in its place
   */
  take(
    reply: BusReply,
    at: { readonly at_ms: EpochMs; readonly mono_ms: number; readonly rank: BlockRank },
    instead: readonly BlockRead[] = [],
  ): void {
    const block = this.#queue[this.#asked++]!;
    this.exchanges += 1;
    if (reply.kind === "words") {
      this.hasAnswered = true;
      this.#takeWords(block, reply.words, at);
      return;
    }
    if (reply.kind === "exception" && !isSilence(reply)) this.hasAnswered = true;
    if (reply.kind === "garbled") this.#garbled += 1;
    if (instead.length > 0) {
      this.#queue = [...instead, ...this.#queue.slice(this.#asked)];
      this.#asked = 0;
      return;
    }
    this.#fail(failureOf(block, reply));
    if (!isSilence(reply) && this.#garbled < GARBLED_MAX) return;
    this.fail(reply);
  }

  #takeWords(
    block: BlockRead,
    words: Uint16Array,
    at: { readonly at_ms: EpochMs; readonly mono_ms: number; readonly rank: BlockRank },
  ): void {
    const { at_ms, mono_ms, rank } = at;
    const read = { fc: block.fc, address: block.address, words };
    if (rank < this.#datedBy) {
      this.#at_ms = at_ms;
      this.#mono_ms = mono_ms;
      this.#datedBy = rank;
    } else if (rank === 0 && mono_ms - this.#mono_ms > SPREAD_MAX_MS && standsAlone(block)) {
      this.#late = [...this.#late, { device: this.#device, at_ms, mono_ms, blocks: [read], failures: NO_FAILURES }];
      return;
    }
    this.#read.push(read);
  }

  /** Gives up the blocks not yet asked for. */
  fail(reply: Exclude<BusReply, { kind: "words" }>): void {
    for (; this.#asked < this.#queue.length; this.#asked++) {
      this.#fail(failureOf(this.#queue[this.#asked]!, reply));
    }
  }

  /** What was read is in doubt: it counts as garbled. */
  distrust(): void {
    for (const { fc, address, words } of [this.#read, ...this.#late.map(({ blocks }) => blocks)].flat()) {
      this.#fail({ fc, address, count: words.length, why: "garbled" });
    }
    this.#read = [];
    this.#late = NO_SAMPLES;
  }

  /** A register that is not asked for at present counts as failed all the same: its counter has a gap. */
  noteMissing(failure: Failure): void {
    this.#fail(failure);
  }

  #fail(failure: Failure): void {
    (this.#failures ??= []).push(failure);
  }

  /** The poll itself, then what came late. Empty if there is nothing to tell. */
  samples(): readonly Sample[] {
    const failures = this.#failures ?? NO_FAILURES;
    if (this.#read.length === 0 && failures.length === 0) return NO_SAMPLES;
    const poll: Sample = {
      device: this.#device,
      at_ms: this.#at_ms,
      mono_ms: this.#mono_ms,
      blocks: this.#read,
      failures,
    };
    return this.#late.length === 0 ? [poll] : [poll, ...this.#late];
  }
}

type Failure = Sample["failures"][number];
const NO_FAILURES: readonly Failure[] = [];
const NO_SAMPLES: readonly Sample[] = [];

/** No register of another block is needed to know what its registers say. */
function standsAlone({ registers }: BlockRead): boolean {
  return registers.every(
    (one) => one.scale_exp_address === undefined && one.multiply_by === undefined && one.divide_by === undefined,
  );
}

/** Reads these blocks to the end, whatever else the bus has to do. */
export async function pollMeter(
  bus: Bus,
  { device, unit, timeout_ms }: Asked,
  blocks: readonly BlockRead[],
  now: { now_ms(): EpochMs; mono_ms(): number },
): Promise<Sample | null> {
  const job = new PollJob(device, blocks, now);
  for (let block = job.next(); block !== null; block = job.next()) {
    const { fc, address, count } = block;
    const reply = await bus.read({ unit, fc, address, count, timeout_ms });
    job.take(reply, { at_ms: now.now_ms(), mono_ms: now.mono_ms(), rank: holdsCounter(block) ? 1 : 2 });
  }
  return job.samples()[0] ?? null;
}

function failureOf({ fc, address, count }: BlockRead, reply: Exclude<BusReply, { kind: "words" }>) {
  return reply.kind === "exception"
    ? { fc, address, count, why: reply.kind, detail: reply.code }
    : { fc, address, count, why: reply.kind };
}
