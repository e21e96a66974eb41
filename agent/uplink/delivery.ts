import type { Random } from "../../core/ports.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";

/**
 * Which batch goes next, and when one is sent again: the agent's side of the delivery protocol (reference sparkplug §17.4).
 * Pure: it is told what happened and at what monotonic time, and asked what to send; it neither sends nor reads a clock.
 *
 *   STORED ──send──► INFLIGHT ──ack──► done        INFLIGHT ──RTO──► STORED (again, historical)
 *                        └──session ends──► STORED
 *
 * Live batches go first; the backlog behind them may fill {@link BACKLOG_SHARE} of the window, so live latency stays flat.
 */
export const WINDOW_START_BYTES = 256 * 1024;
export const WINDOW_MAX_BYTES = 4 * 1024 * 1024;
const WINDOW_MIN_BYTES = 16 * 1024;
const BACKLOG_SHARE = 0.75;
const RTO_INITIAL_MS = 10_000;
const RTO_MIN_MS = 5_000;
const RTO_MAX_MS = 300_000;
const RTO_JITTER = 0.2;
/** Live batches waiting for the window; beyond it the oldest wait as backlog instead, in order, nothing lost. */
const LIVE_QUEUE_MAX = 10_000;
/** Timed-out batches remembered one by one; beyond it the backlog is walked again from the oldest of them. */
const AGAIN_MAX = 10_000;
/** Batches whose number of attempts is remembered; beyond it the oldest begin again at the first RTO. */
const ATTEMPTS_MAX = 10_000;
/** Batches that cannot be read are asked for again after this time; beyond so many the others in the next session. */
const POSTPONED_MS = 60_000;
const POSTPONED_MAX = 1_000;
/** Numbers passed over in one call: years of confirmed batches must not hold up the beat. The next call goes on. */
const SCAN_MAX = 200_000;

interface Flight {
  readonly bytes: number;
  readonly sentAt_ms: number;
  readonly expires_ms: number;
}

export interface Pick {
  readonly number: number;
  /** First attempt of a batch captured in this session: may go without is_historical. */
  readonly isLive: boolean;
}

export class Delivery {
  readonly #isConfirmed: (number: number) => boolean;
  readonly #random: Random;
  readonly #inFlight = new Map<number, Flight>();
  /** When each is to be read again. */
  readonly #postponed = new Map<number, number>();
  readonly #attempts = new Map<number, number>();
  readonly #live: number[] = [];
  /** Timed out, to be sent again before the backlog goes on; ascending. */
  readonly #again: number[] = [];
  /** Every unconfirmed number below it has been sent in this session, or waits in one of the queues. */
  #backlogAt = 1;
  /** Every number below it is confirmed. */
  #openFrom = 1;
  #end = 1;
  #bytes = 0;
  #window = WINDOW_START_BYTES;
  #ackDelay_ms: number | null = null;
  #ackDelayBest_ms = Number.POSITIVE_INFINITY;
  readonly counts = { sent: 0, resent: 0, timedOut: 0 };

  /** @param end the next number the journal will assign */
  constructor(end: number, isConfirmed: (number: number) => boolean, random: Random) {
    this.#end = end;
    this.#isConfirmed = isConfirmed;
    this.#random = random;
  }

  get window_bytes(): number {
    return this.#window;
  }

  get inFlight_bytes(): number {
    return this.#bytes;
  }

  /** Batches that timed out at least once and are not confirmed yet. */
  get retrying(): number {
    return this.#attempts.size;
  }

  /** Numbers that were just committed, ascending. History and restored data are not live. */
  appended(numbers: readonly number[], isLive: boolean): void {
    for (const number of numbers) {
      this.#end = Math.max(this.#end, number + 1);
      if (isLive) this.#live.push(number);
    }
    // The backlog is walked only while nothing live waits, so it still lies before them and will find them.
    while (this.#live.length > LIVE_QUEUE_MAX) this.#live.shift();
  }

  /** The next number the journal will assign; what lies below it and was not appended is backlog. */
  reach(end: number): void {
    this.#end = Math.max(this.#end, end);
  }

  /** A session ended, or one begins: whatever was under way is stored again, and nothing is live any more. */
  sessionEnded(): void {
    this.#inFlight.clear();
    this.#postponed.clear();
    this.#live.length = 0;
    this.#again.length = 0;
    this.#backlogAt = this.#openFrom;
    this.#bytes = 0;
  }

  /** The next batch to send, or null if there is none or the window is full. Ask again after `sent`. */
  next(): Pick | null {
    if (this.#bytes >= this.#window) return null;
    for (let number = this.#live[0]; number !== undefined; number = this.#live[0]) {
      if (!this.#isConfirmed(number)) return { number, isLive: true };
      this.#live.shift();
    }
    if (this.#bytes >= this.#window * BACKLOG_SHARE) return null;
    for (let number = this.#again[0]; number !== undefined; number = this.#again[0]) {
      if (!this.#isConfirmed(number)) return { number, isLive: false };
      this.#again.shift();
    }
    for (let passed = 0; this.#backlogAt < this.#end && passed < SCAN_MAX; passed++) {
      if (this.#isWaiting(this.#backlogAt)) return { number: this.#backlogAt, isLive: false };
      this.#backlogAt += 1;
      this.#passConfirmed(1);
    }
    return null;
  }

  /** The picked batch was handed to the link, as so many bytes. */
  sent({ number }: Pick, bytes: number, now_ms: number): void {
    this.#take(number);
    const attempts = this.#attempts.get(number) ?? 0;
    this.counts[attempts === 0 ? "sent" : "resent"] += 1;
    this.#inFlight.set(number, { bytes, sentAt_ms: now_ms, expires_ms: now_ms + this.#wait_ms(attempts) });
    this.#bytes += bytes;
  }

  /** The picked batch is not to be sent at all: it is passed over in this session. */
  skip({ number }: Pick): void {
    this.#take(number);
  }

  /** The picked batch cannot be read back just now: others go on, and it is asked for again a while later. */
  postpone(pick: Pick, now_ms: number): void {
    this.skip(pick);
    if (this.#postponed.size < POSTPONED_MAX) this.#postponed.set(pick.number, now_ms + POSTPONED_MS);
  }

  /** Postponed batches whose time has come wait before the backlog again. */
  resume(now_ms: number): void {
    if (this.#postponed.size === 0) return;
    const due = [...this.#postponed].filter(([, due_ms]) => due_ms <= now_ms).map(([number]) => number);
    if (due.length === 0) return;
    for (const number of due) this.#postponed.delete(number);
    this.#again.push(...due);
    this.#again.sort((a, b) => a - b);
  }

  confirmed(ranges: readonly BatchRange[], now_ms: number): void {
    for (const [number, flight] of this.#inFlight) {
      if (!ranges.some(({ first, last }) => first <= number && number <= last)) continue;
      this.#land(number, flight);
      if (!this.#attempts.has(number)) this.#learnDelay(now_ms - flight.sentAt_ms);
      if (this.#ackDelay_ms !== null && this.#ackDelay_ms < 2 * this.#ackDelayBest_ms) {
        this.#window = Math.min(this.#window + flight.bytes, WINDOW_MAX_BYTES);
      }
    }
    // Not only those in flight: a late confirmation may name one that timed out or was under way in another session.
    for (const number of this.#attempts.keys()) {
      if (ranges.some(({ first, last }) => first <= number && number <= last)) this.#attempts.delete(number);
    }
    this.#passConfirmed(SCAN_MAX);
  }

  /** Numbers from this one on are not all confirmed after all: the backlog is walked again from there. */
  reopened(from: number): void {
    this.#openFrom = Math.min(this.#openFrom, from);
    this.#backlogAt = Math.min(this.#backlogAt, from);
  }

  /** Batches whose confirmation did not come in time go back; the window halves once for all of them. */
  expire(now_ms: number): void {
    let hasExpired = false;
    for (const [number, flight] of this.#inFlight) {
      if (flight.expires_ms > now_ms) continue;
      hasExpired = true;
      this.#land(number, flight);
      this.#attempts.set(number, (this.#attempts.get(number) ?? 0) + 1);
      this.counts.timedOut += 1;
      this.#again.push(number);
    }
    if (!hasExpired) return;
    this.#again.sort((a, b) => a - b);
    if (this.#again.length > AGAIN_MAX) {
      this.#backlogAt = Math.min(this.#backlogAt, this.#again[0]!);
      this.#again.length = 0;
    }
    for (const number of this.#attempts.keys()) {
      if (this.#attempts.size <= ATTEMPTS_MAX) break;
      this.#attempts.delete(number);
    }
    this.#window = Math.max(this.#window / 2, WINDOW_MIN_BYTES);
  }

  /** Batches in flight for longer than this: what mode `off` takes for delivered. */
  olderThan(age_ms: number, now_ms: number): BatchRange[] {
    const ranges: BatchRange[] = [];
    for (const [number, flight] of this.#inFlight) {
      if (now_ms - flight.sentAt_ms >= age_ms) ranges.push({ first: number, last: number });
    }
    return ranges;
  }

  /** After a rebirth in the same session the timers of what is in flight start again. */
  restartTimers(now_ms: number): void {
    for (const [number, flight] of this.#inFlight) {
      const wait_ms = this.#wait_ms(this.#attempts.get(number) ?? 0);
      this.#inFlight.set(number, { ...flight, sentAt_ms: now_ms, expires_ms: now_ms + wait_ms });
    }
  }

  #isWaiting(number: number): boolean {
    return !this.#isConfirmed(number) && !this.#inFlight.has(number) && !this.#postponed.has(number);
  }

  #passConfirmed(max: number): void {
    for (let passed = 0; passed < max && this.#openFrom < this.#backlogAt; passed++) {
      if (!this.#isConfirmed(this.#openFrom)) return;
      this.#openFrom += 1;
    }
  }

  #take(number: number): void {
    if (this.#live[0] === number) this.#live.shift();
    else if (this.#again[0] === number) this.#again.shift();
    else if (this.#backlogAt === number) this.#backlogAt += 1;
  }

  #land(number: number, flight: Flight): void {
    this.#inFlight.delete(number);
    this.#bytes -= flight.bytes;
  }

  #learnDelay(delay_ms: number): void {
    this.#ackDelayBest_ms = Math.min(this.#ackDelayBest_ms, Math.max(delay_ms, 50));
    this.#ackDelay_ms = this.#ackDelay_ms === null ? delay_ms : this.#ackDelay_ms * 0.875 + delay_ms * 0.125;
  }

  #wait_ms(attempts: number): number {
    const jitter = 1 + RTO_JITTER * (2 * this.#random.unit() - 1);
    return Math.min(this.#rto_ms() * 2 ** attempts, RTO_MAX_MS) * jitter;
  }

  #rto_ms(): number {
    return this.#ackDelay_ms === null ? RTO_INITIAL_MS : Math.max(RTO_MIN_MS, 4 * this.#ackDelay_ms);
  }
}
