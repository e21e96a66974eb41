import { EventEmitter } from "node:events";
import type { BusRead, BusReply } from "../../core/ports.ts";
import { crc16, hearRtu, hearTcp, isRepetition } from "./framing.ts";
import type { LostReplies } from "./lostReplies.ts";
import { wordsAt } from "./words.ts";

/** How frames stand on the line, and what of earlier requests must be known to tell whose reply they are. */
export type Framing =
  /** The number of the last request, 16 bits. */
  { readonly kind: "tcp"; last: number } | { readonly kind: "rtu"; readonly lost: LostReplies };

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
  #asked: BusRead | null = null;
  /** The question before it and the RTU frame that answered that one. */
  #last: { readonly question: BusRead; readonly frame: Buffer } | null = null;

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

  /** The RTU frame is, byte for byte, the answer to the question before, and the questions differ. */
  get isCopy(): boolean {
    if (this.#last === null || this.question === null || !this.#last.frame.equals(this.#frame)) return false;
    return this.#last.question.address !== this.question.address;
  }

  ask(question: BusRead): void {
    if (this.#asked !== null && this.#frame.length > 0) this.#last = { question: this.#asked, frame: this.#frame };
    this.#asked = question;
    this.question = question;
    this.complaint = null;
    this.words = null;
    this.hasHeard = false;
    this.hasForeignSurplus = false;
    this.#frame = NOTHING;
  }

  /** Drops what was heard so far. */
  forget(): void {
    this.#rest = NOTHING;
    this.#frame = NOTHING;
    this.#last = null;
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
    if (this.#framing.kind === "rtu") this.#takeRtu(this.#framing.lost);
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

  #takeRtu(lost: LostReplies): void {
    const late = lost.hear(this.#rest, this.question);
    if (late?.kind === "stray") {
      // Between questions it shows that the line is not silent yet.
      if (this.question === null) this.isDirty = true;
      this.#rest = this.#rest.subarray(late.end);
      if (this.#rest.length > 0) this.#takeRtu(lost);
      return;
    }
    if (this.question === null || this.#frame.length > 0) {
      this.isDirty = true;
      if (!isRepetition(this.#rest, this.#frame)) this.hasForeignSurplus = true;
      return;
    }
    if (late?.kind === "more") return;
    const heard = hearRtu(this.#rest, this.question);
    if (heard.kind === "garbled") {
      const before = this.#last?.frame ?? NOTHING;
      const isBefore = before.length > 0 && isRepetition(this.#rest.subarray(0, before.length), before);
      if (!isBefore) return this.#complain(heard.detail);
      // What was said before, said again.
      if (this.#rest.length < before.length) return;
      this.#rest = this.#rest.subarray(before.length);
      if (this.#rest.length > 0) this.#takeRtu(lost);
      return;
    }
    if (heard.kind !== "reply") return;
    this.#frame = Buffer.from(this.#rest.subarray(heard.start, heard.end));
    this.#rest = this.#rest.subarray(heard.end);
    if (this.#frame[1] !== this.question.fc && lost.mayRefuse(this.question)) {
      return this.#complain("a refusal that may be of an older question");
    }
    this.emit("data", this.#frame);
    if (this.#rest.length > 0) this.#takeRtu(lost);
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
