import type { FaultBook } from "../faults/faultBook.ts";
import { type ReplyShape, replyShape, UNHARMED, type Wire } from "../faults/wireFaults.ts";
import type { Answer } from "../meters/addressSpace.ts";
import { answerTo, type Readable } from "./answer.ts";

/**
 * A line of simulated meters as every server of it sees it: what a request is answered with, and what faults make of that.
 * Servers and the bus of a world only differ in how they carry it.
 */
export interface SimLineEnd {
  readonly wire: Wire;
  /** Draws the faults of one request; the answer is worked out when it is asked for, for the instant `at_ms`. */
  exchange(unit: number, pdu: Uint8Array, connection: number | null, at_ms: number): Exchange;
  isOn(kind: "refused" | "one-connection", connection: number | null, at_ms: number): boolean;
}

export interface Exchange {
  readonly shape: ReplyShape;
  /** null = nobody answers: a serial line has no gateway that would say so. */
  answer(at_ms: number): Answer | null;
}

export interface LineOptions {
  readonly meters: ReadonlyMap<number, Readable>;
  readonly wire: Wire;
  /** Number of the line in the book of faults. */
  readonly line?: number;
  readonly faults?: FaultBook;
}

export function simLine({ meters, wire, line = 0, faults }: LineOptions): SimLineEnd {
  return {
    wire,
    exchange(unit, pdu, connection, at_ms) {
      const hits = faults?.hitting({ line, unit, connection, at_ms }) ?? [];
      return {
        shape: hits.length === 0 ? UNHARMED : replyShape(hits, wire),
        answer: (then_ms) =>
          wire !== "tcp" && !meters.has(unit) ? null : answerTo(meters, unit, pdu, then_ms, connection),
      };
    },
    isOn: (kind, connection, at_ms) => faults?.isOn(kind, line, connection, at_ms) ?? false,
  };
}
