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
/** Strings up to this length are copied here; a call into the runtime's UTF-8 code costs more than the loop. */
export const SHORT_STRING = 48;

const TWO_TO_32 = 0x1_0000_0000;

// ignoreBOM keeps a leading U+FEFF: without it the decoder swallows it and the string would not survive a round trip.
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one message; submessages are entered by `enter` and left by `leave`. */
export class ProtobufReader {
  /** Index of the next byte. */
  at = 0;
  /** Where the message being read ends. */
  end: number;
  readonly #bytes: Uint8Array;
  #view: DataView | null = null;
  // The two halves of the varint read last. A bigint for each would cost more than all the rest.
  #low = 0;
  #high = 0;

  /** @throws {KhuXanhError} WIRE_TOO_LARGE above PAYLOAD_BYTES_MAX. */
  constructor(input: Uint8Array) {
    if (input.length > PAYLOAD_BYTES_MAX) throw tooLarge(`${input.length} bytes received`);
    // A plain view whatever came in: a Node Buffer would make every access below polymorphic.
    const isPlain = input.constructor === Uint8Array;
    this.#bytes = isPlain ? input : new Uint8Array(input.buffer, input.byteOffset, input.length);
    this.end = input.length;
  }

  /** What is read. */
  get input(): Uint8Array {
    return this.#bytes;
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
    return (this.#view ?? this.#makeView()).getFloat32(this.#advance(4), true);
  }

  double(): number {
    return (this.#view ?? this.#makeView()).getFloat64(this.#advance(8), true);
  }

  /** Made for the first number that needs it: most messages that are read in full have none. */
  #makeView(): DataView {
    const { buffer, byteOffset, length } = this.#bytes;
    this.#view = new DataView(buffer, byteOffset, length);
    return this.#view;
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

export function tooLarge(what: string): KhuXanhError {
  return new KhuXanhError("WIRE_TOO_LARGE", `payload too large: ${what}`, {
    hint: "Send fewer metrics in one message.",
    context: { bytesMax: PAYLOAD_BYTES_MAX },
  });
}
