import { connect, type Socket } from "node:net";

/** A socket that sends bytes as they are and waits for a number of bytes: no Modbus library in between. */
export interface RawClient {
  send(...bytes: number[]): void;
  /** The next `count` bytes. */
  take(count: number): Promise<number[]>;
  /** Resolves when the other side closed. */
  readonly closed: Promise<void>;
  end(): Promise<void>;
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const received: number[] = [];
  let wake: (() => void) | undefined;
  socket.on("data", (chunk: Uint8Array) => {
    received.push(...chunk);
    wake?.();
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return {
    send: (...bytes) => void socket.write(Uint8Array.from(bytes)),
    async take(count) {
      while (received.length < count) {
        await Promise.race([
          new Promise<void>((resolve) => {
            wake = resolve;
          }),
          closed.then(() => {
            throw new Error(`closed after ${received.length} of ${count} bytes`);
          }),
        ]);
      }
      return received.splice(0, count);
    },
    closed,
    end: async () => {
      socket.destroy();
      await closed;
    },
  };
}
