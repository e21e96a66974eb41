import { connect as tcp } from "node:net";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { type Broker, CONNECT_BYTES_MAX, MESSAGE_BYTES_MAX, startBroker } from "../../../cloud/broker/embedded.ts";
import { PacketLimit } from "../../../cloud/broker/packetLimit.ts";
import type { Log } from "../../../core/ports.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
let broker: Broker | null = null;
afterEach(async () => {
  await broker?.close();
  broker = null;
});

/** Any packet: a type, a length in sevens of bits, a body. */
function packet(type: number, body: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Uint8Array.of(type, ...length), body]);
}

const publish = (bytes: number) => packet(0x30, new Uint8Array(bytes));
/** MQTT 3.1.1, clean session, keep-alive 30 s, client id "c". */
const CONNECT = packet(0x10, Buffer.from([0, 4, 77, 81, 84, 84, 4, 2, 0, 30, 0, 1, 99]));

test("packets within the limit pass however the stream is cut, and the first beyond it does not", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 37 }),
      (sizes, chunk) => {
        const bytes = Buffer.concat(sizes.map(publish));
        const limit = new PacketLimit(500);
        for (let at = 0; at < bytes.length; at += chunk)
          expect(limit.accepts(bytes.subarray(at, at + chunk))).toBe(true);
        const large = publish(600);
        const parts = Array.from({ length: Math.ceil(large.length / chunk) }, (_, i) =>
          limit.accepts(large.subarray(i * chunk, (i + 1) * chunk)),
        );
        expect(parts.includes(false)).toBe(true);
      },
    ),
  );
});

test("a length of five bytes is no length", () => {
  expect(new PacketLimit(2 ** 28).accepts(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 0x01))).toBe(false);
});

test("the broker hangs up on the header of a packet that is too large, before and after CONNECT", async () => {
  broker = await startBroker({ host: "127.0.0.1", port: 0, log });
  const header = (type: number, length: number) =>
    Buffer.from([type, (length & 127) | 128, ((length >> 7) & 127) | 128, ((length >> 14) & 127) | 128, length >> 21]);
  const cut = (first: Buffer | null, then: Buffer) =>
    new Promise<void>((resolve) => {
      const socket = tcp(broker!.port, "127.0.0.1", () => socket.write(first ?? then));
      socket.on("data", () => socket.write(then));
      socket.on("error", () => {});
      socket.on("close", () => resolve());
    });
  await cut(null, header(0x10, CONNECT_BYTES_MAX + 1));
  await cut(CONNECT, header(0x30, MESSAGE_BYTES_MAX + 1));
});
