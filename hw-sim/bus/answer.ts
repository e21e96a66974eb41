import type { BusRead } from "../../core/ports.ts";
import {
  type Answer,
  GATEWAY_TARGET_FAILED,
  ILLEGAL_DATA_ADDRESS,
  ILLEGAL_DATA_VALUE,
  ILLEGAL_FUNCTION,
} from "../meters/addressSpace.ts";

/** What a line needs of a meter. */
export interface Readable {
  /** @param connection the n-th of its line; null on a serial line and in a world */
  read(fc: 3 | 4, address: number, count: number, at_ms: number, connection?: number | null): Answer;
}

/** Most registers a read may ask for. Source: Modbus Application Protocol V1.1b3 §6.3. */
const COUNT_MAX = 125;

/**
 * Answer of a line of meters to one request PDU. Reads only: every other function is exception 1, so nothing can be
 * written. A unit that is not there answers 0x0B, as a gateway to a serial line does.
 */
export function answerTo(
  meters: ReadonlyMap<number, Readable>,
  unit: number,
  pdu: Uint8Array,
  at_ms: number,
  connection: number | null = null,
): Answer {
  const meter = meters.get(unit);
  if (meter === undefined) return { exception: GATEWAY_TARGET_FAILED };
  const fc = pdu[0];
  if (fc !== 3 && fc !== 4) return { exception: ILLEGAL_FUNCTION };
  if (pdu.length !== 5) return { exception: ILLEGAL_DATA_VALUE };
  return answerOf(meter, fc, (pdu[1]! << 8) | pdu[2]!, (pdu[3]! << 8) | pdu[4]!, at_ms, connection);
}

/** The same for a read that comes without its PDU, as on the lines of a world. */
export function answerToRead(
  meters: ReadonlyMap<number, Readable>,
  { unit, fc, address, count }: Omit<BusRead, "timeout_ms">,
  at_ms: number,
): Answer {
  const meter = meters.get(unit);
  return meter === undefined ? { exception: GATEWAY_TARGET_FAILED } : answerOf(meter, fc, address, count, at_ms, null);
}

function answerOf(
  meter: Readable,
  fc: 3 | 4,
  address: number,
  count: number,
  at_ms: number,
  connection: number | null,
): Answer {
  if (count < 1 || count > COUNT_MAX) return { exception: ILLEGAL_DATA_VALUE };
  if (address + count > 65_536) return { exception: ILLEGAL_DATA_ADDRESS };
  return meter.read(fc, address, count, at_ms, connection);
}

/** Function code and data that carry an answer. */
export function answerPdu(fc: number, answer: Answer): Uint8Array {
  if (!(answer instanceof Uint16Array)) return Uint8Array.of((fc | 0x80) & 0xff, answer.exception);
  const pdu = new Uint8Array(2 + 2 * answer.length);
  pdu[0] = fc;
  pdu[1] = 2 * answer.length;
  for (let i = 0; i < answer.length; i++) {
    pdu[2 + 2 * i] = answer[i]! >> 8;
    pdu[3 + 2 * i] = answer[i]! & 0xff;
  }
  return pdu;
}
