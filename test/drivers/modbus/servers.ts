import { createServer, type Server, type Socket } from "node:net";
import { type IServiceVector, ServerTCP } from "modbus-serial";

export interface TestServer {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: () => number;
  /** Connections open now. */
  readonly open: () => number;
  close(): Promise<void>;
}

/** Words by address, the same for every unit; an address outside answers exception 2. */
export type Image = ReadonlyMap<number, number>;

/** The `ServerTCP` of modbus-serial on a free port: a Modbus server that is not ours. */
export async function foreignServer(holding: Image, input: Image): Promise<TestServer> {
  const vector: IServiceVector = {
    // The library asks for one register and for several in different ways.
    getHoldingRegister: (address: number) => wordsOf(holding, address, 1)[0]!,
    getInputRegister: (address: number) => wordsOf(input, address, 1)[0]!,
    getMultipleHoldingRegisters: (address: number, length: number) => wordsOf(holding, address, length),
    getMultipleInputRegisters: (address: number, length: number) => wordsOf(input, address, length),
  };
  // The library takes port 0 for "not given"; as text it reaches `listen`.
  const server = new ServerTCP(vector, { host: "127.0.0.1", port: "0" as unknown as number });
  await new Promise<void>((resolve) => server.on("initialized", () => resolve()));
  const { _server } = server as unknown as { readonly _server: Server };
  let connections = 0;
  _server.on("connection", () => connections++);
  return {
    port: portOf(_server),
    connections: () => connections,
    open: () => server.socks.size,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function wordsOf(image: Image, address: number, length: number): number[] {
  return Array.from({ length }, (_, i) => {
    const word = image.get(address + i);
    if (word === undefined) throw Object.assign(new Error("illegal data address"), { modbusErrorCode: 2 });
    return word;
  });
}

/** A server that answers each chunk of bytes as the test says; for replies no honest device gives. */
export async function rawServer(answer: (request: Buffer, socket: Socket) => void): Promise<TestServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (request: Buffer) => answer(request, socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: portOf(server),
    connections: () => connections,
    open: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** MBAP frame answering a request, with the unit, function and data bytes given. */
export function tcpReply(request: Buffer, unit: number, code: number, data: readonly number[]): Buffer {
  const head = Buffer.from([request[0]!, request[1]!, 0, 0, 0, 2 + data.length, unit, code]);
  return Buffer.concat([head, Buffer.from(data)]);
}

/** RTU frame with its CRC (MODBUS over Serial Line V1.02 §6.2.2). */
export function rtuFrame(bytes: readonly number[]): Buffer {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return Buffer.from([...bytes, crc & 0xff, crc >> 8]);
}
