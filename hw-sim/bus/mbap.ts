/**
 * Modbus TCP frames, pure: bytes in, requests out; answers in, bytes out.
 * Source: Modbus Messaging on TCP/IP Implementation Guide V1.0b §3.1 (MBAP header), Modbus Application Protocol V1.1b3 §6.
 */
export interface Request {
  readonly transaction: number;
  readonly unit: number;
  /** Function code and data. */
  readonly pdu: Uint8Array;
}

/** Header: transaction (2), protocol 0 (2), length (2), unit (1). */
const HEADER = 7;
/** Greatest PDU, protocol's own limit. */
const PDU_MAX = 253;

export type Split =
  | { readonly kind: "requests"; readonly requests: readonly Request[]; readonly rest: Uint8Array }
  /** Not Modbus TCP: there is no way to find the next frame, so the connection must end. */
  | { readonly kind: "broken" };

/** All whole requests of a byte stream so far, and the bytes of the one that is still coming (at most 259). */
export function splitRequests(bytes: Uint8Array): Split {
  const requests: Request[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const protocol = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    if (protocol !== 0 || length < 2 || length > PDU_MAX + 1) return { kind: "broken" };
    const end = at + 6 + length;
    if (bytes.length < end) break;
    requests.push({
      transaction: (bytes[at]! << 8) | bytes[at + 1]!,
      unit: bytes[at + 6]!,
      pdu: bytes.subarray(at + HEADER, end),
    });
    at = end;
  }
  return { kind: "requests", requests, rest: bytes.subarray(at) };
}

/** A frame with its header. */
export function mbapFrame({ transaction, unit }: Omit<Request, "pdu">, pdu: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER + pdu.length);
  out[0] = transaction >> 8;
  out[1] = transaction & 0xff;
  out[4] = (pdu.length + 1) >> 8;
  out[5] = (pdu.length + 1) & 0xff;
  out[6] = unit;
  out.set(pdu, HEADER);
  return out;
}
