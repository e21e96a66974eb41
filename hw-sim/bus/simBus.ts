import type { Bus, Clock } from "../../core/ports.ts";
import { answerTo, type Readable } from "./answer.ts";

/** A line of simulated meters as a bus without a socket: for worlds in virtual time and for history that is caught up. */
export function simBus(meters: ReadonlyMap<number, Readable>, clock: Clock): Bus {
  return {
    async read({ unit, fc, address, count }) {
      const pdu = Uint8Array.of(fc, address >> 8, address & 0xff, count >> 8, count & 0xff);
      const answer = answerTo(meters, unit, pdu, clock.now_ms());
      return answer instanceof Uint16Array
        ? { kind: "words", words: answer }
        : { kind: "exception", code: answer.exception };
    },
    async close() {},
  };
}
