import { KhuXanhError } from "../errors.ts";
import { PAYLOAD_BYTES_MAX, SHORT_STRING, tooLarge } from "./protobuf.ts";

const VARINT_BYTES_MAX = 10;
/** Six tags of a byte each, its length, the flag, three varints and eight bytes that serve as scratch. */
const NUMBER_BYTES_MAX = 6 + 2 + 3 * VARINT_BYTES_MAX + 8;
/** What payloads are cut from; one that does not fit into the rest makes it longer, for itself. */
const SLAB_BYTES = 64 * 1024;
/** With less left of it the next payload begins another. */
const SLAB_REST_BYTES = 4 * 1024;

const TWO_TO_28 = 0x1000_0000;

const utf8Encoder = new TextEncoder();

/** Tags of a submessage of a number; each of one byte. */
export interface NumberTags {
  readonly message: number;
  /** A whole number. */
  readonly name: number;
  /** A whole number. */
  readonly time: number;
  /** A bool. */
  readonly flag: number;
  /** The number, if it is a bigint. */
  readonly long: number;
  /** The number, if it is none. */
  readonly double: number;
}

/** Writes payloads one behind the other into slabs of memory: an ArrayBuffer each would cost more than what is written. */
export class ProtobufWriter {
  #bytes = new Uint8Array(SLAB_BYTES);
  #view = new DataView(this.#bytes.buffer);
  /** Where the payload being written begins; what lies before it is somebody's. */
  #from = 0;
  #at = 0;

  start(): void {
    this.#at = this.#from;
    if (this.#from > SLAB_BYTES - SLAB_REST_BYTES || this.#bytes.length > SLAB_BYTES) this.#beginSlab();
  }

  /** What was written since `start`: bytes that nobody else has or will have. Who keeps them keeps their slab. */
  finish(): Uint8Array {
    this.assertSize();
    const result = new Uint8Array(this.#bytes.buffer, this.#from, this.#at - this.#from);
    this.#from = this.#at;
    return result;
  }

  /** @throws {KhuXanhError} WIRE_TOO_LARGE once more than PAYLOAD_BYTES_MAX was written. */
  assertSize(): void {
    if (this.#at - this.#from > PAYLOAD_BYTES_MAX) throw tooLarge(`more than ${PAYLOAD_BYTES_MAX} bytes to send`);
  }

  /** A whole number from 0 to 2^53−1. */
  uint(tag: number, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw notAnUnsigned(tag, value);
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.#tag(tag);
    this.#varint(value);
  }

  /** The low 32 bits of a whole number: a negative one becomes its two's complement. */
  uint32(tag: number, value: number): void {
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.#tag(tag);
    this.#varint(value >>> 0);
  }

  /** The low 64 bits of a whole number: a negative one becomes its two's complement. */
  uint64(tag: number, value: bigint): void {
    this.#reserve(2 * VARINT_BYTES_MAX + 8);
    this.#tag(tag);
    this.#at = this.#put64(this.#at, value);
  }

  bool(tag: number, value: boolean): void {
    this.#reserve(VARINT_BYTES_MAX + 1);
    this.#tag(tag);
    this.#bytes[this.#at++] = value ? 1 : 0;
  }

  float(tag: number, value: number): void {
    this.#reserve(VARINT_BYTES_MAX + 4);
    this.#tag(tag);
    this.#view.setFloat32(this.#at, value, true);
    this.#at += 4;
  }

  /**
   * A submessage that says which number, when, and its value: nearly all that is sent, and so written in one go. The flag is
   * there if it is set.
   */
  number(tags: NumberTags, name: number, time_ms: number, isFlagged: boolean, value: number | bigint): void {
    if (!Number.isSafeInteger(name) || name < 0) throw notAnUnsigned(tags.name, name);
    if (!Number.isSafeInteger(time_ms) || time_ms < 0) throw notAnUnsigned(tags.time, time_ms);
    // Less than 128 bytes whatever they are, so that their length is one.
    this.#reserve(NUMBER_BYTES_MAX);
    const bytes = this.#bytes;
    const start = this.#at;
    bytes[start] = tags.message;
    bytes[start + 2] = tags.name;
    let at = putVarint(bytes, start + 3, name);
    bytes[at] = tags.time;
    at = putVarint(bytes, at + 1, time_ms);
    if (isFlagged) {
      bytes[at] = tags.flag;
      bytes[at + 1] = 1;
      at += 2;
    }
    if (typeof value === "bigint") {
      bytes[at] = tags.long;
      at = this.#put64(at + 1, value);
    } else {
      bytes[at] = tags.double;
      this.#view.setFloat64(at + 1, value, true);
      at += 9;
    }
    bytes[start + 1] = at - start - 2;
    this.#at = at;
  }

  double(tag: number, value: number): void {
    this.#reserve(VARINT_BYTES_MAX + 8);
    this.#tag(tag);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  string(tag: number, text: string): void {
    if (text.length <= SHORT_STRING && this.#ascii(tag, text)) return;
    if (text.length > PAYLOAD_BYTES_MAX) throw tooLarge(`a string of ${text.length} characters`);
    const start = this.open(tag);
    this.#reserve(3 * text.length);
    this.#at += utf8Encoder.encodeInto(text, this.#bytes.subarray(this.#at)).written;
    this.close(start);
  }

  bytes(tag: number, value: Uint8Array): void {
    if (value.length > PAYLOAD_BYTES_MAX) throw tooLarge(`a field of ${value.length} bytes`);
    this.#reserve(2 * VARINT_BYTES_MAX + value.length);
    this.#tag(tag);
    this.#varint(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** Begins a submessage; give the result to `close`. One byte is kept for its length, which is what most need. */
  open(tag: number): number {
    this.#reserve(VARINT_BYTES_MAX + 1);
    this.#tag(tag);
    return ++this.#at;
  }

  close(start: number): void {
    const length = this.#at - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    const extra = length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : length < TWO_TO_28 ? 3 : 4;
    this.#reserve(extra);
    this.#bytes.copyWithin(start + extra, start, this.#at);
    const end = this.#at + extra;
    this.#at = start - 1;
    this.#varint(length);
    this.#at = end;
  }

  /** False, with nothing written, if the text is not plain ASCII. */
  #ascii(tag: number, text: string): boolean {
    const before = this.#at;
    this.#reserve(VARINT_BYTES_MAX + 1 + text.length);
    this.#tag(tag);
    const bytes = this.#bytes;
    let at = this.#at;
    bytes[at++] = text.length;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#at = before;
        return false;
      }
      bytes[at++] = code;
    }
    this.#at = at;
    return true;
  }

  #tag(tag: number): void {
    if (tag < 0x80) this.#bytes[this.#at++] = tag;
    else this.#varint(tag);
  }

  #varint(value: number): void {
    this.#at = putVarint(this.#bytes, this.#at, value);
  }

  /** @returns where the next byte goes. */
  #put64(from: number, value: bigint): number {
    const bytes = this.#bytes;
    const view = this.#view;
    // The free bytes ahead serve as scratch: setBigUint64 splits a bigint into halves without making new ones.
    view.setBigUint64(from + VARINT_BYTES_MAX, value, true);
    let low = view.getUint32(from + VARINT_BYTES_MAX, true);
    let high = view.getUint32(from + VARINT_BYTES_MAX + 4, true);
    let at = from;
    while (high !== 0) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    return putVarint(bytes, at, low);
  }

  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed > this.#bytes.length) this.#grow(Math.max(needed, 2 * this.#bytes.length));
  }

  /** The payload being written stays at its place: submessages that are open are known by theirs. */
  #grow(length: number): void {
    const bytes = new Uint8Array(length);
    bytes.set(this.#bytes.subarray(this.#from, this.#at), this.#from);
    this.#use(bytes);
  }

  #beginSlab(): void {
    this.#use(new Uint8Array(SLAB_BYTES));
    this.#from = 0;
    this.#at = 0;
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Unsigned, up to 2^53−1. In two parts, because the bit operators see only 32 bits. @returns where the next byte goes. */
function putVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  if (value >= TWO_TO_28) {
    const low = value & (TWO_TO_28 - 1);
    bytes[at++] = (low & 0x7f) | 0x80;
    bytes[at++] = ((low >>> 7) & 0x7f) | 0x80;
    bytes[at++] = ((low >>> 14) & 0x7f) | 0x80;
    bytes[at++] = (low >>> 21) | 0x80;
    rest = (value - low) / TWO_TO_28;
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

function notAnUnsigned(tag: number, value: number): KhuXanhError {
  return new KhuXanhError("INTERNAL", `${value} in field ${tag >>> 3} is no whole number from 0 to 2^53−1`, {
    hint: "Report this as a bug: timestamps, aliases and sequence numbers are whole and not negative.",
    context: { field: tag >>> 3, value },
  });
}
