import { createServer, type Server, type Socket } from "node:net";
import { KhuXanhError } from "../../core/errors.ts";
import type { Cancel, Clock, Timers } from "../../core/ports.ts";
import type { FaultBook } from "../faults/faultBook.ts";
import { piecesOf, replyUnit } from "../faults/wireFaults.ts";
import { answerPdu, type Readable } from "./answer.ts";
import { type SimLineEnd, simLine } from "./line.ts";
import { mbapFrame, splitRequests } from "./mbap.ts";
import { rtuFrame, splitRtu } from "./rtu.ts";

/**
 * A line of simulated meters on a TCP port: Modbus TCP, or RTU frames in a connection as transparent serial servers carry them.
 *
 * Frames may come in pieces or several at once; the answers to one piece of input leave in one write, in order. Bytes that
 * are no Modbus TCP end the connection; bytes that are no RTU frame are passed over, and a unit that is not there is silent.
 * Limits   64 connections at a time, the next is closed at once; 259 bytes of an unfinished frame a connection.
 */
export interface TcpLine {
  readonly host: string;
  /** The port in use; the one the system chose when 0 was asked for. */
  readonly port: number;
  /** Opens or closes the port as the faults of this instant want it. Call it whenever a fault has begun or ended. */
  follow(): Promise<void>;
  /** Ends when the port and every connection are closed. */
  close(): Promise<void>;
}

export interface TcpLineOptions {
  readonly host: string;
  readonly port: number;
  readonly wire?: "tcp" | "rtu+tcp";
  /** By unit id. */
  readonly meters: ReadonlyMap<number, Readable>;
  readonly clock: Clock;
  readonly faults?: {
    readonly book: FaultBook;
    /** Number of this line in the book. */
    readonly line: number;
    readonly timers: Timers;
  };
}

const CONNECTIONS_MAX = 64;

/** @throws {KhuXanhError} PORT_TAKEN, LISTEN_NOT_LOOPBACK. */
export async function listenTcp(options: TcpLineOptions): Promise<TcpLine> {
  assertLoopback(options.host, options.port);
  const line = new Listener(options);
  await line.follow();
  return line;
}

/** @throws {KhuXanhError} LISTEN_NOT_LOOPBACK. */
export function assertLoopback(host: string, port: number): void {
  if (host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host)) return;
  throw new KhuXanhError("LISTEN_NOT_LOOPBACK", `a simulator does not listen on ${host}`, {
    hint: "Use 127.0.0.1 or localhost: there is no access control yet.",
    context: { host, port },
  });
}

class Listener implements TcpLine {
  readonly host: string;
  port: number;
  readonly #options: TcpLineOptions;
  readonly #end: SimLineEnd;
  /** With their numbers. */
  readonly #sockets = new Map<Socket, number>();
  #server: Server | null = null;
  #accepted = 0;
  #isClosed = false;
  /** Changes of the port follow each other. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: TcpLineOptions) {
    const { host, port, meters, wire = "tcp", faults } = options;
    this.host = host;
    this.port = port;
    this.#options = options;
    this.#end = simLine({ meters, wire, ...(faults === undefined ? {} : { faults: faults.book, line: faults.line }) });
  }

  follow(): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(() => this.#follow());
    return this.#last;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last.catch(() => {});
    await this.#shut((socket) => socket.destroy());
  }

  async #follow(): Promise<void> {
    const { clock } = this.#options;
    if (this.#isClosed) return;
    const isRefused = this.#end.isOn("refused", null, clock.now_ms());
    if (isRefused) return this.#shut((socket) => socket.resetAndDestroy());
    for (const [socket, number] of this.#sockets) {
      if (this.#end.isOn("refused", number, clock.now_ms())) socket.resetAndDestroy();
    }
    if (this.#server !== null) return;
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    server.maxConnections = CONNECTIONS_MAX;
    this.port = await bind(server, { host: this.host, port: this.port });
    this.#server = server;
  }

  async #shut(end: (socket: Socket) => void): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = server === null ? null : new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets.keys()) end(socket);
    await closed;
  }

  #accept(socket: Socket): void {
    const number = ++this.#accepted;
    const at_ms = this.#options.clock.now_ms();
    // A peer that resets the connection is ordinary; "close" follows.
    socket.on("error", () => socket.destroy());
    if (this.#end.isOn("refused", number, at_ms)) {
      socket.resetAndDestroy();
      return;
    }
    const others = [...this.#sockets.keys()];
    this.#sockets.set(socket, number);
    socket.on("close", () => this.#sockets.delete(socket));
    if (others.length === 0 || !this.#end.isOn("one-connection", number, at_ms)) {
      this.#serve(socket, number);
      return;
    }
    // Who hung up just before this one came is heard in the same turn of the event loop, but maybe after it.
    setImmediate(() => {
      if (others.some(isInUse)) socket.resetAndDestroy();
      else this.#serve(socket, number);
    });
  }

  #serve(socket: Socket, number: number): void {
    const connection = new Connection(socket, number, this.#end, this.#options);
    socket.on("data", (chunk: Uint8Array) => connection.hear(chunk));
    socket.on("close", () => connection.end());
  }
}

function isInUse(socket: Socket): boolean {
  return !socket.destroyed && !socket.readableEnded;
}

interface Asked {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** Puts a frame around an answer. */
  frame(unit: number, pdu: Uint8Array): Uint8Array;
}

class Connection {
  readonly #socket: Socket;
  readonly #number: number;
  readonly #end: SimLineEnd;
  readonly #options: TcpLineOptions;
  readonly #delayed = new Set<Cancel>();
  #pending: Uint8Array = new Uint8Array(0);
  /** Nobody is there any more, and the other side does not know. */
  #isDead = false;

  constructor(socket: Socket, number: number, end: SimLineEnd, options: TcpLineOptions) {
    this.#socket = socket;
    this.#number = number;
    this.#end = end;
    this.#options = options;
  }

  hear(chunk: Uint8Array): void {
    if (this.#isDead) return;
    const asked = this.#split(this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]));
    if (asked === null) {
      this.#socket.destroy();
      return;
    }
    const now: Uint8Array[] = [];
    for (const request of asked) {
      this.#answer(request, now);
      if (this.#isDead || this.#socket.destroyed) return;
    }
    if (now.length > 0) this.#socket.write(now.length === 1 ? now[0]! : Buffer.concat(now));
  }

  end(): void {
    for (const cancel of this.#delayed) cancel();
    this.#delayed.clear();
  }

  /** null = no Modbus TCP. What is left is copied: the chunk's memory is the socket's pool. */
  #split(bytes: Uint8Array): readonly Asked[] | null {
    if (this.#end.wire === "tcp") {
      const split = splitRequests(bytes);
      if (split.kind === "broken") return null;
      this.#pending = Uint8Array.from(split.rest);
      return split.requests.map(({ transaction, unit, pdu }) => ({
        unit,
        pdu,
        frame: (as, answer) => mbapFrame({ transaction, unit: as }, answer),
      }));
    }
    const { requests, rest } = splitRtu(bytes);
    this.#pending = Uint8Array.from(rest);
    return requests.map(({ unit, pdu }) => ({ unit, pdu, frame: rtuFrame }));
  }

  #answer({ unit, pdu, frame }: Asked, now: Uint8Array[]): void {
    const at_ms = this.#options.clock.now_ms();
    const { shape, answer } = this.#end.exchange(unit, pdu, this.#number, at_ms);
    if (shape.outcome === "silence") return;
    if (shape.outcome === "reset") return void this.#socket.resetAndDestroy();
    if (shape.outcome === "half-open") {
      this.#isDead = true;
      return;
    }
    const absent = answer(at_ms);
    if (absent === null) return;
    const said = shape.exception === null ? absent : { exception: shape.exception };
    for (const { after_ms, bytes } of piecesOf(frame(replyUnit(unit, shape), answerPdu(pdu[0]!, said)), shape)) {
      if (after_ms === 0) now.push(bytes);
      else this.#writeLater(after_ms, bytes);
    }
  }

  #writeLater(after_ms: number, bytes: Uint8Array): void {
    const cancel = this.#options.faults!.timers.after(after_ms, () => {
      this.#delayed.delete(cancel);
      this.#socket.write(bytes);
    });
    this.#delayed.add(cancel);
  }
}

function bind(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === "EADDRINUSE";
      reject(
        new KhuXanhError(
          "PORT_TAKEN",
          `cannot listen on ${host}:${port}: ${taken ? "the port is in use" : cause.message}`,
          {
            hint: taken
              ? "Stop the program that holds the port, or choose another one."
              : "Choose a port above 1023 on an address of this machine.",
            context: { host, port },
            cause,
          },
        ),
      );
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
