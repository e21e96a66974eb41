import type { BusReply } from "../../core/ports.ts";
import { type Answer, GATEWAY_TARGET_FAILED } from "../meters/addressSpace.ts";
import type { FaultWhat } from "./catalogue.ts";

/** How frames travel: Modbus TCP, or RTU frames on a serial line or in a connection. */
export type Wire = "tcp" | "rtu" | "rtu+tcp";

/** What becomes of one request and its answer when all faults that hit it are taken together. Pure. */
export interface ReplyShape {
  readonly outcome: "answer" | "silence" | "reset" | "half-open";
  /** Instead of what the meter says. */
  readonly exception: number | null;
  readonly delay_ms: number;
  readonly isWrongUnit: boolean;
  readonly hasBadCrc: boolean;
  /** Bytes of the frame that come; null = all. */
  readonly keep_bytes: number | null;
  readonly pieces: number;
  readonly pause_ms: number;
  readonly copies: number;
}

export const UNHARMED: ReplyShape = {
  outcome: "answer",
  exception: null,
  delay_ms: 0,
  isWrongUnit: false,
  hasBadCrc: false,
  keep_bytes: null,
  pieces: 1,
  pause_ms: 0,
  copies: 1,
};

const BUSY = 6;

/** Faults in the order they were given; of several that say how a request ends, the last one counts. Delays add up. */
export function replyShape(faults: readonly FaultWhat[], wire: Wire): ReplyShape {
  let shape = UNHARMED;
  for (const fault of faults) shape = { ...shape, ...changeBy(fault, shape, wire) };
  return shape;
}

function changeBy(fault: FaultWhat, shape: ReplyShape, wire: Wire): Partial<ReplyShape> {
  switch (fault.kind) {
    case "silent":
      return { outcome: "silence" };
    case "reset":
    case "half-open":
      return wire === "rtu" ? {} : { outcome: fault.kind };
    case "slow":
    case "late":
      return { delay_ms: shape.delay_ms + fault.delay_ms };
    case "exception":
      return { exception: fault.code };
    case "busy":
      return { exception: BUSY };
    case "crc-error":
      return wire === "tcp" ? { exception: GATEWAY_TARGET_FAILED } : { hasBadCrc: true };
    case "wrong-unit":
      return { isWrongUnit: true };
    case "truncated":
      return { keep_bytes: fault.bytes };
    case "split":
      return { pieces: fault.pieces, pause_ms: fault.pause_ms };
    case "duplicate":
      return { copies: 2 };
    default:
      return {};
  }
}

/** The unit number the answer carries. */
export function replyUnit(unit: number, { isWrongUnit }: ReplyShape): number {
  return isWrongUnit ? (unit + 1) & 0xff : unit;
}

export interface Piece {
  /** From when the answer would have begun. */
  readonly after_ms: number;
  readonly bytes: Uint8Array;
}

/** What goes out on the wire for a frame, and when. The last two bytes of an RTU frame are its CRC. */
export function piecesOf(frame: Uint8Array, shape: ReplyShape): readonly Piece[] {
  const { delay_ms, hasBadCrc, keep_bytes, pieces, pause_ms, copies } = shape;
  let bytes = hasBadCrc ? withBadCrc(frame) : frame;
  if (keep_bytes !== null) bytes = bytes.subarray(0, Math.min(keep_bytes, bytes.length - 1));
  if (copies > 1) bytes = repeated(bytes, copies);
  const count = Math.min(pieces, bytes.length);
  return Array.from({ length: count }, (_, i) => ({
    after_ms: delay_ms + i * pause_ms,
    bytes: bytes.subarray(Math.floor((i * bytes.length) / count), Math.floor(((i + 1) * bytes.length) / count)),
  }));
}

function withBadCrc(frame: Uint8Array): Uint8Array {
  const broken = Uint8Array.from(frame);
  broken[broken.length - 1]! ^= 0x5a;
  return broken;
}

function repeated(bytes: Uint8Array, copies: number): Uint8Array {
  const out = new Uint8Array(bytes.length * copies);
  for (let i = 0; i < copies; i++) out.set(bytes, i * bytes.length);
  return out;
}

export interface BusEnd {
  readonly reply: BusReply;
  /** From the request to the end of the read; at most its timeout. */
  readonly after_ms: number;
}

/**
 * What our own client makes of it: the same kind of reply that it gives behind a real socket or serial line
 * (`test/contract/bus.ts` holds both together). `answer` is asked for only if it is needed; null = nobody answers.
 */
export function busEnd(shape: ReplyShape, answer: () => Answer | null, timeout_ms: number): BusEnd {
  const { outcome, delay_ms, keep_bytes, pieces, pause_ms } = shape;
  const lost: BusEnd = { reply: { kind: "timeout" }, after_ms: timeout_ms };
  if (outcome === "reset") return { reply: { kind: "unreachable", detail: "connection reset" }, after_ms: 0 };
  if (outcome !== "answer" || keep_bytes !== null) return lost;
  const after_ms = delay_ms + (pieces - 1) * pause_ms;
  if (delay_ms >= timeout_ms) return lost;
  if (shape.isWrongUnit) return { reply: { kind: "garbled", detail: "another unit" }, after_ms: delay_ms };
  if (after_ms >= timeout_ms) return lost;
  if (shape.hasBadCrc) return { reply: { kind: "garbled", detail: "CRC error" }, after_ms };
  const said = shape.exception === null ? answer() : { exception: shape.exception };
  if (said === null) return lost;
  return {
    reply: said instanceof Uint16Array ? { kind: "words", words: said } : { kind: "exception", code: said.exception },
    after_ms,
  };
}
