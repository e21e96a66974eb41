/**
 * One Modbus bus or connection on `modbus-serial`, reads only.
 *
 * - One request in flight; callers that come together are served in turn.
 * - Connects when first asked. A read that finds no connection tries to connect once and says `unreachable` if that fails:
 *   when to try again is the caller's decision, and there is never a reconnect without a read. Only a connection kept from an
 *   earlier read that turns out to be closed, before one byte of an answer, is opened again and the question asked once more:
 *   devices that close after each reply, or after a minute of silence, are normal.
 * - The library gets its bytes through a port of ours (`LinePort`), so that a reply is only ever credited to its own request:
 *   on TCP transaction numbers use all 16 bits (the library's wrap at 256) and other frames are dropped; RTU frames, which name
 *   no request, must be of the form asked for (unit, function, byte count, CRC), follow the request, and be followed by silence.
 * - After a timeout or a garbled reply a TCP connection is closed, so a late reply can never meet another request; a serial
 *   line is drained: it must be silent before the next request.
 * - RTU, on a serial line or in TCP: no question is put while a reply that was given up may still come and pass for its answer
 *   (`lostReplies.ts`); other questions are, and a late reply that meets them is dropped. Before it is put, another one of its
 *   unit must have been answered, for a reply may be withheld until then (`replyOrder.ts`): if need be, one of another length
 *   is put first, and its words are not used. A reply that is, byte for byte, what
 *   another address said is held until it is clear that no other one follows (`recentReplies.ts`).
 * - `unreachable` also ends the read in flight at once when the far side closes, instead of waiting for the timeout.
 *
 * Limits   requests of 1…125 registers (else `RangeError`); no queue limit: each caller awaits its read. An RTU frame
 *          does not say what it answers: what passes for an answer all the same is written in `decisions/001`.
 */

import { ADDRESSES, READ_MAX } from "../../core/model/modbus.ts";
import type { Bus, BusRead, BusReply, OwedReplies } from "../../core/ports.ts";
import { detailOf, Line, pause, UNCERTAIN } from "./line.ts";
import { type Framing, LinePort, type RtuFraming } from "./linePort.ts";
import { LostReplies } from "./lostReplies.ts";
import { type BusMachine, SYSTEM } from "./machine.ts";
import { RecentReplies } from "./recentReplies.ts";
import { ReplyOrder } from "./replyOrder.ts";

export type BusAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "rtu+tcp"; readonly host: string; readonly port: number }
  | {
      readonly kind: "rtu";
      readonly path: string;
      readonly baud: number;
      readonly parity: "none" | "even" | "odd";
      readonly stop_bits: 1 | 2;
    };

export interface BusOptions {
  /** Longest wait for a connection, ms; a read's own timeout if that is shorter. */
  readonly connect_timeout_ms: number;
  /** Silence a serial line must keep after a lost reply before the next request, ms. */
  readonly drain_ms: number;
  /** Silence that must follow an RTU frame inside TCP before it is believed, ms. Serial lines: 3.5 characters. */
  readonly settle_ms: number;
}

const DEFAULTS: BusOptions = { connect_timeout_ms: 3000, drain_ms: 200, settle_ms: 4 };

/** A question that is kept back no longer than this at first is not kept back for long at all. */
const KEPT_BACK_MAX_MS = 20;
const BEHIND: BusReply = { kind: "garbled", detail: "not asked: its replies come one question late" };
const TOO_SOON: BusReply = { kind: "garbled", detail: "not asked: a late reply came just now, and more may follow" };

const CLOSED = "the bus was closed";
const GONE = "the connection was closed";

/** Opens nothing yet: the first read connects. `machine`: what is not the system's. */
export function openBus(
  address: BusAddress,
  options: Partial<BusOptions> = {},
  machine: Partial<BusMachine> = {},
): Bus {
  const settings = { ...DEFAULTS, ...options };
  const on = { ...SYSTEM, ...machine };
  // What was asked on the old connection a gateway may answer on the new one.
  const framing: Framing = address.kind === "tcp" ? { kind: "tcp", last: 0 } : rtuFraming(on.mono_ms);
  const open: OpenLine =
    address.kind === "rtu"
      ? () => openSerial(address, on, { framing, drain_ms: settings.drain_ms })
      : (timeout_ms, abort) => {
          const connect_ms = Math.min(timeout_ms, settings.connect_timeout_ms);
          return openSocket(address, on, { connect_ms, framing, settle_ms: settings.settle_ms, abort });
        };
  return new ModbusBus(open, framing.kind === "rtu" ? framing : null, on);
}

function rtuFraming(mono_ms: () => number): RtuFraming {
  const recent = new RecentReplies(mono_ms);
  const order = new ReplyOrder(mono_ms, (unit) => recent.isCopied(unit));
  return { kind: "rtu", lost: new LostReplies(mono_ms, order), recent };
}

type OpenLine = (timeout_ms: number, abort: AbortSignal) => Promise<Line>;

type Settle = (reply: BusReply) => void;

class ModbusBus implements Bus {
  readonly #open: OpenLine;
  /** null where replies say what they answer. */
  readonly #rtu: RtuFraming | null;
  readonly #machine: BusMachine;
  readonly owed?: OwedReplies;
  readonly #abort = new AbortController();
  readonly #queue: { readonly request: BusRead; readonly settle: Settle }[] = [];
  #line: Line | null = null;
  #isBusy = false;
  /** Told when the queue has run empty. */
  #onIdle: (() => void) | null = null;

  constructor(open: OpenLine, rtu: RtuFraming | null, machine: BusMachine) {
    this.#open = open;
    this.#rtu = rtu;
    this.#machine = machine;
    if (rtu === null) return;
    const { lost, recent } = rtu;
    this.owed = {
      wait_ms: (request) => Math.max(keptBack_ms(request, rtu), lost.wait_ms(canaryFor(request, rtu) ?? request)),
      doubts: (unit) => recent.doubts(unit),
      proof: (unit) => lost.order.proof(unit),
    };
  }

  read(request: BusRead): Promise<BusReply> {
    assertReadable(request);
    return new Promise((settle) => {
      if (this.#isBusy) this.#queue.push({ request, settle });
      else this.#start(request, settle);
    });
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#line?.end(CLOSED);
    if (this.#isBusy) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#line?.released;
    this.#line = null;
  }

  /** The hot path: an open, silent line is asked at once, and a good reply goes straight to its caller. */
  #start(request: BusRead, settle: Settle): void {
    this.#isBusy = true;
    const line = this.#line;
    if (line === null || line.ended !== null || line.isDirty || this.#isOwed(request)) {
      return this.#startSlowly(this.#askOnce(request), settle);
    }
    line.ask(request, (reply) => {
      if (!line.isDirty && (reply.kind === "words" || reply.kind === "exception")) return this.#finish(reply, settle);
      this.#startSlowly(this.#afterTrouble(line, reply, request), settle);
    });
  }

  #startSlowly(reply: Promise<BusReply>, settle: Settle): void {
    reply.then((settled) => this.#finish(settled, settle));
  }

  #finish(reply: BusReply, settle: Settle): void {
    this.#isBusy = false;
    settle(reply);
    const next = this.#queue.shift();
    if (next !== undefined) this.#start(next.request, next.settle);
    else this.#onIdle?.();
  }

  /** On a connection kept from an earlier read: one that proves closed before a byte of an answer is opened once more. */
  async #afterTrouble(line: Line, reply: BusReply, request: BusRead): Promise<BusReply> {
    if (reply.kind === "unreachable" && !line.hasHeard) return this.#askOnce(request);
    await this.#leaveClean(line, reply, request);
    return reply === UNCERTAIN ? this.#askOnce(request) : reply;
  }

  async #askOnce(request: BusRead): Promise<BusReply> {
    const early = (await this.#outwait(request)) ?? (await this.#hearOrder(request));
    if (early !== null) return early;
    const reply = await this.#ask(request);
    // Said again when no copy can come, it is the answer: this happens once.
    return reply === UNCERTAIN ? this.#askOnce(request) : reply;
  }

  /** Makes sure that no reply withheld until now can pass for the answer. @returns why it cannot be asked; null = it can. */
  async #hearOrder(request: BusRead): Promise<BusReply | null> {
    const canary = this.#rtu === null ? null : canaryFor(request, this.#rtu);
    if (this.#rtu === null || canary === null) return null;
    const { order } = this.#rtu.lost;
    const tooSoon = await this.#outwait(canary);
    if (tooSoon !== null) return tooSoon;
    const late = order.lateReplies(request.unit);
    const wasUnanswered = order.isUnanswered(request);
    order.asking(canary, request);
    const reply = await this.#ask(canary);
    const isAnswered = reply.kind === "words" || reply.kind === "exception";
    // Not if it was the reply to an older one of its kind.
    const isInStep = isAnswered && !order.isUnanswered(canary);
    if (!order.isUnanswered(request) && (wasUnanswered || isInStep)) return this.#outwait(request);
    return isAnswered || order.lateReplies(request.unit) > late ? BEHIND : reply;
  }

  async #ask(request: BusRead): Promise<BusReply> {
    const isKept = this.#line?.ended === null;
    const refusal = await this.#makeReady(request.timeout_ms);
    if (refusal !== null) return refusal;
    const line = this.#line!;
    const reply = await new Promise<BusReply>((resolve) => line.ask(request, resolve));
    if (isKept && reply.kind === "unreachable" && !line.hasHeard) return this.#ask(request);
    await this.#leaveClean(line, reply, request);
    return reply;
  }

  async #leaveClean(line: Line, reply: BusReply, request: BusRead): Promise<void> {
    const { kind } = reply;
    const isLost = kind === "timeout" || kind === "garbled" || kind === "unreachable";
    if (isLost && this.#rtu?.lost.add(request) === true) this.#rtu.recent.doubt(request.unit);
    if (line.isDirty || kind === "timeout" || kind === "garbled") await line.resynchronise();
  }

  #isOwed(request: BusRead): boolean {
    return this.#rtu !== null && (this.#rtu.lost.isOwed(request) || this.#rtu.recent.isUncertain(request));
  }

  /** Until no late reply can pass for the answer. What is heard meanwhile may make it longer, within its limit. */
  async #outwait(request: BusRead): Promise<BusReply | null> {
    const { signal } = this.#abort;
    const rtu = this.#rtu;
    if (rtu === null || !this.#isOwed(request)) return null;
    // Who asks after the wait it was told (`OwedReplies`) has others to serve.
    const isPatient = keptBack_ms(request, rtu) <= KEPT_BACK_MAX_MS;
    do {
      const wait_ms = keptBack_ms(request, rtu);
      if (isPatient && wait_ms > KEPT_BACK_MAX_MS) return TOO_SOON;
      if (this.#line?.ended === null) await this.#line.pause(wait_ms, signal);
      else await pause(this.#machine, wait_ms, signal);
    } while (!signal.aborted && !(rtu.lost.heardOut(request) && keptBack_ms(request, rtu) === 0));
    return null;
  }

  /** A line that is open and silent, or why there is none. */
  async #makeReady(timeout_ms: number): Promise<BusReply | null> {
    if (this.#line?.ended === null && this.#line.isDirty) await this.#line.resynchronise();
    if (this.#abort.signal.aborted) return { kind: "unreachable", detail: CLOSED };
    if (this.#line?.ended === null) return null;
    // Devices that take one connection only refuse the second until the first is gone.
    await this.#line?.released;
    try {
      this.#line = await this.#open(timeout_ms, this.#abort.signal);
    } catch (error) {
      return { kind: "unreachable", detail: detailOf(error) };
    }
    if (this.#abort.signal.aborted) this.#line.end(CLOSED);
    return null;
  }
}

/** How long until nothing that is out can pass for the answer to this question. */
function keptBack_ms(request: BusRead, { lost, recent }: RtuFraming): number {
  return Math.max(lost.wait_ms(request), recent.wait_ms(request));
}

/** What to put first, if a reply to an older question may be withheld, or said again, that would pass for the answer. */
function canaryFor(request: BusRead, { lost, recent }: RtuFraming): BusRead | null {
  if (!lost.order.isUnanswered(request) && !recent.isUncertain(request)) return null;
  return { ...lost.order.canary(request), timeout_ms: request.timeout_ms };
}

/** @throws {RangeError} for what the protocol cannot ask. */
function assertReadable({ unit, address, count, timeout_ms }: BusRead): void {
  const inside = (value: number, low: number, high: number) => Number.isInteger(value) && value >= low && value <= high;
  // The library takes 0 for "wait for ever".
  if (!(timeout_ms > 0)) throw new RangeError(`timeout ${timeout_ms} ms is not positive`);
  if (!inside(unit, 0, 255)) throw new RangeError(`unit ${unit} is not 0…255`);
  if (!inside(count, 1, READ_MAX)) throw new RangeError(`count ${count} is not 1…${READ_MAX}`);
  if (!inside(address, 0, ADDRESSES - count))
    throw new RangeError(`address ${address} + ${count} is beyond ${ADDRESSES}`);
}

type SocketAddress = Extract<BusAddress, { readonly host: string }>;

async function openSocket(
  { kind, host, port }: SocketAddress,
  machine: BusMachine,
  {
    connect_ms,
    framing,
    settle_ms,
    abort,
  }: {
    readonly connect_ms: number;
    readonly framing: Framing;
    readonly settle_ms: number;
    readonly abort: AbortSignal;
  },
): Promise<Line> {
  const linePort = new LinePort((bytes) => connection.write(bytes), framing);
  const hear = (bytes: Buffer): void => linePort.hear(bytes);
  const onEnd = (why: unknown): void => line.end(detailOf(why));
  const connection = await machine.connect({ host, port, hear, onEnd }, connect_ms, abort);
  const line = new Line(linePort, machine, {
    settle_ms: kind === "tcp" ? 0 : settle_ms,
    mustKeepAwake: false,
    release: (done) => connection.close(done),
    resynchronise: async (line) => line.end("closed after a lost reply"),
  });
  return line;
}

type SerialAddress = Extract<BusAddress, { readonly kind: "rtu" }>;

async function openSerial(
  address: SerialAddress,
  machine: BusMachine,
  { framing, drain_ms }: { readonly framing: Framing; readonly drain_ms: number },
): Promise<Line> {
  const stream = await machine.openStream(address);
  const linePort = new LinePort((bytes) => stream.write(bytes), framing);
  stream.on("data", (bytes) => linePort.hear(bytes));
  const line = new Line(linePort, machine, {
    settle_ms: silenceBetweenFrames_ms(address.baud),
    mustKeepAwake: true,
    release: (done) => (stream.isOpen ? stream.close(() => done()) : done()),
    resynchronise: (that) => that.silence(drain_ms),
  });
  stream.on("error", (error) => line.end(detailOf(error)));
  stream.on("close", () => line.end(GONE));
  return line;
}

/** 3.5 characters of 11 bits, 1.75 ms above 19200 baud (MODBUS over Serial Line V1.02 §2.5.1.1), in whole milliseconds. */
function silenceBetweenFrames_ms(baud: number): number {
  return Math.ceil(Math.max(1.75, 38_500 / baud));
}
