/**
 * Where a reply begins and ends in the bytes that came in. Pure.
 *
 * Source   MODBUS Messaging on TCP/IP V1.0b §3.1.3 (MBAP header); MODBUS over Serial Line V1.02 §2.5.1 (RTU frame), §6.2.2 (CRC)
 * Limits   a frame is at most 260 bytes on TCP and 256 on a serial line
 */

/** What a reply must be an answer to. */
export interface Question {
  readonly unit: number;
  readonly fc: number;
  readonly count: number;
}

export type Heard =
  /** The frame is `bytes[start, end)`, unit first; RTU with its CRC, which is not checked here, MBAP without header. */
  | { readonly kind: "reply"; readonly start: number; readonly end: number }
  /** Somebody's frame that answers nothing we asked; it ends before `end`. */
  | { readonly kind: "stray"; readonly end: number }
  | { readonly kind: "more" }
  | { readonly kind: "garbled"; readonly detail: string };

const MORE: Heard = { kind: "more" };
const HEADER = 6;
/** Unit, function and one byte at least; 253 bytes of function and data at most. */
const LENGTH_MIN = 3;
const LENGTH_MAX = 254;

/** The first frame of a Modbus TCP stream. A frame with another transaction number answers an older question. */
export function hearTcp(bytes: Uint8Array, transaction: number, question: Question | null): Heard {
  if (bytes.length < HEADER) return MORE;
  const length = word(bytes, 4);
  if (word(bytes, 2) !== 0) return garbled(`protocol ${word(bytes, 2)} instead of 0`);
  if (length < LENGTH_MIN || length > LENGTH_MAX) return garbled(`a frame of ${length} bytes`);
  const end = HEADER + length;
  if (bytes.length < end) return MORE;
  if (question === null || word(bytes, 0) !== transaction) return { kind: "stray", end };
  const wrong = contradiction(bytes, HEADER, question);
  if (wrong !== null) return garbled(wrong);
  const due = bytes[HEADER + 1] === question.fc ? 3 + 2 * question.count : 3;
  return length === due ? { kind: "reply", start: HEADER, end } : garbled(`a frame of ${length} bytes, not ${due}`);
}

/** A line that wakes up may put one or two such bytes before the first frame. */
const GLITCHES_MAX = 3;

/**
 * The reply at the start of what was heard since the question. An RTU frame does not say how long it is nor what it
 * answers, so it must be of the very form that was asked for; what is not is garbled from its first wrong byte on.
 */
export function hearRtu(bytes: Uint8Array, question: Question): Heard {
  let start = 0;
  while (start < GLITCHES_MAX && isGlitch(bytes[start]) && bytes[start] !== question.unit) start++;
  if (bytes.length < start + 3) {
    return bytes.length > start && bytes[start] !== question.unit ? garbled(unitOf(bytes[start]!, question)) : MORE;
  }
  const wrong = contradiction(bytes, start, question);
  if (wrong !== null) return garbled(wrong);
  const end = start + (bytes[start + 1] === question.fc ? 5 + 2 * question.count : 5);
  return bytes.length < end ? MORE : { kind: "reply", start, end };
}

/** Whether the bytes are, or may become, an RTU answer to such a question: words of that length, or a refusal. */
export function isOfForm(bytes: Uint8Array, { unit, fc, count }: Question): boolean {
  if (bytes[0] !== unit) return false;
  if (bytes.length < 2 || bytes[1] === (fc | 0x80)) return true;
  return bytes[1] === fc && (bytes.length < 3 || bytes[2] === 2 * count);
}

/** All that an RTU answer tells of its question, as one number. */
export function formOf({ unit, fc, count }: Question): number {
  return (unit * 256 + fc) * 256 + count;
}

/** Are these bytes the frame once or several times more, the last one perhaps cut off? */
export function isRepetition(bytes: Uint8Array, frame: Uint8Array): boolean {
  return bytes.every((byte, i) => byte === frame[i % frame.length]);
}

function isGlitch(byte: number | undefined): boolean {
  return byte === 0x00 || byte === 0xff;
}

/** Why unit, function code or byte count cannot be the answer; null if they can. */
function contradiction(bytes: Uint8Array, start: number, question: Question): string | null {
  const { unit, fc, count } = question;
  const code = bytes[start + 1]!;
  if (bytes[start] !== unit) return unitOf(bytes[start]!, question);
  if (code === (fc | 0x80)) return null;
  if (code !== fc) return `function ${code} instead of ${fc}`;
  const size = bytes[start + 2]!;
  return size === 2 * count ? null : `${size} bytes instead of ${count} registers`;
}

function unitOf(unit: number, question: Question): string {
  return `unit ${unit} instead of ${question.unit}`;
}

function garbled(detail: string): Heard {
  return { kind: "garbled", detail };
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
});

/** CRC of an RTU frame, low byte goes first on the line. */
export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffff;
  for (let i = start; i < end; i++) crc = (crc >> 8) ^ CRC_TABLE[(crc ^ bytes[i]!) & 0xff]!;
  return crc;
}
