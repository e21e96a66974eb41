import { createConnection } from "node:net";
import M from "modbus-serial";
import { afterEach, expect, test } from "vitest";
import { KhuXanhError } from "../../../core/errors.ts";
import { listenTcp, type TcpLine, type TcpLineOptions } from "../../../hw-sim/bus/tcpServer.ts";
import type { Answer } from "../../../hw-sim/meters/addressSpace.ts";
import { clockAt, local, meterOf, STEEL } from "../fixture.ts";
import { rawClient } from "./rawClient.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});

const NOW_ms = local("2026-03-02T10:00");

/** A device whose register n holds n, 0 to 999. */
const counting = {
  read: (_fc: 3 | 4, address: number, count: number): Answer =>
    address + count > 1000 ? { exception: 2 } : Uint16Array.from({ length: count }, (_, i) => address + i),
};

async function lineOf(more: Partial<TcpLineOptions> = {}): Promise<TcpLine> {
  const meters =
    more.meters ??
    new Map([
      [1, counting],
      [7, counting],
    ]);
  const line = await listenTcp({ host: "127.0.0.1", port: 0, clock: clockAt(NOW_ms), ...more, meters });
  opened.push(line);
  return line;
}

async function clientOf(line: TcpLine) {
  const client = await rawClient(line.port);
  opened.push({ close: () => client.end() });
  return client;
}

/** Bytes of a read request. */
const read = (transaction: number, unit: number, fc: number, address: number, count: number) => [
  transaction >> 8,
  transaction & 0xff,
  0,
  0,
  0,
  6,
  unit,
  fc,
  address >> 8,
  address & 0xff,
  count >> 8,
  count & 0xff,
];

test("a read is answered with the bytes of the protocol's own example shape", async () => {
  const client = await clientOf(await lineOf());
  client.send(0x12, 0x34, 0, 0, 0, 6, 7, 3, 0, 0x6b, 0, 3);
  expect(await client.take(15)).toEqual([0x12, 0x34, 0, 0, 0, 9, 7, 3, 6, 0, 0x6b, 0, 0x6c, 0, 0x6d]);
});

test("a request that comes byte by byte is one request", async () => {
  const client = await clientOf(await lineOf());
  for (const byte of read(1, 1, 4, 500, 2)) client.send(byte);
  expect(await client.take(13)).toEqual([0, 1, 0, 0, 0, 7, 1, 4, 4, 1, 0xf4, 1, 0xf5]);
});

test("several requests in one segment, the last one cut, are answered in order", async () => {
  const client = await clientOf(await lineOf());
  const last = read(3, 1, 3, 30, 1);
  client.send(...read(1, 1, 3, 10, 1), ...read(2, 7, 3, 20, 1), ...last.slice(0, 9));
  expect(await client.take(22)).toEqual([0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 10, 0, 2, 0, 0, 0, 5, 7, 3, 2, 0, 20]);
  client.send(...last.slice(9));
  expect(await client.take(11)).toEqual([0, 3, 0, 0, 0, 5, 1, 3, 2, 0, 30]);
});

test.each([
  ["a unit that is not there", read(5, 9, 3, 0, 1), 0x83, 0x0b],
  ["a write of one register", read(5, 1, 6, 0, 1), 0x86, 1],
  ["a write of many registers", [0, 5, 0, 0, 0, 9, 1, 16, 0, 0, 0, 1, 2, 0, 9], 0x90, 1],
  ["a read of coils", read(5, 1, 1, 0, 8), 0x81, 1],
  ["a read of nothing", read(5, 1, 3, 0, 0), 0x83, 3],
  ["a read of 126 registers", read(5, 1, 4, 0, 126), 0x84, 3],
  ["a read past the last address there is", read(5, 1, 3, 65_530, 20), 0x83, 2],
  ["an address the device lacks", read(5, 1, 3, 1000, 1), 0x83, 2],
  ["a read request of the wrong length", [0, 5, 0, 0, 0, 4, 1, 3, 0, 0], 0x83, 3],
])("%s gets its exception", async (_name, request, code, exception) => {
  const client = await clientOf(await lineOf());
  client.send(...request);
  expect(await client.take(9)).toEqual([0, 5, 0, 0, 0, 3, request[6], code, exception]);
  client.send(...read(6, 1, 3, 4, 1));
  expect(await client.take(11)).toEqual([0, 6, 0, 0, 0, 5, 1, 3, 2, 0, 4]);
});

test.each([
  ["another protocol number", [0, 1, 0, 1, 0, 6, 1, 3, 0, 0, 0, 1]],
  ["a length of nothing", [0, 1, 0, 0, 0, 1, 1]],
  ["a length beyond the protocol", [0, 1, 0, 0, 1, 0, 1]],
])("bytes with %s end the connection", async (_name, bytes) => {
  const client = await clientOf(await lineOf());
  client.send(...bytes);
  await client.closed;
});

test("modbus-serial reads the same words as the meter gives", async () => {
  const meter = meterOf({ model: "eastron-sdm630", load: STEEL });
  const line = await lineOf({
    meters: new Map([
      [1, meter],
      [2, meter],
    ]),
  });
  const client = new M.default();
  opened.push({ close: () => new Promise((resolve) => client.close(resolve)) });
  await client.connectTCP("127.0.0.1", { port: line.port });
  client.setID(2);
  client.setTimeout(5000);
  const voltages = await client.readInputRegisters(0, 36);
  expect(Uint16Array.from(voltages.data)).toEqual(meter.read(4, 0, 36, NOW_ms));
  const float = Buffer.from(voltages.buffer).readFloatBE(0);
  expect(float).toBeCloseTo(meter.gauges(NOW_ms).voltage_l1 as number, 3);
  await expect(client.readHoldingRegisters(5000, 2)).rejects.toMatchObject({ modbusCode: 2 });
  client.setID(99);
  await expect(client.readInputRegisters(0, 2)).rejects.toMatchObject({ modbusCode: 11 });
});

test("a port that is in use is said, with what to do", async () => {
  const line = await lineOf();
  const second = lineOf({ port: line.port });
  await expect(second).rejects.toThrow(KhuXanhError);
  await expect(second).rejects.toMatchObject({ code: "PORT_TAKEN", context: { port: line.port } });
});

test("an address that others could reach is refused", async () => {
  await expect(lineOf({ host: "0.0.0.0" })).rejects.toMatchObject({ code: "LISTEN_NOT_LOOPBACK" });
});

test("closing ends open connections and frees the port", async () => {
  const line = await lineOf();
  const client = await clientOf(line);
  await line.close();
  await client.closed;
  const again = await lineOf({ port: line.port });
  expect(again.port).toBe(line.port);
  await again.close();
  const refused = new Promise((resolve) => createConnection(line.port, "127.0.0.1").once("error", resolve));
  expect(await refused).toMatchObject({ code: "ECONNREFUSED" });
});
