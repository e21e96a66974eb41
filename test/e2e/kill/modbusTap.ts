import { createServer, connect as dial, type Server, type Socket } from "node:net";

/** One read that a meter answered with words, as seen on the wire. */
export interface Answer {
  readonly at_ms: number;
  readonly unit: number;
  readonly address: number;
}

const HEADER = 7;
const FC_EXCEPTION = 0x80;

/**
 * Listens in between an agent and its Modbus TCP meters and notes every answer: what was asked for and answered is known from
 * outside, whatever becomes of the agent.
 */
export class ModbusTap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly answers: Answer[] = [];

  private constructor(server: Server, target: number) {
    this.#server = server;
    server.on("connection", (client) => this.#join(client, target));
  }

  static async open(target: number): Promise<ModbusTap> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new ModbusTap(server, target);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Answers of a unit in [from, to), to the read that was answered most often: one for each poll. */
  polls(unit: number, from_ms = 0, to_ms = Number.POSITIVE_INFINITY): number {
    const counts = new Map<number, number>();
    for (const answer of this.answers) {
      if (answer.unit !== unit || answer.at_ms < from_ms || answer.at_ms >= to_ms) continue;
      counts.set(answer.address, (counts.get(answer.address) ?? 0) + 1);
    }
    return Math.max(0, ...counts.values());
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, target: number): void {
    const meter = dial(target, "127.0.0.1");
    const asked = new Map<number, number>();
    for (const socket of [client, meter]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        meter.destroy();
      });
    }
    const questions = frames((frame) => asked.set(frame.readUInt16BE(0), frame.readUInt16BE(HEADER + 1)));
    const replies = frames((frame) => {
      const transaction = frame.readUInt16BE(0);
      const address = asked.get(transaction);
      asked.delete(transaction);
      if (address === undefined || frame[HEADER]! >= FC_EXCEPTION) return;
      this.answers.push({ at_ms: Date.now(), unit: frame[HEADER - 1]!, address });
    });
    client.on("data", (bytes: Buffer) => {
      questions(bytes);
      meter.write(bytes);
    });
    meter.on("data", (bytes: Buffer) => {
      // An answer to nobody counts for nothing.
      if (!client.writable) return;
      client.write(bytes);
      replies(bytes);
    });
  }
}

/** Cuts a stream into MBAP frames (Modbus TCP: transaction, protocol, length, unit). */
function frames(take: (frame: Buffer) => void): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= HEADER) {
      const length = HEADER - 1 + rest.readUInt16BE(4);
      if (rest.length < length) return;
      take(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  };
}
