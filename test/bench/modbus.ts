import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { openBus } from "../../drivers/modbus/client.ts";
import { rawServer } from "../drivers/modbus/servers.ts";
import type { Bench } from "./contest.ts";

const COUNT = 60;
const EXCHANGES = 10;
const REPLY_BYTES = 9 + 2 * COUNT;

export const modbus: Bench = {
  summary: `Modbus TCP exchanges of ${COUNT} registers, one after the other, on loopback`,
  limit: "the same bytes there and back on a bare socket of node:net, same server, same process",
  async open() {
    const server = await rawServer((request, socket) => socket.write(replyTo(request)));
    const bus = openBus({ kind: "tcp", host: "127.0.0.1", port: server.port });
    const socket = connect({ host: "127.0.0.1", port: server.port, noDelay: true });
    await once(socket, "connect");
    const request = Buffer.from([0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, COUNT]);
    return {
      contests: [
        {
          name: "exchanges_per_s",
          ours: async () => {
            for (let i = 0; i < EXCHANGES; i++) {
              const reply = await bus.read({ unit: 1, fc: 4, address: 0, count: COUNT, timeout_ms: 1000 });
              if (reply.kind !== "words") throw new Error(`the server answered ${reply.kind}`);
            }
            return EXCHANGES;
          },
          limit: async () => {
            for (let i = 0; i < EXCHANGES; i++) await bareExchange(socket, request);
            return EXCHANGES;
          },
        },
      ],
      async close() {
        socket.destroy();
        await bus.close();
        await server.close();
      },
    };
  },
};

function replyTo(request: Buffer): Buffer {
  const reply = Buffer.alloc(REPLY_BYTES, 0x43);
  request.copy(reply, 0, 0, 4);
  reply.writeUInt16BE(3 + 2 * COUNT, 4);
  request.copy(reply, 6, 6, 8);
  reply.writeUInt8(2 * COUNT, 8);
  return reply;
}

function bareExchange(socket: Socket, request: Buffer): Promise<void> {
  return new Promise((resolve) => {
    let missing = REPLY_BYTES;
    const take = (part: Buffer): void => {
      missing -= part.length;
      if (missing > 0) return;
      socket.off("data", take);
      resolve();
    };
    socket.on("data", take);
    socket.write(request);
  });
}
