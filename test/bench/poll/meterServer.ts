/** A process of its own: a Modbus TCP server whose every register pair is 230.0. Tells its port; ends with its parent. */
import { createServer } from "node:net";

const MBAP = 6;
const replies = new Map<number, Buffer>();

function replyOf(count: number): Buffer {
  const reply = Buffer.alloc(MBAP + 3 + 2 * count);
  reply.writeUInt16BE(3 + 2 * count, 4);
  reply[MBAP + 2] = 2 * count;
  for (let i = 0; i + 1 < count; i += 2) reply.writeFloatBE(230, MBAP + 3 + 2 * i);
  return reply;
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {});
  socket.on("data", (request: Buffer) => {
    const count = request.readUInt16BE(10);
    let reply = replies.get(count);
    if (reply === undefined) {
      reply = replyOf(count);
      replies.set(count, reply);
    }
    const own = Buffer.from(reply);
    request.copy(own, 0, 0, 4);
    request.copy(own, MBAP, MBAP, MBAP + 2);
    socket.write(own);
  });
});
server.listen(0, "127.0.0.1", () => process.send!((server.address() as { port: number }).port));
process.on("disconnect", () => process.exit());
