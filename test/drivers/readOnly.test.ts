import { afterEach, expect, test } from "vitest";
import { pollMeter } from "../../agent/poll/meter.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { planReads } from "../../drivers/modbus/planner.ts";
import { probe } from "../../drivers/probe.ts";
import { discover } from "../../drivers/sunspec/discover.ts";
import { rawServer, rtuFrame, tcpReply } from "./modbus/servers.ts";

const ends: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A device that answers every read with zeros, notes every function code it is asked and refuses the rest. */
async function notingServer(framing: "tcp" | "rtu+tcp") {
  const codes = new Set<number>();
  const server = await rawServer((request, socket) => {
    const at = framing === "tcp" ? 6 : 0;
    const [unit = 0, code = 0] = request.subarray(at);
    codes.add(code);
    const count = request.readUInt16BE(at + 4);
    const data = [2 * count, ...new Uint8Array(2 * count)];
    socket.write(framing === "tcp" ? tcpReply(request, unit, code, data) : rtuFrame([unit, code, ...data]));
  });
  const bus = openBus({ kind: framing, host: "127.0.0.1", port: server.port }, { settle_ms: 1 });
  ends.push(
    () => server.close(),
    () => bus.close(),
  );
  return { codes, bus, server };
}

test.each(["tcp", "rtu+tcp"] as const)("probing any model of the library over %s only ever reads", async (framing) => {
  const { codes, bus } = await notingServer(framing);
  const models = [...loadModelLibrary().values()];
  // Each silence of an RTU line takes its time: a few models with both functions, identity and settings.
  const chosen = framing === "tcp" ? models : models.filter(({ id }) => /sdm120|dtsu666|sunspec-meter/.test(id));
  for (const model of chosen) {
    const result = await probe(bus, 1, model);
    expect(result.exchanges, model.id).toBeGreaterThan(0);
  }
  expect([...codes].sort()).toEqual([3, 4]);
});

test("polling and discovery only ever read", async () => {
  const { codes, bus } = await notingServer("tcp");
  const clock = { now_ms: () => 0, mono_ms: () => 0 };
  for (const model of loadModelLibrary().values()) {
    if (model.discovery !== undefined) {
      expect(await discover(bus, 1, model.discovery, 1000)).toMatchObject({ kind: "absent" });
      continue;
    }
    const blocks = planReads(
      model.registers.map((register) => ({ register })),
      model.limits,
    );
    const sample = await pollMeter(bus, { device: "m", unit: 1, timeout_ms: 1000 }, blocks, clock);
    expect(sample!.blocks).toHaveLength(blocks.length);
  }
  expect([...codes].sort()).toEqual([3, 4]);
});
