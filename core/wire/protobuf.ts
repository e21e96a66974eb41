import { KhuXanhError } from "../errors.ts";

/**
 * The protobuf wire format, as far as Sparkplug needs it: varints, fixed 32 and 64 bits, length-delimited fields.
 *
 * Source   protobuf.dev/programming-guides/encoding. A tag is `field number << 3 | wire type`.
 * Limits   a payload is at most PAYLOAD_BYTES_MAX, written or read; groups nest at most GROUP_DEPTH_MAX deep.
 * Errors   reading throws WIRE_MALFORMED or WIRE_TOO_LARGE and nothing else, whatever the bytes are.
 */
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

const GROUP_DEPTH_MAX = 16;
const VARINT_BYTES_MAX = 10;
const WRITER_BYTES_FIRST = 64 * 1024;
/** A writer that grew beyond this for one big payload gives the memory back. */
const WRITER_BYTES_KEPT = 1024 * 1024;
/** Strings up to this length are copied here; a call into the runtime's UTF-8 code costs more than the loop. */
const SHORT_STRING = 48;

const TWO_TO_28 = 0x1000_0000;
const TWO_TO_32 = 0x1_0000_0000;

const utf8Encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF: without it the decoder swallows it and the string would not survive a round trip.
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Grows as needed and is used again for the next payload, so that encoding allocates only its result. */
export class ProtobufWriter {
  #bytes = new Uint8Array(WRITER_BYTES_FIRST);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  start(): void {
    this.#at = 0;
  }

  /** What was written since `start`, as bytes of its own. */
  finish(): Uint8Array {
    this.assertSize();
    const result = this.#bytes.slice(0, this.#at);
    if (this.#bytes.length > WRITER_BYTES_KEPT) this.#resize(WRITER_BYTES_FIRST, 0);
    return result;
  }

  /** @throws {KhuXanhError} WIRE_TOO_LARGE once more than PAYLOAD_BYTES_MAX was written. */
  assertSize(): void {
    if (this.#at > PAYLOAD_BYTES_MAX) throw tooLarge(`more than ${PAYLOAD_BYTES_MAX} bytes to send`);
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
    // The free bytes ahead serve as scratch: setBigUint64 splits a bigint into halves without making new ones.
    this.#view.setBigUint64(this.#at + VARINT_BYTES_MAX, value, true);
    let low = this.#view.getUint32(this.#at + VARINT_BYTES_MAX, true);
    let high = this.#view.getUint32(this.#at + VARINT_BYTES_MAX + 4, true);
    while (high !== 0) {
      this.#bytes[this.#at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#varint(low);
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

  /** Unsigned, up to 2^53−1. In two parts, because the bit operators see only 32 bits. */
  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
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
    this.#at = at;
  }

  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed > this.#bytes.length) this.#resize(Math.max(needed, 2 * this.#bytes.length), this.#at);
  }

  #resize(length: number, kept: number): void {
    const bytes = new Uint8Array(length);
    bytes.set(this.#bytes.subarray(0, kept));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Reads one message; submessages are entered by `enter` and left by `leave`. */
export class ProtobufReader {
  /** Index of the next byte. */
  at = 0;
  /** Where the message being read ends. */
  end: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  // The two halves of the varint read last. A bigint for each would cost more than all the rest.
  #low = 0;
  #high = 0;

  /** @throws {KhuXanhError} WIRE_TOO_LARGE above PAYLOAD_BYTES_MAX. */
  constructor(input: Uint8Array) {
    if (input.length > PAYLOAD_BYTES_MAX) throw tooLarge(`${input.length} bytes received`);
    // A plain view whatever came in: a Node Buffer would make every access below polymorphic.
    this.#bytes = new Uint8Array(input.buffer, input.byteOffset, input.length);
    this.#view = new DataView(input.buffer, input.byteOffset, input.length);
    this.end = input.length;
  }

  tag(): number {
    const byte = this.at < this.end ? this.#bytes[this.at]! : 0;
    if (byte >= 8 && byte < 0x80) {
      this.at++;
      return byte;
    }
    this.#varint();
    if (this.#high !== 0 || this.#low < 8) throw this.malformed("a field number out of range");
    return this.#low;
  }

  uint32(): number {
    this.#varint();
    return this.#low;
  }

  bool(): boolean {
    this.#varint();
    return this.#low !== 0 || this.#high !== 0;
  }

  /** A whole number up to 2^53−1; more is malformed, because rounding it would make another number of it. */
  uint(): number {
    this.#varint();
    if (this.#high > 0x1f_ffff) throw this.malformed("a number above 2^53−1");
    return this.#high * TWO_TO_32 + this.#low;
  }

  uint64(): bigint {
    this.#varint();
    if (this.#high === 0) return BigInt(this.#low);
    if (this.#high <= 0x1f_ffff) return BigInt(this.#high * TWO_TO_32 + this.#low);
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  float(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  string(): string {
    const length = this.#length();
    const from = this.#advance(length);
    const bytes = this.#bytes;
    if (length <= SHORT_STRING) {
      let text = "";
      let index = from;
      for (; index < from + length; index++) {
        const code = bytes[index]!;
        if (code > 0x7f) break;
        text += String.fromCharCode(code);
      }
      if (index === from + length) return text;
    }
    try {
      return utf8Decoder.decode(bytes.subarray(from, from + length));
    } catch (cause) {
      // Replacing the bad bytes would make two different names equal.
      throw this.malformed("a string that is not UTF-8", cause);
    }
  }

  /** Bytes of their own: the input may be reused by whoever owns it. */
  bytes(): Uint8Array {
    const length = this.#length();
    const from = this.#advance(length);
    return this.#bytes.slice(from, from + length);
  }

  /** Enters a submessage: from here on `end` is its end. Give the result to `leave`. */
  enter(): number {
    const length = this.#length();
    const outerEnd = this.end;
    if (length > outerEnd - this.at) throw this.malformed("a field that runs past the end");
    this.end = this.at + length;
    return outerEnd;
  }

  leave(outerEnd: number): void {
    this.end = outerEnd;
  }

  /** Passes over the field whose tag was just read. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case 0:
        this.#varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.#advance(this.#length());
        return;
      case 3:
        this.#skipGroup(tag >>> 3, depth);
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw this.malformed(`wire type ${tag & 7}`);
    }
  }

  malformed(what: string, cause?: unknown): KhuXanhError {
    return new KhuXanhError("WIRE_MALFORMED", `payload has ${what} at byte ${this.at}`, {
      hint: "Ask the sender for a rebirth; if it comes again, look at the sender's Sparkplug encoder.",
      context: { at: this.at, length: this.#bytes.length },
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #skipGroup(fieldNumber: number, depth: number): void {
    if (depth >= GROUP_DEPTH_MAX) throw this.malformed(`groups nested deeper than ${GROUP_DEPTH_MAX}`);
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) !== 4) this.skip(tag, depth + 1);
      else if (tag >>> 3 === fieldNumber) return;
      else throw this.malformed("a group that ends as another");
    }
  }

  #length(): number {
    this.#varint();
    if (this.#high !== 0) throw this.malformed("a field that runs past the end");
    return this.#low;
  }

  /** Index of the next `count` bytes, which are then behind. */
  #advance(count: number): number {
    const from = this.at;
    if (count > this.end - from) throw this.malformed("a field that runs past the end");
    this.at = from + count;
    return from;
  }

  /** Of the value's groups of 7 bits the first four and a half make the low half, the others the high half. */
  #varint(): void {
    const bytes = this.#bytes;
    const end = this.end;
    let low = 0;
    let high = 0;
    let byte = 0x80;
    let at = this.at;
    for (let shift = 0; shift < 28 && byte >= 0x80; shift += 7) {
      if (at >= end) throw this.malformed("a number that runs past the end");
      byte = bytes[at++]!;
      low |= (byte & 0x7f) << shift;
    }
    if (byte >= 0x80) {
      if (at >= end) throw this.malformed("a number that runs past the end");
      byte = bytes[at++]!;
      low |= byte << 28;
      high = (byte & 0x7f) >>> 4;
      for (let shift = 3; byte >= 0x80; shift += 7) {
        if (shift > 31) throw this.malformed("a number of more than 10 bytes");
        if (at >= end) throw this.malformed("a number that runs past the end");
        byte = bytes[at++]!;
        high |= (byte & 0x7f) << shift;
      }
    }
    this.at = at;
    this.#low = low >>> 0;
    this.#high = high >>> 0;
  }
}

function tooLarge(what: string): KhuXanhError {
  return new KhuXanhError("WIRE_TOO_LARGE", `payload too large: ${what}`, {
    hint: "Send fewer metrics in one message.",
    context: { bytesMax: PAYLOAD_BYTES_MAX },
  });
}

function notAnUnsigned(tag: number, value: number): KhuXanhError {
  return new KhuXanhError("INTERNAL", `${value} in field ${tag >>> 3} is no whole number from 0 to 2^53−1`, {
    hint: "Report this as a bug: timestamps, aliases and sequence numbers are whole and not negative.",
    context: { field: tag >>> 3, value },
  });
}
