import type { Bus, BusRead, BusReply, Clock, Timers } from "../../core/ports.ts";
import type { FaultBook } from "../faults/faultBook.ts";
import { busEnd, type Wire } from "../faults/wireFaults.ts";
import type { Readable } from "./answer.ts";
import { simLine } from "./line.ts";

export interface SimBusOptions {
  /** What the frames would travel on: it decides what some faults look like. Default: Modbus TCP. */
  readonly wire?: Wire;
  /** Number of the line in the book of faults, from 0. */
  readonly line?: number;
  readonly faults?: FaultBook;
  /** Timeouts and delays take their time; without timers all ends at once. */
  readonly timers?: Timers;
}

/**
 * A line of simulated meters as a bus without a socket: for worlds in virtual time and for history that is caught up. With
 * faults it ends each read as our client behind a real socket or serial line would (`test/contract/bus.ts`).
 *
 * Limits   one request in flight, others wait. A late answer is never heard: the real client drains it away.
 */
export function simBus(meters: ReadonlyMap<number, Readable>, clock: Clock, options: SimBusOptions = {}): Bus {
  const { wire = "tcp", timers } = options;
  const line = simLine({ meters, wire, ...options });
  let last: Promise<unknown> = Promise.resolve();
  const wait = (delay_ms: number): Promise<void> | null =>
    timers === undefined || delay_ms <= 0 ? null : new Promise((resolve) => void timers.after(delay_ms, resolve));

  const exchange = async (request: BusRead): Promise<BusReply> => {
    const { unit, fc, address, count, timeout_ms } = request;
    const at_ms = clock.now_ms();
    if (wire !== "rtu" && line.isOn("refused", null, at_ms)) {
      return { kind: "unreachable", detail: "connection refused" };
    }
    const pdu = Uint8Array.of(fc, address >> 8, address & 0xff, count >> 8, count & 0xff);
    const { shape, answer } = line.exchange(unit, pdu, null, at_ms);
    const { reply, after_ms } = busEnd(shape, () => answer(at_ms), timeout_ms);
    await wait(after_ms);
    return reply;
  };

  return {
    read(request) {
      const reply = options.timers === undefined ? exchange(request) : last.then(() => exchange(request));
      last = reply;
      return reply;
    },
    async close() {},
  };
}
