/**
 * One Modbus bus or connection on `modbus-serial`, reads only.
 *
 * - One request in flight; callers that come together are served in turn.
 * - Connects when first asked. A read that finds no connection tries to connect once and says `unreachable` if that fails:
 *   when to try again is the caller's decision, and there is never a reconnect without a read.
 * - After a timeout or a garbled reply a TCP connection is closed, so a late reply can never meet another request (the
 *   library's transaction ids wrap at 256); a serial line is drained: it must be silent before the next request.
 * - Replies are checked: CRC or length, unit, function code by the library; unit of an exception here.
 * - `unreachable` also ends the read in flight at once when the far side closes, instead of waiting for the timeout.
 *
 * Limits   requests of 1…125 registers (else `RangeError`); no queue limit: each caller awaits its read
 */
import { connect, type Socket } from "node:net";
import modbusSerial from "modbus-serial";
import type { Bus, BusRead, BusReply } from "../../core/ports.ts";

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
}

const DEFAULTS: BusOptions = { connect_timeout_ms: 3000, drain_ms: 200 };

/**
 * Serial data is only delivered when something else wakes the event loop (Node ≥ 26.4 with bindings-cpp 13: serialport/
 * bindings-cpp pull request 239, node-serialport issue 3148), so a tick runs while a serial line is listened to. At 9600 baud
 * five milliseconds are five characters.
 */
const SERIAL_TICK_MS = 5;

/** A line that never falls silent is given up on after this many silences. */
const DRAINS_MAX = 10;

const ModbusRTU = modbusSerial.default;
type Client = InstanceType<typeof ModbusRTU>;

/** Opens nothing yet: the first read connects. */
export function openBus(address: BusAddress, options: Partial<BusOptions> = {}): Bus {
  const settings = { ...DEFAULTS, ...options };
  return new ModbusBus(
    address.kind === "rtu"
      ? () => openSerial(address, settings.drain_ms)
      : (timeout_ms, abort) => openSocket(address, Math.min(timeout_ms, settings.connect_timeout_ms), abort),
  );
}

type OpenLine = (timeout_ms: number, abort: AbortSignal) => Promise<Line>;

class ModbusBus implements Bus {
  readonly #open: OpenLine;
  readonly #abort = new AbortController();
  #line: Line | null = null;
  /** The read in flight; the next one starts when it has settled. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(open: OpenLine) {
    this.#open = open;
  }

  read(request: BusRead): Promise<BusReply> {
    assertReadable(request);
    const reply = this.#turn.then(() => this.#exchange(request));
    this.#turn = reply;
    return reply;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#line?.end(CLOSED);
    await this.#turn;
    await this.#line?.released;
    this.#line = null;
  }

  async #exchange(request: BusRead): Promise<BusReply> {
    if (this.#abort.signal.aborted) return { kind: "unreachable", detail: CLOSED };
    if (this.#line === null || this.#line.ended !== null) {
      try {
        this.#line = await this.#open(request.timeout_ms, this.#abort.signal);
      } catch (error) {
        return { kind: "unreachable", detail: detailOf(error) };
      }
      if (this.#abort.signal.aborted) this.#line.end(CLOSED);
    }
    const reply = await exchange(this.#line, request);
    if (reply.kind === "timeout" || reply.kind === "garbled") await this.#line.resynchronise();
    return reply;
  }
}

const CLOSED = "the bus was closed";

/** An open line: the library's client and what ends it. */
interface Line {
  readonly client: Client;
  readonly isSerial: boolean;
  /** Why the line is no more; null while it is open. */
  readonly ended: string | null;
  /** Settles when nothing of the line is left open. */
  readonly released: Promise<void>;
  /** Told once when the line ends. */
  onEnd: ((why: string) => void) | null;
  end(why: string): void;
  /** After a lost or broken reply: makes sure no byte of it can reach a later request. */
  resynchronise(): Promise<void>;
}

async function exchange(line: Line, request: BusRead): Promise<BusReply> {
  const tick = line.isSerial ? setInterval(() => {}, SERIAL_TICK_MS) : undefined;
  try {
    return await ask(line, request);
  } finally {
    clearInterval(tick);
    line.onEnd = null;
  }
}

function ask(line: Line, request: BusRead): Promise<BusReply> {
  return new Promise((resolve) => {
    const { client } = line;
    line.onEnd = (why) => resolve({ kind: "unreachable", detail: why });
    if (line.ended !== null) return line.onEnd(line.ended);
    client.setID(request.unit);
    client.setTimeout(request.timeout_ms);
    const answered =
      request.fc === 3
        ? client.readHoldingRegisters(request.address, request.count)
        : client.readInputRegisters(request.address, request.count);
    answered.then(
      ({ data }) => resolve(wordsReply(data, request)),
      (error) => resolve(failureReply(error, request)),
    );
  });
}

function wordsReply(data: readonly number[], request: BusRead): BusReply {
  if (data.length !== request.count) {
    return { kind: "garbled", detail: `${data.length} registers instead of ${request.count}` };
  }
  return { kind: "words", words: Uint16Array.from(data) };
}

/** What the library rejects with, as far as it tells. */
interface LibraryError {
  readonly message?: string;
  readonly errno?: string;
  readonly modbusCode?: number;
  readonly modbusResponses?: readonly Uint8Array[];
}

function failureReply(error: LibraryError, request: BusRead): BusReply {
  if (error.modbusCode !== undefined) {
    // The library does not compare the unit of an exception: somebody else's refusal is not ours.
    const unit = error.modbusResponses?.at(-1)?.[0];
    if (unit !== undefined && unit !== request.unit) {
      return { kind: "garbled", detail: `exception of unit ${unit} instead of ${request.unit}` };
    }
    return { kind: "exception", code: error.modbusCode };
  }
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

/** Common to both lines: the client, and an end that is told once. */
function newLine(
  isSerial: boolean,
  release: (line: Line, done: () => void) => void,
  resynchronise: (line: Line) => Promise<void>,
): Line {
  // "Debug" keeps the reply's bytes beside an error: the only public way to see the unit an exception came from.
  const client = Object.assign(new ModbusRTU(), { isDebugEnabled: true });
  const { promise: released, resolve: done } = Promise.withResolvers<void>();
  let ended: string | null = null;
  const line: Line = {
    client,
    isSerial,
    get ended() {
      return ended;
    },
    released,
    onEnd: null,
    end(why) {
      if (ended !== null) return;
      ended = why;
      release(line, done);
      line.onEnd?.(why);
    },
    resynchronise: () => resynchronise(line),
  };
  // The emitter throws an `error` that nobody listens to.
  client.on("error", (error) => line.end(detailOf(error)));
  client.on("close", () => line.end("the connection was closed"));
  return line;
}

type SocketAddress = Extract<BusAddress, { readonly host: string }>;

async function openSocket({ kind, host, port }: SocketAddress, timeout_ms: number, abort: AbortSignal): Promise<Line> {
  const socket = await connected(host, port, timeout_ms, abort);
  const line = newLine(
    false,
    ({ client }, done) => {
      if (socket.closed) done();
      else socket.once("close", done);
      client.destroy(() => socket.destroy());
    },
    async ({ end }) => end("closed after a lost reply"),
  );
  // Our own listeners: after a reset the library reports neither an error nor a close, and the read would wait in vain.
  socket.on("error", (error) => line.end(detailOf(error)));
  socket.on("close", () => line.end("the connection was closed"));
  await (kind === "tcp" ? line.client.linkTCP(socket, { port }) : line.client.linkTelnet(socket, { port }));
  return line;
}

function connected(host: string, port: number, timeout_ms: number, abort: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, signal: abort });
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

async function openSerial({ path, baud, parity, stop_bits }: SerialAddress, drain_ms: number): Promise<Line> {
  const line = newLine(
    true,
    ({ client }, done) => client.destroy(() => client.close(done)),
    ({ client }) => silence(client, drain_ms),
  );
  await line.client.connectRTUBuffered(path, { baudRate: baud, parity, stopBits: stop_bits, dataBits: 8 });
  return line;
}

/** The part of `serialport` that draining needs. */
interface SerialStream {
  on(event: "data", heard: () => void): void;
  off(event: "data", heard: () => void): void;
}

/** Settles when the serial line has been silent for `quiet_ms`; bytes that come meanwhile are nobody's. */
async function silence(client: Client, quiet_ms: number): Promise<void> {
  // No public way leads to the serial port under the client; the library's version is pinned.
  const stream = (client as unknown as { readonly _port: { readonly _client: SerialStream } })._port._client;
  let heard = true;
  const hear = () => {
    heard = true;
  };
  const tick = setInterval(() => {}, SERIAL_TICK_MS);
  stream.on("data", hear);
  for (let waits = 0; heard && waits < DRAINS_MAX; waits++) {
    heard = false;
    await new Promise((resolve) => setTimeout(resolve, quiet_ms));
  }
  stream.off("data", hear);
  clearInterval(tick);
}
