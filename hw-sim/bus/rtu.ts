import { crc16 } from "../../drivers/modbus/framing.ts";

/**
 * RTU frames on the meters' side of a line, pure: bytes in, requests out; answers in, bytes out.
 *
 * A line carries what other units are asked and what they answer, glitches and torn frames beside our own requests. A frame does
 * not say where it begins nor, by itself, how long it is: its length follows from its function code, and its CRC says whether
 * that was right. So the earliest bytes that are a whole frame with a right CRC are one, and what stands before it was nothing.
 *
 * Source   MODBUS over Serial Line V1.02 §2.5.1, §6.2.2; lengths: Modbus Application Protocol V1.1b3 §6
 * Limits   a frame is at most 256 bytes; of bytes that are no frame as many are kept, the oldest are dropped
 */
export interface RtuRequest {
  readonly unit: number;
  /** Function code and data. */
  readonly pdu: Uint8Array;
}

export interface RtuSplit {
  readonly requests: readonly RtuRequest[];
  /** What may become a frame. On a silence of the line it never will: drop it then. */
  readonly rest: Uint8Array;
}

const FRAME_MAX = 256;
const FRAME_MIN = 4;

/** All whole requests in what was heard so far, for whatever unit; answers of other devices are passed over. */
export function splitRtu(bytes: Uint8Array): RtuSplit {
  const requests: RtuRequest[] = [];
  let taken = 0;
  for (let at = 0; at + FRAME_MIN <= bytes.length; ) {
    const request = frameAt(bytes, at, requestLength(bytes, at));
    const answer = request === 0 ? frameAt(bytes, at, answerLength(bytes, at)) : 0;
    if (request > 0) requests.push({ unit: bytes[at]!, pdu: bytes.subarray(at + 1, at + request - 2) });
    at += Math.max(1, request, answer);
    if (request + answer > 0) taken = at;
  }
  return { requests, rest: bytes.subarray(Math.max(taken, bytes.length - (FRAME_MAX - 1))) };
}

/** Length of the frame that begins here, 0 if none does. */
function frameAt(bytes: Uint8Array, at: number, length: number): number {
  if (length < FRAME_MIN || length > FRAME_MAX || at + length > bytes.length) return 0;
  const crc = bytes[at + length - 2]! | (bytes[at + length - 1]! << 8);
  return crc16(bytes, at, at + length - 2) === crc ? length : 0;
}

/** Requests whose length is fixed, CRC and unit included. */
const REQUEST_LENGTHS: Readonly<Record<number, number>> = {
  1: 8,
  2: 8,
  3: 8,
  4: 8,
  5: 8,
  6: 8,
  7: 4,
  8: 8,
  11: 4,
  12: 4,
  17: 4,
  22: 10,
  24: 6,
  43: 7,
};
/** Requests that carry data: where its length stands, and what is around it. */
const COUNTED_REQUESTS: Readonly<Record<number, number>> = { 15: 6, 16: 6, 20: 2, 21: 2, 23: 10 };
/** A function nobody knows may be of any length; most that vendors made up are as long as a read. */
const UNKNOWN_LENGTH = 8;

/** 0 = cannot be told yet. */
function requestLength(bytes: Uint8Array, at: number): number {
  const code = bytes[at + 1]!;
  const place = COUNTED_REQUESTS[code];
  if (place === undefined) return REQUEST_LENGTHS[code] ?? UNKNOWN_LENGTH;
  const size = bytes[at + place];
  return size === undefined ? 0 : place + 1 + size + 2;
}

/** Answers of other devices on the line: reads, exceptions, and those to writes, which look like requests. */
function answerLength(bytes: Uint8Array, at: number): number {
  const code = bytes[at + 1]!;
  if (code > 0x80) return 5;
  if (code === 15 || code === 16) return 8;
  return (code >= 1 && code <= 4) || code === 17 || code === 23 ? 5 + bytes[at + 2]! : 0;
}

/** A frame with its CRC, low byte first. */
export function rtuFrame(unit: number, pdu: Uint8Array): Uint8Array {
  const out = new Uint8Array(pdu.length + 3);
  out[0] = unit;
  out.set(pdu, 1);
  const crc = crc16(out, 0, out.length - 2);
  out[out.length - 2] = crc & 0xff;
  out[out.length - 1] = crc >> 8;
  return out;
}
