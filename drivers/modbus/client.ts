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
 * - `unreachable` also ends the read in flight at once when the far side closes, instead of waiting for the timeout.
 *
 * Limits   requests of 1…125 registers (else `RangeError`); no queue limit: each caller awaits its read. An RTU frame
 *          does not say what it answers. One that repeats the frame before makes the question be asked again on a line that is
 *          clean; a stray one that copies an older reply of the same unit and length, and comes while a request waits, passes for
 *          its answer unless the true one follows within `settle_ms`.
 */
import { EventEmitter } from "node:events";
import { connect, type OnReadOpts, type Socket } from "node:net";
import modbusSerial from "modbus-serial";
import type { Bus, BusRead, BusReply } from "../../core/ports.ts";
import { crc16, hearRtu, hearTcp, isRepetition } from "./framing.ts";
import { openSerialStream, SERIAL_TICK_MS } from "./serialPort.ts";

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

/** A line that never falls silent is given up on after this many silences. */
const DRAINS_MAX = 10;

/** A copy of the frame before, which answered another question: perhaps an answer, perhaps the network's echo of one. */
const COPY: BusReply = { kind: "garbled", detail: "a copy of the reply before" };
const CLOSED = "the bus was closed";
const GONE = "the connection was closed";

const ModbusRTU = modbusSerial.default;
type Client = InstanceType<typeof ModbusRTU>;

/** Opens nothing yet: the first read connects. */
export function openBus(address: BusAddress, options: Partial<BusOptions> = {}): Bus {
  const settings = { ...DEFAULTS, ...options };
  // Numbers go on across connections: a gateway may answer on the new one what was asked on the old one.
  const transactions = { last: 0 };
  return new ModbusBus(
    address.kind === "rtu"
      ? () => openSerial(address, settings.drain_ms)
      : (timeout_ms, abort) =>
          openSocket(address, Math.min(timeout_ms, settings.connect_timeout_ms), { ...settings, transactions }, abort),
  );
}

type OpenLine = (timeout_ms: number, abort: AbortSignal) => Promise<Line>;

type Settle = (reply: BusReply) => void;

class ModbusBus implements Bus {
  readonly #open: OpenLine;
  readonly #abort = new AbortController();
  readonly #queue: { readonly request: BusRead; readonly settle: Settle }[] = [];
  #line: Line | null = null;
  #isBusy = false;
  /** Told when the queue has run empty. */
  #onIdle: (() => void) | null = null;

  constructor(open: OpenLine) {
    this.#open = open;
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
    if (line === null || line.ended !== null || line.isDirty) return this.#startSlowly(this.#askOnce(request), settle);
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
    await this.#leaveClean(line, reply);
    return reply === COPY ? this.#askOnce(request) : reply;
  }

  async #askOnce(request: BusRead): Promise<BusReply> {
    const refusal = await this.#makeReady(request.timeout_ms);
    if (refusal !== null) return refusal;
    const line = this.#line!;
    const reply = await new Promise<BusReply>((resolve) => line.ask(request, resolve));
    await this.#leaveClean(line, reply);
    // A line left clean has no frame before: this happens once.
    return reply === COPY ? this.#askOnce(request) : reply;
  }

  async #leaveClean(line: Line, { kind }: BusReply): Promise<void> {
    if (line.isDirty || kind === "timeout" || kind === "garbled") await line.resynchronise();
  }

  /** A line that is open and silent, or why there is none. */
  async #makeReady(timeout_ms: number): Promise<BusReply | null> {
    if (this.#line?.ended === null) await this.#line.resynchronise();
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

/** What differs between a socket and a serial line. */
interface LineKind {
  /** Silence that must follow a reply before it is believed, ms; 0 where frames carry a transaction number. */
  readonly settle_ms: number;
  /** Keeps the event loop awake while a reply is awaited. */
  readonly tick_ms: number;
  /** Lets go of what is below; tells when nothing of it is left open. */
  release(done: () => void): void;
  /** After a lost, broken or unexpected reply: makes sure no byte of it can reach a later request. */
  resynchronise(line: Line): Promise<void>;
}

/** The request in flight. */
interface Pending {
  readonly settle: (reply: BusReply) => void;
  readonly tick: NodeJS.Timeout | undefined;
  /** A reply that waits for the silence behind it. */
  held: BusReply | null;
  quiet: NodeJS.Timeout | undefined;
}

/** An open line: one request at a time through the library, and an end that is told once. */
class Line {
  readonly #client: Client;
  readonly #port: LinePort;
  readonly #kind: LineKind;
  readonly #released = Promise.withResolvers<void>();
  #pending: Pending | null = null;
  #ended: string | null = null;

  constructor(port: LinePort, kind: LineKind) {
    this.#port = port;
    this.#kind = kind;
    this.#client = new ModbusRTU(port);
    // The port is open already; the library begins to listen to it.
    this.#client.open();
  }

  /** Why the line is no more; null while it is open. */
  get ended(): string | null {
    return this.#ended;
  }

  /** Settles when nothing of the line is left open. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  /** Bytes came that belong to no request. */
  get isDirty(): boolean {
    return this.#port.isDirty;
  }

  /** A byte came since the last request was sent. */
  get hasHeard(): boolean {
    return this.#port.hasHeard;
  }

  end(why: string): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    this.#client.destroy(() => this.#kind.release(this.#released.resolve));
    if (this.#pending !== null) this.#finish(this.#pending, this.#believed() ?? { kind: "unreachable", detail: why });
  }

  resynchronise(): Promise<void> {
    return this.#kind.resynchronise(this);
  }

  /** Settles when the line has been silent for `quiet_ms`; bytes that come meanwhile are nobody's. */
  async silence(quiet_ms: number): Promise<void> {
    const tick = this.#keepAwake();
    for (let waits = 0; waits < DRAINS_MAX; waits++) {
      this.#port.forget();
      await new Promise((resolve) => setTimeout(resolve, quiet_ms));
      if (!this.#port.isDirty || this.#ended !== null) break;
    }
    this.#port.forget();
    clearInterval(tick);
  }

  /** One request at a time: the caller waits for the reply before it asks again. */
  ask(request: BusRead, settle: (reply: BusReply) => void): void {
    if (this.#ended !== null) return settle({ kind: "unreachable", detail: this.#ended });
    const tick = this.#kind.tick_ms === 0 ? undefined : this.#keepAwake();
    const pending: Pending = { settle, tick, held: null, quiet: undefined };
    this.#pending = pending;
    this.#port.ask(request);
    const client = this.#client as unknown as Reader;
    client.setID(request.unit);
    client.setTimeout(request.timeout_ms);
    const next: Next = (error, result) => {
      // A request that the end of the line has settled may be called back once more.
      if (this.#pending !== pending) return;
      if (error !== null) this.#hold(pending, failureReply(error, this.#port.complaint));
      else this.#hold(pending, this.#port.words ?? wordsReply(result!.data, request.count));
    };
    const count = this.#port.receives === "receipts" ? 1 : request.count;
    if (request.fc === 3) client.readHoldingRegisters(request.address, count, next);
    else client.readInputRegisters(request.address, count, next);
  }

  /** What follows an RTU frame at once may be the true answer to the question that this one only seems to answer. */
  #hold(pending: Pending, reply: BusReply): void {
    const { settle_ms } = this.#kind;
    if (settle_ms === 0 || (reply.kind !== "words" && reply.kind !== "exception")) return this.#finish(pending, reply);
    pending.held = reply;
    // Refusals look alike; that several follow each other is no wonder.
    if (reply.kind === "words" && this.#port.isCopy) return this.#finish(pending, COPY);
    // The immediate comes after bytes that have arrived meanwhile were read: a stalled process has not heard silence.
    pending.quiet = setTimeout(() => setImmediate(() => this.#believe(pending)), settle_ms);
  }

  #believe(pending: Pending): void {
    if (this.#pending === pending) this.#finish(pending, this.#believed()!);
  }

  /** The reply that was held, unless other bytes came behind it. */
  #believed(): BusReply | null {
    const held = this.#pending?.held ?? null;
    if (held === null || !this.#port.hasForeignSurplus) return held;
    return { kind: "garbled", detail: "further bytes behind the reply" };
  }

  #finish({ settle, tick, quiet }: Pending, reply: BusReply): void {
    this.#pending = null;
    this.#port.question = null;
    clearTimeout(quiet);
    clearInterval(tick);
    settle(reply);
  }

  #keepAwake(): NodeJS.Timeout {
    return setInterval(() => {}, this.#kind.tick_ms);
  }
}

/** The library takes a callback instead of giving a promise; its types do not say so. */
interface Reader {
  setID(unit: number): void;
  setTimeout(timeout_ms: number): void;
  readHoldingRegisters(address: number, count: number, next: Next): void;
  readInputRegisters(address: number, count: number, next: Next): void;
}

type Next = (error: LibraryError | null, result?: { readonly data: readonly number[] }) => void;

function wordsReply(data: readonly number[], count: number): BusReply {
  if (data.length !== count) return { kind: "garbled", detail: `${data.length} registers instead of ${count}` };
  const words = newWords(count);
  for (let i = 0; i < count; i++) words[i] = data[i]!;
  return { kind: "words", words };
}

/** `count` big-endian words. */
function wordsAt(bytes: Uint8Array, start: number, count: number): BusReply {
  const words = newWords(count);
  for (let i = 0, at = start; i < count; i++, at += 2) words[i] = (bytes[at]! << 8) | bytes[at + 1]!;
  return { kind: "words", words };
}

/**
 * Words of many replies share a buffer: an array with memory of its own costs the collector of garbage more than the reply.
 * Limits   a reply that is kept keeps 8 KiB
 */
const SLAB_WORDS = 4096;
let slab = new Uint16Array(SLAB_WORDS);
let slabUsed = 0;

function newWords(count: number): Uint16Array {
  if (slabUsed + count > SLAB_WORDS) {
    slab = new Uint16Array(SLAB_WORDS);
    slabUsed = 0;
  }
  const words = slab.subarray(slabUsed, slabUsed + count);
  slabUsed += count;
  return words;
}

/** What the library rejects with, as far as it tells. */
interface LibraryError {
  readonly message?: string;
  readonly errno?: string;
  readonly modbusCode?: number;
}

function failureReply(error: LibraryError, complaint: string | null): BusReply {
  if (complaint !== null) return { kind: "garbled", detail: complaint };
  if (error.modbusCode !== undefined) return { kind: "exception", code: error.modbusCode };
  if (error.errno === "ETIMEDOUT") return { kind: "timeout" };
  if (error.errno !== undefined) return { kind: "unreachable", detail: detailOf(error) };
  return { kind: "garbled", detail: detailOf(error) };
}

function detailOf(error: unknown): string {
  const { message, code } = (error ?? {}) as { readonly message?: string; readonly code?: string };
  return message === undefined || message === "" ? (code ?? String(error)) : message;
}

/** @throws {RangeError} for what the protocol cannot ask. */
function assertReadable({ unit, address, count, timeout_ms }: BusRead): void {
  const inside = (value: number, low: number, high: number) => Number.isInteger(value) && value >= low && value <= high;
  // The library takes 0 for "wait for ever".
  if (!(timeout_ms > 0)) throw new RangeError(`timeout ${timeout_ms} ms is not positive`);
  if (!inside(unit, 0, 255)) throw new RangeError(`unit ${unit} is not 0…255`);
  if (!inside(count, 1, 125)) throw new RangeError(`count ${count} is not 1…125`);
  if (!inside(address, 0, 0x1_0000 - count)) throw new RangeError(`address ${address} + ${count} is beyond 65536`);
}

/** Numbers of Modbus TCP requests, 16 bits. */
interface Transactions {
  last: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * A port for the library (`new ModbusRTU(port)`), between its RTU frames and the bytes of the line: hands up the one frame that
 * answers the request in flight. The library keeps one transaction, number 1.
 *
 * frames     RTU: as they stand on the line; the library checks their CRC and reads their words
 * receipts   Modbus TCP, whose frames have no CRC and are checked here: the words are taken out here, and the library, which
 *            would have to be given a CRC to check bit by bit, is told of one register read. It keeps request, match and timeout
 */
class LinePort extends EventEmitter {
  readonly _transactionIdRead = 1;
  readonly _transactionIdWrite = 1;
  readonly isOpen = true;
  readonly #write: (bytes: Uint8Array) => void;
  /** Modbus TCP if there are any, else RTU. */
  readonly #transactions: Transactions | null;
  /** Set while a reply is awaited. */
  question: BusRead | null = null;
  /** What is wrong with the reply, if it was not even handed up; null otherwise. */
  complaint: string | null = null;
  hasHeard = false;
  isDirty = false;
  hasForeignSurplus = false;
  /** What a receipt stands for. */
  words: BusReply | null = null;
  #receipt: Buffer = NOTHING;
  #rest: Buffer = NOTHING;
  /** The RTU frame that was handed up for the question. */
  #frame: Buffer = NOTHING;
  #asked: BusRead | null = null;
  /** The question before it and the RTU frame that answered that one. */
  #last: { readonly question: BusRead; readonly frame: Buffer } | null = null;

  constructor(write: (bytes: Uint8Array) => void, transactions: Transactions | null) {
    super();
    this.#write = write;
    this.#transactions = transactions;
  }

  get receives(): "frames" | "receipts" {
    return this.#transactions === null ? "frames" : "receipts";
  }

  open(opened: () => void): void {
    opened();
  }

  /** The line below is let go of by its owner. */
  destroy(): void {}

  /** The RTU frame is, byte for byte, the answer to the question before, and the questions differ. */
  get isCopy(): boolean {
    if (this.#last === null || this.question === null || !this.#last.frame.equals(this.#frame)) return false;
    return this.#last.question.address !== this.question.address;
  }

  ask(question: BusRead): void {
    if (this.#asked !== null && this.#frame.length > 0) this.#last = { question: this.#asked, frame: this.#frame };
    this.#asked = question;
    this.question = question;
    this.complaint = null;
    this.words = null;
    this.hasHeard = false;
    this.hasForeignSurplus = false;
    this.#frame = NOTHING;
  }

  /** Drops what was heard so far. */
  forget(): void {
    this.#rest = NOTHING;
    this.#frame = NOTHING;
    this.#last = null;
    this.isDirty = false;
  }

  write(frame: Buffer): void {
    const transactions = this.#transactions;
    if (transactions === null) {
      this.#write(frame);
      return;
    }
    const { unit, fc, address, count } = this.question!;
    transactions.last = (transactions.last + 1) & 0xffff;
    const [id, size] = [transactions.last, 6];
    const bytes = Buffer.allocUnsafe(6 + size);
    bytes[0] = id >> 8;
    bytes[1] = id & 0xff;
    bytes[2] = 0;
    bytes[3] = 0;
    bytes[4] = 0;
    bytes[5] = size;
    bytes[6] = unit;
    bytes[7] = fc;
    bytes[8] = address >> 8;
    bytes[9] = address & 0xff;
    bytes[10] = count >> 8;
    bytes[11] = count & 0xff;
    this.#write(bytes);
  }

  /** Takes bytes of the line; they are the caller's again afterwards. */
  hear(bytes: Buffer): void {
    this.hasHeard = true;
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (this.#transactions === null) this.#takeRtu();
    else this.#takeTcp(this.#transactions.last);
    if (this.#rest.length > 0 && this.#rest.buffer === bytes.buffer) this.#rest = Buffer.from(this.#rest);
  }

  #takeTcp(transaction: number): void {
    while (this.#rest.length > 0) {
      const heard = hearTcp(this.#rest, transaction, this.question);
      if (heard.kind === "more") return;
      if (heard.kind === "garbled") return this.#complain(heard.detail);
      const frame = heard.kind === "reply" ? this.#receiptOf(this.#rest, heard) : null;
      this.#rest = heard.end === this.#rest.length ? NOTHING : this.#rest.subarray(heard.end);
      if (frame !== null) this.#handUp(frame);
    }
  }

  /** A refusal goes up as it is. */
  #receiptOf(bytes: Buffer, reply: { readonly start: number; readonly end: number }): Buffer {
    const { unit, fc, count } = this.question!;
    if (bytes[reply.start + 1] !== fc) return withCrc(bytes, reply);
    this.words = wordsAt(bytes, reply.start + 3, count);
    if (this.#receipt[0] !== unit || this.#receipt[1] !== fc) {
      this.#receipt = withCrc(Buffer.from([unit, fc, 2, 0, 0]), { start: 0, end: 5 });
    }
    return this.#receipt;
  }

  #takeRtu(): void {
    if (this.question === null || this.#frame.length > 0) {
      this.isDirty = true;
      if (!isRepetition(this.#rest, this.#frame)) this.hasForeignSurplus = true;
      return;
    }
    const heard = hearRtu(this.#rest, this.question);
    if (heard.kind === "garbled") return this.#complain(heard.detail);
    if (heard.kind !== "reply") return;
    this.#frame = Buffer.from(this.#rest.subarray(heard.start, heard.end));
    this.#rest = this.#rest.subarray(heard.end);
    this.emit("data", this.#frame);
    if (this.#rest.length > 0) this.#takeRtu();
  }

  #handUp(frame: Buffer): void {
    // Answered: what follows with the same transaction number is a copy.
    this.question = null;
    this.emit("data", frame);
  }

  /** A frame of no bytes makes the library give the request up, timer and all. */
  #complain(detail: string): void {
    const isAwaited = this.question !== null;
    this.#rest = NOTHING;
    this.question = null;
    this.isDirty = true;
    this.complaint = detail;
    if (isAwaited) this.emit("data", NOTHING);
  }
}

/** The library wants a CRC on every frame; Modbus TCP has none. */
function withCrc(bytes: Buffer, { start, end }: { readonly start: number; readonly end: number }): Buffer {
  const frame = Buffer.allocUnsafe(end - start + 2);
  bytes.copy(frame, 0, start, end);
  frame.writeUInt16LE(crc16(bytes, start, end), end - start);
  return frame;
}

type SocketAddress = Extract<BusAddress, { readonly host: string }>;

async function openSocket(
  { kind, host, port }: SocketAddress,
  timeout_ms: number,
  { settle_ms, transactions }: BusOptions & { readonly transactions: Transactions },
  abort: AbortSignal,
): Promise<Line> {
  const isTcp = kind === "tcp";
  const linePort = new LinePort((bytes) => socket.write(bytes), isTcp ? transactions : null);
  const socket = await connected({ host, port, hear: (bytes) => linePort.hear(bytes) }, timeout_ms, abort);
  const line = new Line(linePort, {
    settle_ms: isTcp ? 0 : settle_ms,
    tick_ms: 0,
    release: (done) => {
      if (socket.closed) return done();
      socket.once("close", done);
      socket.destroy();
    },
    resynchronise: async (line) => line.end("closed after a lost reply"),
  });
  socket.on("error", (error) => line.end(detailOf(error)));
  socket.on("end", () => line.end(GONE));
  socket.on("close", () => line.end(GONE));
  return line;
}

interface Destination {
  readonly host: string;
  readonly port: number;
  readonly hear: (bytes: Buffer) => void;
}

/** More than the longest frame; a longer chunk comes in parts. */
const CHUNK_BYTES = 512;

function connected({ host, port, hear }: Destination, timeout_ms: number, abort: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // One buffer for all chunks of the socket, and no stream of them: half the cost of receiving.
    const onread: OnReadOpts = {
      buffer: Buffer.alloc(CHUNK_BYTES),
      callback(size, buffer) {
        hear((buffer as Buffer).subarray(0, size));
        return true;
      },
    };
    const socket = connect({ host, port, noDelay: true, signal: abort, onread });
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection to ${host}:${port} in ${timeout_ms} ms`)),
      timeout_ms,
    );
    const failed = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once("error", failed);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", failed);
      resolve(socket);
    });
  });
}

type SerialAddress = Extract<BusAddress, { readonly kind: "rtu" }>;

async function openSerial(address: SerialAddress, drain_ms: number): Promise<Line> {
  const stream = await openSerialStream(address);
  const linePort = new LinePort((bytes) => stream.write(bytes), null);
  stream.on("data", (bytes) => linePort.hear(bytes));
  const line = new Line(linePort, {
    settle_ms: silenceBetweenFrames_ms(address.baud),
    tick_ms: SERIAL_TICK_MS,
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
