import type { Bus, BusRead, BusReply } from "../../core/ports.ts";
import { answerToRead, type Readable } from "../bus/answer.ts";
import type { FaultWhat } from "../faults/catalogue.ts";
import { type BusEnd, busEnd, replyShape } from "../faults/wireFaults.ts";
import type { Life } from "./machine.ts";
import type { Latency } from "./pipe.ts";
import type { Stream } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

/**
 * A Modbus line of a world: meters that live by true time, and answers that take virtual time. What goes wrong below the
 * port - late, doubled, foreign replies - is the real client's to sort out (`test/drivers`); here a read ends as the port
 * says it can (`test/contract/bus.ts` holds both together).
 */
export interface LineOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly random: Stream;
  readonly trace: Trace;
  /** By unit. */
  readonly meters: ReadonlyMap<number, Readable>;
  /** Faults of the catalogue that hit a request to this unit now. */
  readonly hitting: (unit: number, true_ms: number) => readonly FaultWhat[];
  readonly true_ms: () => number;
  readonly latency: Latency;
}

/** Shares of reads, 0…1, drawn anew for each. */
export interface LineFaults {
  silent: number;
  garbled: number;
  /** Exception 6, server device busy. */
  busy: number;
  /** Answers that take longer than any timeout is short: some still in time, some not. */
  slow: number;
}

const BUSY = 6;
const WIRE = "tcp";
/** What the meter says is asked when the answer is on its way. */
const SOME_WORDS = new Uint16Array(0);
const UNHARMED: BusEnd = { reply: { kind: "words", words: SOME_WORDS }, after_ms: 0 };
const SLOW_MAX_MS = 1500;
/** A connection that is refused is refused at once; this long a host that is off is asked for in vain. */
const UNREACHABLE_AFTER_MS = 40;

/** How one read ends, drawn when it is asked. */
interface Ending {
  readonly after_ms: number;
  /** null = the meter answers. */
  readonly failure: BusReply | null;
}

const NOTHING_IN_FLIGHT = (): void => {};
const CLOSED: BusReply = { kind: "unreachable", detail: "the bus is closed" };
const REFUSED: BusReply = { kind: "unreachable", detail: "connection refused" };

export class SimLine {
  readonly faults: LineFaults = { silent: 0, garbled: 0, busy: 0, slow: 0 };
  /** Units that do not answer at all for now. */
  readonly silentUnits = new Set<number>();
  isUnreachable = false;
  readonly counts = { reads: 0, failed: 0 };
  readonly #o: LineOptions;

  constructor(options: LineOptions) {
    this.#o = options;
  }

  /** The line as the process of this life sees it. */
  busOf(life: Life): Bus {
    let isClosed = false;
    let cut: () => void = NOTHING_IN_FLIGHT;
    return {
      read: (request) =>
        new Promise((resolve) => {
          if (isClosed) return resolve(CLOSED);
          const { after_ms, failure } = this.#exchange(request);
          const cancel = life.after(after_ms, () => {
            cut = NOTHING_IN_FLIGHT;
            resolve(failure ?? this.#answer(request));
          });
          cut = () => {
            cancel();
            resolve(CLOSED);
          };
        }),
      async close() {
        isClosed = true;
        cut();
      },
    };
  }

  #exchange(request: BusRead): Ending {
    const { random, latency } = this.#o;
    this.counts.reads += 1;
    if (this.isUnreachable) return this.#failed(request, UNREACHABLE_AFTER_MS, REFUSED);
    if (this.silentUnits.has(request.unit) || random.chance(this.faults.silent)) {
      return this.#failed(request, request.timeout_ms, { kind: "timeout" });
    }
    const hits = this.#o.hitting(request.unit, this.#o.true_ms());
    if (hits.some(({ kind }) => kind === "refused")) return this.#failed(request, UNREACHABLE_AFTER_MS, REFUSED);
    const fate = hits.length === 0 ? UNHARMED : busEnd(replyShape(hits, WIRE), () => SOME_WORDS, request.timeout_ms);
    if (fate.reply.kind === "timeout" || fate.reply.kind === "unreachable")
      return this.#failed(request, fate.after_ms, fate.reply);
    const took_ms = fate.after_ms + random.between(latency.least_ms, latency.most_ms);
    if (fate.reply.kind !== "words") return this.#failed(request, Math.min(took_ms, request.timeout_ms), fate.reply);
    if (random.chance(this.faults.garbled)) return this.#failed(request, took_ms, { kind: "garbled", detail: "CRC" });
    if (random.chance(this.faults.busy)) return this.#failed(request, took_ms, { kind: "exception", code: BUSY });
    const slow_ms = random.chance(this.faults.slow) ? random.between(0, SLOW_MAX_MS) : 0;
    if (took_ms + slow_ms >= request.timeout_ms) return this.#failed(request, request.timeout_ms, { kind: "timeout" });
    return { after_ms: took_ms + slow_ms, failure: null };
  }

  #failed({ unit, address, count }: BusRead, after_ms: number, failure: BusReply): Ending {
    this.counts.failed += 1;
    this.#o.trace.note(`${this.#o.name} unit ${unit} ${address}+${count}: ${failure.kind}`);
    return { after_ms, failure };
  }

  /** The registers as they are when the answer is on its way: not before it is asked for, not after it is there. */
  #answer(request: BusRead): BusReply {
    const answer = answerToRead(this.#o.meters, request, Math.floor(this.#o.true_ms()));
    return answer instanceof Uint16Array
      ? { kind: "words", words: answer }
      : { kind: "exception", code: answer.exception };
  }
}
