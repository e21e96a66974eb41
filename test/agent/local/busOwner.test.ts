import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openOwnedBus } from "../../../agent/local/agentBus.ts";
import { claimBus, findOwner, lockLine } from "../../../agent/local/busOwner.ts";
import { recordedBus } from "../../../agent/local/frames.ts";
import { startLocalServer } from "../../../agent/local/server.ts";
import { gatewayView } from "../../../agent/local/view.ts";
import { bus, facts, meter } from "./fixture.ts";

let top: string;
let folder: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "khuxanh-owner-"));
  folder = join(top, "run");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const TCP = { kind: "tcp", host: "127.0.0.1", port: 5020 } as const;
const line = (path: string) => ({ kind: "rtu", path, baud: 9600, parity: "none", stop_bits: 1 }) as const;
const OWNER = { gateway: "gw-01", bus: "main", http: "http://127.0.0.1:8081" };
const files = () => readdirSync(folder).filter((name) => name.endsWith(".json"));

test("a claimed bus is found, however its address is written, and not any more once it is released", () => {
  const claim = claimBus(TCP, OWNER, folder);
  expect(findOwner({ ...TCP, host: "LOCALHOST" }, folder)).toEqual({ pid: process.pid, ...OWNER });
  expect(findOwner({ ...TCP, kind: "rtu+tcp" }, folder)).not.toBeNull();
  expect(findOwner({ ...TCP, port: 5021 }, folder)).toBeNull();
  claim.release();
  expect(files()).toEqual([]);
});

test("only this user may read or change what is claimed", () => {
  claimBus(TCP, OWNER, folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, files()[0]!)).mode & 0o777).toBe(0o600);
});

test("the file of a process that is gone is stale and removed", () => {
  claimBus(TCP, OWNER, folder);
  const gone = spawnSync(process.execPath, ["-e", ""]).pid;
  const file = join(folder, files()[0]!);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), pid: gone }));
  expect(findOwner(TCP, folder)).toBeNull();
  expect(files()).toEqual([]);
});

test("a broken file owns nothing", () => {
  claimBus(TCP, OWNER, folder);
  for (const text of ["", "{", "[]", '{"pid":-1}', '{"pid":"1","gateway":"a","bus":"b","http":"c"}']) {
    writeFileSync(join(folder, files()[0]!), text);
    expect(findOwner(TCP, folder)).toBeNull();
  }
});

test("the first agent of a shared TCP address stays the one that is found", () => {
  claimBus(TCP, OWNER, folder);
  const file = join(folder, files()[0]!);
  // The parent of a test run lives as long as the test.
  writeFileSync(file, JSON.stringify({ pid: process.ppid, ...OWNER, gateway: "first" }));
  claimBus(TCP, OWNER, folder).release();
  expect(findOwner(TCP, folder)?.gateway).toBe("first");
});

test("a serial line has one holder, also under another name for it, until it is released", () => {
  const device = join(top, "ttyUSB0");
  writeFileSync(device, "");
  symlinkSync(device, join(top, "by-id"));
  const claim = claimBus(line(device), OWNER, folder);
  expect(() => lockLine(line(join(top, "by-id")), folder)).toThrow(/in use by another khuxanh \[BUS_LOCKED\]/);
  expect(() => claimBus(line(device), OWNER, folder)).toThrow("BUS_LOCKED");
  claim.release();
  lockLine(line(device), folder)();
});

test("a folder that others may write to is not believed", () => {
  claimBus(TCP, OWNER, folder);
  chmodSync(folder, 0o777);
  expect(findOwner(TCP, folder)).toBeNull();
});

test("who reads a bus that a living agent owns goes through it; otherwise opens the port itself", async () => {
  const asked: number[] = [];
  const inner = {
    async read({ address }: { readonly address: number }) {
      asked.push(address);
      return { kind: "words", words: Uint16Array.of(7) } as const;
    },
    async close() {},
  };
  const clock = { now_ms: () => 0, mono_ms: () => 0 };
  const server = await startLocalServer(
    { host: "127.0.0.1", port: 0 },
    {
      health: () => ({}),
      metrics: () => "",
      status: () => gatewayView(facts([bus([meter()])], { pid: process.pid })),
      buses: new Map([["main", { bus: recordedBus(inner, clock), timeout_ms: 500 }]]),
      mono_ms: clock.mono_ms,
      look: () => null,
    },
  );
  // Nobody listens on port 1: only the agent can answer.
  const address = { ...TCP, port: 1 };
  const read = { unit: 1, fc: 3, address: 44, count: 1, timeout_ms: 200 } as const;
  const claim = claimBus(address, { ...OWNER, http: `http://127.0.0.1:${server.port}` }, folder);
  const through = await openOwnedBus(address, folder);
  expect(through.through).toBe("gw-01");
  expect(await through.read(read)).toEqual({ kind: "words", words: Uint16Array.of(7) });
  expect(asked).toEqual([44]);
  await through.close();
  await server.close();

  // The claim still stands, but what answers under its address is no agent any more.
  const direct = await openOwnedBus(address, folder);
  expect(direct.through).toBeNull();
  expect((await direct.read(read)).kind).toBe("unreachable");
  await direct.close();
  claim.release();
});

test("a serial line that this process opens itself is held until it is closed", async () => {
  const device = line(join(top, "ttyS9"));
  const opened = await openOwnedBus(device, folder);
  await expect(openOwnedBus(device, folder)).rejects.toThrow("BUS_LOCKED");
  await opened.close();
  await (await openOwnedBus(device, folder)).close();
});
