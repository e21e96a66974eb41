import { expect, test } from "vitest";
import { linesOf } from "../../../agent/poll/line.ts";
import type { BusConfig } from "../../../config/files/agent.ts";

const bus = (id: string, url: BusConfig["url"]): BusConfig => ({ id, url, timeout_ms: 1000, meters: [] });
const tcp = (host: string, port: number) => ({ kind: "tcp", host, port, unit: null }) as const;

test("buses of one address share a line, other ports, hosts and framings do not", () => {
  const lines = linesOf([
    bus("a", tcp("gw.local", 502)),
    bus("b", tcp("GW.local", 502)),
    bus("c", tcp("gw.local", 503)),
    bus("d", { ...tcp("gw.local", 502), kind: "rtu+tcp" }),
    bus("e", { kind: "rtu", path: "/dev/ttyUSB0", baud: 9600, parity: "even", stop_bits: 1, unit: null }),
    bus("f", tcp("::1", 502)),
  ]);
  expect([...lines].map(([address, buses]) => [address, buses.map(({ id }) => id)])).toEqual([
    ["tcp://gw.local:502", ["a", "b"]],
    ["tcp://gw.local:503", ["c"]],
    ["rtu+tcp://gw.local:502", ["d"]],
    ["rtu:///dev/ttyUSB0?baud=9600&parity=even&stop=1", ["e"]],
    ["tcp://[::1]:502", ["f"]],
  ]);
});
