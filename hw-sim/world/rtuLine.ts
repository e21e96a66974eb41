import type { BusRead } from "../../core/ports.ts";
import type { BusMachine } from "../../drivers/modbus/machine.ts";
import type { SerialStream } from "../../drivers/modbus/serialPort.ts";
import type { Connection, Destination } from "../../drivers/modbus/socketPort.ts";
import { answerPdu } from "../bus/answer.ts";
import type { SimLineEnd } from "../bus/line.ts";
import { type RtuRequest, rtuFrame, splitRtu } from "../bus/rtu.ts";
import { piecesOf, type ReplyShape, replyUnit } from "../faults/wireFaults.ts";
import type { LineFaults } from "./line.ts";
import type { Life } from "./machine.ts";
import type { Latency } from "./pipe.ts";
import type { Stream } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

/**
 * A Modbus line of a world on which frames do not say what they answer: a serial line, or RTU in a connection to a transparent
 * converter. The client of production stands on it: it is given the bytes of the line, and sorts out itself what is late,
 * doubled, foreign or broken.
 *
 * order     a unit answers in the order it was asked in; other units' answers may come in between
 * converter what a connection was waiting for the next one hears, if it comes after that one is gone
 * bytes     a frame comes in one to three chunks
 */
export interface RtuLineOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly random: Stream;
  readonly trace: Trace;
  /** What stands at the other end, and what befalls its replies. */
  readonly end: SimLineEnd;
  readonly true_ms: () => number;
  /** From a question to the beginning of its answer. */
  readonly latency: Latency;
  /** What is said twice is said again later, and noise loses no reply; else at once. */
  readonly isRepeating: boolean;
  /** Told of every answer of a meter in words, when it begins; a copy is none of its own. */
  readonly onAnswer?: (question: Omit<BusRead, "timeout_ms">, words: Uint16Array, true_ms: number) => void;
}

const BUSY = 6;
const SLOW_MAX_MS = 1500;
const CHUNKS_MAX = 3;
/** Between two chunks; a client believes a frame after some milliseconds of silence. */
const CHUNK_PAUSE_MAX_MS = 8;
/** A frame that is said again later. */
const COPY_AFTER_MAX_MS = 300;
const NOTHING_LOST = { silent: 0, garbled: 0, slow: 0 };
const CONNECT_MS = 2;
/** A connection that is refused is refused at once; this long a host that is off is asked for in vain. */
const REFUSED_AFTER_MS = 40;

/** Who has the line open, as bytes. */
interface Far {
  readonly life: Life;
  hear(bytes: Buffer): void;
  /** The connection or the device is gone. */
  end(why: string): void;
  /** Nobody is there any more, and this end does not know. */
  isHalfOpen: boolean;
}

export class SimRtuLine {
  readonly faults: LineFaults = { silent: 0, garbled: 0, busy: 0, slow: 0 };
  /** Units that do not answer at all for now. */
  readonly silentUnits = new Set<number>();
  isUnreachable = false;
  readonly counts = { reads: 0, failed: 0 };
  readonly #o: RtuLineOptions;
  #far: Far | null = null;
  /** By unit: when its last answer is out. */
  readonly #free_ms = new Map<number, number>();

  constructor(options: RtuLineOptions) {
    this.#o = options;
  }

  /** The machine as the client of this life's process sees it: its time, and this line. */
  machineOf(life: Life): BusMachine {
    return {
      mono_ms: life.clock.mono_ms,
      after: (delay_ms, run) => life.after(delay_ms, run),
      afterInput: (run) => void life.after(0, run),
      keepAwake: () => () => {},
      openStream: () => this.#openStream(life),
      connect: (to, timeout_ms, abort) => this.#connect(life, to, timeout_ms, abort),
    };
  }

  get #isRefused(): boolean {
    return this.isUnreachable || this.#o.end.isOn("refused", null, this.#o.true_ms());
  }

  async #openStream(life: Life): Promise<SerialStream> {
    if (this.#isRefused) throw new Error("no such device");
    let hear: (bytes: Buffer) => void = () => {};
    let closed: () => void = () => {};
    const stream = {
      isOpen: true,
      on(event: "data" | "error" | "close", listener: (...given: never[]) => void): void {
        if (event === "data") hear = listener as unknown as typeof hear;
        else if (event === "close") closed = listener as typeof closed;
      },
      removeAllListeners() {},
      write: (bytes: Uint8Array) => this.#asked(far, bytes),
      close: (done: () => void): void => {
        stream.isOpen = false;
        this.#leave(far);
        life.after(0, done);
      },
    };
    const far: Far = {
      life,
      isHalfOpen: false,
      hear: (bytes) => hear(bytes),
      end() {
        stream.isOpen = false;
        closed();
      },
    };
    this.#far = far;
    return stream;
  }

  #connect(life: Life, { hear, onEnd }: Destination, timeout_ms: number, abort: AbortSignal): Promise<Connection> {
    const far: Far = { life, isHalfOpen: false, hear, end: onEnd };
    return new Promise((resolve, reject) => {
      abort.addEventListener("abort", () => reject(new Error("aborted")));
      if (this.#isRefused) {
        const refused = new Error("connection refused");
        return void life.after(Math.min(timeout_ms, REFUSED_AFTER_MS), () => reject(refused));
      }
      life.after(CONNECT_MS, () => {
        if (abort.aborted) return;
        this.#far = far;
        resolve({
          write: (bytes) => this.#asked(far, bytes),
          close: (done) => {
            this.#leave(far);
            life.after(0, done);
          },
        });
      });
    });
  }

  #leave(far: Far): void {
    if (this.#far === far) this.#far = null;
  }

  #asked(far: Far, bytes: Uint8Array): void {
    if (this.#far !== far || far.isHalfOpen) return;
    if (this.#isRefused) return this.#cut(far, "gone");
    for (const request of splitRtu(bytes).requests) this.#exchange(far, request);
  }

  /** Told as soon as the process looks again. */
  #cut(far: Far, why: string): void {
    this.counts.failed += 1;
    this.#o.trace.note(`${this.#o.name}: ${why}`);
    this.#leave(far);
    far.life.after(0, () => far.end(why));
  }

  #exchange(far: Far, { unit, pdu }: RtuRequest): void {
    const { random, latency, end, true_ms, isRepeating } = this.#o;
    const { silent, garbled, busy, slow } = isRepeating ? { ...this.faults, ...NOTHING_LOST } : this.faults;
    this.counts.reads += 1;
    if (this.silentUnits.has(unit) || random.chance(silent)) return this.#failed(unit, "silent");
    const { shape, answer } = end.exchange(unit, pdu, null, true_ms());
    if (shape.outcome === "reset") return this.#cut(far, "reset");
    if (shape.outcome === "half-open") far.isHalfOpen = true;
    if (shape.outcome !== "answer") return this.#failed(unit, shape.outcome);
    const hasBadCrc = shape.hasBadCrc || random.chance(garbled);
    const exception = random.chance(busy) ? BUSY : shape.exception;
    const slow_ms = random.chance(slow) ? random.between(0, SLOW_MAX_MS) : 0;
    const harmed: ReplyShape = { ...shape, hasBadCrc, exception, delay_ms: shape.delay_ms + slow_ms };
    if (isHarmed(harmed)) this.#failed(unit, JSON.stringify(harmed));
    const answers_ms = this.#o.scheduler.now_ms + random.between(latency.least_ms, latency.most_ms) + harmed.delay_ms;
    const begin_ms = Math.max(answers_ms, this.#free_ms.get(unit) ?? 0);
    this.#free_ms.set(unit, begin_ms + harmed.pieces * (harmed.pause_ms + CHUNKS_MAX * CHUNK_PAUSE_MAX_MS));
    this.#o.scheduler.at(begin_ms, () => {
      const said = exception === null ? answer(Math.floor(true_ms())) : { exception };
      if (said === null) return;
      const [fc, high, low] = pdu;
      if (said instanceof Uint16Array) {
        const question = { unit, fc: fc as 3 | 4, address: (high! << 8) | low!, count: said.length };
        this.#o.onAnswer?.(question, said, true_ms());
      }
      this.#say(rtuFrame(replyUnit(unit, harmed), answerPdu(fc!, said)), harmed);
    });
  }

  #failed(unit: number, why: string): void {
    this.counts.failed += 1;
    this.#o.trace.note(`${this.#o.name} unit ${unit}: ${why}`);
  }

  #say(frame: Uint8Array, shape: ReplyShape): void {
    const { scheduler, random, isRepeating } = this.#o;
    const copies = isRepeating ? shape.copies : 1;
    let begin_ms = scheduler.now_ms;
    for (let copy = 0; copy < copies; copy++) {
      for (const { after_ms, bytes } of piecesOf(frame, { ...shape, copies: shape.copies / copies, delay_ms: 0 })) {
        let at_ms = begin_ms + after_ms;
        for (const chunk of this.#chunksOf(bytes)) {
          scheduler.at(at_ms, () => this.#deliver(chunk));
          at_ms += random.between(0, CHUNK_PAUSE_MAX_MS);
        }
      }
      begin_ms += random.between(0, COPY_AFTER_MAX_MS);
    }
  }

  #chunksOf(bytes: Uint8Array): readonly Uint8Array[] {
    const { random } = this.#o;
    const cuts = Array.from({ length: random.whole(0, CHUNKS_MAX - 1) }, () => random.whole(0, bytes.length));
    const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
    return edges
      .slice(1)
      .map((to, i) => bytes.subarray(edges[i]!, to))
      .filter((chunk) => chunk.length > 0);
  }

  #deliver(bytes: Uint8Array): void {
    const far = this.#far;
    if (far === null || far.isHalfOpen) return;
    far.life.live(() => far.hear(Buffer.from(bytes)));
  }
}

function isHarmed({ outcome, exception, delay_ms, isWrongUnit, hasBadCrc, keep_bytes, pieces, copies }: ReplyShape) {
  const isWhole = outcome === "answer" && exception === null && keep_bytes === null && pieces === 1 && copies === 1;
  return !isWhole || delay_ms > 0 || isWrongUnit || hasBadCrc;
}
