import type { Bus, BusRead, BusReply, Clock } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";

/**
 * The last exchanges of a bus, for the installer's page. Recorded only while somebody looks: asking switches it on, and a
 * minute after the last question the next exchange switches it off and forgets everything.
 *
 * Limits   50 exchanges a bus
 */
export interface Frame {
  readonly at_ms: EpochMs;
  readonly request: Omit<BusRead, "timeout_ms">;
  readonly reply: BusReply;
  /** From asking to answer; with several callers it holds the wait for one's turn too. */
  readonly took_ms: number;
}

export interface RecordedBus extends Bus {
  /** The exchanges since recording began, oldest first. Asking keeps recording on. */
  frames(): readonly Frame[];
}

const FRAMES_MAX = 50;
const LOOKED_AT_MS = 60_000;

/** `bus` with a recorder around it; while nobody looks an exchange costs one comparison more. */
export function recordedBus(bus: Bus, clock: Clock): RecordedBus {
  let frames: Frame[] | null = null;
  let askedAt_ms = Number.NEGATIVE_INFINITY;

  const record = async (request: BusRead, into: Frame[]): Promise<BusReply> => {
    const began_ms = clock.mono_ms();
    if (began_ms - askedAt_ms > LOOKED_AT_MS) {
      frames = null;
      return bus.read(request);
    }
    const at_ms = clock.now_ms();
    const reply = await bus.read(request);
    const { unit, fc, address, count } = request;
    into.push({ at_ms, request: { unit, fc, address, count }, reply, took_ms: clock.mono_ms() - began_ms });
    if (into.length > FRAMES_MAX) into.shift();
    return reply;
  };

  return {
    read: (request) => (frames === null ? bus.read(request) : record(request, frames)),
    close: () => bus.close(),
    ...(bus.owed === undefined ? {} : { owed: bus.owed }),
    frames() {
      askedAt_ms = clock.mono_ms();
      frames ??= [];
      return frames;
    },
  };
}

/** A frame as the page shows it: the request's PDU and the reply's registers as hex, the result in one word. */
export interface ShownFrame {
  readonly at_ms: EpochMs;
  readonly took_ms: number;
  readonly unit: number;
  readonly fc: 3 | 4;
  readonly address: number;
  readonly count: number;
  /** Unit and PDU as sent, without the transport's own head or checksum: "01 03 0B B8 00 02". */
  readonly request_hex: string;
  readonly result: BusReply["kind"];
  /** Registers "4366 3334"; null if none came. */
  readonly words_hex: string | null;
  /** Exception code, or what was wrong. */
  readonly detail: string | null;
}

export function shownFrame({ at_ms, took_ms, request, reply }: Frame): ShownFrame {
  const { unit, fc, address, count } = request;
  const bytes = [unit, fc, address >> 8, address & 0xff, count >> 8, count & 0xff];
  return {
    at_ms,
    took_ms: Math.round(took_ms * 10) / 10,
    unit,
    fc,
    address,
    count,
    request_hex: bytes.map((byte) => hex(byte, 2)).join(" "),
    result: reply.kind,
    words_hex: reply.kind === "words" ? [...reply.words].map((word) => hex(word, 4)).join(" ") : null,
    detail: detailOf(reply),
  };
}

function detailOf(reply: BusReply): string | null {
  if (reply.kind === "exception") return `0x${hex(reply.code, 2)}`;
  return reply.kind === "garbled" || reply.kind === "unreachable" ? reply.detail : null;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
