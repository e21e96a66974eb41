import { connect, type OnReadOpts } from "node:net";

/** Where a connection leads, and who hears what comes from there. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  /** The bytes are the port's again afterwards. */
  readonly hear: (bytes: Buffer) => void;
  /** The far side is gone, and why; may be said more than once. */
  readonly onEnd: (why: unknown) => void;
}

/** An open connection. */
export interface Connection {
  write(bytes: Uint8Array): unknown;
  /** Lets go of it; `done` when nothing of it is left open. */
  close(done: () => void): void;
}

/** More than the longest frame; a longer chunk comes in parts. */
const CHUNK_BYTES = 512;
const GONE = "the connection was closed";

/** @throws what the system says, or that it took longer than `timeout_ms`. */
export function connectSocket(
  { host, port, hear, onEnd }: Destination,
  timeout_ms: number,
  abort: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    // One buffer for all chunks of the socket, and no stream of them: half the cost of receiving. Chunks are mostly of one size.
    let chunk: Buffer = Buffer.alloc(0);
    const onread: OnReadOpts = {
      buffer: Buffer.alloc(CHUNK_BYTES),
      callback(size, buffer) {
        if (size !== chunk.length) chunk = (buffer as Buffer).subarray(0, size);
        hear(chunk);
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
      socket.on("error", onEnd);
      socket.on("end", () => onEnd(GONE));
      socket.on("close", () => onEnd(GONE));
      resolve({
        write: (bytes) => socket.write(bytes),
        close(done) {
          if (socket.closed) return done();
          socket.once("close", done);
          socket.destroy();
        },
      });
    });
  });
}
