import { EventEmitter } from "node:events";
import type { BusRead, BusReply } from "../../core/ports.ts";
import { crc16, hearRtu, hearTcp, isRepetition } from "./framing.ts";
import type { LateReply, LostReplies } from "./lostReplies.ts";
import type { Put, RecentReplies } from "./recentReplies.ts";
import { wordsAt } from "./words.ts";

/** How frames stand on the line, and what of earlier requests must be known to tell whose reply they are. */
export type Framing =
  /** The number of the last request, 16 bits. */
  { readonly kind: "tcp"; last: number } | RtuFraming;

export interface RtuFraming {
  readonly kind: "rtu";
  readonly lost: LostReplies;
  readonly recent: RecentReplies;
}

const NOTHING = Buffer.alloc(0);

/**
 * A port for the library (`new ModbusRTU(port)`), between its RTU frames and the bytes of the line: hands up the one frame that
 * answers the request in flight. The library keeps one transaction, number 1.
 *
 * frames     RTU: as they stand on the line; the library checks their CRC and reads their words
 * receipts   Modbus TCP, whose frames have no CRC and are checked here: the words are taken out here, and the library, which
 *            would have to be given a CRC to check bit by bit, is told of one register read. It keeps request, match and timeout
 */
export class LinePort extends EventEmitter {
  readonly _transactionIdRead = 1;
  readonly _transactionIdWrite = 1;
  readonly isOpen = true;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #framing: Framing;
  /** Set while a reply is awaited. */
  question: BusRead | null = null;
  /** What is wrong with the reply, if it was not even handed up; null otherwise. */
  complaint: string | null = null;
  hasHeard = false;
  isDirty = false;
  hasForeignSurplus = false;
  /** What a receipt stands for. */
  words: BusReply | null = null;
  #receipt: Buffer = NOTHING;
  #rest: Buffer = NOTHING;
  /** The RTU frame that was handed up for the question. */
  #frame: Buffer = NOTHING;
  /** An RTU frame that may be the copy of another answer: not handed up yet. */
  #suspect: Buffer = NOTHING;
  #wasHeld = false;
  /** Something else of the asked unit came first. */
  #isBehindStray = false;
  /** Whether the frame is a copy cannot be told before the question is asked again. */
  isUncertain = false;
  /** Told that a frame is suspected, and how long the true answer may follow. */
  onSuspect: (hold_ms: number) => void = () => {};

  constructor(write: (bytes: Uint8Array) => void, framing: Framing) {
    super();
    this.#write = write;
    this.#framing = framing;
  }

  get receives(): "frames" | "receipts" {
    return this.#framing.kind === "rtu" ? "frames" : "receipts";
  }

  open(opened: () => void): void {
    opened();
  }

  /** The line below is let go of by its owner. */
  destroy(): void {}

  ask(question: BusRead): void {
    this.question = question;
    this.complaint = null;
    this.words = null;
    this.hasHeard = false;
    this.hasForeignSurplus = false;
    this.#frame = NOTHING;
    this.#suspect = NOTHING;
    this.#wasHeld = false;
    this.#isBehindStray = false;
    this.isUncertain = false;
  }

  /** Nothing followed the suspected frame. */
  endSuspicion(): void {
    if (this.#suspect.length === 0 || this.question === null || this.#framing.kind !== "rtu") return;
    const { recent } = this.#framing;
    const put = this.#put();
    if (this.#rest.length > 0) return this.#complain("further bytes behind the reply");
    const trust = recent.trust(put, this.#suspect);
    if (trust !== "believed") {
      this.isUncertain = trust === "uncertain";
      return this.#complain("perhaps a copy of another answer");
    }
    this.#wasHeld = !this.isDirty;
    this.#handUpRtu(this.#suspect);
  }

  /** The reply is believed. */
  accept(): void {
    if (this.#framing.kind !== "rtu" || this.question === null) return;
    const { recent, lost } = this.#framing;
    const put = this.#put();
    const isRefusal = this.#frame[1] !== put.fc;
    if (!isRefusal && recent.isOfAnother(put, this.#frame)) lost.order.suspect(put.unit);
    lost.order.answered(this.question, { isRefusal, isSame: !isRefusal && recent.isSame(put, this.#frame) });
    if (isRefusal) recent.refused(put, this.#frame);
    else recent.accept(put, this.#frame, this.#wasHeld);
  }

  /** Drops what was heard so far. */
  forget(): void {
    this.#rest = NOTHING;
    this.#frame = NOTHING;
    this.isDirty = false;
  }

  write(frame: Buffer): void {
    const framing = this.#framing;
    if (framing.kind === "rtu") {
      framing.lost.put();
      this.#write(frame);
      return;
    }
    const { unit, fc, address, count } = this.question!;
    framing.last = (framing.last + 1) & 0xffff;
    const [id, size] = [framing.last, 6];
    const bytes = Buffer.allocUnsafe(6 + size);
    bytes[0] = id >> 8;
    bytes[1] = id & 0xff;
    bytes[2] = 0;
    bytes[3] = 0;
    bytes[4] = 0;
    bytes[5] = size;
    bytes[6] = unit;
    bytes[7] = fc;
    bytes[8] = address >> 8;
    bytes[9] = address & 0xff;
    bytes[10] = count >> 8;
    bytes[11] = count & 0xff;
    this.#write(bytes);
  }

  /** Takes bytes of the line; they are the caller's again afterwards. */
  hear(bytes: Buffer): void {
    this.hasHeard = true;
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (this.#framing.kind === "rtu") this.#takeRtu(this.#framing);
    else this.#takeTcp(this.#framing.last);
    if (this.#rest.length > 0 && this.#rest.buffer === bytes.buffer) this.#rest = Buffer.from(this.#rest);
  }

  #takeTcp(transaction: number): void {
    while (this.#rest.length > 0) {
      const heard = hearTcp(this.#rest, transaction, this.question);
      if (heard.kind === "more") return;
      if (heard.kind === "garbled") return this.#complain(heard.detail);
      const frame = heard.kind === "reply" ? this.#receiptOf(this.#rest, heard) : null;
      this.#rest = heard.end === this.#rest.length ? NOTHING : this.#rest.subarray(heard.end);
      if (frame !== null) this.#handUp(frame);
    }
  }

  /** A refusal goes up as it is. */
  #receiptOf(bytes: Buffer, reply: { readonly start: number; readonly end: number }): Buffer {
    const { unit, fc, count } = this.question!;
    if (bytes[reply.start + 1] !== fc) return withCrc(bytes, reply);
    this.words = { kind: "words", words: wordsAt(bytes, reply.start + 3, count) };
    if (this.#receipt[0] !== unit || this.#receipt[1] !== fc) {
      this.#receipt = withCrc(Buffer.from([unit, fc, 2, 0, 0]), { start: 0, end: 5 });
    }
    return this.#receipt;
  }

  #takeRtu(framing: RtuFraming): void {
    const { lost, recent } = framing;
    const noteLate = (of: LateReply, isExpected: boolean): void => {
      if (!isExpected) recent.doubt(of.unit);
      recent.late(of);
    };
    const stray = recent.hear(this.#rest, this.question) ?? lost.hear(this.#rest, this.question, noteLate);
    if (stray?.kind === "stray") {
      if (this.#rest[0] === this.question?.unit) this.#isBehindStray = true;
      // Between questions it shows that the line is not silent yet.
      if (this.question === null) this.isDirty = true;
      return this.#goOn(stray.end, framing);
    }
    if (this.question === null || this.#frame.length > 0) return this.#takeSurplus(framing);
    if (stray?.kind === "more") return;
    const heard = hearRtu(this.#rest, this.question);
    if (heard.kind === "garbled") {
      this.#noteSurplus(framing);
      return this.#complain(heard.detail);
    }
    if (heard.kind !== "reply") return;
    this.#takeFrame(Buffer.from(this.#rest.subarray(heard.start, heard.end)), this.question, framing);
    if (this.question !== null) this.#goOn(heard.end, framing);
  }

  #goOn(from: number, framing: RtuFraming): void {
    this.#rest = this.#rest.subarray(from);
    if (this.#rest.length > 0) this.#takeRtu(framing);
  }

  /** Bytes behind the reply, or that nobody asked for. */
  #takeSurplus(framing: RtuFraming): void {
    this.isDirty = true;
    if (!isRepetition(this.#rest, this.#frame)) {
      this.hasForeignSurplus = true;
      this.#noteSurplus(framing);
    } else if (this.#rest.length >= this.#frame.length) framing.recent.noteCopy(this.#frame[0]!);
  }

  /** A whole frame too many: the answers of its unit may be one behind. */
  #noteSurplus({ lost, recent }: RtuFraming): void {
    const of = recent.surplus(this.#rest);
    if (of !== null) lost.addSurplus({ ...of, timeout_ms: this.question?.timeout_ms ?? of.timeout_ms });
  }

  #takeFrame(frame: Buffer, question: BusRead, { lost, recent }: RtuFraming): void {
    if (frame[1] !== question.fc) {
      const isDoubtful = this.#suspect.length > 0 || lost.mayRefuse(question) || recent.mayRefuseAgain(question);
      if (isDoubtful) {
        lost.order.refusedInDoubt(question);
        return this.#complain("a refusal that may be of an older question");
      }
      return this.#handUpRtu(frame);
    }
    if (this.#suspect.length > 0) return this.#takeSecond(frame, question.unit, recent);
    if (this.#isBehindStray && recent.isOfAnother(this.#put(), frame)) {
      return this.#complain("two replies, both given before");
    }
    const hold_ms = recent.hold_ms(this.#put(), frame);
    if (hold_ms === 0) return this.#handUpRtu(frame);
    this.#suspect = frame;
    this.onSuspect(hold_ms);
  }

  /** What follows a suspected frame is the answer, unless it could be a copy itself. */
  #takeSecond(frame: Buffer, unit: number, recent: RecentReplies): void {
    const isRepeated = frame.equals(this.#suspect);
    if (!isRepeated && recent.isOfAnother(this.#put(), frame)) return this.#complain("two replies, both given before");
    recent.noteCopy(unit);
    if (isRepeated) this.isDirty = true;
    else this.#handUpRtu(frame);
  }

  #handUpRtu(frame: Buffer): void {
    this.#frame = frame;
    this.#suspect = NOTHING;
    this.emit("data", frame);
  }

  #put(): Put {
    const { unit, fc, count, address, timeout_ms } = this.question!;
    const put_ms = (this.#framing as RtuFraming).lost.put_ms;
    return { unit, fc, count, address, timeout_ms, put_ms };
  }

  #handUp(frame: Buffer): void {
    // Answered: what follows with the same transaction number is a copy.
    this.question = null;
    this.emit("data", frame);
  }

  /** A frame of no bytes makes the library give the request up, timer and all. */
  #complain(detail: string): void {
    const isAwaited = this.question !== null;
    this.#rest = NOTHING;
    this.question = null;
    this.isDirty = true;
    this.complaint = detail;
    if (isAwaited) this.emit("data", NOTHING);
  }
}

/** The library wants a CRC on every frame; Modbus TCP has none. */
function withCrc(bytes: Buffer, { start, end }: { readonly start: number; readonly end: number }): Buffer {
  const frame = Buffer.allocUnsafe(end - start + 2);
  bytes.copy(frame, 0, start, end);
  frame.writeUInt16LE(crc16(bytes, start, end), end - start);
  return frame;
}
