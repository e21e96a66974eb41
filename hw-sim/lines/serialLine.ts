import type { Cancel, Clock, Timers } from "../../core/ports.ts";
import { answerPdu, type Readable } from "../bus/answer.ts";
import { simLine } from "../bus/line.ts";
import { type RtuRequest, rtuFrame, splitRtu } from "../bus/rtu.ts";
import type { FaultBook } from "../faults/faultBook.ts";
import { type Piece, piecesOf, type ReplyShape, replyUnit } from "../faults/wireFaults.ts";
import { bytesOut, character_ms, frameSilence_ms, passed_ms, type SerialSettings, turnaround_ms } from "./rtuTiming.ts";

/** The far end of a serial line, as bytes. */
export interface SerialPort {
  /** Device or link a client opens. */
  readonly path: string;
  /** A pseudo terminal hands bytes on at once: their time on the wire must be waited for. A real port takes it by itself. */
  readonly takesWireTime: boolean;
  onData(heard: (bytes: Uint8Array) => void): void;
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}

export interface SerialLine {
  readonly path: string;
  close(): Promise<void>;
}

export interface SerialLineOptions {
  readonly port: SerialPort;
  readonly settings: SerialSettings;
  readonly meters: ReadonlyMap<number, Readable>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly faults?: { readonly book: FaultBook; readonly line: number };
}

/** Silence after which what was heard of a frame is dropped: USB adapters hold bytes back for up to 16 ms. */
const TORN_MS = 50;
/** Longest piece of an answer that leaves in one write on a pseudo terminal; timers are no finer than this. */
const SLICE_MS = 4;

/**
 * Meters on a serial line, with its times: an answer begins when the request has passed the wire, and the silence and the
 * meters' turnaround after it; its characters leave one by one. Requests for units that are not here, broken frames and
 * noise get no answer. One frame is on the line at a time: who asks again before the answer has begun is answered to the
 * last question only; while it goes out, nothing is heard.
 */
export function serveSerial(options: SerialLineOptions): SerialLine {
  const { port, settings, clock, timers, faults } = options;
  const line = simLine({
    meters: options.meters,
    wire: "rtu",
    ...(faults === undefined ? {} : { faults: faults.book, line: faults.line }),
  });
  const char_ms = port.takesWireTime ? 0 : character_ms(settings);
  let rest: Uint8Array = new Uint8Array(0);
  let lastHeard_ms = -Infinity;
  let wireFree_ms = -Infinity;
  let sendingUntil_ms = -Infinity;
  /** Of the question that waits for its answer to begin. */
  let waiting: Cancel = () => {};
  const sending = new Set<Cancel>();

  const after = (delay_ms: number, run: () => void): Cancel => {
    const cancel = timers.after(delay_ms, () => {
      sending.delete(cancel);
      run();
    });
    sending.add(cancel);
    return () => {
      sending.delete(cancel);
      cancel();
    };
  };

  /** On a pseudo terminal a few characters at a time, each not before it has passed the wire. */
  const send = (bytes: Uint8Array): void => {
    const from_ms = clock.mono_ms();
    if (char_ms === 0) return port.write(bytes);
    sendingUntil_ms = Math.max(sendingUntil_ms, from_ms + bytes.length * char_ms);
    const slice = Math.max(1, Math.floor(SLICE_MS / char_ms));
    let out = 0;
    const go = (): void => {
      const due = Math.min(bytes.length, bytesOut(from_ms, clock.mono_ms(), settings));
      if (due > out) port.write(bytes.subarray(out, due));
      out = Math.max(out, due);
      const next = Math.min(bytes.length, out + slice);
      if (out < next) after(Math.max(0, from_ms + next * char_ms - clock.mono_ms()), go);
    };
    go();
  };

  const begin = ({ unit, pdu }: RtuRequest, shape: ReplyShape, words: ReturnType<typeof line.exchange>): void => {
    const said = words.answer(clock.now_ms());
    if (said === null) return;
    const answer = shape.exception === null ? said : { exception: shape.exception };
    for (const piece of timed(piecesOf(rtuFrame(replyUnit(unit, shape), answerPdu(pdu[0]!, answer)), shape), char_ms)) {
      if (piece.after_ms <= 0) send(piece.bytes);
      else after(piece.after_ms, () => send(piece.bytes));
    }
  };

  const asked = (request: RtuRequest, end_ms: number): void => {
    const exchange = line.exchange(request.unit, request.pdu, null, clock.now_ms());
    const { shape } = exchange;
    if (shape.outcome !== "answer" || !options.meters.has(request.unit)) return;
    const pause_ms = end_ms + turnaround_ms(settings) - clock.mono_ms();
    waiting = after(Math.max(0, pause_ms), () => {
      waiting = () => {};
      begin(request, shape, exchange);
    });
  };

  port.onData((chunk) => {
    const now_ms = clock.mono_ms();
    if (now_ms < sendingUntil_ms) return;
    const isTorn = now_ms - lastHeard_ms > TORN_MS + frameSilence_ms(settings);
    lastHeard_ms = now_ms;
    wireFree_ms = char_ms === 0 ? now_ms : passed_ms(wireFree_ms, now_ms, chunk.length, settings);
    waiting();
    waiting = () => {};
    const split = splitRtu(isTorn ? chunk : joined(rest, chunk));
    rest = Uint8Array.from(split.rest);
    const request = split.requests.at(-1);
    if (request !== undefined) asked({ unit: request.unit, pdu: Uint8Array.from(request.pdu) }, wireFree_ms);
  });

  return {
    path: port.path,
    async close() {
      for (const cancel of [...sending]) cancel();
      sending.clear();
      await port.close();
    },
  };
}

/** Pieces that follow each other at once still need their time on the wire. */
function timed(pieces: readonly Piece[], char_ms: number): readonly Piece[] {
  let sent = 0;
  return pieces.map(({ after_ms, bytes }) => {
    const piece = { after_ms: after_ms + sent * char_ms, bytes };
    sent += bytes.length;
    return piece;
  });
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
