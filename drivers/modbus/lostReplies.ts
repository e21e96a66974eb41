/**
 * Replies that are still out on a line whose frames do not say what they answer. An RTU reply names unit, function and byte
 * count, no address: one that comes after its question was given up has the very form of the next answer of that unit with
 * that length. Pure; the clock is handed in. The reasons: `drivers/decisions/001-late-rtu-replies.md`.
 *
 * out        the reply to a question that was given up (timeout, garbled, connection lost) may come until two timeouts after
 *            it was put; if the unit was later than that in {@link LATENESS_KEPT_MS}, twice as late as it was, at most
 *            {@link LATENESS_MAX} timeouts; once it has come, nothing is added to the two
 * asking     until then no question is put whose answer would have the same unit, function and length: {@link wait_ms}
 * refusals   name no length either: while a reply of that unit and function is out, none is believed: {@link mayRefuse}
 * order      nor before it is clear that it was not withheld until the next question of its unit: `replyOrder.ts`
 * others     a late reply that meets another question is known by its form and dropped: {@link hear}; the question waits on
 * Limits     a reply later than that passes for an answer. One entry a form (unit, function, length), of use for ten timeouts
 */
import { crc16, formOf, type Heard, isOfForm, type Question } from "./framing.ts";
import type { ReplyOrder } from "./replyOrder.ts";

/** How long after the question replies are expected, in timeouts. */
const LATENESS_MIN = 2;
/** The same for a unit that was seen to be late, whatever was seen. */
const LATENESS_MAX = 5;
/** Late replies are known for what they are for this many timeouts. */
const KNOWN_TIMEOUTS = 10;
/** How late a unit was is of use for this long: lines are repaired. */
const LATENESS_KEPT_MS = 600_000;

interface GivenUp extends Question {
  readonly address: number;
  readonly timeout_ms: number;
}

interface Lost extends Question {
  readonly address: number;
  readonly put_ms: number;
  readonly timeout_ms: number;
  /** It can no longer come, and what lay in the machine by then was read. */
  isHeardOut: boolean;
  /** No older one of this form was still out when it was lost: what comes late is this one. */
  readonly isOnly: boolean;
  hasCome: boolean;
}

/** A reply that was given up, as it came. */
export interface LateReply extends Question {
  /** null = it may be that of several. */
  readonly address: number | null;
  readonly timeout_ms: number;
  readonly frame: Uint8Array;
}

export class LostReplies {
  readonly order: ReplyOrder;
  readonly #mono_ms: () => number;
  readonly #lost = new Map<number, Lost>();
  /** By unit: the longest that a reply which was given up came after its question. */
  readonly #lateness = new Map<number, { readonly late_ms: number; readonly seen_ms: number }>();
  /** By unit: the longest that one of its questions was waited for. Who is impatient once does not make replies come sooner. */
  readonly #timeout_ms = new Map<number, number>();
  #put_ms = 0;

  constructor(mono_ms: () => number, order: ReplyOrder) {
    this.#mono_ms = mono_ms;
    this.order = order;
  }

  /** A question is put now. */
  put(): void {
    this.order.put();
    this.#put_ms = this.#mono_ms();
  }

  /** When the last question was put. */
  get put_ms(): number {
    return this.#put_ms;
  }

  /**
   * The question put last was given up.
   * @returns whether it leaves what was believed of its unit without the proof that it needs
   */
  add(question: GivenUp): boolean {
    this.#add(question, this.#put_ms, true);
    return this.order.lost(question);
  }

  /** A reply too many came to this question: another one may be behind it. */
  addSurplus(question: GivenUp): void {
    this.#add(question, this.#mono_ms(), false);
    this.order.surplus(question.unit);
    this.order.lost(question);
  }

  #add({ unit, fc, address, count, timeout_ms: waited_ms }: GivenUp, put_ms: number, isOne: boolean): void {
    const now_ms = this.#mono_ms();
    const timeout_ms = isOne ? Math.max(waited_ms, this.#timeout_ms.get(unit) ?? 0) : waited_ms;
    if (isOne) this.#timeout_ms.set(unit, timeout_ms);
    for (const [form, lost] of this.#lost) if (!this.#isOfUse(lost, now_ms)) this.#lost.delete(form);
    const form = formOf({ unit, fc, count });
    const isOnly = isOne && this.#lost.get(form)?.hasCome !== false;
    this.#lost.set(form, { unit, fc, address, count, put_ms, timeout_ms, isHeardOut: false, isOnly, hasCome: false });
  }

  /** Is there a reply of which it is not certain that it is gone? */
  isOwed(question: Question): boolean {
    if (this.#lost.size === 0) return false;
    const isOut = this.#lost.get(formOf(question))?.isHeardOut === false;
    return isOut || this.order.isUnanswered(question) || this.order.wait_ms(question) > 0;
  }

  /** The line was listened to. @returns whether the question may be put. */
  heardOut(question: Question): boolean {
    if (this.wait_ms(question) > 0) return false;
    const lost = this.#lost.get(formOf(question));
    if (lost !== undefined) lost.isHeardOut = true;
    return true;
  }

  /** How long until no words that are still out can pass for the answer to this question; 0 = it may be put. */
  wait_ms(question: Question): number {
    if (this.#lost.size === 0) return 0;
    const lost = this.#lost.get(formOf(question));
    if (lost === undefined) return 0;
    return Math.max(0, this.#outUntil_ms(lost) - this.#mono_ms(), this.order.wait_ms(question));
  }

  /** Could a refusal that comes now be one of an older question? */
  mayRefuse(question: Question): boolean {
    const now_ms = this.#mono_ms();
    for (const lost of this.#lost.values()) {
      const isOfUnit = lost.unit === question.unit && lost.fc === question.fc;
      if (isOfUnit && this.#outUntil_ms(lost) > now_ms) return true;
    }
    return this.order.mayRefuse(question);
  }

  /**
   * The late reply these bytes begin with, or may begin with; null if they do not, or if it could be the question's answer.
   * `onLate` is told of it when it is whole; `isExpected`: by the order of its unit's replies it was still out.
   */
  hear(
    bytes: Uint8Array,
    question: Question | null,
    onLate: (of: LateReply, isExpected: boolean) => void,
  ): Extract<Heard, { kind: "stray" | "more" }> | null {
    if (this.#lost.size === 0 || (question !== null && isOfForm(bytes, question))) return null;
    const now_ms = this.#mono_ms();
    for (const lost of this.#lost.values()) {
      if (!isOfForm(bytes, lost) || !this.#isOfUse(lost, now_ms)) continue;
      const end = bytes[1] === lost.fc ? 5 + 2 * lost.count : 5;
      if (bytes.length < end) return { kind: "more" };
      if (crc16(bytes, 0, end - 2) !== bytes[end - 2]! + 256 * bytes[end - 1]!) continue;
      if (isKnown(lost, now_ms)) this.#noteLateness(lost);
      if (lost.isOnly) lost.hasCome = true;
      const isAsked = question !== null && question.unit === lost.unit;
      const isBehind = isAsked && now_ms - lost.put_ms > LATENESS_MIN * lost.timeout_ms;
      const address = lost.isOnly ? lost.address : null;
      onLate({ ...lost, address, frame: bytes.subarray(0, end) }, this.order.late(lost, isBehind));
      return { kind: "stray", end };
    }
    return null;
  }

  /** Known by its time, or withheld however long. */
  #isOfUse(lost: Lost, now_ms: number): boolean {
    return isKnown(lost, now_ms) || this.order.isUnanswered(lost);
  }

  #noteLateness({ unit, put_ms }: Lost): void {
    const seen_ms = this.#mono_ms();
    const late_ms = seen_ms - put_ms;
    if (late_ms >= this.#late_ms(unit)) this.#lateness.set(unit, { late_ms, seen_ms });
  }

  #late_ms(unit: number): number {
    const known = this.#lateness.get(unit);
    return known === undefined || this.#mono_ms() - known.seen_ms > LATENESS_KEPT_MS ? 0 : known.late_ms;
  }

  /** Of one that has come a copy may still come. */
  #outUntil_ms({ unit, put_ms, timeout_ms, hasCome }: Lost): number {
    const seen_ms = hasCome ? 0 : 2 * this.#late_ms(unit);
    return put_ms + Math.min(Math.max(LATENESS_MIN * timeout_ms, seen_ms), LATENESS_MAX * timeout_ms);
  }
}

function isKnown({ put_ms, timeout_ms }: Lost, now_ms: number): boolean {
  return now_ms - put_ms <= KNOWN_TIMEOUTS * timeout_ms;
}
