/**
 * What was answered lately on a line whose frames do not say what they answer, by form (unit, function, length), whatever
 * was asked in between and on whichever connection. A reply that was on time may be said twice: by a converter, by a network
 * that repeats. Its copy has the form of the next answer, and only its bytes tell. Pure; the clock is handed in. The reasons:
 * `drivers/decisions/001-late-rtu-replies.md`.
 *
 * equal      a reply that is, byte for byte, what another address answered in the last {@link KNOWN_TIMEOUTS} timeouts may be
 *            its copy: it is held to see whether the true answer follows, {@link hold_ms}: for twice the time in which its
 *            unit answers; if that unit never did so before, to the end of its timeout, and it must say so again
 * the same   what the same address said last, in {@link OWN_MS}, costs nothing: a machine that is off answers zeros for hours
 * copies     a unit that was seen to be repeated is on record for {@link COPIED_MS}: nothing equal of it is free
 * surplus    a further frame that is no copy: the answers of that unit are one behind. {@link doubts} counts it
 * Limits     {@link FORMS_MAX} forms, {@link REPLIES_MAX} replies each; beyond them the oldest are forgotten
 */
import { crc16, formOf, type Heard, isOfForm, type Question } from "./framing.ts";
import type { LateReply } from "./lostReplies.ts";

/** Copies come this many timeouts after their question at the latest. */
const KNOWN_TIMEOUTS = 10;
/** What is said once more behind this many is believed. */
const COPY_TIMEOUTS = 2;
const OWN_MS = 600_000;
const COPIED_MS = 600_000;
const FORMS_MAX = 1024;
const REPLIES_MAX = 64;
/** A held reply is believed so long before the library gives its request up. */
const RESERVE_MS = 10;
/** Share of the way back to a shorter time at each quicker answer. */
const QUICKER_SHARE = 1 / 8;

/** What was asked, and when. */
export interface Put extends Question {
  readonly address: number;
  readonly timeout_ms: number;
  readonly put_ms: number;
}

interface Reply extends Put {
  readonly frame: Uint8Array;
}

interface Unit {
  /** The longest that its answers took lately; they become quicker slowly. */
  turnaround_ms: number;
  /** It said the same for two addresses, and nothing followed. */
  isTrusted: boolean;
  copiedAt_ms: number;
  doubts: number;
}

/** Refusals name neither address nor length. */
const REFUSAL = { address: -1, count: 0 } as const;

export class RecentReplies {
  readonly #mono_ms: () => number;
  readonly #forms = new Map<number, Map<number, Reply>>();
  readonly #units = new Map<number, Unit>();
  /** By form and address: what could not be told from a copy, until the same question is asked again. */
  /** Of what was said for an unknown address, or before the last: below all addresses and that of refusals. */
  #place = REFUSAL.address;
  readonly #uncertain = new Map<number, Reply>();

  constructor(mono_ms: () => number) {
    this.#mono_ms = mono_ms;
  }

  /** These words are believed now. `wasHeld`: and nothing followed them. */
  accept(put: Put, frame: Uint8Array, wasHeld: boolean): void {
    this.#remember(put, frame);
    const unit = this.#unitOf(put.unit);
    const took_ms = this.#mono_ms() - put.put_ms;
    if (wasHeld || this.#isSaidAgain(put, frame)) unit.isTrusted = true;
    if (this.#uncertain.size > 0 && !this.isCopied(put.unit)) this.#uncertain.delete(placeOf(put));
    if (wasHeld) return;
    if (took_ms > unit.turnaround_ms) unit.turnaround_ms = took_ms;
    else unit.turnaround_ms += QUICKER_SHARE * (took_ms - unit.turnaround_ms);
  }

  /** This refusal was believed. */
  refused(put: Put, frame: Uint8Array): void {
    this.#remember({ ...put, ...REFUSAL }, frame);
  }

  /** These words were not believed: they may be said again all the same. */
  late({ unit, fc, address, count, timeout_ms, frame }: LateReply): void {
    if (frame[1] !== fc) return;
    const put = { unit, fc, count, timeout_ms, address: address ?? this.#nextPlace(), put_ms: this.#mono_ms() };
    this.#remember(put, Uint8Array.from(frame));
  }

  /** How long a reply that came now is held to see whether another one follows; 0 = it is believed. */
  hold_ms(put: Put, frame: Uint8Array): number {
    const form = this.#forms.get(formOf(put));
    if (form === undefined) return 0;
    const now_ms = this.#mono_ms();
    const isCopied = this.isCopied(put.unit);
    const own = form.get(put.address);
    const isOwn = own !== undefined && now_ms - own.put_ms <= OWN_MS && isSame(own.frame, frame);
    if ((isOwn && !isCopied) || this.#isSaidAgain(put, frame)) return 0;
    const isAnothers = this.#isKnownFor(form, frame, put.address);
    if (!isAnothers && !(isOwn && isRecent(own, now_ms))) return 0;
    const { turnaround_ms, isTrusted } = this.#unitOf(put.unit);
    const rest_ms = put.timeout_ms - RESERVE_MS - (now_ms - put.put_ms);
    // One's own words of a while ago are not wrong: to know that the line is one behind is all that counts.
    const isShort = isAnothers ? isTrusted && !isCopied : true;
    return Math.max(1, isShort ? Math.min(rest_ms, 2 * turnaround_ms - (now_ms - put.put_ms)) : rest_ms);
  }

  /** Nothing followed a frame that was held. Uncertain: it will be believed if the same question is answered so again. */
  trust(put: Put, frame: Uint8Array): "believed" | "uncertain" | "copied" {
    const isCopied = this.isCopied(put.unit);
    if (!this.isOfAnother(put, frame) || (this.#unitOf(put.unit).isTrusted && !isCopied)) return "believed";
    this.#uncertain.set(placeOf(put), { ...put, frame });
    dropOldest(this.#uncertain, FORMS_MAX);
    return isCopied ? "copied" : "uncertain";
  }

  /** Could its answer not be told from a copy? Then it is asked behind one of another form: no copy comes in between. */
  isUncertain(question: Question & { readonly address: number }): boolean {
    const before = this.#uncertain.size === 0 ? undefined : this.#uncertain.get(placeOf(question));
    return before !== undefined && this.#mono_ms() - before.put_ms <= OWN_MS;
  }

  /** How long until no copy comes of the answers from which its own could not be told. */
  wait_ms(question: Question & { readonly address: number }): number {
    if (!this.isUncertain(question)) return 0;
    const { frame } = this.#uncertain.get(placeOf(question))!;
    let until_ms = 0;
    for (const reply of this.#forms.get(formOf(question))?.values() ?? []) {
      const isAlike = reply.address !== question.address && isSame(reply.frame, frame);
      if (isAlike) until_ms = Math.max(until_ms, reply.put_ms + COPY_TIMEOUTS * reply.timeout_ms);
    }
    return Math.max(0, until_ms - this.#mono_ms());
  }

  /** Is it what another address answered lately? */
  isOfAnother(put: Put, frame: Uint8Array): boolean {
    const form = this.#forms.get(formOf(put));
    return form !== undefined && this.#isKnownFor(form, frame, put.address);
  }

  /** Is it what this address said last? */
  isSame(put: Put, frame: Uint8Array): boolean {
    const own = this.#forms.get(formOf(put))?.get(put.address);
    return own !== undefined && isSame(own.frame, frame);
  }

  /** A frame of this unit came twice. */
  noteCopy(unit: number): void {
    const seen = this.#unitOf(unit);
    seen.copiedAt_ms = this.#mono_ms();
    seen.isTrusted = false;
  }

  /** Could a refusal that comes now be the copy of an older one? */
  mayRefuseAgain({ unit, fc }: Question): boolean {
    if (!this.isCopied(unit)) return false;
    const before = this.#forms.get(formOf({ unit, fc, count: REFUSAL.count }))?.get(REFUSAL.address);
    return before !== undefined && isRecent(before, this.#mono_ms());
  }

  /**
   * The copy that these bytes begin with, or may begin with; null if it is none, or if it could be the awaited answer.
   * One that is heard whole is noted.
   */
  hear(bytes: Uint8Array, awaited: Question | null): Extract<Heard, { kind: "stray" | "more" }> | null {
    if (awaited !== null && isOfForm(bytes, awaited)) return null;
    const now_ms = this.#mono_ms();
    for (const { frame } of this.#recentOf(bytes, now_ms)) {
      if (bytes.length < frame.length) {
        if (bytes.every((byte, i) => byte === frame[i])) return { kind: "more" };
      } else if (isSame(bytes.subarray(0, frame.length), frame)) {
        this.noteCopy(bytes[0]!);
        return { kind: "stray", end: frame.length };
      }
    }
    return null;
  }

  /** The question of late to which these bytes, one whole frame of words more than was asked for, would be an answer. */
  surplus(bytes: Uint8Array): Put | null {
    const now_ms = this.#mono_ms();
    for (const reply of this.#recentOf(bytes, now_ms)) {
      const { count, frame } = reply;
      const end = 5 + 2 * count;
      if (count === 0 || bytes.length < end || isSame(bytes.subarray(0, end), frame)) continue;
      if (crc16(bytes, 0, end - 2) !== bytes[end - 2]! + 256 * bytes[end - 1]!) continue;
      this.doubt(reply.unit);
      this.late({ ...reply, address: null, frame: bytes.subarray(0, end) });
      return reply;
    }
    return null;
  }

  /** What was believed of this unit lately is not proved. */
  doubt(unit: number): void {
    this.#unitOf(unit).doubts += 1;
  }

  /** How often what was believed of this unit came into doubt afterwards. */
  doubts(unit: number): number {
    return this.#units.get(unit)?.doubts ?? 0;
  }

  #nextPlace(): number {
    this.#place -= 1;
    return this.#place;
  }

  #remember({ unit, fc, count, address, timeout_ms, put_ms }: Put, frame: Uint8Array): void {
    const key = formOf({ unit, fc, count });
    let form = this.#forms.get(key);
    if (form === undefined) {
      form = new Map();
      this.#forms.set(key, form);
      dropOldest(this.#forms, FORMS_MAX);
    }
    // Last means latest; what it said before may still be said again.
    const before = form.get(address);
    form.delete(address);
    if (before !== undefined && !isSame(before.frame, frame)) form.set(this.#nextPlace(), before);
    form.set(address, { unit, fc, count, address, timeout_ms, put_ms, frame });
    dropOldest(form, REPLIES_MAX);
  }

  /** A question that was answered in doubt is not asked again before the copies of older answers are gone. */
  #isSaidAgain(put: Put, frame: Uint8Array): boolean {
    return this.isUncertain(put) && isSame(this.#uncertain.get(placeOf(put))!.frame, frame);
  }

  #unitOf(unit: number): Unit {
    let known = this.#units.get(unit);
    if (known === undefined) {
      known = { turnaround_ms: 0, isTrusted: false, copiedAt_ms: Number.NEGATIVE_INFINITY, doubts: 0 };
      this.#units.set(unit, known);
    }
    return known;
  }

  /** Were copies of its replies seen lately? */
  isCopied(unit: number): boolean {
    return this.#mono_ms() - this.#unitOf(unit).copiedAt_ms <= COPIED_MS;
  }

  /** Whatever it is that withholds a copy may do so for long. */
  #isKnownFor(form: ReadonlyMap<number, Reply>, frame: Uint8Array, notFor: number): boolean {
    const now_ms = this.#mono_ms();
    for (const [place, reply] of form) {
      if (reply.address === notFor || !isSame(reply.frame, frame)) continue;
      if (isRecent(reply, now_ms) || (place === reply.address && now_ms - reply.put_ms <= OWN_MS)) return true;
    }
    return false;
  }

  /** What was answered lately in the form that these bytes have, as far as they tell. */
  *#recentOf(bytes: Uint8Array, now_ms: number): Generator<Reply> {
    for (const form of this.#forms.values()) {
      for (const reply of form.values()) {
        const { frame } = reply;
        if (frame[0] !== bytes[0]) break;
        if ((bytes.length > 1 && frame[1] !== bytes[1]) || (bytes.length > 2 && frame[2] !== bytes[2])) break;
        if (isRecent(reply, now_ms)) yield reply;
      }
    }
  }
}

function placeOf(question: Question & { readonly address: number }): number {
  return formOf(question) * 0x1_0000 + question.address;
}

function isRecent({ put_ms, timeout_ms }: Put, now_ms: number): boolean {
  return now_ms - put_ms <= KNOWN_TIMEOUTS * timeout_ms;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  // From the CRC on: what differs differs there.
  for (let i = one.length - 1; i >= 0; i--) if (one[i] !== other[i]) return false;
  return true;
}

function dropOldest(map: Map<number, unknown>, max: number): void {
  if (map.size <= max) return;
  for (const key of map.keys()) return void map.delete(key);
}
