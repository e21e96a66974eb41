/**
 * The order in which a unit answers. A reply can be withheld until the next question of its unit and be said instead of, or
 * before, the answer to that one: all that follow are one behind then, however long one waits in between. Units answer in
 * order; so a reply that is known by its form (unit, function, length) says that no older one is out. Pure; the clock is
 * handed in. The reasons: `drivers/decisions/001-late-rtu-replies.md`.
 *
 * unanswered  a question that was given up. Nothing whose answer would have its form is put until a reply to it or to a later
 *             question of its unit was heard: {@link isUnanswered}. Of several of one form a reply is that of the oldest
 * passed      what was passed over so may still follow at once: its form waits {@link BEHIND_MS}: {@link wait_ms}
 * canary      the question that is put instead: one of another length, best one that was answered before. Its words are not
 *             used: {@link canary}
 * proof       what was believed of a unit may be one behind all the same: at its first answers in this process, where a reply
 *             had the bytes of another address's or the same question was answered alike twice running (if it is the only one of
 *             its form, once in {@link SAME_MS}), and for ten minutes after copies or withheld replies were seen. The answer to
 *             a question of a form that was not believed since proves that it was not: {@link proof}
 * Limits      {@link WITHHELD_MAX} replies of a form are taken to be out at most; {@link FORMS_MAX} forms a unit. A unit that
 *             answers {@link VAIN_MAX} proofs in a row with silence is believed without. Other lengths draw a refusal from
 *             some meters: that is an answer too
 */
import { ADDRESSES, READ_MAX } from "../../core/model/modbus.ts";
import type { BusRead } from "../../core/ports.ts";
import { formOf, type Question } from "./framing.ts";

/** Replies in order come together or one close behind the other. */
export const BEHIND_MS = 20;
const WITHHELD_MAX = 3;
const FORMS_MAX = 32;
const ANSWERED_MAX = 8;
const VAIN_MAX = 3;
const ON_RECORD_MS = 600_000;
/** A unit of one question, whose answer stays the same, is to be proved that often. */
const SAME_MS = 60_000;
/** Lengths beside a block's own, in the order they are tried; some meters refuse odd ones. */
const OTHER_LENGTHS = [-2, -1, 2, 1] as const;

/** A question that can be put again. */
export type Asked = Omit<BusRead, "timeout_ms">;

interface Unit {
  /** By form: which of its questions were given up, oldest first. */
  readonly unanswered: Map<number, { readonly fc: number; readonly numbers: readonly number[] }>;
  /** By form: when it became clear that none is out, but what was may follow close behind. */
  readonly passed_ms: Map<number, number>;
  /** By form: a question that was answered with words, the latest last. */
  readonly answered: Map<number, Asked>;
  /** Of the last answer. */
  lastForm: number | null;
  lastAddress: number;
  /** Forms that several addresses answer in. */
  readonly several: Set<number>;
  provedAt_ms: number;
  /** Forms that were believed since the last proof, that one's included. */
  since: Set<number>;
  /** Nothing was proved yet. */
  isUnproved: boolean;
  /** Something was believed that may be a copy, or one behind. */
  isSuspect: boolean;
  /** The form of the proof in hand. */
  proofForm: number | null;
  /** The form of the canary in hand. */
  canaryForm: number | null;
  /** It is the question itself: its replies are counted, for no other length is answered. */
  isCounted: boolean;
  /** Canaries and proofs in a row that brought nothing. */
  vain: number;
  behindAt_ms: number;
  /** How often words came that belong to an older question. */
  late: number;
}

export class ReplyOrder {
  readonly #mono_ms: () => number;
  readonly #isCopied: (unit: number) => boolean;
  readonly #units = new Map<number, Unit>();
  /** Of the question put last. */
  #number = 0;

  constructor(mono_ms: () => number, isCopied: (unit: number) => boolean) {
    this.#mono_ms = mono_ms;
    this.#isCopied = isCopied;
  }

  /** A question is put now. */
  put(): void {
    this.#number += 1;
  }

  /**
   * The question put last was given up, or one more reply of its form may come.
   * @returns whether it leaves what was believed of its unit without the proof that it needs
   */
  lost({ unit: address, fc, count }: Question): boolean {
    const unit = this.#unitOf(address);
    const form = this.#addUnanswered(unit, { unit: address, fc, count });
    const isProof = (unit.isUnproved || unit.isSuspect) && !unit.since.has(form);
    if (isProof || form === unit.canaryForm) unit.vain += 1;
    unit.canaryForm = null;
    unit.isCounted = false;
    return isProof && this.#isOnRecord(address, unit) && unit.vain < VAIN_MAX;
  }

  /** The reply to the question put last is believed. `isSame`: it has the bytes that its address said last. */
  answered(question: Asked, { isRefusal, isSame }: { readonly isRefusal: boolean; readonly isSame: boolean }): void {
    const unit = this.#unitOf(question.unit);
    const asked = formOf(question);
    const older = isRefusal ? undefined : unit.unanswered.get(asked)?.numbers[0];
    this.#pass(unit, older ?? this.#number);
    const isCounted = unit.isCounted;
    unit.vain = 0;
    unit.canaryForm = null;
    unit.isCounted = false;
    const isAgain = isSame && unit.lastForm === asked && unit.lastAddress === question.address;
    unit.lastForm = asked;
    unit.lastAddress = question.address;
    // It may be the reply to an older canary, and proves no more than that one would have: its own may still be out.
    if (older !== undefined) {
      if (!isCounted) this.#addUnanswered(unit, question);
      return;
    }
    if (!isRefusal) {
      const { fc, address, count } = question;
      if (unit.answered.has(asked) && unit.answered.get(asked)!.address !== address) unit.several.add(asked);
      unit.answered.delete(asked);
      unit.answered.set(asked, { unit: question.unit, fc, address, count });
      dropOldest(unit.answered, ANSWERED_MAX);
    }
    // A refusal names no length: it proves something only where it was to be expected.
    const isProof = isRefusal ? asked === unit.proofForm : unit.since.size > 0 && !unit.since.has(asked);
    unit.proofForm = null;
    if (isProof) {
      unit.since = new Set();
      unit.isUnproved = false;
      unit.isSuspect = false;
      unit.provedAt_ms = this.#mono_ms();
    } else if (unit.since.size === 0) unit.isUnproved = true;
    if (isRefusal) return;
    if (!isProof && (this.#isOnRecord(question.unit, unit) || (isAgain && this.#isDue(unit, asked))))
      unit.isSuspect = true;
    unit.since.add(asked);
  }

  /**
   * Words of this form came, not for the question put last; `isBehind`: after all waiting, only when something was asked.
   * @returns whether they may be those of a question that was given up
   */
  late(question: Question, isBehind: boolean): boolean {
    const unit = this.#unitOf(question.unit);
    const isExpected = unit.unanswered.has(formOf(question));
    // It passes nothing over: it may be a copy, or have one behind it.
    if (!isExpected || isBehind) unit.behindAt_ms = this.#mono_ms();
    unit.late += 1;
    return isExpected;
  }

  /** A refusal came that is not believed: it is that of the oldest question of its function, or of a later one. */
  refusedInDoubt({ unit: address, fc }: Question): void {
    const unit = this.#units.get(address);
    if (unit === undefined) return;
    let oldest = Number.POSITIVE_INFINITY;
    for (const one of unit.unanswered.values()) if (one.fc === fc) oldest = Math.min(oldest, one.numbers[0]!);
    if (oldest !== Number.POSITIVE_INFINITY) this.#pass(unit, oldest);
  }

  /** More replies came than there were questions. */
  surplus(unit: number): void {
    this.#unitOf(unit).behindAt_ms = this.#mono_ms();
  }

  /** What is believed next may be the copy of another answer. */
  suspect(unit: number): void {
    this.#unitOf(unit).isSuspect = true;
  }

  /** May a reply of this form still be out, however long ago it was asked for? */
  isUnanswered(question: Question): boolean {
    return this.#units.get(question.unit)?.unanswered.has(formOf(question)) ?? false;
  }

  /** Could a refusal be that of an older question? */
  mayRefuse(question: Question): boolean {
    const unit = this.#units.get(question.unit);
    if (unit === undefined) return false;
    if (unit.isSuspect && formOf(question) !== unit.proofForm) return true;
    for (const one of unit.unanswered.values()) if (one.fc === question.fc) return true;
    return false;
  }

  /** How long until what was passed over can no longer follow. */
  wait_ms(question: Question): number {
    const passed_ms = this.#units.get(question.unit)?.passed_ms.get(formOf(question));
    return passed_ms === undefined ? 0 : Math.max(0, passed_ms + BEHIND_MS - this.#mono_ms());
  }

  /** How often a unit's words came for an older question than that put last. */
  lateReplies(unit: number): number {
    return this.#units.get(unit)?.late ?? 0;
  }

  /** This one is put as the canary of that question. */
  asking(canary: Asked, question: Asked): void {
    const unit = this.#unitOf(canary.unit);
    unit.canaryForm = formOf(canary);
    unit.isCounted = unit.canaryForm === formOf(question);
  }

  /** What to ask instead of a question that {@link isUnanswered}: at last the question itself, until its replies are counted. */
  canary(question: Asked): Asked {
    const unit = this.#unitOf(question.unit);
    const own = formOf(question);
    const others = [...byLength(unit.answered.values()), ...otherLengths(question)].filter(
      (one) => formOf(one) !== own,
    );
    return this.#choose(unit, others) ?? question;
  }

  /** The question whose answer would prove what was believed of this unit; null = nothing is to be proved, or nothing can. */
  proof(address: number): Asked | null {
    const unit = this.#units.get(address);
    const last = unit === undefined ? undefined : [...unit.answered.values()].at(-1);
    if (unit === undefined || last === undefined || unit.vain >= VAIN_MAX) return null;
    if (!unit.isUnproved && !unit.isSuspect) return null;
    const others = [...byLength(unit.answered.values()), ...otherLengths(last)];
    const fresh = others.filter((one) => !unit.since.has(formOf(one)));
    const proof = this.#choose(unit, fresh);
    unit.proofForm = proof === null ? null : formOf(proof);
    return proof;
  }

  /** The best first; what was in vain gives way to the others in turn. */
  #choose(unit: Unit, among: readonly Asked[]): Asked | null {
    // Of the last answer a copy may be out, of those before it would have been heard.
    const mayBeOut = (form: number): boolean => unit.unanswered.has(form) || form === unit.lastForm;
    const rank = (one: Asked): number => Number(mayBeOut(formOf(one)));
    const sorted = [...among].sort((a, b) => rank(a) - rank(b));
    // One more than there are: the turn of the question itself.
    const turn = unit.vain % 2 === 0 ? 0 : 1 + (((unit.vain - 1) / 2) % Math.max(1, sorted.length));
    return sorted[turn] ?? null;
  }

  #addUnanswered(unit: Unit, question: Question): number {
    const form = formOf(question);
    const numbers = [...(unit.unanswered.get(form)?.numbers ?? []), this.#number].slice(-WITHHELD_MAX);
    unit.unanswered.delete(form);
    unit.unanswered.set(form, { fc: question.fc, numbers });
    dropOldest(unit.unanswered, FORMS_MAX);
    return form;
  }

  /** A reply to the question of this number was heard: older ones were said before, or never will be. */
  #pass(unit: Unit, number: number): void {
    if (unit.unanswered.size === 0) return;
    for (const [form, { fc, numbers }] of [...unit.unanswered]) {
      const left = numbers.filter((one) => one > number);
      if (left.length > 0) unit.unanswered.set(form, { fc, numbers: left });
      else {
        unit.unanswered.delete(form);
        unit.passed_ms.set(form, this.#mono_ms());
        dropOldest(unit.passed_ms, FORMS_MAX);
      }
    }
  }

  /** The same question was answered with the same bytes twice running: one may be the copy of the other. */
  #isDue({ several, provedAt_ms }: Unit, form: number): boolean {
    return several.has(form) || this.#mono_ms() - provedAt_ms > SAME_MS;
  }

  #isOnRecord(address: number, { behindAt_ms }: Unit): boolean {
    return this.#isCopied(address) || this.#mono_ms() - behindAt_ms <= ON_RECORD_MS;
  }

  #unitOf(address: number): Unit {
    let unit = this.#units.get(address);
    if (unit === undefined) {
      unit = {
        unanswered: new Map(),
        passed_ms: new Map(),
        answered: new Map(),
        lastForm: null,
        lastAddress: -1,
        several: new Set(),
        provedAt_ms: Number.NEGATIVE_INFINITY,
        since: new Set(),
        isUnproved: false,
        isSuspect: false,
        proofForm: null,
        canaryForm: null,
        isCounted: false,
        vain: 0,
        behindAt_ms: Number.NEGATIVE_INFINITY,
        late: 0,
      };
      this.#units.set(address, unit);
    }
    return unit;
  }
}

function byLength(asked: Iterable<Asked>): readonly Asked[] {
  return [...asked].sort((a, b) => a.count - b.count);
}

/** Reads that begin where this one does and have another length, then the other function. */
function otherLengths(question: Asked): readonly Asked[] {
  const { fc, address, count } = question;
  const longest = Math.min(READ_MAX, ADDRESSES - address);
  const lengths = OTHER_LENGTHS.map((by) => count + by).filter((length) => length >= 1 && length <= longest);
  return [...lengths.map((length) => ({ ...question, count: length })), { ...question, fc: fc === 3 ? 4 : 3 }];
}

function dropOldest(map: Map<number, unknown>, max: number): void {
  if (map.size <= max) return;
  for (const key of map.keys()) return void map.delete(key);
}
