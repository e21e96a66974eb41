import { createServer, type Server, type Socket } from "node:net";
import { KhuXanhError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { answerTo, type Readable } from "./answer.ts";
import { exceptionFrame, type Request, splitRequests, wordsFrame } from "./mbap.ts";

/**
 * A line of simulated meters on a Modbus TCP port.
 *
 * Frames may come in pieces or several at once; the answers to one piece of input leave in one write, in order. Bytes that
 * are no Modbus TCP end the connection.
 * Limits   64 connections at a time, the next is closed at once; 259 bytes of an unfinished frame a connection.
 */
export interface TcpLine {
  readonly host: string;
  /** The port in use; the one the system chose when 0 was asked for. */
  readonly port: number;
  /** Ends when the port and every connection are closed. */
  close(): Promise<void>;
}

export interface TcpLineOptions {
  readonly host: string;
  readonly port: number;
  /** By unit id. */
  readonly meters: ReadonlyMap<number, Readable>;
  readonly clock: Clock;
  /** Sees every request before it is answered; `drop` leaves it without an answer. Here faults are put in. */
  readonly onRequest?: (request: Request) => "answer" | "drop";
}

const CONNECTIONS_MAX = 64;

/** @throws {KhuXanhError} PORT_TAKEN, LISTEN_NOT_LOOPBACK. */
export async function listenTcp(options: TcpLineOptions): Promise<TcpLine> {
  if (!isLoopback(options.host)) {
    throw new KhuXanhError("LISTEN_NOT_LOOPBACK", `simulated meters do not listen on ${options.host}`, {
      hint: "Use 127.0.0.1 or localhost: there is no access control yet.",
      context: { host: options.host, port: options.port },
    });
  }
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, options);
  });
  server.maxConnections = CONNECTIONS_MAX;
  const port = await bind(server, options);
  return {
    host: options.host,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serve(socket: Socket, { meters, clock, onRequest }: TcpLineOptions): void {
  let pending: Uint8Array = new Uint8Array(0);
  // A peer that resets the connection is ordinary; "close" follows.
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Uint8Array) => {
    const split = splitRequests(pending.length === 0 ? chunk : Buffer.concat([pending, chunk]));
    if (split.kind === "broken") {
      socket.destroy();
      return;
    }
    // A copy: the chunk's memory is the socket's pool.
    pending = Uint8Array.from(split.rest);
    const answers: Uint8Array[] = [];
    for (const request of split.requests) {
      if (onRequest?.(request) === "drop") continue;
      const answer = answerTo(meters, request.unit, request.pdu, clock.now_ms());
      answers.push(
        answer instanceof Uint16Array ? wordsFrame(request, answer) : exceptionFrame(request, answer.exception),
      );
    }
    if (answers.length > 0) socket.write(answers.length === 1 ? answers[0]! : Buffer.concat(answers));
  });
}

function bind(server: Server, { host, port }: TcpLineOptions): Promise<number> {
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

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
