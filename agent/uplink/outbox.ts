import type { Clock, Log, Random } from "../../core/ports.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import type { Journal } from "../journal/journal.ts";
import type { Aliases } from "./aliases.ts";
import { BatchSource, type SourcedBatch } from "./batchSource.ts";
import type { LiveDevice } from "./births.ts";
import { Delivery, type Pick } from "./delivery.ts";
import type { BornSession } from "./session.ts";

export const KEEPALIVE_S = 30;
/** Batches handed to the link in one go, before other work gets its turn. */
const BURST_MAX = 100;
/** Without acks a batch counts as delivered after two keep-alives of one unbroken session (mode off). */
const DONE_WITHOUT_ACK_MS = 2 * KEEPALIVE_S * 1000;

/** Batches that were confirmed and are missing: so many are opened in one beat, and while no more than this are open. */
const REOPENED_AT_ONCE = 2000;
const REOPENED_BELOW = 5000;
/** Ranges of them that are remembered; the host says the others again, and others may be opened again in the same session. */
const MISSING_RANGES_MAX = 10_000;

export interface OutboxOptions {
  readonly hostId: string | null;
  readonly delivery: "required" | "auto" | "off";
  readonly journal: Journal;
  readonly clock: Clock;
  /** Monotonic transport time. */
  readonly mono_ms: () => number;
  readonly random: Random;
  readonly log: Log;
  /** Devices configured now, and whether their meter answers. */
  readonly devices: () => readonly LiveDevice[];
}

/**
 * Batches on their way: which goes next, made of what the journal holds, into a session that was born; and what becomes of it
 * when the host confirms, or does not. What it sends has been synced.
 */
export class Outbox {
  readonly #o: OutboxOptions;
  readonly #aliases: Aliases;
  readonly #source: BatchSource;
  readonly #ackSeenKey: string;
  #delivery: Delivery;
  /** What the host said it does not hold, and was not looked for yet. */
  #missing = new BatchRanges();
  /** Opened again or told lost in this session: once is enough, whoever says again that it is missing. */
  #reopened = new BatchRanges();

  constructor(options: OutboxOptions, aliases: Aliases) {
    this.#o = options;
    this.#aliases = aliases;
    this.#source = new BatchSource(options.journal);
    this.#ackSeenKey = `ackSeen:${options.hostId ?? ""}`;
    this.#delivery = this.#newDelivery();
  }

  /** Batches were committed; live ones go before all others. */
  appended(numbers: readonly number[], isLive: boolean): void {
    this.#delivery.appended(numbers, isLive);
  }

  /** What came of its own accord: losses the journal numbered, acks that did not come in time. */
  look(): void {
    const now_ms = this.#o.mono_ms();
    // The journal numbers losses it noticed by itself: nobody is told of them, so they are looked for.
    this.#delivery.reach(this.#o.journal.nextNumber());
    this.#delivery.resume(now_ms);
    this.#reopen();
    if (this.#waitsForAcks()) this.#delivery.expire(now_ms);
    else {
      const done = this.#delivery.olderThan(DONE_WITHOUT_ACK_MS, now_ms);
      if (done.length > 0) this.confirmed(done);
    }
  }

  /** Sends a burst of what the window lets go. */
  pump(born: BornSession): "more" | "nothing" {
    for (let burst = 0; burst < BURST_MAX; burst++) {
      const pick = this.#delivery.next();
      if (pick === null) return "nothing";
      this.#send(pick, born);
    }
    return "more";
  }

  confirmed(ranges: readonly BatchRange[]): void {
    this.#delivery.confirmed(ranges, this.#o.mono_ms());
    this.#o.journal.confirm(ranges);
    if (this.#missing.count > 0) this.#missing = without(this.#missing, BatchRanges.of(ranges));
  }

  /** The host holds nothing above this number, whatever it confirmed: a store that was restored from a backup has less. */
  heldUpTo(highest: number): void {
    this.#missing = new BatchRanges();
    this.missing([{ first: highest + 1, last: this.#o.journal.nextNumber() - 1 }]);
  }

  /** Nor these, told after that. What is left of them goes again, some at a time. */
  missing(ranges: readonly BatchRange[]): void {
    for (const { first, last } of ranges.flatMap((range) => this.#reopened.missingIn(range.first, range.last))) {
      if (this.#missing.ranges < MISSING_RANGES_MAX) this.#missing.addRange(first, last);
    }
    this.#reopen();
  }

  #reopen(): void {
    const { journal, log } = this.#o;
    if (this.#missing.count === 0 || journal.unconfirmed() > REOPENED_BELOW) return;
    const { opened, told, left } = journal.reopen(this.#missing.toRanges(), REOPENED_AT_ONCE);
    this.#missing = BatchRanges.of(left);
    for (const { first, last } of [...opened, ...told]) {
      if (this.#reopened.ranges < MISSING_RANGES_MAX) this.#reopened.addRange(first, last);
    }
    const [lowest] = opened;
    if (lowest === undefined) return;
    log.warn("uplink.host-went-back", { from: lowest.first, to: opened.at(-1)!.last });
    this.#delivery.reopened(lowest.first);
  }

  /** From now on this host is waited for, also after a restart (mode auto). Not kept, it is learned again. */
  noteAckSeen(): void {
    const { journal, log } = this.#o;
    if (journal.getState(this.#ackSeenKey) !== null) return;
    try {
      journal.commit({ entries: [], state: () => [[this.#ackSeenKey, "1"]] });
    } catch (error) {
      log.warn("uplink.mode-not-kept", { why: String(error) });
    }
  }

  /** The journal gave new numbers to what is open. */
  renewed(): void {
    this.#missing = new BatchRanges();
    this.#reopened = new BatchRanges();
    this.#source.forget();
    this.#delivery = this.#newDelivery();
  }

  restartTimers(): void {
    this.#delivery.restartTimers(this.#o.mono_ms());
  }

  sessionEnded(): void {
    this.#missing = new BatchRanges();
    this.#reopened = new BatchRanges();
    this.#delivery.sessionEnded();
  }

  status(): {
    readonly inFlight_bytes: number;
    readonly window_bytes: number;
    readonly sent: number;
    readonly resent: number;
  } {
    const { inFlight_bytes, window_bytes, counts } = this.#delivery;
    return { inFlight_bytes, window_bytes, sent: counts.sent, resent: counts.resent };
  }

  #waitsForAcks(): boolean {
    const { delivery, journal } = this.#o;
    return delivery === "required" || (delivery === "auto" && journal.getState(this.#ackSeenKey) !== null);
  }

  #send(pick: Pick, born: BornSession): void {
    const batch = this.#source.batch(pick.number, pick.isLive, (device) => born.hashOf(device));
    if (batch.kind === "unsendable") {
      this.#giveUp(pick.number, batch);
      // What is there and makes no sense never will; what cannot be read may be there another time.
      if (batch.lost === null) this.#delivery.postpone(pick, this.#o.mono_ms());
      else this.#delivery.skip(pick);
      return;
    }
    if (batch.kind === "device") this.#ensureBorn(batch, born);
    const device = batch.kind === "device" ? batch.device : null;
    const isLive = pick.isLive && born.takesAsLive(device, batch.from_ms, batch.to_ms);
    const naming = this.#aliases.naming(device ?? "", !isLive);
    const sent_ms = this.#o.clock.now_ms();
    const bytes = born.publishData(device, (to) => batch.write(to, naming, sent_ms));
    this.#delivery.sent(pick, bytes, this.#o.mono_ms());
  }

  /** What can never be sent is a loss, which the host is told. What damage took, the journal has reported itself. */
  #giveUp(number: number, { why, lost }: Extract<SourcedBatch, { readonly kind: "unsendable" }>): void {
    const { journal, log } = this.#o;
    log.error("uplink.batch-unsendable", { number, why });
    if (lost === null || journal.isConfirmed(number)) return;
    journal.noteLoss({
      ...lost,
      count: 1,
      what: "unknown",
      why: "unsendable",
      batches: [{ first: number, last: number }],
    });
  }

  /**
   * A device with unconfirmed batches is born even if its meter is silent or no longer configured; else they could never
   * drain. Samples taken under another definition (other ticks) are sent after a birth by that definition.
   */
  #ensureBorn(batch: Extract<SourcedBatch, { readonly kind: "device" }>, born: BornSession): void {
    const { device, definition, hash, isBooks } = batch;
    const bornAs = born.hashOf(device);
    if (bornAs !== undefined && (bornAs === hash || isBooks)) return;
    const live = this.#o.devices().find((one) => one.hash === hash && one.definition.device === device);
    born.bearDevice(live ?? { definition, hash, isAnswering: false, last: new Map() });
    if (live?.isAnswering !== true) born.killDevice(device);
  }

  #newDelivery(): Delivery {
    const { journal, random } = this.#o;
    return new Delivery(journal.nextNumber(), (number) => journal.isConfirmed(number), random);
  }
}

function without(set: BatchRanges, others: BatchRanges): BatchRanges {
  return BatchRanges.of(set.toRanges().flatMap(({ first, last }) => others.missingIn(first, last)));
}
