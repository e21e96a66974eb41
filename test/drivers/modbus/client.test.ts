import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Bus, BusRead } from "../../../core/ports.ts";
import { openBus } from "../../../drivers/modbus/client.ts";
import { foreignServer, rawServer, rtuFrame, type TestServer, tcpReply } from "./servers.ts";

const open: (Bus | TestServer)[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

function keep<T extends Bus | TestServer>(thing: T): T {
  open.push(thing);
  return thing;
}

const read = (parts: Partial<BusRead> = {}): BusRead => ({
  unit: 1,
  fc: 3,
  address: 0,
  count: 2,
  timeout_ms: 2000,
  ...parts,
});
const tcp = (server: TestServer): Bus => keep(openBus({ kind: "tcp", host: "127.0.0.1", port: server.port }));

test("reads holding and input registers as two separate spaces", async () => {
  const server = keep(await foreignServer(new Map([[7, 0x1234]]), new Map([[7, 0xabcd]])));
  const bus = tcp(server);
  expect(await bus.read(read({ fc: 3, address: 7, count: 1 }))).toEqual({
    kind: "words",
    words: Uint16Array.of(0x1234),
  });
  expect(await bus.read(read({ fc: 4, address: 7, count: 1 }))).toEqual({
    kind: "words",
    words: Uint16Array.of(0xabcd),
  });
  expect(server.connections()).toBe(1);
});

test("connects only when first asked", async () => {
  const server = keep(await foreignServer(new Map([[0, 1]]), new Map()));
  const bus = tcp(server);
  await new Promise((resolve) => setImmediate(resolve));
  expect(server.connections()).toBe(0);
  await bus.read(read({ count: 1 }));
  expect(server.connections()).toBe(1);
});

test("an exception is a value with its code and keeps the connection", async () => {
  const server = keep(await foreignServer(new Map([[0, 5]]), new Map()));
  const bus = tcp(server);
  expect(await bus.read(read({ address: 99 }))).toEqual({ kind: "exception", code: 2 });
  expect(await bus.read(read({ count: 1 }))).toEqual({ kind: "words", words: Uint16Array.of(5) });
  expect(server.connections()).toBe(1);
});

test("reads asked for together are sent one after the other", async () => {
  let inFlight = 0;
  let most = 0;
  const server = keep(
    await rawServer((request, socket) => {
      most = Math.max(most, ++inFlight);
      setImmediate(() => {
        inFlight--;
        socket.write(tcpReply(request, 1, 3, [2, 0, request[9]!]));
      });
    }),
  );
  const bus = tcp(server);
  const replies = await Promise.all([1, 2, 3, 4].map((address) => bus.read(read({ address, count: 1 }))));
  expect(replies.map((reply) => reply.kind === "words" && reply.words[0])).toEqual([1, 2, 3, 4]);
  expect(most).toBe(1);
});

test("a timeout closes the connection, so that the late reply meets nobody", async () => {
  let held: (() => void) | null = null;
  const server = keep(
    await rawServer((request, socket) => {
      const reply = tcpReply(request, 1, 3, [2, 0, request[9]!]);
      if (held === null) held = () => socket.write(reply);
      else socket.write(reply);
    }),
  );
  const bus = tcp(server);
  expect(await bus.read(read({ address: 11, count: 1, timeout_ms: 200 }))).toEqual({ kind: "timeout" });
  held!();
  // 300 reads: more than the 256 transaction ids after which a late reply would match on a kept connection.
  for (let i = 0; i < 300; i++) {
    const reply = await bus.read(read({ address: i % 200, count: 1 }));
    expect(reply).toEqual({ kind: "words", words: Uint16Array.of(i % 200) });
  }
  expect(server.connections()).toBe(2);
});

test("a silent device costs one connection a read, none by itself, and leaves nothing behind", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on("warning", note);
  const server = keep(await rawServer(() => {}));
  const bus = tcp(server);
  for (let i = 0; i < 12; i++) expect((await bus.read(read({ timeout_ms: 100 }))).kind).toBe("timeout");
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", note);
  expect(server.connections()).toBe(12);
  expect(warnings).toEqual([]);
});

test.each([
  ["another unit", (request: Buffer) => tcpReply(request, 9, 3, [4, 0, 1, 0, 2])],
  ["another function", (request: Buffer) => tcpReply(request, 1, 4, [4, 0, 1, 0, 2])],
  ["another length", (request: Buffer) => tcpReply(request, 1, 3, [2, 0, 1])],
  ["an exception of another unit", (request: Buffer) => tcpReply(request, 9, 0x83, [2])],
])("a reply with %s is garbled and the connection is given up", async (_, answer) => {
  const server = keep(await rawServer((request, socket) => socket.write(answer(request))));
  const bus = tcp(server);
  expect((await bus.read(read())).kind).toBe("garbled");
  expect((await bus.read(read())).kind).toBe("garbled");
  expect(server.connections()).toBe(2);
});

test("a connection closed or reset by the far side ends the read at once", async () => {
  let resets = false;
  const server = keep(await rawServer((_, socket) => (resets ? socket.resetAndDestroy() : socket.destroy())));
  const bus = tcp(server);
  expect((await bus.read(read({ timeout_ms: 600_000 }))).kind).toBe("unreachable");
  resets = true;
  expect((await bus.read(read({ timeout_ms: 600_000 }))).kind).toBe("unreachable");
});

test("a port where nobody listens is unreachable, each read one try", async () => {
  const port = await freePort();
  const bus = keep(openBus({ kind: "tcp", host: "127.0.0.1", port }));
  expect(await bus.read(read())).toMatchObject({
    kind: "unreachable",
    detail: expect.stringContaining("ECONNREFUSED"),
  });
  expect((await bus.read(read())).kind).toBe("unreachable");
});

test("the far side going away and coming back is noticed by the next read", async () => {
  const first = await foreignServer(new Map([[0, 1]]), new Map());
  const bus = tcp(first);
  expect((await bus.read(read({ count: 1 }))).kind).toBe("words");
  await first.close();
  expect((await bus.read(read({ count: 1 }))).kind).toBe("unreachable");
});

test("close ends the read in flight, later reads and every socket", async () => {
  const server = keep(await rawServer(() => {}));
  const bus = openBus({ kind: "tcp", host: "127.0.0.1", port: server.port });
  const pending = bus.read(read({ timeout_ms: 600_000 }));
  const queued = bus.read(read({ timeout_ms: 600_000 }));
  while (server.connections() === 0) await new Promise((resolve) => setImmediate(resolve));
  await bus.close();
  expect((await pending).kind).toBe("unreachable");
  expect((await queued).kind).toBe("unreachable");
  expect((await bus.read(read())).kind).toBe("unreachable");
  while (server.open() > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("RTU frames inside TCP are read and checked by CRC", async () => {
  let broken = false;
  const server = keep(
    await rawServer((request, socket) => {
      const frame = rtuFrame([request[0]!, request[1]!, 4, 0x43, 0x6b, 0x70, 0x8b]);
      if (broken) frame[4]! ^= 1;
      // Serial servers pass bytes on as they come: two pieces are one frame.
      socket.write(frame.subarray(0, 3));
      setImmediate(() => socket.write(frame.subarray(3)));
    }),
  );
  const bus = keep(openBus({ kind: "rtu+tcp", host: "127.0.0.1", port: server.port }));
  expect(await bus.read(read({ fc: 4 }))).toEqual({ kind: "words", words: Uint16Array.of(0x436b, 0x708b) });
  broken = true;
  expect(await bus.read(read({ fc: 4 }))).toMatchObject({ kind: "garbled" });
});

test("a serial line that does not exist is unreachable", async () => {
  const bus = keep(openBus({ kind: "rtu", path: "/nowhere/tty", baud: 9600, parity: "none", stop_bits: 1 }));
  expect((await bus.read(read())).kind).toBe("unreachable");
});

test("what the protocol cannot ask is a mistake of the caller", () => {
  const bus = keep(openBus({ kind: "tcp", host: "127.0.0.1", port: 1 }));
  expect(() => bus.read(read({ count: 126 }))).toThrow(RangeError);
  expect(() => bus.read(read({ count: 0 }))).toThrow(RangeError);
  expect(() => bus.read(read({ timeout_ms: 0 }))).toThrow(RangeError);
  expect(() => bus.read(read({ unit: 256 }))).toThrow(RangeError);
  expect(() => bus.read(read({ address: 65535, count: 2 }))).toThrow(RangeError);
});

test("the client reads and does nothing else", () => {
  const folder = new URL("../../../drivers/modbus/", import.meta.url);
  const source = ["client.ts", "line.ts", "linePort.ts"]
    .map((file) => readFileSync(new URL(file, folder), "utf8"))
    .join();
  expect(source).not.toMatch(/writeFC|writeCoil|writeRegister|maskWrite|customFunction|fc: (5|6|15|16|22|23)\b/);
  const calls = [...source.matchAll(/client\.(\w+)\(/g)].map(([, name]) => name);
  expect([...new Set(calls)].sort()).toEqual([
    "destroy",
    "open",
    "readHoldingRegisters",
    "readInputRegisters",
    "setID",
    "setTimeout",
  ]);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
