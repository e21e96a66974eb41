import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Bus, BusRead } from "../../../core/ports.ts";
import { openBus } from "../../../drivers/modbus/client.ts";
import { isRequired, pathOf } from "../../services.ts";
import { rawServer, rtuFrame, type TestServer } from "./servers.ts";

const socat = pathOf("socat");
const skipped = socat === null && !isRequired ? "skipped: needs socat" : "";

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

function keep<T extends { close(): Promise<unknown> }>(thing: T): T {
  open.push(thing);
  return thing;
}

/** A pseudo terminal whose other end is a connection to the server: bytes pass through as on a line. */
async function lineTo(server: TestServer): Promise<{ readonly bus: Bus; readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), "khuxanh-line-"));
  const path = join(folder, "tty");
  const child: ChildProcess = spawn(
    socat!,
    ["-d", "-d", `PTY,link=${path},rawer`, `TCP:127.0.0.1:${server.port},nodelay`],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  keep({
    async close() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await ended;
      rmSync(folder, { recursive: true });
    },
  });
  // With -d -d socat says when both ends are joined.
  for await (const text of child.stderr!) if (String(text).includes("data transfer loop")) break;
  child.stderr!.resume();
  const bus = keep(openBus({ kind: "rtu", path, baud: 9600, parity: "none", stop_bits: 1 }, { drain_ms: 60 }));
  return { bus, path };
}

const tag = (unit: number, code: number, address: number): number => (address + 7919 * unit + 30011 * code) & 0xffff;

function words(unit: number, code: number, address: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => tag(unit, code, address + i));
}

function answer(request: Buffer): Buffer {
  const [unit = 0, code = 0] = request;
  const data = words(unit, code, request.readUInt16BE(2), request.readUInt16BE(4)).flatMap((w) => [w >> 8, w & 0xff]);
  return rtuFrame([unit, code, data.length, ...data]);
}

const read = (parts: Partial<BusRead>): BusRead => ({
  unit: 1,
  fc: 3,
  address: 0,
  count: 2,
  timeout_ms: 1000,
  ...parts,
});
const expected = ({ unit, fc, address, count }: BusRead) => ({
  kind: "words",
  words: Uint16Array.from(words(unit, fc, address, count)),
});

test.skipIf(skipped !== "")(`several meters on one serial line each answer for themselves ${skipped}`, async () => {
  const server = keep(
    await rawServer((request, socket) => {
      const reply = answer(request);
      socket.write(reply.subarray(0, 4));
      setImmediate(() => socket.write(reply.subarray(4)));
    }),
  );
  const { bus } = await lineTo(server);
  for (let i = 0; i < 30; i++) {
    const request = read({ unit: 1 + (i % 5), fc: i % 2 === 0 ? 3 : 4, address: 100 * i, count: 1 + ((i * 7) % 40) });
    expect(await bus.read(request)).toEqual(expected(request));
  }
});

test.skipIf(skipped !== "")(
  `a serial line that misbehaves never gives words to the wrong request ${skipped}`,
  async () => {
    let turn = 0;
    let before: Buffer | null = null;
    const server = keep(
      await rawServer((request, socket) => {
        const reply = answer(request);
        const broken = Buffer.from(reply);
        broken[broken.length - 1]! ^= 1;
        const ways: readonly (() => void)[] = [
          () => socket.write(reply),
          () => {},
          () => socket.write(reply),
          () => socket.write(broken),
          () => socket.write(Buffer.concat([before ?? reply, reply])),
          () => socket.write(Buffer.concat([Buffer.of(0x00), reply])),
          () => socket.write(Buffer.concat([reply, reply])),
          () => socket.write(answer(Buffer.from([request[0]! + 1, ...request.subarray(1)]))),
          () => socket.write(rtuFrame([request[0]!, request[1]! | 0x80, 2])),
        ];
        // What it asks to hear the order of replies is of another length.
        if (request[5] === 2) ways[turn]!();
        else socket.write(reply);
        if (request[5] === 2) before = reply;
      }),
    );
    const { bus } = await lineTo(server);
    const kinds: string[] = [];
    for (turn = 0; turn < 9; turn++) {
      const request = read({ address: 10 * turn, timeout_ms: turn === 1 ? 50 : 1000 });
      const reply = await bus.read(request);
      kinds.push(reply.kind);
      if (reply.kind === "words") expect(reply).toEqual(expected(request));
    }
    expect(kinds).toEqual([
      "words",
      "timeout",
      "words",
      "garbled",
      "garbled",
      "words",
      "words",
      "garbled",
      "exception",
    ]);
  },
);

// The pseudo terminals may dawdle with the late bytes; they do not for a second.
test.skipIf(skipped !== "")(`a reply that comes late is never the answer to the next request ${skipped}`, async () => {
  let late: (() => void) | null = null;
  const server = keep(
    await rawServer((request, socket) => {
      const reply = answer(request);
      if (late === null) late = () => socket.write(reply);
      else socket.write(reply);
    }),
  );
  const { bus } = await lineTo(server);
  expect(await bus.read(read({ address: 5 }))).toEqual({ kind: "timeout" });
  late!();
  for (const request of [read({ address: 900 }), read({ unit: 2, address: 5 }), read({ address: 901 })]) {
    expect(await bus.read(request)).toEqual(expected(request));
  }
});

test.skipIf(skipped !== "")(`a line whose far end goes away is unreachable, not silent ${skipped}`, async () => {
  const server = await rawServer((request, socket) => socket.write(answer(request)));
  const { bus } = await lineTo(server);
  expect((await bus.read(read({}))).kind).toBe("words");
  await server.close();
  expect(["unreachable", "timeout"]).toContain((await bus.read(read({ timeout_ms: 300 }))).kind);
  await expect(
    new Promise((resolve, reject) =>
      connect({ host: "127.0.0.1", port: server.port }, () => resolve(0)).on("error", reject),
    ),
  ).rejects.toThrow();
  expect((await bus.read(read({ timeout_ms: 300 }))).kind).toBe("unreachable");
});
