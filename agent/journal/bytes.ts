/** Bodies of samples are cut from slabs: an ArrayBuffer each costs more than what is written into it. */
const SLAB_BYTES = 64 * 1024;
let slab = new ArrayBuffer(SLAB_BYTES);
let slabUsed = 0;

/** So many zero bytes that nobody else has or will have. */
export function freshBytes(length: number): Uint8Array {
  if (length > SLAB_BYTES / 16) return new Uint8Array(length);
  if (slabUsed + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    slabUsed = 0;
  }
  slabUsed += length;
  return new Uint8Array(slab, slabUsed - length, length);
}

/** Below it a number is one word of the processor; beyond it every step is a division of doubles. */
const WORD_MAX = 0x7fff_ffff;

export const VARINT_BYTES_MAX = 8;

/** Varints of up to 53 bits, as protobuf has them: seven bits a byte, lowest first. */
export function varintBytes(value: number): number {
  let bytes = 1;
  let rest = value;
  for (; rest > WORD_MAX; rest = Math.floor(rest / 0x80)) bytes += 1;
  for (; rest >= 0x80; rest >>>= 7) bytes += 1;
  return bytes;
}

/** @returns where the next byte goes. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest > WORD_MAX; rest = Math.floor(rest / 0x80)) bytes[next++] = rest | 0x80;
  for (; rest >= 0x80; rest >>>= 7) bytes[next++] = rest | 0x80;
  bytes[next++] = rest;
  return next;
}

/** Signed whole numbers with small ones short: 0, -1, 1, -2 … */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

const encoder = new TextEncoder();
/** Most texts are a few ASCII characters, for which calling the encoder costs more than they do; longer ones are its. */
const SHORT_TEXT = 200;

/** Bytes of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  if (text.length > SHORT_TEXT) return encoder.encode(text).length;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 0x80) return encoder.encode(text).length;
  return text.length;
}

/** Writes a text that {@link utf8Bytes} found room for. */
export function putUtf8(bytes: Uint8Array, at: number, text: string): void {
  if (text.length > SHORT_TEXT) {
    encoder.encodeInto(text, bytes.subarray(at));
    return;
  }
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) {
      encoder.encodeInto(text, bytes.subarray(at));
      return;
    }
    bytes[at + i] = code;
  }
}

/** Reads on through bytes whose checksum has been checked. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** @throws {RangeError} at the end, as all of these. */
  u8(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new RangeError("the bytes end early");
    this.at += 1;
    return byte;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  varint(): number {
    let value = 0;
    let worth = 1;
    for (let byte = this.u8(); ; byte = this.u8()) {
      value += (byte & 0x7f) * worth;
      if (byte < 0x80) return value;
      worth *= 0x80;
      if (worth > 2 ** 56) throw new RangeError("a varint too long");
    }
  }

  take(length: number): Uint8Array {
    const from = this.pass(length);
    return this.bytes.subarray(from, this.at);
  }

  /** Goes behind so many bytes. @returns where they begin */
  pass(length: number): number {
    if (this.at + length > this.bytes.length) throw new RangeError("the bytes end early");
    const from = this.at;
    this.at += length;
    return from;
  }
}
